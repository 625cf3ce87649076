/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What threads of the gateway sleep by: rung when there is work, stopped for good when it is time
 * to go. Any thread may call anything between init and release.
 */
#ifndef KANAL_GATEWAY_BELL_H
#define KANAL_GATEWAY_BELL_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

struct bell {
    pthread_mutex_t lock;
    pthread_cond_t wake;
    unsigned long rings;
    bool stopped;
};

void bell_init(struct bell *bell);
void bell_release(struct bell *bell);

void bell_ring(struct bell *bell);
void bell_stop(struct bell *bell);
bool bell_stopped(struct bell *bell);

/* Sleeps ms milliseconds, or until stopped, or until rung more often than *seen (NULL: rings do not
 * count), which is brought up to date. False when stopped. */
bool bell_sleep(struct bell *bell, int64_t ms, unsigned long *seen);

#endif
