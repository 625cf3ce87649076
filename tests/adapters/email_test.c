/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The email channel's way in, against a scripted IMAP server: what is taken, in what order it is
 * acknowledged, and what a bad message, connection or server may cost.
 */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "adapters/email.h"
#include "adapters/email_settings.h"
#include "adapters/email_take.h"
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

static int64_t clock_now_ms(clockid_t clock)
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

static void set(struct fixture *f, const char *name, const char *value)
{
    const struct option_spec *spec = option_find(email_options, name);

    assert_non_null(spec);
    if (option_set(spec, &f->settings, value, ".", &f->err) != 0)
        fail_msg("%s: %s", name, f->err.text);
}

static int setup(void **state)
{
    struct fixture *f = mem_calloc(1, sizeof(*f));
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

static int teardown(void **state)
{
    struct fixture *f = *state;

    adapter_email.close(&f->ch);
    fake_imap_stop(&f->imap);
    option_release(email_options, &f->settings);
    free(f);
    return 0;
}

/* A poll that has something to do returns at once; one without waits for its deadline. */
static int poll_once(struct fixture *f)
{
    err_clear(&f->err);
    if (f->ch.state == NULL && adapter_email.open(&f->ch, &f->err) != 0)
        return -1;
    return adapter_email.poll(&f->ch, channel_now_ms(&f->ch) + POLL_MS, &f->err);
}

static void poll_well(struct fixture *f)
{
    if (poll_once(f) != 0)
        fail_msg("poll: %s\n%s", f->err.text, story.data);
}

static void add_mails(struct fixture *f, uint32_t first, size_t n)
{
    static const char *const bodies[] = {"mail-0", "mail-1", "mail-2", "mail-3", "mail-4",
                                         "mail-5", "mail-6", "mail-7", "mail-8", "mail-9"};

    for (uint32_t i = 0; i < n; i++)
        fake_imap_add(&f->imap, first + i, bodies[(first + i) % 10]);
}

/* --- order --- */

static void takes_flushes_then_acknowledges(void **state)
{
    struct fixture *f = *state;

    add_mails(f, 1, 3);
    poll_well(f);
    STORY("connect", "login", "select", "search 1:*", "sizes 1:3", "fetch 1:3", "submit mail-1",
          "submit mail-2", "submit mail-3", "flush", "store 1:3 +FLAGS.SILENT (\\Seen)",
          "cursor 7:3");
    assert_int_equal(story_count("submit"), 3);
    assert_int_equal(gateway.lag, 0);
    /* The session stays open; "n:*" names the newest again, which is not taken again. */
    add_mails(f, 4, 1);
    story_clear();
    poll_well(f);
    STORY("search 4:*", "fetch 4", "submit mail-4", "flush", "store 4 ", "cursor 7:4");
    assert_int_equal(story_count("connect"), 0);
    assert_int_equal(story_count("submit"), 1);
}

static void acknowledges_nothing_when_flush_fails(void **state)
{
    struct fixture *f = *state;

    add_mails(f, 1, 3);
    gateway.flush_fails = true;
    assert_int_equal(poll_once(f), -1);
    assert_int_equal(f->err.kind, ERR_TRANSIENT);
    assert_int_equal(story_count("store"), 0);
    assert_int_equal(story_count("cursor"), 0);
    gateway.flush_fails = false;
    story_clear();
    poll_well(f);
    STORY("fetch 1:3", "submit mail-1", "submit mail-3", "flush", "store 1:3", "cursor 7:3");
}

static void a_refused_submit_acknowledges_nothing(void **state)
{
    struct fixture *f = *state;

    add_mails(f, 1, 3);
    gateway.submit_fails = true;
    assert_int_equal(poll_once(f), -1);
    /* The batch is emptied all the same. */
    STORY("submit mail-1", "flush");
    assert_int_equal(story_count("submit"), 1);
    assert_int_equal(story_count("store"), 0);
    assert_int_equal(story_count("cursor"), 0);
}

static void a_lost_cursor_is_an_error(void **state)
{
    struct fixture *f = *state;

    add_mails(f, 1, 1);
    gateway.cursor_fails = true;
    assert_int_equal(poll_once(f), -1);
    gateway.cursor_fails = false;
    story_clear();
    poll_well(f);
    STORY("fetch 1", "submit mail-1", "flush", "cursor 7:1");
}

static void fetches_ahead_but_acknowledges_behind(void **state)
{
    struct fixture *f = *state;

    set(f, "batch", "2");
    add_mails(f, 1, 5);
    poll_well(f);
    STORY("fetch 1:2", "submit mail-1", "submit mail-2", "fetch 3:4", "flush", "submit mail-3",
          "submit mail-4", "store 1:2", "cursor 7:2", "fetch 5", "flush", "submit mail-5",
          "store 3:4", "cursor 7:4", "flush", "store 5", "cursor 7:5");
}

static void a_new_uidvalidity_reads_from_the_start(void **state)
{
    struct fixture *f = *state;

    add_mails(f, 5, 2);
    poll_well(f);
    STORY("cursor 7:6");
    adapter_email.close(&f->ch);
    f->imap.uidvalidity = 8;
    story_clear();
    poll_well(f);
    STORY("search 1:*", "fetch 5:6", "submit mail-5", "flush", "cursor 8:6");
}

static void goes_on_at_the_cursor_after_a_restart(void **state)
{
    struct fixture *f = *state;

    add_mails(f, 1, 2);
    poll_well(f);
    adapter_email.close(&f->ch);
    add_mails(f, 3, 1);
    story_clear();
    poll_well(f);
    STORY("search 3:*", "submit mail-3", "cursor 7:3");
    assert_int_equal(story_count("submit"), 1);
}

/* --- messages that cannot be had --- */

static void too_large_goes_to_quarantine(void **state)
{
    struct fixture *f = *state;
    char *large = mem_calloc(100001, 1);

    memset(large, 'x', 100000);
    set(f, "max_size", "65536");
    add_mails(f, 1, 1);
    fake_imap_add(&f->imap, 2, large);
    add_mails(f, 3, 1);
    poll_well(f);
    STORY("submit mail-1", "partial 2", "quarantine too_large 65536 xxxx", "submit mail-3",
          "cursor 7:3");
    assert_int_equal(story_count("store 2 "), 1);
    free(large);
}

static void larger_than_claimed_is_cut(void **state)
{
    struct fixture *f = *state;
    char *large = mem_calloc(100001, 1);

    memset(large, 'x', 100000);
    set(f, "max_size", "65536");
    fake_imap_add(&f->imap, 1, large)->claimed_size = 10;
    poll_well(f);
    STORY("fetch 1", "quarantine too_large 65536 xxxx", "cursor 7:1");
    free(large);
}

/* Whatever is wrong with the second of three, its neighbours come in and it is in quarantine. */
static void check_poison(struct fixture *f, enum fake_fault fault)
{
    add_mails(f, 1, 3);
    f->imap.mails[1].fault = fault;
    poll_well(f);
    STORY("submit mail-1", "quarantine unfetchable",
          "X-Kanal-Unfetched: mailbox=INBOX uidvalidity=7 uid=2|", "submit mail-3");
    STORY("quarantine", "flush", "cursor 7:2", "cursor 7:3");
    assert_int_equal(story_count("submit mail-1"), 1);
    assert_int_equal(story_count("quarantine"), 1);
    assert_int_equal(story_count("submit mail-3"), 1);
}

static void a_short_literal_is_isolated(void **state)
{
    check_poison(*state, FAULT_LITERAL_SHORT);
}

static void a_huge_literal_is_isolated(void **state)
{
    check_poison(*state, FAULT_LITERAL_HUGE);
}

static void garbage_is_isolated(void **state)
{
    check_poison(*state, FAULT_GARBAGE);
}

static void a_refused_message_is_isolated(void **state)
{
    check_poison(*state, FAULT_REFUSED);
    assert_int_equal(story_count("connect"), 1);
}

static void an_empty_body_is_no_message(void **state)
{
    check_poison(*state, FAULT_EMPTY);
}

static void a_message_that_never_comes_is_isolated(void **state)
{
    check_poison(*state, FAULT_MISSING);
}

static void a_beginning_is_better_than_nothing(void **state)
{
    struct fixture *f = *state;

    add_mails(f, 1, 1);
    f->imap.mails[0].fault = FAULT_REFUSED;
    f->imap.mails[0].times = 2;
    poll_well(f);
    STORY("fetch 1", "fetch 1", "partial 1", "quarantine unfetchable 6 mail-1", "cursor 7:1");
}

static void a_passing_fault_costs_nothing(void **state)
{
    struct fixture *f = *state;

    add_mails(f, 1, 3);
    f->imap.mails[1].fault = FAULT_GARBAGE;
    f->imap.mails[1].times = 1;
    poll_well(f);
    STORY("submit mail-1", "submit mail-2", "submit mail-3", "cursor 7:3");
    assert_int_equal(story_count("quarantine"), 0);
}

static void an_expunged_message_is_gone(void **state)
{
    struct fixture *f = *state;

    add_mails(f, 1, 3);
    f->imap.mails[1].fault = FAULT_EXPUNGED;
    poll_well(f);
    STORY("submit mail-1", "submit mail-3", "flush", "cursor 7:3");
    assert_int_equal(story_count("quarantine"), 0);
    assert_int_equal(story_count("connect"), 1);
}

/* A server that garbles everything must not empty into quarantine at once. */
static void a_broken_server_is_not_many_broken_messages(void **state)
{
    struct fixture *f = *state;

    add_mails(f, 1, 9);
    for (size_t i = 0; i < 9; i++)
        f->imap.mails[i].fault = FAULT_REFUSED;
    assert_int_equal(poll_once(f), -1);
    assert_int_equal(f->err.kind, ERR_TRANSIENT);
    assert_true(story_count("quarantine") <= EMAIL_GIVE_UPS_MAX);
}

/* --- connections that end --- */

static void a_bye_in_the_middle_is_made_good(void **state)
{
    struct fixture *f = *state;

    set(f, "batch", "3");
    add_mails(f, 1, 6);
    f->imap.mails[4].fault = FAULT_BYE;
    f->imap.mails[4].times = 1;
    poll_well(f);
    STORY("submit mail-1", "fetch 4:6", "connect", "submit mail-5", "submit mail-6", "cursor 7:6");
    assert_int_equal(story_count("submit mail-1"), 1);
    assert_int_equal(story_count("submit mail-5"), 1);
    assert_int_equal(story_count("quarantine"), 0);
}

static void a_connection_lost_in_a_literal_is_made_good(void **state)
{
    struct fixture *f = *state;

    add_mails(f, 1, 3);
    f->imap.mails[1].fault = FAULT_CLOSED;
    f->imap.mails[1].times = 1;
    poll_well(f);
    STORY("connect", "connect", "submit mail-2", "cursor 7:3");
    assert_int_equal(story_count("quarantine"), 0);
}

/* Lost again and again: the gateway's back-off decides; in the end the message is isolated. */
static void a_message_that_kills_connections_is_isolated(void **state)
{
    struct fixture *f = *state;
    int failures = 0;

    add_mails(f, 1, 3);
    f->imap.mails[1].fault = FAULT_CLOSED;
    for (int i = 0; i < 20 && story_count("cursor 7:3") == 0; i++)
        failures += poll_once(f) != 0;
    assert_in_range(failures, 1, 8);
    STORY("submit mail-1", "quarantine unfetchable", "submit mail-3", "cursor 7:3");
    assert_int_equal(story_count("quarantine"), 1);
}

static void silence_ends_by_itself(void **state)
{
    struct fixture *f = *state;

    gateway.clock_factor = 40;
    add_mails(f, 1, 1);
    f->imap.mails[0].fault = FAULT_SILENT;
    f->imap.mails[0].times = 1;
    err_clear(&f->err);
    assert_int_equal(adapter_email.open(&f->ch, &f->err), 0);
    assert_int_equal(
        adapter_email.poll(&f->ch, channel_now_ms(&f->ch) + 20 * EMAIL_STREAM_SILENCE_MS, &f->err),
        0);
    STORY("fetch 1", "connect", "fetch 1", "submit mail-1", "cursor 7:1");
}

static void the_deadline_ends_silence(void **state)
{
    struct fixture *f = *state;
    int64_t begun_ms;

    gateway.clock_factor = 10;
    add_mails(f, 1, 1);
    f->imap.mails[0].fault = FAULT_SILENT;
    begun_ms = channel_now_ms(&f->ch);
    assert_int_equal(poll_once(f), -1);
    assert_int_equal(f->err.kind, ERR_TRANSIENT);
    assert_true(channel_now_ms(&f->ch) - begun_ms < 2 * POLL_MS);
}

static void *stop_soon(void *context)
{
    (void)context;
    while (story_count("fetch 1") + story_count("idle") == 0)
        poll(NULL, 0, 10);
    atomic_store(&gateway.stopping, true);
    return NULL;
}

static void a_stop_ends_silence(void **state)
{
    struct fixture *f = *state;
    pthread_t thread;
    int64_t begun_ms = channel_now_ms(&f->ch);

    add_mails(f, 1, 1);
    f->imap.mails[0].fault = FAULT_SILENT;
    pthread_create(&thread, NULL, stop_soon, NULL);
    poll_well(f);
    pthread_join(thread, NULL);
    assert_true(channel_now_ms(&f->ch) - begun_ms < 10 * 1000);
    assert_int_equal(story_count("cursor"), 0);
}

static void nobody_listens(void **state)
{
    struct fixture *f = *state;

    set(f, "imap_port", "1");
    assert_int_equal(poll_once(f), -1);
    assert_int_equal(f->err.kind, ERR_TRANSIENT);
}

/* --- what happens to the message --- */

static void after_keep(void **state)
{
    struct fixture *f = *state;

    set(f, "after", "keep");
    add_mails(f, 1, 2);
    poll_well(f);
    STORY("flush", "cursor 7:2");
    assert_int_equal(story_count("store") + story_count("MOVE") + story_count("EXPUNGE"), 0);
}

static void after_move(void **state)
{
    struct fixture *f = *state;

    set(f, "after", "move");
    f->imap.capabilities = " MOVE UIDPLUS";
    f->imap.no_folder = true;
    add_mails(f, 1, 2);
    poll_well(f);
    STORY("flush", "MOVE 1:2 Diproses", "CREATE Diproses", "MOVE 1:2 Diproses", "cursor 7:2");
}

static void after_move_without_move(void **state)
{
    struct fixture *f = *state;

    set(f, "after", "move");
    f->imap.capabilities = " UIDPLUS";
    add_mails(f, 1, 2);
    poll_well(f);
    STORY("flush", "COPY 1:2 Diproses", "store 1:2 +FLAGS.SILENT (\\Deleted)", "EXPUNGE 1:2",
          "cursor 7:2");
}

static void after_delete(void **state)
{
    struct fixture *f = *state;
    char *large = mem_calloc(100001, 1);

    memset(large, 'x', 100000);
    set(f, "after", "delete");
    set(f, "max_size", "65536");
    f->imap.capabilities = " UIDPLUS";
    add_mails(f, 1, 1);
    fake_imap_add(&f->imap, 2, large);
    poll_well(f);
    STORY("flush", "store 1 +FLAGS.SILENT (\\Deleted)", "EXPUNGE 1", "cursor 7:1");
    /* Not here whole: it stays there. */
    STORY("store 2 +FLAGS.SILENT (\\Seen)", "cursor 7:2");
    assert_int_equal(story_count("EXPUNGE"), 1);
    free(large);
}

static void after_delete_without_uidplus_never_expunges(void **state)
{
    struct fixture *f = *state;

    set(f, "after", "delete");
    add_mails(f, 1, 1);
    poll_well(f);
    STORY("store 1 +FLAGS.SILENT (\\Deleted)", "cursor 7:1");
    assert_int_equal(story_count("EXPUNGE"), 0);
}

static void a_refused_flag_keeps_nothing_out(void **state)
{
    struct fixture *f = *state;

    f->imap.store_answer = "NO read-only";
    add_mails(f, 1, 2);
    assert_int_equal(poll_once(f), -1);
    assert_int_equal(f->err.kind, ERR_TRANSIENT);
    STORY("submit mail-1", "submit mail-2", "flush", "store", "cursor 7:2");
}

/* --- waiting --- */

static void *announce(void *context)
{
    struct fixture *f = context;

    while (story_count("idle") == 0)
        poll(NULL, 0, 10);
    add_mails(f, 1, 1);
    atomic_store(&f->imap.announce, true);
    return NULL;
}

static void idle_hears_of_new_mail(void **state)
{
    struct fixture *f = *state;
    pthread_t thread;
    int64_t begun_ms = channel_now_ms(&f->ch);

    f->imap.capabilities = " IDLE";
    pthread_create(&thread, NULL, announce, f);
    poll_well(f);
    pthread_join(thread, NULL);
    STORY("search", "idle", "DONE", "search", "submit mail-1", "cursor 7:1");
    assert_true(channel_now_ms(&f->ch) - begun_ms < POLL_MS / 2);
}

/* "+" and "EXISTS" in one packet: the announcement is in a buffer no poll(2) sees. */
static void idle_sees_what_is_buffered(void **state)
{
    struct fixture *f = *state;
    pthread_t thread;
    int64_t begun_ms = channel_now_ms(&f->ch);

    f->imap.capabilities = " IDLE";
    f->imap.eager_idle = true;
    pthread_create(&thread, NULL, announce, f);
    poll_well(f);
    pthread_join(thread, NULL);
    STORY("idle", "DONE", "search", "submit mail-1");
    assert_true(channel_now_ms(&f->ch) - begun_ms < POLL_MS / 2);
}

static void a_stop_ends_idle(void **state)
{
    struct fixture *f = *state;
    pthread_t thread;
    int64_t begun_ms = channel_now_ms(&f->ch);

    f->imap.capabilities = " IDLE";
    pthread_create(&thread, NULL, stop_soon, NULL);
    poll_well(f);
    pthread_join(thread, NULL);
    assert_true(channel_now_ms(&f->ch) - begun_ms < POLL_MS / 2);
}

static void without_idle_it_looks_every_interval(void **state)
{
    struct fixture *f = *state;

    gateway.clock_factor = 10;
    set(f, "interval", "4s");
    poll_well(f);
    assert_in_range(story_count("search"), 3, 6);
    assert_int_equal(story_count("connect"), 1);
}

/* --- who may hear the password --- */

static void a_wrong_password_is_for_a_person(void **state)
{
    struct fixture *f = *state;

    f->imap.login_answer = "NO [AUTHENTICATIONFAILED] go away";
    assert_int_equal(poll_once(f), -1);
    assert_int_equal(f->err.kind, ERR_CONFIG);
    assert_null(strstr(f->err.text, "go away"));
}

static void a_busy_login_mends_itself(void **state)
{
    struct fixture *f = *state;

    f->imap.login_answer = "NO [UNAVAILABLE] later";
    assert_int_equal(poll_once(f), -1);
    assert_int_equal(f->err.kind, ERR_TRANSIENT);
}

static void plain_only_to_this_machine(void **state)
{
    struct fixture *f = *state;

    set(f, "imap_host", "192.0.2.1");
    assert_int_equal(poll_once(f), -1);
    assert_int_equal(f->err.kind, ERR_CONFIG);
}

static void use_tls(struct fixture *f, struct peer_tls *tls, const char *mode, const char *name)
{
    peer_tls_init(tls, name);
    f->imap.tls = tls;
    f->imap.listener.tls = strcmp(mode, "tls") == 0 ? tls : NULL;
    set(f, "imap_host", "localhost");
    set(f, "imap_tls", mode);
    set(f, "ca_file", tls->ca_path);
    add_mails(f, 1, 1);
}

static void tls_is_verified_and_used(void **state)
{
    struct fixture *f = *state;
    struct peer_tls tls;

    use_tls(f, &tls, "tls", "localhost");
    f->imap.capabilities = " IDLE";
    poll_well(f);
    STORY("sni localhost", "login protected", "submit mail-1", "cursor 7:1");
    peer_tls_release(&tls);
}

static void starttls_is_verified_and_used(void **state)
{
    struct fixture *f = *state;
    struct peer_tls tls;

    use_tls(f, &tls, "starttls", "localhost");
    poll_well(f);
    STORY("starttls", "sni localhost", "login protected", "submit mail-1");
    peer_tls_release(&tls);
}

static void check_no_login(struct fixture *f, enum err_kind kind)
{
    assert_int_equal(poll_once(f), -1);
    assert_int_equal(f->err.kind, kind);
    assert_int_equal(story_count("login"), 0);
}

static void a_wrong_name_hears_no_password(void **state)
{
    struct fixture *f = *state;
    struct peer_tls tls;

    use_tls(f, &tls, "tls", "other.example");
    check_no_login(f, ERR_TRANSIENT);
    assert_non_null(strstr(f->err.text, "certificate"));
    peer_tls_release(&tls);
}

static void an_unknown_authority_hears_no_password(void **state)
{
    struct fixture *f = *state;
    struct peer_tls tls, other;

    use_tls(f, &tls, "starttls", "localhost");
    peer_tls_init(&other, "localhost");
    set(f, "ca_file", other.ca_path);
    check_no_login(f, ERR_TRANSIENT);
    assert_non_null(strstr(f->err.text, "certificate"));
    peer_tls_release(&tls);
    peer_tls_release(&other);
}

static void starttls_must_be_offered(void **state)
{
    struct fixture *f = *state;

    set(f, "imap_tls", "starttls");
    check_no_login(f, ERR_CONFIG);
}

static void words_before_tls_are_not_believed(void **state)
{
    struct fixture *f = *state;
    struct peer_tls tls;

    use_tls(f, &tls, "starttls", "localhost");
    f->imap.starttls_tail = "* CAPABILITY IMAP4rev1 AUTH=PLAIN";
    check_no_login(f, ERR_TRANSIENT);
    peer_tls_release(&tls);
}

static void preauth_does_not_skip_starttls(void **state)
{
    struct fixture *f = *state;
    struct peer_tls tls;

    use_tls(f, &tls, "starttls", "localhost");
    f->imap.greeting = "* PREAUTH welcome";
    check_no_login(f, ERR_TRANSIENT);
    assert_int_equal(story_count("select"), 0);
    peer_tls_release(&tls);
}

static void a_missing_ca_file_is_for_a_person(void **state)
{
    struct fixture *f = *state;
    struct peer_tls tls;

    use_tls(f, &tls, "tls", "localhost");
    set(f, "ca_file", "/nonexistent.pem");
    check_no_login(f, ERR_CONFIG);
    peer_tls_release(&tls);
}

static void plain_login_where_login_is_disabled(void **state)
{
    struct fixture *f = *state;

    f->imap.capabilities = " LOGINDISABLED AUTH=PLAIN SASL-IR";
    add_mails(f, 1, 1);
    poll_well(f);
    /* NUL aduan@kota.example NUL rahasia */
    STORY("login PLAIN AGFkdWFuQGtvdGEuZXhhbXBsZQByYWhhc2lh", "submit mail-1");
}

/* --- OAuth2 --- */

struct token_server {
    struct peer_listener listener;
    const char *answers[4];
    size_t n;
};

static void serve_token(struct peer *peer, void *context)
{
    struct token_server *server = context;
    char line[4096], body[4096];
    size_t len = 0;

    while (peer_line(peer, line, sizeof line) && line[0] != '\0') {
        if (strncasecmp(line, "Content-Length:", 15) == 0)
            len = strtoul(line + 15, NULL, 10);
    }
    while (peer->len < len) {
        ssize_t got = recv(peer->fd, peer->in + peer->len, sizeof peer->in - peer->len, 0);

        if (got <= 0)
            return;
        peer->len += (size_t)got;
    }
    snprintf(body, sizeof body, "%.*s", (int)len, peer->in);
    tell("refresh %s", body);
    peer_say(peer, "HTTP/1.1 %s", server->answers[server->n]);
    if (server->answers[server->n + 1] != NULL)
        server->n++;
}

#define TOKEN_OK(access, rest)                                                                     \
    "200 OK\r\nConnection: close\r\n\r\n{\"access_token\": \"" access                              \
    "\", \"expires_in\": 3600" rest "}"

static void use_oauth(struct fixture *f, struct token_server *server)
{
    char url[64];

    server->listener.serve = serve_token;
    server->listener.context = server;
    peer_listen(&server->listener);
    snprintf(url, sizeof url, "http://127.0.0.1:%d/token", server->listener.port);
    setenv("EMAIL_TEST_REFRESH", "first/token", 1);
    set(f, "auth", "xoauth2");
    set(f, "token_url", url);
    set(f, "client_id", "kanal");
    set(f, "refresh_token", "env:EMAIL_TEST_REFRESH");
    f->imap.capabilities = " AUTH=XOAUTH2 SASL-IR";
    add_mails(f, 1, 1);
}

static void a_rotated_token_is_kept_before_use(void **state)
{
    struct fixture *f = *state;
    struct token_server server = {
        .answers = {TOKEN_OK("one", ", \"refresh_token\": \"second\""), TOKEN_OK("two", "")}};

    use_oauth(f, &server);
    poll_well(f);
    STORY("refresh grant_type=refresh_token&refresh_token=first%2Ftoken&client_id=kanal", "cursor ",
          ":second|", "login XOAUTH2 dXNlcj1hZHVhbkBrb3RhLmV4YW1wbGUBYXV0aD1CZWFyZXIgb25lAQE=",
          "submit mail-1");
    /* After a restart the kept one counts. */
    adapter_email.close(&f->ch);
    add_mails(f, 2, 1);
    story_clear();
    poll_well(f);
    STORY("refresh grant_type=refresh_token&refresh_token=second", "submit mail-2");
    /* Unless a person put another one into the configuration. */
    adapter_email.close(&f->ch);
    setenv("EMAIL_TEST_REFRESH", "third", 1);
    set(f, "refresh_token", "env:EMAIL_TEST_REFRESH");
    add_mails(f, 3, 1);
    story_clear();
    poll_well(f);
    STORY("refresh grant_type=refresh_token&refresh_token=third", "submit mail-3");
    peer_unlisten(&server.listener);
}

static void an_unkept_token_is_not_used(void **state)
{
    struct fixture *f = *state;
    struct token_server server = {.answers = {TOKEN_OK("one", ", \"refresh_token\": \"second\"")}};

    use_oauth(f, &server);
    gateway.cursor_fails = true;
    assert_int_equal(poll_once(f), -1);
    assert_int_equal(story_count("login"), 0);
    peer_unlisten(&server.listener);
}

static void a_revoked_token_is_for_a_person(void **state)
{
    struct fixture *f = *state;
    struct token_server server = {
        .answers = {"400 Bad\r\nConnection: close\r\n\r\n{\"error\": \"invalid_grant\"}"}};

    use_oauth(f, &server);
    assert_int_equal(poll_once(f), -1);
    assert_int_equal(f->err.kind, ERR_CONFIG);
    assert_non_null(strstr(f->err.text, "invalid_grant"));
    peer_unlisten(&server.listener);
}

static void a_busy_token_server_mends_itself(void **state)
{
    struct fixture *f = *state;
    struct token_server server = {
        .answers = {"503 Busy\r\nRetry-After: 17\r\nConnection: close\r\n\r\n"}};

    use_oauth(f, &server);
    assert_int_equal(poll_once(f), -1);
    assert_int_equal(f->err.kind, ERR_TRANSIENT);
    assert_int_equal(f->err.retry_after_s, 17);
    peer_unlisten(&server.listener);
}

static void a_refused_access_token_is_refreshed_once(void **state)
{
    struct fixture *f = *state;
    struct token_server server = {.answers = {TOKEN_OK("one", ""), TOKEN_OK("two", "")}};

    use_oauth(f, &server);
    f->imap.login_answer = "NO [AUTHENTICATIONFAILED] expired";
    assert_int_equal(poll_once(f), -1);
    assert_int_equal(f->err.kind, ERR_CONFIG);
    assert_int_equal(story_count("refresh grant"), 2);
    peer_unlisten(&server.listener);
}

/* --- configuration --- */

static void settings_are_checked(void **state)
{
    static const struct {
        const char *name, *value, *complaint;
    } bad[] = {
        {"address", "aduan", "address"},
        {"address", "aduan+x@kota.example", "address"},
        {"address", "a b@kota.example", "address"},
        {"envelope_from", "x", "envelope_from"},
        {"auth", "xoauth2", "token_url"},
        {"move_to", "INBOX", NULL},
        {"smtp_host", "mail.example.org", NULL},
        {"smtp_user", "x", NULL},
    };

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct fixture *f = *state;
        void *again = NULL;

        set(f, bad[i].name, bad[i].value);
        err_clear(&f->err);
        if (bad[i].complaint == NULL) {
            assert_int_equal(email_settings_check(&f->settings, &f->err), 0);
        } else {
            assert_int_equal(adapter_email.open(&f->ch, &f->err), -1);
            assert_int_equal(f->err.kind, ERR_CONFIG);
            assert_memory_equal(f->err.text, bad[i].complaint, strlen(bad[i].complaint));
        }
        teardown(state);
        setup(&again);
        *state = again;
    }
}

