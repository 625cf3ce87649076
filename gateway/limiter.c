/* SPDX-License-Identifier: Apache-2.0 */
/* See limiter.h. Set-associative: a key lives in one of LIMITER_WAYS places. */
#include "gateway/limiter.h"

#include <pthread.h>
#include <stdlib.h>

#include "normalize/mem.h"

enum { LIMITER_WAYS = 8 };

struct limiter_slot {
    uint64_t key;
    int64_t start_ms;
    unsigned used; /* 0: free */
};

struct limiter {
    pthread_mutex_t lock;
    unsigned count;
    int64_t window_ms;
    size_t sets;
    struct limiter_slot *slots;
};

struct limiter *limiter_new(unsigned count, int64_t window_ms, size_t slots)
{
    struct limiter *limiter = mem_calloc(1, sizeof *limiter);
    pthread_mutex_init(&limiter->lock, NULL);
    limiter->count = count;
    limiter->window_ms = window_ms;
    limiter->sets = slots / LIMITER_WAYS + 1;
    limiter->slots = mem_calloc(limiter->sets * LIMITER_WAYS, sizeof *limiter->slots);
    return limiter;
}

void limiter_free(struct limiter *limiter)
{
    if (limiter == NULL)
        return;
    pthread_mutex_destroy(&limiter->lock);
    free(limiter->slots);
    free(limiter);
}

/* The key's slot; when it has none, the one whose window began first, emptied. */
static struct limiter_slot *limiter_slot(struct limiter *limiter, uint64_t key, int64_t now_ms)
{
    struct limiter_slot *set = &limiter->slots[key % limiter->sets * LIMITER_WAYS];
    struct limiter_slot *oldest = set;
    for (struct limiter_slot *slot = set; slot < set + LIMITER_WAYS; slot++) {
        if (slot->used > 0 && now_ms - slot->start_ms >= limiter->window_ms)
            slot->used = 0;
        if (slot->used > 0 && slot->key == key)
            return slot;
        if (oldest->used > 0 && (slot->used == 0 || slot->start_ms < oldest->start_ms))
            oldest = slot;
    }
    *oldest = (struct limiter_slot){.key = key, .start_ms = now_ms};
    return oldest;
}

static bool limiter_check(struct limiter *limiter, uint64_t key, int64_t now_ms, int64_t *wait_ms,
                          unsigned take)
{
    pthread_mutex_lock(&limiter->lock);
    struct limiter_slot *slot = limiter_slot(limiter, key, now_ms);
    bool allowed = slot->used < limiter->count;
    if (allowed)
        slot->used += take;
    if (wait_ms != NULL)
        *wait_ms = allowed ? 0 : slot->start_ms + limiter->window_ms - now_ms;
    pthread_mutex_unlock(&limiter->lock);
    return allowed;
}

bool limiter_take(struct limiter *limiter, uint64_t key, int64_t now_ms, int64_t *wait_ms)
{
    return limiter_check(limiter, key, now_ms, wait_ms, 1);
}

bool limiter_allows(struct limiter *limiter, uint64_t key, int64_t now_ms, int64_t *wait_ms)
{
    return limiter_check(limiter, key, now_ms, wait_ms, 0);
}
