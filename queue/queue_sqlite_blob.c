/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Blobs and the content of entries: rows here, bytes in segment files. Erasing takes two steps that
 * a crash may separate: the transaction removes the row and lists the range as dead; then the range
 * leaves the disk. What is still listed at the next open is erased again, which does no harm.
 */
#include <string.h>

#include "normalize/mem.h"
#include "queue/queue_sqlite.h"

enum { QUEUE_ERASE_BATCH = 256 /* rows read before they are deleted */ };

struct queue_sqlite_dying {
    int64_t entry, n;
    struct blob_range range;
};

/* Tells the table of segments what was appended to the current one. */
static int queue_sqlite_segment_count(struct queue_sqlite *q, int64_t segment, int64_t used,
                                      struct err *err)
{
    if (q->appended == 0)
        return 0;
    queue_bind_int(&q->writer, QUEUE_SQL_SEGMENT_ADD, 1, segment);
    queue_bind_int(&q->writer, QUEUE_SQL_SEGMENT_ADD, 2, used);
    queue_bind_int(&q->writer, QUEUE_SQL_SEGMENT_ADD, 3, q->appended);
    q->appended = 0;
    return queue_db_run(&q->writer, QUEUE_SQL_SEGMENT_ADD, NULL, err);
}

int queue_sqlite_append(struct queue_sqlite *q, const void *data, size_t len,
                        struct blob_place *place, struct err *err)
{
    const int64_t segment = q->segments.current;
    const int64_t used = q->segments.end;
    if (blob_segment_append(&q->segments, data, len, place, err) < 0)
        return -1;
    if (place->segment != segment && queue_sqlite_segment_count(q, segment, used, err) < 0)
        return -1;
    q->appended++;
    return 0;
}

int queue_sqlite_blob_add(struct queue_sqlite *q, int64_t entry, int64_t n,
                          const struct queue_blob *blob, struct err *err)
{
    const enum queue_sql which = QUEUE_SQL_BLOB_INSERT;
    struct blob_place place;
    if (queue_sqlite_append(q, blob->data.data, blob->data.len, &place, err) < 0)
        return -1;
    queue_bind_int(&q->writer, which, 1, entry);
    queue_bind_int(&q->writer, which, 2, n);
    queue_bind_text(&q->writer, which, 3, blob->field);
    queue_bind_int(&q->writer, which, 4, place.segment);
    queue_bind_int(&q->writer, which, 5, place.offset);
    queue_bind_int(&q->writer, which, 6, place.length);
    queue_bind_int(&q->writer, which, 7, (int64_t)place.checksum);
    queue_bind_int(&q->writer, which, 8, blob->expires_day);
    return queue_db_run(&q->writer, which, NULL, err);
}

/* Neighbours become one range: a day's blobs lie side by side. */
static void queue_sqlite_dead_add(struct queue_ranges *dead, const struct blob_range *range)
{
    struct blob_range *last = dead->count > 0 ? &dead->items[dead->count - 1] : NULL;
    if (last != NULL && last->segment == range->segment &&
        last->offset + last->length == range->offset) {
        last->length += range->length;
        return;
    }
    if (dead->items == NULL || dead->count == dead->cap) {
        dead->cap = dead->cap * 2 + 16;
        dead->items = mem_realloc(dead->items, dead->cap, sizeof *dead->items);
    }
    dead->items[dead->count++] = *range;
}

/* Reads up to a batch of the rows a bound statement gives: their number, or -1. */
static int queue_sqlite_dying_read(struct queue_sqlite *q, enum queue_sql which,
                                   struct queue_sqlite_dying *dying, struct err *err)
{
    int n = 0;
    queue_bind_int(&q->writer, which, 3, QUEUE_ERASE_BATCH);
    int more = queue_db_next(&q->writer, which, err);
    for (; more == 1; more = queue_db_next(&q->writer, which, err)) {
        dying[n++] = (struct queue_sqlite_dying){
            .entry = queue_column_int(&q->writer, which, 0),
            .n = queue_column_int(&q->writer, which, 1),
            .range = {.segment = queue_column_int(&q->writer, which, 2),
                      .offset = queue_column_int(&q->writer, which, 3),
                      .length = queue_column_int(&q->writer, which, 4) + BLOB_HEADER_SIZE},
        };
    }
    return more < 0 ? -1 : n;
}

