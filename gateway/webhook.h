/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Requests that carry messages: /c/<channel id>/..., and the form's POST /reports. The channel's
 * adapter takes the request apart and renders the answer; the connection waits, suspended, until
 * every message of the request is durable.
 */
#ifndef KANAL_GATEWAY_WEBHOOK_H
#define KANAL_GATEWAY_WEBHOOK_H

#include "gateway/gateway.h"
#include "gateway/http.h"

/* Hands the exchange to channel; answers it later. follow (may be NULL): the report its messages
 * are proven follow-ups of, and how. */
void webhook_take(struct gateway *gateway, struct channel *channel, struct http_exchange *exchange,
                  const char *follow, const char *matched_by);

/* A message of our own making as one request of that channel: raw is taken. Answered by answer. */
typedef void webhook_answer(struct http_exchange *exchange, const struct receipt *receipts,
                            size_t n);
void webhook_submit(struct gateway *gateway, struct channel *channel, struct inbound *msg,
                    struct http_exchange *exchange, const char *follow, const char *matched_by,
                    webhook_answer *answer);

/* The route handler of /c/; the context is the gateway. */
http_handler webhook_route;

#endif
