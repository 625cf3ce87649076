/* SPDX-License-Identifier: Apache-2.0 */
/*
 * posix_spawn() of /proc/self/exe: no copy of the gateway's address space is ever made, so no key
 * of its is in a role, and the binary is the one that runs even while an upgrade replaces the file.
 */
#include "gateway/process.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "normalize/buf.h"
#include "normalize/mem.h"

enum {
    PROCESS_ENV_LEN_MAX = 4096,
    PROCESS_SOCKET_BYTES =
        1024 * 1024, /* a mail with a photo in few turns; the kernel may cut it */
};

/* What a role may know of our environment. */
static const char *const process_env_kept[] = {
    "CREDENTIALS_DIRECTORY", "ASAN_OPTIONS", "UBSAN_OPTIONS", "TSAN_OPTIONS", "LSAN_OPTIONS",
};

enum { PROCESS_ENV_KEPT = sizeof process_env_kept / sizeof process_env_kept[0] };

int64_t clock_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

int64_t clock_wall_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Fills env (NULL-terminated) with owned strings. */
static void process_env_make(char *env[static PROCESS_ENV_KEPT + 2])
{
    size_t n = 0;
    env[n++] = mem_strdup("LANG=C.UTF-8");
    for (size_t i = 0; i < PROCESS_ENV_KEPT; i++) {
        const char *value = getenv(process_env_kept[i]);
        if (value == NULL)
            continue;
        struct buf entry = BUF_INIT(PROCESS_ENV_LEN_MAX);
        buf_addf(&entry, "%s=%s", process_env_kept[i], value);
        if (!entry.overflow)
            env[n++] = buf_detach(&entry, NULL);
        buf_release(&entry);
    }
    env[n] = NULL;
}

static void process_env_free(char **env)
{
    for (; *env != NULL; env++)
        free(*env);
}

/* What happens in the child before exec. The socket first: the descriptors below could hold it. */
static int process_actions_fill(posix_spawn_file_actions_t *actions, int socket)
{
    int failed = posix_spawn_file_actions_adddup2(actions, socket, PROCESS_SOCKET);
    if (failed == 0)
        failed = posix_spawn_file_actions_addopen(actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    if (failed == 0)
        failed = posix_spawn_file_actions_adddup2(actions, STDERR_FILENO, STDOUT_FILENO);
    if (failed == 0)
        failed = posix_spawn_file_actions_addclosefrom_np(actions, PROCESS_SOCKET + 1);
    return failed;
}

static int process_attributes_fill(posix_spawnattr_t *attributes)
{
    sigset_t none, all;
    sigemptyset(&none);
    sigfillset(&all);
    posix_spawnattr_setsigmask(attributes, &none);
    posix_spawnattr_setsigdefault(attributes, &all);
    posix_spawnattr_setpgroup(attributes, 0);
    return posix_spawnattr_setflags(attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF |
                                                    POSIX_SPAWN_SETPGROUP);
}

/* An errno value. */
static int process_spawn(const char *const *argv, int socket, pid_t *pid)
{
    char *env[PROCESS_ENV_KEPT + 2];
    size_t n = 0;
    while (argv[n] != NULL)
        n++;
    char **args = mem_calloc(n + 1, sizeof *args);
    args[0] = mem_strdup("kanal");
    for (size_t i = 1; i < n; i++)
        args[i] = mem_strdup(argv[i]);
    process_env_make(env);
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    posix_spawn_file_actions_init(&actions);
    posix_spawnattr_init(&attributes);
    int failed = process_actions_fill(&actions, socket);
    if (failed == 0)
        failed = process_attributes_fill(&attributes);
    if (failed == 0)
        failed = posix_spawn(pid, "/proc/self/exe", &actions, &attributes, args, env);
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&actions);
    process_env_free(env);
    for (size_t i = 0; i < n; i++)
        free(args[i]);
    free(args);
    return failed;
}

int process_start(const char *const *argv, pid_t *pid, int *socket, struct err *err)
{
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0)
        return err_set(err, ERR_TRANSIENT, "cannot make a socket pair: %s", strerror(errno));
    int bytes = PROCESS_SOCKET_BYTES;
    for (int i = 0; i < 2; i++)
        setsockopt(ends[i], SOL_SOCKET, SO_SNDBUF, &bytes, sizeof bytes);
    int failed = process_spawn(argv, ends[1], pid);
    close(ends[1]);
    if (failed != 0) {
        close(ends[0]);
        return err_set(err, ERR_TRANSIENT, "cannot start '%s': %s", argv[1], strerror(failed));
    }
    *socket = ends[0];
    return 0;
}

