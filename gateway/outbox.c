/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/outbox.h"

#include <errno.h>
#include <pthread.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/backoff.h"
#include "gateway/metrics.h"
#include "gateway/process.h"
#include "normalize/mem.h"

enum {
    OUTBOX_LEASE_MS = 180 * 1000, /* longer than the slowest duty may take for a batch of one */
    OUTBOX_LOOK_MS = 1000,        /* for rows that become due, or come from another gateway */
    OUTBOX_BATCH_MAX = 32,
    OUTBOX_THREADS_MAX = 8,
    OUTBOX_PAUSE_MAX_MS = 60 * 1000, /* between probes of a peer that is down */
};

struct outbox {
    struct gateway *gateway;
    const struct outbox_duty *duty;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    unsigned long wakes;
    bool stopping;
    int failures; /* of the peer, in a row; only with breaker */
    pthread_t threads[OUTBOX_THREADS_MAX];
    unsigned thread_count;
};

/* Sleeps until woken after seen, or ms have passed. Returns the wake count seen. */
static unsigned long outbox_sleep(struct outbox *outbox, unsigned long seen, int64_t ms,
                                  bool wakeable)
{
    int64_t until_ms = clock_ms() + ms;
    const struct timespec until = {.tv_sec = until_ms / 1000, .tv_nsec = until_ms % 1000 * 1000000};
    pthread_mutex_lock(&outbox->lock);
    int waited = 0;
    while (!outbox->stopping && waited != ETIMEDOUT && (!wakeable || outbox->wakes == seen))
        waited = pthread_cond_timedwait(&outbox->wake, &outbox->lock, &until);
    seen = outbox->wakes;
    pthread_mutex_unlock(&outbox->lock);
    return seen;
}

static bool outbox_stopping(struct outbox *outbox)
{
    pthread_mutex_lock(&outbox->lock);
    bool stopping = outbox->stopping;
    pthread_mutex_unlock(&outbox->lock);
    return stopping;
}

static int outbox_open_payload(struct outbox *outbox, const struct queue_lease *lease,
                               struct buf *payload, struct err *err)
{
    return seal_load(outbox->gateway->seal, lease->report_id, lease->kind, lease->payload.data,
                     lease->payload.len, payload, err);
}

/* What the queue is told about a row that was done or was not. */
static void outbox_outcome(struct outbox *outbox, const struct queue_lease *lease, int result,
                           const struct err *err, struct queue_op *op)
{
    int64_t now_ms = clock_wall_ms();
    op->lease_id = lease->id;
    memcpy(op->token, lease->token, sizeof op->token);
    if (result == 0) {
        op->kind = QUEUE_FINISH;
        return;
    }
    op->text = err->text;
    if (err->kind == ERR_PERMANENT || backoff_give_up(lease->created_ms, now_ms)) {
        op->kind = QUEUE_BURY;
        metrics_add(METRIC_BURIED, NULL, 1);
        log_event(LOG_BURIED, NULL, lease->id, err);
        return;
    }
    op->kind = QUEUE_RETRY;
    op->not_before_ms =
        now_ms + backoff_ms(lease->attempts + 1, err->retry_after_s, randombytes_random());
    metrics_add(METRIC_RETRIES, NULL, 1);
    log_event(outbox->duty->failed, NULL, lease->id, err);
}

/* Does one row and records it. False when the peer failed. */
static bool outbox_row(struct outbox *outbox, const struct queue_lease *lease)
{
    char ref[QUEUE_WORD_MAX] = "";
    struct err err = ERR_INIT;
    struct buf payload = BUF_INIT(QUEUE_PAYLOAD_MAX);
    int result = outbox_open_payload(outbox, lease, &payload, &err);
    if (result == 0)
        result = outbox->duty->work(outbox->gateway, lease, &payload, ref, &err);
    buf_wipe(&payload);
    struct queue_op op = {.text = ref[0] != '\0' ? ref : NULL};
    outbox_outcome(outbox, lease, result, &err, &op);
    struct queue_op *ops[] = {&op};
    struct err ignored = ERR_INIT; /* not recorded: the lease expires and the work is done again */
    commit_wait(outbox->gateway->committer, ops, 1, &ignored);
    return result == 0 || err.kind == ERR_PERMANENT;
}

