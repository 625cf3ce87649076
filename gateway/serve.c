/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/serve.h"

#include <curl/curl.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include "adapters/core_http.h"
#include "gateway/bell.h"
#include "gateway/channels.h"
#include "gateway/command.h"
#include "gateway/core_process.h"
#include "gateway/gateway.h"
#include "gateway/http.h"
#include "gateway/intake.h"
#include "gateway/listeners.h"
#include "gateway/log.h"
#include "gateway/outbox.h"
#include "gateway/page.h"
#include "gateway/process.h"
#include "gateway/updates.h"
#include "normalize/mem.h"

enum {
    SERVE_PATH_MAX = 4096,
    SERVE_KEPT_MAX = 64 * 1024,
    SERVE_LOOK_MS = 500, /* between looks at the children */
    /* A stop takes no longer than 10 s, whatever hangs; of these, requests, polls and notices in
     * hand may take: */
    SERVE_STOP_MS = 9 * 1000,
    SERVE_REQUESTS_MS = 3 * 1000,
    SERVE_POLLS_MS = 4 * 1000,
    SERVE_NOTICES_MS = 5 * 1000,
    SERVE_EXPIRE_MS = 3600 * 1000,      /* between erasures of what has outlived its time */
    SERVE_DISK_MIN = 32 * 1024 * 1024,  /* the write-ahead log may grow to that */
    SERVE_ACK_KEYS = 64 * 1024,         /* addresses remembered for the cap on acknowledgements */
    SERVE_WATCHDOG_STALL_MS = 30 * 1000 /* a transaction this old: the disk hangs */
};

/* How the listening sockets are handed over to the new configuration. */
#define SERVE_KEPT "KANAL_LISTENERS"

/* The gateway process while it serves. */
struct serve {
    struct command command;
    struct gateway gateway;
    struct core_process *core;
    struct core_http_settings core_http;
    struct updates *updates;
    struct listeners *listeners;
    int lock;         /* of the state folder */
    struct buf *kept; /* the listening sockets, for the next configuration; NULL: closed */
    bool key_created, vault_created;
    int64_t expired_ms;
};

static const char serve_usage[] =
    "usage: kanal serve [-c FILE] [--state DIR]\n"
    "Serves the whole gateway: form, tracking, channels, core. Without a configuration file it\n"
    "runs on its defaults. SIGTERM: stop within 10 s. SIGHUP: take a new configuration.\n";

static char *serve_path(const struct serve *serve, const char *name)
{
    struct buf path = BUF_INIT(SERVE_PATH_MAX);
    buf_addf(&path, "%s/%s", serve->command.state, name);
    return buf_detach(&path, NULL);
}

/* The state folder is ours alone: two gateways on one would both be the one writer. */
static int serve_lock(struct serve *serve, struct err *err)
{
    const char *state = serve->command.state;
    if (mkdir(state, 0700) != 0 && errno != EEXIST)
        return err_set(err, ERR_CONFIG, "cannot make '%s': %s", state, strerror(errno));
    char *path = serve_path(serve, "lock");
    serve->lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (serve->lock < 0)
        err_set(err, ERR_CONFIG, "cannot open '%s': %s", path, strerror(errno));
    else if (flock(serve->lock, LOCK_EX | LOCK_NB) != 0)
        err_set(err, ERR_TRANSIENT, "another gateway serves '%s'", state);
    free(path);
    return err->kind == ERR_NONE ? 0 : -1;
}

static int serve_keys(struct serve *serve, struct err *err)
{
    struct gateway *gateway = &serve->gateway;
    const struct keys_settings *keys = settings_keys(&serve->command.config);
    unsigned char vault_key[SEAL_PUBLIC_KEY_SIZE];
    char *key_path = serve_path(serve, "gateway.key");
    char *vault_path = serve_path(serve, "vault");
    int result = seal_open(&keys->key, key_path, true, &serve->key_created, &gateway->seal, err);
    if (result == 0)
        result =
            vault_client_start(vault_path, &serve->vault_created, vault_key, &gateway->vault, err);
    if (result == 0)
        seal_set_vault_key(gateway->seal, vault_key);
    free(key_path);
    free(vault_path);
    return result;
}

