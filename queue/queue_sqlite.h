/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The sqlite engine, private to queue_sqlite*.c: what an open engine holds and the functions its
 * files share. The writer connection belongs to the thread in queue_apply(); the pool to everyone.
 */
#ifndef KANAL_QUEUE_SQLITE_H
#define KANAL_QUEUE_SQLITE_H

#include <pthread.h>

#include "queue/blob_segment.h"
#include "queue/engine.h"
#include "queue/queue_sqlite_db.h"

enum { QUEUE_READERS_KEPT = 8 /* more threads than that open and close theirs */ };

/* Read-only connections that wait for a reader. */
struct queue_pool {
    pthread_mutex_t lock;
    char *file;
    struct queue_db *idle[QUEUE_READERS_KEPT];
    size_t idle_count;
};

/* Columns of table tally that operations change, in the order of QUEUE_SQL_TALLY_ADD. */
enum queue_tally {
    QUEUE_TALLY_KIND = 0,    /* + enum queue_entry_kind */
    QUEUE_TALLY_WAITING = 4, /* + topic */
    QUEUE_TALLY_LEASED = 6,
    QUEUE_TALLY_BURIED = 8,
    QUEUE_TALLY_COUNT = 10,
};

struct queue_ranges {
    struct blob_range *items;
    size_t count, cap;
};

struct queue_sqlite {
    bool read_only;
    bool broken; /* a commit's outcome is unknown: nothing is written any more */
    int lock_file;
    int log_pages; /* in the write-ahead log after the last commit */
    struct queue_db writer;
    struct queue_pool pool;
    struct blob_segments segments;
    int64_t next_entry; /* row number */
    /* Of the transaction at work; see queue_sqlite_begin(). */
    int64_t next_entry_mark;
    int64_t tally[QUEUE_TALLY_COUNT];
    int64_t appended; /* pieces in segments.current that table segment does not count yet */
    struct queue_ranges dead;
    struct buf content; /* of the entry at work, in one piece */
    bool dead_listed;   /* table dead holds ranges that are off the disk */
};

/* queue_sqlite_apply.c: one transaction. */
int queue_sqlite_apply(void *state, struct queue_op *const *ops, size_t n, int64_t now_ms,
                       struct err *err);
/* Rewrites the clean-stop marker, forgets erased ranges, in one transaction. */
int queue_sqlite_mark_clean(struct queue_sqlite *q, bool clean, struct err *err);

/* What runs one kind of operation inside the transaction. */
typedef int queue_sqlite_op(struct queue_sqlite *q, struct queue_op *op, int64_t now_ms,
                            struct err *err);

struct queue_sqlite_found {
    int64_t n, kind;
    struct blob_range content; /* length 0: none */
};

/* queue_sqlite_entry.c */
queue_sqlite_op queue_sqlite_accept, queue_sqlite_resolve, queue_sqlite_event, queue_sqlite_cursor,
    queue_sqlite_health;
/* An entry's row: 1 found, 0, -1. */
int queue_sqlite_entry_find(struct queue_sqlite *q, const char *id,
                            struct queue_sqlite_found *found, struct err *err);

/* queue_sqlite_outbox.c */
queue_sqlite_op queue_sqlite_lease, queue_sqlite_extend, queue_sqlite_finish, queue_sqlite_retry,
    queue_sqlite_bury, queue_sqlite_revive;
/* Queues work. chain: the entry whose order it keeps; fresh: nothing of that chain and topic can be
 * there yet. */
int queue_sqlite_outbox_add(struct queue_sqlite *q, int64_t entry, int64_t chain, bool fresh,
                            const struct queue_outbox *outbox, int64_t now_ms, struct err *err);

/* queue_sqlite_blob.c */
queue_sqlite_op queue_sqlite_blob_erase, queue_sqlite_expire;
/* Appends a piece to the segments and counts it. */
int queue_sqlite_append(struct queue_sqlite *q, const void *data, size_t len,
                        struct blob_place *place, struct err *err);
/* Removes a piece that no row names any more. */
int queue_sqlite_discard(struct queue_sqlite *q, const struct blob_range *range, struct err *err);
/* Writes a blob and its row as the entry's n-th. */
int queue_sqlite_blob_add(struct queue_sqlite *q, int64_t entry, int64_t n,
                          const struct queue_blob *blob, struct err *err);
/* Writes a blob in place of one of the same field, behind the entry's others. */
int queue_sqlite_blob_replace(struct queue_sqlite *q, int64_t entry, const struct queue_blob *blob,
                              struct err *err);
/* Before the commit: the table of segments and the list of the dead say what is true. */
int queue_sqlite_blobs_settle(struct queue_sqlite *q, struct err *err);
/* After the commit: takes dead ranges off the disk. */
int queue_sqlite_blobs_bury(struct queue_sqlite *q, struct err *err);
/* At open: finishes an erasure that was cut short, frees what no row names. */
int queue_sqlite_blobs_recover(struct queue_sqlite *q, struct err *err);

/* queue_sqlite_pool.c */
void queue_pool_init(struct queue_pool *pool, const char *file);
void queue_pool_release(struct queue_pool *pool);
/* A connection for the calling thread, NULL on errors; queue_pool_give() it back. */
struct queue_db *queue_pool_take(struct queue_pool *pool, struct err *err);
void queue_pool_give(struct queue_pool *pool, struct queue_db *db);

/* queue_sqlite_read.c, queue_sqlite_list.c: see queue.h. */
int queue_sqlite_report_get(void *state, const char *id, struct queue_report *out, struct err *err);
int queue_sqlite_blob_get(void *state, const char *id, const char *field, struct buf *out,
                          struct err *err);
int queue_sqlite_blob_list(void *state, const char *id, char (*fields)[QUEUE_WORD_MAX], size_t max,
                           size_t *n, struct err *err);
int queue_sqlite_timeline(void *state, const char *id, struct queue_timeline_item **items,
                          size_t *n, struct err *err);
int queue_sqlite_cursor_get(void *state, const char *channel_id, const char *name, struct buf *out,
                            struct err *err);
int queue_sqlite_health_get(void *state, const char *channel_id, struct buf *out, struct err *err);
int queue_sqlite_rows(void *state, enum queue_row_state row_state, int64_t after_id,
                      struct queue_row **rows, size_t *n, struct err *err);
int queue_sqlite_ids(void *state, enum queue_entry_kind kind, const char *after_id,
                     char (**ids)[REPORT_ID_SIZE], size_t *n, struct err *err);
int queue_sqlite_followups(void *state, const char *parent_id, char (**ids)[REPORT_ID_SIZE],
                           size_t *n, struct err *err);
int queue_sqlite_stats(void *state, struct queue_stats *out, struct err *err);

#endif
