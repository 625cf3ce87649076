/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Opening and closing of the sqlite engine. A folder holds the database (queue.db, write-ahead
 * log), segments/ and writer.lock, whose holder is the one process that writes, checkpoints and
 * erases: SQLite before 3.51.3 may lose a commit when two connections do.
 */
#include "queue/queue_sqlite.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "normalize/mem.h"
#include "queue/queue_sqlite_schema.h"

struct queue_sqlite_paths {
    struct buf database, lock, segments;
};

enum { QUEUE_PATH_MAX = 4096 };

static void queue_sqlite_paths_init(struct queue_sqlite_paths *paths, const char *folder)
{
    const struct {
        struct buf *buf;
        const char *name;
    } names[] = {
        {&paths->database, "queue.db"},
        {&paths->lock, "writer.lock"},
        {&paths->segments, "segments"},
    };
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        buf_init(names[i].buf, QUEUE_PATH_MAX);
        buf_addf(names[i].buf, "%s/%s", folder, names[i].name);
    }
}

static void queue_sqlite_paths_release(struct queue_sqlite_paths *paths)
{
    buf_release(&paths->database);
    buf_release(&paths->lock);
    buf_release(&paths->segments);
}

static int queue_sqlite_errno(struct err *err, const char *verb)
{
    return err_set(err, ERR_TRANSIENT, "cannot %s of the queue: %s", verb, strerrordesc_np(errno));
}

