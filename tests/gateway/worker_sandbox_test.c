/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What hostile code in a worker can do. The test binary is the role "act": it closes the sandbox,
 * then does one thing; the kernel must kill it for that, at once.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "gateway/process.h"
#include "gateway/worker_pool.h"
#include "gateway/worker_wire.h"
#include "normalize/mem.h"

enum { GENEROUS_MS = 60 * 1000, PAGE = 4096, EXIT_SANDBOX_FAILED = 99 };

/* Arguments that are known only when the act is done. */
enum { A_PAGE = 0x7ffffff1, A_PATH, PARENT };

/* Straight to the kernel: no library wrapper gets in between. */
static const struct {
    const char *name;
    long call;
    long args[6];
} denied[] = {
    {"open", SYS_open, {A_PATH, O_RDONLY}},
    {"open", SYS_open, {A_PATH, O_RDWR | O_CREAT, 0600}},
    {"openat", SYS_openat, {AT_FDCWD, A_PATH, O_RDONLY}},
    {"openat2", SYS_openat2, {AT_FDCWD, A_PATH, A_PAGE, 24}},
    {"creat", SYS_creat, {A_PATH, 0600}},
    {"stat", SYS_stat, {A_PATH, A_PAGE}},
    {"newfstatat", SYS_newfstatat, {AT_FDCWD, A_PATH, A_PAGE, 0}},
    {"access", SYS_access, {A_PATH, 0}},
    {"getdents64", SYS_getdents64, {3, A_PAGE, PAGE}},
    {"unlink", SYS_unlink, {A_PATH}},
    {"mkdir", SYS_mkdir, {A_PATH, 0700}},
    {"chroot", SYS_chroot, {A_PATH}},
    {"mount", SYS_mount, {A_PATH, A_PATH, A_PATH, 0, 0}},
    {"memfd_create", SYS_memfd_create, {A_PATH, 0}},
    {"socket", SYS_socket, {AF_INET, SOCK_STREAM, 0}},
    {"socket", SYS_socket, {AF_UNIX, SOCK_DGRAM, 0}},
    {"socketpair", SYS_socketpair, {AF_UNIX, SOCK_STREAM, 0, A_PAGE}},
    {"connect", SYS_connect, {3, A_PAGE, 16}},
    {"bind", SYS_bind, {3, A_PAGE, 16}},
    {"sendmsg", SYS_sendmsg, {3, A_PAGE, 0}},
    {"recvmsg", SYS_recvmsg, {3, A_PAGE, 0}},
    {"pipe", SYS_pipe, {A_PAGE}},
    {"dup", SYS_dup, {3}},
    {"dup2", SYS_dup2, {3, 5}},
    {"fcntl", SYS_fcntl, {3, F_DUPFD, 0}},
    {"ioctl", SYS_ioctl, {3, 0, A_PAGE}},
    {"read", SYS_read, {0, A_PAGE, 1}},
    {"read", SYS_read, {4, A_PAGE, 1}},
    {"write", SYS_write, {1, A_PAGE, 1}},
    {"write", SYS_write, {4, A_PAGE, 1}},
    {"sendto", SYS_sendto, {4, A_PAGE, 1, 0, 0, 0}},
    {"fork", SYS_fork, {0}},
    {"vfork", SYS_vfork, {0}},
    {"clone", SYS_clone, {SIGCHLD, 0, 0, 0, 0}},
    {"clone", SYS_clone, {CLONE_VM | SIGCHLD, 0, 0, 0, 0}},
    {"clone", SYS_clone, {CLONE_NEWUSER | SIGCHLD, 0, 0, 0, 0}},
    {"execve", SYS_execve, {A_PATH, 0, 0}},
    {"execveat", SYS_execveat, {AT_FDCWD, A_PATH, 0, 0, 0}},
    {"unshare", SYS_unshare, {CLONE_NEWUSER}},
    {"setns", SYS_setns, {3, 0}},
    {"kill", SYS_kill, {PARENT, SIGKILL}},
    {"kill", SYS_kill, {-1, SIGCONT}},
    {"tkill", SYS_tkill, {PARENT, 0}},
    {"tgkill", SYS_tgkill, {PARENT, PARENT, 0}},
    {"rt_sigqueueinfo", SYS_rt_sigqueueinfo, {PARENT, 0, A_PAGE}},
    {"pidfd_open", SYS_pidfd_open, {PARENT, 0}},
    {"ptrace", SYS_ptrace, {0, 0, 0, 0}},
    {"process_vm_readv", SYS_process_vm_readv, {PARENT, A_PAGE, 1, A_PAGE, 1, 0}},
    {"mmap", SYS_mmap, {0, PAGE, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0}},
    {"mmap", SYS_mmap, {0, PAGE, PROT_READ, MAP_SHARED, 3, 0}},
    {"mprotect", SYS_mprotect, {A_PAGE, PAGE, PROT_READ | PROT_WRITE | PROT_EXEC}},
    {"pkey_mprotect", SYS_pkey_mprotect, {A_PAGE, PAGE, PROT_READ, -1}},
    {"shmget", SYS_shmget, {0, PAGE, 0600}},
    {"msgget", SYS_msgget, {0, 0600}},
    {"prctl", SYS_prctl, {PR_SET_DUMPABLE, 1, 0, 0, 0}},
    {"prctl", SYS_prctl, {PR_SET_SECCOMP, 2, A_PAGE, 0, 0}},
    {"seccomp", SYS_seccomp, {1, 0, A_PAGE}},
    {"prlimit64", SYS_prlimit64, {0, 9, A_PAGE, 0}},
    {"setrlimit", SYS_setrlimit, {9, A_PAGE}},
    {"setuid", SYS_setuid, {0}},
    {"personality", SYS_personality, {0}},
    {"bpf", SYS_bpf, {0, A_PAGE, 8}},
    {"userfaultfd", SYS_userfaultfd, {0}},
    {"perf_event_open", SYS_perf_event_open, {A_PAGE, 0, -1, -1, 0}},
    {"io_uring_setup", SYS_io_uring_setup, {8, A_PAGE}},
    {"io_setup", SYS_io_setup, {8, A_PAGE}},
    {"keyctl", SYS_keyctl, {0, 0, 0, 0, 0}},
    {"add_key", SYS_add_key, {A_PATH, A_PATH, A_PAGE, 1, 0}},
    {"open_by_handle_at", SYS_open_by_handle_at, {3, A_PAGE, 0}},
    {"name_to_handle_at", SYS_name_to_handle_at, {AT_FDCWD, A_PATH, A_PAGE, A_PAGE, 0}},
    {"inotify_init1", SYS_inotify_init1, {0}},
    {"eventfd2", SYS_eventfd2, {0, 0}},
    {"timerfd_create", SYS_timerfd_create, {0, 0}},
    {"epoll_create1", SYS_epoll_create1, {0}},
    {"landlock_create_ruleset", SYS_landlock_create_ruleset, {0, 0, 1}},
    {"splice", SYS_splice, {3, 0, 4, 0, 1, 0}},
    {"sendfile", SYS_sendfile, {3, 4, 0, 1}},
    {"getppid", SYS_getppid, {0}},
};
enum { DENIED_COUNT = sizeof denied / sizeof denied[0] };

