/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One transaction of the sqlite engine. Whatever can be refused is refused before COMMIT: blobs are
 * synced and all changed pages are in the log by then, so that a full disk is met while rolling
 * back is still certain. COMMIT itself adds one page and syncs the log. When that page finds no
 * room (SQLITE_FULL, which a sync never gives), it is not whole in the log, and a log is read up to
 * its last whole commit: the transaction has not happened. When it fails otherwise nobody knows
 * what a restart will find, and the engine writes nothing more.
 */
#include "queue/queue_sqlite.h"

#include <string.h>

enum {
    QUEUE_LOG_PAGES_MAX = 8192, /* 32 MiB: recovery stays short, hot pages are copied once */
};

static queue_sqlite_op *const queue_sqlite_ops[] = {
    [QUEUE_ACCEPT] = queue_sqlite_accept, [QUEUE_RESOLVE] = queue_sqlite_resolve,
    [QUEUE_LEASE] = queue_sqlite_lease,   [QUEUE_EXTEND] = queue_sqlite_extend,
    [QUEUE_FINISH] = queue_sqlite_finish, [QUEUE_RETRY] = queue_sqlite_retry,
    [QUEUE_BURY] = queue_sqlite_bury,     [QUEUE_REVIVE] = queue_sqlite_revive,
    [QUEUE_EVENT] = queue_sqlite_event,   [QUEUE_CURSOR] = queue_sqlite_cursor,
    [QUEUE_HEALTH] = queue_sqlite_health, [QUEUE_BLOB_ERASE] = queue_sqlite_blob_erase,
    [QUEUE_EXPIRE] = queue_sqlite_expire,
};

static int queue_sqlite_unknown(struct queue_sqlite *q, const char *step, int rc, struct err *err)
{
    q->broken = true;
    err_clear(err);
    return err_set(err, ERR_PERMANENT, "cannot %s in the queue, the outcome is unknown: %s", step,
                   sqlite3_errstr(rc));
}

/* This connection alone checkpoints, and only between transactions. PASSIVE waits for no reader;
 * what readers hold back is copied the next time. */
static int queue_sqlite_checkpoint(struct queue_sqlite *q, struct err *err)
{
    if (q->log_pages < QUEUE_LOG_PAGES_MAX)
        return 0;
    int rc =
        sqlite3_wal_checkpoint_v2(q->writer.handle, NULL, SQLITE_CHECKPOINT_PASSIVE, NULL, NULL);
    if (rc == SQLITE_OK || (rc & 0xff) == SQLITE_BUSY)
        return 0;
    if ((rc & 0xff) == SQLITE_FULL)
        return queue_db_fail(rc, "checkpoint", err);
    return queue_sqlite_unknown(q, "checkpoint", rc, err);
}

static int queue_sqlite_begin(struct queue_sqlite *q, struct err *err)
{
    if (q->broken)
        return err_set(err, ERR_PERMANENT, "cannot write the queue: an earlier commit failed");
    if (queue_sqlite_checkpoint(q, err) < 0 ||
        queue_db_run(&q->writer, QUEUE_SQL_BEGIN, NULL, err) < 0)
        return -1;
    q->next_entry_mark = q->next_entry;
    memset(q->tally, 0, sizeof q->tally);
    q->appended = 0;
    q->dead.count = 0;
    blob_segments_mark(&q->segments);
    return 0;
}

static int queue_sqlite_rollback(struct queue_sqlite *q, struct err *err)
{
    q->next_entry = q->next_entry_mark;
    q->dead.count = 0;
    blob_segments_rewind(&q->segments);
    if (err->kind == ERR_PERMANENT)
        q->broken = true;
    /* Some errors have rolled back already. */
    if (sqlite3_get_autocommit(q->writer.handle))
        return -1;
    struct err failed = ERR_INIT;
    if (queue_db_run(&q->writer, QUEUE_SQL_ROLLBACK, NULL, &failed) < 0)
        return queue_sqlite_unknown(q, "roll back", sqlite3_errcode(q->writer.handle), err);
    return -1;
}

static int queue_sqlite_tally(struct queue_sqlite *q, struct err *err)
{
    static const int64_t nothing[QUEUE_TALLY_COUNT];
    if (memcmp(q->tally, nothing, sizeof nothing) == 0)
        return 0;
    for (int i = 0; i < QUEUE_TALLY_COUNT; i++)
        queue_bind_int(&q->writer, QUEUE_SQL_TALLY_ADD, i + 1, q->tally[i]);
    return queue_db_run(&q->writer, QUEUE_SQL_TALLY_ADD, NULL, err);
}

/* All that can still be undone, in the order that makes the commit safe. */
static int queue_sqlite_settle(struct queue_sqlite *q, struct err *err)
{
    if (queue_sqlite_blobs_settle(q, err) < 0 || queue_sqlite_tally(q, err) < 0)
        return -1;
    int rc = sqlite3_db_cacheflush(q->writer.handle);
    if (rc != SQLITE_OK)
        return queue_db_fail(rc, "write", err);
    return blob_segments_sync(&q->segments, err);
}

static int queue_sqlite_commit(struct queue_sqlite *q, struct err *err)
{
    sqlite3_stmt *commit = q->writer.statements[QUEUE_SQL_COMMIT];
    int rc = sqlite3_step(commit);
    sqlite3_reset(commit);
    if (rc == SQLITE_DONE)
        return 0;
    if ((rc & 0xff) != SQLITE_FULL)
        return queue_sqlite_unknown(q, "commit", rc, err);
    queue_db_fail(rc, "commit to", err);
    return queue_sqlite_rollback(q, err);
}

int queue_sqlite_apply(void *state, struct queue_op *const *ops, size_t n, int64_t now_ms,
                       struct err *err)
{
    struct queue_sqlite *q = state;
    if (queue_sqlite_begin(q, err) < 0)
        return -1;
    int rc = 0;
    for (size_t i = 0; i < n && rc == 0; i++)
        rc = queue_sqlite_ops[ops[i]->kind](q, ops[i], now_ms, err);
    if (rc < 0 || queue_sqlite_settle(q, err) < 0)
        return queue_sqlite_rollback(q, err);
    if (queue_sqlite_commit(q, err) < 0)
        return -1;
    return queue_sqlite_blobs_bury(q, err);
}

int queue_sqlite_mark_clean(struct queue_sqlite *q, bool clean, struct err *err)
{
    if (queue_sqlite_begin(q, err) < 0)
        return -1;
    queue_bind_int(&q->writer, QUEUE_SQL_CLEAN_SET, 1, clean);
    if (queue_db_run(&q->writer, QUEUE_SQL_CLEAN_SET, NULL, err) < 0 ||
        queue_sqlite_settle(q, err) < 0)
        return queue_sqlite_rollback(q, err);
    return queue_sqlite_commit(q, err);
}
