/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Text as it may be stored and shown: valid UTF-8, NFC, LF line ends, no control characters but LF
 * and TAB, and no character that makes a reader see another order than the bytes have (bidi
 * overrides, embeddings and isolates, which become U+FFFD). Characters that only hide inside words
 * (soft hyphen, zero-width space, word joiner, byte order mark) go, no-break spaces become spaces.
 * libunistring does the Unicode work. Thread-safe.
 */
#ifndef KANAL_NORMALIZE_TEXT_H
#define KANAL_NORMALIZE_TEXT_H

#include <stdbool.h>
#include <stddef.h>

/* Whether data is well-formed UTF-8 (RFC 3629) without NUL. */
bool text_is_utf8(const char *data, size_t len);

/*
 * Cleans len bytes into a new string (free() it): bad bytes become U+FFFD, then NFC, line ends and
 * controls as above, trailing blanks of each line and blank lines at both ends removed, runs of
 * more than two blank lines shortened to two. NULL when nothing is left.
 */
char *text_clean(const char *data, size_t len);

/* The same for one line: every run of white space, line ends included, is one space. */
char *text_clean_line(const char *data, size_t len);

/* Number of Unicode characters of a valid UTF-8 string. */
size_t text_length(const char *text);

/* Shortens text in place to at most max bytes, at a character boundary. True when it was longer. */
bool text_truncate(char *text, size_t max);

/* The value of a hexadecimal digit, or -1. */
int text_hex_value(char c);

/* Goes through a list of words separated by commas and blanks: true with the next word's place in
 * *word and *len, *list behind it. */
bool text_list_next(const char **list, const char **word, size_t *len);

/* Whether such a list holds word. */
bool text_list_holds(const char *list, const char *word);

/* Lower-cases ASCII letters in place and returns text. */
char *text_ascii_lower(char *text);

#endif
