/* SPDX-License-Identifier: Apache-2.0 */
/* The limit of a durable store on this disk: SQLite, one row a report, batches of 100, and nothing
 * else. */
#ifndef KANAL_TESTS_BENCH_BARE_H
#define KANAL_TESTS_BENCH_BARE_H

#include <stddef.h>

enum { BARE_BATCH = 100 };

/* Seconds for committing rows of bytes each into folder/bare.db, with the queue's own pragmas and
 * checkpoint distance; -1 on errors. */
double bare_seconds(const char *folder, size_t rows, size_t bytes);

/* CLOCK_MONOTONIC in seconds. */
double bare_now(void);

#endif
