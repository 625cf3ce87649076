/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/entry.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/process.h"
#include "gateway/thread.h"
#include "gateway/ticket.h"
#include "normalize/mem.h"
#include "normalize/record_wire.h"

enum { ENTRY_SEALED_MAX = QUEUE_BLOB_MAX };

static void entry_init(struct entry *entry, const struct inbound *in, struct gateway *gateway)
{
    buf_init(&entry->body, QUEUE_BODY_MAX);
    buf_init(&entry->reporter, QUEUE_BODY_MAX);
    buf_init(&entry->reply, QUEUE_BODY_MAX);
    buf_init(&entry->original, ENTRY_SEALED_MAX);
    buf_init(&entry->payload[0], QUEUE_PAYLOAD_MAX);
    buf_init(&entry->payload[1], QUEUE_PAYLOAD_MAX);
    for (size_t i = 0; i < REPORT_ATTACHMENTS_MAX; i++)
        buf_init(&entry->photos[i], ENTRY_SEALED_MAX);
    entry->queue.id = entry->id;
    entry->queue.dedup_key = entry->dedup_key;
    entry->queue.dedup_fingerprint = entry->fingerprint;
    /* Copied: the commit comes after the inbound is gone. */
    snprintf(entry->channel_id, sizeof entry->channel_id, "%s", in->channel_id);
    snprintf(entry->channel_kind, sizeof entry->channel_kind, "%s", in->channel_kind);
    entry->queue.channel_id = entry->channel_id;
    entry->queue.channel_kind = entry->channel_kind;
    entry->queue.received_day = gateway_day(gateway, in->received_ms);
}

void entry_release(struct entry *entry)
{
    buf_release(&entry->body);
    buf_release(&entry->reporter);
    buf_release(&entry->reply);
    buf_release(&entry->original);
    buf_release(&entry->payload[0]);
    buf_release(&entry->payload[1]);
    for (size_t i = 0; i < REPORT_ATTACHMENTS_MAX; i++)
        buf_release(&entry->photos[i]);
}

static void entry_new_id(char id[static REPORT_ID_SIZE])
{
    uint64_t random;
    randombytes_buf(&random, sizeof random);
    report_id_make(random, id);
}

static struct queue_bytes entry_bytes(const struct buf *buf)
{
    return (struct queue_bytes){.data = buf->data, .len = buf->len};
}

static void entry_add_blob(struct entry *entry, const char *field, const struct buf *data, int days)
{
    entry->queue.blobs[entry->queue.blob_count++] = (struct queue_blob){
        .field = field, .data = entry_bytes(data), .expires_day = entry->queue.received_day + days};
}

static void entry_add_work(struct entry *entry, enum queue_topic topic, const char *kind,
                           const struct buf *payload)
{
    entry->queue.outbox[entry->queue.outbox_count++] =
        (struct queue_outbox){.topic = topic, .kind = kind, .payload = entry_bytes(payload)};
}

/* The message as received, with what a replay needs, for the vault alone. */
static int entry_seal_original(struct gateway *gateway, const struct inbound *in,
                               struct entry *entry, struct err *err)
{
    struct buf wire = BUF_INIT(ENTRY_SEALED_MAX);
    inbound_encode(in, &wire);
    int result = seal_to_vault(gateway->seal, entry->id, "original", wire.data, wire.len,
                               clock_ms(), &entry->original, err);
    buf_wipe(&wire);
    if (result == 0)
        entry_add_blob(entry, "original", &entry->original, ENTRY_ORIGINAL_DAYS);
    return result;
}

static int entry_seal_json(struct gateway *gateway, const char *id, const char *field,
                           json_t *value, struct buf *out, struct err *err)
{
    char *text = json_canonical(value);
    int result = seal_to_vault(gateway->seal, id, field, text, strlen(text), clock_ms(), out, err);
    explicit_bzero(text, strlen(text));
    free(text);
    json_decref(value);
    return result;
}

