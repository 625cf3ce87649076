/* SPDX-License-Identifier: Apache-2.0 */
#include "queue/queue_memory.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "normalize/mem.h"

static void queue_memory_word_copy(char *out, size_t size, const char *text)
{
    snprintf(out, size, "%s", text == NULL ? "" : text);
}

static void queue_memory_bytes_copy(struct buf *out, struct queue_bytes bytes)
{
    buf_clear(out);
    buf_add(out, bytes.data, bytes.len);
}

/* Everything of a report that an entry says; core_ref is not an entry's. */
static void queue_memory_fill(struct queue_report *report, const struct queue_entry *entry)
{
    report->kind = entry->kind;
    queue_memory_word_copy(report->id, sizeof report->id, entry->id);
    queue_memory_word_copy(report->parent_id, sizeof report->parent_id, entry->parent_id);
    queue_memory_word_copy(report->channel_id, sizeof report->channel_id, entry->channel_id);
    queue_memory_word_copy(report->channel_kind, sizeof report->channel_kind, entry->channel_kind);
    queue_memory_word_copy(report->category, sizeof report->category, entry->category);
    queue_memory_word_copy(report->kelurahan_code, sizeof report->kelurahan_code,
                           entry->kelurahan_code);
    queue_memory_word_copy(report->language, sizeof report->language, entry->language);
    queue_memory_word_copy(report->reason, sizeof report->reason, entry->reason);
    report->public_report = entry->public_report;
    report->received_day = entry->received_day;
    report->has_reporter_index = entry->reporter_index != NULL;
    if (entry->reporter_index != NULL)
        memcpy(report->reporter_index, entry->reporter_index, QUEUE_INDEX_SIZE);
    queue_memory_bytes_copy(&report->body, entry->body);
    queue_memory_bytes_copy(&report->reporter, entry->reporter);
    queue_memory_bytes_copy(&report->reply, entry->reply);
}

static void queue_memory_blob_remove(struct queue_memory_entry *entry, size_t at)
{
    free(entry->blobs[at].field);
    buf_wipe(&entry->blobs[at].data);
    entry->blob_count--;
    memmove(&entry->blobs[at], &entry->blobs[at + 1],
            (entry->blob_count - at) * sizeof *entry->blobs);
}

/* Removes the blobs of one field (NULL: any) that are due by day (0: whenever they are). */
static void queue_memory_blobs_remove(struct queue_memory_entry *entry, const char *field,
                                      int64_t day)
{
    for (size_t i = entry->blob_count; i-- > 0;) {
        const struct queue_memory_blob *blob = &entry->blobs[i];
        bool due = day == 0 || (blob->expires_day > 0 && blob->expires_day <= day);
        if (due && (field == NULL || strcmp(field, blob->field) == 0))
            queue_memory_blob_remove(entry, i);
    }
}

static void queue_memory_blob_add(struct queue_memory_entry *entry, const struct queue_blob *blob)
{
    queue_memory_blobs_remove(entry, blob->field, 0);
    entry->blobs = mem_realloc(entry->blobs, entry->blob_count + 1, sizeof *entry->blobs);
    struct queue_memory_blob *added = &entry->blobs[entry->blob_count++];
    *added = (struct queue_memory_blob){.field = mem_strdup(blob->field),
                                        .data = BUF_INIT(QUEUE_BLOB_MAX),
                                        .expires_day = blob->expires_day};
    buf_add(&added->data, blob->data.data, blob->data.len);
}

/* Who holds the op's dedup key, told in the op's results; NULL: nobody. */
static struct queue_memory_entry *queue_memory_holder(struct queue_memory *q, struct queue_op *op)
{
    for (size_t i = 0; i < q->key_count; i++) {
        const struct queue_memory_key *key = &q->keys[i];
        if (memcmp(key->key, op->entry->dedup_key, sizeof key->key) != 0)
            continue;
        struct queue_memory_entry *holder = &q->entries[key->entry];
        memcpy(op->known_id, holder->report.id, sizeof op->known_id);
        op->fingerprint_differs =
            memcmp(key->fingerprint, op->entry->dedup_fingerprint, sizeof key->fingerprint) != 0;
        return holder;
    }
    return NULL;
}

