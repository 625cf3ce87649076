/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Slows down guesses: per key (account and address together) five failures are free, then each
 * costs twice the wait of the one before, up to a minute. Never a lock: who knows the password gets
 * in from an address nobody guesses from. A fixed table: when two keys meet, the newer one wins.
 */
#include <pthread.h>
#include <stdlib.h>

#include "gateway/core/core.h"
#include "normalize/mem.h"

enum {
    THROTTLE_SLOTS = 4096,
    THROTTLE_FREE = 5,
    THROTTLE_FIRST_MS = 1000,
    THROTTLE_MAX_MS = 60 * 1000,
    THROTTLE_FORGET_MS = 3600 * 1000, /* since the last failure */
};

struct throttle_slot {
    uint64_t key;
    int64_t failed_ms, until_ms;
    unsigned failures;
};

struct core_throttle {
    pthread_mutex_t lock;
    struct throttle_slot slots[THROTTLE_SLOTS];
};

struct core_throttle *core_throttle_new(void)
{
    struct core_throttle *throttle = mem_calloc(1, sizeof(*throttle));

    pthread_mutex_init(&throttle->lock, NULL);
    return throttle;
}

void core_throttle_free(struct core_throttle *throttle)
{
    if (throttle == NULL)
        return;
    pthread_mutex_destroy(&throttle->lock);
    free(throttle);
}

/* The key's slot, emptied when it was another's or is long past. */
static struct throttle_slot *find(struct core_throttle *throttle, uint64_t key, int64_t now_ms)
{
    struct throttle_slot *slot = &throttle->slots[key % THROTTLE_SLOTS];

    if (slot->key != key || now_ms - slot->failed_ms > THROTTLE_FORGET_MS)
        *slot = (struct throttle_slot){.key = key};
    return slot;
}

int64_t core_throttle_wait(struct core_throttle *throttle, uint64_t key, int64_t now_ms)
{
    int64_t wait;

    pthread_mutex_lock(&throttle->lock);
    wait = find(throttle, key, now_ms)->until_ms - now_ms;
    pthread_mutex_unlock(&throttle->lock);
    return wait > 0 ? wait : 0;
}

void core_throttle_failed(struct core_throttle *throttle, uint64_t key, int64_t now_ms)
{
    struct throttle_slot *slot;

    pthread_mutex_lock(&throttle->lock);
    slot = find(throttle, key, now_ms);
    slot->failed_ms = now_ms;
    slot->failures++;
    if (slot->failures >= THROTTLE_FREE) {
        unsigned doublings = slot->failures - THROTTLE_FREE;
        int64_t wait = doublings < 6 ? (int64_t)THROTTLE_FIRST_MS << doublings : THROTTLE_MAX_MS;

        slot->until_ms = now_ms + (wait < THROTTLE_MAX_MS ? wait : THROTTLE_MAX_MS);
    }
    pthread_mutex_unlock(&throttle->lock);
}

void core_throttle_passed(struct core_throttle *throttle, uint64_t key)
{
    pthread_mutex_lock(&throttle->lock);
    find(throttle, key, 0)->failures = 0;
    find(throttle, key, 0)->until_ms = 0;
    pthread_mutex_unlock(&throttle->lock);
}
