/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Work in flight. Of each chain (a report and a topic) only the oldest unfinished row carries
 * due_ms, so that the index of due rows holds nothing a lease must skip; finishing a row hands
 * due_ms to the next of its chain.
 */
#include <stdlib.h>
#include <string.h>

#include "queue/queue_sqlite.h"

/* What one row is at the moment. */
struct queue_sqlite_row {
    int64_t n, state, chain, entry;
    int topic;
    bool token_fits;
};

/* Queued rows are due when queued, so that work is taken in the order it came. */
static int64_t queue_sqlite_due(int64_t created_ms, int64_t not_before_ms)
{
    return not_before_ms > 0 ? not_before_ms : created_ms;
}

/* The oldest unfinished row of a chain: 1, 0, -1; *due_ms: when it may be leased. */
static int queue_sqlite_head(struct queue_sqlite *q, int64_t chain, int topic, int64_t *n,
                             int64_t *due_ms, struct err *err)
{
    const enum queue_sql which = QUEUE_SQL_OUTBOX_HEAD;
    queue_bind_int(&q->writer, which, 1, chain);
    queue_bind_int(&q->writer, which, 2, topic);
    int found = queue_db_next(&q->writer, which, err);
    if (found <= 0)
        return found;
    *n = queue_column_int(&q->writer, which, 0);
    *due_ms = queue_sqlite_due(queue_column_int(&q->writer, which, 1),
                               queue_column_int(&q->writer, which, 2));
    queue_db_done(&q->writer, which);
    return 1;
}

int queue_sqlite_outbox_add(struct queue_sqlite *q, int64_t entry, int64_t chain, bool fresh,
                            const struct queue_outbox *outbox, int64_t now_ms, struct err *err)
{
    const enum queue_sql which = QUEUE_SQL_OUTBOX_INSERT;
    int64_t unused = 0;
    int held = fresh ? 0 : queue_sqlite_head(q, chain, (int)outbox->topic, &unused, &unused, err);
    if (held < 0)
        return -1;
    queue_bind_int(&q->writer, which, 1, entry);
    queue_bind_int(&q->writer, which, 2, outbox->topic);
    queue_bind_text(&q->writer, which, 3, outbox->kind);
    queue_bind_int(&q->writer, which, 4, chain);
    if (held == 1)
        queue_bind_bytes(&q->writer, which, 5, NULL, 0);
    else
        queue_bind_int(&q->writer, which, 5, queue_sqlite_due(now_ms, outbox->not_before_ms));
    queue_bind_int(&q->writer, which, 6, now_ms);
    queue_bind_int(&q->writer, which, 7, outbox->not_before_ms);
    if (queue_db_run(&q->writer, which, NULL, err) < 0)
        return -1;
    q->tally[QUEUE_TALLY_WAITING + outbox->topic]++;
    if (outbox->payload.len == 0)
        return 0;
    queue_bind_int(&q->writer, QUEUE_SQL_PAYLOAD_INSERT, 1,
                   sqlite3_last_insert_rowid(q->writer.handle));
    queue_bind_bytes(&q->writer, QUEUE_SQL_PAYLOAD_INSERT, 2, outbox->payload.data,
                     outbox->payload.len);
    return queue_db_run(&q->writer, QUEUE_SQL_PAYLOAD_INSERT, NULL, err);
}

/* Reads what may be leased; nothing is changed while the statement runs over the index. */
static int queue_sqlite_leasable(struct queue_sqlite *q, struct queue_op *op, int64_t now_ms,
                                 struct err *err)
{
    const enum queue_sql which = QUEUE_SQL_OUTBOX_LEASABLE;
    queue_bind_int(&q->writer, which, 1, op->topic);
    queue_bind_int(&q->writer, which, 2, now_ms);
    queue_bind_int(&q->writer, which, 3, (int64_t)op->limit);
    int more = queue_db_next(&q->writer, which, err);
    for (; more == 1; more = queue_db_next(&q->writer, which, err)) {
        struct queue_lease *lease = &op->leases[op->lease_count++];
        *lease = (struct queue_lease){
            .id = queue_column_int(&q->writer, which, 0),
            .attempts = (int)queue_column_int(&q->writer, which, 4),
            .created_ms = queue_column_int(&q->writer, which, 5),
            .payload = BUF_INIT(QUEUE_PAYLOAD_MAX),
        };
        memcpy(lease->token, op->token, sizeof lease->token);
        queue_column_text(&q->writer, which, 2, lease->report_id, sizeof lease->report_id);
        queue_column_text(&q->writer, which, 3, lease->kind, sizeof lease->kind);
        queue_column_buf(&q->writer, which, 6, &lease->payload);
        int64_t state = queue_column_int(&q->writer, which, 1);
        q->tally[(state == QUEUE_LEASED ? QUEUE_TALLY_LEASED : QUEUE_TALLY_WAITING) + op->topic]--;
        q->tally[QUEUE_TALLY_LEASED + op->topic]++;
    }
    return more;
}

