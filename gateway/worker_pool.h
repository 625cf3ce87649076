/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The sandboxed normalizers: one `kanal normalize-worker` process per slot, one thread of ours per
 * slot, one unit of work at a time (a parse; a photo). Frames over a socketpair, see frame.h.
 * Limits per unit: 256 MiB above the worker's start, 2 s of CPU (rounded up to whole seconds), 10 s
 * on the wall; a worker that breaks one is killed and replaced. A unit whose worker was killed from
 * outside is tried once more, and one whose worker crashed too; one that broke a limit is not (out
 * of memory: only when the worker had done other work before). What a worker says is checked; one
 * that lies is killed. None does more than 1000 units, and one that decoded a photo is replaced
 * when nobody waits: whoever takes a worker over does not keep it.
 */
#ifndef KANAL_GATEWAY_WORKER_POOL_H
#define KANAL_GATEWAY_WORKER_POOL_H

#include <stdbool.h>
#include <stddef.h>

#include "normalize/err.h"
#include "normalize/inbound.h"
#include "normalize/report.h"

enum {
    WORKER_MEMORY_BYTES = 256 * 1024 * 1024,
    WORKER_CPU_S = 2,
    WORKER_WALL_MS = 10 * 1000,
    WORKER_PHOTOS_MS = 60 * 1000, /* for all photos of one inbound; later ones are not cleaned */
    WORKER_RECORDS_MAX = 1000,    /* messages in one webhook batch */
};

/* The channel type of an inbound whose raw bytes are one message's text and nothing else; its fact
 * "native_id" becomes the record's. */
#define WORKER_PLAIN_TEXT "text"

struct worker_pool;

/* What became of one inbound; borrowed by the callback for its duration. */
struct worker_result {
    struct record *records; /* the callback may move them out (leave record_init()ed ones) */
    size_t count;
    const char *failure; /* NULL, or why nothing can be made of it: "worker_crashed", "cpu_limit",
                            "wall_limit", "memory_limit", "bad_record", "not_parsed"; "unavailable":
                            no worker could be started, the message was not looked at */
    struct err err;      /* not_parsed, bad_record: the reason in words; unavailable: ERR_TRANSIENT,
                            let the source offer it again */
};

/* Called on a slot's thread; may block (that slot waits then). Takes in (inbound_release + free).
 */
typedef void worker_done(void *context, struct inbound *in, struct worker_result *result);

/* Starts slots (0: one per processor, at least 2) and their workers, all ready when it returns 0.
 * queue_max: submissions that may wait; queue_bytes_max: bytes of raw that may wait. */
int worker_pool_start(unsigned slots, size_t queue_max, size_t queue_bytes_max,
                      struct worker_pool **out, struct err *err);

/* Queues in (malloc'ed; taken when 0). -1 ERR_TRANSIENT when full and !wait, or stopping; blocks
 * when full and wait. done is called exactly once for each submission that returned 0, also during
 * a stop; one slot calls in the order of submission. Photos are clean when it is called: an
 * attachment without data is no photo (warning "attachment_withheld") or could not be cleaned
 * ("photo_unreadable"). */
int worker_pool_submit(struct worker_pool *pool, struct inbound *in, bool wait, worker_done *done,
                       void *context, struct err *err);

/* Waiting submissions, for readiness and metrics; and how many workers were replaced so far. */
size_t worker_pool_waiting(struct worker_pool *pool);
unsigned long worker_pool_replaced(struct worker_pool *pool);

/* Process ids of the workers, for tests; up to max. Returns how many. */
size_t worker_pool_pids(struct worker_pool *pool, int *pids, size_t max);

/* Ends the waiting: workers are killed, and what has not been done is "unavailable"; so is all that
 * is submitted later. NULL is fine. */
void worker_pool_cancel(struct worker_pool *pool);

/* Finishes what was submitted (done called for all), stops workers, frees. NULL is fine. */
void worker_pool_stop(struct worker_pool *pool);

/* The role itself: `kanal normalize-worker`. Returns the exit status. */
int worker_main(int socket);

/* Seccomp and rlimits: nothing but computing and the one socket from here on. -1 ERR_CONFIG. */
int worker_sandbox(struct err *err);

#endif
