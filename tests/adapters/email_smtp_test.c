/* SPDX-License-Identifier: Apache-2.0 */
/* Answers by SMTP, against a scripted server: what counts as sent, who hears the password. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "adapters/email_settings.h"
#include "adapters/email_smtp.h"
#include "mail_peer.h"

struct fake_smtp {
    struct peer_listener listener;
    struct peer_tls tls;
    const char *greeting, *mail, *rcpt, *data, *end, *auth; /* answers; NULL: the usual */
    bool no_starttls;
    bool silent_close; /* ends the connection instead of answering the message */
};

static const char *answer(const char *told, const char *usual)
{
    return told != NULL ? told : usual;
}

/* The message after DATA, with its last line; false: the connection ended. */
static bool take_message(struct peer *peer)
{
    char line[4096];

    while (peer_line(peer, line, sizeof line)) {
        if (strcmp(line, ".") == 0)
            return true;
        tell("> %s", line);
    }
    return false;
}

static bool smtp_command(struct fake_smtp *smtp, struct peer *peer, const char *line)
{
    if (strncmp(line, "EHLO", 4) == 0) {
        peer_say(peer, "250-ready\r\n250-AUTH PLAIN LOGIN\r\n250 %s",
                 smtp->no_starttls || peer->tls != NULL ? "8BITMIME" : "STARTTLS");
    } else if (strcmp(line, "STARTTLS") == 0) {
        peer_say(peer, "220 go");
        return peer_start_tls(peer, &smtp->tls);
    } else if (strncmp(line, "AUTH", 4) == 0) {
        peer_say(peer, "%s", answer(smtp->auth, "235 2.7.0 in"));
    } else if (strncmp(line, "MAIL", 4) == 0) {
        peer_say(peer, "%s", answer(smtp->mail, "250 2.1.0 fine"));
    } else if (strncmp(line, "RCPT", 4) == 0) {
        peer_say(peer, "%s", answer(smtp->rcpt, "250 2.1.5 fine"));
    } else if (strcmp(line, "DATA") == 0) {
        peer_say(peer, "%s", answer(smtp->data, "354 go"));
        if (smtp->data != NULL)
            return true;
        if (!take_message(peer) || smtp->silent_close)
            return false;
        peer_say(peer, "%s", answer(smtp->end, "250 2.0.0 taken"));
    } else if (strcmp(line, "QUIT") == 0) {
        peer_say(peer, "221 2.0.0 bye");
        return false;
    } else {
        peer_say(peer, "502 what");
    }
    return true;
}

static void serve(struct peer *peer, void *context)
{
    struct fake_smtp *smtp = context;
    char line[4096];

    peer_say(peer, "%s", answer(smtp->greeting, "220 ready"));
    while (peer_line(peer, line, sizeof line)) {
        tell("%s%s", peer->tls != NULL ? "tls " : "", line);
        if (!smtp_command(smtp, peer, line))
            return;
    }
}

struct fixture {
    struct fake_smtp smtp;
    struct email_settings settings;
    struct err err;
};

static void set(struct fixture *f, const char *name, const char *value)
{
    if (option_set(option_find(email_options, name), &f->settings, value, ".", &f->err) != 0)
        fail_msg("%s: %s", name, f->err.text);
}

static int setup(void **state)
{
    struct fixture *f = mem_calloc(1, sizeof *f);
    char port[8];

    story_clear();
    peer_tls_init(&f->smtp.tls, "localhost");
    f->smtp.listener.serve = serve;
    f->smtp.listener.context = &f->smtp;
    peer_listen(&f->smtp.listener);
    snprintf(port, sizeof port, "%d", f->smtp.listener.port);
    setenv("EMAIL_TEST_PASSWORD", "rahasia", 1);
    assert_int_equal(option_defaults(email_options, &f->settings, &f->err), 0);
    set(f, "imap_host", "imap.example.org");
    set(f, "password", "env:EMAIL_TEST_PASSWORD");
    set(f, "address", "aduan@kota.example");
    set(f, "smtp_host", "localhost");
    set(f, "smtp_tls", "starttls");
    set(f, "smtp_port", port);
    set(f, "ca_file", f->smtp.tls.ca_path);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    peer_unlisten(&f->smtp.listener);
    peer_tls_release(&f->smtp.tls);
    option_release(email_options, &f->settings);
    free(f);
    return 0;
}

