/* SPDX-License-Identifier: Apache-2.0 */
/*
 * See intake.h. A batch counts its submissions; a submission goes pool thread -> committer thread
 * -> settled. The batch's lock guards its counters and list only; nothing is held while working.
 */
#include "gateway/intake.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/channels.h"
#include "gateway/entry.h"
#include "gateway/gate.h"
#include "gateway/log.h"
#include "gateway/metrics.h"
#include "gateway/outbox.h"
#include "gateway/process.h"
#include "normalize/mem.h"
#include "normalize/record_wire.h"

enum { INTAKE_COPIES_MAX = 256 * 1024 * 1024 }; /* of one original: a copy per message in it */

struct intake {
    struct gateway *gateway;
    const struct channel *channel;
    bool request;
    intake_settled *settled;
    void *context;
    char follow[REPORT_ID_SIZE];
    const char *matched_by;
    pthread_mutex_t lock;
    pthread_cond_t idle;
    size_t outstanding;
    bool failed, closed;
    struct submission *first, **last; /* requests: in order, for the receipts */
};

/* One message of the batch; a webhook's may hold several records. */
struct submission {
    struct submission *next;
    struct intake *intake;
    size_t bytes; /* held at the gate */
    char replay_id[REPORT_ID_SIZE];
    struct record *records;
    struct entry *entries; /* one per record, or one for the quarantine */
    struct commit_part *parts;
    struct receipt *receipts;
    size_t count;
    size_t pending; /* commits under way */
};

/* What the committer hands back: one record of one submission. */
struct commit_part {
    struct submission *submission;
    size_t index;
    struct queue_op *op;
};

static struct intake *intake_make(struct gateway *gateway, const struct channel *channel)
{
    struct intake *intake = mem_calloc(1, sizeof *intake);
    intake->gateway = gateway;
    intake->channel = channel;
    intake->last = &intake->first;
    pthread_mutex_init(&intake->lock, NULL);
    pthread_cond_init(&intake->idle, NULL);
    return intake;
}

struct intake *intake_new(struct gateway *gateway, const struct channel *channel)
{
    return intake_make(gateway, channel);
}

struct intake *intake_new_request(struct gateway *gateway, const struct channel *channel,
                                  intake_settled *settled, void *context)
{
    struct intake *intake = intake_make(gateway, channel);
    intake->request = true;
    intake->settled = settled;
    intake->context = context;
    return intake;
}

void intake_follow(struct intake *intake, const char *report_id, const char *matched_by)
{
    memcpy(intake->follow, report_id, REPORT_ID_SIZE);
    intake->matched_by = matched_by;
}

static void submission_free(struct submission *submission)
{
    for (size_t i = 0; i < submission->count; i++) {
        if (submission->records != NULL)
            record_release(&submission->records[i]);
        if (submission->entries != NULL)
            entry_release(&submission->entries[i]);
    }
    free(submission->records);
    free(submission->entries);
    free(submission->parts);
    free(submission->receipts);
    free(submission);
}

void intake_free(struct intake *intake)
{
    if (intake == NULL)
        return;
    while (intake->first != NULL) {
        struct submission *next = intake->first->next;
        submission_free(intake->first);
        intake->first = next;
    }
    pthread_cond_destroy(&intake->idle);
    pthread_mutex_destroy(&intake->lock);
    free(intake);
}

/* Tells a request its receipts. Called once, without the lock: closed and nothing outstanding. */
static void intake_settle(struct intake *intake)
{
    size_t n = 0;
    for (struct submission *s = intake->first; s != NULL; s = s->next)
        n += s->count;
    struct receipt *receipts = mem_calloc(n, sizeof *receipts);
    size_t filled = 0;
    for (struct submission *s = intake->first; s != NULL; s = s->next)
        for (size_t i = 0; i < s->count; i++)
            receipts[filled++] = s->receipts[i];
    intake->settled(intake->context, receipts, n);
    free(receipts);
    intake_free(intake);
}

