/* SPDX-License-Identifier: Apache-2.0 */
#include "queue/queue_memory.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "normalize/mem.h"

static int64_t queue_memory_due(const struct queue_row *row)
{
    return row->not_before_ms > 0 ? row->not_before_ms : row->created_ms;
}

/* The oldest unfinished row of a chain, or NULL. */
static struct queue_memory_row *queue_memory_head(struct queue_memory *q, size_t chain,
                                                  enum queue_topic topic)
{
    for (size_t i = 0; i < q->row_count; i++) {
        struct queue_memory_row *row = &q->rows[i];
        if (row->chain == chain && row->row.topic == topic && row->row.state != QUEUE_DONE)
            return row;
    }
    return NULL;
}

void queue_memory_row_add(struct queue_memory *q, const char *id, size_t chain,
                          const struct queue_outbox *outbox, int64_t now_ms)
{
    bool held = queue_memory_head(q, chain, outbox->topic) != NULL;
    q->rows = mem_realloc(q->rows, q->row_count + 1, sizeof *q->rows);
    struct queue_memory_row *row = &q->rows[q->row_count++];
    *row = (struct queue_memory_row){
        .row = {.id = (int64_t)q->row_count,
                .topic = outbox->topic,
                .state = QUEUE_WAITING,
                .created_ms = now_ms,
                .not_before_ms = outbox->not_before_ms},
        .chain = chain,
        .payload = BUF_INIT(QUEUE_PAYLOAD_MAX),
    };
    snprintf(row->row.report_id, sizeof row->row.report_id, "%s", id);
    snprintf(row->row.kind, sizeof row->row.kind, "%s", outbox->kind);
    buf_add(&row->payload, outbox->payload.data, outbox->payload.len);
    row->due_ms = held ? QUEUE_MEMORY_NEVER : queue_memory_due(&row->row);
}

static int queue_memory_by_due(const void *a, const void *b)
{
    const struct queue_memory_row *left = *(struct queue_memory_row *const *)a;
    const struct queue_memory_row *right = *(struct queue_memory_row *const *)b;
    if (left->due_ms != right->due_ms)
        return left->due_ms < right->due_ms ? -1 : 1;
    return left->row.id < right->row.id ? -1 : 1;
}

static int queue_memory_by_id(const void *a, const void *b)
{
    const struct queue_memory_row *left = *(struct queue_memory_row *const *)a;
    const struct queue_memory_row *right = *(struct queue_memory_row *const *)b;
    return left->row.id < right->row.id ? -1 : 1;
}

static void queue_memory_lease_row(struct queue_memory_row *row, struct queue_op *op,
                                   int64_t now_ms)
{
    struct queue_lease *lease = &op->leases[op->lease_count++];
    *lease = (struct queue_lease){.id = row->row.id,
                                  .attempts = row->row.attempts,
                                  .created_ms = row->row.created_ms,
                                  .payload = BUF_INIT(QUEUE_PAYLOAD_MAX)};
    memcpy(lease->token, op->token, sizeof lease->token);
    memcpy(lease->report_id, row->row.report_id, sizeof lease->report_id);
    memcpy(lease->kind, row->row.kind, sizeof lease->kind);
    buf_add(&lease->payload, row->payload.data, row->payload.len);
    row->row.state = QUEUE_LEASED;
    row->row.attempts++;
    row->due_ms = now_ms + op->lease_ms;
    memcpy(row->token, op->token, sizeof row->token);
}

void queue_memory_lease(struct queue_memory *q, struct queue_op *op, int64_t now_ms)
{
    struct queue_memory_row **due = mem_calloc(q->row_count, sizeof *due);
    size_t n = 0;
    for (size_t i = 0; i < q->row_count; i++) {
        if (q->rows[i].row.topic == op->topic && q->rows[i].due_ms <= now_ms)
            due[n++] = &q->rows[i];
    }
    qsort(due, n, sizeof *due, queue_memory_by_due);
    n = n < op->limit ? n : op->limit;
    qsort(due, n, sizeof *due, queue_memory_by_id);
    for (size_t i = 0; i < n; i++)
        queue_memory_lease_row(due[i], op, now_ms);
    op->result = QUEUE_STORED;
    free(due);
}

static void queue_memory_reason(struct queue_memory_row *row, const char *text)
{
    snprintf(row->row.reason, sizeof row->row.reason, "%s", text == NULL ? "" : text);
}

static void queue_memory_finish(struct queue_memory *q, struct queue_memory_row *row,
                                const char *core_ref)
{
    row->row.state = QUEUE_DONE;
    row->row.attempts = 0;
    row->row.created_ms = 0;
    row->row.not_before_ms = 0;
    row->due_ms = QUEUE_MEMORY_NEVER;
    queue_memory_reason(row, NULL);
    buf_wipe(&row->payload);
    struct queue_memory_row *next = queue_memory_head(q, row->chain, row->row.topic);
    if (next != NULL)
        next->due_ms = queue_memory_due(&next->row);
    struct queue_memory_entry *entry = queue_memory_find(q, row->row.report_id);
    if (core_ref != NULL)
        snprintf(entry->report.core_ref, sizeof entry->report.core_ref, "%s", core_ref);
}

static void queue_memory_wait(struct queue_memory_row *row, int64_t not_before_ms, int64_t due_ms)
{
    row->row.state = QUEUE_WAITING;
    row->row.not_before_ms = not_before_ms;
    row->due_ms = due_ms;
}

static void queue_memory_row_do(struct queue_memory *q, struct queue_memory_row *row,
                                const struct queue_op *op, int64_t now_ms)
{
    switch (op->kind) {
    case QUEUE_EXTEND:
        row->due_ms = now_ms + op->lease_ms;
        break;
    case QUEUE_FINISH:
        queue_memory_finish(q, row, op->text);
        break;
    case QUEUE_RETRY:
        queue_memory_wait(row, op->not_before_ms, op->not_before_ms);
        queue_memory_reason(row, op->text);
        break;
    case QUEUE_BURY:
        row->row.state = QUEUE_BURIED;
        row->due_ms = QUEUE_MEMORY_NEVER;
        queue_memory_reason(row, op->text);
        break;
    default:
        queue_memory_wait(row, 0, now_ms);
        row->row.attempts = 0;
        break;
    }
}

void queue_memory_row_change(struct queue_memory *q, struct queue_op *op, int64_t now_ms)
{
    op->result = QUEUE_LOST;
    if (op->lease_id < 1 || (uint64_t)op->lease_id > q->row_count)
        return;
    struct queue_memory_row *row = &q->rows[op->lease_id - 1];
    bool held = op->kind == QUEUE_REVIVE
                    ? row->row.state == QUEUE_BURIED
                    : row->row.state == QUEUE_LEASED &&
                          memcmp(row->token, op->token, sizeof row->token) == 0;
    if (!held)
        return;
    op->result = QUEUE_STORED;
    queue_memory_row_do(q, row, op, now_ms);
}
