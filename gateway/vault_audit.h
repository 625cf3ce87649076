/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The vault's audit log: DIR/audit.log, one JSON line for each opening, only ever appended to. Each
 * line ends in the BLAKE2b-256 of the hash before it and its own bytes, so that no line can be
 * changed, moved or taken out of the middle unseen. A line that a crash cut short was never
 * answered: the next start drops it and says so in an entry of its own.
 *
 *   {"n":1,"time":"2026-11-21T03:03:27Z","purpose":"notice","field":"reply","reason":"ack",
 *    "report":"<keyed hash>","hash":"<64 hex digits>"}
 */
#ifndef KANAL_GATEWAY_VAULT_AUDIT_H
#define KANAL_GATEWAY_VAULT_AUDIT_H

#include <stdbool.h>
#include <stdint.h>

#include "normalize/err.h"

enum {
    VAULT_AUDIT_HASH_SIZE = 32,
    VAULT_AUDIT_REASON_MAX = 128,        /* bytes */
    VAULT_AUDIT_LOCK_WAIT_MS = 5 * 1000, /* for a predecessor that is just ending */
};

struct vault_audit {
    int fd;
    uint64_t n; /* of the last entry */
    unsigned char head[VAULT_AUDIT_HASH_SIZE];
};

/* One opening. All text is of letters, digits and "._:-" only; NULL: null. */
struct vault_audit_entry {
    const char *purpose, *field, *reason;
    const char *report; /* keyed hash in hex, never the ID */
};

/* Whether text may stand in an entry: 1 to VAULT_AUDIT_REASON_MAX of the characters above. */
bool vault_audit_word(const char *text);

/* Opens dir/audit.log for this process alone, makes it when it is not there, repairs a torn end.
 * -1 ERR_CONFIG: its last line is no entry, or another vault holds it. */
int vault_audit_open(const char *dir, int64_t wall_ms, struct vault_audit *audit, struct err *err);

/* Appends an entry; 0 once it is on the disk. -1 ERR_TRANSIENT: whether it is, is unknown: give no
 * answer and end. */
int vault_audit_append(struct vault_audit *audit, const struct vault_audit_entry *entry,
                       int64_t wall_ms, struct err *err);

void vault_audit_close(struct vault_audit *audit);

#endif
