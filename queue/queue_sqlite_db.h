/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One connection of the sqlite engine with its statements, all prepared at open so that no later
 * call can fail to prepare. A connection is used by one thread at a time. Values are bound without
 * a copy: what is bound must live until the statement was run. Binding cannot fail: indexes are
 * constants, sizes are limited by queue_op_check() and nothing is allocated.
 */
#ifndef KANAL_QUEUE_SQLITE_DB_H
#define KANAL_QUEUE_SQLITE_DB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <sqlite3.h>

#include "normalize/buf.h"
#include "normalize/err.h"
#include "queue/queue.h"
#include "queue/queue_sqlite_sql.h"

struct queue_db {
    sqlite3 *handle;
    sqlite3_stmt *statements[QUEUE_SQL_COUNT];
};

/* Opens the file with the engine's pragmas; does not look at the schema. */
int queue_db_open(struct queue_db *db, const char *file, bool read_only, struct err *err);
int queue_db_prepare(struct queue_db *db, struct err *err);

/* Finalizes and closes; safe after a failed open. keep_log: no checkpoint. */
void queue_db_close(struct queue_db *db, bool keep_log);

/* Records what SQLite's result means and returns -1: CORRUPT and NOTADB are ERR_PERMANENT, all
 * else ERR_TRANSIENT. verb: "write", "read" ... */
int queue_db_fail(int rc, const char *verb, struct err *err);

/* The first column of the first row of a fixed text of SQL, 0 when there is none. */
int queue_db_number(sqlite3 *handle, const char *sql, int64_t *number, struct err *err);

/* Runs to the end; -1 on errors. *changed (may be NULL): rows changed. */
int queue_db_run(struct queue_db *db, enum queue_sql which, int64_t *changed, struct err *err);

/* The next row: 1; 0: no more, the statement is reset; -1, reset too. After 1 the caller goes on
 * or calls queue_db_done(). */
int queue_db_next(struct queue_db *db, enum queue_sql which, struct err *err);
void queue_db_done(struct queue_db *db, enum queue_sql which);

/* Bind to parameter i (from 1) of a statement: NULL texts and empty bytes become NULL. */
void queue_bind_int(struct queue_db *db, enum queue_sql which, int i, int64_t value);
void queue_bind_text(struct queue_db *db, enum queue_sql which, int i, const char *text);
void queue_bind_bytes(struct queue_db *db, enum queue_sql which, int i, const void *data,
                      size_t len);

/* Columns of the row that queue_db_next() stands on, from 0. */
int64_t queue_column_int(struct queue_db *db, enum queue_sql which, int i);
/* Cut to size; NULL becomes "". */
void queue_column_text(struct queue_db *db, enum queue_sql which, int i, char *out, size_t size);
/* Given, or NULL. */
char *queue_column_dup(struct queue_db *db, enum queue_sql which, int i);
/* Appended to *out. */
void queue_column_buf(struct queue_db *db, enum queue_sql which, int i, struct buf *out);
/* True when the column holds exactly len bytes, which are copied. */
bool queue_column_bytes(struct queue_db *db, enum queue_sql which, int i, void *out, size_t len);

#endif
