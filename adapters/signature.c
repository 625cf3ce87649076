/* SPDX-License-Identifier: Apache-2.0 */
/* Source: Standard Webhooks specification 1.0 (symmetric signatures, "v1"). Pure but for libsodium.
 */
#include "adapters/signature.h"

#include <sodium.h>

#include "normalize/mem.h"

enum {
    SIGNATURE_KEY_MAX = 1024, /* bytes of a decoded whsec_ key; the specification says 24 to 64 */
    SIGNATURE_HEADER_MAX = 4096,
};

static const char signature_prefix[] = "whsec_";

static void signature_feed_key(crypto_auth_hmacsha256_state *state, const char *secret)
{
    unsigned char key[SIGNATURE_KEY_MAX];
    size_t len = 0, prefix = strlen(signature_prefix);
    if (strncmp(secret, signature_prefix, prefix) == 0 &&
        sodium_base642bin(key, sizeof key, secret + prefix, strlen(secret + prefix), NULL, &len,
                          NULL, sodium_base64_VARIANT_ORIGINAL) == 0)
        crypto_auth_hmacsha256_init(state, key, len);
    else
        crypto_auth_hmacsha256_init(state, (const unsigned char *)secret, strlen(secret));
    sodium_memzero(key, sizeof key);
}

static void signature_compute(const char *secret, const char *id, const char *timestamp,
                              const void *body, size_t len,
                              unsigned char mac[static crypto_auth_hmacsha256_BYTES])
{
    crypto_auth_hmacsha256_state state;
    signature_feed_key(&state, secret);
    crypto_auth_hmacsha256_update(&state, (const unsigned char *)id, strlen(id));
    crypto_auth_hmacsha256_update(&state, (const unsigned char *)".", 1);
    crypto_auth_hmacsha256_update(&state, (const unsigned char *)timestamp, strlen(timestamp));
    crypto_auth_hmacsha256_update(&state, (const unsigned char *)".", 1);
    crypto_auth_hmacsha256_update(&state, body, len);
    crypto_auth_hmacsha256_final(&state, mac);
    sodium_memzero(&state, sizeof state);
}

void signature_make(const char *secret, const char *id, int64_t timestamp_s, const void *body,
                    size_t len, struct buf *out)
{
    unsigned char mac[crypto_auth_hmacsha256_BYTES];
    char text[sodium_base64_ENCODED_LEN(sizeof mac, sodium_base64_VARIANT_ORIGINAL)];
    char timestamp[32];
    snprintf(timestamp, sizeof timestamp, "%lld", (long long)timestamp_s);
    signature_compute(secret, id, timestamp, body, len, mac);
    sodium_bin2base64(text, sizeof text, mac, sizeof mac, sodium_base64_VARIANT_ORIGINAL);
    buf_addf(out, "v1,%s", text);
}

/* Digits only: strtoll() alone would take blanks and signs. */
static int signature_parse_time(const char *text, int64_t *out)
{
    size_t len = strlen(text);
    if (len == 0 || len > 15 || strspn(text, "0123456789") != len)
        return -1;
    *out = strtoll(text, NULL, 10);
    return 0;
}

/* Whether one entry of the header, "v1,<base64>", is mac. Other versions are skipped. */
static bool signature_entry_fits(const char *entry, size_t len, const unsigned char *mac)
{
    unsigned char given[crypto_auth_hmacsha256_BYTES];
    size_t given_len = 0;
    if (len < 3 || memcmp(entry, "v1,", 3) != 0)
        return false;
    if (sodium_base642bin(given, sizeof given, entry + 3, len - 3, NULL, &given_len, NULL,
                          sodium_base64_VARIANT_ORIGINAL) != 0)
        return false;
    return given_len == sizeof given && sodium_memcmp(given, mac, sizeof given) == 0;
}

int signature_check(const char *secret, const char *id, const char *timestamp, const char *header,
                    const void *body, size_t len, int64_t now_s, struct err *err)
{
    unsigned char mac[crypto_auth_hmacsha256_BYTES];
    int64_t when;
    if (id == NULL || timestamp == NULL || header == NULL)
        return err_set(err, ERR_PERMANENT, "cannot verify the signature: a header is missing");
    if (strlen(header) > SIGNATURE_HEADER_MAX || signature_parse_time(timestamp, &when) != 0)
        return err_set(err, ERR_PERMANENT, "cannot verify the signature: a header is malformed");
    if (when < now_s - SIGNATURE_TOLERANCE_S || when > now_s + SIGNATURE_TOLERANCE_S)
        return err_set(err, ERR_PERMANENT,
                       "cannot verify the signature: its time is more than %d s from ours",
                       SIGNATURE_TOLERANCE_S);
    signature_compute(secret, id, timestamp, body, len, mac);
    while (*header != '\0') {
        size_t entry = strcspn(header, " ");
        if (signature_entry_fits(header, entry, mac))
            return 0;
        header += entry;
        header += strspn(header, " ");
    }
    return err_set(err, ERR_PERMANENT, "cannot verify the signature: it does not match");
}