static const char mail[] = "From: aduan@kota.example\r\n"
                           "To: warga@example.org\r\n"
                           "Subject: Laporan diterima\r\n"
                           "Date: Sat, 21 Nov 2026 03:04:05 +0000\r\n"
                           "Message-ID: <token.key@kota.example>\r\n"
                           "Reply-To: aduan+token@kota.example\r\n"
                           "Auto-Submitted: auto-replied\r\n"
                           "MIME-Version: 1.0\r\n"
                           "Content-Type: text/plain; charset=utf-8\r\n"
                           "\r\n"
                           "Terima kasih.\r\n"
                           ".titik\r\n";

static int send_mail(struct fixture *f)
{
    err_clear(&f->err);
    return email_smtp_send(&f->settings, NULL, "warga@example.org", mail, &f->err);
}

static void check_failure(struct fixture *f, enum err_kind kind)
{
    if (send_mail(f) == 0)
        fail_msg("sent: %s", story.data);
    if (f->err.kind != kind)
        fail_msg("%s, not %s: %s\n%s", err_kind_name(f->err.kind), err_kind_name(kind), f->err.text,
                 story.data);
    assert_null(strstr(f->err.text, "warga"));
}

static void a_mail_is_handed_over_as_it_is(void **state)
{
    struct fixture *f = *state;

    if (send_mail(f) != 0)
        fail_msg("%s\n%s", f->err.text, story.data);
    /* AUTH PLAIN: NUL aduan@kota.example NUL rahasia */
    STORY("EHLO kota.example", "STARTTLS", "sni localhost", "tls EHLO kota.example",
          "tls AUTH PLAIN AGFkdWFuQGtvdGEuZXhhbXBsZQByYWhhc2lh", "tls MAIL FROM:<>",
          "tls RCPT TO:<warga@example.org>", "tls DATA",
          "> From: aduan@kota.example|> To: warga@example.org|> Subject: Laporan diterima|"
          "> Date: Sat, 21 Nov 2026 03:04:05 +0000|> Message-ID: <token.key@kota.example>|"
          "> Reply-To: aduan+token@kota.example|> Auto-Submitted: auto-replied|"
          "> MIME-Version: 1.0|> Content-Type: text/plain; charset=utf-8|> |> Terima kasih.|"
          "> ..titik|",
          "tls QUIT");
}

static void an_envelope_sender_of_choice(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(
        email_smtp_send(&f->settings, "bounce@kota.example", "warga@example.org", mail, &f->err),
        0);
    STORY("MAIL FROM:<bounce@kota.example>");
}

/* What the server answers, and what that means for the notice. */
static void answers_decide(void **state)
{
    static const struct {
        size_t offset;
        const char *answer;
        enum err_kind kind;
    } cases[] = {
        {offsetof(struct fake_smtp, rcpt), "451 4.7.1 greylisted", ERR_TRANSIENT},
        {offsetof(struct fake_smtp, rcpt), "550 5.1.1 unknown", ERR_PERMANENT},
        {offsetof(struct fake_smtp, rcpt), "530 5.7.0 authenticate first", ERR_CONFIG},
        {offsetof(struct fake_smtp, mail), "452 4.3.1 full", ERR_TRANSIENT},
        {offsetof(struct fake_smtp, mail), "530 5.7.0 authenticate first", ERR_CONFIG},
        {offsetof(struct fake_smtp, mail), "553 5.1.8 bad sender", ERR_PERMANENT},
        {offsetof(struct fake_smtp, data), "451 4.3.0 later", ERR_TRANSIENT},
        {offsetof(struct fake_smtp, end), "451 4.3.0 later", ERR_TRANSIENT},
        {offsetof(struct fake_smtp, end), "554 5.7.1 spam", ERR_PERMANENT},
        {offsetof(struct fake_smtp, greeting), "421 4.3.2 closing", ERR_TRANSIENT},
        {offsetof(struct fake_smtp, greeting), "554 5.3.2 no service", ERR_PERMANENT},
    };
    struct fixture *f = *state;

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const char **field = (void *)((char *)&f->smtp + cases[i].offset);

        story_clear();
        *field = cases[i].answer;
        check_failure(f, cases[i].kind);
        *field = NULL;
    }
}

