/* SPDX-License-Identifier: Apache-2.0 */
#include "queue/queue_memory.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "normalize/mem.h"

static int queue_memory_open(const struct queue_options *options, int64_t now_ms, void **state,
                             struct err *err)
{
    (void)now_ms;
    if (options->read_only)
        return err_set(err, ERR_CONFIG, "cannot read the queue: there is none in memory");
    struct queue_memory *q = mem_calloc(1, sizeof *q);
    pthread_mutex_init(&q->lock, NULL);
    *state = q;
    return 0;
}

static void queue_memory_entry_release(struct queue_memory_entry *entry)
{
    queue_report_release(&entry->report);
    for (size_t i = 0; i < entry->blob_count; i++) {
        free(entry->blobs[i].field);
        buf_wipe(&entry->blobs[i].data);
    }
    free(entry->blobs);
}

static void queue_memory_close(void *state)
{
    struct queue_memory *q = state;
    for (size_t i = 0; i < q->entry_count; i++)
        queue_memory_entry_release(&q->entries[i]);
    for (size_t i = 0; i < q->event_count; i++) {
        free(q->events[i].key);
        free(q->events[i].item.answer);
        free(q->events[i].item.photo_field);
    }
    for (size_t i = 0; i < q->row_count; i++)
        buf_wipe(&q->rows[i].payload);
    for (size_t i = 0; i < q->word_count; i++) {
        free(q->words[i].channel_id);
        free(q->words[i].name);
        free(q->words[i].text);
    }
    free(q->entries);
    free(q->keys);
    free(q->events);
    free(q->rows);
    free(q->words);
    pthread_mutex_destroy(&q->lock);
    free(q);
}

struct queue_memory_entry *queue_memory_find(struct queue_memory *q, const char *id)
{
    for (size_t i = 0; i < q->entry_count; i++) {
        if (strcmp(q->entries[i].report.id, id) == 0)
            return &q->entries[i];
    }
    return NULL;
}

struct queue_memory_word *queue_memory_word(struct queue_memory *q, const char *channel_id,
                                            const char *name)
{
    for (size_t i = 0; i < q->word_count; i++) {
        struct queue_memory_word *word = &q->words[i];
        bool same =
            name == NULL || word->name == NULL ? name == word->name : strcmp(name, word->name) == 0;
        if (same && strcmp(word->channel_id, channel_id) == 0)
            return word;
    }
    return NULL;
}

/* A copy with bytes of its own. */
static void queue_memory_report_copy(const struct queue_report *from, struct queue_report *to)
{
    struct queue_report empty = *to;
    *to = *from;
    to->body = empty.body;
    to->reporter = empty.reporter;
    to->reply = empty.reply;
    buf_add(&to->body, from->body.data, from->body.len);
    buf_add(&to->reporter, from->reporter.data, from->reporter.len);
    buf_add(&to->reply, from->reply.data, from->reply.len);
}

static int queue_memory_report_get(void *state, const char *id, struct queue_report *out,
                                   struct err *err)
{
    (void)err;
    struct queue_memory *q = state;
    pthread_mutex_lock(&q->lock);
    const struct queue_memory_entry *entry = queue_memory_find(q, id);
    if (entry != NULL)
        queue_memory_report_copy(&entry->report, out);
    pthread_mutex_unlock(&q->lock);
    return entry != NULL;
}

static int queue_memory_blob_get(void *state, const char *id, const char *field, struct buf *out,
                                 struct err *err)
{
    struct queue_memory *q = state;
    int found = 0;
    pthread_mutex_lock(&q->lock);
    const struct queue_memory_entry *entry = queue_memory_find(q, id);
    for (size_t i = 0; entry != NULL && i < entry->blob_count; i++) {
        if (strcmp(entry->blobs[i].field, field) == 0) {
            buf_add(out, entry->blobs[i].data.data, entry->blobs[i].data.len);
            found = 1;
        }
    }
    pthread_mutex_unlock(&q->lock);
    if (out->overflow)
        return err_set(err, ERR_CONFIG, "a blob is larger than the buffer for it");
    return found;
}

static int queue_memory_blob_list(void *state, const char *id, char (*fields)[QUEUE_WORD_MAX],
                                  size_t max, size_t *n, struct err *err)
{
    (void)err;
    struct queue_memory *q = state;
    pthread_mutex_lock(&q->lock);
    const struct queue_memory_entry *entry = queue_memory_find(q, id);
    for (; entry != NULL && *n < entry->blob_count && *n < max; (*n)++)
        snprintf(fields[*n], QUEUE_WORD_MAX, "%s", entry->blobs[*n].field);
    pthread_mutex_unlock(&q->lock);
    return 0;
}

