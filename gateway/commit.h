/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The committer: the one thread that writes. Any number of threads hand it groups of operations; it
 * applies what has gathered in one transaction (group commit), then tells each group. A group is
 * never split. A commit whose outcome is unknown stops the process at once (exit 75): nothing is
 * acknowledged, sources offer again, the supervisor restarts us.
 */
#ifndef KANAL_GATEWAY_COMMIT_H
#define KANAL_GATEWAY_COMMIT_H

#include <stdbool.h>
#include <stddef.h>

#include "normalize/err.h"
#include "queue/queue.h"

struct committer;

enum { COMMIT_OPS_MAX = 512 /* one transaction: bounded latency and memory */ };

/* Called on the committer's thread; must be short. ok: applied, each op has its result. !ok:
 * nothing was applied (disk full, busy): refuse and let the source try again. */
typedef void commit_done(void *context, bool ok);

/* Starts the thread; borrows queue. */
int committer_start(struct queue *queue, struct committer **out, struct err *err);

/* Hands over a group of n ops, borrowed until done is called. Never blocks on the disk. */
void commit_async(struct committer *committer, struct queue_op *const *ops, size_t n,
                  commit_done *done, void *context);

/* The same, waiting for the outcome. -1 ERR_TRANSIENT: nothing was applied. */
int commit_wait(struct committer *committer, struct queue_op *const *ops, size_t n,
                struct err *err);

/* For how long the transaction at work has been: a disk that hangs shows here. 0: none is. */
int64_t committer_busy_ms(struct committer *committer);

/* Finishes what was handed over, then ends the thread: what is handed over later is never done.
 * NULL is fine. */
void committer_halt(struct committer *committer);
/* Halts unless that is done, and frees. NULL is fine. */
void committer_stop(struct committer *committer);

#endif