int queue_sqlite_discard(struct queue_sqlite *q, const struct blob_range *range, struct err *err)
{
    if (queue_sqlite_segment_count(q, q->segments.current, q->segments.end, err) < 0)
        return -1;
    queue_sqlite_dead_add(&q->dead, range);
    queue_bind_int(&q->writer, QUEUE_SQL_SEGMENT_LESS, 1, range->segment);
    return queue_db_run(&q->writer, QUEUE_SQL_SEGMENT_LESS, NULL, err);
}

static int queue_sqlite_die(struct queue_sqlite *q, const struct queue_sqlite_dying *dying,
                            struct err *err)
{
    queue_bind_int(&q->writer, QUEUE_SQL_BLOB_DELETE, 1, dying->entry);
    queue_bind_int(&q->writer, QUEUE_SQL_BLOB_DELETE, 2, dying->n);
    if (queue_db_run(&q->writer, QUEUE_SQL_BLOB_DELETE, NULL, err) < 0)
        return -1;
    return queue_sqlite_discard(q, &dying->range, err);
}

/* Erases every row a statement with bound parameters 1 and 2 gives. */
static int queue_sqlite_die_all(struct queue_sqlite *q, enum queue_sql which, struct err *err)
{
    struct queue_sqlite_dying dying[QUEUE_ERASE_BATCH];
    for (int n = QUEUE_ERASE_BATCH; n == QUEUE_ERASE_BATCH;) {
        n = queue_sqlite_dying_read(q, which, dying, err);
        if (n < 0)
            return -1;
        for (int i = 0; i < n; i++) {
            if (queue_sqlite_die(q, &dying[i], err) < 0)
                return -1;
        }
    }
    return 0;
}

static int queue_sqlite_erase_field(struct queue_sqlite *q, int64_t entry, const char *field,
                                    struct err *err)
{
    queue_bind_int(&q->writer, QUEUE_SQL_BLOB_LIST, 1, entry);
    queue_bind_text(&q->writer, QUEUE_SQL_BLOB_LIST, 2, field);
    return queue_sqlite_die_all(q, QUEUE_SQL_BLOB_LIST, err);
}

int queue_sqlite_blob_replace(struct queue_sqlite *q, int64_t entry, const struct queue_blob *blob,
                              struct err *err)
{
    if (queue_sqlite_erase_field(q, entry, blob->field, err) < 0)
        return -1;
    queue_bind_int(&q->writer, QUEUE_SQL_BLOB_NEXT, 1, entry);
    int found = queue_db_next(&q->writer, QUEUE_SQL_BLOB_NEXT, err);
    if (found < 0)
        return -1;
    int64_t n = found == 1 ? queue_column_int(&q->writer, QUEUE_SQL_BLOB_NEXT, 0) : 0;
    queue_db_done(&q->writer, QUEUE_SQL_BLOB_NEXT);
    return queue_sqlite_blob_add(q, entry, n, blob, err);
}

int queue_sqlite_blob_erase(struct queue_sqlite *q, struct queue_op *op, int64_t now_ms,
                            struct err *err)
{
    (void)now_ms;
    struct queue_sqlite_found entry;
    int found = queue_sqlite_entry_find(q, op->entry->id, &entry, err);
    if (found < 0)
        return -1;
    op->result = found == 1 ? QUEUE_STORED : QUEUE_LOST;
    return found == 1 ? queue_sqlite_erase_field(q, entry.n, op->text, err) : 0;
}

int queue_sqlite_expire(struct queue_sqlite *q, struct queue_op *op, int64_t now_ms,
                        struct err *err)
{
    (void)now_ms;
    op->result = QUEUE_STORED;
    queue_bind_int(&q->writer, QUEUE_SQL_BLOB_EXPIRED, 1, op->day);
    return queue_sqlite_die_all(q, QUEUE_SQL_BLOB_EXPIRED, err);
}

