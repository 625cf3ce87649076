/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Text in any charset to UTF-8: the declared charset when the bytes fit it, else UTF-8 when they
 * are that, else what libuchardet takes them for, else windows-1252. It never fails and always
 * ends as well-formed UTF-8. Only the charsets of one table are ever asked of iconv(3), so that a
 * label in a message cannot make the C library load anything. Thread-safe after charset_start().
 */
#ifndef KANAL_NORMALIZE_CHARSET_H
#define KANAL_NORMALIZE_CHARSET_H

#include <stdbool.h>
#include <stddef.h>

/*
 * Loads the converters of every charset in the table and keeps them; call once per process, before
 * a sandbox closes the file system and before other threads start. Without it (or when the C
 * library lacks one) a converter is loaded at its first use.
 */
void charset_start(void);

/* The iconv name of a charset label as mail and pages carry it (any case, quotes, "utf8",
 * "x-sjis", "UTF-8//IGNORE"); static. NULL: not a charset we read. */
const char *charset_find(const char *label);

/*
 * Gives len bytes as UTF-8 without NULs (free() it). label may be NULL or nonsense. Sets *guessed
 * (never clears it) when the label was missing or wrong and the bytes were neither ASCII nor UTF-8.
 */
char *charset_to_utf8(const char *data, size_t len, const char *label, bool *guessed);

#endif
