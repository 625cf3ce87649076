/* SPDX-License-Identifier: Apache-2.0 */
/* Entries, their dedup keys and timelines, cursors and health. */
#include <string.h>

#include <sodium.h>

#include "queue/queue_sqlite.h"

static void queue_sqlite_bind_entry(struct queue_db *db, enum queue_sql which, int64_t n,
                                    const struct queue_entry *entry,
                                    const struct blob_place *content)
{
    queue_bind_int(db, which, 1, n);
    queue_bind_text(db, which, 2, entry->id);
    queue_bind_int(db, which, 3, entry->kind);
    queue_bind_text(db, which, 4, entry->channel_id);
    queue_bind_text(db, which, 5, entry->channel_kind);
    queue_bind_text(db, which, 6, entry->parent_id);
    queue_bind_text(db, which, 7, entry->category);
    queue_bind_text(db, which, 8, entry->kelurahan_code);
    queue_bind_text(db, which, 9, entry->language);
    queue_bind_int(db, which, 10, entry->public_report);
    queue_bind_int(db, which, 11, entry->received_day);
    queue_bind_bytes(db, which, 12, entry->reporter_index,
                     entry->reporter_index == NULL ? 0 : QUEUE_INDEX_SIZE);
    queue_bind_text(db, which, 13, entry->reason);
    queue_bind_int(db, which, 14, content->segment);
    queue_bind_int(db, which, 15, content->offset);
    queue_bind_int(db, which, 16, content->length);
    queue_bind_int(db, which, 17, (int64_t)content->checksum);
    queue_bind_int(db, which, 18, (int64_t)entry->reporter.len);
    queue_bind_int(db, which, 19, (int64_t)entry->reply.len);
}

/* Appends body, reporter and reply as one piece and runs the statement that names it. */
static int queue_sqlite_write_entry(struct queue_sqlite *q, enum queue_sql which, int64_t n,
                                    const struct queue_entry *entry, int64_t *changed,
                                    struct err *err)
{
    struct blob_place place = {.segment = 0};
    struct buf *content = &q->content;
    buf_clear(content);
    buf_add(content, entry->body.data, entry->body.len);
    buf_add(content, entry->reporter.data, entry->reporter.len);
    buf_add(content, entry->reply.data, entry->reply.len);
    if (content->len > 0 && queue_sqlite_append(q, content->data, content->len, &place, err) < 0)
        return -1;
    queue_sqlite_bind_entry(&q->writer, which, n, entry, &place);
    return queue_db_run(&q->writer, which, changed, err);
}

int queue_sqlite_entry_find(struct queue_sqlite *q, const char *id,
                            struct queue_sqlite_found *found, struct err *err)
{
    const enum queue_sql which = QUEUE_SQL_ENTRY_FIND;
    queue_bind_text(&q->writer, which, 1, id);
    int more = queue_db_next(&q->writer, which, err);
    if (more <= 0)
        return more;
    *found = (struct queue_sqlite_found){
        .n = queue_column_int(&q->writer, which, 0),
        .kind = queue_column_int(&q->writer, which, 1),
        .content = {.segment = queue_column_int(&q->writer, which, 2),
                    .offset = queue_column_int(&q->writer, which, 3),
                    .length = queue_column_int(&q->writer, which, 4)},
    };
    if (found->content.segment > 0)
        found->content.length += BLOB_HEADER_SIZE;
    queue_db_done(&q->writer, which);
    return 1;
}

struct queue_sqlite_key {
    unsigned char key[16];
    int64_t fingerprint;
};

static void queue_sqlite_key(struct queue_sqlite_key *short_key, const struct queue_entry *entry)
{
    static const unsigned char hash_key[crypto_shorthash_KEYBYTES] = "kanal dedup key";
    unsigned char hash[crypto_shorthash_BYTES];
    crypto_generichash(short_key->key, sizeof short_key->key, entry->dedup_key,
                       QUEUE_DEDUP_KEY_SIZE, NULL, 0);
    crypto_shorthash(hash, entry->dedup_fingerprint, QUEUE_DEDUP_KEY_SIZE, hash_key);
    memcpy(&short_key->fingerprint, hash, sizeof hash);
}

/* 1: op's dedup key is held, by row *entry; the result's fields say by whom. 0: free. -1. */
static int queue_sqlite_dedup_find(struct queue_sqlite *q, struct queue_op *op,
                                   const struct queue_sqlite_key *key, int64_t *entry,
                                   struct err *err)
{
    const enum queue_sql which = QUEUE_SQL_DEDUP_FIND;
    queue_bind_bytes(&q->writer, which, 1, key->key, sizeof key->key);
    queue_bind_int(&q->writer, which, 2, key->fingerprint);
    int found = queue_db_next(&q->writer, which, err);
    if (found <= 0)
        return found;
    *entry = queue_column_int(&q->writer, which, 0);
    queue_column_text(&q->writer, which, 1, op->known_id, sizeof op->known_id);
    op->fingerprint_differs = queue_column_int(&q->writer, which, 2) == 0;
    queue_db_done(&q->writer, which);
    return 1;
}

