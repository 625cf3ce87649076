/* SPDX-License-Identifier: Apache-2.0 */
/* The gateway's HTTP servers: public, staff, admin and the control socket, with their routes. */
#ifndef KANAL_GATEWAY_LISTENERS_H
#define KANAL_GATEWAY_LISTENERS_H

#include "gateway/core_process.h"
#include "gateway/gateway.h"

struct listeners;

/* Binds all of them; core is NULL when it is not embedded. */
int listeners_start(struct gateway *gateway, const struct core_process *core,
                    struct listeners **out, struct err *err);

/* No new connections; what comes on open ones is answered 503. */
void listeners_drain(struct listeners *listeners);

/* Requests not yet answered. */
size_t listeners_busy(const struct listeners *listeners);

/* What waits for the embedded core is answered 503 instead. NULL is fine. */
void listeners_cancel(struct listeners *listeners);

/* Every request must have been answered. kept: NULL, or the listening sockets are handed over
 * (http_server_hand_over()). NULL is fine. */
void listeners_stop(struct listeners *listeners, struct buf *kept);

/* Whether the listeners of a new configuration could start beside the old one's: addresses that
 * differ can be bound, the certificate fits its key. -1 ERR_CONFIG names the option. */
int listeners_check(const struct http_settings *now, const struct http_settings *next,
                    struct err *err);

#endif
