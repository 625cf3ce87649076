/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/channels.h"

#include <pthread.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/backoff.h"
#include "gateway/bell.h"
#include "gateway/intake.h"
#include "gateway/log.h"
#include "gateway/metrics.h"
#include "gateway/process.h"
#include "normalize/mem.h"

enum {
    CHANNELS_POLL_MS = 30 * 1000,  /* what one poll may take before it must come back */
    CHANNELS_PAUSE_MS = 1000,      /* between polls of an adapter that does not wait by itself */
    CHANNELS_HEALTH_MS = 5 * 1000, /* how old `kanal channels` may be */
    CHANNELS_BACKOFF_MAX_MS = 15 * 60 * 1000,
};

enum runner_state { RUNNER_CLOSED, RUNNER_OK, RUNNER_FAILING, RUNNER_STOPPED };

static const char *const runner_state_names[] = {
    [RUNNER_CLOSED] = "closed",
    [RUNNER_OK] = "ok",
    [RUNNER_FAILING] = "failing",
    [RUNNER_STOPPED] = "stopped",
};

/* One channel's thread and state. lock guards everything below it. */
struct runner {
    struct channels *channels;
    struct channel *channel;
    pthread_t thread;
    bool has_thread;
    int64_t first_wait_ms;
    pthread_mutex_t lock;
    enum runner_state state;
    bool open;
    int failures;
    int64_t last_success_ms, last_message_ms, next_try_ms,
        lag; /* wall clock; 0 never, lag -1 unknown */
    char why[sizeof(((struct err *)0)->text)];
};

struct channels {
    struct gateway *gateway;
    struct runner *runners; /* in the order of gateway->channels */
    pthread_t health_thread;
    bool has_health_thread;
    struct bell bell;
};

static struct runner *channels_runner(struct gateway *gateway, const struct channel *channel)
{
    for (size_t i = 0; i < gateway->channel_count; i++)
        if (&gateway->channels[i] == channel)
            return &gateway->runners->runners[i];
    return NULL;
}

static void runner_succeeded(struct runner *runner)
{
    pthread_mutex_lock(&runner->lock);
    bool recovered = runner->failures > 0;
    runner->state = RUNNER_OK;
    runner->open = true;
    runner->failures = 0;
    runner->next_try_ms = 0;
    runner->why[0] = '\0';
    runner->last_success_ms = clock_wall_ms();
    pthread_mutex_unlock(&runner->lock);
    if (recovered)
        log_event(LOG_CHANNEL_RECOVERED, runner->channel->id, -1, NULL);
}

/* Records a failure. Returns how long to wait, or -1 when only a new configuration can help. */
static int64_t runner_failed(struct runner *runner, const struct err *err)
{
    metrics_add(METRIC_POLL_FAILURES, runner->channel->id, 1);
    pthread_mutex_lock(&runner->lock);
    runner->failures++;
    bool stop = err->kind == ERR_CONFIG;
    int64_t wait_ms = backoff_ms(runner->failures, err->retry_after_s, randombytes_random());
    if (wait_ms > CHANNELS_BACKOFF_MAX_MS && err->retry_after_s == 0)
        wait_ms = CHANNELS_BACKOFF_MAX_MS;
    runner->state = stop ? RUNNER_STOPPED : RUNNER_FAILING;
    runner->next_try_ms = stop ? 0 : clock_wall_ms() + wait_ms;
    memcpy(runner->why, err->text, sizeof runner->why);
    pthread_mutex_unlock(&runner->lock);
    log_event(stop ? LOG_CHANNEL_STOPPED : LOG_CHANNEL_FAILED, runner->channel->id, -1, err);
    return stop ? -1 : wait_ms;
}

static int runner_open(struct runner *runner, struct err *err)
{
    struct channel *channel = runner->channel;
    if (channel->adapter->open != NULL && channel->adapter->open(channel, err) != 0) {
        if (channel->adapter->close != NULL)
            channel->adapter->close(channel);
        channel->state = NULL;
        return -1;
    }
    pthread_mutex_lock(&runner->lock);
    runner->open = true;
    runner->state = RUNNER_OK;
    pthread_mutex_unlock(&runner->lock);
    log_event(LOG_CHANNEL_OPENED, channel->id, -1, NULL);
    return 0;
}

static int runner_poll(struct runner *runner, struct err *err)
{
    struct channel *channel = runner->channel;
    if (channel->adapter->poll(channel, clock_ms() + CHANNELS_POLL_MS, err) != 0) {
        struct err ignored = ERR_INIT; /* what was submitted before the failure is settled first */
        intake_flush(channel->intake, &ignored);
        return -1;
    }
    metrics_add(METRIC_POLLS, channel->id, 1);
    return 0;
}

