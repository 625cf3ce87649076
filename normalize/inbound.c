/* SPDX-License-Identifier: Apache-2.0 */
#include "normalize/inbound.h"

#include "normalize/mem.h"

void inbound_init(struct inbound *in, const char *channel_id, const char *channel_type,
                  const char *channel_kind, int64_t received_ms, char *raw, size_t raw_len)
{
    *in = (struct inbound){
        .channel_id = mem_strdup(channel_id),
        .channel_type = mem_strdup(channel_type),
        .channel_kind = mem_strdup(channel_kind),
        .received_ms = received_ms,
        .raw = raw,
        .raw_len = raw_len,
    };
}

void inbound_fact_add(struct inbound *in, const char *key, const char *value)
{
    if (value == NULL || strlen(value) > INBOUND_FACT_LEN_MAX)
        return;
    if (in->fact_count == INBOUND_FACTS_MAX)
        return;
    in->facts[in->fact_count++] =
        (struct inbound_fact){.key = mem_strdup(key), .value = mem_strdup(value)};
}

const char *inbound_fact(const struct inbound *in, const char *key)
{
    for (size_t i = 0; i < in->fact_count; i++) {
        if (strcmp(in->facts[i].key, key) == 0)
            return in->facts[i].value;
    }
    return NULL;
}

void inbound_release(struct inbound *in)
{
    free(in->channel_id);
    free(in->channel_type);
    free(in->channel_kind);
    free(in->raw);
    for (size_t i = 0; i < in->fact_count; i++) {
        free(in->facts[i].key);
        free(in->facts[i].value);
    }
    *in = (struct inbound){0};
}
