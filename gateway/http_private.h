/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the files of the HTTP server share (http.c, http_*.c) and nobody else includes.
 *
 * An exchange belongs to libmicrohttpd's thread from its request line to its end, except between
 * the handler's call and http_answer(), when it belongs to the handler. `turn` hands it over.
 */
#ifndef KANAL_GATEWAY_HTTP_PRIVATE_H
#define KANAL_GATEWAY_HTTP_PRIVATE_H

#include <microhttpd.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/socket.h>

#include "gateway/http.h"

enum {
    HTTP_CLIENT_SIZE = 64,              /* an address as text */
    HTTP_PEER_KEY_SIZE = 17,            /* family, then 4 bytes of IPv4 or 8 of IPv6, zeros */
    HTTP_CONNECTION_MEMORY = 32 * 1024, /* libmicrohttpd's pool: headers both ways */
};

/* --- http_peers.c: how many connections each address holds --- */

struct http_peers;

struct http_peers *http_peers_new(unsigned max);
void http_peers_free(struct http_peers *peers);
/* The key of an address: all zero for a unix socket's peer. */
void http_peer_key(const struct sockaddr *address, unsigned char key[static HTTP_PEER_KEY_SIZE]);
/* The same as text: the whole address (proxies are compared with it) or the client key (/64). */
void http_peer_text(const struct sockaddr *address, bool whole, char text[static HTTP_CLIENT_SIZE]);
bool http_peers_full(struct http_peers *peers, const unsigned char *key);
void http_peers_add(struct http_peers *peers, const unsigned char *key);
void http_peers_remove(struct http_peers *peers, const unsigned char *key);

/* --- http_deadline.c: the open connections, each with one absolute deadline --- */

#define HTTP_NO_DEADLINE INT64_MAX

struct http_connection {
    struct http_connection *next, **link; /* in the registry, under its lock */
    int fd;
    bool cut; /* shut down by the sweeper; under the lock */
    atomic_llong deadline_ms;
    /* The rest is touched by libmicrohttpd's thread only. */
    bool counted, trusted;
    unsigned long requests;
    unsigned char key[HTTP_PEER_KEY_SIZE];
    char client[HTTP_CLIENT_SIZE];
};

struct http_registry;

/* Starts the sweeper: every interval_ms it shuts down what is past its deadline. NULL: no thread.
 */
struct http_registry *http_registry_start(int64_t interval_ms, struct err *err);
void http_registry_stop(struct http_registry *registry);
void http_registry_add(struct http_registry *registry, struct http_connection *connection);
/* After this the descriptor may be closed: the sweeper does not know it any more. */
void http_registry_remove(struct http_registry *registry, struct http_connection *connection);
/* Sets the deadline from now; HTTP_NO_DEADLINE: none. */
void http_connection_deadline(struct http_connection *connection, int64_t from_now_ms);

/* --- http_listen.c --- */

/* A listening socket for "1.2.3.4:80", "[::1]:80" or "unix:/path"; -1 ERR_CONFIG. */
int http_listen(const char *address, struct err *err);
/* Removes the path of a unix address. */
void http_unlisten(const char *address);
/* Leaves the socket open beyond exec(), noted in *kept. */
void http_keep(const char *address, int fd, struct buf *kept);

/* --- http.c --- */

struct http_server {
    struct http_listener listener; /* limits filled in */
    struct MHD_Daemon *daemon;
    struct http_registry *registry;
    struct http_peers *peers;
    int socket; /* ours to close once the daemon has stopped; -1 while it is the daemon's */
    atomic_bool draining;
    /* Exchanges not yet answered; those not yet sent to their end; bytes of bodies. */
    atomic_size_t busy, open, body_bytes;
};

/* --- http_exchange.c --- */

enum http_phase { HTTP_HEADERS, HTTP_BODY, HTTP_HANDLER };
enum http_turn { HTTP_TURN_HANDLER, HTTP_TURN_SUSPENDED, HTTP_TURN_ANSWERED };

struct http_exchange {
    struct http_request request; /* first: its header() finds the exchange */
    struct http_server *server;
    struct http_connection *connection;
    struct MHD_Connection *mhd;
    const struct http_route *route;
    enum http_phase phase;
    bool close;  /* nothing after this request is to be read */
    int refused; /* status to answer once the body is read; 0: the handler's turn */
    struct buf target, path, body;
    uint64_t received;        /* bytes of the body so far, kept or not */
    int64_t body_deadline_ms; /* before what the received bytes add to it */
    char client[HTTP_CLIENT_SIZE];
    char allow[64];
    atomic_int turn;
    /* The answer, made by http_response_build(). */
    unsigned status;
    size_t answer_len;
    struct MHD_Response *response;
};

/* libmicrohttpd's callbacks, in the order they come. */
void *http_exchange_open(void *server, const char *target, struct MHD_Connection *mhd);
enum MHD_Result http_exchange_step(void *server, struct MHD_Connection *mhd, const char *url,
                                   const char *method, const char *version, const char *data,
                                   size_t *len, void **exchange);
void http_exchange_done(void *server, struct MHD_Connection *mhd, void **exchange,
                        enum MHD_RequestTerminationCode how);

/* --- http_request.c --- */

/* Checks the header block and fills the request from it. 0, or the status to refuse it with. */
int http_request_read(struct http_exchange *exchange, const char *version);
/* Splits and decodes the request target into path and query. 0 or a status. */
int http_request_target(struct http_exchange *exchange);

/* --- http_response.c --- */

/* Makes the exchange's answer of *response, with every header we owe; releases *response. */
void http_response_build(struct http_exchange *exchange, struct http_response *response);

#endif
