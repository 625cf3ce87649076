/* SPDX-License-Identifier: Apache-2.0 */
/* Sources: libetpan 1.9.4 mailstream_types.h, GnuTLS 3.7 manual, RFC 3501 6.2.1 (nothing is taken
 * over from before STARTTLS). */
#include "adapters/email_stream.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "normalize/mem.h"

enum {
    STREAM_BUFFER = 8192,  /* libetpan moves the rest of it for every line read */
    STREAM_SLICE_MS = 200, /* how soon a stop is noticed */
};

static const char stream_priorities[] = "NORMAL:-VERS-TLS1.0:-VERS-TLS1.1";

struct email_stream {
    const struct email_peer *peer;
    const struct channel *ch;
    int fd;
    gnutls_session_t tls; /* NULL: plain */
    gnutls_certificate_credentials_t trust;
    int64_t deadline_ms;
    size_t bytes_left;
    bool secured; /* the handshake is done */
    enum email_stream_end end;
    const char *failure; /* static; NULL while it works */
};

/* What libetpan needs to close and read us; all else is NULL: it is never called. */
static ssize_t stream_read(mailstream_low *low, void *data, size_t size);
static ssize_t stream_write(mailstream_low *low, const void *data, size_t size);
static int stream_close(mailstream_low *low);
static int stream_fd(mailstream_low *low);
static void stream_free(mailstream_low *low);

static mailstream_low_driver stream_driver = {
    .mailstream_read = stream_read,
    .mailstream_write = stream_write,
    .mailstream_close = stream_close,
    .mailstream_get_fd = stream_fd,
    .mailstream_free = stream_free,
};

static struct email_stream *stream_of(const mailstream *stream)
{
    return stream->low->data;
}

static int stream_fail(struct email_stream *st, enum email_stream_end end, const char *failure)
{
    if (st->failure == NULL) {
        st->failure = failure;
        st->end = end;
    }
    return -1;
}

/* Waits until fd is ready for events: 0, or -1 with the failure noted. */
static int stream_wait_ready(struct email_stream *st, int fd, short events, int64_t silence_ms)
{
    int64_t start_ms = channel_now_ms(st->ch);
    int64_t stop_ms = INT64_MAX;
    for (;;) {
        struct pollfd poll_fd = {.fd = fd, .events = events};
        int64_t now_ms = channel_now_ms(st->ch);
        if (now_ms >= st->deadline_ms)
            return stream_fail(st, EMAIL_STREAM_CUT, "out of time");
        if (now_ms - start_ms >= silence_ms)
            return stream_fail(st, EMAIL_STREAM_LOST, "timed out");
        if (stop_ms == INT64_MAX && channel_stopping(st->ch))
            stop_ms = now_ms + EMAIL_STREAM_GRACE_MS;
        if (now_ms >= stop_ms)
            return stream_fail(st, EMAIL_STREAM_CUT, "stopping");
        int ready = poll(&poll_fd, 1, STREAM_SLICE_MS);
        if (ready > 0)
            return 0;
        if (ready < 0 && errno != EINTR)
            return stream_fail(st, EMAIL_STREAM_LOST, "broken");
    }
}

/* Sorts the result of a GnuTLS call: 0 try again once ready, -1 over. */
static int stream_tls_again(struct email_stream *st, ssize_t code)
{
    if (code == GNUTLS_E_INTERRUPTED || code == GNUTLS_E_WARNING_ALERT_RECEIVED)
        return 0;
    if (code == GNUTLS_E_AGAIN)
        return stream_wait_ready(st, st->fd,
                                 gnutls_record_get_direction(st->tls) ? POLLOUT : POLLIN,
                                 EMAIL_STREAM_SILENCE_MS);
    if (code == GNUTLS_E_PREMATURE_TERMINATION)
        return stream_fail(st, EMAIL_STREAM_LOST, "closed by the server");
    return stream_fail(st, EMAIL_STREAM_LOST, "broken TLS");
}

static ssize_t stream_read_some(struct email_stream *st, void *data, size_t size)
{
    ssize_t got;
    do {
        if (st->tls != NULL) {
            got = gnutls_record_recv(st->tls, data, size);
            if (got < 0 && stream_tls_again(st, got) != 0)
                return -1;
        } else {
            got = recv(st->fd, data, size, 0);
            if (got < 0 && errno == EAGAIN &&
                stream_wait_ready(st, st->fd, POLLIN, EMAIL_STREAM_SILENCE_MS) != 0)
                return -1;
            if (got < 0 && errno != EAGAIN && errno != EINTR)
                return stream_fail(st, EMAIL_STREAM_LOST, "broken");
        }
    } while (got < 0);
    return got;
}

