/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/updates.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "adapters/signature.h"
#include "gateway/backoff.h"
#include "gateway/bell.h"
#include "gateway/log.h"
#include "gateway/outbox.h"
#include "gateway/process.h"
#include "normalize/mem.h"
#include "normalize/text.h"

enum { UPDATES_CURSOR_MAX = 1024 };

#define UPDATES_CHANNEL "core"
#define UPDATES_CURSOR  "updates"

struct updates {
    struct gateway *gateway;
    void *core_state; /* a handle of its own: a core's handle belongs to one thread */
    pthread_t thread;
    struct bell bell;
};

/* The day as the core says it; today when it does not say one we can read. */
static int64_t updates_day(struct gateway *gateway, const char *text)
{
    struct tm tm = {.tm_mday = 0};
    const char *end = text == NULL ? NULL : strptime(text, "%Y-%m-%d", &tm);
    if (end == NULL || *end != '\0')
        return gateway_day(gateway, clock_wall_ms());
    return (int64_t)timegm(&tm) / (24 * 3600);
}

static void updates_notice(struct gateway *gateway, const struct core_update *update,
                           const char *report_id, struct buf *payload)
{
    json_t *notice = json_pack("{s:s, s:s, s:s?, s:s?}", "state", update->state, "day",
                               update->day != NULL ? update->day : "", "agency", update->agency,
                               "answer", update->answer);
    char *text = json_dumps(notice, JSON_COMPACT);
    seal_store(gateway->seal, report_id, "status", text, strlen(text), payload);
    free(text);
    json_decref(notice);
}

/* Whether the reporter can and wants to be told. */
static bool updates_answerable(struct gateway *gateway, const char *report_id)
{
    struct queue_report report;
    struct err err = ERR_INIT;
    if (queue_report_get(gateway->queue, report_id, &report, &err) != 1)
        return false;
    bool answerable = report.reply.len > 0;
    queue_report_release(&report);
    return answerable;
}

/* One page of updates as one group of operations: applied whole or not at all. */
struct updates_page {
    struct gateway *gateway;
    struct core_update *list; /* owned */
    size_t n;
    struct queue_event *events;
    struct buf *payloads;
    char (*ids)[REPORT_ID_SIZE];
    struct queue_op *ops;
    struct queue_op **group;
    size_t group_count;
    struct http_exchange *exchange; /* to be answered, or NULL */
};

static void updates_page_free(struct updates_page *page)
{
    for (size_t i = 0; i < page->n; i++)
        buf_release(&page->payloads[i]);
    core_updates_free(page->list, page->n);
    free(page->events);
    free(page->payloads);
    free(page->ids);
    free(page->ops);
    free(page->group);
    free(page);
}

/* A core's long words are shortened: one of them must not hold up all later updates. */
static const char *updates_limit(char *text, size_t max)
{
    if (text != NULL)
        text_truncate(text, max - 1);
    return text;
}

static void updates_page_add(struct updates_page *page, size_t i)
{
    struct core_update *update = &page->list[i];
    if (report_id_parse(update->report_id, strlen(update->report_id), page->ids[i]) != 0)
        snprintf(page->ids[i], sizeof page->ids[i], "%s", "?"); /* unknown: the queue says so */
    page->events[i] = (struct queue_event){
        .report_id = page->ids[i],
        .key = updates_limit(update->key, QUEUE_WORD_MAX),
        .day = updates_day(page->gateway, update->day),
        .state = updates_limit(update->state, QUEUE_WORD_MAX),
        .agency = updates_limit(update->agency, QUEUE_WORD_MAX),
        .answer = updates_limit(update->answer, QUEUE_TEXT_MAX),
    };
    struct queue_op *op = &page->ops[i];
    *op = (struct queue_op){.kind = QUEUE_EVENT, .event = &page->events[i]};
    if (updates_answerable(page->gateway, page->ids[i])) {
        updates_notice(page->gateway, update, page->ids[i], &page->payloads[i]);
        op->has_outbox = true;
        op->outbox =
            (struct queue_outbox){.topic = QUEUE_TO_REPORTER,
                                  .kind = "status",
                                  .payload = {page->payloads[i].data, page->payloads[i].len}};
    }
    page->group[page->group_count++] = op;
}

/* Takes list. cursor (may be NULL, borrowed): the position behind the page. */
static struct updates_page *updates_page_new(struct gateway *gateway, struct core_update *list,
                                             size_t n, const char *cursor)
{
    struct updates_page *page = mem_calloc(1, sizeof *page);
    page->gateway = gateway;
    page->list = list;
    page->n = n;
    page->events = mem_calloc(n, sizeof *page->events);
    page->payloads = mem_calloc(n, sizeof *page->payloads);
    page->ids = mem_calloc(n, sizeof *page->ids);
    page->ops = mem_calloc(n + 1, sizeof *page->ops);
    page->group = mem_calloc(n + 1, sizeof *page->group);
    for (size_t i = 0; i < n; i++) {
        buf_init(&page->payloads[i], QUEUE_PAYLOAD_MAX);
        updates_page_add(page, i);
    }
    if (cursor != NULL) {
        page->ops[n] = (struct queue_op){.kind = QUEUE_CURSOR,
                                         .channel_id = UPDATES_CHANNEL,
                                         .name = UPDATES_CURSOR,
                                         .text = cursor};
        page->group[page->group_count++] = &page->ops[n];
    }
    return page;
}

