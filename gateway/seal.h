/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The gateway's keys and everything made with them. libsodium only; no primitive of our own.
 *
 *   storage key   XChaCha20-Poly1305 of bodies, payloads and clean photos at rest
 *   index keys    keyed BLAKE2b, one key each: dedup keys, blind indexes of addresses, PINs, reply
 *                 tokens; rate keys by a random key of this process, so that they mean nothing
 * later vault key     the PUBLIC half only: what is sealed to it, only the vault process opens
 *
 * Sealing to the vault: a fresh data key a minute, itself sealed by crypto_box_seal and carried in
 * front of each envelope, and wiped after that minute also when nothing more comes: a stolen
 * gateway opens nothing sealed more than 60 s ago. Associated data is "report id|field", so that no
 * envelope opens in another's place.
 *
 *   envelope  = version | sealed data key | nonce | ciphertext and tag of the padded bytes
 *   stored    = version | nonce | ciphertext and tag of the padded bytes
 *
 * Padding (ISO/IEC 7816-4, to the SEAL_PAD_* below) makes lengths tell less. Thread-safe.
 */
#ifndef KANAL_GATEWAY_SEAL_H
#define KANAL_GATEWAY_SEAL_H

#include <stddef.h>
#include <stdint.h>

#include "adapters/adapter.h"
#include "config/option.h"
#include "normalize/buf.h"
#include "normalize/err.h"
#include "normalize/id.h"
#include "queue/queue.h"

enum {
    SEAL_PUBLIC_KEY_SIZE = 32,
    SEAL_MASTER_KEY_SIZE = 32,
    SEAL_MINUTE_MS = 60 * 1000,
    SEAL_SMALL_MAX = 16 * 1024, /* up to here a text, padded to multiples of ... */
    SEAL_PAD_SMALL = 256,
    SEAL_PAD_LARGE = 4096, /* ... and beyond a file */
    SEAL_OVERHEAD_MAX = 256 + SEAL_PAD_LARGE,
    PIN_DIGITS = 6,
    PIN_SIZE = PIN_DIGITS + 1,
};

struct seal;

/* Reads the key file (see key_file.h) or makes it when path does not exist yet and may_create;
 * *created tells. All gateway keys derive from it (crypto_kdf). A secret given (option "key"; 64
 * hex digits) wins over path. -1 ERR_CONFIG. */
int seal_open(const struct secret *key, const char *path, bool may_create, bool *created,
              struct seal **out, struct err *err);

/* The vault's public key, once the vault has told it; before that envelopes cannot be made. A
 * different key than before takes effect at once. */
void seal_set_vault_key(struct seal *seal, const unsigned char key[static SEAL_PUBLIC_KEY_SIZE]);

/* Wipes and frees. NULL is fine. */
void seal_close(struct seal *seal);

/* Appends an envelope only the vault opens. now_ms is CLOCK_MONOTONIC: it turns the minute key.
 * -1 ERR_TRANSIENT while the vault's key is not known. (Like every function here that appends:
 * check out->overflow.) */
int seal_to_vault(struct seal *seal, const char *report_id, const char *field, const void *data,
                  size_t len, int64_t now_ms, struct buf *out, struct err *err);

/* Appends data encrypted under the storage key, and the reverse. open: -1 ERR_PERMANENT when it was
 * changed, cut, moved from another report or field, or made with another key. */
void seal_store(struct seal *seal, const char *report_id, const char *field, const void *data,
                size_t len, struct buf *out);
int seal_load(struct seal *seal, const char *report_id, const char *field, const void *data,
              size_t len, struct buf *out, struct err *err);

/* Keyed hashes. */
void seal_dedup_key(struct seal *seal, const char *channel_id, const void *native_id, size_t len,
                    unsigned char key[static QUEUE_DEDUP_KEY_SIZE]);
void seal_index(struct seal *seal, const char *address_kind, const char *address,
                unsigned char index[static QUEUE_INDEX_SIZE]);
/* A key for rate limits of anything ("ip", "id"): never the thing itself. */
uint64_t seal_rate_key(struct seal *seal, const char *what, const void *data, size_t len);

/* The PIN belongs to the ID and the key: nothing is stored, a repeated receipt has the same PIN. */
void seal_pin(struct seal *seal, const char *report_id, char pin[static PIN_SIZE]);
/* In constant time. */
bool seal_pin_matches(struct seal *seal, const char *report_id, const char *pin);

/* The signed reply token; see adapter.h. parse: 0 and the report ID, or -1 when nobody we know made
 * it. */
void seal_token_make(struct seal *seal, const char *report_id,
                     char token[static REPLY_TOKEN_LEN + 1]);
int seal_token_parse(struct seal *seal, const char *token, char report_id[static REPORT_ID_SIZE]);

/* --- The vault's half: used by `kanal vault` only --- */

/* Opens an envelope with the vault's key pair, appended to *out. -1 ERR_PERMANENT. */
int seal_open_envelope(const unsigned char public_key[static SEAL_PUBLIC_KEY_SIZE],
                       const unsigned char secret_key[static 32], const char *report_id,
                       const char *field, const void *data, size_t len, struct buf *out,
                       struct err *err);

#endif
