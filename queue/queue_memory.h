/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The memory engine, private to queue_memory*.c: the contract in plain arrays, for tests and for
 * reading. Nothing survives queue_close(); operations cannot fail once queue_op_check() let them
 * pass, so a transaction needs no way back. One lock around everything.
 */
#ifndef KANAL_QUEUE_MEMORY_H
#define KANAL_QUEUE_MEMORY_H

#include <pthread.h>

#include "queue/engine.h"

#define QUEUE_MEMORY_NEVER INT64_MAX /* due_ms of rows no lease may take */

struct queue_memory_blob {
    char *field;
    struct buf data;
    int64_t expires_day;
};

struct queue_memory_entry {
    struct queue_report report;
    struct queue_memory_blob *blobs;
    size_t blob_count;
};

struct queue_memory_key {
    unsigned char key[QUEUE_DEDUP_KEY_SIZE], fingerprint[QUEUE_DEDUP_KEY_SIZE];
    size_t entry;
};

struct queue_memory_event {
    size_t entry;
    char *key;
    struct queue_timeline_item item;
};

/* ids are indexes + 1. chain: the entry whose order the row keeps. */
struct queue_memory_row {
    struct queue_row row;
    size_t chain;
    int64_t due_ms;
    unsigned char token[QUEUE_TOKEN_SIZE];
    struct buf payload;
};

/* A cursor, or with name NULL a channel's health. */
struct queue_memory_word {
    char *channel_id, *name, *text;
};

struct queue_memory {
    pthread_mutex_t lock;
    struct queue_memory_entry *entries;
    struct queue_memory_key *keys;
    struct queue_memory_event *events;
    struct queue_memory_row *rows;
    struct queue_memory_word *words;
    size_t entry_count, key_count, event_count, row_count, word_count;
};

/* NULL when there is no such thing. */
struct queue_memory_entry *queue_memory_find(struct queue_memory *q, const char *id);
struct queue_memory_word *queue_memory_word(struct queue_memory *q, const char *channel_id,
                                            const char *name);

int queue_memory_apply(void *state, struct queue_op *const *ops, size_t n, int64_t now_ms,
                       struct err *err);

/* queue_memory_outbox.c: what queue_memory_apply() hands on. */
void queue_memory_row_add(struct queue_memory *q, const char *id, size_t chain,
                          const struct queue_outbox *outbox, int64_t now_ms);
void queue_memory_lease(struct queue_memory *q, struct queue_op *op, int64_t now_ms);
/* EXTEND, FINISH, RETRY, BURY, REVIVE. */
void queue_memory_row_change(struct queue_memory *q, struct queue_op *op, int64_t now_ms);

#endif
