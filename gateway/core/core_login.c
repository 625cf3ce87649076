/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Signing in and out, and changing one's password. Guesses are slowed per account and address,
 * counted per address and per account; the answer and its time are the same for unknown names.
 */
#include "gateway/core/core.h"
#include "gateway/process.h"

enum { PASSWORD_WAITING_MAX = 3 /* each waits a fifth of a second on a thread of the server */ };

static void show_login(struct http_exchange *exchange, int status, const char *problem)
{
    json_t *model = json_object();

    if (problem != NULL)
        json_object_set_new(model, problem, json_true());
    core_show(exchange, NULL, status, "core_login", model);
}

void core_get_login(void *context, struct http_exchange *exchange)
{
    struct core_officer officer;

    if (core_session_find(context, http_exchange_request(exchange), &officer))
        core_redirect(exchange, "/");
    else
        show_login(exchange, 200, NULL);
}

static uint64_t rate_key(const struct core *core, const char *a, const char *b)
{
    unsigned char hash[crypto_shorthash_BYTES];
    struct buf text = BUF_INIT(2048);
    uint64_t key;

    buf_addf(&text, "%s\n%s", a, b);
    crypto_shorthash(hash, (const unsigned char *)text.data, text.len, core->rate_key);
    memcpy(&key, hash, sizeof(key));
    buf_release(&text);
    return key;
}

/* Milliseconds before this try may be looked at; 0: now, and it is counted. */
static int64_t wait_for_turn(struct core *core, const char *client, const char *name, int64_t now)
{
    int64_t wait = core_throttle_wait(core->throttle, rate_key(core, client, name), now);

    if (wait == 0 && !limiter_take(core->address_logins, rate_key(core, client, ""), now, &wait))
        return wait;
    if (wait == 0 && !limiter_take(core->account_logins, rate_key(core, "", name), now, &wait))
        return wait;
    return wait;
}

static bool check(struct core *core, const char *name, const char *password, bool *busy)
{
    bool fits = false;

    *busy = atomic_fetch_add(&core->password_waiting, 1) >= PASSWORD_WAITING_MAX;
    if (!*busy)
        fits = core_account_check(core, name, password);
    atomic_fetch_sub(&core->password_waiting, 1);
    return fits;
}

static void sign_in(struct core *core, struct http_exchange *exchange, const char *name)
{
    struct http_response response;
    struct buf cookie = BUF_INIT(512);
    char token[CORE_TOKEN_SIZE];

    core_session_start(core, name, clock_wall_ms(), token);
    core_session_cookie(http_exchange_request(exchange), token, &cookie);
    http_response_init(&response, 303);
    core_location(exchange, "/", &response);
    http_response_header(&response, "Set-Cookie", cookie.data);
    http_answer(exchange, &response);
    buf_wipe(&cookie);
    sodium_memzero(token, sizeof(token));
}

static void try_login(struct core *core, struct http_exchange *exchange, const char *name,
                      const char *password)
{
    const char *client = http_exchange_client(exchange);
    uint64_t key = rate_key(core, client, name);
    int64_t now = clock_ms();
    bool busy;

    if (wait_for_turn(core, client, name, now) > 0) {
        show_login(exchange, 429, "throttled");
    } else if (check(core, name, password, &busy)) {
        core_throttle_passed(core->throttle, key);
        sign_in(core, exchange, name);
    } else if (busy) {
        show_login(exchange, 503, "throttled");
    } else {
        core_throttle_failed(core->throttle, key, now);
        show_login(exchange, 401, "wrong");
    }
}

void core_post_login(void *context, struct http_exchange *exchange)
{
    const struct http_request *request = http_exchange_request(exchange);
    struct buf name = BUF_INIT(CORE_NAME_MAX), password = BUF_INIT(CORE_PASSWORD_MAX);

    if (!core_form_is_ours(request, NULL))
        core_error(exchange, 403);
    else if (http_form_field(request->body, request->body_len, "name", &name) != 1 ||
             http_form_field(request->body, request->body_len, "password", &password) != 1)
        show_login(exchange, 401, "wrong");
    else
        try_login(context, exchange, name.data, password.data);
    buf_release(&name);
    buf_wipe(&password);
}

void core_post_logout(void *context, struct http_exchange *exchange)
{
    struct core *core = context;
    const struct http_request *request = http_exchange_request(exchange);
    struct core_officer officer;
    struct http_response response;
    struct buf cookie = BUF_INIT(512);

    if (!core_require(core, exchange, &officer))
        return;
    if (!core_form_is_ours(request, &officer)) {
        core_error(exchange, 403);
        return;
    }
    core_session_end(core, officer.token);
    core_session_cookie(request, "", &cookie);
    http_response_init(&response, 303);
    core_location(exchange, "/login", &response);
    http_response_header(&response, "Set-Cookie", cookie.data);
    http_answer(exchange, &response);
    buf_release(&cookie);
}

static void show_password(struct http_exchange *exchange, const struct core_officer *officer,
                          int status, const char *what)
{
    json_t *model = json_pack("{s:b, s:i, s:i}", "on_password", 1, "password_min",
                              CORE_PASSWORD_MIN, "password_max", CORE_PASSWORD_MAX);

    if (what != NULL)
        json_object_set_new(model, what, json_true());
    core_show(exchange, officer, status, "core_password", model);
}

void core_get_password(void *context, struct http_exchange *exchange)
{
    struct core_officer officer;

    if (core_require(context, exchange, &officer))
        show_password(exchange, &officer, 200, NULL);
}

static void change_password(struct core *core, struct http_exchange *exchange,
                            const struct core_officer *officer, const char *old, const char *new)
{
    struct err err = ERR_INIT;
    bool busy = false;
    uint64_t key = rate_key(core, http_exchange_client(exchange), officer->name);
    int64_t now = clock_ms();

    if (core_throttle_wait(core->throttle, key, now) > 0) {
        show_password(exchange, officer, 429, "throttled");
    } else if (!check(core, officer->name, old, &busy)) {
        if (!busy)
            core_throttle_failed(core->throttle, key, now);
        show_password(exchange, officer, busy ? 503 : 422, busy ? "throttled" : "wrong");
    } else if (core_account_set_password(core, officer->name, new, &err) != 0) {
        show_password(exchange, officer, 422, "too_short");
    } else {
        core_session_end_others(core, officer->name, officer->token);
        show_password(exchange, officer, 200, "changed");
    }
}

void core_post_password(void *context, struct http_exchange *exchange)
{
    const struct http_request *request = http_exchange_request(exchange);
    struct buf old = BUF_INIT(CORE_PASSWORD_MAX), new = BUF_INIT(CORE_PASSWORD_MAX);
    struct core_officer officer;

    if (!core_require(context, exchange, &officer))
        return;
    if (!core_form_is_ours(request, &officer))
        core_error(exchange, 403);
    else if (http_form_field(request->body, request->body_len, "old", &old) != 1 ||
             http_form_field(request->body, request->body_len, "new", &new) != 1)
        show_password(exchange, &officer, 422, "too_short");
    else
        change_password(context, exchange, &officer, old.data, new.data);
    buf_wipe(&old);
    buf_wipe(&new);
}
