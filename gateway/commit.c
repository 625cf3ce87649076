/* SPDX-License-Identifier: Apache-2.0 */
/* See commit.h. The list of waiting groups is the only shared state; the thread owns the queue's
 * write side. */
#include "gateway/commit.h"

#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

#include "gateway/log.h"
#include "gateway/metrics.h"
#include "gateway/process.h"
#include "normalize/mem.h"

enum { COMMIT_EXIT_STATUS = 75 /* EX_TEMPFAIL: the supervisor starts us again */ };

struct commit_group {
    struct commit_group *next;
    struct queue_op *const *ops;
    size_t n;
    commit_done *done;
    void *context;
};

struct committer {
    struct queue *queue;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    struct commit_group *first, **last;
    int64_t busy_since_ms; /* the batch at work was taken then; 0: none is */
    bool stopping;
    bool halted; /* the thread was joined; its joiner's alone */
};

static void commit_unknown(const struct err *err)
{
    log_event(LOG_COMMIT_UNKNOWN, NULL, -1, err);
    _exit(COMMIT_EXIT_STATUS);
}

/* Applies ops in one transaction; false when nothing was applied. */
static bool commit_apply(struct committer *committer, struct queue_op *const *ops, size_t n)
{
    struct err err = ERR_INIT;
    if (queue_apply(committer->queue, ops, n, clock_wall_ms(), &err) == 0) {
        metrics_add(METRIC_COMMITS, NULL, 1);
        metrics_add(METRIC_COMMIT_OPS, NULL, (int64_t)n);
        return true;
    }
    if (err.kind == ERR_PERMANENT)
        commit_unknown(&err);
    log_event(LOG_COMMIT_FAILED, NULL, (int64_t)n, &err);
    return false;
}

/* One group must not take its neighbours down: what failed together is tried apart. */
static void commit_batch(struct committer *committer, struct commit_group *group)
{
    struct queue_op *ops[COMMIT_OPS_MAX];
    size_t n = 0;
    for (struct commit_group *g = group; g != NULL; g = g->next)
        for (size_t i = 0; i < g->n; i++)
            ops[n++] = g->ops[i];
    bool together = commit_apply(committer, ops, n);
    bool alone = group->next == NULL;
    while (group != NULL) {
        struct commit_group *next = group->next;
        bool ok = together || (!alone && commit_apply(committer, group->ops, group->n));
        group->done(group->context, ok);
        free(group);
        group = next;
    }
}

/* Unlinks as many groups as one transaction may hold; NULL at the end. */
static struct commit_group *commit_take(struct committer *committer)
{
    pthread_mutex_lock(&committer->lock);
    committer->busy_since_ms = 0;
    while (committer->first == NULL && !committer->stopping)
        pthread_cond_wait(&committer->wake, &committer->lock);
    struct commit_group *batch = committer->first;
    struct commit_group **end = &committer->first;
    size_t n = 0;
    while (*end != NULL && n + (*end)->n <= COMMIT_OPS_MAX) {
        n += (*end)->n;
        end = &(*end)->next;
    }
    committer->first = *end;
    if (committer->first == NULL)
        committer->last = &committer->first;
    *end = NULL;
    committer->busy_since_ms = batch != NULL ? clock_ms() : 0;
    pthread_mutex_unlock(&committer->lock);
    return batch;
}

static void *commit_thread(void *context)
{
    struct committer *committer = context;
    struct commit_group *batch;
    while ((batch = commit_take(committer)) != NULL)
        commit_batch(committer, batch);
    return NULL;
}

int committer_start(struct queue *queue, struct committer **out, struct err *err)
{
    struct committer *committer = mem_calloc(1, sizeof *committer);
    committer->queue = queue;
    committer->last = &committer->first;
    pthread_mutex_init(&committer->lock, NULL);
    pthread_cond_init(&committer->wake, NULL);
    if (process_thread(&committer->thread, commit_thread, committer, err) != 0) {
        free(committer);
        return -1;
    }
    *out = committer;
    return 0;
}

void commit_async(struct committer *committer, struct queue_op *const *ops, size_t n,
                  commit_done *done, void *context)
{
    if (n == 0 || n > COMMIT_OPS_MAX)
        abort(); /* our bug: groups are small by construction */
    struct commit_group *group = mem_calloc(1, sizeof *group);
    *group = (struct commit_group){.ops = ops, .n = n, .done = done, .context = context};
    pthread_mutex_lock(&committer->lock);
    *committer->last = group;
    committer->last = &group->next;
    pthread_cond_signal(&committer->wake);
    pthread_mutex_unlock(&committer->lock);
}

int64_t committer_busy_ms(struct committer *committer)
{
    pthread_mutex_lock(&committer->lock);
    int64_t since_ms = committer->busy_since_ms;
    pthread_mutex_unlock(&committer->lock);
    return since_ms == 0 ? 0 : clock_ms() - since_ms;
}

struct commit_waiter {
    pthread_mutex_t lock;
    pthread_cond_t wake;
    bool settled, ok;
};

static void commit_wake(void *context, bool ok)
{
    struct commit_waiter *waiter = context;
    pthread_mutex_lock(&waiter->lock);
    waiter->settled = true;
    waiter->ok = ok;
    pthread_cond_signal(&waiter->wake);
    pthread_mutex_unlock(&waiter->lock);
}

int commit_wait(struct committer *committer, struct queue_op *const *ops, size_t n, struct err *err)
{
    struct commit_waiter waiter = {.settled = false};
    pthread_mutex_init(&waiter.lock, NULL);
    pthread_cond_init(&waiter.wake, NULL);
    commit_async(committer, ops, n, commit_wake, &waiter);
    pthread_mutex_lock(&waiter.lock);
    while (!waiter.settled)
        pthread_cond_wait(&waiter.wake, &waiter.lock);
    pthread_mutex_unlock(&waiter.lock);
    pthread_cond_destroy(&waiter.wake);
    pthread_mutex_destroy(&waiter.lock);
    return waiter.ok ? 0 : err_set(err, ERR_TRANSIENT, "cannot commit");
}

void committer_halt(struct committer *committer)
{
    if (committer == NULL || committer->halted)
        return;
    pthread_mutex_lock(&committer->lock);
    committer->stopping = true;
    pthread_cond_signal(&committer->wake);
    pthread_mutex_unlock(&committer->lock);
    pthread_join(committer->thread, NULL);
    committer->halted = true;
}

void committer_stop(struct committer *committer)
{
    if (committer == NULL)
        return;
    committer_halt(committer);
    pthread_cond_destroy(&committer->wake);
    pthread_mutex_destroy(&committer->lock);
    free(committer);
}
