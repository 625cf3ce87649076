/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One header field as a MIME parser may see it: UTF-8, every encoded word (RFC 2047) decoded by our
 * own charset table and encoded again as UTF-8, every RFC 2231 charset one of the table's. So a
 * parser never asks iconv for what the sandbox has not loaded, characters split over two words come
 * together again, and raw 8-bit text is read. Pure and thread-safe.
 */
#ifndef KANAL_NORMALIZE_MAIL_FIELD_H
#define KANAL_NORMALIZE_MAIL_FIELD_H

#include <stddef.h>

#include "normalize/buf.h"

enum { MAIL_FIELD_BYTES_MAX = 32 * 1024 }; /* of one field kept; GMime is quadratic in some */

/* Length of the field name a line begins with; 0 when it is no field. Blanks before the colon are
 * obsolete syntax and still seen; *colon (may be NULL) is its place. */
size_t mail_field_name(const char *line, size_t len, size_t *colon);

/* Appends a field, folded as it is, with LF line ends. What exceeds the limit is left out. */
void mail_field_add(struct buf *out, const char *field, size_t len);

#endif
