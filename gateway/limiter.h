/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How often something may happen per key within a window: a fixed table of counters, so that an
 * attacker who invents keys costs no memory. Keys are keyed hashes (seal_rate_key), never the
 * thing. When the table is full the oldest window gives way. Thread-safe.
 */
#ifndef KANAL_GATEWAY_LIMITER_H
#define KANAL_GATEWAY_LIMITER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct limiter;

/* At most count per key in any window of window_ms, over up to slots keys. */
struct limiter *limiter_new(unsigned count, int64_t window_ms, size_t slots);
void limiter_free(struct limiter *limiter);

/* Counts one and tells whether it is allowed; *wait_ms (may be NULL) until the window ends. */
bool limiter_take(struct limiter *limiter, uint64_t key, int64_t now_ms, int64_t *wait_ms);

/* Whether the next one would be allowed, without counting. */
bool limiter_allows(struct limiter *limiter, uint64_t key, int64_t now_ms, int64_t *wait_ms);

#endif