/* libesmtp goes on without a login; the server's next refusal is not the reason. */
static void a_refused_login_is_the_reason(void **state)
{
    struct fixture *f = *state;

    f->smtp.auth = "535 5.7.8 wrong";
    f->smtp.rcpt = "554 5.7.1 relay access denied";
    check_failure(f, ERR_CONFIG);
    f->smtp.auth = "454 4.7.0 later";
    check_failure(f, ERR_TRANSIENT);
    f->smtp.auth = NULL;
    check_failure(f, ERR_PERMANENT);
}

static void a_message_without_an_answer_is_not_sent(void **state)
{
    struct fixture *f = *state;

    f->smtp.silent_close = true;
    check_failure(f, ERR_TRANSIENT);
}

static void starttls_is_required(void **state)
{
    struct fixture *f = *state;

    f->smtp.no_starttls = true;
    check_failure(f, ERR_CONFIG);
    assert_int_equal(story_count("AUTH") + story_count("MAIL") + story_count("RCPT"), 0);
}

static void check_distrust(struct fixture *f)
{
    check_failure(f, ERR_TRANSIENT);
    assert_non_null(strstr(f->err.text, "certificate"));
    assert_int_equal(story_count("AUTH") + story_count("MAIL") + story_count("RCPT"), 0);
}

static void an_unknown_authority_is_refused(void **state)
{
    struct fixture *f = *state;
    struct peer_tls other;

    peer_tls_init(&other, "localhost");
    set(f, "ca_file", other.ca_path);
    check_distrust(f);
    peer_tls_release(&other);
}

static void a_wrong_name_is_refused(void **state)
{
    struct fixture *f = *state;

    peer_tls_release(&f->smtp.tls);
    peer_tls_init(&f->smtp.tls, "other.example");
    set(f, "ca_file", f->smtp.tls.ca_path);
    check_distrust(f);
}

/* An address is not the name in the certificate. */
static void a_name_is_no_address(void **state)
{
    struct fixture *f = *state;

    set(f, "smtp_host", "127.0.0.1");
    check_distrust(f);
}

static void a_missing_ca_file_is_for_a_person(void **state)
{
    struct fixture *f = *state;

    set(f, "ca_file", "/nonexistent.pem");
    check_failure(f, ERR_CONFIG);
}

static void an_mta_on_this_machine_needs_neither(void **state)
{
    struct fixture *f = *state;

    set(f, "smtp_tls", "auto");
    assert_int_equal(send_mail(f), 0);
    STORY("EHLO", "MAIL FROM:<>", "> ..titik|", "QUIT");
    assert_int_equal(story_count("AUTH") + story_count("STARTTLS"), 0);
}

static void another_machine_needs_tls(void **state)
{
    struct fixture *f = *state;

    set(f, "smtp_tls", "none");
    set(f, "smtp_host", "192.0.2.1");
    check_failure(f, ERR_CONFIG);
}

static void nobody_listens(void **state)
{
    struct fixture *f = *state;

    set(f, "smtp_port", "1");
    check_failure(f, ERR_TRANSIENT);
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(a_mail_is_handed_over_as_it_is),
        CASE(an_envelope_sender_of_choice),
        CASE(answers_decide),
        CASE(a_refused_login_is_the_reason),
        CASE(a_message_without_an_answer_is_not_sent),
        CASE(starttls_is_required),
        CASE(an_unknown_authority_is_refused),
        CASE(a_wrong_name_is_refused),
        CASE(a_name_is_no_address),
        CASE(a_missing_ca_file_is_for_a_person),
        CASE(an_mta_on_this_machine_needs_neither),
        CASE(another_machine_needs_tls),
        CASE(nobody_listens),
    };
    int failed;

    signal(SIGPIPE, SIG_IGN);
    failed = cmocka_run_group_tests(tests, NULL, NULL);
    buf_release(&story);
    return failed;
}