static const enum metric intake_outcome_metrics[] = {
    [RECEIPT_ACCEPTED] = METRIC_ACCEPTED, [RECEIPT_KNOWN] = METRIC_KNOWN,
    [RECEIPT_CONFLICT] = METRIC_REFUSED,  [RECEIPT_QUARANTINED] = METRIC_QUARANTINED,
    [RECEIPT_REFUSED] = METRIC_REFUSED,   [RECEIPT_FAILED] = METRIC_FAILED,
};

static void intake_count(const struct submission *submission)
{
    const char *channel = submission->intake->channel->id;
    for (size_t i = 0; i < submission->count; i++) {
        const struct receipt *receipt = &submission->receipts[i];
        /* A replay that fails is no second message in quarantine. */
        if (submission->replay_id[0] != '\0' && receipt->outcome != RECEIPT_ACCEPTED)
            continue;
        enum metric metric = intake_outcome_metrics[receipt->outcome];
        if (receipt->outcome == RECEIPT_ACCEPTED && receipt->kind == REPORT_FOLLOWUP)
            metric = METRIC_FOLLOWUPS;
        else if (receipt->outcome == RECEIPT_ACCEPTED && receipt->kind != REPORT_REPORT)
            metric = METRIC_NOT_REPORTS;
        metrics_add(metric, channel, 1);
    }
}

/* What was stored is work for others. */
static void submission_announce(const struct submission *submission)
{
    struct gateway *gateway = submission->intake->gateway;
    channels_message(gateway, submission->intake->channel);
    outbox_wake(gateway->forward);
    outbox_wake(gateway->notify);
}

static bool submission_failed(const struct submission *submission)
{
    for (size_t i = 0; i < submission->count; i++)
        if (submission->receipts[i].outcome == RECEIPT_FAILED)
            return true;
    return false;
}

/* The submission is done, well or not. */
static void submission_settle(struct submission *submission)
{
    struct intake *intake = submission->intake;
    intake_count(submission);
    gate_leave(intake->gateway->gate, submission->bytes);
    bool failed = submission_failed(submission);
    if (!failed)
        submission_announce(submission);
    if (!intake->request)
        submission_free(submission);
    pthread_mutex_lock(&intake->lock);
    intake->failed = intake->failed || failed;
    intake->outstanding--;
    bool last = intake->outstanding == 0 && intake->closed;
    if (intake->outstanding == 0)
        pthread_cond_signal(&intake->idle);
    pthread_mutex_unlock(&intake->lock);
    if (last)
        intake_settle(intake);
}

static void receipt_committed(struct gateway *gateway, const struct queue_op *op,
                              struct receipt *receipt)
{
    const struct queue_entry *entry = op->entry;
    if (op->result == QUEUE_STORED && entry->kind == QUEUE_QUARANTINE)
        receipt->outcome = RECEIPT_QUARANTINED;
    else if (op->result == QUEUE_STORED)
        receipt->outcome = RECEIPT_ACCEPTED;
    else if (op->result == QUEUE_KNOWN && op->fingerprint_differs)
        receipt->outcome = RECEIPT_CONFLICT;
    else if (op->result == QUEUE_KNOWN)
        receipt->outcome = RECEIPT_KNOWN;
    else
        return; /* a replay that somebody else finished: stays failed */
    if (receipt->outcome == RECEIPT_CONFLICT)
        return;
    const char *id = op->result == QUEUE_KNOWN ? op->known_id : entry->id;
    /* A follow-up has no number of its own for the citizen: it belongs to its report. */
    const char *shown = entry->kind == QUEUE_FOLLOWUP ? entry->parent_id : id;
    memcpy(receipt->id, shown, REPORT_ID_SIZE);
    seal_pin(gateway->seal, receipt->id, receipt->pin);
}

static void submission_committed(void *context, bool ok)
{
    struct commit_part *part = context;
    struct submission *submission = part->submission;
    struct gateway *gateway = submission->intake->gateway;
    if (ok)
        receipt_committed(gateway, part->op, &submission->receipts[part->index]);
    if (ok && part->op->result == QUEUE_STORED)
        entry_stored(gateway, &submission->entries[part->index]);
    if (__atomic_sub_fetch(&submission->pending, 1, __ATOMIC_ACQ_REL) == 0)
        submission_settle(submission);
}

