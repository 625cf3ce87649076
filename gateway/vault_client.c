/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The gateway's side. A keeper thread owns the process: it waits for its death, on the socket's
 * other end, and starts it anew. Callers take turns at the socket; a caller whose vault dies under
 * it asks the next one, once.
 */
#include "gateway/vault.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "gateway/frame.h"
#include "gateway/log.h"
#include "gateway/metrics.h"
#include "gateway/process.h"
#include "gateway/vault_wire.h"
#include "normalize/mem.h"

enum {
    VAULT_START_MS = 20 * 1000, /* waits for a predecessor's lock on a slow disk included */
    VAULT_RESTART_FIRST_MS = 20,
    VAULT_RESTART_MAX_MS = 5 * 1000,
    VAULT_STEADY_MS = 10 * 1000, /* a vault that lived this long starts the back-off anew */
    VAULT_END_MS = 5 * 1000,
    VAULT_TRIES = 2,
};

struct vault_client {
    char *dir;
    unsigned char public_key[SEAL_PUBLIC_KEY_SIZE];
    pthread_t keeper;
    int wake; /* eventfd: stop */
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool up, busy, stopping;
    pid_t pid;
    /* Used by the keeper while down, by the one caller that made it busy while up. */
    int socket;
    struct frame_reader reader;
};

/* An answer that refuses becomes the caller's error. */
static int vault_refusal(const struct frame *frame, struct err *err)
{
    enum err_kind kind = ERR_TRANSIENT;
    if (frame->len > 0 && (frame->data[0] == ERR_PERMANENT || frame->data[0] == ERR_CONFIG))
        kind = (enum err_kind)frame->data[0];
    return err_set(err, kind, "%s", frame->len > 1 ? frame->data + 1 : "the vault refuses");
}

/* Starts the process and asks for its key. */
static int vault_launch(struct vault_client *client, bool *created,
                        unsigned char key[static SEAL_PUBLIC_KEY_SIZE], struct err *err)
{
    const char *argv[] = {"kanal", "vault", "--state", client->dir, NULL};
    struct frame frame = {.data = NULL};
    int64_t deadline_ms = clock_ms() + VAULT_START_MS;
    pid_t pid;
    if (process_start(argv, &pid, &client->socket, err) != 0)
        return -1;
    frame_reader_init(&client->reader, client->socket);
    int result = frame_write(client->socket, VAULT_ASK_KEY, NULL, 0, deadline_ms, err);
    if (result == 0)
        result = frame_read(&client->reader, VAULT_FRAME_MAX, deadline_ms, &frame, err);
    if (result == 0 && frame.type == VAULT_REFUSED)
        result = vault_refusal(&frame, err);
    if (result == 0 && (frame.type != VAULT_KEY || frame.len != 1 + SEAL_PUBLIC_KEY_SIZE))
        result = -1;
    if (result == 0) {
        *created = frame.data[0] != 0;
        memcpy(key, frame.data + 1, SEAL_PUBLIC_KEY_SIZE);
    }
    frame_release(&frame);
    if (result != 0) {
        process_kill(pid);
        close(client->socket);
        return err_set(err, ERR_TRANSIENT, "the vault did not start");
    }
    pthread_mutex_lock(&client->lock);
    client->pid = pid;
    client->up = true;
    pthread_cond_broadcast(&client->changed);
    pthread_mutex_unlock(&client->lock);
    return 0;
}

/* Ends what is left of the process once its last caller is done with the socket. */
static void vault_land(struct vault_client *client, int timeout_ms)
{
    pthread_mutex_lock(&client->lock);
    client->up = false;
    while (client->busy)
        pthread_cond_wait(&client->changed, &client->lock);
    pid_t pid = client->pid;
    client->pid = 0;
    pthread_mutex_unlock(&client->lock);
    close(client->socket);
    process_end(pid, timeout_ms);
}

