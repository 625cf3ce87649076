/* SPDX-License-Identifier: Apache-2.0 */
/* The limits of operations, checked before any engine sees them: engines may rely on every rule
 * here. Names the argument that is wrong, never its value. */
#include "queue/queue.h"

#include <string.h>

enum {
    CHECK_KIND_SIZE = sizeof((struct queue_lease *)0)->kind,
    CHECK_REASON_SIZE = sizeof((struct queue_report *)0)->reason,
};

static int check_refuse(struct err *err, const char *what)
{
    return err_set(err, ERR_CONFIG, "cannot apply to the queue: %s is missing or passes its limit",
                   what);
}

/* A text of fewer than max bytes; required ones are neither NULL nor empty. */
static int check_text(const char *text, size_t max, bool required, const char *what,
                      struct err *err)
{
    if (text == NULL)
        return required ? check_refuse(err, what) : 0;
    size_t len = strnlen(text, max);
    return len == max || (required && len == 0) ? check_refuse(err, what) : 0;
}

static int check_bytes(struct queue_bytes bytes, size_t max, const char *what, struct err *err)
{
    return bytes.len > max || (bytes.data == NULL && bytes.len > 0) ? check_refuse(err, what) : 0;
}

static int check_outbox(const struct queue_outbox *outbox, struct err *err)
{
    if ((unsigned)outbox->topic > QUEUE_TO_REPORTER)
        return check_refuse(err, "outbox.topic");
    if (check_text(outbox->kind, CHECK_KIND_SIZE, true, "outbox.kind", err) < 0)
        return -1;
    return check_bytes(outbox->payload, QUEUE_PAYLOAD_MAX, "outbox.payload", err);
}

static int check_blobs(const struct queue_entry *entry, struct err *err)
{
    if (entry->blob_count > QUEUE_BLOBS_PER_ENTRY_MAX)
        return check_refuse(err, "entry.blob_count");
    for (size_t i = 0; i < entry->blob_count; i++) {
        const struct queue_blob *blob = &entry->blobs[i];
        if (check_text(blob->field, QUEUE_WORD_MAX, true, "blob.field", err) < 0 ||
            check_bytes(blob->data, QUEUE_BLOB_MAX, "blob.data", err) < 0)
            return -1;
        for (size_t k = 0; k < i; k++) {
            if (strcmp(entry->blobs[k].field, blob->field) == 0)
                return err_set(err, ERR_CONFIG, "cannot apply to the queue: blob.field twice");
        }
    }
    return 0;
}

static int check_entry_words(const struct queue_entry *entry, struct err *err)
{
    const struct {
        const char *text, *what;
        size_t max;
        bool required;
    } words[] = {
        {entry->id, "entry.id", REPORT_ID_SIZE, true},
        {entry->parent_id, "entry.parent_id", REPORT_ID_SIZE, false},
        {entry->channel_id, "entry.channel_id", QUEUE_WORD_MAX, true},
        {entry->channel_kind, "entry.channel_kind", QUEUE_WORD_MAX, true},
        {entry->category, "entry.category", QUEUE_WORD_MAX, false},
        {entry->kelurahan_code, "entry.kelurahan_code", QUEUE_WORD_MAX, false},
        {entry->language, "entry.language", QUEUE_WORD_MAX, false},
        {entry->reason, "entry.reason", CHECK_REASON_SIZE, false},
    };
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        if (check_text(words[i].text, words[i].max, words[i].required, words[i].what, err) < 0)
            return -1;
    }
    return 0;
}

static int check_entry(const struct queue_op *op, struct err *err)
{
    const struct queue_entry *entry = op->entry;
    if (entry == NULL || (unsigned)entry->kind > QUEUE_QUARANTINE)
        return check_refuse(err, "entry");
    if (entry->dedup_key == NULL || entry->dedup_fingerprint == NULL)
        return check_refuse(err, "entry.dedup_key");
    if (check_entry_words(entry, err) < 0 ||
        check_bytes(entry->body, QUEUE_BODY_MAX, "entry.body", err) < 0 ||
        check_bytes(entry->reporter, QUEUE_BODY_MAX, "entry.reporter", err) < 0 ||
        check_bytes(entry->reply, QUEUE_BODY_MAX, "entry.reply", err) < 0 ||
        check_blobs(entry, err) < 0)
        return -1;
    if (entry->outbox_count > QUEUE_OUTBOX_PER_ENTRY_MAX)
        return check_refuse(err, "entry.outbox_count");
    for (size_t i = 0; i < entry->outbox_count; i++) {
        if (check_outbox(&entry->outbox[i], err) < 0)
            return -1;
    }
    return 0;
}

