/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Report IDs: 55 random bits as 11 Crockford base32 symbols and one check symbol, by a Damm
 * quasigroup over GF(2^5) that catches every single wrong symbol and every swap of neighbours.
 * Stored and compared as 12 upper-case symbols ("7KQ3MXP9T2FC"), shown in groups of four.
 */
#ifndef KANAL_NORMALIZE_ID_H
#define KANAL_NORMALIZE_ID_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    REPORT_ID_SYMBOLS = 12,
    REPORT_ID_SIZE = REPORT_ID_SYMBOLS + 1,    /* with the NUL */
    REPORT_ID_SHOWN_SIZE = REPORT_ID_SIZE + 2, /* with two hyphens */
};

/* Writes the ID made of the low 55 bits of random. */
void report_id_make(uint64_t random, char id[static REPORT_ID_SIZE]);

/*
 * Reads an ID as a person types it: any case, hyphens and spaces anywhere, O as 0, I and L as 1.
 * Returns 0 and writes the stored form, or -1 when it is no ID (length, symbol or check symbol).
 */
int report_id_parse(const char *text, size_t len, char id[static REPORT_ID_SIZE]);

/* Writes the shown form, "7KQ3-MXP9-T2FC", of a stored ID. */
void report_id_show(const char *id, char shown[static REPORT_ID_SHOWN_SIZE]);

/*
 * Finds the next well-formed ID (12 symbols, hyphens or spaces only after the fourth and eighth,
 * not part of a longer word) in text from *pos on. True: written to id, *pos behind it.
 */
bool report_id_find(const char *text, size_t len, size_t *pos, char id[static REPORT_ID_SIZE]);

/* Crockford base32 of bytes (5 bits a symbol, most significant first), appended to out[]: out needs
 * (len * 8 + 4) / 5 + 1 bytes. Returns the number of symbols. */
size_t base32_encode(const void *bytes, size_t len, char *out);

#endif
