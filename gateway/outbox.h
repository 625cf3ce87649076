/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Working off the outbox: threads that lease rows of one topic, have them done, and record the
 * outcome: done, retry with back-off, bury. The policy for all topics is here; what "do" means is
 * the duty's. A crash between doing and recording repeats the work once: duties must bear that.
 */
#ifndef KANAL_GATEWAY_OUTBOX_H
#define KANAL_GATEWAY_OUTBOX_H

#include "gateway/gateway.h"
#include "gateway/log.h"

/*
 * Does one leased row; payload is decrypted already. 0: done, with the core's reference (or "")
 * in ref. -1: err.kind says whether to retry (TRANSIENT, CONFIG) or bury (PERMANENT).
 */
typedef int outbox_work(struct gateway *gateway, const struct queue_lease *lease,
                        const struct buf *payload, char ref[static QUEUE_WORD_MAX],
                        struct err *err);

struct outbox_duty {
    enum queue_topic topic;
    unsigned threads;
    unsigned batch;   /* rows leased at once by one thread */
    int64_t row_ms;   /* what one row may take at the most */
    int64_t lease_ms; /* longer than row_ms: a row is begun only with that much left */
    bool breaker; /* one peer for all rows: when it fails, try one row at a time until it works */
    outbox_work *work;
    /* Has the rows in hand fail soon, from any thread; NULL: they cannot be hurried. */
    void (*cancel)(struct gateway *gateway);
    enum log_event failed;
};

struct outbox;

int outbox_start(struct gateway *gateway, const struct outbox_duty *duty, struct outbox **out,
                 struct err *err);
/* New work may be there: threads look at once instead of within a second. */
void outbox_wake(struct outbox *outbox);
/* Begins no more rows, and hurries those in hand. NULL is fine. */
void outbox_halt(struct outbox *outbox);
/* Halts, waits for the rows in hand and frees. False: one was still in hand at deadline_ms
 * (clock_ms()); its thread goes on, nothing is freed, and the row's lease will expire. NULL is
 * fine.
 */
bool outbox_stop(struct outbox *outbox, int64_t deadline_ms);

/* The two duties. */
extern const struct outbox_duty forward_duty; /* tickets and updates to the core */
extern const struct outbox_duty notify_duty;  /* notices to reporters */

#endif
