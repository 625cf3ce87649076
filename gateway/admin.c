/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/admin.h"

#include <string.h>
#include <sys/statvfs.h>

#include "gateway/channels.h"
#include "gateway/gateway.h"
#include "gateway/intake.h"
#include "gateway/metrics.h"
#include "gateway/outbox.h"

enum {
    ADMIN_METRICS_MAX = 4 * 1024 * 1024,
    CONTROL_BODY_MAX = 4096,
};

static void admin_text(struct http_exchange *exchange, int status, const struct buf *text)
{
    struct http_response response;
    http_response_init(&response, status);
    http_response_text(&response, "text/plain; version=0.0.4; charset=utf-8", text->data,
                       text->len);
    http_answer(exchange, &response);
}

static void admin_healthz(void *context, struct http_exchange *exchange)
{
    (void)context;
    struct buf text = BUF_INIT(16);
    buf_add_text(&text, "ok\n");
    admin_text(exchange, 200, &text);
    buf_release(&text);
}

/* Whether a message offered now would be taken. Failing channels do not count: the rest works. */
static void admin_readyz(void *context, struct http_exchange *exchange)
{
    struct gateway *gateway = context;
    struct queue_stats stats;
    struct err err = ERR_INIT;
    const struct {
        const char *what;
        bool ok;
    } checks[] = {
        {"queue", queue_stats(gateway->queue, &stats, &err) == 0},
        {"vault", vault_client_pid(gateway->vault) != 0},
        {"disk", !atomic_load(&gateway->disk_short)},
        {"intake", gate_count(gateway->gate) < (size_t)gateway->settings->queue_max},
    };
    struct buf text = BUF_INIT(1024);
    bool ready = true;
    for (size_t i = 0; i < sizeof checks / sizeof *checks; i++) {
        buf_addf(&text, "%s %s\n", checks[i].what, checks[i].ok ? "ok" : "failing");
        ready = ready && checks[i].ok;
    }
    admin_text(exchange, ready ? 200 : 503, &text);
    buf_release(&text);
}

static void admin_gauges(struct gateway *gateway, struct buf *out)
{
    struct queue_stats stats;
    struct err err = ERR_INIT;
    if (queue_stats(gateway->queue, &stats, &err) == 0) {
        metrics_gauge(out, "kanal_reports", "reports in the queue", stats.reports);
        metrics_gauge(out, "kanal_quarantined", "messages in quarantine", stats.quarantined);
        metrics_gauge(out, "kanal_core_waiting", "tickets and updates on their way to the core",
                      stats.waiting[QUEUE_TO_CORE] + stats.leased[QUEUE_TO_CORE]);
        metrics_gauge(out, "kanal_core_buried", "tickets and updates given up",
                      stats.buried[QUEUE_TO_CORE]);
        metrics_gauge(out, "kanal_notices_waiting", "notices on their way to reporters",
                      stats.waiting[QUEUE_TO_REPORTER] + stats.leased[QUEUE_TO_REPORTER]);
        metrics_gauge(out, "kanal_notices_buried", "notices given up",
                      stats.buried[QUEUE_TO_REPORTER]);
    }
    metrics_gauge(out, "kanal_intake_messages", "messages on their way in",
                  (int64_t)gate_count(gateway->gate));
    struct statvfs disk;
    if (statvfs(gateway->state, &disk) == 0)
        metrics_gauge(out, "kanal_disk_free_bytes", "room on the disk of the state folder",
                      (int64_t)(disk.f_bavail * disk.f_frsize));
    metrics_gauge(out, "kanal_channels_failing", "channels whose last try failed",
                  (int64_t)channels_failing(gateway));
}

static void admin_metrics(void *context, struct http_exchange *exchange)
{
    struct buf text = BUF_INIT(ADMIN_METRICS_MAX);
    metrics_write(&text);
    admin_gauges(context, &text);
    admin_text(exchange, 200, &text);
    buf_release(&text);
}

const struct http_route admin_routes[] = {
    {.method = "GET", .path = "/healthz", .handler = admin_healthz},
    {.method = "GET", .path = "/readyz", .handler = admin_readyz},
    {.method = "GET", .path = "/metrics", .handler = admin_metrics},
    {.method = NULL},
};

static void control_answer(struct http_exchange *exchange, int result, const struct err *err)
{
    struct http_response response;
    http_response_init(&response, result == 0 ? 200 : err->kind == ERR_TRANSIENT ? 503 : 409);
    http_response_view(&response, NULL,
                       result == 0 ? json_pack("{s:b}", "done", 1)
                                   : json_pack("{s:s}", "error", err->text));
    http_answer(exchange, &response);
}

static void control_revive(void *context, struct http_exchange *exchange)
{
    struct gateway *gateway = context;
    const struct http_request *request = http_exchange_request(exchange);
    json_t *body = json_loadb(request->body, request->body_len, 0, NULL);
    struct err err = ERR_INIT;
    struct queue_op op = {.kind = QUEUE_REVIVE,
                          .lease_id = json_integer_value(json_object_get(body, "id"))};
    json_decref(body);
    struct queue_op *ops[] = {&op};
    int result = commit_wait(gateway->committer, ops, 1, &err);
    if (result == 0 && op.result == QUEUE_LOST)
        result = err_set(&err, ERR_PERMANENT, "no buried work has that number");
    outbox_wake(gateway->forward);
    outbox_wake(gateway->notify);
    control_answer(exchange, result, &err);
}

static void control_replay(void *context, struct http_exchange *exchange)
{
    const struct http_request *request = http_exchange_request(exchange);
    json_t *body = json_loadb(request->body, request->body_len, 0, NULL);
    const char *text = json_string_value(json_object_get(body, "id"));
    char id[REPORT_ID_SIZE];
    struct err err = ERR_INIT;
    int result;
    if (text == NULL || report_id_parse(text, strlen(text), id) != 0)
        result = err_set(&err, ERR_PERMANENT, "that is no report ID");
    else
        result = intake_replay(context, id, &err);
    json_decref(body);
    control_answer(exchange, result, &err);
}

const struct http_route control_routes[] = {
    {.method = "POST",
     .path = "/queue/revive",
     .handler = control_revive,
     .body_max = CONTROL_BODY_MAX},
    {.method = "POST",
     .path = "/quarantine/replay",
     .handler = control_replay,
     .body_max = CONTROL_BODY_MAX},
    {.method = NULL},
};
