/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The contract of a core: the ticket store reports are forwarded to. One file per kind of core
 * (core_http.c: design of `kanal core` and of any city system that speaks the same HTTP contract).
 * All calls block, bounded by their own time-outs (connect 10 s, total 60 s), and are made by the
 * forwarder's thread only. err kinds: TRANSIENT try again (network, 409, 429, 5xx; retry_after_s as
 * the core asked), PERMANENT bury (other 4xx), CONFIG (401, 403: stop and tell a person).
 */
#ifndef KANAL_ADAPTERS_CORE_H
#define KANAL_ADAPTERS_CORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config/option.h"
#include "normalize/buf.h"
#include "normalize/err.h"

enum { CORE_REF_MAX = 128, CORE_UPDATES_MAX = 500 };

/* One change of state, as the core reports it. Strings owned; NULL missing. */
struct core_update {
    char *key;       /* the core's id of this update; unique */
    char *report_id; /* as the gateway gave it */
    char *day;       /* "2026-11-21" */
    char *state, *agency, *answer;
    char *photo_media_type; /* evidence */
    char *photo;            /* decoded bytes */
    size_t photo_len;
};

struct core_kind {
    const char *name; /* "http" */
    const struct option_spec *options;
    size_t settings_size;
    int (*open)(const void *settings, void **state, struct err *err);
    /* POSTs the frozen ticket; idempotency_key makes repeats one ticket. Writes the core's
     * reference. */
    int (*ticket)(void *state, const char *idempotency_key, const void *payload, size_t len,
                  char ref[static CORE_REF_MAX], struct err *err);
    /* POSTs a follow-up to the ticket known as ref. */
    int (*update)(void *state, const char *ref, const char *idempotency_key, const void *payload,
                  size_t len, struct err *err);
    /* Fetches changes after cursor ("" from the first): up to CORE_UPDATES_MAX, in order; gives
     * them (core_updates_free()) and appends the new cursor to *next. */
    int (*updates)(void *state, const char *cursor, struct core_update **updates, size_t *n,
                   struct buf *next, struct err *err);
    /* The call under way fails soon (ERR_TRANSIENT), every later one at once; any thread. */
    void (*cancel)(void *state);
    void (*close)(void *state);
};

extern const struct core_kind core_http;

void core_updates_free(struct core_update *updates, size_t n);

/* Reads the JSON list of updates of the contract (also the body of POST /core/updates):
 * {"updates": [{"id", "report", "day", "state", "agency", "answer", "photo": {"media_type", "data"}
 * | null}], "next": "..."}; next may be NULL. ERR_PERMANENT: names the element and field. */
int core_updates_parse(const char *body, size_t len, struct core_update **updates, size_t *n,
                       struct buf *next, struct err *err);

#endif
