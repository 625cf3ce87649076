/* SPDX-License-Identifier: Apache-2.0 */
#include "queue/queue_sqlite_db.h"

#include <stdio.h>
#include <string.h>

#include "normalize/mem.h"

enum {
    QUEUE_BUSY_MS = 5000, /* a reader may be rebuilding the log's index */
};

/* The writer's cache keeps the randomly ordered indexes of a million reports in memory. */
static const char queue_db_pragmas[] = "PRAGMA cell_size_check = ON;"
                                       "PRAGMA trusted_schema = OFF;"
                                       "PRAGMA foreign_keys = ON;"
                                       "PRAGMA secure_delete = ON;"
                                       "PRAGMA mmap_size = 0;"
                                       "PRAGMA temp_store = MEMORY;"
                                       "PRAGMA synchronous = FULL;"
                                       "PRAGMA wal_autocheckpoint = 0;";
static const char queue_db_writer_pragmas[] = "PRAGMA journal_mode = WAL;"
                                              "PRAGMA cache_size = -131072;";

int queue_db_fail(int rc, const char *verb, struct err *err)
{
    int primary = rc & 0xff;
    if (primary == SQLITE_CORRUPT || primary == SQLITE_NOTADB)
        return err_set(err, ERR_PERMANENT, "cannot %s the queue: the database is damaged", verb);
    return err_set(err, ERR_TRANSIENT, "cannot %s the queue: %s", verb, sqlite3_errstr(rc));
}

static int queue_db_configure(sqlite3 *handle, bool read_only)
{
    sqlite3_extended_result_codes(handle, 1);
    sqlite3_busy_timeout(handle, QUEUE_BUSY_MS);
    sqlite3_db_config(handle, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    sqlite3_db_config(handle, SQLITE_DBCONFIG_ENABLE_TRIGGER, 0, NULL);
    sqlite3_db_config(handle, SQLITE_DBCONFIG_ENABLE_VIEW, 0, NULL);
    sqlite3_db_config(handle, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, read_only, NULL);
    int rc = sqlite3_exec(handle, queue_db_pragmas, NULL, NULL, NULL);
    if (rc == SQLITE_OK && !read_only)
        rc = sqlite3_exec(handle, queue_db_writer_pragmas, NULL, NULL, NULL);
    return rc;
}

int queue_db_open(struct queue_db *db, const char *file, bool read_only, struct err *err)
{
    *db = (struct queue_db){.handle = NULL};
    int flags = read_only ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE;
    int rc = sqlite3_open_v2(file, &db->handle, flags | SQLITE_OPEN_NOMUTEX, NULL);
    if (rc == SQLITE_OK)
        rc = queue_db_configure(db->handle, read_only);
    return rc == SQLITE_OK ? 0 : queue_db_fail(rc, "open", err);
}

int queue_db_prepare(struct queue_db *db, struct err *err)
{
    for (size_t i = 0; i < QUEUE_SQL_COUNT; i++) {
        int rc = sqlite3_prepare_v3(db->handle, queue_sql_text[i], -1, SQLITE_PREPARE_PERSISTENT,
                                    &db->statements[i], NULL);
        if (rc != SQLITE_OK)
            return queue_db_fail(rc, "prepare for", err);
    }
    return 0;
}

void queue_db_close(struct queue_db *db, bool keep_log)
{
    for (size_t i = 0; i < QUEUE_SQL_COUNT; i++)
        sqlite3_finalize(db->statements[i]);
    if (db->handle != NULL && keep_log)
        sqlite3_db_config(db->handle, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
    sqlite3_close(db->handle);
    *db = (struct queue_db){.handle = NULL};
}

int queue_db_number(sqlite3 *handle, const char *sql, int64_t *number, struct err *err)
{
    sqlite3_stmt *statement = NULL;
    *number = 0;
    int rc = sqlite3_prepare_v2(handle, sql, -1, &statement, NULL);
    if (rc == SQLITE_OK)
        rc = sqlite3_step(statement);
    if (rc == SQLITE_ROW)
        *number = sqlite3_column_int64(statement, 0);
    sqlite3_finalize(statement);
    return rc == SQLITE_ROW || rc == SQLITE_DONE ? 0 : queue_db_fail(rc, "read", err);
}

int queue_db_run(struct queue_db *db, enum queue_sql which, int64_t *changed, struct err *err)
{
    int rc = sqlite3_step(db->statements[which]);
    if (changed != NULL)
        *changed = sqlite3_changes64(db->handle);
    sqlite3_reset(db->statements[which]);
    return rc == SQLITE_DONE || rc == SQLITE_ROW ? 0 : queue_db_fail(rc, "write", err);
}

int queue_db_next(struct queue_db *db, enum queue_sql which, struct err *err)
{
    int rc = sqlite3_step(db->statements[which]);
    if (rc == SQLITE_ROW)
        return 1;
    sqlite3_reset(db->statements[which]);
    return rc == SQLITE_DONE ? 0 : queue_db_fail(rc, "read", err);
}

void queue_db_done(struct queue_db *db, enum queue_sql which)
{
    sqlite3_reset(db->statements[which]);
}

void queue_bind_int(struct queue_db *db, enum queue_sql which, int i, int64_t value)
{
    sqlite3_bind_int64(db->statements[which], i, value);
}

void queue_bind_text(struct queue_db *db, enum queue_sql which, int i, const char *text)
{
    sqlite3_bind_text(db->statements[which], i, text, -1, SQLITE_STATIC);
}

void queue_bind_bytes(struct queue_db *db, enum queue_sql which, int i, const void *data,
                      size_t len)
{
    sqlite3_bind_blob64(db->statements[which], i, len > 0 ? data : NULL, len, SQLITE_STATIC);
}

int64_t queue_column_int(struct queue_db *db, enum queue_sql which, int i)
{
    return sqlite3_column_int64(db->statements[which], i);
}

void queue_column_text(struct queue_db *db, enum queue_sql which, int i, char *out, size_t size)
{
    const unsigned char *text = sqlite3_column_text(db->statements[which], i);
    snprintf(out, size, "%s", text == NULL ? "" : (const char *)text);
}

char *queue_column_dup(struct queue_db *db, enum queue_sql which, int i)
{
    return mem_strdup((const char *)sqlite3_column_text(db->statements[which], i));
}

void queue_column_buf(struct queue_db *db, enum queue_sql which, int i, struct buf *out)
{
    const void *data = sqlite3_column_blob(db->statements[which], i);
    buf_add(out, data, (size_t)sqlite3_column_bytes(db->statements[which], i));
}

bool queue_column_bytes(struct queue_db *db, enum queue_sql which, int i, void *out, size_t len)
{
    const void *data = sqlite3_column_blob(db->statements[which], i);
    if (data == NULL || (size_t)sqlite3_column_bytes(db->statements[which], i) != len)
        return false;
    memcpy(out, data, len);
    return true;
}