static ssize_t stream_read(mailstream_low *low, void *data, size_t size)
{
    struct email_stream *st = low->data;
    if (st->failure != NULL)
        return -1;
    ssize_t got = stream_read_some(st, data, size);
    if (got < 0)
        return -1;
    /* libetpan takes 0 for "no data yet" and would ask for ever. */
    if (got == 0)
        return stream_fail(st, EMAIL_STREAM_LOST, "closed by the server");
    if ((size_t)got > st->bytes_left)
        return stream_fail(st, EMAIL_STREAM_FLOODED, "too talkative");
    st->bytes_left -= (size_t)got;
    return got;
}

static ssize_t stream_write(mailstream_low *low, const void *data, size_t size)
{
    struct email_stream *st = low->data;
    ssize_t sent;
    if (st->failure != NULL)
        return -1;
    do {
        if (st->tls != NULL) {
            sent = gnutls_record_send(st->tls, data, size);
            if (sent < 0 && stream_tls_again(st, sent) != 0)
                return -1;
        } else {
            sent = send(st->fd, data, size, MSG_NOSIGNAL);
            if (sent < 0 && errno == EAGAIN &&
                stream_wait_ready(st, st->fd, POLLOUT, EMAIL_STREAM_SILENCE_MS) != 0)
                return -1;
            if (sent < 0 && errno != EAGAIN && errno != EINTR)
                return stream_fail(st, EMAIL_STREAM_LOST, "broken");
        }
    } while (sent < 0);
    return sent;
}

static int stream_close(mailstream_low *low)
{
    struct email_stream *st = low->data;
    if (st->tls != NULL) {
        if (st->secured && st->failure == NULL)
            gnutls_bye(st->tls, GNUTLS_SHUT_WR);
        gnutls_deinit(st->tls);
    }
    if (st->trust != NULL)
        gnutls_certificate_free_credentials(st->trust);
    if (st->fd >= 0)
        close(st->fd);
    st->tls = NULL;
    st->trust = NULL;
    st->fd = -1;
    return 0;
}

static int stream_fd(mailstream_low *low)
{
    const struct email_stream *st = low->data;
    return st->fd;
}

static void stream_free(mailstream_low *low)
{
    free(low->data);
    free(low);
}

static bool stream_is_loopback(const struct sockaddr *address)
{
    if (address->sa_family == AF_INET) {
        const struct sockaddr_in *in = (const void *)address;
        return ntohl(in->sin_addr.s_addr) >> 24 == 127;
    }
    if (address->sa_family == AF_INET6) {
        const struct sockaddr_in6 *in6 = (const void *)address;
        return IN6_IS_ADDR_LOOPBACK(&in6->sin6_addr);
    }
    return false;
}

/* One address of the host: an own socket, so that a refused one leaves nothing behind. */
static int stream_connect_to(struct email_stream *st, const struct addrinfo *address)
{
    static const int on = 1;
    int failure = 0;
    socklen_t size = sizeof failure;
    int fd = socket(address->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return stream_fail(st, EMAIL_STREAM_LOST, "no socket");
    /* A peer that is gone without a word is found even while nothing is asked (IDLE). */
    setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (connect(fd, address->ai_addr, address->ai_addrlen) != 0 &&
        (errno != EINPROGRESS || stream_wait_ready(st, fd, POLLOUT, EMAIL_STREAM_CONNECT_MS) != 0 ||
         getsockopt(fd, SOL_SOCKET, SO_ERROR, &failure, &size) != 0 || failure != 0)) {
        close(fd);
        return stream_fail(st, EMAIL_STREAM_LOST, "refused");
    }
    st->fd = fd;
    return 0;
}

static int stream_connect_any(struct email_stream *st, struct err *err)
{
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_ADDRCONFIG};
    struct addrinfo *addresses = NULL;
    char port[8];
    snprintf(port, sizeof port, "%d", st->peer->port);
    int code = getaddrinfo(st->peer->host, port, &hints, &addresses);
    if (code != 0)
        return err_set(err, ERR_TRANSIENT, "cannot find '%s': %s", st->peer->host,
                       gai_strerror(code));
    for (const struct addrinfo *one = addresses; one != NULL && st->fd < 0; one = one->ai_next) {
        if (st->peer->loopback_only && !stream_is_loopback(one->ai_addr)) {
            err_set(err, ERR_CONFIG, "cannot use '%s' without TLS: it is not this machine",
                    st->peer->host);
            break;
        }
        if (st->end == EMAIL_STREAM_CUT)
            break;
        st->failure = NULL;
        stream_connect_to(st, one);
    }
    freeaddrinfo(addresses);
    if (st->fd >= 0)
        return 0;
    return err_set(err, ERR_TRANSIENT, "cannot connect to '%s' port %d: %s", st->peer->host,
                   st->peer->port, st->failure != NULL ? st->failure : "no address");
}