static int queue_memory_timeline(void *state, const char *id, struct queue_timeline_item **items,
                                 size_t *n, struct err *err)
{
    (void)err;
    struct queue_memory *q = state;
    pthread_mutex_lock(&q->lock);
    const struct queue_memory_entry *entry = queue_memory_find(q, id);
    *items = mem_calloc(q->event_count, sizeof **items);
    for (size_t i = 0; entry != NULL && i < q->event_count; i++) {
        const struct queue_timeline_item *item = &q->events[i].item;
        if (&q->entries[q->events[i].entry] != entry)
            continue;
        size_t at = (*n)++;
        for (; at > 0 && (*items)[at - 1].day > item->day; at--)
            (*items)[at] = (*items)[at - 1];
        (*items)[at] = *item;
        (*items)[at].answer = mem_strdup(item->answer);
        (*items)[at].photo_field = mem_strdup(item->photo_field);
    }
    pthread_mutex_unlock(&q->lock);
    return 0;
}

static int queue_memory_cursor_get(void *state, const char *channel_id, const char *name,
                                   struct buf *out, struct err *err)
{
    (void)err;
    struct queue_memory *q = state;
    pthread_mutex_lock(&q->lock);
    const struct queue_memory_word *word = queue_memory_word(q, channel_id, name);
    if (word != NULL)
        buf_add_text(out, word->text);
    pthread_mutex_unlock(&q->lock);
    return word != NULL;
}

static int queue_memory_health_get(void *state, const char *channel_id, struct buf *out,
                                   struct err *err)
{
    return queue_memory_cursor_get(state, channel_id, NULL, out, err);
}

static int queue_memory_rows(void *state, enum queue_row_state row_state, int64_t after_id,
                             struct queue_row **rows, size_t *n, struct err *err)
{
    (void)err;
    struct queue_memory *q = state;
    *rows = mem_calloc(QUEUE_LIST_MAX, sizeof **rows);
    pthread_mutex_lock(&q->lock);
    for (size_t i = 0; i < q->row_count && *n < QUEUE_LIST_MAX; i++) {
        if (q->rows[i].row.state == row_state && q->rows[i].row.id > after_id)
            (*rows)[(*n)++] = q->rows[i].row;
    }
    pthread_mutex_unlock(&q->lock);
    return 0;
}

/* IDs of a kind behind after_id, and of that parent when parent_id is not NULL. */
static void queue_memory_ids_where(struct queue_memory *q, enum queue_entry_kind kind,
                                   const char *after_id, const char *parent_id,
                                   char (**ids)[REPORT_ID_SIZE], size_t *n)
{
    bool behind = after_id == NULL;
    *ids = mem_calloc(QUEUE_LIST_MAX, sizeof **ids);
    pthread_mutex_lock(&q->lock);
    for (size_t i = 0; i < q->entry_count && *n < QUEUE_LIST_MAX; i++) {
        const struct queue_report *report = &q->entries[i].report;
        if (behind && report->kind == kind &&
            (parent_id == NULL || strcmp(report->parent_id, parent_id) == 0))
            memcpy((*ids)[(*n)++], report->id, REPORT_ID_SIZE);
        behind = behind || strcmp(report->id, after_id) == 0;
    }
    pthread_mutex_unlock(&q->lock);
}

static int queue_memory_ids(void *state, enum queue_entry_kind kind, const char *after_id,
                            char (**ids)[REPORT_ID_SIZE], size_t *n, struct err *err)
{
    (void)err;
    queue_memory_ids_where(state, kind, after_id, NULL, ids, n);
    return 0;
}

static int queue_memory_followups(void *state, const char *parent_id, char (**ids)[REPORT_ID_SIZE],
                                  size_t *n, struct err *err)
{
    (void)err;
    queue_memory_ids_where(state, QUEUE_FOLLOWUP, NULL, parent_id, ids, n);
    return 0;
}

static int queue_memory_stats(void *state, struct queue_stats *out, struct err *err)
{
    (void)err;
    struct queue_memory *q = state;
    int64_t *const kinds[] = {&out->reports, &out->followups, &out->not_reports, &out->quarantined};
    pthread_mutex_lock(&q->lock);
    for (size_t i = 0; i < q->entry_count; i++)
        (*kinds[q->entries[i].report.kind])++;
    for (size_t i = 0; i < q->row_count; i++) {
        const struct queue_row *row = &q->rows[i].row;
        int64_t *oldest = &out->oldest_waiting_ms[row->topic];
        out->waiting[row->topic] += row->state == QUEUE_WAITING;
        out->leased[row->topic] += row->state == QUEUE_LEASED;
        out->buried[row->topic] += row->state == QUEUE_BURIED;
        if (row->state == QUEUE_WAITING && *oldest == 0)
            *oldest = row->created_ms;
    }
    pthread_mutex_unlock(&q->lock);
    return 0;
}

const struct queue_engine queue_engine_memory = {
    .name = "memory",
    .open = queue_memory_open,
    .apply = queue_memory_apply,
    .report_get = queue_memory_report_get,
    .blob_get = queue_memory_blob_get,
    .blob_list = queue_memory_blob_list,
    .timeline = queue_memory_timeline,
    .cursor_get = queue_memory_cursor_get,
    .health_get = queue_memory_health_get,
    .rows = queue_memory_rows,
    .ids = queue_memory_ids,
    .followups = queue_memory_followups,
    .stats = queue_memory_stats,
    .close = queue_memory_close,
};