static void queue_memory_key_add(struct queue_memory *q, const struct queue_entry *entry, size_t at)
{
    q->keys = mem_realloc(q->keys, q->key_count + 1, sizeof *q->keys);
    struct queue_memory_key *key = &q->keys[q->key_count++];
    memcpy(key->key, entry->dedup_key, sizeof key->key);
    memcpy(key->fingerprint, entry->dedup_fingerprint, sizeof key->fingerprint);
    key->entry = at;
}

/* The blobs and the work an entry brings. */
static void queue_memory_entry_rest(struct queue_memory *q, const struct queue_entry *entry,
                                    size_t at, int64_t now_ms)
{
    size_t parent = at;
    const struct queue_memory_entry *found =
        entry->parent_id == NULL ? NULL : queue_memory_find(q, entry->parent_id);
    if (found != NULL)
        parent = (size_t)(found - q->entries);
    for (size_t i = 0; i < entry->blob_count; i++)
        queue_memory_blob_add(&q->entries[at], &entry->blobs[i]);
    for (size_t i = 0; i < entry->outbox_count; i++)
        queue_memory_row_add(q, entry->id, entry->outbox[i].topic == QUEUE_TO_CORE ? parent : at,
                             &entry->outbox[i], now_ms);
}

static void queue_memory_accept(struct queue_memory *q, struct queue_op *op, int64_t now_ms)
{
    const struct queue_entry *entry = op->entry;
    op->result = QUEUE_KNOWN;
    if (queue_memory_holder(q, op) != NULL)
        return;
    op->result = QUEUE_LOST;
    if (queue_memory_find(q, entry->id) != NULL)
        return;
    op->result = QUEUE_STORED;
    size_t at = q->entry_count++;
    q->entries = mem_realloc(q->entries, q->entry_count, sizeof *q->entries);
    q->entries[at] = (struct queue_memory_entry){.report = {.body = BUF_INIT(QUEUE_BODY_MAX),
                                                            .reporter = BUF_INIT(QUEUE_BODY_MAX),
                                                            .reply = BUF_INIT(QUEUE_BODY_MAX)}};
    queue_memory_fill(&q->entries[at].report, entry);
    queue_memory_key_add(q, entry, at);
    queue_memory_entry_rest(q, entry, at, now_ms);
}

static void queue_memory_resolve(struct queue_memory *q, struct queue_op *op, int64_t now_ms)
{
    struct queue_memory_entry *stored = queue_memory_find(q, op->entry->id);
    op->result = QUEUE_LOST;
    if (stored == NULL || stored->report.kind != QUEUE_QUARANTINE)
        return;
    const struct queue_memory_entry *holder = queue_memory_holder(q, op);
    op->result = QUEUE_KNOWN;
    if (holder != NULL && holder != stored)
        return;
    op->result = QUEUE_STORED;
    op->known_id[0] = '\0';
    op->fingerprint_differs = false;
    size_t at = (size_t)(stored - q->entries);
    if (holder == NULL)
        queue_memory_key_add(q, op->entry, at);
    queue_memory_fill(&stored->report, op->entry);
    queue_memory_entry_rest(q, op->entry, at, now_ms);
}

static void queue_memory_event_add(struct queue_memory *q, const struct queue_event *event,
                                   size_t at)
{
    q->events = mem_realloc(q->events, q->event_count + 1, sizeof *q->events);
    struct queue_memory_event *added = &q->events[q->event_count++];
    *added = (struct queue_memory_event){
        .entry = at,
        .key = mem_strdup(event->key),
        .item = {.day = event->day,
                 .answer = mem_strdup(event->answer),
                 .photo_field = mem_strdup(event->photo_field)},
    };
    queue_memory_word_copy(added->item.state, sizeof added->item.state, event->state);
    queue_memory_word_copy(added->item.agency, sizeof added->item.agency, event->agency);
}