/* After the commit: counts, and has the notices sent. */
static size_t updates_page_applied(struct updates_page *page)
{
    size_t applied = 0;
    for (size_t i = 0; i < page->n; i++) {
        applied += page->ops[i].result == QUEUE_STORED;
        if (page->ops[i].result == QUEUE_LOST)
            log_event(LOG_UPDATE_UNKNOWN, NULL, -1, NULL);
    }
    if (applied > 0)
        outbox_wake(page->gateway->notify);
    return applied;
}

static int updates_fetch(struct updates *updates, size_t *n, struct err *err)
{
    struct gateway *gateway = updates->gateway;
    struct buf cursor = BUF_INIT(UPDATES_CURSOR_MAX);
    struct buf next = BUF_INIT(UPDATES_CURSOR_MAX);
    struct core_update *list = NULL;
    int result = -1;
    if (queue_cursor_get(gateway->queue, UPDATES_CHANNEL, UPDATES_CURSOR, &cursor, err) >= 0)
        result =
            gateway->core_kind->updates(updates->core_state, cursor.data, &list, n, &next, err);
    if (result == 0 && next.overflow)
        result = err_set(err, ERR_PERMANENT, "cannot read updates: the cursor is too long");
    if (result == 0 && *n > 0) {
        struct updates_page *page = updates_page_new(gateway, list, *n, next.data);
        result = commit_wait(gateway->committer, page->group, page->group_count, err);
        if (result == 0)
            updates_page_applied(page);
        updates_page_free(page);
    } else {
        core_updates_free(list, *n);
    }
    buf_release(&cursor);
    buf_release(&next);
    return result;
}

static void *updates_thread(void *context)
{
    struct updates *updates = context;
    int64_t interval_ms = updates->gateway->core->poll * 1000;
    int failures = 0;
    size_t n = 0;
    /* A full page means there is more: no pause then. */
    while (bell_sleep(&updates->bell, n == CORE_UPDATES_MAX ? 0 : interval_ms, NULL)) {
        struct err err = ERR_INIT;
        n = 0;
        if (updates_fetch(updates, &n, &err) == 0) {
            failures = 0;
            interval_ms = updates->gateway->core->poll * 1000;
            continue;
        }
        failures++;
        n = 0;
        if (failures > 1 && !bell_stopped(&updates->bell)) /* one miss is a restart of the core */
            log_event(LOG_UPDATES_FAILED, NULL, failures, &err);
        interval_ms = backoff_ms(failures, err.retry_after_s, 0) / 10;
    }
    return NULL;
}

static void updates_free(struct updates *updates)
{
    updates->gateway->core_kind->close(updates->core_state);
    bell_release(&updates->bell);
    free(updates);
}

int updates_start(struct gateway *gateway, struct updates **out, struct err *err)
{
    struct updates *updates = mem_calloc(1, sizeof *updates);
    updates->gateway = gateway;
    bell_init(&updates->bell);
    if (gateway->core_kind->open(gateway->core_options, &updates->core_state, err) != 0 ||
        process_thread(&updates->thread, updates_thread, updates, err) != 0) {
        updates_free(updates);
        return -1;
    }
    *out = updates;
    return 0;
}

void updates_halt(struct updates *updates)
{
    if (updates == NULL)
        return;
    bell_stop(&updates->bell);
    updates->gateway->core_kind->cancel(updates->core_state);
}

void updates_stop(struct updates *updates)
{
    if (updates == NULL)
        return;
    updates_halt(updates);
    pthread_join(updates->thread, NULL);
    updates_free(updates);
}

static void updates_answer(struct http_exchange *exchange, int status, json_t *model)
{
    struct http_response response;
    http_response_init(&response, status);
    http_response_view(&response, NULL, model);
    http_answer(exchange, &response);
}

static void updates_refuse(struct http_exchange *exchange, int status, const char *text)
{
    updates_answer(exchange, status, json_pack("{s:s}", "error", text));
}

static void updates_committed(void *context, bool ok)
{
    struct updates_page *page = context;
    if (ok)
        updates_answer(page->exchange, 200,
                       json_pack("{s:I}", "applied", (json_int_t)updates_page_applied(page)));
    else
        updates_refuse(page->exchange, 503, "not stored, try again");
    updates_page_free(page);
}

static int updates_verify(struct gateway *gateway, const struct http_request *request,
                          struct err *err)
{
    return signature_check(gateway->core_secret, request->header(request, "webhook-id"),
                           request->header(request, "webhook-timestamp"),
                           request->header(request, "webhook-signature"), request->body,
                           request->body_len, request->received_ms / 1000, err);
}

void updates_receive(void *context, struct http_exchange *exchange)
{
    struct gateway *gateway = context;
    const struct http_request *request = http_exchange_request(exchange);
    struct core_update *list = NULL;
    size_t n = 0;
    struct err err = ERR_INIT;
    if (updates_verify(gateway, request, &err) != 0) {
        updates_refuse(exchange, 401, "the signature does not fit");
    } else if (core_updates_parse(request->body, request->body_len, &list, &n, NULL, &err) != 0) {
        updates_refuse(exchange, 422, err.text);
    } else if (n == 0) {
        core_updates_free(list, n);
        updates_answer(exchange, 200, json_pack("{s:i}", "applied", 0));
    } else {
        struct updates_page *page = updates_page_new(gateway, list, n, NULL);
        page->exchange = exchange;
        commit_async(gateway->committer, page->group, page->group_count, updates_committed, page);
    }
}
