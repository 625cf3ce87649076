/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One notice as the bytes of one mail (RFC 5322, 2045, 2047, 3834): plain text, pure ASCII on the
 * wire, CRLF only, lines of at most 76 characters where the form allows it. Pure; refuses any value
 * that could end a header line. Threading belongs to the mail it answers and to our own reply
 * token.
 */
#ifndef KANAL_ADAPTERS_EMAIL_COMPOSE_H
#define KANAL_ADAPTERS_EMAIL_COMPOSE_H

#include <stdint.h>

#include "adapters/notice.h"
#include "normalize/buf.h"
#include "normalize/err.h"

enum { EMAIL_LETTER_MAX = 1024 * 1024 };

struct email_letter {
    const struct notice *notice;
    const char *address; /* our own: sender, and with the token where answers go */
    const char *name;    /* shown with it; NULL none */
    const char *token;   /* the report's reply token */
    int64_t wall_ms;     /* for Date */
};

/*
 * Appends the mail to *out. The Message-ID is <TOKEN.KEY@domain>, the same on every try.
 * ERR_PERMANENT: the notice cannot be a mail (address, line break in a header value, size).
 */
int email_compose(const struct email_letter *letter, struct buf *out, struct err *err);

#endif