/* *added is 0 when the key is held. */
static int queue_sqlite_dedup_insert(struct queue_sqlite *q, const struct queue_sqlite_key *key,
                                     int64_t n, int64_t *added, struct err *err)
{
    const enum queue_sql which = QUEUE_SQL_DEDUP_INSERT;
    queue_bind_bytes(&q->writer, which, 1, key->key, sizeof key->key);
    queue_bind_int(&q->writer, which, 2, n);
    queue_bind_int(&q->writer, which, 3, key->fingerprint);
    return queue_db_run(&q->writer, which, added, err);
}

/* The chain of an entry's rows: its parent's for the core, its own otherwise. */
static int queue_sqlite_chain(struct queue_sqlite *q, const struct queue_entry *entry, int64_t n,
                              int64_t *chain, struct err *err)
{
    struct queue_sqlite_found parent = {.n = n};
    int found = 0;
    if (entry->parent_id != NULL)
        found = queue_sqlite_entry_find(q, entry->parent_id, &parent, err);
    *chain = parent.n;
    return found < 0 ? -1 : 0;
}

static bool queue_sqlite_topic_seen(const struct queue_entry *entry, size_t before)
{
    for (size_t i = 0; i < before; i++) {
        if (entry->outbox[i].topic == entry->outbox[before].topic)
            return true;
    }
    return false;
}

static int queue_sqlite_entry_outbox(struct queue_sqlite *q, const struct queue_entry *entry,
                                     int64_t n, bool fresh, int64_t now_ms, struct err *err)
{
    int64_t parent = n;
    if (entry->outbox_count > 0 && queue_sqlite_chain(q, entry, n, &parent, err) < 0)
        return -1;
    for (size_t i = 0; i < entry->outbox_count; i++) {
        const struct queue_outbox *outbox = &entry->outbox[i];
        int64_t chain = outbox->topic == QUEUE_TO_CORE ? parent : n;
        bool first = fresh && chain == n && !queue_sqlite_topic_seen(entry, i);
        if (queue_sqlite_outbox_add(q, n, chain, first, outbox, now_ms, err) < 0)
            return -1;
    }
    return 0;
}

/* Gives back the key taken by an entry whose id turned out to be another's. */
static int queue_sqlite_accept_undo(struct queue_sqlite *q, struct queue_op *op,
                                    const struct queue_sqlite_key *key, struct err *err)
{
    op->result = QUEUE_LOST;
    queue_bind_bytes(&q->writer, QUEUE_SQL_DEDUP_DELETE, 1, key->key, sizeof key->key);
    return queue_db_run(&q->writer, QUEUE_SQL_DEDUP_DELETE, NULL, err);
}

int queue_sqlite_accept(struct queue_sqlite *q, struct queue_op *op, int64_t now_ms,
                        struct err *err)
{
    const struct queue_entry *entry = op->entry;
    struct queue_sqlite_key key;
    int64_t n = q->next_entry;
    int64_t added = 0;
    queue_sqlite_key(&key, entry);
    if (queue_sqlite_dedup_insert(q, &key, n, &added, err) < 0)
        return -1;
    if (added == 0) {
        op->result = QUEUE_KNOWN;
        return queue_sqlite_dedup_find(q, op, &key, &n, err) < 0 ? -1 : 0;
    }
    if (queue_sqlite_write_entry(q, QUEUE_SQL_ENTRY_INSERT, n, entry, &added, err) < 0)
        return -1;
    if (added == 0)
        return queue_sqlite_accept_undo(q, op, &key, err);
    q->next_entry++;
    q->tally[QUEUE_TALLY_KIND + entry->kind]++;
    for (size_t i = 0; i < entry->blob_count; i++) {
        if (queue_sqlite_blob_add(q, n, (int64_t)i, &entry->blobs[i], err) < 0)
            return -1;
    }
    op->result = QUEUE_STORED;
    return queue_sqlite_entry_outbox(q, entry, n, true, now_ms, err);
}

