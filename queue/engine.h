/* SPDX-License-Identifier: Apache-2.0 */
/* What an engine implements; queue.c checks arguments and limits before it calls. See queue.h. */
#ifndef KANAL_QUEUE_ENGINE_H
#define KANAL_QUEUE_ENGINE_H

#include "queue/queue.h"

struct queue_engine {
    const char *name;
    /* Gives the engine's own state. */
    int (*open)(const struct queue_options *options, int64_t now_ms, void **state, struct err *err);
    int (*apply)(void *state, struct queue_op *const *ops, size_t n, int64_t now_ms,
                 struct err *err);
    int (*report_get)(void *state, const char *id, struct queue_report *out, struct err *err);
    int (*blob_get)(void *state, const char *id, const char *field, struct buf *out,
                    struct err *err);
    int (*blob_list)(void *state, const char *id, char (*fields)[QUEUE_WORD_MAX], size_t max,
                     size_t *n, struct err *err);
    int (*timeline)(void *state, const char *id, struct queue_timeline_item **items, size_t *n,
                    struct err *err);
    int (*cursor_get)(void *state, const char *channel_id, const char *name, struct buf *out,
                      struct err *err);
    int (*health_get)(void *state, const char *channel_id, struct buf *out, struct err *err);
    int (*rows)(void *state, enum queue_row_state row_state, int64_t after_id,
                struct queue_row **rows, size_t *n, struct err *err);
    int (*ids)(void *state, enum queue_entry_kind kind, const char *after_id,
               char (**ids)[REPORT_ID_SIZE], size_t *n, struct err *err);
    int (*followups)(void *state, const char *parent_id, char (**ids)[REPORT_ID_SIZE], size_t *n,
                     struct err *err);
    int (*stats)(void *state, struct queue_stats *out, struct err *err);
    void (*close)(void *state);
};

extern const struct queue_engine queue_engine_sqlite;
extern const struct queue_engine queue_engine_memory;

#endif