/* Hands every finished entry to the committer; the extra count keeps the submission alive
 * meanwhile. */
static void submission_commit(struct submission *submission)
{
    struct committer *committer = submission->intake->gateway->committer;
    submission->parts = mem_calloc(submission->count, sizeof *submission->parts);
    submission->pending = 1;
    for (size_t i = 0; i < submission->count; i++) {
        struct commit_part *part = &submission->parts[i];
        *part = (struct commit_part){submission, i, &submission->entries[i].op};
        if (part->op->entry == NULL)
            continue; /* refused, or its entry could not be made */
        __atomic_add_fetch(&submission->pending, 1, __ATOMIC_ACQ_REL);
        commit_async(committer, &part->op, 1, submission_committed, part);
    }
    if (__atomic_sub_fetch(&submission->pending, 1, __ATOMIC_ACQ_REL) == 0)
        submission_settle(submission);
}

static void submission_allocate(struct submission *submission, size_t count)
{
    submission->count = count;
    submission->entries = mem_calloc(count, sizeof *submission->entries);
    submission->receipts = mem_calloc(count, sizeof *submission->receipts);
    for (size_t i = 0; i < count; i++)
        submission->receipts[i].outcome = RECEIPT_FAILED;
}

static void submission_quarantine(struct submission *submission, const struct inbound *in,
                                  const char *reason)
{
    struct gateway *gateway = submission->intake->gateway;
    struct err err = ERR_INIT;
    submission_allocate(submission, 1);
    if (submission->replay_id[0] != '\0') {
        /* A replay that fails again changes nothing: the entry is in quarantine already. */
        submission->receipts[0].outcome = RECEIPT_QUARANTINED;
    } else {
        log_event(LOG_QUARANTINED, in->channel_id, -1, NULL);
        if (entry_make_quarantine(gateway, in, reason, &submission->entries[0], &err) != 0)
            submission->entries[0].op.entry = NULL;
    }
    submission_commit(submission);
}

static void submission_make_entry(struct submission *submission, size_t i, const struct inbound *in)
{
    struct intake *intake = submission->intake;
    struct record *record = &submission->records[i];
    struct receipt *receipt = &submission->receipts[i];
    receipt->record = record;
    if (record->problem_count > 0) {
        receipt->outcome = RECEIPT_REFUSED;
        return;
    }
    const struct entry_facts facts = {
        .id = submission->replay_id[0] != '\0' ? submission->replay_id : NULL,
        .follow = intake->follow[0] != '\0' ? intake->follow : NULL,
        .matched_by = intake->matched_by,
    };
    struct err err = ERR_INIT;
    struct entry *entry = &submission->entries[i];
    if (entry_make(intake->gateway, in, record, &facts, entry, &err) == 0)
        receipt->kind = record->report.kind;
    else if (err.kind == ERR_PERMANENT) {
        entry_release(entry);
        *entry = (struct entry){.id = ""};
        err_clear(&err);
        if (entry_make_quarantine(intake->gateway, in, "cannot be stored", entry, &err) != 0)
            entry->op.entry = NULL;
    }
}

/* Why what a worker said of a message cannot stand, or NULL. A source that is polled would never
 * hear of a refusal; and the original is kept with each message in it. */
static const char *submission_doubt(const struct submission *submission, const struct inbound *in,
                                    const struct worker_result *result)
{
    if (result->failure != NULL)
        return result->err.kind != ERR_NONE ? result->err.text : result->failure;
    if (result->count > 1 && in->raw_len > INTAKE_COPIES_MAX / result->count)
        return "too many messages for its size";
    if (submission->intake->request)
        return NULL;
    for (size_t i = 0; i < result->count; i++)
        if (result->records[i].problem_count > 0)
            return "refused by its parser";
    return result->count == 0 ? "no message in it" : NULL;
}

