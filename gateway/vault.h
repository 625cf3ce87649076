/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The vault process and its client. The vault alone holds the private key; it has no network and no
 * file but its key and its audit log. It answers three requests over a socketpair: its public key;
 * one reply address for one notice; one original for a replay out of quarantine. Every opening is
 * an entry in the audit log (hash chain: BLAKE2b of the previous entry's hash and the entry), on
 * disk before the answer goes out.
 */
#ifndef KANAL_GATEWAY_VAULT_H
#define KANAL_GATEWAY_VAULT_H

#include <stddef.h>

#include "gateway/seal.h"
#include "normalize/buf.h"
#include "normalize/err.h"

struct vault_client;

/*
 * Starts `kanal vault --state dir` (dir/vault.key, dir/audit.log) and asks for its key. *created:
 * the key pair is new (the caller prints where it lies). Restarts it when it died; calls then fail
 * ERR_TRANSIENT until it is back. Calls may come from several threads; one at a time is served.
 */
int vault_client_start(const char *dir, const struct secret *key, bool *created,
                       unsigned char public_key[static SEAL_PUBLIC_KEY_SIZE],
                       struct vault_client **out, struct err *err);

enum vault_purpose { VAULT_NOTICE, VAULT_REPLAY };

/* Opens one envelope for a purpose; appends the plain bytes to *out (wipe it after use). reason is
 * a fixed word or a notice key, never personal. Blocks, at most 5 s. */
int vault_client_open(struct vault_client *client, enum vault_purpose purpose,
                      const char *report_id, const char *field, const char *reason,
                      const void *envelope, size_t len, struct buf *out, struct err *err);

/* The process id, for tests and the operator's page; 0 while it is down. */
int vault_client_pid(struct vault_client *client);

void vault_client_stop(struct vault_client *client);

/* The role itself: `kanal vault`; socket is the inherited end. Returns the exit status. */
int vault_main(int socket, const char *dir, const struct secret *key);

/* Prints the audit log (`kanal audit`), checking the chain: 0 whole, 1 broken (the line is named).
 */
int vault_audit_print(const char *dir, bool json);

#endif
