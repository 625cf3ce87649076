/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The embedded core: `kanal core` as a process of ours on a unix socket in the state folder,
 * sharing a secret made at the first start; started again when it dies.
 */
#ifndef KANAL_GATEWAY_CORE_PROCESS_H
#define KANAL_GATEWAY_CORE_PROCESS_H

#include <stdbool.h>

#include "normalize/err.h"

struct core_process;

/* Starts the core on state/core and waits some seconds until it listens. */
int core_process_start(const char *state, struct core_process **out, struct err *err);

/* Borrowed: the socket it listens on and the secret to sign with. */
char *core_process_socket(const struct core_process *core);
char *core_process_secret(struct core_process *core);

/* Starts it again when it has died; call now and then from one thread. */
void core_process_watch(struct core_process *core);

/* Has it finish (it exits when our end of its socket closes), at most 2 s. NULL is fine. */
void core_process_stop(struct core_process *core);

#endif
