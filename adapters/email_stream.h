/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The connection under an IMAP session: TCP and, by GnuTLS, TLS, as a libetpan stream. It exists
 * because libetpan's own streams verify no certificate, spin for ever on a connection that ends
 * inside a literal, abort the process once a descriptor passes 1023 (select), cannot be told to
 * stop, and read any amount a server cares to send. Here every wait ends by a deadline, 30 s of
 * silence, or soon after channel_stopping(); no byte of a password leaves before the certificate's
 * chain and host name are verified. One thread at a time.
 */
#ifndef KANAL_ADAPTERS_EMAIL_STREAM_H
#define KANAL_ADAPTERS_EMAIL_STREAM_H

#include <libetpan/libetpan.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "adapters/adapter.h"
#include "normalize/err.h"

enum {
    EMAIL_STREAM_CONNECT_MS = 10 * 1000, /* for each of the host's addresses */
    EMAIL_STREAM_SILENCE_MS = 30 * 1000,
    EMAIL_STREAM_GRACE_MS = 2 * 1000, /* for the command under way when the gateway stops */
};

/* How a stream ended. */
enum email_stream_end {
    EMAIL_STREAM_WORKS,
    EMAIL_STREAM_LOST,    /* by the network or the server */
    EMAIL_STREAM_CUT,     /* by our own deadline or stop */
    EMAIL_STREAM_FLOODED, /* by more bytes than the limit */
};

struct email_peer {
    const char *host; /* as configured: what the certificate must name */
    int port;
    bool loopback_only;  /* refuse any address that is not this machine's */
    const char *ca_file; /* NULL: the system's trust */
};

/*
 * Connects and gives a stream for mailimap_connect(); tls: verified before it returns. NULL:
 * ERR_TRANSIENT (unreachable, certificate refused: both mend themselves) or ERR_CONFIG (ca_file, an
 * address that is not this machine's). peer is borrowed for the stream's life.
 */
mailstream *email_stream_open(const struct email_peer *peer, bool tls, const struct channel *ch,
                              int64_t deadline_ms, struct err *err);

/* Turns TLS on after STARTTLS was answered; verified before it returns. Refuses bytes that came
 * unprotected behind that answer. */
int email_stream_start_tls(mailstream *stream, struct err *err);

/* What the commands from here on may take: a time (CLOCK_MONOTONIC) and bytes of answers. */
void email_stream_limit(mailstream *stream, int64_t deadline_ms, size_t bytes);

/* Waits for the server to say something: 1 it did, 0 until_ms came or the gateway stops, -1. */
int email_stream_wait(mailstream *stream, int64_t until_ms);

/* Why the stream failed: "timed out", "closed by the server"; static, never NULL. */
const char *email_stream_failure(const mailstream *stream);

/* Whose doing the failure was. */
enum email_stream_end email_stream_end(const mailstream *stream);

#endif
