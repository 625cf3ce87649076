/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/thread.h"

#include <sodium.h>
#include <string.h>

int thread_root(struct gateway *gateway, const char *id, const unsigned char *reporter_index,
                char root[static REPORT_ID_SIZE], struct err *err)
{
    struct queue_report report;
    int found = queue_report_get(gateway->queue, id, &report, err);
    if (found != 1)
        return found;
    bool same_reporter =
        reporter_index == NULL ||
        (report.has_reporter_index &&
         sodium_memcmp(reporter_index, report.reporter_index, sizeof report.reporter_index) == 0);
    found = same_reporter && report.kind != QUEUE_NOT_REPORT;
    if (found)
        memcpy(root, report.kind == QUEUE_FOLLOWUP ? report.parent_id : report.id, REPORT_ID_SIZE);
    queue_report_release(&report);
    return found;
}

/* Our own Message-IDs are <TOKEN.KEY@domain>; a reply address's token stands alone. */
static int thread_token_report(struct gateway *gateway, const char *value,
                               char id[static REPORT_ID_SIZE])
{
    size_t len = strcspn(value, ".@");
    if (len != REPLY_TOKEN_LEN)
        return -1;
    char token[REPLY_TOKEN_LEN + 1];
    memcpy(token, value, REPLY_TOKEN_LEN);
    token[REPLY_TOKEN_LEN] = '\0';
    return seal_token_parse(gateway->seal, token, id);
}

static const struct thread_rule {
    enum record_reference_kind kind;
    bool needs_reporter; /* an ID can be known to anyone */
    const char *name;
} thread_rules[] = {
    {REFERENCE_TOKEN, false, "token"},
    {REFERENCE_MESSAGE_ID, false, "message_id"},
    {REFERENCE_REPORT_ID, true, "id_and_reporter"},
};

static int thread_try(struct gateway *gateway, const struct thread_rule *rule, const char *value,
                      const unsigned char *reporter_index, char parent[static REPORT_ID_SIZE],
                      struct err *err)
{
    char id[REPORT_ID_SIZE];
    if (rule->needs_reporter) {
        if (reporter_index == NULL || report_id_parse(value, strlen(value), id) != 0)
            return 0;
        return thread_root(gateway, id, reporter_index, parent, err);
    }
    if (thread_token_report(gateway, value, id) != 0)
        return 0;
    return thread_root(gateway, id, NULL, parent, err);
}

int thread_find(struct gateway *gateway, const struct record *record,
                const unsigned char *reporter_index, char parent[static REPORT_ID_SIZE],
                const char **matched_by, struct err *err)
{
    for (size_t r = 0; r < sizeof thread_rules / sizeof *thread_rules; r++) {
        const struct thread_rule *rule = &thread_rules[r];
        for (size_t i = 0; i < record->reference_count; i++) {
            const struct record_reference *reference = &record->references[i];
            if (reference->kind != rule->kind)
                continue;
            int found = thread_try(gateway, rule, reference->value, reporter_index, parent, err);
            *matched_by = rule->name;
            if (found != 0)
                return found;
        }
    }
    return 0;
}
