/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Starting a role: this binary again, with a clean environment, no inherited descriptors but the
 * socket (always descriptor 3) and stderr, in a process group of its own (a terminal's Ctrl-C is
 * the gateway's alone to handle). A role ends when it sees the end of its socket: the gateway's
 * death closes the other end. PR_SET_PDEATHSIG would fire at the death of the thread that started
 * it.
 */
#ifndef KANAL_GATEWAY_PROCESS_H
#define KANAL_GATEWAY_PROCESS_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "normalize/err.h"

enum { PROCESS_SOCKET = 3 };

/* A deadline that never comes. */
#define PROCESS_FOREVER INT64_MAX

/* Starts `kanal argv[1] ...` (argv[0] is replaced); writes its pid and our end of the socketpair
 * (close-on-exec, blocking). stdin is /dev/null, stdout goes to stderr. Thread-safe.
 * -1 ERR_TRANSIENT. */
int process_start(const char *const *argv, pid_t *pid, int *socket, struct err *err);

/* What a role does first: a stop is the gateway's decision, so the signals that ask for one are
 * ignored; a dead peer is an error, not a signal; no core dump, no /proc entry to read; name shows
 * in ps. */
void process_begin_role(const char *name);

/* Starts a thread with every signal blocked: signals are the main thread's. 0 or -1 ERR_TRANSIENT.
 */
int process_thread(pthread_t *thread, void *(*run)(void *), void *context, struct err *err);

/* Waits for a thread's end until deadline_ms (clock_ms()). False: it goes on; whatever it uses must
 * stay. */
bool process_join(pthread_t thread, int64_t deadline_ms);

/* Kills (signal 9) and reaps; the wait status, or -1 when there was nothing to reap. */
int process_kill(pid_t pid);

/* Waits up to timeout_ms for it to end by itself, then kills; the wait status. */
int process_end(pid_t pid, int timeout_ms);

/* Whole reads and writes of a socket with a deadline (CLOCK_MONOTONIC ms). 0; 1 the other end
 * closed before the first byte (read only); -1 ERR_TRANSIENT with "timed out" or the cause. */
int process_read(int fd, void *data, size_t len, int64_t deadline_ms, struct err *err);
int process_write(int fd, const void *data, size_t len, int64_t deadline_ms, struct err *err);

/* Reads what is there, 1 to max bytes: how many; 0 the other end closed; -1 as above. */
ssize_t process_read_some(int fd, void *data, size_t max, int64_t deadline_ms, struct err *err);

/* CLOCK_MONOTONIC and CLOCK_REALTIME in milliseconds. */
int64_t clock_ms(void);
int64_t clock_wall_ms(void);

#endif