static int entry_seal_reporter(struct gateway *gateway, const struct reporter *reporter,
                               struct entry *entry, struct err *err)
{
    if (entry_seal_json(gateway, entry->id, "reporter", reporter_json(reporter), &entry->reporter,
                        err) != 0)
        return -1;
    entry->queue.reporter = entry_bytes(&entry->reporter);
    if (reporter->address == NULL)
        return 0;
    seal_index(gateway->seal, reporter->address_kind, reporter->address, entry->reporter_index);
    entry->queue.reporter_index = entry->reporter_index;
    if (reporter->no_reply)
        return 0;
    json_t *reply = json_pack("{s:s, s:s, s:s?}", "kind", reporter->address_kind, "value",
                              reporter->address, "ref", reporter->reply_ref);
    if (entry_seal_json(gateway, entry->id, "reply", reply, &entry->reply, err) != 0)
        return -1;
    entry->queue.reply = entry_bytes(&entry->reply);
    return 0;
}

static int entry_find_thread(struct gateway *gateway, struct record *record,
                             const struct entry_facts *facts, struct entry *entry, struct err *err)
{
    const char *matched_by = facts->matched_by;
    int found = 1;
    if (facts->follow != NULL)
        memcpy(entry->parent, facts->follow, REPORT_ID_SIZE);
    else
        found = thread_find(gateway, record, entry->queue.reporter_index, entry->parent,
                            &matched_by, err);
    if (found != 1)
        return found;
    memcpy(record->report.thread_report, entry->parent, REPORT_ID_SIZE);
    free(record->report.thread_matched_by);
    record->report.thread_matched_by = mem_strdup(matched_by);
    if (record->report.kind == REPORT_REPORT)
        record->report.kind = REPORT_FOLLOWUP;
    entry->queue.parent_id = entry->parent;
    return 0;
}

static void entry_encrypt_report(struct gateway *gateway, const struct report *report,
                                 const struct buf *body, struct entry *entry)
{
    seal_store(gateway->seal, entry->id, "body", body->data, body->len, &entry->body);
    entry->queue.body = entry_bytes(&entry->body);
    for (size_t i = 0; i < report->attachment_count; i++) {
        const struct report_attachment *photo = &report->attachments[i];
        if (photo->data == NULL)
            continue;
        char *field = entry->photo_fields[i];
        snprintf(field, sizeof entry->photo_fields[i], "photo:%zu", i + 1);
        seal_store(gateway->seal, entry->id, field, photo->data, photo->bytes, &entry->photos[i]);
        entry_add_blob(entry, field, &entry->photos[i], ENTRY_PHOTO_DAYS);
    }
}

static void entry_describe(struct entry *entry, const struct report *report)
{
    static const enum queue_entry_kind kinds[] = {
        [REPORT_REPORT] = QUEUE_REPORT,
        [REPORT_FOLLOWUP] = QUEUE_FOLLOWUP,
        [REPORT_STATUS_QUERY] = QUEUE_NOT_REPORT,
        [REPORT_NOT_REPORT] = QUEUE_NOT_REPORT,
    };
    entry->queue.kind = kinds[report->kind];
    entry->queue.category = report->category.code;
    entry->queue.kelurahan_code = report->location.kelurahan_code;
    entry->queue.language = report->language;
    entry->queue.public_report = report->visibility == REPORT_PUBLIC;
}

/* At most one acknowledgement per report, and a cap per address, or two robots answer for ever. */
static bool entry_wants_ack(struct gateway *gateway, const struct record *record,
                            const struct entry *entry)
{
    const struct reporter *reporter = &record->reporter;
    if (entry->queue.kind != QUEUE_REPORT || record->no_ack || entry->queue.reply.len == 0)
        return false;
    if (gateway_reply_channel(gateway, entry->queue.channel_id, reporter->address_kind) == NULL)
        return false;
    uint64_t key;
    memcpy(&key, entry->reporter_index, sizeof key);
    return limiter_allows(gateway->ack_limit, key, clock_ms(), NULL);
}