static int serve_queue(struct serve *serve, struct err *err)
{
    struct gateway *gateway = &serve->gateway;
    char *path = serve_path(serve, "queue");
    const struct queue_options options = {.path = path};
    int result =
        queue_open(gateway->settings->engine, &options, clock_wall_ms(), &gateway->queue, err);
    free(path);
    return result == 0 ? committer_start(gateway->queue, &gateway->committer, err) : -1;
}

static int serve_workers(struct serve *serve, struct err *err)
{
    struct gateway *gateway = &serve->gateway;
    size_t count = (size_t)gateway->settings->queue_max;
    size_t bytes = (size_t)gateway->settings->queue_bytes;
    gateway->gate = gate_new(count, bytes);
    gateway->ack_limit = limiter_new((unsigned)gateway->notices->ack_per_address,
                                     gateway->notices->ack_window * 1000, SERVE_ACK_KEYS);
    /* The gate holds back what is too much; the pool itself never refuses. */
    return worker_pool_start((unsigned)gateway->settings->workers, count + 1, SIZE_MAX,
                             &gateway->pool, err);
}

/* Borrows from the configuration or from the core's process. */
static struct core_http_settings serve_core_settings(const struct serve *serve)
{
    static char embedded_url[] = "http://core"; /* the socket decides where that is */
    const struct core_settings *core = serve->gateway.core;
    if (serve->core == NULL)
        return (struct core_http_settings){.url = core->url, .secret = core->secret};
    return (struct core_http_settings){
        .url = embedded_url,
        .unix_socket = core_process_socket(serve->core),
        .secret = {.data = core_process_secret(serve->core),
                   .len = strlen(core_process_secret(serve->core))},
    };
}

/* The core to forward to: ours, on a socket in the state folder, or the city's. */
static int serve_core(struct serve *serve, struct err *err)
{
    struct gateway *gateway = &serve->gateway;
    gateway->core_kind = &core_http;
    if (strcmp(gateway->core->kind, "embedded") == 0 &&
        core_process_start(serve->command.state, &serve->core, err) != 0)
        return -1;
    serve->core_http = serve_core_settings(serve);
    gateway->core_options = &serve->core_http;
    gateway->core_secret = serve->core_http.secret.data;
    return gateway->core_kind->open(gateway->core_options, &gateway->core_state, err);
}

static void serve_channels(struct serve *serve)
{
    struct gateway *gateway = &serve->gateway;
    const struct config *config = &serve->command.config;
    gateway->channels = mem_calloc(config->section_count, sizeof *gateway->channels);
    const struct config_section *section;
    size_t n = 0;
    while ((section = settings_channel_next(config, &n)) != NULL)
        gateway->channels[gateway->channel_count++] =
            (struct channel){.adapter = adapter_find(section->type),
                             .id = section->name,
                             .settings = section->settings,
                             .public_url = settings_http(config)->public_url,
                             .gateway = gateway};
}

static void serve_settings(struct serve *serve)
{
    struct gateway *gateway = &serve->gateway;
    const struct config *config = &serve->command.config;
    gateway->settings = settings_gateway(config);
    gateway->http = settings_http(config);
    gateway->core = settings_core(config);
    gateway->city = settings_city(config);
    gateway->notices = settings_notices(config);
    gateway->state = serve->command.state;
}

/* Below SERVE_DISK_MIN nothing new is taken in: forwarding, notices, cursors and erasing go on. */
static void serve_watch_disk(struct serve *serve)
{
    struct statvfs disk;
    if (statvfs(serve->command.state, &disk) != 0)
        return;
    bool scarce = (uint64_t)disk.f_bavail * disk.f_frsize < SERVE_DISK_MIN;
    if (atomic_exchange(&serve->gateway.disk_short, scarce) != scarce)
        log_event(scarce ? LOG_DISK_SHORT : LOG_DISK_RECOVERED, NULL, -1, NULL);
}

