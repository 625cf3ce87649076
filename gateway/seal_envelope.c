/* SPDX-License-Identifier: Apache-2.0 */
/* Boxes of XChaCha20-Poly1305 (draft-irtf-cfrg-xchacha-03, libsodium's _ietf variant): for the
 * vault and for storage. */
#include "gateway/seal_private.h"

#include "normalize/mem.h"

enum {
    BOX_VERSION = 1,
    BOX_NONCE = crypto_aead_xchacha20poly1305_ietf_NPUBBYTES,
    BOX_TAG = crypto_aead_xchacha20poly1305_ietf_ABYTES,
    BOX_PADDED_SMALL_MAX = SEAL_SMALL_MAX + SEAL_PAD_SMALL,
};

static size_t box_padded_len(size_t len)
{
    size_t block = len <= SEAL_SMALL_MAX ? SEAL_PAD_SMALL : SEAL_PAD_LARGE;
    return (len / block + 1) * block;
}

static void box_associated(const char *report_id, const char *field, struct buf *out)
{
    buf_addf(out, "%s|%s", report_id, field);
}

/* Appends nonce, ciphertext and tag. The plain bytes are encrypted where they were padded, so that
 * no copy of them stays in freed memory. */
static void box_make(const unsigned char key[static SEAL_KEY_SIZE], const char *report_id,
                     const char *field, const void *data, size_t len, struct buf *out)
{
    size_t padded_len = box_padded_len(len);
    unsigned char *box = mem_calloc(BOX_NONCE + padded_len + BOX_TAG, 1);
    unsigned char *text = box + BOX_NONCE;
    struct buf associated = BUF_INIT(QUEUE_WORD_MAX * 2);
    box_associated(report_id, field, &associated);
    randombytes_buf(box, BOX_NONCE);
    if (len > 0)
        memcpy(text, data, len);
    text[len] = 0x80;
    crypto_aead_xchacha20poly1305_ietf_encrypt(text, NULL, text, padded_len,
                                               (const unsigned char *)associated.data,
                                               associated.len, NULL, box, key);
    buf_add(out, box, BOX_NONCE + padded_len + BOX_TAG);
    buf_release(&associated);
    free(box);
}

/* Appends the plain bytes of a box. 0 or -1. */
static int box_open(const unsigned char key[static SEAL_KEY_SIZE], const char *report_id,
                    const char *field, const unsigned char *box, size_t len, struct buf *out)
{
    if (len < BOX_NONCE + BOX_TAG + SEAL_PAD_SMALL)
        return -1;
    unsigned char *text = mem_realloc(NULL, len, 1);
    struct buf associated = BUF_INIT(QUEUE_WORD_MAX * 2);
    box_associated(report_id, field, &associated);
    unsigned long long padded_len = 0;
    int result = crypto_aead_xchacha20poly1305_ietf_decrypt(
        text, &padded_len, NULL, box + BOX_NONCE, len - BOX_NONCE,
        (const unsigned char *)associated.data, associated.len, box, key);
    size_t plain_len = 0;
    if (result == 0)
        result = sodium_unpad(&plain_len, text, padded_len,
                              padded_len <= BOX_PADDED_SMALL_MAX ? SEAL_PAD_SMALL : SEAL_PAD_LARGE);
    if (result == 0)
        buf_add(out, text, plain_len);
    sodium_memzero(text, len);
    buf_release(&associated);
    free(text);
    return result;
}

int seal_to_vault(struct seal *seal, const char *report_id, const char *field, const void *data,
                  size_t len, int64_t now_ms, struct buf *out, struct err *err)
{
    unsigned char key[SEAL_KEY_SIZE], sealed[SEAL_SEALED_KEY_SIZE];
    if (seal_minute(seal, now_ms, key, sealed, err) != 0)
        return -1;
    buf_add_char(out, BOX_VERSION);
    buf_add(out, sealed, sizeof sealed);
    box_make(key, report_id, field, data, len, out);
    sodium_memzero(key, sizeof key);
    return 0;
}

int seal_open_envelope(const unsigned char public_key[static SEAL_PUBLIC_KEY_SIZE],
                       const unsigned char secret_key[static 32], const char *report_id,
                       const char *field, const void *data, size_t len, struct buf *out,
                       struct err *err)
{
    const unsigned char *bytes = data;
    unsigned char key[SEAL_KEY_SIZE];
    int result = -1;
    if (len > 1 + SEAL_SEALED_KEY_SIZE && bytes[0] == BOX_VERSION)
        result = crypto_box_seal_open(key, bytes + 1, SEAL_SEALED_KEY_SIZE, public_key, secret_key);
    if (result == 0)
        result = box_open(key, report_id, field, bytes + 1 + SEAL_SEALED_KEY_SIZE,
                          len - 1 - SEAL_SEALED_KEY_SIZE, out);
    sodium_memzero(key, sizeof key);
    if (result != 0)
        return err_set(err, ERR_PERMANENT, "cannot open the sealed '%s': changed, or another's key",
                       field);
    return 0;
}

void seal_store(struct seal *seal, const char *report_id, const char *field, const void *data,
                size_t len, struct buf *out)
{
    buf_add_char(out, BOX_VERSION);
    box_make(seal->keys->storage, report_id, field, data, len, out);
}

int seal_load(struct seal *seal, const char *report_id, const char *field, const void *data,
              size_t len, struct buf *out, struct err *err)
{
    const unsigned char *bytes = data;
    if (len < 1 || bytes[0] != BOX_VERSION ||
        box_open(seal->keys->storage, report_id, field, bytes + 1, len - 1, out) != 0)
        return err_set(err, ERR_PERMANENT, "cannot open the stored '%s': changed, or another's key",
                       field);
    return 0;
}
