/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/webhook.h"

#include <stdlib.h>
#include <string.h>

#include "gateway/channels.h"
#include "gateway/intake.h"
#include "normalize/mem.h"

#define WEBHOOK_PREFIX "/c/"

/* One request whose messages are on their way in. */
struct webhook {
    struct channel *channel;
    struct http_exchange *exchange;
    webhook_answer *answer; /* NULL: the adapter responds */
    struct err err;         /* why receive failed, if it did */
};

static void webhook_fail(struct http_exchange *exchange, int status)
{
    struct http_response response;
    http_response_init(&response, status);
    if (status == 503)
        http_response_header(&response, "Retry-After", "5");
    http_response_error(&response, http_exchange_request(exchange), status);
    http_answer(exchange, &response);
}

static void webhook_refuse(struct http_exchange *exchange, const struct err *err)
{
    webhook_fail(exchange, err->kind == ERR_PERMANENT ? 400 : 503);
}

static void webhook_settled(void *context, const struct receipt *receipts, size_t n)
{
    struct webhook *webhook = context;
    const struct adapter *adapter = webhook->channel->adapter;
    if (webhook->err.kind != ERR_NONE) {
        webhook_refuse(webhook->exchange, &webhook->err);
    } else if (webhook->answer != NULL) {
        webhook->answer(webhook->exchange, receipts, n);
    } else {
        struct http_response response;
        http_response_init(&response, 200);
        if (adapter->respond != NULL &&
            adapter->respond(webhook->channel, http_exchange_request(webhook->exchange), receipts,
                             n, &response) != 0) {
            http_response_release(&response);
            http_response_init(&response, 500);
        }
        http_answer(webhook->exchange, &response);
    }
    free(webhook);
}

static struct webhook *webhook_new(struct channel *channel, struct http_exchange *exchange)
{
    struct webhook *webhook = mem_calloc(1, sizeof *webhook);
    webhook->channel = channel;
    webhook->exchange = exchange;
    return webhook;
}

static struct intake *webhook_intake(struct gateway *gateway, struct webhook *webhook,
                                     const char *follow, const char *matched_by)
{
    struct intake *intake = intake_new_request(gateway, webhook->channel, webhook_settled, webhook);
    if (follow != NULL)
        intake_follow(intake, follow, matched_by);
    return intake;
}

void webhook_take(struct gateway *gateway, struct channel *channel, struct http_exchange *exchange,
                  const char *follow, const char *matched_by)
{
    if (atomic_load(&gateway->stopping) || !channels_open(gateway, channel)) {
        webhook_fail(exchange, 503);
        return;
    }
    struct webhook *webhook = webhook_new(channel, exchange);
    struct http_request *request = http_exchange_request(exchange);
    request->intake = webhook_intake(gateway, webhook, follow, matched_by);
    if (channel->adapter->receive(channel, request, &webhook->err) != 0 &&
        webhook->err.kind == ERR_NONE)
        err_set(&webhook->err, ERR_TRANSIENT, "the request was not taken");
    intake_close(request->intake);
}

void webhook_submit(struct gateway *gateway, struct channel *channel, struct inbound *msg,
                    struct http_exchange *exchange, const char *follow, const char *matched_by,
                    webhook_answer *answer)
{
    struct webhook *webhook = webhook_new(channel, exchange);
    webhook->answer = answer;
    struct intake *intake = webhook_intake(gateway, webhook, follow, matched_by);
    intake_submit(intake, msg, &webhook->err);
    intake_close(intake);
}

void webhook_route(void *context, struct http_exchange *exchange)
{
    struct gateway *gateway = context;
    struct http_request *request = http_exchange_request(exchange);
    const char *id = request->path + strlen(WEBHOOK_PREFIX);
    size_t len = strcspn(id, "/");
    struct channel *channel = NULL;
    for (size_t i = 0; i < gateway->channel_count; i++)
        if (strlen(gateway->channels[i].id) == len &&
            strncmp(gateway->channels[i].id, id, len) == 0)
            channel = &gateway->channels[i];
    if (channel == NULL || channel->adapter->receive == NULL) {
        webhook_fail(exchange, 404);
        return;
    }
    request->path = id + len + (id[len] == '/');
    webhook_take(gateway, channel, exchange, NULL, NULL);
}