static char page[PAGE] __attribute__((aligned(PAGE)));
static const char path[] = "/tmp/kanal-evil";

static long act_argument(long argument)
{
    switch (argument) {
    case A_PAGE:
        return (long)page;
    case A_PATH:
        return (long)path;
    default:
        return argument;
    }
}

static void act_denied(long number, long parent)
{
    long args[6];
    for (size_t i = 0; i < 6; i++)
        args[i] = denied[number].args[i] == PARENT ? parent : act_argument(denied[number].args[i]);
    syscall(denied[number].call, args[0], args[1], args[2], args[3], args[4], args[5]);
}

static void *thread_adds(void *context)
{
    int *sum = context;
    char *block = mem_calloc(1000, 1000);
    *sum += block[999] + 1;
    free(block);
    return NULL;
}

static int act_threads(void)
{
    int sum = 0;
    for (int i = 0; i < 3; i++) {
        pthread_t thread;
        if (pthread_create(&thread, NULL, thread_adds, &sum) != 0)
            return 1;
        pthread_join(thread, NULL);
    }
    return sum == 3 ? 0 : 1;
}

static int act_memory(void)
{
    for (size_t size = 1; size <= WORKER_MEMORY_BYTES / 4; size *= 2) {
        char *block = mem_calloc(size, 1);
        block = mem_realloc(block, size, 2);
        block[2 * size - 1] = 1;
        free(block);
    }
    return 0;
}

