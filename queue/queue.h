/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The queue: durable reports, their outbox, timeline, cursors and quarantine. One interface,
 * several engines (sqlite, memory; postgres later). Rules for engines and callers:
 *
 *  1. Every change is an operation. queue_apply() applies a list of them in ONE transaction, in
 *     order: when it returns 0 all of them are on stable storage, each with its own result.
 *  2. When it returns -1, err says which: ERR_TRANSIENT: nothing was applied, try again (busy, disk
 *     full). ERR_CONFIG: an operation breaks a limit (queue_op_check()) or the
 *     queue is read-only: nothing was applied, nor ever will be. ERR_PERMANENT: the outcome of the
 *     commit is UNKNOWN; the caller must acknowledge nothing and stop the process.
 *  3. Time is an argument (now_ms, Unix epoch UTC). Engines have no clock, do not log, do not
 *     retry.
 *  4. Leases carry a token. done, retry, bury and extend with a token that is no longer the lease's
 *     change nothing and result in QUEUE_LOST. Several gateways may work on one database: nothing
 *     in a process is the truth.
 *  5. One struct queue has one writer: queue_apply() is called by one thread at a time. The readers
 *     (queue_*_get, queue_*_list) may be called by any thread at any time, also from other
 *     processes that opened the queue with read_only set.
 *  6. Engines hold rows, not meaning: bodies and payloads are opaque bytes, encrypted by the
 *     caller.
 *  7. Work for one report leaves in order: a row is leased only when its report has no older
 *     unfinished row of the same topic (a buried one is unfinished). For QUEUE_TO_CORE a
 *     follow-up's rows count as its parent's, so an update never overtakes the ticket; its rows to
 *     the reporter are its own.
 */
#ifndef KANAL_QUEUE_QUEUE_H
#define KANAL_QUEUE_QUEUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "normalize/buf.h"
#include "normalize/err.h"
#include "normalize/id.h"
#include "normalize/inbound.h"

enum {
    QUEUE_DEDUP_KEY_SIZE = 32,
    QUEUE_INDEX_SIZE = 16,
    QUEUE_TOKEN_SIZE = 16,
    QUEUE_WORD_MAX = 128,       /* ids, codes, names of states */
    QUEUE_TEXT_MAX = 16 * 1024, /* an agency's public answer */
    QUEUE_BODY_MAX = 2 * 1024 * 1024,
    QUEUE_BLOB_MAX = INBOUND_RAW_MAX + 1024 * 1024, /* an original with its facts, sealed */
    QUEUE_PAYLOAD_MAX = 64 * 1024 * 1024,           /* a ticket, public photos in base64 in it */
    QUEUE_BLOBS_PER_ENTRY_MAX = 64,
    QUEUE_OUTBOX_PER_ENTRY_MAX = 4,
    QUEUE_OPS_MAX = 1024,  /* in one transaction */
    QUEUE_LIST_MAX = 1000, /* rows one list call returns */
};

/* Borrowed bytes; data NULL and len 0: none. */
struct queue_bytes {
    const void *data;
    size_t len;
};

enum queue_entry_kind {
    QUEUE_REPORT,
    QUEUE_FOLLOWUP,
    QUEUE_NOT_REPORT, /* a recognised non-report: kept, not forwarded */
    QUEUE_QUARANTINE, /* could not be normalized: the sealed original only */
};

enum queue_topic { QUEUE_TO_CORE, QUEUE_TO_REPORTER };

/* One piece of work to be done for a report. kind is the caller's word ("ticket", "update", "ack",
 * "status"); payload is frozen: what a retry sends is what the first try sent. */
struct queue_outbox {
    enum queue_topic topic;
    const char *kind;
    struct queue_bytes payload;
    int64_t not_before_ms; /* 0: at once */
};

/* A large piece, stored apart: the sealed original, a clean photo. */
struct queue_blob {
    const char *field; /* "original", "photo:1" */
    struct queue_bytes data;
    int64_t expires_day; /* days since 1970-01-01; 0: kept */
};

