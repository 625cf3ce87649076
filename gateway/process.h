/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Starting a role: this binary again, with a clean environment, no inherited descriptors but the
 * socket (always descriptor 3) and stderr, and death when the gateway dies (its end of the socket
 * closes).
 */
#ifndef KANAL_GATEWAY_PROCESS_H
#define KANAL_GATEWAY_PROCESS_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "normalize/err.h"

enum { PROCESS_SOCKET = 3 };

/* Starts `kanal argv[1] ...` (argv[0] is replaced); writes its pid and our end of the socketpair
 * (close-on-exec, blocking). Thread-safe. */
int process_start(const char *const *argv, pid_t *pid, int *socket, struct err *err);

/* Kills (signal 9) and reaps; the wait status, or -1 when there was nothing to reap. */
int process_kill(pid_t pid);

/* Waits up to timeout_ms for it to end by itself, then kills; the wait status. */
int process_end(pid_t pid, int timeout_ms);

/* Whole reads and writes with a deadline (CLOCK_MONOTONIC ms). 0; 1 the other end closed before the
 * first byte (read only); -1 ERR_TRANSIENT with "timed out" or the cause. */
int process_read(int fd, void *data, size_t len, int64_t deadline_ms, struct err *err);
int process_write(int fd, const void *data, size_t len, int64_t deadline_ms, struct err *err);

/* CLOCK_MONOTONIC and CLOCK_REALTIME in milliseconds. */
int64_t clock_ms(void);
int64_t clock_wall_ms(void);

#endif