static void *runner_thread(void *context)
{
    struct runner *runner = context;
    bool polls = runner->channel->adapter->poll != NULL;
    bool open = false;
    int64_t wait_ms = runner->first_wait_ms;
    while (wait_ms >= 0 && bell_sleep(&runner->channels->bell, wait_ms, NULL)) {
        struct err err = ERR_INIT;
        int result = open ? 0 : runner_open(runner, &err);
        open = result == 0;
        if (result == 0 && polls)
            result = runner_poll(runner, &err);
        if (result != 0 && bell_stopped(&runner->channels->bell))
            break; /* we cut it off ourselves */
        if (result != 0) {
            wait_ms = runner_failed(runner, &err);
            continue;
        }
        runner_succeeded(runner);
        if (!polls)
            break;
        wait_ms = CHANNELS_PAUSE_MS;
    }
    return NULL;
}

static void runner_health(struct runner *runner, struct buf *out)
{
    const char *id = runner->channel->id;
    pthread_mutex_lock(&runner->lock);
    json_t *health =
        json_pack("{s:s, s:I, s:I, s:I, s:I, s:s}", "state", runner_state_names[runner->state],
                  "last_success_ms", (json_int_t)runner->last_success_ms, "last_message_ms",
                  (json_int_t)runner->last_message_ms, "lag", (json_int_t)runner->lag,
                  "next_try_ms", (json_int_t)runner->next_try_ms, "why", runner->why);
    pthread_mutex_unlock(&runner->lock);
    static const struct {
        const char *name;
        enum metric metric;
    } counts[] = {
        {"offered", METRIC_OFFERED},
        {"accepted", METRIC_ACCEPTED},
        {"followups", METRIC_FOLLOWUPS},
        {"not_reports", METRIC_NOT_REPORTS},
        {"known", METRIC_KNOWN},
        {"quarantined", METRIC_QUARANTINED},
        {"refused", METRIC_REFUSED},
        {"failed", METRIC_FAILED},
        {"notices_sent", METRIC_NOTICES_SENT},
    };
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++)
        json_object_set_new(health, counts[i].name,
                            json_integer(metrics_get(counts[i].metric, id)));
    char *text = json_dumps(health, JSON_COMPACT);
    buf_add_text(out, text);
    free(text);
    json_decref(health);
}

/* Writes what changed, all channels in one transaction. */
static void channels_write_health(struct channels *channels, char **written)
{
    struct gateway *gateway = channels->gateway;
    struct queue_op *op_list = mem_calloc(gateway->channel_count, sizeof *op_list);
    struct queue_op **ops = mem_calloc(gateway->channel_count, sizeof *ops);
    size_t n = 0;
    for (size_t i = 0; i < gateway->channel_count && n < COMMIT_OPS_MAX; i++) {
        struct buf text = BUF_INIT(QUEUE_TEXT_MAX);
        runner_health(&channels->runners[i], &text);
        if (written[i] != NULL && strcmp(written[i], text.data) == 0) {
            buf_release(&text);
            continue;
        }
        free(written[i]);
        written[i] = buf_detach(&text, NULL);
        op_list[n] = (struct queue_op){
            .kind = QUEUE_HEALTH, .channel_id = gateway->channels[i].id, .text = written[i]};
        ops[n] = &op_list[n];
        n++;
    }
    struct err ignored = ERR_INIT; /* written again in five seconds */
    if (n > 0)
        commit_wait(gateway->committer, ops, n, &ignored);
    free(ops);
    free(op_list);
}

static void *channels_health_thread(void *context)
{
    struct channels *channels = context;
    size_t count = channels->gateway->channel_count;
    char **written = mem_calloc(count, sizeof *written);
    do
        channels_write_health(channels, written);
    while (bell_sleep(&channels->bell, CHANNELS_HEALTH_MS, NULL));
    channels_write_health(channels, written);
    for (size_t i = 0; i < count; i++)
        free(written[i]);
    free(written);
    return NULL;
}

static int runner_start(struct channels *channels, size_t i, struct err *err)
{
    struct runner *runner = &channels->runners[i];
    /* A channel that only takes requests is open before the first one comes, and needs no thread.
     */
    if (runner->channel->adapter->poll == NULL) {
        struct err cause = ERR_INIT;
        if (runner_open(runner, &cause) == 0) {
            runner_succeeded(runner);
            return 0;
        }
        runner->first_wait_ms = runner_failed(runner, &cause);
    }
    if (process_thread(&runner->thread, runner_thread, runner, err) != 0)
        return -1;
    runner->has_thread = true;
    return 0;
}

/* What was known of a channel before the last stop. */
static void runner_remember(struct runner *runner, struct gateway *gateway)
{
    struct buf text = BUF_INIT(QUEUE_TEXT_MAX);
    struct err ignored = ERR_INIT; /* then it begins anew */
    if (queue_health_get(gateway->queue, runner->channel->id, &text, &ignored) == 1) {
        json_t *health = json_loadb(text.data, text.len, 0, NULL);
        runner->last_success_ms = json_integer_value(json_object_get(health, "last_success_ms"));
        runner->last_message_ms = json_integer_value(json_object_get(health, "last_message_ms"));
        json_decref(health);
    }
    buf_release(&text);
}