static int queue_lease_order(const void *a, const void *b)
{
    int64_t left = ((const struct queue_lease *)a)->id;
    int64_t right = ((const struct queue_lease *)b)->id;
    return (left > right) - (left < right);
}

int queue_sqlite_lease(struct queue_sqlite *q, struct queue_op *op, int64_t now_ms, struct err *err)
{
    const enum queue_sql which = QUEUE_SQL_OUTBOX_LEASE;
    op->result = QUEUE_STORED;
    if (op->limit == 0)
        return 0;
    if (queue_sqlite_leasable(q, op, now_ms, err) < 0)
        return -1;
    qsort(op->leases, op->lease_count, sizeof *op->leases, queue_lease_order);
    for (size_t i = 0; i < op->lease_count; i++) {
        queue_bind_int(&q->writer, which, 1, op->leases[i].id);
        queue_bind_int(&q->writer, which, 2, now_ms + op->lease_ms);
        queue_bind_bytes(&q->writer, which, 3, op->token, sizeof op->token);
        if (queue_db_run(&q->writer, which, NULL, err) < 0)
            return -1;
    }
    return 0;
}

/* The row op names: 1, 0 no such row, -1. */
static int queue_sqlite_row_find(struct queue_sqlite *q, const struct queue_op *op,
                                 struct queue_sqlite_row *row, struct err *err)
{
    const enum queue_sql which = QUEUE_SQL_OUTBOX_FIND;
    queue_bind_int(&q->writer, which, 1, op->lease_id);
    queue_bind_bytes(&q->writer, which, 2, op->token, sizeof op->token);
    int found = queue_db_next(&q->writer, which, err);
    if (found <= 0)
        return found;
    *row = (struct queue_sqlite_row){
        .n = op->lease_id,
        .state = queue_column_int(&q->writer, which, 0),
        .topic = (int)queue_column_int(&q->writer, which, 1),
        .chain = queue_column_int(&q->writer, which, 2),
        .entry = queue_column_int(&q->writer, which, 3),
        .token_fits = queue_column_int(&q->writer, which, 4) == 1,
    };
    queue_db_done(&q->writer, which);
    return 1;
}

/* 1 when op holds the row's lease, else 0 with the result LOST; -1. */
static int queue_sqlite_held(struct queue_sqlite *q, struct queue_op *op,
                             struct queue_sqlite_row *row, struct err *err)
{
    int found = queue_sqlite_row_find(q, op, row, err);
    if (found < 0)
        return -1;
    bool held = found == 1 && row->state == QUEUE_LEASED && row->token_fits;
    op->result = held ? QUEUE_STORED : QUEUE_LOST;
    return held;
}

/* Runs a statement whose first parameter is the row, the others bound before. */
static int queue_sqlite_row_run(struct queue_sqlite *q, enum queue_sql which, int64_t n,
                                struct err *err)
{
    queue_bind_int(&q->writer, which, 1, n);
    return queue_db_run(&q->writer, which, NULL, err);
}

int queue_sqlite_extend(struct queue_sqlite *q, struct queue_op *op, int64_t now_ms,
                        struct err *err)
{
    struct queue_sqlite_row row;
    int held = queue_sqlite_held(q, op, &row, err);
    if (held <= 0)
        return held;
    queue_bind_int(&q->writer, QUEUE_SQL_OUTBOX_DUE, 2, now_ms + op->lease_ms);
    return queue_sqlite_row_run(q, QUEUE_SQL_OUTBOX_DUE, row.n, err);
}