static int check_event(const struct queue_op *op, struct err *err)
{
    const struct queue_event *event = op->event;
    if (event == NULL)
        return check_refuse(err, "event");
    if (check_text(event->report_id, REPORT_ID_SIZE, true, "event.report_id", err) < 0 ||
        check_text(event->key, QUEUE_WORD_MAX, true, "event.key", err) < 0 ||
        check_text(event->state, QUEUE_WORD_MAX, true, "event.state", err) < 0 ||
        check_text(event->agency, QUEUE_WORD_MAX, false, "event.agency", err) < 0 ||
        check_text(event->answer, QUEUE_TEXT_MAX, false, "event.answer", err) < 0 ||
        check_text(event->photo_field, QUEUE_WORD_MAX, event->photo.len > 0, "event.photo_field",
                   err) < 0 ||
        check_bytes(event->photo, QUEUE_BLOB_MAX, "event.photo", err) < 0)
        return -1;
    return op->has_outbox ? check_outbox(&op->outbox, err) : 0;
}

static int check_lease(const struct queue_op *op, struct err *err)
{
    if ((unsigned)op->topic > QUEUE_TO_REPORTER)
        return check_refuse(err, "topic");
    if (op->limit > QUEUE_LIST_MAX || (op->limit > 0 && op->leases == NULL))
        return check_refuse(err, "limit");
    return op->lease_ms > 0 ? 0 : check_refuse(err, "lease_ms");
}

static int check_extend(const struct queue_op *op, struct err *err)
{
    return op->lease_ms > 0 ? 0 : check_refuse(err, "lease_ms");
}

static int check_finish(const struct queue_op *op, struct err *err)
{
    return check_text(op->text, QUEUE_WORD_MAX, false, "text", err);
}

static int check_reason(const struct queue_op *op, struct err *err)
{
    return check_text(op->text, CHECK_REASON_SIZE, false, "text", err);
}

static int check_nothing(const struct queue_op *op, struct err *err)
{
    (void)op;
    (void)err;
    return 0;
}

static int check_health(const struct queue_op *op, struct err *err)
{
    if (check_text(op->channel_id, QUEUE_WORD_MAX, true, "channel_id", err) < 0)
        return -1;
    return op->text == NULL ? check_refuse(err, "text")
                            : check_text(op->text, QUEUE_TEXT_MAX, false, "text", err);
}

static int check_cursor(const struct queue_op *op, struct err *err)
{
    if (check_text(op->name, QUEUE_WORD_MAX, true, "name", err) < 0)
        return -1;
    return check_health(op, err);
}

static int check_blob_erase(const struct queue_op *op, struct err *err)
{
    if (op->entry == NULL)
        return check_refuse(err, "entry");
    if (check_text(op->entry->id, REPORT_ID_SIZE, true, "entry.id", err) < 0)
        return -1;
    return check_text(op->text, QUEUE_WORD_MAX, false, "text", err);
}

int queue_op_check(const struct queue_op *op, struct err *err)
{
    static int (*const checks[])(const struct queue_op *, struct err *) = {
        [QUEUE_ACCEPT] = check_entry,   [QUEUE_RESOLVE] = check_entry,
        [QUEUE_LEASE] = check_lease,    [QUEUE_EXTEND] = check_extend,
        [QUEUE_FINISH] = check_finish,  [QUEUE_RETRY] = check_reason,
        [QUEUE_BURY] = check_reason,    [QUEUE_REVIVE] = check_nothing,
        [QUEUE_EVENT] = check_event,    [QUEUE_CURSOR] = check_cursor,
        [QUEUE_HEALTH] = check_health,  [QUEUE_BLOB_ERASE] = check_blob_erase,
        [QUEUE_EXPIRE] = check_nothing,
    };
    if ((unsigned)op->kind > QUEUE_EXPIRE)
        return check_refuse(err, "kind");
    return checks[op->kind](op, err);
}
