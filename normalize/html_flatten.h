/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The words of a page whose structure is too much for a parser: tags are skipped by one linear
 * scan, only line ends and character references are understood. For html.c. Thread-safe.
 */
#ifndef KANAL_NORMALIZE_HTML_FLATTEN_H
#define KANAL_NORMALIZE_HTML_FLATTEN_H

#include <stddef.h>

/* Gives the text of len bytes of a page in UTF-8 (free() it). */
char *html_flatten(const char *html, size_t len);

#endif
