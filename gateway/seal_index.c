/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Keyed BLAKE2b (RFC 7693) in place of the things themselves. Each part of an input is preceded by
 * its length, so that no two inputs run together into the same bytes.
 */
#include "gateway/seal_private.h"

#include <inttypes.h>

enum {
    PIN_COUNT = 1000 * 1000, /* 10^PIN_DIGITS */
    TOKEN_MAC_SIZE = 10,     /* 80 bits: 16 symbols behind the ID's 12 */
};

static void index_add(crypto_generichash_state *state, const void *data, size_t len)
{
    uint64_t length = len;
    unsigned char bytes[8];
    for (int i = 7; i >= 0; i--, length >>= 8)
        bytes[i] = (unsigned char)length;
    crypto_generichash_update(state, bytes, sizeof bytes);
    crypto_generichash_update(state, data, len);
}

/* BLAKE2b of two parts under key. */
static void index_hash(const unsigned char key[static SEAL_KEY_SIZE], const char *first,
                       const void *second, size_t second_len, void *hash, size_t hash_len)
{
    crypto_generichash_state state;
    crypto_generichash_init(&state, key, SEAL_KEY_SIZE, hash_len);
    index_add(&state, first, strlen(first));
    index_add(&state, second, second_len);
    crypto_generichash_final(&state, hash, hash_len);
    sodium_memzero(&state, sizeof state);
}

void seal_dedup_key(struct seal *seal, const char *channel_id, const void *native_id, size_t len,
                    unsigned char key[static QUEUE_DEDUP_KEY_SIZE])
{
    index_hash(seal->keys->dedup, channel_id, native_id, len, key, QUEUE_DEDUP_KEY_SIZE);
}

void seal_index(struct seal *seal, const char *address_kind, const char *address,
                unsigned char index[static QUEUE_INDEX_SIZE])
{
    index_hash(seal->keys->index, address_kind, address, strlen(address), index, QUEUE_INDEX_SIZE);
}

uint64_t seal_rate_key(struct seal *seal, const char *what, const void *data, size_t len)
{
    /* BLAKE2b gives at least 16 bytes; the first eight are as good as any. */
    uint64_t key[2];
    index_hash(seal->keys->rate, what, data, len, key, sizeof key);
    return key[0];
}

void seal_pin(struct seal *seal, const char *report_id, char pin[static PIN_SIZE])
{
    unsigned char hash[16];
    uint64_t number = 0;
    index_hash(seal->keys->pin, "pin", report_id, strlen(report_id), hash, sizeof hash);
    for (size_t i = 0; i < 8; i++)
        number = number << 8 | hash[i];
    snprintf(pin, PIN_SIZE, "%0*" PRIu64, PIN_DIGITS, number % PIN_COUNT);
}

bool seal_pin_matches(struct seal *seal, const char *report_id, const char *pin)
{
    char right[PIN_SIZE], given[PIN_SIZE] = "";
    seal_pin(seal, report_id, right);
    size_t len = pin == NULL ? 0 : strnlen(pin, PIN_SIZE);
    if (len > 0)
        memcpy(given, pin, len);
    bool same = sodium_memcmp(right, given, PIN_DIGITS) == 0;
    return same && len == PIN_DIGITS;
}

/* The one way to write a token that a person or a mail system may have changed: lower case, O as 0,
 * I and L as 1. */
static void token_tidy(const char *token, char tidy[static REPLY_TOKEN_LEN + 1])
{
    for (size_t i = 0; i < REPLY_TOKEN_LEN; i++) {
        char symbol = token[i];
        if (symbol >= 'A' && symbol <= 'Z')
            symbol = (char)(symbol - 'A' + 'a');
        if (symbol == 'o')
            symbol = '0';
        if (symbol == 'i' || symbol == 'l')
            symbol = '1';
        tidy[i] = symbol;
    }
    tidy[REPLY_TOKEN_LEN] = '\0';
}

void seal_token_make(struct seal *seal, const char *report_id,
                     char token[static REPLY_TOKEN_LEN + 1])
{
    unsigned char mac[16];
    char symbols[REPLY_TOKEN_LEN + 1];
    index_hash(seal->keys->token, "reply", report_id, strlen(report_id), mac, sizeof mac);
    memcpy(symbols, report_id, REPORT_ID_SYMBOLS);
    base32_encode(mac, TOKEN_MAC_SIZE, symbols + REPORT_ID_SYMBOLS);
    token_tidy(symbols, token);
}

int seal_token_parse(struct seal *seal, const char *token, char report_id[static REPORT_ID_SIZE])
{
    char tidy[REPLY_TOKEN_LEN + 1], right[REPLY_TOKEN_LEN + 1];
    if (token == NULL || strlen(token) != REPLY_TOKEN_LEN)
        return -1;
    token_tidy(token, tidy);
    if (report_id_parse(tidy, REPORT_ID_SYMBOLS, report_id) != 0)
        return -1;
    seal_token_make(seal, report_id, right);
    return sodium_memcmp(tidy, right, REPLY_TOKEN_LEN);
}
