/* SPDX-License-Identifier: Apache-2.0 */
/* The email channel's session: waiting for mail, who may hear the password, OAuth2, settings. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "email_fixture.h"

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

int main(void)
{
    const struct CMUnitTest tests[] = {
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
