/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/services.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "adapters/web_form.h"
#include "gateway/metrics.h"
#include "gateway/process.h"
#include "gateway/webhook.h"
#include "normalize/mem.h"

enum {
    /* Indonesian mobile networks put many citizens behind one address: loose per client ... */
    CLIENT_GUESSES = 60,
    CLIENT_WINDOW_MS = 10 * 60 * 1000,
    CLIENT_KEYS = 64 * 1024,
    /* ... and strict per report: 240 of a million PINs a day. */
    PIN_GUESSES = 10,
    PIN_WINDOW_MS = 60 * 60 * 1000,
    PIN_KEYS = 64 * 1024,
};

static struct channel *services_form_channel(struct gateway *gateway)
{
    for (size_t i = 0; i < gateway->channel_count; i++)
        if (gateway->channels[i].adapter == &adapter_web_form)
            return &gateway->channels[i];
    return NULL;
}

static json_t *services_form(void *context, const char *language)
{
    struct services *services = context;
    struct channel *channel = services_form_channel(services->gateway);
    return channel == NULL ? NULL : web_form_model(channel, language, NULL);
}

static void services_report(void *context, struct http_exchange *exchange)
{
    struct services *services = context;
    struct channel *channel = services_form_channel(services->gateway);
    if (channel == NULL)
        site_busy(exchange);
    else
        webhook_take(services->gateway, channel, exchange, NULL, NULL);
}

/* A follow-up goes the same way as any message: through a worker, as the form's JSON. */
static void services_add(void *context, struct http_exchange *exchange, const char *id,
                         const char *text)
{
    struct gateway *gateway = ((struct services *)context)->gateway;
    struct channel *channel = services_form_channel(gateway);
    if (channel == NULL || atomic_load(&gateway->stopping)) {
        site_busy(exchange);
        return;
    }
    const struct http_request *request = http_exchange_request(exchange);
    unsigned char hash[QUEUE_DEDUP_KEY_SIZE];
    char client_key[2 * QUEUE_DEDUP_KEY_SIZE + 1];
    /* A second click is the same follow-up; the same words to another report are not. */
    seal_dedup_key(gateway->seal, id, text, strlen(text), hash);
    sodium_bin2hex(client_key, sizeof client_key, hash, sizeof hash);
    json_t *form = json_pack("{s:s, s:s}", "story", text, "client_key", client_key);
    char *raw = json_dumps(form, JSON_COMPACT);
    json_decref(form);
    struct inbound in;
    inbound_init(&in, channel->id, channel->adapter->name, channel->adapter->kind,
                 request->received_ms, raw, strlen(raw));
    inbound_fact_add(&in, "content_type", "application/json");
    inbound_fact_add(&in, "story_min", "1");
    inbound_fact_add(&in, "followup", "yes");
    webhook_submit(gateway, channel, &in, exchange, id, "pin", site_added);
}

static void services_timeline(struct gateway *gateway, struct track_view *view)
{
    struct queue_timeline_item *items = NULL;
    size_t n = 0;
    struct err err = ERR_INIT;
    if (queue_timeline(gateway->queue, view->id, &items, &n, &err) != 0)
        return; /* the state the page then shows is the first one, which is true as well */
    for (size_t i = 0; i < n; i++) {
        char day[DAY_TEXT_SIZE];
        gateway_day_text(items[i].day, day);
        struct track_item *item = track_view_add(view);
        item->day = mem_strdup(day);
        item->state = mem_strdup(items[i].state);
        item->agency = items[i].agency[0] != '\0' ? mem_strdup(items[i].agency) : NULL;
        item->answer = mem_strdup(items[i].answer);
        item->photo = items[i].photo_field != NULL;
    }
    queue_timeline_free(items, n);
}

/* The day it was received opens every timeline. */
static void services_public_part(struct gateway *gateway, const struct queue_report *report,
                                 struct track_view *view)
{
    char day[DAY_TEXT_SIZE];
    gateway_day_text(report->received_day, day);
    memcpy(view->id, report->id, sizeof view->id);
    struct track_item *received = track_view_add(view);
    received->day = mem_strdup(day);
    received->state = mem_strdup(STATE_RECEIVED);
    services_timeline(gateway, view);
    view->state = mem_strdup(view->timeline[view->timeline_count - 1].state);
}

