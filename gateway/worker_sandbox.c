/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a worker gives up before it reads anything from outside. RLIMIT_NPROC stays: it counts
 * threads, of all processes of the user, and the decoders need one; that no process starts is
 * seccomp's doing. RLIMIT_CPU is set by the gateway, anew for each message.
 *
 * With a sanitizer: memory eight times as high (freed blocks stay in quarantine), stderr stays open
 * and files may be written to (its report goes there), its own signal handlers stay.
 */
#include "gateway/worker_pool.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "gateway/sandbox.h"
#include "gateway/worker_wire.h"

#ifdef KANAL_SANITIZED
enum { SANDBOX_MEMORY_FACTOR = 8, SANDBOX_QUIET = 0 };
#else
enum { SANDBOX_MEMORY_FACTOR = 1, SANDBOX_QUIET = 1 };
#endif

/* abort() after an allocation that failed: exit so that the gateway can tell it from a crash. The
 * handler is gone once it ran (SA_RESETHAND), so that returning from it ends the process. */
static void sandbox_on_abort(int number)
{
    (void)number;
    if (errno == ENOMEM)
        _exit(WORKER_EXIT_MEMORY);
}

static int sandbox_catch_aborts(void)
{
    struct sigaction action = {.sa_handler = sandbox_on_abort, .sa_flags = (int)SA_RESETHAND};
    sigemptyset(&action.sa_mask);
    /* GLib's g_error() ends in a trap; code that does not check malloc() in a fault. */
    if (sigaction(SIGABRT, &action, NULL) != 0 || sigaction(SIGTRAP, &action, NULL) != 0)
        return -1;
    return SANDBOX_QUIET ? sigaction(SIGSEGV, &action, NULL) : 0;
}

/* Libraries print what they find wrong with a message, and with it the message. */
static int sandbox_silence(void)
{
    int fd = open("/dev/null", O_WRONLY | O_CLOEXEC);
    int result = fd < 0 || dup2(fd, STDOUT_FILENO) < 0 || dup2(fd, STDERR_FILENO) < 0 ? -1 : 0;
    if (fd >= 0)
        close(fd);
    return result;
}

/* Bytes of address space in use, or 0. */
static uint64_t sandbox_memory_now(void)
{
    char line[128] = "";
    FILE *file = fopen("/proc/self/statm", "re");
    if (file == NULL)
        return 0;
    const char *read = fgets(line, sizeof line, file);
    fclose(file);
    uint64_t pages = read == NULL ? 0 : strtoull(line, NULL, 10);
    return pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

static int sandbox_limit(int resource, uint64_t value)
{
    return setrlimit((__rlimit_resource_t)resource, &(struct rlimit){value, value});
}

int worker_sandbox(struct err *err)
{
    uint64_t memory = sandbox_memory_now();
    if (memory == 0)
        return err_set(err, ERR_CONFIG, "cannot read /proc/self/statm");
    memory += (uint64_t)WORKER_MEMORY_BYTES * SANDBOX_MEMORY_FACTOR;
    if (sandbox_limit(RLIMIT_AS, memory) != 0 || sandbox_catch_aborts() != 0 ||
        (SANDBOX_QUIET && (sandbox_silence() != 0 || sandbox_limit(RLIMIT_FSIZE, 0) != 0)))
        return err_set(err, ERR_CONFIG, "cannot limit a worker: %s", strerror(errno));
    return sandbox_enter(&(struct sandbox){.threads = true, .log_fd = -1}, err);
}