static bool vault_stopping(struct vault_client *client)
{
    pthread_mutex_lock(&client->lock);
    bool stopping = client->stopping;
    pthread_mutex_unlock(&client->lock);
    return stopping;
}

/* Waits for the stop, the timeout (-1: none) or the other end of socket (-1: none) to go. */
static void vault_wait(struct vault_client *client, int socket, int timeout_ms)
{
    struct pollfd waits[] = {{.fd = client->wake, .events = POLLIN}, {.fd = socket}};
    while (poll(waits, 2, timeout_ms) < 0 && errno == EINTR)
        continue;
}

/* One try to start it again; a vault with another key would leave what is sealed unreadable. */
static int vault_relaunch(struct vault_client *client)
{
    unsigned char key[SEAL_PUBLIC_KEY_SIZE];
    struct err err = ERR_INIT;
    bool created;
    int result = vault_launch(client, &created, key, &err);
    if (result == 0 && memcmp(key, client->public_key, sizeof key) != 0) {
        vault_land(client, 0);
        result = err_set(&err, ERR_CONFIG, "the vault's key has changed: restart kanal");
    }
    log_event(LOG_VAULT_RESTARTED, NULL, -1, &err);
    if (result == 0)
        metrics_add(METRIC_VAULT_RESTARTS, NULL, 1);
    return result;
}

static void *vault_keeper(void *context)
{
    struct vault_client *client = context;
    int pause_ms = VAULT_RESTART_FIRST_MS;
    bool up = true;
    while (!vault_stopping(client)) {
        int64_t since_ms = clock_ms();
        if (up) {
            vault_wait(client, client->socket, -1);
            if (vault_stopping(client))
                break;
            vault_land(client, 0);
            if (clock_ms() - since_ms >= VAULT_STEADY_MS)
                pause_ms = VAULT_RESTART_FIRST_MS;
        }
        vault_wait(client, -1, pause_ms);
        pause_ms = pause_ms * 2 > VAULT_RESTART_MAX_MS ? VAULT_RESTART_MAX_MS : pause_ms * 2;
        up = !vault_stopping(client) && vault_relaunch(client) == 0;
    }
    if (up)
        vault_land(client, VAULT_END_MS);
    return NULL;
}

static void vault_client_free(struct vault_client *client)
{
    if (client->wake >= 0)
        close(client->wake);
    pthread_cond_destroy(&client->changed);
    pthread_mutex_destroy(&client->lock);
    free(client->dir);
    free(client);
}

static struct vault_client *vault_client_new(const char *dir)
{
    struct vault_client *client = mem_calloc(1, sizeof *client);
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&client->changed, &monotonic);
    pthread_condattr_destroy(&monotonic);
    pthread_mutex_init(&client->lock, NULL);
    client->wake = eventfd(0, EFD_CLOEXEC);
    client->dir = mem_strdup(dir);
    return client;
}

int vault_client_start(const char *dir, bool *created,
                       unsigned char public_key[static SEAL_PUBLIC_KEY_SIZE],
                       struct vault_client **out, struct err *err)
{
    struct vault_client *client = vault_client_new(dir);
    if (client->wake < 0)
        err_set(err, ERR_TRANSIENT, "cannot make an eventfd: %s", strerror(errno));
    if (client->wake < 0 || vault_launch(client, created, client->public_key, err) != 0) {
        vault_client_free(client);
        return -1;
    }
    memcpy(public_key, client->public_key, SEAL_PUBLIC_KEY_SIZE);
    if (process_thread(&client->keeper, vault_keeper, client, err) != 0) {
        vault_land(client, VAULT_END_MS);
        vault_client_free(client);
        return -1;
    }
    *out = client;
    return 0;
}

void vault_client_stop(struct vault_client *client)
{
    if (client == NULL)
        return;
    pthread_mutex_lock(&client->lock);
    client->stopping = true;
    pthread_mutex_unlock(&client->lock);
    eventfd_write(client->wake, 1);
    pthread_join(client->keeper, NULL);
    vault_client_free(client);
}

