/* SPDX-License-Identifier: Apache-2.0 */
/*
 * text/plain; format=flowed (RFC 3676): lines that the sender's program broke are joined again,
 * space-stuffing is undone, quote marks come out as "> " per level. Pure and thread-safe.
 */
#ifndef KANAL_NORMALIZE_FLOWED_H
#define KANAL_NORMALIZE_FLOWED_H

#include <stdbool.h>

/* Gives text (UTF-8; LF or CRLF) unflowed, with LF line ends (free() it). delsp: the DelSp
 * parameter is "yes": the blank a broken line ends in was put there by the break. */
char *flowed_decode(const char *text, bool delsp);

#endif
