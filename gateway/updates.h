/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the core reports back: changes of state, asked for by a thread of ours or pushed to POST
 * /core/updates. Each is applied once (by the core's own id of it), in order, in the timeline, with
 * a notice to the reporter in the same transaction.
 */
#ifndef KANAL_GATEWAY_UPDATES_H
#define KANAL_GATEWAY_UPDATES_H

#include "adapters/core.h"
#include "gateway/gateway.h"
#include "gateway/http.h"

struct updates;

int updates_start(struct gateway *gateway, struct updates **out, struct err *err);
/* Cuts off the question under way. Any thread until updates_stop(); NULL is fine. */
void updates_halt(struct updates *updates);
void updates_stop(struct updates *updates);

/* The signed endpoint; context is the gateway. 200 {"applied": n}, 401, 422. */
http_handler updates_receive;

#endif
