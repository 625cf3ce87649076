/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One allow-list for all roles, as tables. What libraries do without being asked is in it (threads
 * need a dozen calls before they do anything); what a sanitizer needs is in it only when built with
 * one.
 */
#include "gateway/sandbox.h"

#include <errno.h>
#include <sched.h>
#include <seccomp.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "gateway/process.h"

/* Allowed whatever the arguments. */
static const int sandbox_calls[] = {
    SCMP_SYS(brk),
    SCMP_SYS(munmap),
    SCMP_SYS(mremap),
    SCMP_SYS(madvise),
    SCMP_SYS(munlock), /* libsodium frees what it locked */
    SCMP_SYS(futex),
    SCMP_SYS(clock_gettime),
    SCMP_SYS(clock_nanosleep),
    SCMP_SYS(nanosleep),
    SCMP_SYS(gettimeofday),
    SCMP_SYS(getpid),
    SCMP_SYS(gettid),
    SCMP_SYS(getrandom), /* glib seeds its hash tables */
    SCMP_SYS(rt_sigprocmask),
    SCMP_SYS(rt_sigreturn),
    SCMP_SYS(restart_syscall),
    SCMP_SYS(sched_yield),
    SCMP_SYS(exit),
    SCMP_SYS(exit_group),
#ifdef KANAL_SANITIZED
    SCMP_SYS(sigaltstack),
    SCMP_SYS(getrusage),
    SCMP_SYS(readlink),
#endif
};

/* What pthread_create() does besides clone. */
static const int sandbox_thread_calls[] = {
    SCMP_SYS(set_robust_list), SCMP_SYS(rseq), SCMP_SYS(sched_getaffinity),
    SCMP_SYS(rt_sigaction), /* glibc's first pthread_create() */
};

/* Allowed when one argument, masked, has a value. */
struct sandbox_rule {
    int call;
    unsigned argument;
    scmp_datum_t mask, value;
};

static const struct sandbox_rule sandbox_rules[] = {
    {SCMP_SYS(read), 0, UINT32_MAX, PROCESS_SOCKET},
    {SCMP_SYS(recvfrom), 0, UINT32_MAX, PROCESS_SOCKET},
    {SCMP_SYS(sendto), 0, UINT32_MAX, PROCESS_SOCKET},
    {SCMP_SYS(write), 0, UINT32_MAX, STDERR_FILENO},
    {SCMP_SYS(writev), 0, UINT32_MAX, STDERR_FILENO}, /* glibc's last words */
    {SCMP_SYS(mprotect), 2, PROT_EXEC, 0},
    {SCMP_SYS(prctl), 0, UINT32_MAX, PR_SET_NAME},
};

static int sandbox_allow_one(scmp_filter_ctx filter, const struct sandbox_rule *rule)
{
    return seccomp_rule_add(filter, SCMP_ACT_ALLOW, rule->call, 1,
                            SCMP_CMP(rule->argument, SCMP_CMP_MASKED_EQ, rule->mask, rule->value));
}

static int sandbox_allow_calls(scmp_filter_ctx filter, const int *calls, size_t n)
{
    int failed = 0;
    for (size_t i = 0; failed == 0 && i < n; i++)
        failed = seccomp_rule_add(filter, SCMP_ACT_ALLOW, calls[i], 0);
    return failed;
}

/* Memory: anonymous and never executable. Signals: to this very process, which is how abort() ends
 * it. */
static int sandbox_allow_common(scmp_filter_ctx filter)
{
    int failed = sandbox_allow_calls(filter, sandbox_calls, sizeof sandbox_calls / sizeof(int));
    for (size_t i = 0; failed == 0 && i < sizeof sandbox_rules / sizeof sandbox_rules[0]; i++)
        failed = sandbox_allow_one(filter, &sandbox_rules[i]);
    if (failed == 0)
        failed = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(mmap), 2,
                                  SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0),
                                  SCMP_A3(SCMP_CMP_MASKED_EQ, MAP_ANONYMOUS, MAP_ANONYMOUS));
    if (failed == 0)
        failed = sandbox_allow_one(filter, &(struct sandbox_rule){SCMP_SYS(tgkill), 0, UINT32_MAX,
                                                                  (scmp_datum_t)getpid()});
    return failed;
}

/* clone3 hides its flags behind a pointer where a filter cannot look; refused with ENOSYS, glibc
 * falls back to clone. */
static int sandbox_allow_threads(scmp_filter_ctx filter)
{
    int failed = sandbox_allow_calls(filter, sandbox_thread_calls,
                                     sizeof sandbox_thread_calls / sizeof(int));
    if (failed == 0)
        failed = sandbox_allow_one(
            filter, &(struct sandbox_rule){SCMP_SYS(clone), 0, CLONE_THREAD, CLONE_THREAD});
    if (failed == 0)
        failed = seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0);
    return failed;
}

static int sandbox_allow_log(scmp_filter_ctx filter, int fd)
{
    static const int calls[] = {SCMP_SYS(write), SCMP_SYS(fdatasync)};
    int failed = 0;
    for (size_t i = 0; failed == 0 && i < sizeof calls / sizeof calls[0]; i++)
        failed = sandbox_allow_one(
            filter, &(struct sandbox_rule){calls[i], 0, UINT32_MAX, (scmp_datum_t)fd});
    return failed;
}

/* A negative errno value or 0. TSYNC: threads that libraries started already are caught too. */
static int sandbox_load(const struct sandbox *sandbox)
{
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_KILL_PROCESS);
    if (filter == NULL)
        return -ENOMEM;
    int failed = seccomp_attr_set(filter, SCMP_FLTATR_CTL_TSYNC, 1);
    if (failed == 0)
        failed = seccomp_attr_set(filter, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
    if (failed == 0)
        failed = sandbox_allow_common(filter);
    if (failed == 0 && sandbox->threads)
        failed = sandbox_allow_threads(filter);
    if (failed == 0 && sandbox->log_fd >= 0)
        failed = sandbox_allow_log(filter, sandbox->log_fd);
    if (failed == 0)
        failed = seccomp_load(filter);
    seccomp_release(filter);
    return failed;
}

int sandbox_enter(const struct sandbox *sandbox, struct err *err)
{
    const struct rlimit none = {0, 0};
    if (setrlimit(RLIMIT_NOFILE, &none) != 0 || setrlimit(RLIMIT_CORE, &none) != 0)
        return err_set(err, ERR_CONFIG, "cannot limit a role: %s", strerror(errno));
    int failed = sandbox_load(sandbox);
    if (failed != 0)
        return err_set(err, ERR_CONFIG, "cannot enter the sandbox (seccomp): %s",
                       strerror(-failed));
    return 0;
}
