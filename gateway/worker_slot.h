/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One worker process and its work, one unit at a time: a parse, or a photo. Each unit has its own
 * limits of CPU and time; a worker that breaks one, lies or dies is killed and replaced, and the
 * unit tried again where that may help. One thread uses a slot.
 */
#ifndef KANAL_GATEWAY_WORKER_SLOT_H
#define KANAL_GATEWAY_WORKER_SLOT_H

#include <stdatomic.h>
#include <stdint.h>

#include "gateway/frame.h"
#include "gateway/worker_pool.h"

struct worker_slot {
    atomic_int pid; /* 0: none */
    int socket;
    struct frame_reader reader;
    uint64_t cpu_limit_s; /* as set on the process */
    unsigned units;       /* this process has done */
    bool decoded;         /* photos were among them */
    struct buf out;
    atomic_ulong *replaced;       /* the pool's count */
    const atomic_bool *cancelled; /* the pool's: nothing more is tried */
};

void worker_slot_init(struct worker_slot *slot, atomic_ulong *replaced,
                      const atomic_bool *cancelled);

/* Starts a worker unless there is one. -1 ERR_CONFIG (it says it cannot work), ERR_TRANSIENT. */
int worker_slot_start(struct worker_slot *slot, struct err *err);

/* Makes all of in: records parsed, then each photo cleaned. Fills *result, records owned by the
 * caller (worker_result_release()). Cancelled before the end: "unavailable". */
void worker_slot_work(struct worker_slot *slot, const struct inbound *in,
                      struct worker_result *result);

/* Ends a worker that has decoded photos: were it taken over by one, it would see what comes next.
 * The next start takes a moment: for when nobody waits. */
void worker_slot_refresh(struct worker_slot *slot);

/* Ends the worker. */
void worker_slot_stop(struct worker_slot *slot);

void worker_result_release(struct worker_result *result);

#endif
