/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/outbox.h"

#include <pthread.h>
#include <sodium.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/backoff.h"
#include "gateway/bell.h"
#include "gateway/metrics.h"
#include "gateway/process.h"
#include "normalize/mem.h"

enum {
    OUTBOX_LOOK_MS = 1000, /* for rows that become due, or come from another gateway */
    OUTBOX_BATCH_MAX = 32,
    OUTBOX_THREADS_MAX = 8,
    OUTBOX_PAUSE_MAX_MS = 60 * 1000, /* between probes of a peer that is down */
};

struct outbox {
    struct gateway *gateway;
    const struct outbox_duty *duty;
    struct bell bell;
    atomic_int failures; /* of the peer, in a row; only with breaker */
    pthread_t threads[OUTBOX_THREADS_MAX];
    unsigned thread_count;
};

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

/* Gives back a row nobody tried, at once due again. */
static void outbox_return(struct outbox *outbox, const struct queue_lease *lease)
{
    struct queue_op op = {.kind = QUEUE_RETRY,
                          .lease_id = lease->id,
                          .not_before_ms = clock_wall_ms(),
                          .text = "not tried"};
    memcpy(op.token, lease->token, sizeof op.token);
    struct queue_op *ops[] = {&op};
    struct err ignored = ERR_INIT; /* not recorded: the lease expires */
    commit_wait(outbox->gateway->committer, ops, 1, &ignored);
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
    if (result != 0 && err.kind == ERR_TRANSIENT && bell_stopped(&outbox->bell)) {
        outbox_return(outbox, lease); /* we cut it off ourselves */
        return false;
    }
    struct queue_op op = {.text = ref[0] != '\0' ? ref : NULL};
    outbox_outcome(outbox, lease, result, &err, &op);
    struct queue_op *ops[] = {&op};
    struct err ignored = ERR_INIT; /* not recorded: the lease expires and the work is done again */
    commit_wait(outbox->gateway->committer, ops, 1, &ignored);
    return result == 0 || err.kind == ERR_PERMANENT;
}

static bool outbox_broken(struct outbox *outbox)
{
    return outbox->duty->breaker && atomic_load(&outbox->failures) > 0;
}

/* Works off what was leased. A row whose lease might end under it goes back: somebody else would
 * do it a second time meanwhile. */
static void outbox_rows(struct outbox *outbox, const struct queue_lease *leases, size_t n)
{
    const struct outbox_duty *duty = outbox->duty;
    int64_t begin_until_ms = clock_ms() + duty->lease_ms - duty->row_ms;
    bool works = true;
    for (size_t i = 0; i < n; i++) {
        if ((duty->breaker && !works) || bell_stopped(&outbox->bell) || clock_ms() > begin_until_ms)
            outbox_return(outbox, &leases[i]);
        else
            works = outbox_row(outbox, &leases[i]);
    }
    atomic_store(&outbox->failures, works ? 0 : atomic_load(&outbox->failures) + 1);
}

/* Leases and works off one batch. Returns how many rows there were. */
static size_t outbox_batch(struct outbox *outbox)
{
    struct queue_lease leases[OUTBOX_BATCH_MAX];
    memset(leases, 0, sizeof leases);
    struct queue_op op = {.kind = QUEUE_LEASE,
                          .topic = outbox->duty->topic,
                          .limit = outbox_broken(outbox) ? 1 : outbox->duty->batch,
                          .lease_ms = outbox->duty->lease_ms,
                          .leases = leases};
    for (size_t i = 0; i < OUTBOX_BATCH_MAX; i++)
        buf_init(&leases[i].payload, QUEUE_PAYLOAD_MAX);
    randombytes_buf(op.token, sizeof op.token);
    struct queue_op *ops[] = {&op};
    struct err err = ERR_INIT;
    if (commit_wait(outbox->gateway->committer, ops, 1, &err) != 0)
        op.lease_count = 0;
    if (op.lease_count > 0)
        outbox_rows(outbox, leases, op.lease_count);
    for (size_t i = 0; i < OUTBOX_BATCH_MAX; i++)
        buf_wipe(&leases[i].payload);
    return op.lease_count;
}

static int64_t outbox_pause_ms(struct outbox *outbox)
{
    int64_t pause_ms = backoff_ms(atomic_load(&outbox->failures), 0, randombytes_random()) / 10;
    return pause_ms < OUTBOX_PAUSE_MAX_MS ? pause_ms : OUTBOX_PAUSE_MAX_MS;
}

static void *outbox_thread(void *context)
{
    struct outbox *outbox = context;
    unsigned long seen = 0;
    while (!bell_stopped(&outbox->bell)) {
        size_t rows = outbox_batch(outbox);
        if (outbox_broken(outbox))
            bell_sleep(&outbox->bell, outbox_pause_ms(outbox), NULL);
        else if (rows == 0)
            bell_sleep(&outbox->bell, OUTBOX_LOOK_MS, &seen);
    }
    return NULL;
}

int outbox_start(struct gateway *gateway, const struct outbox_duty *duty, struct outbox **out,
                 struct err *err)
{
    struct outbox *outbox = mem_calloc(1, sizeof *outbox);
    outbox->gateway = gateway;
    outbox->duty = duty;
    bell_init(&outbox->bell);
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
    if (outbox != NULL)
        bell_ring(&outbox->bell);
}

void outbox_halt(struct outbox *outbox)
{
    if (outbox == NULL)
        return;
    bell_stop(&outbox->bell);
    if (outbox->duty->cancel != NULL)
        outbox->duty->cancel(outbox->gateway);
}

bool outbox_stop(struct outbox *outbox, int64_t deadline_ms)
{
    bool ended = true;
    if (outbox == NULL)
        return true;
    outbox_halt(outbox);
    for (unsigned i = 0; i < outbox->thread_count; i++)
        ended = process_join(outbox->threads[i], deadline_ms) && ended;
    if (ended) {
        bell_release(&outbox->bell);
        free(outbox);
    }
    return ended;
}
