/* SPDX-License-Identifier: Apache-2.0 */
/* The line in front of the slots: first come, first served, bounded by count and by bytes. */
#include "gateway/worker_pool.h"

#include <signal.h>
#include <unistd.h>

#include "gateway/process.h"
#include "gateway/worker_slot.h"
#include "normalize/mem.h"

struct worker_job {
    struct worker_job *next;
    struct inbound *in;
    worker_done *done;
    void *context;
};

struct worker_seat {
    struct worker_pool *pool;
    pthread_t thread;
    struct worker_slot slot;
    bool seated; /* the thread was started */
};

struct worker_pool {
    pthread_mutex_t lock;
    pthread_cond_t work; /* a job came, or a stop */
    pthread_cond_t room; /* a job was taken, a slot started, or a stop */
    struct worker_job *first, **last;
    size_t waiting, waiting_bytes;
    size_t queue_max, queue_bytes_max;
    bool stopping;
    unsigned started, failed; /* slots */
    struct err failure;       /* of the first that failed */
    atomic_ulong replaced;
    atomic_bool cancelled;
    struct worker_seat *seats;
    unsigned seat_count;
};

/* The next job, or NULL when the line is empty and ends. */
static struct worker_job *pool_take(struct worker_pool *pool)
{
    pthread_mutex_lock(&pool->lock);
    while (pool->first == NULL && !pool->stopping)
        pthread_cond_wait(&pool->work, &pool->lock);
    struct worker_job *job = pool->first;
    if (job != NULL) {
        pool->first = job->next;
        if (pool->first == NULL)
            pool->last = &pool->first;
        pool->waiting--;
        pool->waiting_bytes -= job->in->raw_len;
        pthread_cond_broadcast(&pool->room);
    }
    pthread_mutex_unlock(&pool->lock);
    return job;
}

static void pool_do(struct worker_seat *seat, struct worker_job *job)
{
    struct worker_result result;
    worker_slot_work(&seat->slot, job->in, &result);
    job->done(job->context, job->in, &result);
    worker_result_release(&result);
    free(job);
}

static void pool_started(struct worker_pool *pool, int result, const struct err *err)
{
    pthread_mutex_lock(&pool->lock);
    if (result == 0)
        pool->started++;
    else if (pool->failed++ == 0)
        pool->failure = *err;
    pthread_cond_broadcast(&pool->room);
    pthread_mutex_unlock(&pool->lock);
}

static void *pool_run(void *context)
{
    struct worker_seat *seat = context;
    struct err err = ERR_INIT;
    struct worker_job *job;
    pool_started(seat->pool, worker_slot_start(&seat->slot, &err), &err);
    while ((job = pool_take(seat->pool)) != NULL) {
        pool_do(seat, job);
        if (worker_pool_waiting(seat->pool) == 0)
            worker_slot_refresh(&seat->slot);
        /* A lost worker is replaced before the next message waits for it; failing that, then. */
        err_clear(&err);
        if (!atomic_load(&seat->pool->cancelled))
            worker_slot_start(&seat->slot, &err);
    }
    worker_slot_stop(&seat->slot);
    return NULL;
}

static unsigned pool_seats(unsigned slots)
{
    long processors = sysconf(_SC_NPROCESSORS_ONLN);
    if (slots > 0)
        return slots;
    return processors < 2 ? 2 : (unsigned)processors;
}

static struct worker_pool *pool_new(unsigned slots, size_t queue_max, size_t queue_bytes_max)
{
    struct worker_pool *pool = mem_calloc(1, sizeof *pool);
    pthread_mutex_init(&pool->lock, NULL);
    pthread_cond_init(&pool->work, NULL);
    pthread_cond_init(&pool->room, NULL);
    pool->last = &pool->first;
    pool->queue_max = queue_max;
    pool->queue_bytes_max = queue_bytes_max;
    atomic_init(&pool->replaced, 0);
    atomic_init(&pool->cancelled, false);
    pool->seat_count = pool_seats(slots);
    pool->seats = mem_calloc(pool->seat_count, sizeof *pool->seats);
    for (unsigned i = 0; i < pool->seat_count; i++) {
        pool->seats[i].pool = pool;
        worker_slot_init(&pool->seats[i].slot, &pool->replaced, &pool->cancelled);
    }
    return pool;
}