/* On a worker slot's thread. */
static void submission_normalized(void *context, struct inbound *in, struct worker_result *result)
{
    struct submission *submission = context;
    const char *doubt = submission_doubt(submission, in, result);
    if (result->failure != NULL && result->err.kind == ERR_TRANSIENT) {
        /* No worker looked at it: nothing is wrong with the message, the source offers it again. */
        submission_allocate(submission, 1);
        submission_settle(submission);
    } else if (doubt != NULL) {
        submission_quarantine(submission, in, doubt);
    } else {
        submission_allocate(submission, result->count);
        submission->records = mem_calloc(result->count, sizeof *submission->records);
        for (size_t i = 0; i < result->count; i++) {
            submission->records[i] = result->records[i];
            record_init(&result->records[i]);
            submission_make_entry(submission, i, in);
        }
        submission_commit(submission);
    }
    inbound_release(in);
    free(in);
}

/* Counts a new submission in; NULL and err when there is no room. Takes nothing. */
static struct submission *submission_new(struct intake *intake, size_t bytes, struct err *err)
{
    struct gateway *gateway = intake->gateway;
    metrics_add(METRIC_OFFERED, intake->channel->id, 1);
    bool scarce = atomic_load(&gateway->disk_short);
    if (scarce || !gate_enter(gateway->gate, bytes, !intake->request)) {
        metrics_add(METRIC_FAILED, intake->channel->id, 1);
        err_set(err, ERR_TRANSIENT, "%s",
                scarce ? "the disk is nearly full" : "too many messages are on their way in");
        return NULL;
    }
    struct submission *submission = mem_calloc(1, sizeof *submission);
    submission->intake = intake;
    submission->bytes = bytes;
    pthread_mutex_lock(&intake->lock);
    intake->outstanding++;
    if (intake->request) {
        *intake->last = submission;
        intake->last = &submission->next;
    }
    pthread_mutex_unlock(&intake->lock);
    return submission;
}

/* Moves *msg to the heap: it now belongs to the submission. */
static struct inbound *inbound_take(struct inbound *msg)
{
    struct inbound *in = mem_calloc(1, sizeof *in);
    *in = *msg;
    *msg = (struct inbound){.raw = NULL};
    return in;
}

static int submission_start(struct submission *submission, struct inbound *in, struct err *err)
{
    struct worker_pool *pool = submission->intake->gateway->pool;
    if (worker_pool_submit(pool, in, true, submission_normalized, submission, err) == 0)
        return 0;
    inbound_release(in);
    free(in);
    submission_allocate(submission, 1);
    submission_settle(submission);
    return -1;
}

int intake_submit(struct intake *intake, struct inbound *msg, struct err *err)
{
    struct submission *submission = submission_new(intake, msg->raw_len, err);
    if (submission == NULL) {
        inbound_release(msg);
        return -1;
    }
    return submission_start(submission, inbound_take(msg), err);
}

int intake_quarantine(struct intake *intake, struct inbound *msg, const char *reason,
                      struct err *err)
{
    struct submission *submission = submission_new(intake, msg->raw_len, err);
    if (submission != NULL)
        submission_quarantine(submission, msg, reason);
    inbound_release(msg);
    return submission == NULL ? -1 : 0;
}

int intake_flush(struct intake *intake, struct err *err)
{
    pthread_mutex_lock(&intake->lock);
    while (intake->outstanding > 0)
        pthread_cond_wait(&intake->idle, &intake->lock);
    bool failed = intake->failed;
    intake->failed = false;
    pthread_mutex_unlock(&intake->lock);
    return failed ? err_set(err, ERR_TRANSIENT, "a message of the batch could not be stored") : 0;
}

void intake_close(struct intake *intake)
{
    pthread_mutex_lock(&intake->lock);
    intake->closed = true;
    bool last = intake->outstanding == 0;
    pthread_mutex_unlock(&intake->lock);
    if (last)
        intake_settle(intake);
}

