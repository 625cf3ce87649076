/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The citizens' site: the form, tracking, static files. It reads requests and renders answers, as
 * pages or JSON; what it knows about reports comes from the services its owner gives it. Unknown,
 * malformed and withheld IDs get one and the same answer. IDs never stand in addresses. Thread-safe
 * when the services are.
 */
#ifndef KANAL_GATEWAY_SITE_H
#define KANAL_GATEWAY_SITE_H

#include <stdbool.h>
#include <stddef.h>

#include "gateway/http.h"
#include "normalize/id.h"
#include "normalize/report.h"

/* One change of state as tracking shows it. Strings owned; NULL missing. */
struct track_item {
    char *day; /* "2026-11-21" */
    char *state, *agency, *answer;
    bool photo; /* came with a photo as evidence */
};

/* What tracking may show of a report. Strings owned; NULL missing. */
struct track_view {
    char id[REPORT_ID_SIZE];
    char *state;
    struct track_item *timeline; /* newest last */
    size_t timeline_count;
    int retry_after_s; /* SITE_LIMITED: when to try again */
    /* The reporter's own, with SITE_OWN only. */
    char *story, *location, *additional, *category; /* category: its code */
    enum report_visibility visibility;
    size_t attachments;
};

void track_view_init(struct track_view *view);
void track_view_release(struct track_view *view);

/* Appends an empty item for the caller to fill; valid until the next call. */
struct track_item *track_view_add(struct track_view *view);

/* What a look-up gave. */
enum site_lookup {
    SITE_UNKNOWN = 0,   /* no such report, or withheld */
    SITE_STATE = 1,     /* the public part: no PIN was given */
    SITE_OWN = 2,       /* the PIN fits */
    SITE_WRONG_PIN = 3, /* it does not */
    SITE_LIMITED = 4,   /* too many guesses; retry_after_s */
};

struct site_services {
    void *context;
    /* The model of the view "form" (web_form_model()); a new reference, NULL: no form is open. */
    json_t *(*form)(void *context, const char *language);
    /* Looks up a report by its stored ID (12 symbols); pin: six digits, or NULL. client: who asks,
     * for limits (http_exchange_client()). Fills *out (initialised). -1: try again later. */
    int (*lookup)(void *context, const char *client, const char *id, const char *pin,
                  struct track_view *out);
    /* Takes the exchange of a POST /reports to the form's channel, which answers it, now or later.
     */
    void (*report)(void *context, struct http_exchange *exchange);
    /* Takes a follow-up proven by its PIN; answers the exchange by site_added() once it is settled.
     */
    void (*add)(void *context, struct http_exchange *exchange, const char *id, const char *text);
};

/*
 * The public routes: GET /, /static/..., /track, /favicon.ico, /robots.txt; POST /reports, /track,
 * /track/add. The listener's context must point to a struct site_services, or to a struct that
 * begins with one. Ends with method == NULL.
 */
extern const struct http_route site_routes[];

/* Answers the exchange of add(): thanks when the follow-up is durable, else 503. n receipts, as
 * adapters get them. */
void site_added(struct http_exchange *exchange, const struct receipt *receipts, size_t n);

/* Answers 503 with Retry-After: for services that cannot take an exchange now. */
void site_busy(struct http_exchange *exchange);

#endif