/* A notice needs its channel, a message in wakes both outboxes: what each looks at is there before
 * its threads are. */
static int serve_threads(struct serve *serve, struct err *err)
{
    struct gateway *gateway = &serve->gateway;
    gateway->runners = channels_new(gateway);
    if (outbox_start(gateway, &forward_duty, &gateway->forward, err) != 0 ||
        outbox_start(gateway, &notify_duty, &gateway->notify, err) != 0 ||
        updates_start(gateway, &serve->updates, err) != 0)
        return -1;
    return channels_start(gateway->runners, err);
}

static int serve_start(struct serve *serve, struct err *err)
{
    struct gateway *gateway = &serve->gateway;
    serve_settings(serve);
    serve_channels(serve);
    page_city(gateway->city->name, gateway->city->emergency);
    if (page_start(err) != 0 ||
        notice_texts_load(gateway->city->templates, &gateway->texts, err) != 0 ||
        serve_lock(serve, err) != 0 || serve_keys(serve, err) != 0 ||
        serve_queue(serve, err) != 0 || serve_workers(serve, err) != 0 ||
        serve_core(serve, err) != 0)
        return -1;
    serve_watch_disk(serve);
    if (serve_threads(serve, err) != 0)
        return -1;
    int result = listeners_start(gateway, serve->core, &serve->listeners, err);
    http_inherit(NULL);
    return result;
}

/* If something hangs in spite of its own time-outs, the process ends all the same: what is not
 * acknowledged is offered again, what was leased is leased again. */
static void *serve_last_resort(void *context)
{
    struct bell *stopped = context;
    if (!bell_sleep(stopped, SERVE_STOP_MS, NULL))
        return NULL;
    log_event_word(LOG_STOPPED, NULL, "last_resort", NULL);
    _exit(COMMAND_AGAIN);
}

static void serve_wait_requests(struct serve *serve, int64_t until_ms)
{
    const struct timespec pause = {.tv_nsec = 10 * 1000 * 1000};
    while (listeners_busy(serve->listeners) > 0 && clock_ms() < until_ms)
        nanosleep(&pause, NULL);
}

/* Nothing new comes in, and what is in hand gets some time. False: a thread hangs in a library that
 * cannot be interrupted (a mail server's answer, a name to be resolved). */
static bool serve_calm(struct serve *serve)
{
    struct gateway *gateway = &serve->gateway;
    int64_t now_ms = clock_ms();
    atomic_store(&gateway->stopping, true);
    listeners_drain(serve->listeners);
    channels_halt(gateway->runners);
    updates_halt(serve->updates);
    outbox_halt(gateway->forward);
    outbox_halt(gateway->notify);
    serve_wait_requests(serve, now_ms + SERVE_REQUESTS_MS);
    listeners_cancel(serve->listeners);
    worker_pool_cancel(gateway->pool);
    bool polls = channels_wait(gateway->runners, now_ms + SERVE_POLLS_MS);
    listeners_stop(serve->listeners, serve->kept);
    updates_stop(serve->updates);
    bool forwards = outbox_stop(gateway->forward, now_ms + SERVE_NOTICES_MS);
    bool notices = outbox_stop(gateway->notify, now_ms + SERVE_NOTICES_MS);
    return polls && forwards && notices;
}

/* In the reverse order of the start; every part bears not having been started. With calm false only
 * what must not be cut off is ended: the thread that hangs may still use the rest, until the
 * process ends under it. */
