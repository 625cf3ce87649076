/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The check symbol is Damm's scheme with the quasigroup x*y = 15(x + y) over GF(2^5), reduced by
 * z^5 + z^2 + 1: x*x = 0, so an ID is whole when all its symbols fold to 0. It is totally
 * anti-symmetric because the factor is neither 0 nor 1; of the factors that are left, 15 makes the
 * ID in our documentation a valid one.
 */
#include "normalize/id.h"

#include <stdio.h>
#include <string.h>

enum { ID_SYMBOL_BITS = 5, ID_SYMBOL_MASK = 31, ID_RANDOM_SYMBOLS = REPORT_ID_SYMBOLS - 1 };

static const char id_alphabet[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

static const unsigned char id_times_15[32] = {
    0,  15, 30, 17, 25, 22, 7,  8, 23, 24, 9, 6,  14, 1,  16, 31,
    11, 4,  21, 26, 18, 29, 12, 3, 28, 19, 2, 13, 5,  10, 27, 20,
};

/* The value of a symbol as a person may write it, or -1. */
static int id_value(char symbol)
{
    char upper = symbol >= 'a' && symbol <= 'z' ? (char)(symbol - 'a' + 'A') : symbol;
    if (upper == 'O')
        upper = '0';
    if (upper == 'I' || upper == 'L')
        upper = '1';
    const char *found = upper == '\0' ? NULL : strchr(id_alphabet, upper);
    return found == NULL ? -1 : (int)(found - id_alphabet);
}

static bool id_is_separator(char byte)
{
    return byte == '-' || byte == ' ';
}

/* Folds one more symbol into a check value. */
static unsigned id_fold(unsigned check, unsigned value)
{
    return id_times_15[check ^ value];
}

void report_id_make(uint64_t random, char id[static REPORT_ID_SIZE])
{
    unsigned check = 0;
    for (int i = ID_RANDOM_SYMBOLS - 1; i >= 0; i--) {
        unsigned value = (unsigned)(random >> (ID_SYMBOL_BITS * i)) & ID_SYMBOL_MASK;
        check = id_fold(check, value);
        id[ID_RANDOM_SYMBOLS - 1 - i] = id_alphabet[value];
    }
    id[ID_RANDOM_SYMBOLS] = id_alphabet[check];
    id[REPORT_ID_SYMBOLS] = '\0';
}

int report_id_parse(const char *text, size_t len, char id[static REPORT_ID_SIZE])
{
    char symbols[REPORT_ID_SIZE] = "";
    size_t count = 0;
    unsigned check = 0;
    for (size_t i = 0; i < len; i++) {
        if (id_is_separator(text[i]))
            continue;
        int value = id_value(text[i]);
        if (value < 0 || count == REPORT_ID_SYMBOLS)
            return -1;
        symbols[count++] = id_alphabet[value];
        check = id_fold(check, (unsigned)value);
    }
    if (count != REPORT_ID_SYMBOLS || check != 0)
        return -1;
    memcpy(id, symbols, REPORT_ID_SIZE);
    return 0;
}

void report_id_show(const char *id, char shown[static REPORT_ID_SHOWN_SIZE])
{
    snprintf(shown, REPORT_ID_SHOWN_SIZE, "%.4s-%.4s-%.4s", id, id + 4, id + 8);
}

/* Letters, digits, and any byte of a character beyond ASCII: what a word is made of. */
static bool id_is_word(char byte)
{
    unsigned char c = (unsigned char)byte;
    return c >= 0x80 || (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

/* The length of the ID at text[0], or 0. Both gaps hold the same separator, or none: otherwise a
 * four letter word before a shown ID could be taken for its first group. */
static size_t id_at(const char *text, size_t len, char id[static REPORT_ID_SIZE])
{
    enum { ID_GROUP = 4 };
    if (len < REPORT_ID_SYMBOLS)
        return 0;
    char gap = id_is_separator(text[ID_GROUP]) ? text[ID_GROUP] : '\0';
    size_t used = REPORT_ID_SYMBOLS + (gap == '\0' ? 0 : 2);
    if (len < used || (used < len && id_is_word(text[used])))
        return 0;
    if (gap != '\0' && text[2 * ID_GROUP + 1] != gap)
        return 0;
    for (size_t i = 0; i < used; i++) {
        bool in_gap = gap != '\0' && (i == ID_GROUP || i == 2 * ID_GROUP + 1);
        if (!in_gap && id_value(text[i]) < 0)
            return 0;
    }
    return report_id_parse(text, used, id) == 0 ? used : 0;
}

bool report_id_find(const char *text, size_t len, size_t *pos, char id[static REPORT_ID_SIZE])
{
    for (size_t i = *pos; i < len; i++) {
        bool word_start = id_is_word(text[i]) && (i == 0 || !id_is_word(text[i - 1]));
        size_t used = word_start ? id_at(text + i, len - i, id) : 0;
        if (used > 0) {
            *pos = i + used;
            return true;
        }
    }
    *pos = len;
    return false;
}

size_t base32_encode(const void *bytes, size_t len, char *out)
{
    const unsigned char *in = bytes;
    size_t count = 0;
    unsigned pending = 0, bits = 0;
    for (size_t i = 0; i < len; i++) {
        pending = pending << 8 | in[i];
        for (bits += 8; bits >= ID_SYMBOL_BITS; bits -= ID_SYMBOL_BITS)
            out[count++] = id_alphabet[pending >> (bits - ID_SYMBOL_BITS) & ID_SYMBOL_MASK];
        pending &= (1U << bits) - 1;
    }
    if (bits > 0)
        out[count++] = id_alphabet[pending << (ID_SYMBOL_BITS - bits) & ID_SYMBOL_MASK];
    out[count] = '\0';
    return count;
}
