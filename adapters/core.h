/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The contract of a core: the ticket store reports are forwarded to. One file per kind of core
 * (core_http.c: design of `kanal core` and of any city system that speaks the same HTTP contract).
 * All calls block, bounded by their own time-outs (connect 10 s, total 60 s), and are made by the
 * forwarder's thread only. err kinds: TRANSIENT try again (network, 408, 409, 429, 5xx;
 * retry_after_s as the core asked), PERMANENT bury (other 4xx), CONFIG (3xx, 401, 403: a
 * person has to mend something).
 *
 * The HTTP contract, for who writes a core. Every request is signed by the secret both sides hold
 * (Standard Webhooks, see signature.h); refuse it with 401 when the signature does not fit or its
 * timestamp is more than five minutes off. JSON in UTF-8.
 *
 *   POST URL/tickets                a report becomes a ticket
 *     Idempotency-Key: 7KQ3MXP9T2FC   the report's ID; webhook-id is the same
 *     body: kanal.report/1 (config/report.schema.json) without "restricted"; a public report's
 *     attachments have "data", the photo in base64, a private one's have not
 *     201 {"ref": "..."}   made; ref (up to 127 bytes) is the core's own name for it
 *     200 {"ref": "..."}   this key and body are known: the ticket there is
 *     422                  this key came with another body
 *   POST URL/tickets/REF/updates    the reporter adds to it: a report of kind "followup"
 *     as above; the key is the follow-up's own ID; answered 201 or 200, the body is not read
 *   GET  URL/updates?after=CURSOR   changes of state, oldest first; CURSOR is "" at first
 *     webhook-id: updates:CURSOR
 *     200 {"updates": [{"id": "u-1",                  unique: the same one twice is applied once
 *                       "report": "7KQ3MXP9T2FC",     as the ticket had it
 *                       "day": "2026-11-21", "state": "Proses",
 *                       "agency": "Dinas Bina Marga", "answer": "..." or null,
 *                       "photo": {"media_type", "data"} or null}], "next": "CURSOR"}
 *   POST gateway/core/updates       the same body, pushed; signed by the core, webhook-id is free
 *     200 {"applied": N}; 401 wrong signature; 422 names the element; 503 send it again
 *
 * Keys are remembered for ever: a repeat may come days later. 408, 409, 429 (Retry-After is obeyed)
 * and 5xx are tried again for five days, and so are 3xx, 401 and 403, which need a person; any
 * other status buries the row at once (`kanal queue buried`, `kanal queue retry NUMBER`).
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
