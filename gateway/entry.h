/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From a record to what the queue stores: threading decided, identity sealed, text encrypted, the
 * outbox filled. Runs on a worker slot's thread; reads the queue, writes nothing.
 */
#ifndef KANAL_GATEWAY_ENTRY_H
#define KANAL_GATEWAY_ENTRY_H

#include "gateway/gateway.h"
#include "normalize/inbound.h"
#include "normalize/report.h"
#include "queue/queue.h"

enum {
    ENTRY_ORIGINAL_DAYS = 30, /* how long a sealed original is kept */
    ENTRY_PHOTO_DAYS = 95,    /* 90 after the core has it, which it has within 5 days or never */
};

/* A finished entry and the memory behind it. */
struct entry {
    struct queue_entry queue;
    struct queue_op op; /* ACCEPT or RESOLVE of queue */
    char id[REPORT_ID_SIZE], parent[REPORT_ID_SIZE];
    char channel_id[QUEUE_WORD_MAX], channel_kind[QUEUE_WORD_MAX];
    unsigned char dedup_key[QUEUE_DEDUP_KEY_SIZE], fingerprint[QUEUE_DEDUP_KEY_SIZE];
    unsigned char reporter_index[QUEUE_INDEX_SIZE];
    char reason[256];
    struct buf body, reporter, reply, original, payload[2];
    struct buf photos[REPORT_ATTACHMENTS_MAX];
    char photo_fields[REPORT_ATTACHMENTS_MAX][32];
};

/* How the caller knows more than the record says. */
struct entry_facts {
    const char *id;         /* replay: the quarantined entry's; NULL: a new one is drawn */
    const char *follow;     /* a report this is a proven follow-up of; NULL none */
    const char *matched_by; /* with follow */
};

/*
 * Makes *out (zeroed by the caller, entry_release() it also on failure) of a record; fills in the
 * record's id and thread, so that the receipt shows what was stored. -1 ERR_TRANSIENT.
 */
int entry_make(struct gateway *gateway, const struct inbound *in, struct record *record,
               const struct entry_facts *facts, struct entry *out, struct err *err);

/* The same for a message nothing could be made of. reason: a fixed word or an err text. */
int entry_make_quarantine(struct gateway *gateway, const struct inbound *in, const char *reason,
                          struct entry *out, struct err *err);

/* Call it once the entry is stored as new: counts its acknowledgement against the cap. */
void entry_stored(struct gateway *gateway, const struct entry *entry);

void entry_release(struct entry *entry);

#endif