void process_begin_role(const char *name)
{
    static const int ignored[] = {SIGINT, SIGTERM, SIGHUP, SIGPIPE, SIGUSR1, SIGUSR2};
    for (size_t i = 0; i < sizeof ignored / sizeof ignored[0]; i++)
        signal(ignored[i], SIG_IGN);
    setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
    prctl(PR_SET_DUMPABLE, 0);
    prctl(PR_SET_NAME, name);
}

int process_thread(pthread_t *thread, void *(*run)(void *), void *context, struct err *err)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int failed = pthread_create(thread, NULL, run, context);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (failed != 0)
        return err_set(err, ERR_TRANSIENT, "cannot start a thread: %s", strerror(failed));
    return 0;
}

bool process_join(pthread_t thread, int64_t deadline_ms)
{
    /* By the wall clock, the only one sanitizers know for this; a jump cuts a wait short. */
    int64_t left_ms = deadline_ms - clock_ms();
    int64_t until_ms = clock_wall_ms() + (left_ms > 0 ? left_ms : 0);
    const struct timespec until = {.tv_sec = until_ms / 1000, .tv_nsec = until_ms % 1000 * 1000000};
    return pthread_timedjoin_np(thread, NULL, &until) == 0;
}

int process_kill(pid_t pid)
{
    int status = -1;
    if (pid <= 0)
        return -1;
    kill(pid, SIGKILL);
    while (waitpid(pid, &status, 0) < 0) {
        if (errno != EINTR)
            return -1;
    }
    return status;
}

int process_end(pid_t pid, int timeout_ms)
{
    int fd = pid > 0 ? pidfd_open(pid, 0) : -1;
    if (fd >= 0) {
        int64_t deadline_ms = clock_ms() + timeout_ms;
        struct pollfd ended = {.fd = fd, .events = POLLIN};
        int64_t left_ms = timeout_ms;
        while (poll(&ended, 1, (int)left_ms) < 0 && errno == EINTR) {
            left_ms = deadline_ms - clock_ms();
            if (left_ms < 0)
                left_ms = 0;
        }
        close(fd);
    }
    /* A process that has ended keeps its own status whatever signal follows. */
    return process_kill(pid);
}

/* Waits until fd is ready for events. 0, or -1 "timed out". */
static int process_poll(int fd, short events, int64_t deadline_ms, struct err *err)
{
    for (;;) {
        int64_t left_ms = -1;
        if (deadline_ms != PROCESS_FOREVER) {
            left_ms = deadline_ms - clock_ms();
            if (left_ms <= 0)
                return err_set(err, ERR_TRANSIENT, "timed out");
        }
        struct pollfd ready = {.fd = fd, .events = events};
        int n = poll(&ready, 1, left_ms > INT32_MAX ? INT32_MAX : (int)left_ms);
        if (n > 0)
            return 0;
        if (n < 0 && errno != EINTR)
            return err_set(err, ERR_TRANSIENT, "cannot wait for a socket: %s", strerror(errno));
    }
}

ssize_t process_read_some(int fd, void *data, size_t max, int64_t deadline_ms, struct err *err)
{
    /* Without a deadline there is nothing to poll for; a sandboxed role may not even. */
    bool timed = deadline_ms != PROCESS_FOREVER;
    for (;;) {
        if (timed && process_poll(fd, POLLIN, deadline_ms, err) != 0)
            return -1;
        ssize_t n = recv(fd, data, max, timed ? MSG_DONTWAIT : 0);
        if (n >= 0)
            return n;
        if (errno == ECONNRESET)
            return 0;
        if (errno != EINTR && errno != EAGAIN)
            return err_set(err, ERR_TRANSIENT, "cannot read a socket: %s", strerror(errno));
    }
}

int process_read(int fd, void *data, size_t len, int64_t deadline_ms, struct err *err)
{
    char *at = data;
    for (size_t done = 0; done < len;) {
        ssize_t n = process_read_some(fd, at + done, len - done, deadline_ms, err);
        if (n < 0)
            return -1;
        if (n == 0)
            return done == 0 ? 1 : err_set(err, ERR_TRANSIENT, "cannot read a socket: cut short");
        done += (size_t)n;
    }
    return 0;
}

int process_write(int fd, const void *data, size_t len, int64_t deadline_ms, struct err *err)
{
    const char *at = data;
    bool timed = deadline_ms != PROCESS_FOREVER;
    for (size_t done = 0; done < len;) {
        ssize_t n = send(fd, at + done, len - done, MSG_NOSIGNAL | (timed ? MSG_DONTWAIT : 0));
        if (n >= 0) {
            done += (size_t)n;
            continue;
        }
        int cause = errno;
        if (cause != EINTR && cause != EAGAIN)
            return err_set(err, ERR_TRANSIENT, "cannot write a socket: %s", strerror(cause));
        if (cause == EAGAIN && process_poll(fd, POLLOUT, deadline_ms, err) != 0)
            return -1;
    }
    return 0;
}
