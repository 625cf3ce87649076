/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Listeners on libmicrohttpd 0.9.75: one epoll set per pool thread, our own listening sockets, our
 * own deadlines (http_deadline.c) and our own per-address counts (http_peers.c), since the
 * library's count IPv6 by single addresses and cannot spare a trusted proxy.
 */
#include "gateway/http_private.h"

#include <unistd.h>

#include "normalize/mem.h"

enum {
    SWEEP_MS = 250,
    /* Backstop behind our deadlines: an answer nobody reads at all. */
    INACTIVITY_S = 75,
    /* At a stop, for answers to reach whoever reads them. */
    LINGER_MS = 500,
};

/* TLS 1.2 and 1.3, ECDHE, AEAD; no compression, no renegotiation by the client. */
static const char tls_priorities[] =
    "NONE:+VERS-TLS1.3:+VERS-TLS1.2:+ECDHE-ECDSA:+ECDHE-RSA:+AES-256-GCM:+CHACHA20-POLY1305:"
    "+AES-128-GCM:+AEAD:+GROUP-X25519:+GROUP-SECP256R1:+GROUP-SECP384R1:+SIGN-ALL:-SIGN-RSA-SHA1:"
    "-SIGN-ECDSA-SHA1:+COMP-NULL:%SERVER_PRECEDENCE:%SAFE_RENEGOTIATION";

static bool is_trusted(const struct http_server *server, const struct sockaddr *address)
{
    char text[HTTP_CLIENT_SIZE];

    if (server->listener.trusted_proxy == NULL)
        return false;
    http_peer_text(address, true, text);
    return strcmp(text, server->listener.trusted_proxy) == 0;
}

/* Whether to accept at all. */
static enum MHD_Result policy(void *context, const struct sockaddr *address, socklen_t len)
{
    const struct http_server *server = context;
    unsigned char key[HTTP_PEER_KEY_SIZE];

    http_peer_key(len > sizeof(sa_family_t) ? address : NULL, key);
    return key[0] == 0 || is_trusted(server, address) || !http_peers_full(server->peers, key)
               ? MHD_YES
               : MHD_NO;
}

static struct http_connection *connection_open(struct http_server *server,
                                               struct MHD_Connection *mhd)
{
    struct http_connection *connection = mem_calloc(1, sizeof(*connection));
    const struct sockaddr *address =
        MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CLIENT_ADDRESS)->client_addr;

    connection->fd = MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd;
    connection->trusted = is_trusted(server, address);
    http_peer_key(address, connection->key);
    http_peer_text(address, false, connection->client);
    connection->counted = connection->key[0] != 0 && !connection->trusted;
    if (connection->counted)
        http_peers_add(server->peers, connection->key);
    http_connection_deadline(connection, server->listener.header_ms);
    http_registry_add(server->registry, connection);
    return connection;
}

static void connection_close(struct http_server *server, struct http_connection *connection)
{
    http_registry_remove(server->registry, connection);
    if (connection->counted)
        http_peers_remove(server->peers, connection->key);
    free(connection);
}

/* libmicrohttpd closes the descriptor only after the call that says CLOSED. */
static void on_connection(void *context, struct MHD_Connection *mhd, void **slot,
                          enum MHD_ConnectionNotificationCode what)
{
    struct http_server *server = context;

    if (what == MHD_CONNECTION_NOTIFY_STARTED) {
        *slot = connection_open(server, mhd);
    } else if (*slot != NULL) {
        connection_close(server, *slot);
        *slot = NULL;
    }
}

/* Paths are decoded by http_request.c, once and strictly; the library must leave them alone. */
static size_t no_unescape(void *context, struct MHD_Connection *mhd, char *text)
{
    (void)context;
    (void)mhd;
    return strlen(text);
}

static void fill_defaults(struct http_listener *listener)
{
    if (listener->connections_max == 0)
        listener->connections_max = HTTP_CONNECTIONS_MAX;
    if (listener->header_ms == 0)
        listener->header_ms = HTTP_HEADER_MS;
    if (listener->idle_ms == 0)
        listener->idle_ms = HTTP_IDLE_MS;
    if (listener->body_ms == 0)
        listener->body_ms = HTTP_BODY_MS;
    if (listener->body_rate == 0)
        listener->body_rate = HTTP_BODY_RATE;
    if (listener->body_budget == 0)
        listener->body_budget = HTTP_BODY_BUDGET;
}

