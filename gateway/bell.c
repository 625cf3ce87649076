/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/bell.h"

#include <errno.h>

#include "gateway/process.h"

void bell_init(struct bell *bell)
{
    pthread_condattr_t monotonic;
    *bell = (struct bell){.rings = 0};
    pthread_mutex_init(&bell->lock, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&bell->wake, &monotonic);
    pthread_condattr_destroy(&monotonic);
}

void bell_release(struct bell *bell)
{
    pthread_cond_destroy(&bell->wake);
    pthread_mutex_destroy(&bell->lock);
}

void bell_ring(struct bell *bell)
{
    pthread_mutex_lock(&bell->lock);
    bell->rings++;
    pthread_cond_broadcast(&bell->wake);
    pthread_mutex_unlock(&bell->lock);
}

void bell_stop(struct bell *bell)
{
    pthread_mutex_lock(&bell->lock);
    bell->stopped = true;
    pthread_cond_broadcast(&bell->wake);
    pthread_mutex_unlock(&bell->lock);
}

bool bell_stopped(struct bell *bell)
{
    pthread_mutex_lock(&bell->lock);
    bool stopped = bell->stopped;
    pthread_mutex_unlock(&bell->lock);
    return stopped;
}

bool bell_sleep(struct bell *bell, int64_t ms, unsigned long *seen)
{
    int64_t until_ms = clock_ms() + ms;
    const struct timespec until = {.tv_sec = until_ms / 1000, .tv_nsec = until_ms % 1000 * 1000000};
    int waited = 0;
    pthread_mutex_lock(&bell->lock);
    while (!bell->stopped && waited != ETIMEDOUT && (seen == NULL || bell->rings == *seen))
        waited = pthread_cond_timedwait(&bell->wake, &bell->lock, &until);
    if (seen != NULL)
        *seen = bell->rings;
    bool stopped = bell->stopped;
    pthread_mutex_unlock(&bell->lock);
    return !stopped;
}
