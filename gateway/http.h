/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The HTTP server: listeners on libmicrohttpd (epoll, a small thread pool), routes from one table.
 * It owns limits, deadlines, security headers and the rendering of responses; handlers own meaning.
 *
 *  - A handler either answers at once (http_answer) or keeps the exchange and answers later from
 * any thread: the connection is suspended meanwhile, no pool thread waits.
 *  - Header block: 8 KiB, 10 s from accept or from its request line; an idle connection 15 s. Body:
 * the route's limit, 60 s and 500 bytes/s; one budget for all bodies in memory, beyond it 503.
 * Answers likewise. All of these are absolute: a trickle does not extend them.
 *  - Content-Length with Transfer-Encoding, repeated framing headers, obsolete folding, bare CR or
 * LF, bad chunking: 400 and close. After a chunked request the connection always closes.
 *  - X-Forwarded-For and X-Forwarded-Proto only from the configured proxy's address.
 */
#ifndef KANAL_GATEWAY_HTTP_H
#define KANAL_GATEWAY_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "adapters/http_message.h"
#include "config/option.h"
#include "normalize/buf.h"
#include "normalize/err.h"

struct http_server;
struct http_exchange;

/* Handles one complete request. It must call http_answer() exactly once, now or later. */
typedef void http_handler(void *context, struct http_exchange *exchange);

/* A route; the first whose method and path fit wins. path ending in "*": any continuation. */
struct http_route {
    const char *method; /* NULL ends a table */
    const char *path;
    http_handler *handler;
    size_t body_max; /* 0: no body allowed */
};

enum http_limits {
    HTTP_HEADER_BYTES_MAX = 8 * 1024,
    HTTP_HEADER_MS = 10 * 1000,
    HTTP_IDLE_MS = 15 * 1000,
    HTTP_BODY_MS = 60 * 1000,
    HTTP_BODY_RATE = 500, /* Postfix's smtpd_min_data_rate */
    HTTP_BODY_BUDGET = 256 * 1024 * 1024,
    HTTP_DRAIN_MAX = 64 * 1024 * 1024, /* of a refused body, so that the sender reads the answer */
    HTTP_CONNECTIONS_MAX = 10 * 1000,
    HTTP_RETRY_AFTER_S = 5,
};

struct http_listener {
    const char *name;    /* "public", "staff", "admin", "core" */
    const char *address; /* "127.0.0.1:8080", "[::1]:8080", or "unix:/path" (mode 0600) */
    const struct http_route *routes;
    void *context;            /* for handlers */
    unsigned threads;         /* 0: 1 */
    unsigned connections_max; /* 0: HTTP_CONNECTIONS_MAX */
    unsigned per_address_max; /* /64 for IPv6; not for the trusted proxy; 0: no limit */
    const char *tls_certificate, *tls_key; /* PEM contents; NULL: plain HTTP */
    /* Address whose X-Forwarded-* is believed; NULL none. A unix socket's peers are "unix". */
    const char *trusted_proxy;
    /* Limits in time, bytes and bytes/s; 0: the default of enum http_limits. */
    int64_t header_ms, idle_ms, body_ms, body_rate;
    size_t body_budget;
    /* Renders a view: appends HTML; set by whoever owns the templates. NULL: JSON only. */
    int (*render)(void *context, const struct http_request *request,
                  const struct http_response *response, struct buf *html);
};

/* Whether text has the form of http_listener.address. */
bool http_address_fits(const char *text);

/* Binds and serves. -1 ERR_CONFIG: the address is bad or taken (named). Copies *listener; what it
 * points to must outlive the server. */
int http_server_start(const struct http_listener *listener, struct http_server **out,
                      struct err *err);

/* The port bound (for "127.0.0.1:0"); 0 for unix sockets. */
unsigned http_server_port(const struct http_server *server);

/* Stops accepting; answers 503 to what comes on open connections. */
void http_server_drain(struct http_server *server);

/* Exchanges not yet answered. */
size_t http_server_busy(const struct http_server *server);

/* Closes everything and frees; every exchange must have been answered. NULL is fine. */
void http_server_stop(struct http_server *server);

/* The same, but the listening socket stays open, and *kept gets what http_inherit() of the program
 * this process becomes is to read: whoever connects meanwhile waits. */
void http_server_hand_over(struct http_server *server, struct buf *kept);

/* Takes over the listening sockets of a predecessor: the next http_server_start() for one of their
 * addresses serves on that socket. kept is borrowed until http_inherit(NULL), which closes those
 * nobody asked for. Before and after threads that start servers, not beside them. */
void http_inherit(const char *kept);

/* Whether a server could bind to the address now; -1 ERR_CONFIG as http_server_start(). */
int http_address_free(const char *address, struct err *err);

/* The request; valid until http_answer(). */
struct http_request *http_exchange_request(struct http_exchange *exchange);

/* A key for rate limits: the client's address as text (/64 for IPv6, "unix" for a local peer);
 * never logged or stored. */
const char *http_exchange_client(const struct http_exchange *exchange);

/* Answers; takes *response (released by the server). */
void http_answer(struct http_exchange *exchange, struct http_response *response);

/* --- Building responses --- */
void http_response_init(struct http_response *response, int status);
void http_response_release(struct http_response *response);
/* Copies value; refuses CR, LF and NUL in it (the header is left out). name is static. */
void http_response_header(struct http_response *response, const char *name, const char *value);
/* A body of our own; copies. content_type is static. */
void http_response_text(struct http_response *response, const char *content_type, const char *text,
                        size_t len);
/* A view and its model (taken). view NULL: JSON, whoever asks. */
void http_response_view(struct http_response *response, const char *view, json_t *model);
/* Our own words for a status, in the client's language: JSON {"errors": [...]}, or the view "error"
 * (model: status, message). */
void http_response_error(struct http_response *response, const struct http_request *request,
                         int status);

/* --- Reading requests --- */
/* The urlencoded field's decoded value into *out; 1 found, 0 absent, -1 malformed. For small forms
 * of our own pages only (tracking, officers): citizens' forms are parsed in the worker. */
int http_form_field(const char *body, size_t len, const char *name, struct buf *out);
/* Appends the decoded form of len percent-encoded bytes (plus: '+' is a space). -1: a broken escape
 * or an encoded NUL. */
int http_decode(const char *text, size_t len, bool plus, struct buf *out);
/* A cookie's value into *out; 1 or 0. */
int http_cookie(const struct http_request *request, const char *name, struct buf *out);

#endif