static void entry_fill_outbox(struct gateway *gateway, const struct record *record,
                              const struct buf *ticket, struct entry *entry)
{
    if (entry->queue.kind == QUEUE_NOT_REPORT)
        return;
    const char *kind = entry->queue.kind == QUEUE_FOLLOWUP ? "update" : "ticket";
    seal_store(gateway->seal, entry->id, kind, ticket->data, ticket->len, &entry->payload[0]);
    entry_add_work(entry, QUEUE_TO_CORE, kind, &entry->payload[0]);
    if (!entry_wants_ack(gateway, record, entry))
        return;
    seal_store(gateway->seal, entry->id, "ack", "{}", 2, &entry->payload[1]);
    entry_add_work(entry, QUEUE_TO_REPORTER, "ack", &entry->payload[1]);
}

static bool entry_overflowed(const struct entry *entry)
{
    bool overflow = entry->body.overflow || entry->reporter.overflow || entry->reply.overflow ||
                    entry->original.overflow || entry->payload[0].overflow;
    for (size_t i = 0; i < REPORT_ATTACHMENTS_MAX; i++)
        overflow = overflow || entry->photos[i].overflow;
    return overflow;
}

int entry_make(struct gateway *gateway, const struct inbound *in, struct record *record,
               const struct entry_facts *facts, struct entry *out, struct err *err)
{
    entry_init(out, in, gateway);
    if (facts->id != NULL)
        memcpy(out->id, facts->id, REPORT_ID_SIZE);
    else
        entry_new_id(out->id);
    memcpy(record->report.id, out->id, REPORT_ID_SIZE);
    seal_dedup_key(gateway->seal, in->channel_id, record->native_id, strlen(record->native_id),
                   out->dedup_key);
    const char *content = record->fingerprint != NULL ? record->fingerprint : "";
    seal_dedup_key(gateway->seal, in->channel_id, content, strlen(content), out->fingerprint);
    if (entry_seal_reporter(gateway, &record->reporter, out, err) != 0 ||
        entry_find_thread(gateway, record, facts, out, err) != 0)
        return -1;
    /* A replay's original is in the queue already. */
    if (facts->id == NULL && entry_seal_original(gateway, in, out, err) != 0)
        return -1;
    entry_describe(out, &record->report);
    struct buf body = BUF_INIT(QUEUE_BODY_MAX), ticket = BUF_INIT(QUEUE_PAYLOAD_MAX);
    ticket_texts(&record->report, &body, &ticket);
    entry_encrypt_report(gateway, &record->report, &body, out);
    entry_fill_outbox(gateway, record, &ticket, out);
    bool overflow = body.overflow || ticket.overflow;
    buf_wipe(&body);
    buf_wipe(&ticket);
    out->op = (struct queue_op){.kind = facts->id != NULL ? QUEUE_RESOLVE : QUEUE_ACCEPT,
                                .entry = &out->queue};
    struct err limit = ERR_INIT;
    if (overflow || entry_overflowed(out) || queue_op_check(&out->op, &limit) != 0)
        return err_set(err, ERR_PERMANENT, "cannot store a message this large");
    return 0;
}

void entry_stored(struct gateway *gateway, const struct entry *entry)
{
    uint64_t key;
    memcpy(&key, entry->reporter_index, sizeof key);
    for (size_t i = 0; i < entry->queue.outbox_count; i++)
        if (entry->queue.outbox[i].topic == QUEUE_TO_REPORTER)
            limiter_take(gateway->ack_limit, key, clock_ms(), NULL);
}

int entry_make_quarantine(struct gateway *gateway, const struct inbound *in, const char *reason,
                          struct entry *out, struct err *err)
{
    entry_init(out, in, gateway);
    entry_new_id(out->id);
    out->queue.kind = QUEUE_QUARANTINE;
    snprintf(out->reason, sizeof out->reason, "%s", reason);
    out->queue.reason = out->reason;
    /* Nothing is known about it but its bytes. */
    seal_dedup_key(gateway->seal, in->channel_id, in->raw, in->raw_len, out->dedup_key);
    memcpy(out->fingerprint, out->dedup_key, sizeof out->fingerprint);
    if (entry_seal_original(gateway, in, out, err) != 0)
        return -1;
    out->op = (struct queue_op){.kind = QUEUE_ACCEPT, .entry = &out->queue};
    return 0;
}
