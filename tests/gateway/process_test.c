/* SPDX-License-Identifier: Apache-2.0 */
/* The test binary is its own role: "role-..." in argv[1] says which. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "gateway/frame.h"
#include "gateway/process.h"
#include "normalize/buf.h"

enum { GENEROUS_MS = 30 * 1000, LARGE = 8 * 1024 * 1024 };

extern char **environ;

static int64_t soon(void)
{
    return clock_ms() + GENEROUS_MS;
}

/* Tells on the socket what this process was born with: open descriptors, then the environment. */
static int role_facts(void)
{
    struct buf facts = BUF_INIT(64 * 1024);
    DIR *folder = opendir("/proc/self/fd");
    for (struct dirent *entry; folder != NULL && (entry = readdir(folder)) != NULL;) {
        int fd = (int)strtol(entry->d_name, NULL, 10);
        if (entry->d_name[0] != '.' && fd != dirfd(folder))
            buf_addf(&facts, "fd=%d\n", fd);
    }
    if (folder != NULL)
        closedir(folder);
    for (char **entry = environ; *entry != NULL; entry++)
        buf_addf(&facts, "env=%s\n", *entry);
    buf_addf(&facts, "group=%d\n", getpgrp() == getpid());
    sigset_t blocked;
    sigprocmask(SIG_SETMASK, NULL, &blocked);
    buf_addf(&facts, "blocked=%d\n", sigismember(&blocked, SIGTERM));
    struct err err = ERR_INIT;
    frame_write(PROCESS_SOCKET, 7, facts.data, facts.len, soon(), &err);
    buf_release(&facts);
    return 0;
}

/* Sends back what it gets, until the end. */
static int role_echo(void)
{
    static struct frame_reader reader;
    struct err err = ERR_INIT;
    struct frame frame;
    process_begin_role("echo");
    frame_reader_init(&reader, PROCESS_SOCKET);
    while (frame_read(&reader, LARGE, PROCESS_FOREVER, &frame, &err) == 0) {
        frame_write(PROCESS_SOCKET, frame.type + 1, frame.data, frame.len, PROCESS_FOREVER, &err);
        frame_release(&frame);
    }
    return 5;
}

static _Noreturn void role_deaf(void)
{
    struct err err = ERR_INIT;
    process_begin_role("deaf");
    process_write(PROCESS_SOCKET, "r", 1, soon(), &err);
    for (;;)
        pause();
}

static pid_t role_start(const char *name, int *socket)
{
    struct err err = ERR_INIT;
    pid_t pid = 0;
    const char *argv[] = {"kanal", name, NULL};
    assert_int_equal(process_start(argv, &pid, socket, &err), 0);
    assert_true(pid > 0);
    return pid;
}

static void a_role_starts_clean(void **state)
{
    (void)state;
    static struct frame_reader reader;
    struct err err = ERR_INIT;
    struct frame frame;
    int socket;
    setenv("KANAL_TEST_SECRET", "visible", 1);
    setenv("CREDENTIALS_DIRECTORY", "/nowhere", 1);
    int leaked = open("/dev/null", O_RDONLY);
    int high = fcntl(leaked, F_DUPFD, 300);
    sigset_t term, before;
    sigemptyset(&term);
    sigaddset(&term, SIGTERM);
    pthread_sigmask(SIG_BLOCK, &term, &before);
    pid_t pid = role_start("role-facts", &socket);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    frame_reader_init(&reader, socket);
    assert_int_equal(frame_read(&reader, 64 * 1024, soon(), &frame, &err), 0);
    assert_int_equal(frame.type, 7);
    assert_non_null(strstr(frame.data, "fd=0\n"));
    assert_non_null(strstr(frame.data, "fd=3\n"));
    assert_null(strstr(frame.data, "fd=4\n"));
    assert_null(strstr(frame.data, "fd=300\n"));
    assert_null(strstr(frame.data, "KANAL_TEST_SECRET"));
    assert_null(strstr(frame.data, "env=PATH"));
    assert_non_null(strstr(frame.data, "env=LANG=C.UTF-8\n"));
    assert_non_null(strstr(frame.data, "env=CREDENTIALS_DIRECTORY=/nowhere\n"));
    assert_non_null(strstr(frame.data, "group=1\n"));
    assert_non_null(strstr(frame.data, "blocked=0\n"));
    assert_true(fcntl(socket, F_GETFD) & FD_CLOEXEC);
    frame_release(&frame);
    assert_int_equal(WEXITSTATUS(process_end(pid, GENEROUS_MS)), 0);
    close(socket);
    close(leaked);
    close(high);
}

static void frames_go_both_ways(void **state)
{
    (void)state;
    static const size_t sizes[] = {0, 1, 4096, 4097, FRAME_READ_AHEAD, 300000, LARGE};
    static struct frame_reader reader;
    struct err err = ERR_INIT;
    int socket;
    char *data = malloc(LARGE);
    for (size_t i = 0; i < LARGE; i++)
        data[i] = (char)(i * 31);
    pid_t pid = role_start("role-echo", &socket);
    frame_reader_init(&reader, socket);
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        struct frame frame;
        assert_int_equal(frame_write(socket, 41, data, sizes[i], soon(), &err), 0);
        assert_int_equal(frame_read(&reader, LARGE, soon(), &frame, &err), 0);
        assert_int_equal(frame.type, 42);
        assert_int_equal(frame.len, sizes[i]);
        assert_memory_equal(frame.data, data, sizes[i]);
        frame_release(&frame);
    }
    close(socket);
    assert_int_equal(WEXITSTATUS(process_end(pid, GENEROUS_MS)), 5);
    free(data);
}

