/* SPDX-License-Identifier: Apache-2.0 */
/* What vault_client.c and vault.c say to each other, in frames. */
#ifndef KANAL_GATEWAY_VAULT_WIRE_H
#define KANAL_GATEWAY_VAULT_WIRE_H

#include "gateway/seal.h"
#include "queue/queue.h"

enum vault_frame {
    VAULT_ASK_KEY = 0x100, /* nothing */
    VAULT_ASK_OPEN, /* u8 purpose; report id, field, reason, each u8 length and text; envelope */
    VAULT_KEY,      /* u8 created, public key */
    VAULT_PLAIN,    /* the bytes */
    VAULT_REFUSED,  /* u8 err kind, text */
};

enum {
    VAULT_WORD_MAX = 128,
    VAULT_PLAIN_MAX = QUEUE_BLOB_MAX,
    VAULT_FRAME_MAX = VAULT_PLAIN_MAX + SEAL_OVERHEAD_MAX + 4 * VAULT_WORD_MAX,
};

#endif
