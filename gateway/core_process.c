/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/core_process.h"

#include <errno.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "gateway/key_file.h"
#include "gateway/log.h"
#include "gateway/process.h"
#include "normalize/buf.h"
#include "normalize/mem.h"

enum {
    CORE_PATH_MAX = 4096,
    CORE_END_MS = 2000,
    CORE_RESTART_MS = 1000, /* a core that cannot start must not make us spin */
    CORE_READY_MS = 5000,   /* a first ticket that meets a closed door waits for its next try */
    CORE_LOOK_MS = 10,
};

struct core_process {
    char *dir, *socket_path, *secret_path;
    char secret[2 * KEY_SIZE + 1];
    pid_t pid; /* 0: not running */
    int lifeline;
    int64_t started_ms;
};

static char *core_path(const char *folder, const char *name)
{
    struct buf path = BUF_INIT(CORE_PATH_MAX);
    buf_addf(&path, "%s/%s", folder, name);
    return buf_detach(&path, NULL);
}

static int core_spawn(struct core_process *core, struct err *err)
{
    struct buf listen = BUF_INIT(CORE_PATH_MAX);
    buf_addf(&listen, "unix:%s", core->socket_path);
    const char *const argv[] = {
        "kanal",   "core",          "--listen",        listen.data,  "--state",
        core->dir, "--secret-file", core->secret_path, "--lifeline", "3",
        NULL};
    int result = process_start(argv, &core->pid, &core->lifeline, err);
    buf_release(&listen);
    core->started_ms = clock_ms();
    return result;
}

static int core_secret(struct core_process *core, struct err *err)
{
    unsigned char key[KEY_SIZE];
    bool created;
    if (mkdir(core->dir, 0700) != 0 && errno != EEXIST)
        return err_set(err, ERR_CONFIG, "cannot make '%s': %s", core->dir, strerror(errno));
    if (key_file_open(core->secret_path, true, key, &created, err) != 0)
        return -1;
    sodium_bin2hex(core->secret, sizeof core->secret, key, sizeof key);
    sodium_memzero(key, sizeof key);
    return 0;
}

static bool core_listens(const struct core_process *core)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    size_t len = strlen(core->socket_path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool listens = false;
    if (fd >= 0 && len < sizeof address.sun_path) {
        memcpy(address.sun_path, core->socket_path, len + 1);
        listens = connect(fd, (const struct sockaddr *)&address, sizeof address) == 0;
    }
    if (fd >= 0)
        close(fd);
    return listens;
}

/* Waits a moment for it; one that takes longer is met when it is there. */
static void core_await(const struct core_process *core)
{
    const struct timespec pause = {.tv_nsec = CORE_LOOK_MS * 1000 * 1000};
    siginfo_t ended = {.si_pid = 0};
    while (clock_ms() - core->started_ms < CORE_READY_MS && !core_listens(core) &&
           waitid(P_PID, (id_t)core->pid, &ended, WEXITED | WNOHANG | WNOWAIT) == 0 &&
           ended.si_pid == 0)
        nanosleep(&pause, NULL);
}

int core_process_start(const char *state, struct core_process **out, struct err *err)
{
    struct core_process *core = mem_calloc(1, sizeof *core);
    core->dir = core_path(state, "core");
    core->socket_path = core_path(core->dir, "core.sock");
    core->secret_path = core_path(core->dir, "secret");
    *out = core;
    if (core_secret(core, err) != 0 || core_spawn(core, err) != 0)
        return -1;
    core_await(core);
    return 0;
}

char *core_process_socket(const struct core_process *core)
{
    return core->socket_path;
}

char *core_process_secret(struct core_process *core)
{
    return core->secret;
}

void core_process_watch(struct core_process *core)
{
    if (core == NULL)
        return;
    if (core->pid > 0 && waitpid(core->pid, NULL, WNOHANG) == core->pid) {
        log_event(LOG_CORE_RESTARTED, NULL, -1, NULL);
        close(core->lifeline);
        core->pid = 0;
    }
    struct err err = ERR_INIT; /* it is tried again at the next look */
    if (core->pid == 0 && clock_ms() - core->started_ms >= CORE_RESTART_MS &&
        core_spawn(core, &err) != 0)
        core->pid = 0;
}

void core_process_stop(struct core_process *core)
{
    if (core == NULL)
        return;
    if (core->pid > 0) {
        close(core->lifeline);
        process_end(core->pid, CORE_END_MS);
    }
    sodium_memzero(core->secret, sizeof core->secret);
    free(core->dir);
    free(core->socket_path);
    free(core->secret_path);
    free(core);
}
