/* SPDX-License-Identifier: Apache-2.0 */
/*
 * application/x-www-form-urlencoded, read as the WHATWG URL standard has it: pairs by "&", "+" is a
 * space, "%" with two hex digits is a byte, any other "%" itself. Nothing is malformed. Written by
 * RFC 3986, for URLs and bodies alike. Pure.
 */
#ifndef KANAL_NORMALIZE_URLENCODED_H
#define KANAL_NORMALIZE_URLENCODED_H

#include <stdbool.h>
#include <stddef.h>

#include "normalize/buf.h"

/* Reads the next pair from *pos on into name and value (emptied first). False: there is none. */
bool urlencoded_next(const char *data, size_t len, size_t *pos, struct buf *name,
                     struct buf *value);

/* Appends text, "%" and two digits for each byte that is not one of RFC 3986's unreserved
 * characters. */
void urlencoded_add(struct buf *out, const char *text);

#endif