static void serve_release(struct serve *serve, bool calm)
{
    struct gateway *gateway = &serve->gateway;
    worker_pool_stop(gateway->pool);
    committer_halt(gateway->committer);
    core_process_stop(serve->core);
    if (!calm) {
        queue_close(gateway->queue);
        return;
    }
    committer_stop(gateway->committer);
    channels_free(gateway->runners);
    if (gateway->core_kind != NULL)
        gateway->core_kind->close(gateway->core_state);
    queue_close(gateway->queue);
    vault_client_stop(gateway->vault);
    seal_close(gateway->seal);
    notice_texts_free(gateway->texts);
    limiter_free(gateway->ack_limit);
    gate_free(gateway->gate);
    free(gateway->channels);
    command_end(&serve->command);
    if (serve->lock >= 0)
        close(serve->lock);
}

/* Ends everything within SERVE_STOP_MS. False: a thread goes on, the process must end at once. */
static bool serve_stop(struct serve *serve)
{
    pthread_t last_resort;
    struct bell stopped;
    struct err ignored = ERR_INIT; /* then there is none */
    bell_init(&stopped);
    bool watched = process_thread(&last_resort, serve_last_resort, &stopped, &ignored) == 0;
    bool calm = serve_calm(serve);
    serve_release(serve, calm);
    bell_stop(&stopped);
    if (watched)
        pthread_join(last_resort, NULL);
    bell_release(&stopped);
    return calm;
}

/* A listener as a browser finds it, or the path of its socket. */
static void serve_greet_address(const char *what, const char *scheme, const char *address,
                                const char *path)
{
    bool is_socket = strncmp(address, "unix:", 5) == 0;
    printf("  %-19s %s%s%s%s\n", what, is_socket ? "" : scheme, is_socket ? "" : "://", address,
           is_socket ? "" : path);
}

static void serve_greet_listeners(const struct serve *serve)
{
    const struct http_settings *http = serve->gateway.http;
    const char *scheme = http->tls_certificate == NULL ? "http" : "https";
    puts("Kanal serves.");
    serve_greet_address("form and tracking", scheme, http->public_address, "/");
    if (strstr(http->public_url, http->public_address) == NULL)
        printf("  %-19s %s/\n", "citizens know it as", http->public_url);
    if (serve->core != NULL)
        serve_greet_address("officers", "http", http->staff_address, "/");
    serve_greet_address("health, metrics", "http", http->admin_address, "/metrics");
}

static void serve_greet(const struct serve *serve)
{
    serve_greet_listeners(serve);
    if (serve->core != NULL) {
        char *path = serve_path(serve, "core/first-password");
        if (access(path, R_OK) == 0)
            printf("  first officer       account 'petugas', password in %s\n", path);
        free(path);
    }
    if (serve->key_created)
        printf(
            "A key file was made: %s/gateway.key. Without it nothing stored can be read: back it\n"
            "up, and move it out of this folder ([keys] key = file:..., or a systemd "
            "credential).\n",
            serve->command.state);
    if (serve->vault_created)
        printf(
            "The vault's key pair was made: %s/vault/vault.key. Whoever has it can open every\n"
            "reporter's identity: keep a copy on paper in a safe, and hand it in as the systemd\n"
            "credential 'vault.key' instead of leaving it in this folder.\n",
            serve->command.state);
    fflush(stdout);
}

/* Erases what has outlived its time. */
static void serve_expire(struct serve *serve)
{
    if (serve->expired_ms != 0 && clock_ms() - serve->expired_ms < SERVE_EXPIRE_MS)
        return;
    serve->expired_ms = clock_ms();
    struct queue_op op = {.kind = QUEUE_EXPIRE,
                          .day = gateway_day(&serve->gateway, clock_wall_ms())};
    struct queue_op *ops[] = {&op};
    struct err ignored = ERR_INIT; /* tried again in an hour */
    commit_wait(serve->gateway.committer, ops, 1, &ignored);
}

