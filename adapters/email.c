/* SPDX-License-Identifier: Apache-2.0 */
/* The adapter's entry in the table, its waiting between looks, and its answers. */
#include "adapters/email.h"

#include <auth-client.h>
#include <libetpan/libetpan.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>

#include "adapters/email_compose.h"
#include "adapters/email_settings.h"
#include "adapters/email_smtp.h"
#include "adapters/email_take.h"
#include "normalize/mail.h"
#include "normalize/mem.h"

enum {
    EMAIL_IDLE_FAILURES_MAX = 2, /* in a row; then the mailbox is looked at every interval */
    EMAIL_SLEEP_SLICE_MS = 200,  /* how soon a stop is noticed */
};

static int email_open(struct channel *ch, struct err *err)
{
    if (email_settings_check(ch->settings, err) != 0)
        return -1;
    struct email_state *state = mem_calloc(1, sizeof *state);
    email_state_init(state, ch);
    ch->state = state;
    return 0;
}

static void email_close(struct channel *ch)
{
    if (ch->state == NULL)
        return;
    email_state_release(ch->state);
    free(ch->state);
    ch->state = NULL;
}

static bool email_may_idle(const struct email_state *state)
{
    return state->settings->idle && state->imap.can_idle && state->imap.session != NULL &&
           state->idle_failures < EMAIL_IDLE_FAILURES_MAX;
}

/* Waits until the server announces something or until_ms. A session that fails here is no failure
 * of the channel: the next look opens another. */
static void email_wait_announced(struct email_state *state, int64_t until_ms)
{
    struct err why = ERR_INIT;
    if (email_imap_idle(&state->imap, until_ms, &why) == 0) {
        state->idle_failures = 0;
        return;
    }
    state->idle_failures++;
    email_imap_close(&state->imap);
}

static void email_wait_until(const struct channel *ch, int64_t until_ms)
{
    while (!channel_stopping(ch) && channel_now_ms(ch) < until_ms)
        poll(NULL, 0, EMAIL_SLEEP_SLICE_MS);
}

/* Waits for the time or the announcement of the next look, or until_ms. */
static void email_wait(struct email_state *state, int64_t until_ms)
{
    int64_t now_ms = channel_now_ms(state->ch);
    if (email_may_idle(state)) {
        email_wait_announced(state, until_ms);
        return;
    }
    if (state->look_ms <= now_ms)
        state->look_ms = now_ms + state->settings->interval_s * 1000;
    email_wait_until(state->ch, state->look_ms < until_ms ? state->look_ms : until_ms);
}

static bool email_is_over(const struct email_state *state, int64_t until_ms)
{
    return channel_stopping(state->ch) || channel_now_ms(state->ch) >= until_ms;
}

static int email_poll(struct channel *ch, int64_t deadline_ms, struct err *err)
{
    struct email_state *state = ch->state;
    int64_t until_ms = deadline_ms - EMAIL_IDLE_MARGIN_MS;
    int64_t quarter_ms = (deadline_ms - channel_now_ms(ch)) / 4;
    size_t taken = 0;
    state->imap.deadline_ms = deadline_ms;
    state->begin_until_ms =
        deadline_ms - (quarter_ms < EMAIL_TAKE_MARGIN_MS ? quarter_ms : EMAIL_TAKE_MARGIN_MS);
    state->losses = 0;
    err_clear(&state->mark_error);
    if (channel_now_ms(ch) < state->look_ms)
        email_wait_until(ch, state->look_ms < until_ms ? state->look_ms : until_ms);
    do {
        if (channel_now_ms(ch) < state->look_ms)
            break;
        state->look_ms = 0;
        if (email_take(state, &taken, err) != 0)
            return -1;
        if (state->mark_error.kind != ERR_NONE)
            return err_set(err, state->mark_error.kind, "%s", state->mark_error.text);
        /* Back to the gateway, which notes that mail came; it calls again at once. */
        if (taken > 0 || email_is_over(state, until_ms))
            break;
        email_wait(state, until_ms);
    } while (!email_is_over(state, until_ms));
    return 0;
}

/* libesmtp wants this once, before its first use of a login. */
static pthread_once_t email_auth_once = PTHREAD_ONCE_INIT;

static int email_reply(struct channel *ch, const struct notice *notice, struct err *err)
{
    const struct email_settings *settings = ch->settings;
    struct buf mail = BUF_INIT(EMAIL_LETTER_MAX);
    char token[REPLY_TOKEN_LEN + 1];
    const char *envelope_from = settings->envelope_from;
    pthread_once(&email_auth_once, auth_client_init);
    channel_reply_token(ch, notice->report_id, token);
    /* RFC 3834, 3.3: nothing must be able to answer an automatic answer. */
    if (envelope_from == NULL && notice->kind != NOTICE_ACK)
        envelope_from = settings->address;
    int result = email_compose(&(struct email_letter){.notice = notice,
                                                      .address = settings->address,
                                                      .name = settings->address_name,
                                                      .token = token,
                                                      .wall_ms = channel_wall_ms(ch)},
                               &mail, err);
    if (result == 0)
        result = email_smtp_send(settings, envelope_from, notice->to, mail.data, err);
    buf_wipe(&mail);
    return result;
}

static int email_check(const void *settings, struct err *err)
{
    return email_settings_check(settings, err);
}

const struct adapter adapter_email = {
    .name = "email",
    .kind = "email",
    .reply_kind = "email",
    .options = email_options,
    .settings_size = sizeof(struct email_settings),
    .check = email_check,
    .parse_start = mail_start,
    .parse = mail_parse,
    .open = email_open,
    .poll = email_poll,
    .reply = email_reply,
    .close = email_close,
};