/* Everything one message becomes. The engine copies nothing beyond queue_apply(): all borrowed. */
struct queue_entry {
    enum queue_entry_kind kind;
    const char *id;                 /* stored form of the report ID, unique */
    const unsigned char *dedup_key; /* QUEUE_DEDUP_KEY_SIZE bytes, unique for ever */
    const unsigned char
        *dedup_fingerprint; /* same size: tells a repeat from another use of a key */
    const char *channel_id, *channel_kind;
    const char *parent_id; /* follow-ups: the report they belong to; else NULL */
    const char *category, *kelurahan_code, *language; /* NULL unknown */
    bool public_report;
    int64_t received_day;                /* days since 1970-01-01 in the city's time zone */
    const unsigned char *reporter_index; /* QUEUE_INDEX_SIZE bytes or NULL */
    struct queue_bytes body;             /* the canonical report, encrypted */
    struct queue_bytes reporter;         /* sealed identity */
    struct queue_bytes reply; /* sealed reply address; none: cannot or must not be answered */
    const char *reason;       /* quarantine: why, a fixed word or err text */
    struct queue_blob blobs[QUEUE_BLOBS_PER_ENTRY_MAX];
    size_t blob_count;
    struct queue_outbox outbox[QUEUE_OUTBOX_PER_ENTRY_MAX];
    size_t outbox_count;
};

/* A change of state a core reported. */
struct queue_event {
    const char *report_id;
    const char *key; /* the core's id of this update, unique per report: applied once */
    int64_t day;
    const char *state, *agency, *answer; /* agency and answer may be NULL */
    const char *photo_field;             /* evidence, stored as a blob of the report; NULL none */
    struct queue_bytes photo;            /* its bytes; none: the blob is there already */
};

struct queue_lease {
    int64_t id;
    unsigned char token[QUEUE_TOKEN_SIZE];
    char report_id[REPORT_ID_SIZE];
    char kind[32];
    int attempts;       /* times it was leased before this one */
    int64_t created_ms; /* when the work was first queued */
    struct buf payload;
};

enum queue_op_kind {
    QUEUE_ACCEPT,  /* entry -> STORED, or KNOWN with known_id when the dedup key is held; LOST: its
                      id is another entry's, choose another */
    QUEUE_RESOLVE, /* entry replaces the quarantined entry of the same id -> STORED, LOST when it is
                      no longer in quarantine, KNOWN when its dedup key is another entry's. The
                      entry's earlier dedup key stays held, its blobs stay unless replaced */
    QUEUE_LEASE,   /* topic, limit, lease_ms, token -> STORED; leases[] filled, oldest first, with
                      those due longest (not_before_ms, else when queued; an expired lease: when it
                      expired); see rule 7 */
    QUEUE_EXTEND,  /* lease_id, token, lease_ms */
    QUEUE_FINISH, /* lease_id, token, text (the core's reference of the ticket or NULL); the payload
                     and its times are erased */
    QUEUE_RETRY,  /* lease_id, token, not_before_ms, text (reason) */
    QUEUE_BURY,   /* lease_id, token, text (reason) */
    QUEUE_REVIVE, /* lease_id: a buried row is due again, attempts start at 0; LOST: not buried */
    QUEUE_EVENT,  /* event, outbox when has_outbox; KNOWN when event.key is held; LOST when no such
                     report */
    QUEUE_CURSOR, /* channel_id, name, text: remembers a cursor */
    QUEUE_HEALTH, /* channel_id, text: a channel's last known health, opaque */
    QUEUE_BLOB_ERASE, /* entry.id, text (field; NULL all): blobs are gone from disk afterwards; LOST
                         when no such report */
    QUEUE_EXPIRE,     /* day: erases every blob whose expires_day is not 0 and <= day */
};

enum queue_result { QUEUE_PENDING, QUEUE_STORED, QUEUE_KNOWN, QUEUE_LOST };

struct queue_op {
    enum queue_op_kind kind;
    /* arguments, borrowed */
    const struct queue_entry *entry;
    const struct queue_event *event;
    struct queue_outbox outbox;
    bool has_outbox;
    const char *channel_id, *name, *text;
    enum queue_topic topic;
    int64_t lease_id;
    unsigned char token[QUEUE_TOKEN_SIZE];
    int64_t lease_ms, not_before_ms, day;
    size_t limit; /* of leases[] */
    /* results */
    enum queue_result result;
    char known_id[REPORT_ID_SIZE]; /* ACCEPT, RESOLVE: who holds the dedup key */
    bool fingerprint_differs;      /* ... and that it was used for other content */
    struct queue_lease *leases;    /* LEASE: caller's array of limit items, released by caller */
    size_t lease_count;
};

enum queue_row_state { QUEUE_WAITING, QUEUE_LEASED, QUEUE_DONE, QUEUE_BURIED };

/* What queue_report_get() gives. */
struct queue_report {
    enum queue_entry_kind kind;
    char id[REPORT_ID_SIZE], parent_id[REPORT_ID_SIZE];
    char channel_id[QUEUE_WORD_MAX], channel_kind[QUEUE_WORD_MAX];
    char category[QUEUE_WORD_MAX], kelurahan_code[QUEUE_WORD_MAX], language[QUEUE_WORD_MAX];
    char core_ref[QUEUE_WORD_MAX]; /* "" until the core has it */
    char reason[256];
    bool public_report;
    int64_t received_day;
    bool has_reporter_index;
    unsigned char reporter_index[QUEUE_INDEX_SIZE];
    struct buf body, reporter, reply;
};

