/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The way from the staff listener to the embedded core's officers' pages: every GET and POST is
 * forwarded to the core's unix socket and its answer relayed. Only the headers the pages need pass,
 * either way. Forwarding is done by threads of its own, never by the server's. Requests to the
 * contract itself are refused: those who may sign them know the socket.
 */
#ifndef KANAL_GATEWAY_PROXY_H
#define KANAL_GATEWAY_PROXY_H

#include "gateway/http.h"
#include "normalize/err.h"

struct proxy;

/* Copies socket_path. */
int proxy_start(const char *socket_path, struct proxy **out, struct err *err);

/* Routes for a listener whose context is the proxy. */
extern const struct http_route proxy_routes[];

/* What waits is answered 503, and what is under way within about a second. NULL is fine. */
void proxy_cancel(struct proxy *proxy);

/* Cancels and frees. Stop the listener first: it may still hand over requests. NULL is fine. */
void proxy_stop(struct proxy *proxy);

#endif