/* Waits until every worker has started or failed to. */
static int pool_await(struct worker_pool *pool, struct err *err)
{
    pthread_mutex_lock(&pool->lock);
    while (pool->started + pool->failed < pool->seat_count)
        pthread_cond_wait(&pool->room, &pool->lock);
    bool whole = pool->failed == 0;
    struct err failure = pool->failure;
    pthread_mutex_unlock(&pool->lock);
    return whole ? 0 : err_set(err, failure.kind, "%s", failure.text);
}

int worker_pool_start(unsigned slots, size_t queue_max, size_t queue_bytes_max,
                      struct worker_pool **out, struct err *err)
{
    struct worker_pool *pool = pool_new(slots, queue_max, queue_bytes_max);
    int result = 0;
    for (unsigned i = 0; result == 0 && i < pool->seat_count; i++) {
        struct worker_seat *seat = &pool->seats[i];
        result = process_thread(&seat->thread, pool_run, seat, err);
        seat->seated = result == 0;
    }
    if (result == 0)
        result = pool_await(pool, err);
    if (result != 0)
        worker_pool_stop(pool);
    else
        *out = pool;
    return result;
}

/* A message larger than all the room waits for an empty line, else it would wait for ever. */
static bool pool_has_room(const struct worker_pool *pool, size_t bytes)
{
    if (pool->waiting == 0)
        return true;
    return pool->waiting < pool->queue_max && pool->waiting_bytes < pool->queue_bytes_max &&
           bytes <= pool->queue_bytes_max - pool->waiting_bytes;
}

int worker_pool_submit(struct worker_pool *pool, struct inbound *in, bool wait, worker_done *done,
                       void *context, struct err *err)
{
    struct worker_job *job = mem_calloc(1, sizeof *job);
    *job = (struct worker_job){.in = in, .done = done, .context = context};
    pthread_mutex_lock(&pool->lock);
    while (wait && !pool->stopping && !pool_has_room(pool, in->raw_len))
        pthread_cond_wait(&pool->room, &pool->lock);
    bool taken = !pool->stopping && pool_has_room(pool, in->raw_len);
    if (taken) {
        *pool->last = job;
        pool->last = &job->next;
        pool->waiting++;
        pool->waiting_bytes += in->raw_len;
        pthread_cond_signal(&pool->work);
    }
    pthread_mutex_unlock(&pool->lock);
    if (taken)
        return 0;
    free(job);
    return err_set(err, ERR_TRANSIENT, "too many messages wait for a worker");
}

size_t worker_pool_waiting(struct worker_pool *pool)
{
    pthread_mutex_lock(&pool->lock);
    size_t waiting = pool->waiting;
    pthread_mutex_unlock(&pool->lock);
    return waiting;
}

unsigned long worker_pool_replaced(struct worker_pool *pool)
{
    return atomic_load(&pool->replaced);
}

size_t worker_pool_pids(struct worker_pool *pool, int *pids, size_t max)
{
    size_t n = 0;
    for (unsigned i = 0; i < pool->seat_count && n < max; i++) {
        int pid = atomic_load(&pool->seats[i].slot.pid);
        if (pid > 0)
            pids[n++] = pid;
    }
    return n;
}

void worker_pool_cancel(struct worker_pool *pool)
{
    if (pool == NULL)
        return;
    atomic_store(&pool->cancelled, true);
    for (unsigned i = 0; i < pool->seat_count; i++) {
        /* A worker may be reaped in between; its number is not given again that soon. */
        pid_t pid = atomic_load(&pool->seats[i].slot.pid);
        if (pid > 0)
            kill(pid, SIGKILL);
    }
}

void worker_pool_stop(struct worker_pool *pool)
{
    if (pool == NULL)
        return;
    pthread_mutex_lock(&pool->lock);
    pool->stopping = true;
    pthread_cond_broadcast(&pool->work);
    pthread_cond_broadcast(&pool->room);
    pthread_mutex_unlock(&pool->lock);
    for (unsigned i = 0; i < pool->seat_count; i++) {
        if (pool->seats[i].seated)
            pthread_join(pool->seats[i].thread, NULL);
    }
    free(pool->seats);
    pthread_cond_destroy(&pool->work);
    pthread_cond_destroy(&pool->room);
    pthread_mutex_destroy(&pool->lock);
    free(pool);
}
