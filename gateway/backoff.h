/* SPDX-License-Identifier: Apache-2.0 */
/* When to try again: exponential with jitter, pure arithmetic. */
#ifndef KANAL_GATEWAY_BACKOFF_H
#define KANAL_GATEWAY_BACKOFF_H

#include <stdbool.h>
#include <stdint.h>

enum {
    BACKOFF_FIRST_MS = 10 * 1000,
    BACKOFF_MAX_MS = 3600 * 1000,
    BACKOFF_JITTER_PERCENT = 20,
    BACKOFF_GIVE_UP_MS = 5 * 24 * 3600 * 1000, /* Postfix's own maximal_queue_lifetime */
};

/* Milliseconds to wait after the given number of failed tries (>= 1): 10 s doubling to 1 h, +-20 %
 * by random; at least asked_s when the other side asked for that (never more than a day). */
int64_t backoff_ms(int failed_tries, int asked_s, uint32_t random);

/* Whether work created at created_ms is to be given up. */
bool backoff_give_up(int64_t created_ms, int64_t now_ms);

#endif
