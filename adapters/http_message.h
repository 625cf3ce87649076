/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An HTTP request as adapters see it, what became of its messages, and the answer. The gateway owns
 * the connection; nothing here knows libmicrohttpd.
 */
#ifndef KANAL_ADAPTERS_HTTP_MESSAGE_H
#define KANAL_ADAPTERS_HTTP_MESSAGE_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "normalize/report.h"

struct intake;

struct http_request {
    const char *method;       /* "GET", "POST" */
    const char *path;         /* decoded; for webhooks: what follows /c/<channel id>/ */
    const char *query;        /* raw, without '?'; "" none */
    const char *content_type; /* as received; "" none */
    const char *body;         /* never NULL */
    size_t body_len;
    const char *language;  /* "id" or "en", by Accept-Language */
    bool wants_json;       /* by Accept or content type */
    bool secure;           /* came by TLS, ours or a trusted proxy's */
    int64_t received_ms;   /* Unix epoch */
    struct intake *intake; /* where its messages go */
    /* A header's value (any case), borrowed, or NULL. */
    const char *(*header)(const struct http_request *request, const char *name);
    void *connection; /* the gateway's */
};

enum receipt_outcome {
    RECEIPT_ACCEPTED,    /* a new report, follow-up or recognised non-report */
    RECEIPT_KNOWN,       /* this message was accepted before; id is that one's */
    RECEIPT_CONFLICT,    /* its client key was used for another message */
    RECEIPT_QUARANTINED, /* kept, not readable yet; the id is good */
    RECEIPT_REFUSED,     /* record->problems say why; nothing stored */
    RECEIPT_FAILED,      /* not durable: the sender must try again */
};

struct receipt {
    enum receipt_outcome outcome;
    enum report_kind kind;
    char id[REPORT_ID_SIZE]; /* follow-ups: the report they belong to */
    char pin[7];             /* "" when there is none to give */
    const struct record
        *record; /* what was understood; borrowed; NULL when quarantined or failed */
};

enum { HTTP_RESPONSE_HEADERS_MAX = 8 };

/*
 * The answer: either body + content_type, or view + model: the gateway renders the model as JSON
 * (key "json" of the model if there, else the whole) or by the named template, as the client wants.
 */
struct http_response {
    int status;
    const char *view; /* static template name or NULL */
    json_t *model;    /* owned */
    char *body;       /* owned (malloc) */
    size_t body_len;
    const char *content_type; /* static */
    struct {
        const char *name; /* static */
        char *value;      /* owned */
    } headers[HTTP_RESPONSE_HEADERS_MAX];
    size_t header_count;
};

#endif