/* Puts the new content in the place of the quarantined entry's. */
static int queue_sqlite_replace(struct queue_sqlite *q, const struct queue_entry *entry,
                                const struct queue_sqlite_found *stored, int64_t now_ms,
                                struct err *err)
{
    if (stored->content.length > 0 && queue_sqlite_discard(q, &stored->content, err) < 0)
        return -1;
    if (queue_sqlite_write_entry(q, QUEUE_SQL_ENTRY_REPLACE, stored->n, entry, NULL, err) < 0)
        return -1;
    q->tally[QUEUE_TALLY_KIND + QUEUE_QUARANTINE]--;
    q->tally[QUEUE_TALLY_KIND + entry->kind]++;
    for (size_t i = 0; i < entry->blob_count; i++) {
        if (queue_sqlite_blob_replace(q, stored->n, &entry->blobs[i], err) < 0)
            return -1;
    }
    return queue_sqlite_entry_outbox(q, entry, stored->n, false, now_ms, err);
}

int queue_sqlite_resolve(struct queue_sqlite *q, struct queue_op *op, int64_t now_ms,
                         struct err *err)
{
    struct queue_sqlite_found stored;
    struct queue_sqlite_key key;
    int64_t holder = 0;
    int64_t added = 0;
    int found = queue_sqlite_entry_find(q, op->entry->id, &stored, err);
    if (found < 0)
        return -1;
    if (found == 0 || stored.kind != QUEUE_QUARANTINE) {
        op->result = QUEUE_LOST;
        return 0;
    }
    queue_sqlite_key(&key, op->entry);
    int held = queue_sqlite_dedup_find(q, op, &key, &holder, err);
    if (held < 0)
        return -1;
    if (held == 1 && holder != stored.n) {
        op->result = QUEUE_KNOWN;
        return 0;
    }
    op->known_id[0] = '\0';
    op->fingerprint_differs = false;
    if (held == 0 && queue_sqlite_dedup_insert(q, &key, stored.n, &added, err) < 0)
        return -1;
    op->result = QUEUE_STORED;
    return queue_sqlite_replace(q, op->entry, &stored, now_ms, err);
}

static int queue_sqlite_event_insert(struct queue_sqlite *q, const struct queue_event *event,
                                     int64_t entry, int64_t *added, struct err *err)
{
    const enum queue_sql which = QUEUE_SQL_EVENT_INSERT;
    queue_bind_int(&q->writer, which, 1, entry);
    queue_bind_text(&q->writer, which, 2, event->key);
    queue_bind_int(&q->writer, which, 3, event->day);
    queue_bind_text(&q->writer, which, 4, event->state);
    queue_bind_text(&q->writer, which, 5, event->agency);
    queue_bind_text(&q->writer, which, 6, event->answer);
    queue_bind_text(&q->writer, which, 7, event->photo_field);
    return queue_db_run(&q->writer, which, added, err);
}

int queue_sqlite_event(struct queue_sqlite *q, struct queue_op *op, int64_t now_ms, struct err *err)
{
    const struct queue_event *event = op->event;
    struct queue_sqlite_found entry;
    int64_t added = 0;
    int found = queue_sqlite_entry_find(q, event->report_id, &entry, err);
    if (found < 0)
        return -1;
    if (found == 0) {
        op->result = QUEUE_LOST;
        return 0;
    }
    if (queue_sqlite_event_insert(q, event, entry.n, &added, err) < 0)
        return -1;
    op->result = added == 0 ? QUEUE_KNOWN : QUEUE_STORED;
    if (added == 0)
        return 0;
    const struct queue_blob photo = {.field = event->photo_field, .data = event->photo};
    if (photo.data.len > 0 && queue_sqlite_blob_replace(q, entry.n, &photo, err) < 0)
        return -1;
    if (!op->has_outbox)
        return 0;
    return queue_sqlite_outbox_add(q, entry.n, entry.n, false, &op->outbox, now_ms, err);
}

int queue_sqlite_cursor(struct queue_sqlite *q, struct queue_op *op, int64_t now_ms,
                        struct err *err)
{
    (void)now_ms;
    op->result = QUEUE_STORED;
    queue_bind_text(&q->writer, QUEUE_SQL_CURSOR_SET, 1, op->channel_id);
    queue_bind_text(&q->writer, QUEUE_SQL_CURSOR_SET, 2, op->name);
    queue_bind_text(&q->writer, QUEUE_SQL_CURSOR_SET, 3, op->text);
    return queue_db_run(&q->writer, QUEUE_SQL_CURSOR_SET, NULL, err);
}

int queue_sqlite_health(struct queue_sqlite *q, struct queue_op *op, int64_t now_ms,
                        struct err *err)
{
    (void)now_ms;
    op->result = QUEUE_STORED;
    queue_bind_text(&q->writer, QUEUE_SQL_HEALTH_SET, 1, op->channel_id);
    queue_bind_text(&q->writer, QUEUE_SQL_HEALTH_SET, 2, op->text);
    return queue_db_run(&q->writer, QUEUE_SQL_HEALTH_SET, NULL, err);
}