static void several_frames_in_one_write(void **state)
{
    (void)state;
    static struct frame_reader reader;
    struct err err = ERR_INIT;
    struct buf out = BUF_INIT(100 * 1024);
    int ends[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
    for (uint32_t i = 0; i < 3000; i++) {
        size_t begun = frame_begin(&out);
        buf_addf(&out, "%u", i);
        frame_end(&out, begun, i);
    }
    assert_false(out.overflow);
    assert_int_equal(process_write(ends[0], out.data, out.len, soon(), &err), 0);
    close(ends[0]);
    frame_reader_init(&reader, ends[1]);
    struct frame frame;
    for (uint32_t i = 0; i < 3000; i++) {
        assert_int_equal(frame_read(&reader, 10, soon(), &frame, &err), 0);
        assert_int_equal(frame.type, i);
        assert_int_equal(strtol(frame.data, NULL, 10), i);
        frame_release(&frame);
    }
    assert_int_equal(frame_read(&reader, 10, soon(), &frame, &err), 1);
    close(ends[1]);
    buf_release(&out);
}

/* Bytes that are no frame of ours: the reader says so before it allocates or waits for a body. */
static void lies_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        size_t len;
        enum err_kind kind;
    } bad[] = {
        {"KNL2\0\0\0\1\0\0\0\0", 12, ERR_PERMANENT},
        {"\0\0\0\0\0\0\0\0\0\0\0\0", 12, ERR_PERMANENT},
        {"KNL1\0\0\0\1\0\0\0\x0b", 12, ERR_PERMANENT}, /* 11 bytes where 10 may be */
        {"KNL1\0\0\0\1\xff\xff\xff\xff", 12, ERR_PERMANENT},
        {"KNL1\0\0\0\1\0\0\0", 11, ERR_TRANSIENT},
        {"KNL1\0\0\0\1\0\0\0\5abcd", 16, ERR_TRANSIENT},
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        static struct frame_reader reader;
        struct err err = ERR_INIT;
        struct frame frame;
        int ends[2];
        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
        assert_int_equal(write(ends[0], bad[i].bytes, bad[i].len), bad[i].len);
        close(ends[0]);
        frame_reader_init(&reader, ends[1]);
        assert_int_equal(frame_read(&reader, 10, soon(), &frame, &err), -1);
        assert_int_equal(err.kind, bad[i].kind);
        assert_null(frame.data);
        close(ends[1]);
    }
}

static void deadlines_hold(void **state)
{
    (void)state;
    struct err err = ERR_INIT;
    char byte;
    int socket;
    char *data = calloc(1, LARGE);
    pid_t pid = role_start("role-deaf", &socket);
    assert_int_equal(process_read(socket, &byte, 1, soon(), &err), 0);
    assert_int_equal(process_read(socket, &byte, 1, clock_ms() + 20, &err), -1);
    assert_string_equal(err.text, "timed out");
    err_clear(&err);
    assert_int_equal(process_write(socket, data, LARGE, clock_ms() + 20, &err), -1);
    assert_string_equal(err.text, "timed out");
    free(data);
    /* It ignores SIGTERM and does not read: only the kill of process_end() ends it. */
    kill(pid, SIGTERM);
    int status = process_end(pid, 20);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGKILL);
    assert_int_equal(process_kill(pid), -1);
    err_clear(&err);
    assert_int_not_equal(process_read(socket, &byte, 1, soon(), &err), 0);
    assert_int_equal(process_write(socket, "x", 1, soon(), &err), -1);
    close(socket);
}

static void a_binary_that_cannot_start_says_so(void **state)
{
    (void)state;
    struct err err = ERR_INIT;
    int ends[2] = {-1, -1};
    pid_t pid;
    /* No descriptors left: the socket pair cannot be made. */
    int fds[4096];
    size_t n = 0;
    struct rlimit before, few = {64, 64};
    getrlimit(RLIMIT_NOFILE, &before);
    few.rlim_max = before.rlim_max;
    setrlimit(RLIMIT_NOFILE, &few);
    while (n < 4096 && (fds[n] = open("/dev/null", O_RDONLY)) >= 0)
        n++;
    const char *argv[] = {"kanal", "role-echo", NULL};
    assert_int_equal(process_start(argv, &pid, ends, &err), -1);
    assert_int_equal(err.kind, ERR_TRANSIENT);
    while (n > 0)
        close(fds[--n]);
    setrlimit(RLIMIT_NOFILE, &before);
}

int main(int argc, char **argv)
{
    const char *role = argc > 1 ? argv[1] : "";
    if (strcmp(role, "role-facts") == 0)
        return role_facts();
    if (strcmp(role, "role-echo") == 0)
        return role_echo();
    if (strcmp(role, "role-deaf") == 0)
        role_deaf();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_role_starts_clean),
        cmocka_unit_test(frames_go_both_ways),
        cmocka_unit_test(several_frames_in_one_write),
        cmocka_unit_test(lies_are_refused),
        cmocka_unit_test(deadlines_hold),
        cmocka_unit_test(a_binary_that_cannot_start_says_so),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
