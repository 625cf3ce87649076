/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What happens to a mail's bytes before a MIME parser sees them: the header block is repaired
 * (mbox lines, garbage lines, a lost empty line), every header field is written anew (see
 * mail_field.h), and what is nested, divided or headed beyond the limits of mail.h is refused:
 * parsers recurse, and slow down, on those. Linear in the size of the mail.
 * RFC 5322 section 2.2, RFC 2046 section 5.1. Pure and thread-safe.
 */
#ifndef KANAL_NORMALIZE_MAIL_SCAN_H
#define KANAL_NORMALIZE_MAIL_SCAN_H

#include <stddef.h>

#include "normalize/buf.h"
#include "normalize/err.h"

struct mail_raw {
    struct buf head;  /* the fields and nothing else; "" when the mail has no header */
    const char *body; /* borrowed */
    size_t body_len;
};

/* Finds the header block and the body; needs mail_raw_release(). -1 ERR_PERMANENT: the header is
 * beyond MAIL_HEADER_BYTES_MAX. */
int mail_repair(const char *data, size_t len, struct mail_raw *out, struct err *err);

/* Frees the head. */
void mail_raw_release(struct mail_raw *raw);

/* Appends the mail to *out, header, empty line and body. -1 ERR_PERMANENT: its parts, their depth
 * or a part's header block are beyond the limits. */
int mail_scan(const struct mail_raw *raw, struct buf *out, struct err *err);

#endif
