/* SPDX-License-Identifier: Apache-2.0 */
/* The readers of one thing: a report, a blob, a cursor, the counts. */
#include <string.h>

#include "queue/queue_sqlite.h"

/* Where a report's content lies and how much of it is whose. */
struct queue_sqlite_content {
    struct blob_place place;
    size_t reporter_len, reply_len;
};

static void queue_sqlite_report_fill(struct queue_db *db, struct queue_report *out,
                                     struct queue_sqlite_content *content)
{
    const enum queue_sql which = QUEUE_SQL_REPORT_GET;
    out->kind = (enum queue_entry_kind)queue_column_int(db, which, 0);
    queue_column_text(db, which, 1, out->id, sizeof out->id);
    queue_column_text(db, which, 2, out->channel_id, sizeof out->channel_id);
    queue_column_text(db, which, 3, out->channel_kind, sizeof out->channel_kind);
    queue_column_text(db, which, 4, out->parent_id, sizeof out->parent_id);
    queue_column_text(db, which, 5, out->category, sizeof out->category);
    queue_column_text(db, which, 6, out->kelurahan_code, sizeof out->kelurahan_code);
    queue_column_text(db, which, 7, out->language, sizeof out->language);
    queue_column_text(db, which, 8, out->core_ref, sizeof out->core_ref);
    queue_column_text(db, which, 9, out->reason, sizeof out->reason);
    out->public_report = queue_column_int(db, which, 10) != 0;
    out->received_day = queue_column_int(db, which, 11);
    out->has_reporter_index =
        queue_column_bytes(db, which, 12, out->reporter_index, sizeof out->reporter_index);
    *content = (struct queue_sqlite_content){
        .place = {.segment = queue_column_int(db, which, 13),
                  .offset = queue_column_int(db, which, 14),
                  .length = queue_column_int(db, which, 15),
                  .checksum = (uint64_t)queue_column_int(db, which, 16)},
        .reporter_len = (size_t)queue_column_int(db, which, 17),
        .reply_len = (size_t)queue_column_int(db, which, 18),
    };
}

static int queue_sqlite_report_row(struct queue_db *db, const char *id, struct queue_report *out,
                                   struct queue_sqlite_content *content, struct err *err)
{
    queue_bind_text(db, QUEUE_SQL_REPORT_GET, 1, id);
    int found = queue_db_next(db, QUEUE_SQL_REPORT_GET, err);
    if (found == 1)
        queue_sqlite_report_fill(db, out, content);
    queue_db_done(db, QUEUE_SQL_REPORT_GET);
    return found;
}

static bool queue_sqlite_place_same(const struct blob_place *a, const struct blob_place *b)
{
    return a->segment == b->segment && a->offset == b->offset && a->length == b->length &&
           a->checksum == b->checksum;
}

/* False when the lengths cannot be. */
static bool queue_sqlite_content_split(const struct buf *bytes,
                                       const struct queue_sqlite_content *content,
                                       struct queue_report *out)
{
    size_t tail = content->reporter_len + content->reply_len;
    if (tail > bytes->len)
        return false;
    size_t body = bytes->len - tail;
    buf_add(&out->body, bytes->data, body);
    buf_add(&out->reporter, bytes->data + body, content->reporter_len);
    buf_add(&out->reply, bytes->data + body + content->reporter_len, content->reply_len);
    return true;
}

/* Bytes that are not what the row says are damaged only when the row still says so: the writer may
 * have erased or replaced them in between. */
static int queue_sqlite_report_read(struct queue_sqlite *q, struct queue_db *db, const char *id,
                                    struct queue_report *out, struct err *err)
{
    struct buf bytes = BUF_INIT(3 * (size_t)QUEUE_BODY_MAX);
    struct blob_place before = {.segment = 0};
    struct queue_sqlite_content content = {.place = {.segment = 0}};
    int found = queue_sqlite_report_row(db, id, out, &content, err);
    while (found == 1 && content.place.segment > 0) {
        int read = blob_segment_read(&q->segments, &content.place, &bytes, err);
        if (read == 1 && queue_sqlite_content_split(&bytes, &content, out))
            break;
        if (read >= 0 && queue_sqlite_place_same(&content.place, &before))
            read = err_set(err, ERR_PERMANENT, "the content of a report is damaged");
        before = content.place;
        found = read < 0 ? -1 : queue_sqlite_report_row(db, id, out, &content, err);
    }
    buf_wipe(&bytes);
    return found;
}

int queue_sqlite_report_get(void *state, const char *id, struct queue_report *out, struct err *err)
{
    struct queue_sqlite *q = state;
    struct queue_db *db = queue_pool_take(&q->pool, err);
    if (db == NULL)
        return -1;
    int found = queue_sqlite_report_read(q, db, id, out, err);
    queue_pool_give(&q->pool, db);
    return found;
}