struct replay {
    pthread_mutex_t lock;
    pthread_cond_t wake;
    bool settled;
    enum receipt_outcome outcome;
};

static void replay_settled(void *context, const struct receipt *receipts, size_t n)
{
    struct replay *replay = context;
    pthread_mutex_lock(&replay->lock);
    replay->settled = true;
    replay->outcome = n == 1 ? receipts[0].outcome : RECEIPT_FAILED;
    pthread_cond_signal(&replay->wake);
    pthread_mutex_unlock(&replay->lock);
}

/* Only what waits in quarantine is opened. */
static int replay_check(struct gateway *gateway, const char *report_id, struct err *err)
{
    struct queue_report report;
    int found = queue_report_get(gateway->queue, report_id, &report, err);
    if (found < 0)
        return -1;
    bool waits = found == 1 && report.kind == QUEUE_QUARANTINE;
    if (found == 1)
        queue_report_release(&report);
    return waits ? 0 : err_set(err, ERR_PERMANENT, "no message in quarantine has that ID");
}

/* Fetches the sealed original and has the vault open it: an entry in its audit log. */
static int replay_open(struct gateway *gateway, const char *report_id, struct inbound *in,
                       struct err *err)
{
    struct buf sealed = BUF_INIT(QUEUE_BLOB_MAX);
    struct buf wire = BUF_INIT(QUEUE_BLOB_MAX);
    int found = queue_blob_get(gateway->queue, report_id, "original", &sealed, err);
    if (found == 0)
        found = err_set(err, ERR_PERMANENT, "cannot replay: the original is no longer kept");
    int result = -1;
    if (found == 1 && vault_client_open(gateway->vault, VAULT_REPLAY, report_id, "original",
                                        "replay", sealed.data, sealed.len, &wire, err) == 0)
        result = inbound_decode(wire.data, wire.len, in, err);
    buf_wipe(&wire);
    buf_release(&sealed);
    return result;
}

static int replay_run(struct gateway *gateway, const char *report_id, struct inbound *in,
                      struct err *err)
{
    struct replay replay = {.outcome = RECEIPT_FAILED};
    pthread_mutex_init(&replay.lock, NULL);
    pthread_cond_init(&replay.wake, NULL);
    /* Its channel may be gone from the configuration: the id is all that counts here. */
    char *channel_id = mem_strdup(in->channel_id);
    const struct channel channel = {.id = channel_id};
    struct intake *intake = intake_new_request(gateway, &channel, replay_settled, &replay);
    struct submission *submission = submission_new(intake, in->raw_len, err);
    if (submission != NULL) {
        memcpy(submission->replay_id, report_id, REPORT_ID_SIZE);
        submission_start(submission, inbound_take(in), err);
    }
    intake_close(intake);
    pthread_mutex_lock(&replay.lock);
    while (!replay.settled)
        pthread_cond_wait(&replay.wake, &replay.lock);
    pthread_mutex_unlock(&replay.lock);
    pthread_cond_destroy(&replay.wake);
    pthread_mutex_destroy(&replay.lock);
    free(channel_id);
    switch (replay.outcome) {
    case RECEIPT_ACCEPTED:
        return 0;
    case RECEIPT_KNOWN:
    case RECEIPT_CONFLICT:
        return err_set(err, ERR_PERMANENT, "the same message was accepted as another report");
    case RECEIPT_FAILED:
        return err_set(err, ERR_TRANSIENT, "the message could not be stored now");
    case RECEIPT_QUARANTINED:
    case RECEIPT_REFUSED:
        break;
    }
    return err_set(err, ERR_PERMANENT, "the message still cannot be normalized");
}

int intake_replay(struct gateway *gateway, const char *report_id, struct err *err)
{
    struct inbound in = {.raw = NULL};
    int result = replay_check(gateway, report_id, err);
    if (result == 0)
        result = replay_open(gateway, report_id, &in, err);
    if (result == 0)
        result = replay_run(gateway, report_id, &in, err);
    inbound_release(&in);
    return result;
}