/* Whether a new configuration is good; the old one goes on when it is not. */
static bool serve_reload_good(struct serve *serve)
{
    struct config config;
    struct buf mistakes = BUF_INIT(SETTINGS_MISTAKES_MAX);
    struct err err = ERR_INIT;
    bool good = settings_load(serve->command.config_path, &config, &mistakes, &err) == 0;
    if (good) {
        good = listeners_check(serve->gateway.http, settings_http(&config), &err) == 0;
        config_release(&config);
    }
    if (!good)
        log_event(LOG_RELOAD_REFUSED, NULL, -1, &err);
    buf_release(&mistakes);
    return good;
}

/* Serves until a signal says stop (false) or start over (true). */
static bool serve_loop(struct serve *serve, const sigset_t *signals)
{
    const struct timespec pause = {.tv_nsec = SERVE_LOOK_MS * 1000 * 1000};
    for (;;) {
        int signal = sigtimedwait(signals, NULL, &pause);
        if (signal == SIGTERM || signal == SIGINT)
            return false;
        if (signal == SIGHUP && serve_reload_good(serve))
            return true;
        core_process_watch(serve->core);
        serve_watch_disk(serve);
        serve_expire(serve);
        if (committer_busy_ms(serve->gateway.committer) < SERVE_WATCHDOG_STALL_MS)
            sd_notify(0, "WATCHDOG=1");
    }
}

static void serve_signals(sigset_t *signals)
{
    sigemptyset(signals);
    sigaddset(signals, SIGTERM);
    sigaddset(signals, SIGINT);
    sigaddset(signals, SIGHUP);
    pthread_sigmask(SIG_BLOCK, signals, NULL);
    signal(SIGPIPE, SIG_IGN);
}

/* The same process, begun again: what the new configuration says holds from the first line, and
 * whoever connected meanwhile is served by it. */
static int serve_again(const struct serve *serve, int argc, char **argv)
{
    log_event(LOG_RELOADED, NULL, -1, NULL);
    char **again = mem_calloc((size_t)argc + 2, sizeof *again);
    again[0] = mem_strdup("kanal");
    memcpy(again + 1, argv, (size_t)argc * sizeof *again);
    setenv(SERVE_KEPT, serve->kept->data, 1);
    execv("/proc/self/exe", again);
    return COMMAND_AGAIN;
}

/* Serves; true: a new configuration is to be taken. */
static bool serve_run(struct serve *serve, int *status)
{
    struct err err = ERR_INIT;
    sigset_t signals;
    umask(0077);
    serve_signals(&signals);
    http_inherit(getenv(SERVE_KEPT));
    if (sodium_init() < 0 || curl_global_init(CURL_GLOBAL_DEFAULT) != 0 ||
        serve_start(serve, &err) != 0) {
        *status = command_fail("cannot serve", &err);
        return false;
    }
    serve_greet(serve);
    log_event(LOG_STARTED, NULL, -1, NULL);
    sd_notify(0, "READY=1");
    bool again = serve_loop(serve, &signals);
    sd_notify(0, again ? "RELOADING=1" : "STOPPING=1");
    log_event(LOG_STOPPING, NULL, -1, NULL);
    *status = COMMAND_DONE;
    return again;
}

int command_serve(int argc, char **argv)
{
    struct buf kept = BUF_INIT(SERVE_KEPT_MAX);
    struct serve serve = {.lock = -1};
    int status = command_start(&serve.command, serve_usage, argc, argv);
    if (status == -1 && serve.command.argument_count != 0)
        status = command_usage(&serve.command);
    if (status != -1) {
        command_end(&serve.command);
        return status;
    }
    bool again = serve_run(&serve, &status);
    if (again)
        serve.kept = &kept;
    bool calm = serve_stop(&serve);
    if (status == COMMAND_DONE)
        log_event(LOG_STOPPED, NULL, -1, NULL);
    if (again)
        status = serve_again(&serve, argc, argv);
    if (!calm)
        _exit(status);
    buf_release(&kept);
    return status;
}
