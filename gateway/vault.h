/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The vault process and its client. The vault alone holds the private key; it has no network and no
 * file but its key and its audit log. It answers three requests over a socketpair: its public key;
 * one reply address for one notice; one original for a replay out of quarantine. Nothing else
 * opens: not a reporter's identity, whoever asks. Every opening is an entry in the audit log (see
 * vault_audit.h), on disk before the answer goes out.
 */
#ifndef KANAL_GATEWAY_VAULT_H
#define KANAL_GATEWAY_VAULT_H

#include <stdbool.h>
#include <stddef.h>

#include "gateway/seal.h"
#include "normalize/buf.h"
#include "normalize/err.h"

struct vault_client;

enum {
    VAULT_CALL_MS = 5 * 1000,
    VAULT_OPENINGS_PER_S =
        200, /* a city's notices in a storm; a thief needs days for its archive */
    VAULT_OPENINGS_BURST = 50,
};

/*
 * Starts `kanal vault --state dir` and asks for its key. The private key is read by that process
 * from the systemd credential "vault.key" when there is one, else from dir/vault.key, which is made
 * at the first start; dir (0700) is made too, its parent is not. *created: the key pair is new (the
 * caller prints where it lies). A thread of the client starts the vault again when it dies; calls
 * wait for that within their time, then fail ERR_TRANSIENT. Calls may come from several threads;
 * one at a time is served. -1: ERR_CONFIG from the vault itself (keys, audit log), ERR_TRANSIENT.
 */
int vault_client_start(const char *dir, bool *created,
                       unsigned char public_key[static SEAL_PUBLIC_KEY_SIZE],
                       struct vault_client **out, struct err *err);

enum vault_purpose { VAULT_NOTICE, VAULT_REPLAY };

/* Opens one envelope for a purpose; appends the plain bytes to *out (wipe it after use). reason is
 * a fixed word or a notice key of letters, digits and "._:-", never personal. VAULT_NOTICE opens
 * field "reply", VAULT_REPLAY field "original". Blocks, at most VAULT_CALL_MS. -1 ERR_TRANSIENT:
 * the vault is down or slow; ERR_PERMANENT: it refuses, or the envelope is not what it should be.
 */
int vault_client_open(struct vault_client *client, enum vault_purpose purpose,
                      const char *report_id, const char *field, const char *reason,
                      const void *envelope, size_t len, struct buf *out, struct err *err);

/* The process id, for tests and the operator's page; 0 while it is down. */
int vault_client_pid(struct vault_client *client);

void vault_client_stop(struct vault_client *client);

/* The role itself: `kanal vault --state dir`; socket is the inherited end. Returns the exit status.
 */
int vault_main(int socket, const char *dir);

/* Prints the audit log (`kanal audit`), checking the chain: 0 whole; 1 broken (the line is named on
 * stderr, nothing behind it is printed) or not there. */
int vault_audit_print(const char *dir, bool json);

#endif