/* The next row of the chain may be leased now. */
static int queue_sqlite_promote(struct queue_sqlite *q, const struct queue_sqlite_row *row,
                                struct err *err)
{
    int64_t n = 0;
    int64_t due_ms = 0;
    int found = queue_sqlite_head(q, row->chain, row->topic, &n, &due_ms, err);
    if (found <= 0)
        return found;
    queue_bind_int(&q->writer, QUEUE_SQL_OUTBOX_DUE, 2, due_ms);
    return queue_sqlite_row_run(q, QUEUE_SQL_OUTBOX_DUE, n, err);
}

int queue_sqlite_finish(struct queue_sqlite *q, struct queue_op *op, int64_t now_ms,
                        struct err *err)
{
    (void)now_ms;
    struct queue_sqlite_row row;
    int held = queue_sqlite_held(q, op, &row, err);
    if (held <= 0)
        return held;
    q->tally[QUEUE_TALLY_LEASED + row.topic]--;
    if (queue_sqlite_row_run(q, QUEUE_SQL_OUTBOX_FINISH, row.n, err) < 0 ||
        queue_sqlite_row_run(q, QUEUE_SQL_PAYLOAD_DELETE, row.n, err) < 0 ||
        queue_sqlite_promote(q, &row, err) < 0)
        return -1;
    if (op->text == NULL)
        return 0;
    queue_bind_text(&q->writer, QUEUE_SQL_CORE_REF_SET, 2, op->text);
    return queue_sqlite_row_run(q, QUEUE_SQL_CORE_REF_SET, row.entry, err);
}

/* As queue_sqlite_held(), and the row is counted as leased no more, but where to says. */
static int queue_sqlite_let_go(struct queue_sqlite *q, struct queue_op *op, enum queue_tally to,
                               struct queue_sqlite_row *row, struct err *err)
{
    int held = queue_sqlite_held(q, op, row, err);
    if (held <= 0)
        return held;
    q->tally[QUEUE_TALLY_LEASED + row->topic]--;
    q->tally[(int)to + row->topic]++;
    return held;
}

int queue_sqlite_retry(struct queue_sqlite *q, struct queue_op *op, int64_t now_ms, struct err *err)
{
    (void)now_ms;
    struct queue_sqlite_row row;
    int held = queue_sqlite_let_go(q, op, QUEUE_TALLY_WAITING, &row, err);
    if (held <= 0)
        return held;
    queue_bind_int(&q->writer, QUEUE_SQL_OUTBOX_RETRY, 2, op->not_before_ms);
    queue_bind_text(&q->writer, QUEUE_SQL_OUTBOX_RETRY, 3, op->text);
    return queue_sqlite_row_run(q, QUEUE_SQL_OUTBOX_RETRY, row.n, err);
}

int queue_sqlite_bury(struct queue_sqlite *q, struct queue_op *op, int64_t now_ms, struct err *err)
{
    (void)now_ms;
    struct queue_sqlite_row row;
    int held = queue_sqlite_let_go(q, op, QUEUE_TALLY_BURIED, &row, err);
    if (held <= 0)
        return held;
    queue_bind_text(&q->writer, QUEUE_SQL_OUTBOX_BURY, 2, op->text);
    return queue_sqlite_row_run(q, QUEUE_SQL_OUTBOX_BURY, row.n, err);
}

int queue_sqlite_revive(struct queue_sqlite *q, struct queue_op *op, int64_t now_ms,
                        struct err *err)
{
    struct queue_sqlite_row row;
    int found = queue_sqlite_row_find(q, op, &row, err);
    if (found < 0)
        return -1;
    op->result = found == 1 && row.state == QUEUE_BURIED ? QUEUE_STORED : QUEUE_LOST;
    if (op->result == QUEUE_LOST)
        return 0;
    q->tally[QUEUE_TALLY_BURIED + row.topic]--;
    q->tally[QUEUE_TALLY_WAITING + row.topic]++;
    queue_bind_int(&q->writer, QUEUE_SQL_OUTBOX_REVIVE, 2, now_ms);
    return queue_sqlite_row_run(q, QUEUE_SQL_OUTBOX_REVIVE, row.n, err);
}
