/* SPDX-License-Identifier: Apache-2.0 */
/* The readers of many things: blob fields, a timeline, outbox rows, IDs. */
#include <stdlib.h>

#include "normalize/mem.h"
#include "queue/queue_sqlite.h"

int queue_sqlite_blob_list(void *state, const char *id, char (*fields)[QUEUE_WORD_MAX], size_t max,
                           size_t *n, struct err *err)
{
    const enum queue_sql which = QUEUE_SQL_BLOB_FIELDS;
    struct queue_sqlite *q = state;
    struct queue_db *db = queue_pool_take(&q->pool, err);
    if (db == NULL)
        return -1;
    queue_bind_text(db, which, 1, id);
    queue_bind_int(db, which, 2, max < QUEUE_LIST_MAX ? (int64_t)max : QUEUE_LIST_MAX);
    int more = queue_db_next(db, which, err);
    for (; more == 1; more = queue_db_next(db, which, err))
        queue_column_text(db, which, 0, fields[(*n)++], QUEUE_WORD_MAX);
    queue_pool_give(&q->pool, db);
    return more;
}

int queue_sqlite_timeline(void *state, const char *id, struct queue_timeline_item **items,
                          size_t *n, struct err *err)
{
    const enum queue_sql which = QUEUE_SQL_TIMELINE;
    struct queue_sqlite *q = state;
    struct queue_db *db = queue_pool_take(&q->pool, err);
    if (db == NULL)
        return -1;
    size_t cap = 0;
    queue_bind_text(db, which, 1, id);
    int more = queue_db_next(db, which, err);
    for (; more == 1; more = queue_db_next(db, which, err)) {
        if (*n == cap) {
            cap = cap * 2 + 8;
            *items = mem_realloc(*items, cap, sizeof **items);
        }
        struct queue_timeline_item *item = &(*items)[(*n)++];
        *item = (struct queue_timeline_item){
            .day = queue_column_int(db, which, 0),
            .answer = queue_column_dup(db, which, 3),
            .photo_field = queue_column_dup(db, which, 4),
        };
        queue_column_text(db, which, 1, item->state, sizeof item->state);
        queue_column_text(db, which, 2, item->agency, sizeof item->agency);
    }
    queue_pool_give(&q->pool, db);
    if (more < 0) {
        queue_timeline_free(*items, *n);
        *items = NULL;
        *n = 0;
    }
    return more;
}

static void queue_sqlite_row_fill(struct queue_db *db, enum queue_sql which, struct queue_row *row)
{
    *row = (struct queue_row){
        .id = queue_column_int(db, which, 0),
        .topic = (enum queue_topic)queue_column_int(db, which, 2),
        .state = (enum queue_row_state)queue_column_int(db, which, 4),
        .attempts = (int)queue_column_int(db, which, 5),
        .created_ms = queue_column_int(db, which, 6),
        .not_before_ms = queue_column_int(db, which, 7),
    };
    queue_column_text(db, which, 1, row->report_id, sizeof row->report_id);
    queue_column_text(db, which, 3, row->kind, sizeof row->kind);
    queue_column_text(db, which, 8, row->reason, sizeof row->reason);
}

int queue_sqlite_rows(void *state, enum queue_row_state row_state, int64_t after_id,
                      struct queue_row **rows, size_t *n, struct err *err)
{
    enum queue_sql which = row_state == QUEUE_DONE ? QUEUE_SQL_ROWS_DONE : QUEUE_SQL_ROWS_OPEN;
    struct queue_sqlite *q = state;
    struct queue_db *db = queue_pool_take(&q->pool, err);
    if (db == NULL)
        return -1;
    *rows = mem_calloc(QUEUE_LIST_MAX, sizeof **rows);
    queue_bind_int(db, which, 1, row_state);
    queue_bind_int(db, which, 2, after_id);
    queue_bind_int(db, which, 3, QUEUE_LIST_MAX);
    int more = queue_db_next(db, which, err);
    for (; more == 1; more = queue_db_next(db, which, err))
        queue_sqlite_row_fill(db, which, &(*rows)[(*n)++]);
    queue_pool_give(&q->pool, db);
    if (more < 0) {
        free(*rows);
        *rows = NULL;
        *n = 0;
    }
    return more;
}

/* Collects the IDs that a statement with bound parameters gives. */
static int queue_sqlite_ids_read(struct queue_db *db, enum queue_sql which,
                                 char (**ids)[REPORT_ID_SIZE], size_t *n, struct err *err)
{
    *ids = mem_calloc(QUEUE_LIST_MAX, sizeof **ids);
    int more = queue_db_next(db, which, err);
    for (; more == 1; more = queue_db_next(db, which, err))
        queue_column_text(db, which, 0, (*ids)[(*n)++], REPORT_ID_SIZE);
    if (more < 0) {
        free(*ids);
        *ids = NULL;
        *n = 0;
    }
    return more;
}

int queue_sqlite_ids(void *state, enum queue_entry_kind kind, const char *after_id,
                     char (**ids)[REPORT_ID_SIZE], size_t *n, struct err *err)
{
    enum queue_sql which = kind == QUEUE_REPORT ? QUEUE_SQL_IDS_REPORTS : QUEUE_SQL_IDS_OTHERS;
    struct queue_sqlite *q = state;
    struct queue_db *db = queue_pool_take(&q->pool, err);
    if (db == NULL)
        return -1;
    queue_bind_int(db, which, 1, kind);
    queue_bind_text(db, which, 2, after_id);
    queue_bind_int(db, which, 3, QUEUE_LIST_MAX);
    int rc = queue_sqlite_ids_read(db, which, ids, n, err);
    queue_pool_give(&q->pool, db);
    return rc;
}

int queue_sqlite_followups(void *state, const char *parent_id, char (**ids)[REPORT_ID_SIZE],
                           size_t *n, struct err *err)
{
    struct queue_sqlite *q = state;
    struct queue_db *db = queue_pool_take(&q->pool, err);
    if (db == NULL)
        return -1;
    queue_bind_text(db, QUEUE_SQL_FOLLOWUPS, 1, parent_id);
    queue_bind_int(db, QUEUE_SQL_FOLLOWUPS, 2, QUEUE_LIST_MAX);
    int rc = queue_sqlite_ids_read(db, QUEUE_SQL_FOLLOWUPS, ids, n, err);
    queue_pool_give(&q->pool, db);
    return rc;
}