int vault_client_pid(struct vault_client *client)
{
    pthread_mutex_lock(&client->lock);
    int pid = client->up ? (int)client->pid : 0;
    pthread_mutex_unlock(&client->lock);
    return pid;
}

/* The caller's turn at the socket. */
static int vault_take(struct vault_client *client, int64_t deadline_ms, struct err *err)
{
    struct timespec at = {.tv_sec = deadline_ms / 1000, .tv_nsec = deadline_ms % 1000 * 1000000};
    int late = 0;
    pthread_mutex_lock(&client->lock);
    while ((!client->up || client->busy) && late == 0)
        late = pthread_cond_timedwait(&client->changed, &client->lock, &at);
    bool taken = client->up && !client->busy;
    if (taken)
        client->busy = true;
    pthread_mutex_unlock(&client->lock);
    return taken ? 0 : err_set(err, ERR_TRANSIENT, "the vault is down or busy");
}

/* broken: nobody may use this socket again; the keeper sees the death and starts another. */
static void vault_give(struct vault_client *client, bool broken)
{
    pthread_mutex_lock(&client->lock);
    client->busy = false;
    if (broken && client->up) {
        client->up = false;
        kill(client->pid, SIGKILL);
    }
    pthread_cond_broadcast(&client->changed);
    pthread_mutex_unlock(&client->lock);
}

static void vault_add_text(struct buf *out, const char *text)
{
    size_t len = strnlen(text, VAULT_WORD_MAX);
    buf_add_char(out, (char)len);
    buf_add(out, text, len);
}

/* One question. 0 answered (frame), 1 the vault is broken and err says how, -1 no turn. */
static int vault_ask(struct vault_client *client, const struct buf *request, int64_t deadline_ms,
                     struct frame *frame, struct err *err)
{
    if (vault_take(client, deadline_ms, err) != 0)
        return -1;
    int result = process_write(client->socket, request->data, request->len, deadline_ms, err);
    if (result == 0)
        result = frame_read(&client->reader, VAULT_FRAME_MAX, deadline_ms, frame, err);
    vault_give(client, result != 0);
    if (result == 0)
        return 0;
    err_set(err, ERR_TRANSIENT, "the vault died");
    return 1;
}

int vault_client_open(struct vault_client *client, enum vault_purpose purpose,
                      const char *report_id, const char *field, const char *reason,
                      const void *envelope, size_t len, struct buf *out, struct err *err)
{
    int64_t deadline_ms = clock_ms() + VAULT_CALL_MS;
    struct buf request = BUF_INIT(FRAME_HEADER_SIZE + VAULT_FRAME_MAX);
    struct frame frame = {.data = NULL};
    struct err cause = ERR_INIT;
    size_t begun = frame_begin(&request);
    buf_add_char(&request, (char)purpose);
    vault_add_text(&request, report_id);
    vault_add_text(&request, field);
    vault_add_text(&request, reason);
    buf_add(&request, envelope, len);
    frame_end(&request, begun, VAULT_ASK_OPEN);
    int result = request.overflow ? err_set(&cause, ERR_PERMANENT, "the envelope is too long") : 1;
    for (int tries = 0; result == 1 && tries < VAULT_TRIES && clock_ms() < deadline_ms; tries++) {
        err_clear(&cause);
        result = vault_ask(client, &request, deadline_ms, &frame, &cause);
    }
    if (result == 0 && frame.type == VAULT_PLAIN)
        buf_add(out, frame.data, frame.len);
    else if (result == 0)
        result = vault_refusal(&frame, &cause);
    if (result == 0 && out->overflow)
        result = err_set(&cause, ERR_PERMANENT, "the opened '%s' is too long", field);
    frame_release(&frame);
    buf_release(&request);
    return result == 0 ? 0 : err_set(err, cause.kind, "%s", cause.text);
}
