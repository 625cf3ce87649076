/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Base64 (RFC 4648 section 4), strictly: the standard alphabet, padding where it belongs, nothing
 * else. Pure.
 */
#ifndef KANAL_NORMALIZE_BASE64_H
#define KANAL_NORMALIZE_BASE64_H

#include <stddef.h>

/* Gives the bytes (free() them; NUL-terminated for convenience), or NULL when text is not base64.
 */
char *base64_decode(const char *text, size_t text_len, size_t *len);

#endif
