/* SPDX-License-Identifier: Apache-2.0 */
#include "config/suggest.h"

#include <string.h>

enum {
    SUGGEST_WORD_MAX = 40,
    SUGGEST_EDITS_MAX = 3, /* beyond that a guess misleads more than it helps */
};

static size_t suggest_min(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* Levenshtein's distance: insertions, deletions and replacements, one row of the table at a time.
 */
static size_t suggest_distance(const char *a, size_t a_len, const char *b, size_t b_len)
{
    size_t row[SUGGEST_WORD_MAX + 1];
    for (size_t j = 0; j <= b_len; j++)
        row[j] = j;
    for (size_t i = 1; i <= a_len; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= b_len; j++) {
            size_t replaced = diagonal + (a[i - 1] != b[j - 1]);
            diagonal = row[j];
            row[j] = suggest_min(replaced, suggest_min(row[j], row[j - 1]) + 1);
        }
    }
    return row[b_len];
}

bool suggest_closer(const char *word, const char *candidate, size_t *best)
{
    size_t word_len = strlen(word), candidate_len = strlen(candidate);
    if (word_len == 0 || word_len > SUGGEST_WORD_MAX || candidate_len > SUGGEST_WORD_MAX)
        return false;
    size_t edits = suggest_distance(word, word_len, candidate, candidate_len);
    if (edits > SUGGEST_EDITS_MAX || edits > (word_len + 2) / 3 || edits >= *best)
        return false;
    *best = edits;
    return true;
}