/* GnuTLS checks the chain and the name inside the handshake. */
static int stream_tls_prepare(struct email_stream *st, struct err *err)
{
    const struct email_peer *peer = st->peer;
    unsigned char binary[sizeof(struct in6_addr)];
    if (gnutls_certificate_allocate_credentials(&st->trust) < 0 ||
        gnutls_init(&st->tls, GNUTLS_CLIENT | GNUTLS_NONBLOCK | GNUTLS_NO_SIGNAL) < 0)
        abort();
    int loaded =
        peer->ca_file != NULL
            ? gnutls_certificate_set_x509_trust_file(st->trust, peer->ca_file, GNUTLS_X509_FMT_PEM)
            : gnutls_certificate_set_x509_system_trust(st->trust);
    if (loaded <= 0)
        return err_set(err, ERR_CONFIG, "cannot read trusted certificates from %s: %s",
                       peer->ca_file != NULL ? "ca_file" : "the system",
                       loaded < 0 ? gnutls_strerror(loaded) : "there are none");
    gnutls_priority_set_direct(st->tls, stream_priorities, NULL);
    gnutls_credentials_set(st->tls, GNUTLS_CRD_CERTIFICATE, st->trust);
    if (inet_pton(AF_INET, peer->host, binary) != 1 && inet_pton(AF_INET6, peer->host, binary) != 1)
        gnutls_server_name_set(st->tls, GNUTLS_NAME_DNS, peer->host, strlen(peer->host));
    gnutls_session_set_verify_cert(st->tls, peer->host, 0);
    gnutls_transport_set_int(st->tls, st->fd);
    return 0;
}

static int stream_refuse_certificate(const struct email_stream *st, struct err *err)
{
    unsigned status = gnutls_session_get_verify_cert_status(st->tls);
    gnutls_datum_t text = {.data = NULL};
    if (gnutls_certificate_verification_status_print(status, GNUTLS_CRT_X509, &text, 0) < 0)
        return err_set(err, ERR_TRANSIENT, "cannot trust the certificate of '%s'", st->peer->host);
    err_set(err, ERR_TRANSIENT, "cannot trust the certificate of '%s': %s", st->peer->host,
            (const char *)text.data);
    gnutls_free(text.data);
    return -1;
}

static int stream_tls_start(struct email_stream *st, struct err *err)
{
    int code;
    if (stream_tls_prepare(st, err) != 0)
        return -1;
    do {
        code = gnutls_handshake(st->tls);
        if (code == GNUTLS_E_CERTIFICATE_VERIFICATION_ERROR) {
            stream_fail(st, EMAIL_STREAM_LOST, "certificate refused");
            return stream_refuse_certificate(st, err);
        }
        if (code < 0 && stream_tls_again(st, code) != 0)
            return err_set(err, ERR_TRANSIENT, "cannot start TLS with '%s': %s", st->peer->host,
                           st->end == EMAIL_STREAM_CUT ? st->failure : gnutls_strerror(code));
    } while (code < 0);
    st->secured = true;
    return 0;
}

mailstream *email_stream_open(const struct email_peer *peer, bool tls, const struct channel *ch,
                              int64_t deadline_ms, struct err *err)
{
    struct email_stream *st = mem_calloc(1, sizeof *st);
    mailstream_low *low = mailstream_low_new(st, &stream_driver);
    mailstream *stream = low != NULL ? mailstream_new(low, STREAM_BUFFER) : NULL;
    if (stream == NULL)
        abort();
    st->peer = peer;
    st->ch = ch;
    st->fd = -1;
    email_stream_limit(stream, deadline_ms, SIZE_MAX);
    if (stream_connect_any(st, err) != 0 || (tls && stream_tls_start(st, err) != 0)) {
        mailstream_close(stream);
        return NULL;
    }
    return stream;
}

int email_stream_start_tls(mailstream *stream, struct err *err)
{
    if (stream->read_buffer_len > 0)
        return err_set(err, ERR_TRANSIENT, "cannot start TLS with '%s': it sent more than asked",
                       stream_of(stream)->peer->host);
    return stream_tls_start(stream_of(stream), err);
}

void email_stream_limit(mailstream *stream, int64_t deadline_ms, size_t bytes)
{
    stream_of(stream)->deadline_ms = deadline_ms;
    stream_of(stream)->bytes_left = bytes;
}

int email_stream_wait(mailstream *stream, int64_t until_ms)
{
    struct email_stream *st = stream_of(stream);
    while (st->failure == NULL && !channel_stopping(st->ch) && channel_now_ms(st->ch) < until_ms) {
        struct pollfd poll_fd = {.fd = st->fd, .events = POLLIN};
        /* What libetpan or GnuTLS holds already would never wake a poll. */
        if (stream->read_buffer_len > 0 ||
            (st->tls != NULL && gnutls_record_check_pending(st->tls) > 0))
            return 1;
        if (poll(&poll_fd, 1, STREAM_SLICE_MS) > 0)
            return 1;
    }
    return st->failure != NULL ? -1 : 0;
}

const char *email_stream_failure(const mailstream *stream)
{
    const char *failure = stream_of(stream)->failure;
    return failure != NULL ? failure : "not understood";
}

enum email_stream_end email_stream_end(const mailstream *stream)
{
    return stream_of(stream)->end;
}
