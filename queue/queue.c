/* SPDX-License-Identifier: Apache-2.0 */
/* The front: finds the engine and passes calls on, having refused what breaks rule 2's limits. */
#include "queue/queue.h"

#include <stdlib.h>
#include <string.h>

#include "normalize/mem.h"
#include "queue/engine.h"

struct queue {
    const struct queue_engine *engine;
    void *state;
    bool read_only;
};

static const struct queue_engine *const queue_engines[] = {
    &queue_engine_sqlite,
    &queue_engine_memory,
};

int queue_open(const char *engine, const struct queue_options *options, int64_t now_ms,
               struct queue **out, struct err *err)
{
    *out = NULL;
    const struct queue_engine *found = NULL;
    for (size_t i = 0; i < sizeof queue_engines / sizeof queue_engines[0]; i++) {
        if (strcmp(queue_engines[i]->name, engine) == 0)
            found = queue_engines[i];
    }
    if (found == NULL)
        return err_set(err, ERR_CONFIG, "unknown queue engine '%.32s'", engine);
    struct queue *queue = mem_calloc(1, sizeof *queue);
    queue->engine = found;
    queue->read_only = options->read_only;
    if (found->open(options, now_ms, &queue->state, err) < 0) {
        free(queue);
        return -1;
    }
    *out = queue;
    return 0;
}

void queue_close(struct queue *queue)
{
    if (queue == NULL)
        return;
    queue->engine->close(queue->state);
    free(queue);
}

static void queue_op_reset(struct queue_op *op)
{
    op->result = QUEUE_PENDING;
    op->known_id[0] = '\0';
    op->fingerprint_differs = false;
    op->lease_count = 0;
}

int queue_apply(struct queue *queue, struct queue_op *const *ops, size_t n, int64_t now_ms,
                struct err *err)
{
    if (queue->read_only)
        return err_set(err, ERR_CONFIG, "cannot write the queue: opened read-only");
    if (n > QUEUE_OPS_MAX)
        return err_set(err, ERR_CONFIG, "%zu operations in one transaction, at most %d", n,
                       QUEUE_OPS_MAX);
    for (size_t i = 0; i < n; i++) {
        queue_op_reset(ops[i]);
        if (queue_op_check(ops[i], err) < 0)
            return -1;
    }
    if (n == 0 || queue->engine->apply(queue->state, ops, n, now_ms, err) == 0)
        return 0;
    for (size_t i = 0; i < n; i++) {
        for (size_t k = 0; k < ops[i]->lease_count; k++)
            buf_wipe(&ops[i]->leases[k].payload);
        queue_op_reset(ops[i]);
    }
    return -1;
}

int queue_report_get(struct queue *queue, const char *id, struct queue_report *out, struct err *err)
{
    *out = (struct queue_report){
        .body = BUF_INIT(QUEUE_BODY_MAX),
        .reporter = BUF_INIT(QUEUE_BODY_MAX),
        .reply = BUF_INIT(QUEUE_BODY_MAX),
    };
    return queue->engine->report_get(queue->state, id, out, err);
}

void queue_report_release(struct queue_report *report)
{
    buf_wipe(&report->body);
    buf_wipe(&report->reporter);
    buf_wipe(&report->reply);
}

int queue_blob_get(struct queue *queue, const char *id, const char *field, struct buf *out,
                   struct err *err)
{
    return queue->engine->blob_get(queue->state, id, field, out, err);
}

int queue_blob_list(struct queue *queue, const char *id, char (*fields)[QUEUE_WORD_MAX], size_t max,
                    size_t *n, struct err *err)
{
    *n = 0;
    return queue->engine->blob_list(queue->state, id, fields, max, n, err);
}

int queue_timeline(struct queue *queue, const char *id, struct queue_timeline_item **items,
                   size_t *n, struct err *err)
{
    *items = NULL;
    *n = 0;
    return queue->engine->timeline(queue->state, id, items, n, err);
}

void queue_timeline_free(struct queue_timeline_item *items, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        free(items[i].answer);
        free(items[i].photo_field);
    }
    free(items);
}

int queue_cursor_get(struct queue *queue, const char *channel_id, const char *name, struct buf *out,
                     struct err *err)
{
    return queue->engine->cursor_get(queue->state, channel_id, name, out, err);
}

int queue_health_get(struct queue *queue, const char *channel_id, struct buf *out, struct err *err)
{
    return queue->engine->health_get(queue->state, channel_id, out, err);
}

int queue_rows(struct queue *queue, enum queue_row_state state, int64_t after_id,
               struct queue_row **rows, size_t *n, struct err *err)
{
    *rows = NULL;
    *n = 0;
    return queue->engine->rows(queue->state, state, after_id, rows, n, err);
}

int queue_ids(struct queue *queue, enum queue_entry_kind kind, const char *after_id,
              char (**ids)[REPORT_ID_SIZE], size_t *n, struct err *err)
{
    *ids = NULL;
    *n = 0;
    return queue->engine->ids(queue->state, kind, after_id, ids, n, err);
}

int queue_followups(struct queue *queue, const char *parent_id, char (**ids)[REPORT_ID_SIZE],
                    size_t *n, struct err *err)
{
    *ids = NULL;
    *n = 0;
    return queue->engine->followups(queue->state, parent_id, ids, n, err);
}

int queue_stats(struct queue *queue, struct queue_stats *out, struct err *err)
{
    *out = (struct queue_stats){0};
    return queue->engine->stats(queue->state, out, err);
}