static int queue_sqlite_place(struct queue_db *db, const char *id, const char *field,
                              struct blob_place *place, struct err *err)
{
    const enum queue_sql which = QUEUE_SQL_BLOB_PLACE;
    queue_bind_text(db, which, 1, id);
    queue_bind_text(db, which, 2, field);
    int found = queue_db_next(db, which, err);
    if (found == 1) {
        *place = (struct blob_place){
            .segment = queue_column_int(db, which, 0),
            .offset = queue_column_int(db, which, 1),
            .length = queue_column_int(db, which, 2),
            .checksum = (uint64_t)queue_column_int(db, which, 3),
        };
    }
    queue_db_done(db, which);
    return found;
}

static int queue_sqlite_blob_read(struct queue_sqlite *q, struct queue_db *db, const char *id,
                                  const char *field, struct buf *out, struct err *err)
{
    struct blob_place before = {.segment = 0};
    for (;;) {
        struct blob_place place = {.segment = 0};
        int found = queue_sqlite_place(db, id, field, &place, err);
        if (found <= 0)
            return found;
        if (queue_sqlite_place_same(&place, &before))
            return err_set(err, ERR_PERMANENT, "a blob of a report is damaged");
        int read = blob_segment_read(&q->segments, &place, out, err);
        if (read != 0)
            return read;
        before = place;
    }
}

int queue_sqlite_blob_get(void *state, const char *id, const char *field, struct buf *out,
                          struct err *err)
{
    struct queue_sqlite *q = state;
    struct queue_db *db = queue_pool_take(&q->pool, err);
    if (db == NULL)
        return -1;
    int found = queue_sqlite_blob_read(q, db, id, field, out, err);
    queue_pool_give(&q->pool, db);
    return found;
}

/* Runs a statement of up to two texts whose only column is a text. */
static int queue_sqlite_text_get(struct queue_sqlite *q, enum queue_sql which, const char *first,
                                 const char *second, struct buf *out, struct err *err)
{
    struct queue_db *db = queue_pool_take(&q->pool, err);
    if (db == NULL)
        return -1;
    queue_bind_text(db, which, 1, first);
    if (second != NULL)
        queue_bind_text(db, which, 2, second);
    int found = queue_db_next(db, which, err);
    if (found == 1)
        queue_column_buf(db, which, 0, out);
    queue_db_done(db, which);
    queue_pool_give(&q->pool, db);
    return found;
}

int queue_sqlite_cursor_get(void *state, const char *channel_id, const char *name, struct buf *out,
                            struct err *err)
{
    return queue_sqlite_text_get(state, QUEUE_SQL_CURSOR_GET, channel_id, name, out, err);
}

int queue_sqlite_health_get(void *state, const char *channel_id, struct buf *out, struct err *err)
{
    return queue_sqlite_text_get(state, QUEUE_SQL_HEALTH_GET, channel_id, NULL, out, err);
}

static int queue_sqlite_counts(struct queue_db *db, struct queue_stats *out, struct err *err)
{
    int64_t *const columns[] = {
        &out->reports,    &out->followups, &out->not_reports, &out->quarantined, &out->waiting[0],
        &out->waiting[1], &out->leased[0], &out->leased[1],   &out->buried[0],   &out->buried[1],
    };
    if (queue_db_next(db, QUEUE_SQL_TALLY_GET, err) < 0)
        return -1;
    for (int i = 0; i < QUEUE_TALLY_COUNT; i++)
        *columns[i] = queue_column_int(db, QUEUE_SQL_TALLY_GET, i);
    queue_db_done(db, QUEUE_SQL_TALLY_GET);
    for (int topic = 0; topic < 2; topic++) {
        queue_bind_int(db, QUEUE_SQL_OLDEST_WAITING, 1, topic);
        int found = queue_db_next(db, QUEUE_SQL_OLDEST_WAITING, err);
        if (found < 0)
            return -1;
        if (found == 1)
            out->oldest_waiting_ms[topic] = queue_column_int(db, QUEUE_SQL_OLDEST_WAITING, 0);
        queue_db_done(db, QUEUE_SQL_OLDEST_WAITING);
    }
    return 0;
}

int queue_sqlite_stats(void *state, struct queue_stats *out, struct err *err)
{
    struct queue_sqlite *q = state;
    struct queue_db *db = queue_pool_take(&q->pool, err);
    if (db == NULL)
        return -1;
    int rc = queue_sqlite_counts(db, out, err);
    queue_pool_give(&q->pool, db);
    return rc;
}
