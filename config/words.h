/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The city's words: every sentence a citizen or an officer reads, by language and key, from
 * config/jakarta/strings.<language>.json, and the categories to choose from
 * (config/jakarta/categories.json). Built in, read once, immutable; any thread.
 */
#ifndef KANAL_CONFIG_WORDS_H
#define KANAL_CONFIG_WORDS_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "normalize/buf.h"

/* The languages there are: "id" (the city's own, complete) first; ends with NULL. */
extern const char *const words_languages[];

/* The word of a key; "id" when language is NULL, unknown or lacks it; the key itself when no
 * language has it. Static life. */
const char *words_get(const char *language, const char *key);

/* Whether that very language has the key. */
bool words_has(const char *language, const char *key);

/* The choosable categories in the order shown: [{"group": "lingkungan", "codes": ["sampah", ...]}].
 * Their names are the words "category.<code>" and "group.<group>". Borrowed, static life. */
const json_t *words_categories(void);

/* Appends a day "2026-11-21" as people write it: "21 November 2026"; anything else as it is. */
void words_day(const char *language, const char *day, struct buf *out);

/* The word for a state of a ticket ("Menunggu Validasi"), or the state itself. */
const char *words_state(const char *language, const char *state);

/* A field of a text to be filled: "{name}" stands for value; NULL counts as "". */
struct words_field {
    const char *name; /* NULL ends a list */
    const char *value;
};

/* Appends text with every known {field} replaced; braces around anything else stay as they are. */
void words_fill(const char *text, const struct words_field *fields, struct buf *out);

/* Finds the next "{field}" (a-z and _ only) from *pos on: true, its name's place in *start and
 * *len, *pos behind it. */
bool words_next_field(const char *text, size_t *pos, size_t *start, size_t *len);

#endif