struct queue_timeline_item {
    int64_t day;
    char state[QUEUE_WORD_MAX], agency[QUEUE_WORD_MAX];
    char *answer, *photo_field; /* owned or NULL */
};

struct queue_row {
    int64_t id;
    char report_id[REPORT_ID_SIZE];
    enum queue_topic topic;
    char kind[32];
    enum queue_row_state state;
    int attempts;
    int64_t created_ms, not_before_ms;
    char reason[256];
};

/* One count of queue_stats(). */
struct queue_stats {
    int64_t reports, followups, not_reports, quarantined;
    int64_t waiting[2], leased[2], buried[2]; /* by topic */
    int64_t oldest_waiting_ms[2];             /* created_ms, 0 when none */
};

struct queue_options {
    const char *path; /* sqlite: the folder of the database and the blob segments */
    bool read_only;   /* readers only, beside a running gateway or without one */
    bool check;       /* verify integrity even after a clean stop */
};

struct queue;

/*
 * Opens an engine by name ("sqlite", "memory"). After an unclean stop sqlite checks integrity
 * before it returns; its folder has one owner, so leases of an earlier one end here. Makes what is
 * missing unless read_only. -1 ERR_CONFIG: unknown engine, a newer schema ("made by a newer
 * kanal"), held by another process, nothing there to read; ERR_PERMANENT: damaged; ERR_TRANSIENT:
 * the disk.
 */
int queue_open(const char *engine, const struct queue_options *options, int64_t now_ms,
               struct queue **out, struct err *err);

/* Marks a clean stop and closes. NULL is fine. */
void queue_close(struct queue *queue);

/* Whether queue_apply() would refuse this operation, and with it all that share its transaction:
 * 0, or -1 ERR_CONFIG naming what is missing or passes a limit. Pure; any thread. */
int queue_op_check(const struct queue_op *op, struct err *err);

/* See rules 1, 2, 5. n <= QUEUE_OPS_MAX. After -1 no operation has a result. */
int queue_apply(struct queue *queue, struct queue_op *const *ops, size_t n, int64_t now_ms,
                struct err *err);

/* 1: *out is filled (queue_report_release() it); 0: no such report; -1. */
int queue_report_get(struct queue *queue, const char *id, struct queue_report *out,
                     struct err *err);
void queue_report_release(struct queue_report *report);

/* Appends a blob's bytes to *out. 1 found, 0 not there (never was, expired, erased), -1 (also when
 * its checksum does not match: ERR_PERMANENT). */
int queue_blob_get(struct queue *queue, const char *id, const char *field, struct buf *out,
                   struct err *err);

/* The timeline, oldest first; gives *items (queue_timeline_free()). */
int queue_timeline(struct queue *queue, const char *id, struct queue_timeline_item **items,
                   size_t *n, struct err *err);
void queue_timeline_free(struct queue_timeline_item *items, size_t n);

/* The blob fields of a report, in the order stored: up to max names of QUEUE_WORD_MAX bytes. */
int queue_blob_list(struct queue *queue, const char *id, char (*fields)[QUEUE_WORD_MAX], size_t max,
                    size_t *n, struct err *err);

/* Appends the cursor's or health's text to *out. 1 found, 0 none, -1. */
int queue_cursor_get(struct queue *queue, const char *channel_id, const char *name, struct buf *out,
                     struct err *err);
int queue_health_get(struct queue *queue, const char *channel_id, struct buf *out, struct err *err);

/* Outbox rows in one state, oldest first, id > after_id; gives up to QUEUE_LIST_MAX rows (free()).
 */
int queue_rows(struct queue *queue, enum queue_row_state state, int64_t after_id,
               struct queue_row **rows, size_t *n, struct err *err);

/* IDs of entries of one kind, oldest first, after the given one (NULL: from the first); up to
 * QUEUE_LIST_MAX of REPORT_ID_SIZE bytes each (free()). */
int queue_ids(struct queue *queue, enum queue_entry_kind kind, const char *after_id,
              char (**ids)[REPORT_ID_SIZE], size_t *n, struct err *err);

/* IDs of the follow-ups of a report, oldest first; as queue_ids(). */
int queue_followups(struct queue *queue, const char *parent_id, char (**ids)[REPORT_ID_SIZE],
                    size_t *n, struct err *err);

int queue_stats(struct queue *queue, struct queue_stats *out, struct err *err);

#endif
