/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The other side of a mail connection, for tests: a listening socket, one connection at a time,
 * lines in and bytes out, with TLS by a throw-away certificate; and a log of what happened on both
 * sides, in order.
 */
#ifndef KANAL_TESTS_ADAPTERS_MAIL_PEER_H
#define KANAL_TESTS_ADAPTERS_MAIL_PEER_H

#include <arpa/inet.h>
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>
#include <unistd.h>

#include "normalize/buf.h"
#include "normalize/mem.h"

/* --- what happened, in order, separated by '|' --- */

static pthread_mutex_t story_lock = PTHREAD_MUTEX_INITIALIZER;
static struct buf story = BUF_INIT(1 << 20);

__attribute__((format(printf, 1, 2))) static void tell(const char *format, ...)
{
    char line[512];
    va_list args;

    va_start(args, format);
    vsnprintf(line, sizeof line, format, args);
    va_end(args);
    pthread_mutex_lock(&story_lock);
    buf_addf(&story, "%s|", line);
    pthread_mutex_unlock(&story_lock);
}

static inline void story_clear(void)
{
    pthread_mutex_lock(&story_lock);
    buf_clear(&story);
    pthread_mutex_unlock(&story_lock);
}

static inline size_t story_count(const char *what)
{
    size_t n = 0;

    pthread_mutex_lock(&story_lock);
    for (const char *at = strstr(story.data, what); at != NULL; at = strstr(at + 1, what))
        n++;
    pthread_mutex_unlock(&story_lock);
    return n;
}

/* Fails unless the steps (NULL-terminated) happened in that order, others between them allowed. */
static inline void story_expect(const char *const *steps)
{
    pthread_mutex_lock(&story_lock);
    const char *at = story.data;
    for (; *steps != NULL; steps++) {
        const char *found = strstr(at, *steps);

        if (found == NULL) {
            pthread_mutex_unlock(&story_lock);
            fail_msg("'%s' is missing behind '%.60s' in\n%s", *steps, at, story.data);
        }
        at = found + strlen(*steps);
    }
    pthread_mutex_unlock(&story_lock);
}

#define STORY(...) story_expect((const char *const[]){__VA_ARGS__, NULL})

/* --- a certificate for 127.0.0.1-less names, made once --- */

enum { PEER_PEM_MAX = 8192 };

struct peer_tls {
    char certificate[PEER_PEM_MAX], key[PEER_PEM_MAX];
    char ca_path[64]; /* the certificate signs itself: it is its own CA */
};

static inline void peer_tls_init(struct peer_tls *tls, const char *name)
{
    gnutls_x509_privkey_t key;
    gnutls_x509_crt_t crt;
    size_t size = PEER_PEM_MAX;
    int fd;

    gnutls_x509_privkey_init(&key);
    gnutls_x509_privkey_generate(key, GNUTLS_PK_ECDSA,
                                 GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP256R1), 0);
    gnutls_x509_crt_init(&crt);
    gnutls_x509_crt_set_version(crt, 3);
    gnutls_x509_crt_set_serial(crt, "\001", 1);
    gnutls_x509_crt_set_dn(crt, "CN=test", NULL);
    gnutls_x509_crt_set_subject_alt_name(crt, GNUTLS_SAN_DNSNAME, name, (unsigned)strlen(name), 0);
    gnutls_x509_crt_set_basic_constraints(crt, 1, 0);
    gnutls_x509_crt_set_key(crt, key);
    gnutls_x509_crt_set_activation_time(crt, time(NULL) - 3600);
    gnutls_x509_crt_set_expiration_time(crt, time(NULL) + 3600);
    assert_int_equal(gnutls_x509_crt_sign2(crt, crt, key, GNUTLS_DIG_SHA256, 0), 0);
    assert_int_equal(gnutls_x509_crt_export(crt, GNUTLS_X509_FMT_PEM, tls->certificate, &size), 0);
    snprintf(tls->ca_path, sizeof tls->ca_path, "/tmp/kanal-test-ca-XXXXXX");
    fd = mkstemp(tls->ca_path);
    assert_int_equal(write(fd, tls->certificate, size), (ssize_t)size);
    close(fd);
    size = PEER_PEM_MAX;
    assert_int_equal(gnutls_x509_privkey_export(key, GNUTLS_X509_FMT_PEM, tls->key, &size), 0);
    gnutls_x509_crt_deinit(crt);
    gnutls_x509_privkey_deinit(key);
}

static inline void peer_tls_release(const struct peer_tls *tls)
{
    unlink(tls->ca_path);
}

/* --- one connection --- */

struct peer {
    int fd;
    gnutls_session_t tls;
    gnutls_certificate_credentials_t credentials;
    char in[16384];
    size_t len;
    atomic_bool *stop;
};

static inline void peer_write(struct peer *peer, const void *data, size_t len)
{
    const char *at = data;

    while (len > 0) {
        ssize_t sent = peer->tls != NULL ? gnutls_record_send(peer->tls, at, len)
                                         : send(peer->fd, at, len, MSG_NOSIGNAL);

        if (sent <= 0)
            return;
        at += sent;
        len -= (size_t)sent;
    }
}

