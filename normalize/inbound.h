/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One message (or one webhook batch of them) as received: the raw bytes and the transport's facts.
 * Everything a normalization may depend on is in here, so that the same inbound always gives the
 * same bytes: the time of receipt comes in, it is never read from a clock.
 */
#ifndef KANAL_NORMALIZE_INBOUND_H
#define KANAL_NORMALIZE_INBOUND_H

#include <stddef.h>
#include <stdint.h>

enum {
    INBOUND_RAW_MAX = 42 * 1024 * 1024, /* the largest form: as JSON, five photos of 6 MiB each are
                                           40 MiB of base64, and the texts are below 2 MiB */
    INBOUND_FACTS_MAX = 16,
    INBOUND_FACT_LEN_MAX = 1024,
};

/* A transport fact ("content_type") or a channel option the parser needs ("own_address"). */
struct inbound_fact {
    char *key;
    char *value;
};

struct inbound {
    char *channel_id;    /* section name: [channel email-pusat] */
    char *channel_type;  /* the adapter's name: "email" */
    char *channel_kind;  /* what reports say: "email", "web", ... */
    int64_t received_ms; /* Unix epoch, UTC */
    char *raw;
    size_t raw_len;
    struct inbound_fact facts[INBOUND_FACTS_MAX];
    size_t fact_count;
};

/* An inbound owning copies of its arguments; takes raw (malloc'ed, may be NULL when raw_len is 0).
 */
void inbound_init(struct inbound *in, const char *channel_id, const char *channel_type,
                  const char *channel_kind, int64_t received_ms, char *raw, size_t raw_len);

/* Copies key and value; a NULL value, one longer than INBOUND_FACT_LEN_MAX, and any fact beyond
 * INBOUND_FACTS_MAX are left out. */
void inbound_fact_add(struct inbound *in, const char *key, const char *value);

/* The fact's value, borrowed, or NULL. */
const char *inbound_fact(const struct inbound *in, const char *key);

/* Frees all it holds; safe to call twice. */
void inbound_release(struct inbound *in);

#endif
