/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Seccomp for the roles: after sandbox_enter() a process can compute, use memory that is not
 * executable, read the clock, talk on its one socket and end. Any other system call kills the whole
 * process at once, in every one of its threads: no open, no socket, no fork, no exec, no signal to
 * anyone else. Source: seccomp(2), libseccomp 2.5.
 */
#ifndef KANAL_GATEWAY_SANDBOX_H
#define KANAL_GATEWAY_SANDBOX_H

#include <stdbool.h>

#include "normalize/err.h"

struct sandbox {
    bool threads; /* may start threads (decoders do); never processes */
    int log_fd;   /* may be appended to and synced; -1: nothing on disk */
};

/* No new descriptors, no privileges to gain, the system calls above and no others; for good.
 * -1 ERR_CONFIG: the kernel cannot; the caller must not go on. */
int sandbox_enter(const struct sandbox *sandbox, struct err *err);

#endif
