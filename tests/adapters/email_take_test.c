/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Taking a mailbox in: in what order messages are acknowledged, and what a bad message, connection
 * or server may cost.
 */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "adapters/email_take.h"
#include "email_fixture.h"

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

/* What is in flight then names nothing any more: neither flags nor the cursor may follow it. */
static void a_new_uidvalidity_in_flight(void **state)
{
    struct fixture *f = *state;

    set(f, "batch", "2");
    add_mails(f, 1, 4);
    f->imap.mails[2].fault = FAULT_BYE;
    f->imap.mails[2].times = 1;
    f->imap.next_uidvalidity = 8;
    poll_well(f);
    STORY("fetch 1:2", "submit mail-2", "fetch 3:4", "connect", "search 1:*", "fetch 1:2", "flush",
          "submit mail-2", "cursor 8:2", "cursor 8:4");
    assert_int_equal(story_count("cursor 7"), 0);
    assert_int_equal(story_count("store 1:2"), 1);
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(takes_flushes_then_acknowledges),
        CASE(acknowledges_nothing_when_flush_fails),
        CASE(a_refused_submit_acknowledges_nothing),
        CASE(a_lost_cursor_is_an_error),
        CASE(fetches_ahead_but_acknowledges_behind),
        CASE(a_new_uidvalidity_reads_from_the_start),
        CASE(a_new_uidvalidity_in_flight),
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
    };
    int failed;

    signal(SIGPIPE, SIG_IGN);
    failed = cmocka_run_group_tests(tests, NULL, NULL);
    buf_release(&story);
    return failed;
}
