/* SPDX-License-Identifier: Apache-2.0 */
/* What seal.c (keys and their life), seal_envelope.c and seal_index.c share. */
#ifndef KANAL_GATEWAY_SEAL_PRIVATE_H
#define KANAL_GATEWAY_SEAL_PRIVATE_H

#include <pthread.h>
#include <sodium.h>
#include <stdbool.h>

#include "gateway/seal.h"

enum {
    SEAL_KEY_SIZE = crypto_aead_xchacha20poly1305_ietf_KEYBYTES,
    SEAL_SEALED_KEY_SIZE = SEAL_KEY_SIZE + crypto_box_SEALBYTES,
};

/* Every secret; in guarded memory that is locked (where allowed) and left out of core dumps. */
struct seal_keys {
    unsigned char storage[SEAL_KEY_SIZE];
    unsigned char dedup[SEAL_KEY_SIZE];
    unsigned char index[SEAL_KEY_SIZE];
    unsigned char pin[SEAL_KEY_SIZE];
    unsigned char token[SEAL_KEY_SIZE];
    unsigned char rate[SEAL_KEY_SIZE]; /* random, of this process */
    unsigned char minute[SEAL_KEY_SIZE];
};

struct seal {
    struct seal_keys *keys; /* all but minute are const after seal_open() */
    pthread_t wiper;
    pthread_mutex_t lock; /* guards what follows, and keys->minute */
    pthread_cond_t changed;
    bool stopping;
    bool has_vault_key;
    unsigned char vault_key[SEAL_PUBLIC_KEY_SIZE];
    bool has_minute;
    unsigned char sealed_minute[SEAL_SEALED_KEY_SIZE];
    int64_t minute_since_ms; /* by the caller's now_ms */
    int64_t minute_wipe_ms;  /* by clock_ms(): what the wiper goes by */
};

/* Copies the minute key that now_ms calls for, made new when it is time, and its sealed form. -1
 * ERR_TRANSIENT without a vault key. */
int seal_minute(struct seal *seal, int64_t now_ms, unsigned char key[static SEAL_KEY_SIZE],
                unsigned char sealed[static SEAL_SEALED_KEY_SIZE], struct err *err);

#endif
