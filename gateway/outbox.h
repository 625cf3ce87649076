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
    unsigned batch; /* rows leased at once by one thread */
    bool breaker;   /* one peer for all rows: when it fails, try one row at a time until it works */
    outbox_work *work;
    enum log_event failed;
};

struct outbox;

int outbox_start(struct gateway *gateway, const struct outbox_duty *duty, struct outbox **out,
                 struct err *err);
/* New work may be there: threads look at once instead of within a second. */
void outbox_wake(struct outbox *outbox);
/* Waits for the rows in hand (bounded by the duty's own time-outs). */
void outbox_stop(struct outbox *outbox);

/* The two duties. */
extern const struct outbox_duty forward_duty; /* tickets and updates to the core */
extern const struct outbox_duty notify_duty;  /* notices to reporters */

#endif
