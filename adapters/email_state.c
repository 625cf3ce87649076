/* SPDX-License-Identifier: Apache-2.0 */
#include "adapters/email_state.h"

#include <errno.h>
#include <inttypes.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

enum { STATE_CURSOR_MAX = 64 };

/* One name for each mailbox: two may have the same UIDVALIDITY. */
static void state_name_cursor(struct email_state *state)
{
    const struct email_settings *settings = state->settings;
    struct buf key = BUF_INIT(4096);
    unsigned char hash[16];
    char hex[2 * sizeof hash + 1];
    buf_addf(&key, "%s\n%s\n%s", settings->imap_host, email_settings_user(settings),
             settings->mailbox);
    crypto_generichash(hash, sizeof hash, (const unsigned char *)key.data, key.len, NULL, 0);
    sodium_bin2hex(hex, sizeof hex, hash, sizeof hash);
    snprintf(state->cursor_name, sizeof state->cursor_name, "imap-%s", hex);
    buf_release(&key);
}

void email_state_init(struct email_state *state, struct channel *ch)
{
    *state = (struct email_state){.ch = ch, .settings = ch->settings};
    state->imap.ch = ch;
    state->imap.settings = ch->settings;
    state_name_cursor(state);
}

void email_state_forget(struct email_state *state)
{
    free(state->items);
    state->items = NULL;
    state->n = state->next = state->sized = state->beyond = 0;
}

void email_state_rewind(struct email_state *state)
{
    email_state_forget(state);
    state->fetched_uid = state->taken_uid;
}

void email_state_close(struct email_state *state)
{
    email_imap_close(&state->imap);
    email_state_forget(state);
}

void email_state_release(struct email_state *state)
{
    email_state_close(state);
    email_token_release(&state->token);
}

/* A decimal number up to the character that must follow it. */
static bool state_parse_number(const char **text, char follower, uint32_t *number)
{
    char *end;
    errno = 0;
    unsigned long long value = strtoull(*text, &end, 10);
    if (end == *text || errno != 0 || value > UINT32_MAX || *end != follower)
        return false;
    *number = (uint32_t)value;
    *text = end + 1;
    return true;
}

/* "UIDVALIDITY:UID"; anything else is as good as none. */
static bool state_parse_cursor(const char *text, uint32_t uidvalidity, uint32_t *uid)
{
    uint32_t of, last;
    if (!state_parse_number(&text, ':', &of) || !state_parse_number(&text, '\0', &last) ||
        of != uidvalidity)
        return false;
    *uid = last;
    return true;
}

static int state_read_cursor(struct email_state *state, struct err *err)
{
    struct buf text = BUF_INIT(STATE_CURSOR_MAX);
    uint32_t uid = 0;
    int found = channel_cursor_get(state->ch, state->cursor_name, &text, err);
    if (found == 1 && !state_parse_cursor(text.data, state->imap.uidvalidity, &uid))
        uid = 0;
    buf_release(&text);
    if (found < 0)
        return -1;
    state->uidvalidity = state->imap.uidvalidity;
    state->taken_uid = uid;
    state->careful_uid = 0;
    state->suspect_uid = 0;
    email_state_rewind(state);
    return 0;
}

static int state_open_session(struct email_state *state, struct err *err)
{
    if (!email_settings_oauth(state->settings))
        return email_imap_open(&state->imap, NULL, err);
    const char *token = email_token_get(&state->token, state->ch, state->settings, err);
    if (token == NULL)
        return -1;
    if (email_imap_open(&state->imap, token, err) == 0)
        return 0;
    /* Revoked or expired early: once more with a fresh one before a person is called. */
    if (err->kind != ERR_CONFIG || state->imap.trouble != EMAIL_REFUSED)
        return -1;
    err_clear(err);
    email_token_drop(&state->token);
    token = email_token_get(&state->token, state->ch, state->settings, err);
    return token == NULL ? -1 : email_imap_open(&state->imap, token, err);
}

int email_state_ready(struct email_state *state, struct err *err)
{
    if (state->imap.session == NULL && state_open_session(state, err) != 0)
        return -1;
    if (state->uidvalidity == state->imap.uidvalidity)
        return 0;
    return state_read_cursor(state, err);
}

int email_state_advance(struct email_state *state, uint32_t uid, struct err *err)
{
    char cursor[STATE_CURSOR_MAX];
    snprintf(cursor, sizeof cursor, "%" PRIu32 ":%" PRIu32, state->uidvalidity, uid);
    if (channel_cursor_set(state->ch, state->cursor_name, cursor, err) != 0)
        return -1;
    state->taken_uid = uid;
    return 0;
}