static void queue_memory_event(struct queue_memory *q, struct queue_op *op, int64_t now_ms)
{
    const struct queue_event *event = op->event;
    struct queue_memory_entry *entry = queue_memory_find(q, event->report_id);
    op->result = QUEUE_LOST;
    if (entry == NULL)
        return;
    size_t at = (size_t)(entry - q->entries);
    op->result = QUEUE_KNOWN;
    for (size_t i = 0; i < q->event_count; i++) {
        if (q->events[i].entry == at && strcmp(q->events[i].key, event->key) == 0)
            return;
    }
    op->result = QUEUE_STORED;
    queue_memory_event_add(q, event, at);
    const struct queue_blob photo = {.field = event->photo_field, .data = event->photo};
    if (photo.data.len > 0)
        queue_memory_blob_add(entry, &photo);
    if (op->has_outbox)
        queue_memory_row_add(q, event->report_id, at, &op->outbox, now_ms);
}

static void queue_memory_word_set(struct queue_memory *q, struct queue_op *op, int64_t now_ms)
{
    (void)now_ms;
    const char *name = op->kind == QUEUE_HEALTH ? NULL : op->name;
    struct queue_memory_word *word = queue_memory_word(q, op->channel_id, name);
    op->result = QUEUE_STORED;
    if (word == NULL) {
        q->words = mem_realloc(q->words, q->word_count + 1, sizeof *q->words);
        word = &q->words[q->word_count++];
        *word = (struct queue_memory_word){.channel_id = mem_strdup(op->channel_id),
                                           .name = mem_strdup(name)};
    }
    free(word->text);
    word->text = mem_strdup(op->text);
}

static void queue_memory_blob_erase(struct queue_memory *q, struct queue_op *op, int64_t now_ms)
{
    (void)now_ms;
    struct queue_memory_entry *entry = queue_memory_find(q, op->entry->id);
    op->result = entry == NULL ? QUEUE_LOST : QUEUE_STORED;
    if (entry != NULL)
        queue_memory_blobs_remove(entry, op->text, 0);
}

static void queue_memory_expire(struct queue_memory *q, struct queue_op *op, int64_t now_ms)
{
    (void)now_ms;
    op->result = QUEUE_STORED;
    for (size_t i = 0; i < q->entry_count && op->day > 0; i++)
        queue_memory_blobs_remove(&q->entries[i], NULL, op->day);
}

int queue_memory_apply(void *state, struct queue_op *const *ops, size_t n, int64_t now_ms,
                       struct err *err)
{
    static void (*const run[])(struct queue_memory *, struct queue_op *, int64_t) = {
        [QUEUE_ACCEPT] = queue_memory_accept,     [QUEUE_RESOLVE] = queue_memory_resolve,
        [QUEUE_LEASE] = queue_memory_lease,       [QUEUE_EXTEND] = queue_memory_row_change,
        [QUEUE_FINISH] = queue_memory_row_change, [QUEUE_RETRY] = queue_memory_row_change,
        [QUEUE_BURY] = queue_memory_row_change,   [QUEUE_REVIVE] = queue_memory_row_change,
        [QUEUE_EVENT] = queue_memory_event,       [QUEUE_CURSOR] = queue_memory_word_set,
        [QUEUE_HEALTH] = queue_memory_word_set,   [QUEUE_BLOB_ERASE] = queue_memory_blob_erase,
        [QUEUE_EXPIRE] = queue_memory_expire,
    };
    (void)err;
    struct queue_memory *q = state;
    pthread_mutex_lock(&q->lock);
    for (size_t i = 0; i < n; i++)
        run[ops[i]->kind](q, ops[i], now_ms);
    pthread_mutex_unlock(&q->lock);
    return 0;
}
