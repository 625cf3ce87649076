/* SPDX-License-Identifier: Apache-2.0 */
/* One email channel against one scripted IMAP server, and doubles of what the gateway offers. */
#ifndef KANAL_TESTS_ADAPTERS_EMAIL_FIXTURE_H
#define KANAL_TESTS_ADAPTERS_EMAIL_FIXTURE_H

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "adapters/email.h"
#include "adapters/email_settings.h"
#include "fake_imap.h"
#include "normalize/mail.h"

/* --- doubles of what the gateway offers; calls go into the story --- */

enum { CURSORS_MAX = 4, POLL_MS = 20 * 1000 };

static struct {
    struct {
        char name[64];
        char value[512];
    } cursors[CURSORS_MAX];
    bool flush_fails, cursor_fails, submit_fails;
    atomic_bool stopping;
    int64_t clock_factor; /* how much faster than the real clock ours runs */
    int64_t lag;
} gateway;

static inline int64_t clock_now_ms(clockid_t clock)
{
    struct timespec now;

    clock_gettime(clock, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

int64_t channel_now_ms(const struct channel *ch)
{
    (void)ch;
    return clock_now_ms(CLOCK_MONOTONIC) * gateway.clock_factor;
}

int64_t channel_wall_ms(const struct channel *ch)
{
    (void)ch;
    return clock_now_ms(CLOCK_REALTIME);
}

bool channel_stopping(const struct channel *ch)
{
    (void)ch;
    return atomic_load(&gateway.stopping);
}

void channel_lag(struct channel *ch, int64_t messages)
{
    (void)ch;
    gateway.lag = messages;
}

void channel_reply_token(const struct channel *ch, const char *report_id,
                         char token[static REPLY_TOKEN_LEN + 1])
{
    (void)ch;
    (void)report_id;
    memset(token, 'a', REPLY_TOKEN_LEN);
    token[REPLY_TOKEN_LEN] = '\0';
}

int channel_cursor_get(struct channel *ch, const char *name, struct buf *out, struct err *err)
{
    (void)ch;
    (void)err;
    for (size_t i = 0; i < CURSORS_MAX; i++) {
        if (strcmp(gateway.cursors[i].name, name) == 0) {
            buf_add_text(out, gateway.cursors[i].value);
            return 1;
        }
    }
    return 0;
}

int channel_cursor_set(struct channel *ch, const char *name, const char *value, struct err *err)
{
    size_t i = 0;

    (void)ch;
    tell("cursor %s", value);
    if (gateway.cursor_fails)
        return err_set(err, ERR_TRANSIENT, "no cursor today");
    while (gateway.cursors[i].name[0] != '\0' && strcmp(gateway.cursors[i].name, name) != 0)
        i++;
    snprintf(gateway.cursors[i].name, sizeof gateway.cursors[i].name, "%s", name);
    snprintf(gateway.cursors[i].value, sizeof gateway.cursors[i].value, "%s", value);
    return 0;
}

int intake_submit(struct intake *intake, struct inbound *msg, struct err *err)
{
    (void)intake;
    assert_string_equal(msg->channel_id, "email-test");
    assert_string_equal(inbound_fact(msg, "own_address"), "aduan@kota.example");
    assert_string_equal(inbound_fact(msg, "own_domain"), "kota.example");
    /* 21-Nov-2025 10:00:00 +0700 */
    assert_int_equal(msg->received_ms, INT64_C(1763694000000));
    tell("submit %.*s", (int)(msg->raw_len < 40 ? msg->raw_len : 40), msg->raw);
    inbound_release(msg);
    return gateway.submit_fails ? err_set(err, ERR_TRANSIENT, "full") : 0;
}

int intake_quarantine(struct intake *intake, struct inbound *msg, const char *reason,
                      struct err *err)
{
    (void)intake;
    (void)err;
    tell("quarantine %s %zu %.*s", reason, msg->raw_len,
         (int)(msg->raw_len < 80 ? strcspn(msg->raw, "\r\n") : 20), msg->raw);
    inbound_release(msg);
    return 0;
}

int intake_flush(struct intake *intake, struct err *err)
{
    (void)intake;
    tell("flush");
    return gateway.flush_fails ? err_set(err, ERR_TRANSIENT, "not durable") : 0;
}

/* The parser is another folder's and runs elsewhere. */
void mail_start(void)
{
}

int mail_parse(const struct inbound *in, draft_sink *sink, void *context, struct err *err)
{
    (void)in;
    (void)sink;
    (void)context;
    (void)err;
    return 0;
}

/* --- one channel against one server --- */

struct fixture {
    struct fake_imap imap;
    struct email_settings settings;
    struct channel ch;
    struct err err;
};

static inline void set(struct fixture *f, const char *name, const char *value)
{
    const struct option_spec *spec = option_find(email_options, name);

    assert_non_null(spec);
    if (option_set(spec, &f->settings, value, ".", &f->err) != 0)
        fail_msg("%s: %s", name, f->err.text);
}

static inline int setup(void **state)
{
    struct fixture *f = mem_calloc(1, sizeof *f);
    char port[8];

    memset(&gateway, 0, sizeof gateway);
    gateway.clock_factor = 1;
    gateway.lag = -1;
    story_clear();
    fake_imap_start(&f->imap);
    snprintf(port, sizeof port, "%d", f->imap.listener.port);
    setenv("EMAIL_TEST_PASSWORD", "rahasia", 1);
    assert_int_equal(option_defaults(email_options, &f->settings, &f->err), 0);
    set(f, "imap_host", "127.0.0.1");
    set(f, "imap_port", port);
    set(f, "imap_tls", "none");
    set(f, "password", "env:EMAIL_TEST_PASSWORD");
    set(f, "address", "aduan@kota.example");
    set(f, "smtp_host", "127.0.0.1");
    f->ch =
        (struct channel){.adapter = &adapter_email, .id = "email-test", .settings = &f->settings};
    *state = f;
    return 0;
}

static inline int teardown(void **state)
{
    struct fixture *f = *state;

    adapter_email.close(&f->ch);
    fake_imap_stop(&f->imap);
    option_release(email_options, &f->settings);
    free(f);
    return 0;
}

/* A poll that has something to do returns at once; one without waits for its deadline. */
static inline int poll_once(struct fixture *f)
{
    err_clear(&f->err);
    if (f->ch.state == NULL && adapter_email.open(&f->ch, &f->err) != 0)
        return -1;
    return adapter_email.poll(&f->ch, channel_now_ms(&f->ch) + POLL_MS, &f->err);
}

static inline void poll_well(struct fixture *f)
{
    if (poll_once(f) != 0)
        fail_msg("poll: %s\n%s", f->err.text, story.data);
}

static inline void add_mails(struct fixture *f, uint32_t first, size_t n)
{
    static const char *const bodies[] = {"mail-0", "mail-1", "mail-2", "mail-3", "mail-4",
                                         "mail-5", "mail-6", "mail-7", "mail-8", "mail-9"};

    for (uint32_t i = 0; i < n; i++)
        fake_imap_add(&f->imap, first + i, bodies[(first + i) % 10]);
}

/* Stops the gateway once the channel waits for a message or for news. */
static inline void *stop_soon(void *context)
{
    (void)context;
    while (story_count("fetch 1") + story_count("idle") == 0)
        poll(NULL, 0, 10);
    atomic_store(&gateway.stopping, true);
    return NULL;
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

#endif