/* A range whose segment holds nothing alive becomes the whole file, the others are listed. */
static int queue_sqlite_dead_settle(struct queue_sqlite *q, struct blob_range *range,
                                    struct err *err)
{
    int64_t gone = 0;
    queue_bind_int(&q->writer, QUEUE_SQL_SEGMENT_DROP, 1, range->segment);
    if (queue_db_run(&q->writer, QUEUE_SQL_SEGMENT_DROP, &gone, err) < 0)
        return -1;
    if (gone > 0) {
        range->length = 0;
        return 0;
    }
    queue_bind_int(&q->writer, QUEUE_SQL_DEAD_INSERT, 1, range->segment);
    queue_bind_int(&q->writer, QUEUE_SQL_DEAD_INSERT, 2, range->offset);
    queue_bind_int(&q->writer, QUEUE_SQL_DEAD_INSERT, 3, range->length);
    return queue_db_run(&q->writer, QUEUE_SQL_DEAD_INSERT, NULL, err);
}

int queue_sqlite_blobs_settle(struct queue_sqlite *q, struct err *err)
{
    if (queue_sqlite_segment_count(q, q->segments.current, q->segments.end, err) < 0)
        return -1;
    if (q->dead_listed && queue_db_run(&q->writer, QUEUE_SQL_DEAD_CLEAR, NULL, err) < 0)
        return -1;
    for (size_t i = 0; i < q->dead.count; i++) {
        if (queue_sqlite_dead_settle(q, &q->dead.items[i], err) < 0)
            return -1;
    }
    return 0;
}

int queue_sqlite_blobs_bury(struct queue_sqlite *q, struct err *err)
{
    q->dead_listed = q->dead.count > 0;
    if (blob_segments_erase(&q->segments, q->dead.items, q->dead.count, err) == 0)
        return 0;
    q->broken = true;
    return -1;
}

static int queue_sqlite_dead_read(struct queue_sqlite *q, struct err *err)
{
    int more = queue_db_next(&q->writer, QUEUE_SQL_DEAD_LIST, err);
    for (; more == 1; more = queue_db_next(&q->writer, QUEUE_SQL_DEAD_LIST, err)) {
        const struct blob_range range = {
            .segment = queue_column_int(&q->writer, QUEUE_SQL_DEAD_LIST, 0),
            .offset = queue_column_int(&q->writer, QUEUE_SQL_DEAD_LIST, 1),
            .length = queue_column_int(&q->writer, QUEUE_SQL_DEAD_LIST, 2),
        };
        queue_sqlite_dead_add(&q->dead, &range);
    }
    return more;
}

static bool queue_sqlite_segment_known(void *context, int64_t segment)
{
    struct queue_sqlite *q = context;
    struct err ignored = ERR_INIT; /* what cannot be looked up is kept */
    queue_bind_int(&q->writer, QUEUE_SQL_SEGMENT_FIND, 1, segment);
    int found = queue_db_next(&q->writer, QUEUE_SQL_SEGMENT_FIND, &ignored);
    queue_db_done(&q->writer, QUEUE_SQL_SEGMENT_FIND);
    return found != 0;
}

int queue_sqlite_blobs_recover(struct queue_sqlite *q, struct err *err)
{
    if (queue_sqlite_dead_read(q, err) < 0 || queue_sqlite_blobs_bury(q, err) < 0)
        return -1;
    int found = queue_db_next(&q->writer, QUEUE_SQL_SEGMENT_LAST, err);
    if (found < 0)
        return -1;
    int64_t current = found == 1 ? queue_column_int(&q->writer, QUEUE_SQL_SEGMENT_LAST, 0) : 1;
    int64_t end = found == 1 ? queue_column_int(&q->writer, QUEUE_SQL_SEGMENT_LAST, 1) : 0;
    queue_db_done(&q->writer, QUEUE_SQL_SEGMENT_LAST);
    return blob_segments_recover(&q->segments, current, end, queue_sqlite_segment_known, q, err);
}