static int queue_sqlite_lock(struct queue_sqlite *q, const char *file, struct err *err)
{
    q->lock_file = open(file, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (q->lock_file < 0)
        return queue_sqlite_errno(err, "open the lock");
    if (flock(q->lock_file, LOCK_EX | LOCK_NB) == 0)
        return 0;
    if (errno == EWOULDBLOCK)
        return err_set(err, ERR_CONFIG, "cannot open the queue: held by another process");
    return queue_sqlite_errno(err, "take the lock");
}

/* Makes the database file before SQLite does, so that nobody else may read it. An existing one is
 * never opened here: closing it would drop the locks of other connections in this process. */
static int queue_sqlite_make(const char *folder, const char *database, struct err *err)
{
    if (mkdir(folder, 0700) < 0 && errno != EEXIST)
        return queue_sqlite_errno(err, "make the folder");
    int file = open(database, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (file < 0)
        return errno == EEXIST ? 0 : queue_sqlite_errno(err, "make the database");
    close(file);
    return 0;
}

static int queue_sqlite_verify(struct queue_sqlite *q, struct err *err)
{
    int rc =
        sqlite3_wal_checkpoint_v2(q->writer.handle, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);
    if (rc != SQLITE_OK && (rc & 0xff) != SQLITE_BUSY)
        return queue_db_fail(rc, "checkpoint", err);
    int64_t ok = 0;
    if (queue_db_number(q->writer.handle, "SELECT quick_check = 'ok' FROM pragma_quick_check(1)",
                        &ok, err) < 0)
        return -1;
    return ok == 1 ? 0
                   : err_set(err, ERR_PERMANENT, "cannot open the queue: the database is damaged");
}

/* After a clean stop the database is trusted. */
static int queue_sqlite_trust(struct queue_sqlite *q, bool check, struct err *err)
{
    int64_t clean = 0;
    if (queue_db_number(q->writer.handle, "SELECT clean FROM tally", &clean, err) < 0)
        return -1;
    return clean == 1 && !check ? 0 : queue_sqlite_verify(q, err);
}

static int queue_sqlite_log_grown(void *context, sqlite3 *handle, const char *name, int pages)
{
    (void)handle;
    (void)name;
    struct queue_sqlite *q = context;
    q->log_pages = pages;
    return SQLITE_OK;
}

/* The folder's lock says that whoever held a lease is gone: its work is due at once, not when the
 * lease ends. Its token still fits until another takes the row. */
static int queue_sqlite_end_leases(struct queue_sqlite *q, struct err *err)
{
    /* "state <> 2" is what lets the partial index serve. */
    int rc = sqlite3_exec(q->writer.handle,
                          "UPDATE outbox INDEXED BY outbox_state SET due_ms = 0"
                          " WHERE state = 1 AND state <> 2 AND due_ms IS NOT NULL",
                          NULL, NULL, NULL);
    return rc == SQLITE_OK ? 0 : queue_db_fail(rc, "end leases", err);
}

static int queue_sqlite_open_writer(struct queue_sqlite *q, const char *database, bool check,
                                    struct err *err)
{
    bool fresh = false;
    if (queue_db_open(&q->writer, database, false, err) < 0 ||
        queue_sqlite_migrate(q->writer.handle, true, &fresh, err) < 0 ||
        (!fresh && queue_sqlite_trust(q, check, err) < 0) ||
        queue_db_number(q->writer.handle, "SELECT max(n) FROM entry", &q->next_entry, err) < 0 ||
        queue_db_prepare(&q->writer, err) < 0)
        return -1;
    q->next_entry++;
    sqlite3_wal_hook(q->writer.handle, queue_sqlite_log_grown, q);
    if (queue_sqlite_blobs_recover(q, err) < 0 || queue_sqlite_end_leases(q, err) < 0)
        return -1;
    return queue_sqlite_mark_clean(q, false, err);
}

/* One reader is opened at once, so that what cannot be read is refused here. */
static int queue_sqlite_open_reader(struct queue_sqlite *q, const char *database, struct err *err)
{
    if (access(database, F_OK) < 0)
        return err_set(err, ERR_CONFIG, "cannot read the queue: there is none in the folder");
    struct queue_db *db = queue_pool_take(&q->pool, err);
    if (db == NULL)
        return -1;
    queue_pool_give(&q->pool, db);
    return 0;
}

static void queue_sqlite_close(void *state)
{
    struct queue_sqlite *q = state;
    queue_pool_release(&q->pool);
    if (!q->read_only && !q->broken) {
        struct err ignored = ERR_INIT; /* the next open checks what was not marked clean */
        if (queue_sqlite_mark_clean(q, true, &ignored) == 0)
            sqlite3_wal_checkpoint_v2(q->writer.handle, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL,
                                      NULL);
    }
    queue_db_close(&q->writer, q->broken);
    blob_segments_close(&q->segments);
    if (q->lock_file >= 0)
        close(q->lock_file);
    buf_wipe(&q->content);
    free(q->dead.items);
    free(q);
}

static int queue_sqlite_open_all(struct queue_sqlite *q, const struct queue_options *options,
                                 const struct queue_sqlite_paths *paths, struct err *err)
{
    if (paths->segments.overflow || paths->lock.overflow || paths->database.overflow)
        return err_set(err, ERR_CONFIG, "cannot open the queue: the path is too long");
    if (!q->read_only && (queue_sqlite_make(options->path, paths->database.data, err) < 0 ||
                          queue_sqlite_lock(q, paths->lock.data, err) < 0))
        return -1;
    if (q->read_only && queue_sqlite_open_reader(q, paths->database.data, err) < 0)
        return -1;
    if (blob_segments_open(&q->segments, paths->segments.data, !q->read_only, err) < 0)
        return -1;
    if (q->read_only)
        return 0;
    return queue_sqlite_open_writer(q, paths->database.data, options->check, err);
}

static int queue_sqlite_open(const struct queue_options *options, int64_t now_ms, void **state,
                             struct err *err)
{
    (void)now_ms;
    struct queue_sqlite *q = mem_calloc(1, sizeof *q);
    struct queue_sqlite_paths paths;
    queue_sqlite_paths_init(&paths, options->path);
    *q = (struct queue_sqlite){.read_only = options->read_only,
                               .lock_file = -1,
                               .content = BUF_INIT(3 * (size_t)QUEUE_BODY_MAX),
                               .segments = {.folder = -1, .file = -1}};
    queue_pool_init(&q->pool, paths.database.data);
    int rc = queue_sqlite_open_all(q, options, &paths, err);
    queue_sqlite_paths_release(&paths);
    if (rc < 0) {
        q->broken = true; /* not ours to mark clean */
        queue_sqlite_close(q);
        return -1;
    }
    *state = q;
    return 0;
}

const struct queue_engine queue_engine_sqlite = {
    .name = "sqlite",
    .open = queue_sqlite_open,
    .apply = queue_sqlite_apply,
    .report_get = queue_sqlite_report_get,
    .blob_get = queue_sqlite_blob_get,
    .blob_list = queue_sqlite_blob_list,
    .timeline = queue_sqlite_timeline,
    .cursor_get = queue_sqlite_cursor_get,
    .health_get = queue_sqlite_health_get,
    .rows = queue_sqlite_rows,
    .ids = queue_sqlite_ids,
    .followups = queue_sqlite_followups,
    .stats = queue_sqlite_stats,
    .close = queue_sqlite_close,
};
