/* SPDX-License-Identifier: Apache-2.0 */
/* "Did you mean": which of the known words a mistyped one was meant to be. Pure. */
#ifndef KANAL_CONFIG_SUGGEST_H
#define KANAL_CONFIG_SUGGEST_H

#include <stdbool.h>
#include <stddef.h>

/* Where *best starts. */
#define SUGGEST_NONE ((size_t)-1)

/* Whether candidate is near enough to word to be what was meant, and nearer than *best edits, which
 * it then becomes. Callers go through their words and keep the last that answered true. */
bool suggest_closer(const char *word, const char *candidate, size_t *best);

#endif