/* MHD_OptionItem has no room for const; the library does not write there. */
static void *unqualified(const char *text)
{
    void *pointer;

    memcpy(&pointer, &text, sizeof(pointer));
    return pointer;
}

static struct MHD_Daemon *start_daemon(struct http_server *server, int listening)
{
    const struct http_listener *listener = &server->listener;
    struct MHD_OptionItem tls[] = {
        {MHD_OPTION_HTTPS_MEM_KEY, 0, unqualified(listener->tls_key)},
        {MHD_OPTION_HTTPS_MEM_CERT, 0, unqualified(listener->tls_certificate)},
        {MHD_OPTION_HTTPS_PRIORITIES, 0, unqualified(tls_priorities)},
        {MHD_OPTION_END, 0, NULL},
    };
    unsigned flags = MHD_USE_EPOLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ITC;

    return MHD_start_daemon(
        listener->tls_key == NULL ? flags : flags | MHD_USE_TLS, 0, policy, server,
        http_exchange_step, server, MHD_OPTION_ARRAY, listener->tls_key == NULL ? &tls[3] : tls,
        MHD_OPTION_LISTEN_SOCKET, listening, MHD_OPTION_THREAD_POOL_SIZE,
        listener->threads > 1 ? listener->threads : 0U, MHD_OPTION_CONNECTION_LIMIT,
        listener->connections_max, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
        (size_t)HTTP_CONNECTION_MEMORY, MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)INACTIVITY_S,
        MHD_OPTION_STRICT_FOR_CLIENT, 1, MHD_OPTION_UNESCAPE_CALLBACK, no_unescape, NULL,
        MHD_OPTION_URI_LOG_CALLBACK, http_exchange_open, server, MHD_OPTION_NOTIFY_COMPLETED,
        http_exchange_done, server, MHD_OPTION_NOTIFY_CONNECTION, on_connection, server,
        MHD_OPTION_END);
}

static int64_t smallest(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static void server_free(struct http_server *server)
{
    if (server->registry != NULL)
        http_registry_stop(server->registry);
    http_peers_free(server->peers);
    free(server);
}

int http_server_start(const struct http_listener *listener, struct http_server **out,
                      struct err *err)
{
    struct http_server *server;
    int64_t shortest;
    int listening = http_listen(listener->address, err);

    if (listening < 0)
        return -1;
    server = mem_calloc(1, sizeof(*server));
    server->listener = *listener;
    server->socket = -1;
    fill_defaults(&server->listener);
    shortest = smallest(server->listener.header_ms,
                        smallest(server->listener.idle_ms, server->listener.body_ms));
    server->peers = http_peers_new(server->listener.per_address_max);
    server->registry = http_registry_start(smallest(SWEEP_MS, shortest / 4 + 1), err);
    if (server->registry != NULL)
        server->daemon = start_daemon(server, listening);
    if (server->daemon == NULL) {
        close(listening);
        http_unlisten(listener->address);
        server_free(server);
        return err_set(err, ERR_CONFIG, "cannot serve on '%s': is the certificate or its key wrong",
                       listener->address);
    }
    *out = server;
    return 0;
}

unsigned http_server_port(const struct http_server *server)
{
    const union MHD_DaemonInfo *info =
        MHD_get_daemon_info(server->daemon, MHD_DAEMON_INFO_BIND_PORT);

    return info == NULL ? 0 : info->port;
}

void http_server_drain(struct http_server *server)
{
    if (atomic_exchange(&server->draining, true))
        return;
    server->socket = MHD_quiesce_daemon(server->daemon);
}

size_t http_server_busy(const struct http_server *server)
{
    return atomic_load(&server->busy);
}

/* The daemon's end; the listening socket is ours. */
static void server_end(struct http_server *server)
{
    const struct timespec moment = {.tv_nsec = 1000000};

    http_server_drain(server);
    /* http_answer() may still be about to wake its connection. */
    while (http_server_busy(server) > 0)
        nanosleep(&moment, NULL);
    for (int ms = 0; ms < LINGER_MS && atomic_load(&server->open) > 0; ms++)
        nanosleep(&moment, NULL);
    MHD_stop_daemon(server->daemon);
}

void http_server_stop(struct http_server *server)
{
    if (server == NULL)
        return;
    server_end(server);
    if (server->socket >= 0)
        close(server->socket);
    http_unlisten(server->listener.address);
    server_free(server);
}

void http_server_hand_over(struct http_server *server, struct buf *kept)
{
    server_end(server);
    if (server->socket >= 0)
        http_keep(server->listener.address, server->socket, kept);
    server_free(server);
}