static int act_talk(void)
{
    struct err err = ERR_INIT;
    char byte = 0;
    if (process_read(PROCESS_SOCKET, &byte, 1, PROCESS_FOREVER, &err) != 0)
        return 1;
    return process_write(PROCESS_SOCKET, &byte, 1, PROCESS_FOREVER, &err) == 0 ? 0 : 1;
}

static int act_clock(void)
{
    struct timespec moment = {.tv_nsec = 1000};
    return clock_ms() > 0 && clock_wall_ms() > 0 && nanosleep(&moment, NULL) == 0 ? 0 : 1;
}

static _Noreturn int act_eat(void)
{
    /* Far beyond the limit, also beyond a sanitizer's. */
    for (;;)
        mem_calloc(1024 * 1024 * 1024, 1);
}

static _Noreturn int act_abort(void)
{
    errno = 0;
    abort();
}

static const struct {
    const char *name;
    int (*run)(void);
    int exit_status; /* or ... */
    int signal;
} allowed[] = {
    {"threads", act_threads, 0, 0},   {"memory", act_memory, 0, 0},
    {"talk", act_talk, 0, 0},         {"clock", act_clock, 0, 0},
#ifdef __SANITIZE_THREAD__
    {"eat", act_eat, 0, SIGABRT}, /* TSan holds signals back: abort() ends it first */
#else
    {"eat", act_eat, WORKER_EXIT_MEMORY, 0},
#endif
    {"abort", act_abort, 0, SIGABRT},
};
enum { ALLOWED_COUNT = sizeof allowed / sizeof allowed[0] };

static int role_act(const char *number)
{
    long act = strtol(number, NULL, 10);
    struct err err = ERR_INIT;
    long parent = getppid();
    process_begin_role("act");
    if (worker_sandbox(&err) != 0)
        _exit(EXIT_SANDBOX_FAILED);
    if (act < DENIED_COUNT) {
        act_denied(act, parent);
        _exit(0);
    }
    _exit(allowed[act - DENIED_COUNT].run());
}

static int act(int number)
{
    struct err err = ERR_INIT;
    char text[16], byte = 'x';
    int socket;
    pid_t pid;
    snprintf(text, sizeof text, "%d", number);
    const char *argv[] = {"kanal", "act", text, NULL};
    assert_int_equal(process_start(argv, &pid, &socket, &err), 0);
    process_write(socket, &byte, 1, clock_ms() + GENEROUS_MS, &err);
    int status = process_end(pid, GENEROUS_MS);
    close(socket);
    return status;
}

static void everything_else_is_death(void **state)
{
    (void)state;
    int survived = 0;
    for (int i = 0; i < DENIED_COUNT; i++) {
        int status = act(i);
        if (WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS)
            continue;
        print_error("%s: status %x\n", denied[i].name, (unsigned)status);
        survived++;
    }
    assert_int_equal(survived, 0);
}

static void computing_goes_on(void **state)
{
    (void)state;
    for (int i = 0; i < ALLOWED_COUNT; i++) {
        int status = act(DENIED_COUNT + i);
        bool right = allowed[i].signal != 0
                         ? WIFSIGNALED(status) && WTERMSIG(status) == allowed[i].signal
                         : WIFEXITED(status) && WEXITSTATUS(status) == allowed[i].exit_status;
        if (!right)
            print_error("%s: status %x\n", allowed[i].name, (unsigned)status);
        assert_true(right);
    }
}

int main(int argc, char **argv)
{
    if (argc == 3 && strcmp(argv[1], "act") == 0)
        return role_act(argv[2]);
    /* For the role, where there is a sanitizer: malloc() fails as it does without one. */
    setenv("ASAN_OPTIONS", "allocator_may_return_null=1", 0);
    setenv("TSAN_OPTIONS", "allocator_may_return_null=1", 0);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(everything_else_is_death),
        cmocka_unit_test(computing_goes_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