static void settings_follow_from_each_other(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(email_settings_smtp_tls(&f->settings), EMAIL_PLAIN);
    assert_int_equal(email_settings_smtp_port(&f->settings), 25);
    assert_null(email_settings_smtp_user(&f->settings));
    set(f, "smtp_host", "mail.example.org");
    assert_int_equal(email_settings_smtp_tls(&f->settings), EMAIL_STARTTLS);
    assert_int_equal(email_settings_smtp_port(&f->settings), 587);
    assert_string_equal(email_settings_smtp_user(&f->settings), "aduan@kota.example");
    assert_string_equal(email_settings_smtp_password(&f->settings), "rahasia");
    set(f, "imap_port", "0");
    set(f, "imap_tls", "tls");
    assert_int_equal(email_settings_imap_port(&f->settings), 993);
    set(f, "imap_tls", "starttls");
    assert_int_equal(email_settings_imap_port(&f->settings), 143);
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(takes_flushes_then_acknowledges),
        CASE(acknowledges_nothing_when_flush_fails),
        CASE(a_refused_submit_acknowledges_nothing),
        CASE(a_lost_cursor_is_an_error),
        CASE(fetches_ahead_but_acknowledges_behind),
        CASE(a_new_uidvalidity_reads_from_the_start),
        CASE(goes_on_at_the_cursor_after_a_restart),
        CASE(too_large_goes_to_quarantine),
        CASE(larger_than_claimed_is_cut),
        CASE(a_short_literal_is_isolated),
        CASE(a_huge_literal_is_isolated),
        CASE(garbage_is_isolated),
        CASE(a_refused_message_is_isolated),
        CASE(an_empty_body_is_no_message),
        CASE(a_message_that_never_comes_is_isolated),
        CASE(a_beginning_is_better_than_nothing),
        CASE(a_passing_fault_costs_nothing),
        CASE(an_expunged_message_is_gone),
        CASE(a_broken_server_is_not_many_broken_messages),
        CASE(a_bye_in_the_middle_is_made_good),
        CASE(a_connection_lost_in_a_literal_is_made_good),
        CASE(a_message_that_kills_connections_is_isolated),
        CASE(silence_ends_by_itself),
        CASE(the_deadline_ends_silence),
        CASE(a_stop_ends_silence),
        CASE(nobody_listens),
        CASE(after_keep),
        CASE(after_move),
        CASE(after_move_without_move),
        CASE(after_delete),
        CASE(after_delete_without_uidplus_never_expunges),
        CASE(a_refused_flag_keeps_nothing_out),
        CASE(idle_hears_of_new_mail),
        CASE(idle_sees_what_is_buffered),
        CASE(a_stop_ends_idle),
        CASE(without_idle_it_looks_every_interval),
        CASE(a_wrong_password_is_for_a_person),
        CASE(a_busy_login_mends_itself),
        CASE(plain_only_to_this_machine),
        CASE(tls_is_verified_and_used),
        CASE(starttls_is_verified_and_used),
        CASE(a_wrong_name_hears_no_password),
        CASE(an_unknown_authority_hears_no_password),
        CASE(starttls_must_be_offered),
        CASE(words_before_tls_are_not_believed),
        CASE(preauth_does_not_skip_starttls),
        CASE(a_missing_ca_file_is_for_a_person),
        CASE(plain_login_where_login_is_disabled),
        CASE(a_rotated_token_is_kept_before_use),
        CASE(an_unkept_token_is_not_used),
        CASE(a_revoked_token_is_for_a_person),
        CASE(a_busy_token_server_mends_itself),
        CASE(a_refused_access_token_is_refreshed_once),
        CASE(settings_are_checked),
        CASE(settings_follow_from_each_other),
    };
    int failed;

    signal(SIGPIPE, SIG_IGN);
    failed = cmocka_run_group_tests(tests, NULL, NULL);
    buf_release(&story);
    return failed;
}