__attribute__((format(printf, 2, 3))) static void peer_say(struct peer *peer, const char *format,
                                                           ...)
{
    char line[4096];
    va_list args;
    int len;

    va_start(args, format);
    len = vsnprintf(line, sizeof line - 2, format, args);
    va_end(args);
    memcpy(line + len, "\r\n", 2);
    peer_write(peer, line, (size_t)len + 2);
}

/* Waits for input at most wait_ms: true there is some (or the end). */
static inline bool peer_has_input(struct peer *peer, int wait_ms)
{
    struct pollfd poll_fd = {.fd = peer->fd, .events = POLLIN};

    return (peer->tls != NULL && gnutls_record_check_pending(peer->tls) > 0) ||
           poll(&poll_fd, 1, wait_ms) > 0;
}

/* The next line without its end; false: the connection ended or the test stops. */
static inline bool peer_line(struct peer *peer, char *line, size_t size)
{
    for (;;) {
        char *end = memchr(peer->in, '\n', peer->len);
        ssize_t got;

        if (end != NULL) {
            size_t len = (size_t)(end - peer->in);
            size_t copy = len > 0 && peer->in[len - 1] == '\r' ? len - 1 : len;

            assert_true(copy < size);
            memcpy(line, peer->in, copy);
            line[copy] = '\0';
            peer->len -= len + 1;
            memmove(peer->in, end + 1, peer->len);
            return true;
        }
        while (!peer_has_input(peer, 20)) {
            if (atomic_load(peer->stop))
                return false;
        }
        got = peer->tls != NULL
                  ? gnutls_record_recv(peer->tls, peer->in + peer->len, sizeof peer->in - peer->len)
                  : recv(peer->fd, peer->in + peer->len, sizeof peer->in - peer->len, 0);
        if (got <= 0)
            return false;
        peer->len += (size_t)got;
    }
}

static inline bool peer_start_tls(struct peer *peer, const struct peer_tls *tls)
{
    gnutls_datum_t certificate = {(void *)(uintptr_t)tls->certificate,
                                  (unsigned)strlen(tls->certificate)};
    gnutls_datum_t key = {(void *)(uintptr_t)tls->key, (unsigned)strlen(tls->key)};
    gnutls_datum_t ticket_key = {.data = NULL};
    char name[256];
    size_t size = sizeof name;
    unsigned type;
    int code;

    gnutls_certificate_allocate_credentials(&peer->credentials);
    gnutls_certificate_set_x509_key_mem(peer->credentials, &certificate, &key, GNUTLS_X509_FMT_PEM);
    gnutls_init(&peer->tls, GNUTLS_SERVER);
    gnutls_set_default_priority(peer->tls);
    gnutls_credentials_set(peer->tls, GNUTLS_CRD_CERTIFICATE, peer->credentials);
    /* As most servers do: with TLS 1.3 something comes behind the handshake. */
    gnutls_session_ticket_key_generate(&ticket_key);
    gnutls_session_ticket_enable_server(peer->tls, &ticket_key);
    gnutls_free(ticket_key.data);
    gnutls_transport_set_int(peer->tls, peer->fd);
    gnutls_handshake_set_timeout(peer->tls, 5000);
    do
        code = gnutls_handshake(peer->tls);
    while (code < 0 && !gnutls_error_is_fatal(code));
    if (code == 0 && gnutls_server_name_get(peer->tls, name, &size, &type, 0) == 0)
        tell("sni %s", name);
    return code == 0;
}

static inline void peer_close(struct peer *peer)
{
    if (peer->tls != NULL)
        gnutls_deinit(peer->tls);
    if (peer->credentials != NULL)
        gnutls_certificate_free_credentials(peer->credentials);
    close(peer->fd);
}

/* --- the listener --- */

struct peer_listener {
    int fd, port;
    pthread_t thread;
    atomic_bool stop;
    void (*serve)(struct peer *peer, void *context); /* one connection, from greeting to end */
    void *context;
    const struct peer_tls *tls; /* not NULL: from the first byte */
};

static inline void *peer_run(void *context)
{
    struct peer_listener *listener = context;

    while (!atomic_load(&listener->stop)) {
        struct pollfd poll_fd = {.fd = listener->fd, .events = POLLIN};
        struct peer peer = {.stop = &listener->stop};

        if (poll(&poll_fd, 1, 20) <= 0)
            continue;
        peer.fd = accept(listener->fd, NULL, NULL);
        if (peer.fd < 0)
            continue;
        if (listener->tls == NULL || peer_start_tls(&peer, listener->tls))
            listener->serve(&peer, listener->context);
        peer_close(&peer);
    }
    return NULL;
}

static inline void peer_listen(struct peer_listener *listener)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;

    listener->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(listener->fd, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(listener->fd, 8), 0);
    assert_int_equal(getsockname(listener->fd, (struct sockaddr *)&address, &size), 0);
    listener->port = ntohs(address.sin_port);
    atomic_store(&listener->stop, false);
    assert_int_equal(pthread_create(&listener->thread, NULL, peer_run, listener), 0);
}

static inline void peer_unlisten(struct peer_listener *listener)
{
    atomic_store(&listener->stop, true);
    pthread_join(listener->thread, NULL);
    close(listener->fd);
}

#endif