/* Gives back a row nobody tried, at once due again. */
static void outbox_return(struct outbox *outbox, const struct queue_lease *lease)
{
    struct queue_op op = {.kind = QUEUE_RETRY,
                          .lease_id = lease->id,
                          .not_before_ms = clock_wall_ms(),
                          .text = "not tried: an earlier one failed"};
    memcpy(op.token, lease->token, sizeof op.token);
    struct queue_op *ops[] = {&op};
    struct err ignored = ERR_INIT;
    commit_wait(outbox->gateway->committer, ops, 1, &ignored);
}

static bool outbox_broken(struct outbox *outbox)
{
    pthread_mutex_lock(&outbox->lock);
    bool broken = outbox->duty->breaker && outbox->failures > 0;
    pthread_mutex_unlock(&outbox->lock);
    return broken;
}

/* Leases and works off one batch. Returns how many rows there were. */
static size_t outbox_batch(struct outbox *outbox)
{
    struct queue_lease leases[OUTBOX_BATCH_MAX];
    memset(leases, 0, sizeof leases);
    struct queue_op op = {.kind = QUEUE_LEASE,
                          .topic = outbox->duty->topic,
                          .limit = outbox_broken(outbox) ? 1 : outbox->duty->batch,
                          .lease_ms = OUTBOX_LEASE_MS,
                          .leases = leases};
    for (size_t i = 0; i < OUTBOX_BATCH_MAX; i++)
        buf_init(&leases[i].payload, QUEUE_PAYLOAD_MAX);
    randombytes_buf(op.token, sizeof op.token);
    struct queue_op *ops[] = {&op};
    struct err err = ERR_INIT;
    if (commit_wait(outbox->gateway->committer, ops, 1, &err) != 0)
        op.lease_count = 0;
    bool works = true;
    for (size_t i = 0; i < op.lease_count; i++) {
        if ((outbox->duty->breaker && !works) || outbox_stopping(outbox))
            outbox_return(outbox, &leases[i]);
        else
            works = outbox_row(outbox, &leases[i]);
    }
    for (size_t i = 0; i < OUTBOX_BATCH_MAX; i++)
        buf_wipe(&leases[i].payload);
    pthread_mutex_lock(&outbox->lock);
    outbox->failures = works ? 0 : outbox->failures + 1;
    pthread_mutex_unlock(&outbox->lock);
    return op.lease_count;
}

static int64_t outbox_pause_ms(struct outbox *outbox)
{
    pthread_mutex_lock(&outbox->lock);
    int failures = outbox->failures;
    pthread_mutex_unlock(&outbox->lock);
    int64_t pause_ms = backoff_ms(failures, 0, randombytes_random()) / 10;
    return pause_ms < OUTBOX_PAUSE_MAX_MS ? pause_ms : OUTBOX_PAUSE_MAX_MS;
}

static void *outbox_thread(void *context)
{
    struct outbox *outbox = context;
    unsigned long seen = 0;
    while (!outbox_stopping(outbox)) {
        size_t rows = outbox_batch(outbox);
        if (outbox_broken(outbox))
            seen = outbox_sleep(outbox, seen, outbox_pause_ms(outbox), false);
        else if (rows == 0)
            seen = outbox_sleep(outbox, seen, OUTBOX_LOOK_MS, true);
    }
    return NULL;
}

int outbox_start(struct gateway *gateway, const struct outbox_duty *duty, struct outbox **out,
                 struct err *err)
{
    struct outbox *outbox = mem_calloc(1, sizeof *outbox);
    outbox->gateway = gateway;
    outbox->duty = duty;
    pthread_mutex_init(&outbox->lock, NULL);
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&outbox->wake, &attributes);
    pthread_condattr_destroy(&attributes);
    *out = outbox;
    while (outbox->thread_count < duty->threads) {
        if (process_thread(&outbox->threads[outbox->thread_count], outbox_thread, outbox, err) != 0)
            return -1;
        outbox->thread_count++;
    }
    return 0;
}

void outbox_wake(struct outbox *outbox)
{
    if (outbox == NULL)
        return;
    pthread_mutex_lock(&outbox->lock);
    outbox->wakes++;
    pthread_cond_broadcast(&outbox->wake);
    pthread_mutex_unlock(&outbox->lock);
}

void outbox_stop(struct outbox *outbox)
{
    if (outbox == NULL)
        return;
    pthread_mutex_lock(&outbox->lock);
    outbox->stopping = true;
    pthread_cond_broadcast(&outbox->wake);
    pthread_mutex_unlock(&outbox->lock);
    for (unsigned i = 0; i < outbox->thread_count; i++)
        pthread_join(outbox->threads[i], NULL);
    pthread_cond_destroy(&outbox->wake);
    pthread_mutex_destroy(&outbox->lock);
    free(outbox);
}