static char *services_text(const json_t *object, const char *name)
{
    return mem_strdup(json_string_value(json_object_get(object, name)));
}

/* A quarantined message has no body yet: its reporter sees the state alone. */
static void services_own_part(struct gateway *gateway, const struct queue_report *report,
                              struct track_view *view)
{
    struct buf body = BUF_INIT(QUEUE_BODY_MAX);
    struct err err = ERR_INIT;
    json_t *json = NULL;
    if (report->body.len > 0 && seal_load(gateway->seal, report->id, "body", report->body.data,
                                          report->body.len, &body, &err) == 0)
        json = json_loadb(body.data, body.len, 0, NULL);
    view->story = services_text(json, "story");
    view->additional = services_text(json, "additional");
    view->location = services_text(json_object_get(json, "location"), "text");
    view->category = services_text(json_object_get(json, "category"), "code");
    view->attachments = json_array_size(json_object_get(json, "attachments"));
    view->visibility = report->public_report ? REPORT_PUBLIC : REPORT_PRIVATE;
    json_decref(json);
    buf_wipe(&body);
}

/* Follow-ups and non-reports have no page of their own. */
static bool services_shown(const struct queue_report *report)
{
    return report->kind == QUEUE_REPORT || report->kind == QUEUE_QUARANTINE;
}

static int services_limited(struct track_view *out, int64_t wait_ms)
{
    metrics_add(METRIC_TRACK_REFUSED, NULL, 1);
    out->retry_after_s = (int)(wait_ms / 1000) + 1;
    return SITE_LIMITED;
}

/* The look-up itself; only what went wrong counts against the client. */
static int services_find(struct services *services, const char *id, const char *pin,
                         struct track_view *out)
{
    struct gateway *gateway = services->gateway;
    struct queue_report report;
    struct err err = ERR_INIT;
    int found = queue_report_get(gateway->queue, id, &report, &err);
    if (found != 1)
        return found < 0 ? -1 : SITE_UNKNOWN;
    int result = SITE_UNKNOWN;
    uint64_t key = seal_rate_key(gateway->seal, "id", id, strlen(id));
    int64_t wait_ms;
    if (!services_shown(&report)) {
        result = SITE_UNKNOWN;
    } else if (pin == NULL) {
        services_public_part(gateway, &report, out);
        result = SITE_STATE;
    } else if (!limiter_allows(services->pin_guesses, key, clock_ms(), &wait_ms)) {
        result = services_limited(out, wait_ms);
    } else if (!seal_pin_matches(gateway->seal, id, pin)) {
        limiter_take(services->pin_guesses, key, clock_ms(), NULL);
        result = SITE_WRONG_PIN;
    } else {
        services_public_part(gateway, &report, out);
        services_own_part(gateway, &report, out);
        result = SITE_OWN;
    }
    queue_report_release(&report);
    return result;
}

static int services_lookup(void *context, const char *client, const char *id, const char *pin,
                           struct track_view *out)
{
    struct services *services = context;
    uint64_t key = seal_rate_key(services->gateway->seal, "client", client, strlen(client));
    int64_t wait_ms;
    if (!limiter_allows(services->client_guesses, key, clock_ms(), &wait_ms))
        return services_limited(out, wait_ms);
    int result = services_find(services, id, pin, out);
    if (result == SITE_UNKNOWN || result == SITE_WRONG_PIN)
        limiter_take(services->client_guesses, key, clock_ms(), NULL);
    return result;
}

void services_init(struct services *services, struct gateway *gateway)
{
    *services = (struct services){
        .site = {.context = services,
                 .form = services_form,
                 .lookup = services_lookup,
                 .report = services_report,
                 .add = services_add},
        .gateway = gateway,
        .client_guesses = limiter_new(CLIENT_GUESSES, CLIENT_WINDOW_MS, CLIENT_KEYS),
        .pin_guesses = limiter_new(PIN_GUESSES, PIN_WINDOW_MS, PIN_KEYS),
    };
}

void services_release(struct services *services)
{
    limiter_free(services->client_guesses);
    limiter_free(services->pin_guesses);
}
