/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Handing one mail to one recipient's server by libesmtp. The mail is CRLF only (email_compose),
 * TLS is required unless the server is this machine, and the certificate is verified by OpenSSL
 * inside the handshake against the configured name: libesmtp itself compares with whatever name the
 * DNS answers, and sends no server name. Blocking, every wait bounded; any thread.
 */
#ifndef KANAL_ADAPTERS_EMAIL_SMTP_H
#define KANAL_ADAPTERS_EMAIL_SMTP_H

#include "adapters/email_settings.h"
#include "normalize/err.h"

enum {
    EMAIL_SMTP_WAIT_MS = 30 * 1000,
    EMAIL_SMTP_ACCEPT_MS = 2 * 60 * 1000, /* the answer to the message: servers scan it now */
};

/*
 * 0: the server took responsibility for this recipient. ERR_TRANSIENT: 4xx, no connection, no
 * trusted certificate; ERR_PERMANENT: 5xx for this recipient or mail; ERR_CONFIG: login refused or
 * needed (535, 530), STARTTLS not offered, an unprotected server that is not this machine.
 * envelope_from NULL: "<>".
 */
int email_smtp_send(const struct email_settings *settings, const char *envelope_from,
                    const char *to, const char *mail, struct err *err);

#endif