struct channels *channels_new(struct gateway *gateway)
{
    struct channels *channels = mem_calloc(1, sizeof *channels);
    channels->gateway = gateway;
    bell_init(&channels->bell);
    channels->runners = mem_calloc(gateway->channel_count, sizeof *channels->runners);
    for (size_t i = 0; i < gateway->channel_count; i++) {
        struct runner *runner = &channels->runners[i];
        runner->channels = channels;
        runner->channel = &gateway->channels[i];
        runner->lag = -1;
        pthread_mutex_init(&runner->lock, NULL);
        runner->channel->intake = intake_new(gateway, runner->channel);
        runner_remember(runner, gateway);
    }
    return channels;
}

int channels_start(struct channels *channels, struct err *err)
{
    for (size_t i = 0; i < channels->gateway->channel_count; i++)
        if (runner_start(channels, i, err) != 0)
            return -1;
    if (process_thread(&channels->health_thread, channels_health_thread, channels, err) != 0)
        return -1;
    channels->has_health_thread = true;
    return 0;
}

void channels_halt(struct channels *channels)
{
    if (channels != NULL)
        bell_stop(&channels->bell);
}

bool channels_wait(struct channels *channels, int64_t deadline_ms)
{
    bool ended = true;
    if (channels == NULL)
        return true;
    channels_halt(channels);
    for (size_t i = 0; i < channels->gateway->channel_count; i++)
        if (channels->runners[i].has_thread)
            ended = process_join(channels->runners[i].thread, deadline_ms) && ended;
    if (channels->has_health_thread)
        ended = process_join(channels->health_thread, deadline_ms) && ended;
    return ended;
}

void channels_free(struct channels *channels)
{
    if (channels == NULL)
        return;
    struct gateway *gateway = channels->gateway;
    for (size_t i = 0; i < gateway->channel_count; i++) {
        struct runner *runner = &channels->runners[i];
        if (runner->open && runner->channel->adapter->close != NULL)
            runner->channel->adapter->close(runner->channel);
        intake_free(runner->channel->intake);
        pthread_mutex_destroy(&runner->lock);
    }
    bell_release(&channels->bell);
    free(channels->runners);
    free(channels);
}

bool channels_open(struct gateway *gateway, const struct channel *channel)
{
    struct runner *runner = channels_runner(gateway, channel);
    bool open = false;
    if (runner != NULL) {
        pthread_mutex_lock(&runner->lock);
        open = runner->open;
        pthread_mutex_unlock(&runner->lock);
    }
    return open;
}

int channels_reply(struct gateway *gateway, struct channel *channel, const struct notice *notice,
                   struct err *err)
{
    if (!channels_open(gateway, channel))
        return err_set(err, ERR_TRANSIENT, "the channel is not open");
    return channel->adapter->reply(channel, notice, err);
}

void channels_message(struct gateway *gateway, const struct channel *channel)
{
    struct runner *runner = channels_runner(gateway, channel);
    if (runner == NULL)
        return;
    pthread_mutex_lock(&runner->lock);
    runner->last_message_ms = clock_wall_ms();
    pthread_mutex_unlock(&runner->lock);
}

size_t channels_failing(struct gateway *gateway)
{
    size_t failing = 0;
    for (size_t i = 0; i < gateway->channel_count; i++) {
        struct runner *runner = &gateway->runners->runners[i];
        pthread_mutex_lock(&runner->lock);
        failing += runner->state == RUNNER_FAILING || runner->state == RUNNER_STOPPED;
        pthread_mutex_unlock(&runner->lock);
    }
    return failing;
}

/* --- The services of adapter.h --- */

int channel_cursor_get(struct channel *ch, const char *name, struct buf *out, struct err *err)
{
    return queue_cursor_get(ch->gateway->queue, ch->id, name, out, err);
}

int channel_cursor_set(struct channel *ch, const char *name, const char *value, struct err *err)
{
    struct queue_op op = {.kind = QUEUE_CURSOR, .channel_id = ch->id, .name = name, .text = value};
    struct queue_op *ops[] = {&op};
    return commit_wait(ch->gateway->committer, ops, 1, err);
}

bool channel_stopping(const struct channel *ch)
{
    return bell_stopped(&ch->gateway->runners->bell);
}

int64_t channel_now_ms(const struct channel *ch)
{
    (void)ch;
    return clock_ms();
}

int64_t channel_wall_ms(const struct channel *ch)
{
    (void)ch;
    return clock_wall_ms();
}

void channel_lag(struct channel *ch, int64_t messages)
{
    struct runner *runner = channels_runner(ch->gateway, ch);
    if (runner == NULL)
        return;
    pthread_mutex_lock(&runner->lock);
    runner->lag = messages;
    pthread_mutex_unlock(&runner->lock);
}

void channel_reply_token(const struct channel *ch, const char *report_id,
                         char token[static REPLY_TOKEN_LEN + 1])
{
    seal_token_make(ch->gateway->seal, report_id, token);
}
