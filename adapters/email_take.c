/* SPDX-License-Identifier: Apache-2.0 */
#include "adapters/email_take.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "adapters/email_settings.h"
#include "normalize/mem.h"

enum {
    /* Suspicion of one message, and what is tried at which degree. An answer that is not
     * understood weighs more than a lost connection, which may have other causes. */
    TAKE_SUSPECT_GARBLED = 2,
    TAKE_SUSPECT_LOST = 1,
    TAKE_SUSPECT_PARTIAL = 4, /* from here on only its beginning is asked for */
    TAKE_SUSPECT_GIVE_UP = 6,
    TAKE_LOSSES_PER_POLL = 1, /* tries again at once; after that the gateway's back-off decides */
    TAKE_UNFETCHED_MAX = 1024,
};

/* Messages on their way together. */
struct take_window {
    struct email_item *items; /* owned, uid ascending */
    size_t n;
    uint32_t uidvalidity;
    uint32_t last_uid;  /* the cursor once it is acknowledged; 0: there is no window */
    const char *reason; /* not whole: the word its one message is quarantined by */
};

/* --- What waits --- */

static int64_t take_waiting(const struct email_state *state)
{
    return (int64_t)(state->n - state->next + state->beyond);
}

static int take_look(struct email_state *state, struct err *err)
{
    uint32_t *uids;
    size_t n;
    email_state_forget(state);
    if (email_imap_search(&state->imap, state->fetched_uid, &uids, &n, err) != 0)
        return -1;
    state->n = n < EMAIL_LIST_MAX ? n : EMAIL_LIST_MAX;
    state->beyond = n - state->n;
    state->items = mem_calloc(state->n, sizeof *state->items);
    for (size_t i = 0; i < state->n; i++)
        state->items[i].uid = uids[i];
    free(uids);
    channel_lag(state->ch, take_waiting(state));
    return 0;
}

static bool take_is_careful(const struct email_state *state)
{
    return state->items[state->next].uid <= state->careful_uid;
}

static int take_suspicion_of(const struct email_state *state, uint32_t uid)
{
    return uid == state->suspect_uid ? state->suspicion : 0;
}

/* Remembers that n messages from first on could not be fetched: many are then asked one by one, one
 * becomes suspect. */
static void take_note_failure(struct email_state *state, const struct email_item *first, size_t n)
{
    enum email_trouble trouble = state->imap.trouble;
    if (trouble == EMAIL_CUT && channel_stopping(state->ch))
        return;
    if (n > 1) {
        state->careful_uid = first[n - 1].uid;
        return;
    }
    if (state->suspect_uid != first->uid)
        state->suspicion = 0;
    state->suspect_uid = first->uid;
    state->suspicion +=
        trouble == EMAIL_LOST || trouble == EMAIL_CUT ? TAKE_SUSPECT_LOST : TAKE_SUSPECT_GARBLED;
}

static int take_ask_sizes(struct email_state *state, struct err *err)
{
    size_t left = state->n - state->next;
    size_t n = take_is_careful(state) ? 1 : left < EMAIL_SIZES_MAX ? left : EMAIL_SIZES_MAX;
    if (take_suspicion_of(state, state->items[state->next].uid) < TAKE_SUSPECT_GIVE_UP &&
        email_imap_sizes(&state->imap, state->items + state->next, n, err) != 0) {
        take_note_failure(state, state->items + state->next, n);
        return -1;
    }
    state->sized = state->next + n;
    return 0;
}

/* How many messages from next on make the next window: up to batch and EMAIL_WINDOW_BYTES, at
 * least one; a message too large to be taken whole goes alone. */
static size_t take_measure(const struct email_state *state)
{
    const struct email_item *items = state->items + state->next;
    size_t most = take_is_careful(state) ? 1 : (size_t)state->settings->batch;
    size_t bytes = 0, n = 0;
    if (items[0].size > state->settings->max_size)
        return 1;
    while (n < most && state->next + n < state->sized) {
        bytes += items[n].size;
        if (n > 0 && (bytes > EMAIL_WINDOW_BYTES || items[n].size > state->settings->max_size))
            break;
        n++;
    }
    return n;
}

/* --- Fetching a window --- */

static void take_window_release(struct take_window *window)
{
    email_items_release(window->items, window->n);
    free(window->items);
    *window = (struct take_window){.items = NULL};
}

/* Stands in quarantine for a message nobody could deliver: where to find it. */
static void take_describe(const struct email_state *state, struct email_item *item)
{
    struct buf text = BUF_INIT(TAKE_UNFETCHED_MAX);
    buf_addf(&text, "X-Kanal-Unfetched: mailbox=%s uidvalidity=%" PRIu32 " uid=%" PRIu32 "\r\n\r\n",
             state->settings->mailbox, state->uidvalidity, item->uid);
    item->raw = buf_detach(&text, &item->raw_len);
}

/* A server that calls it small and sends it large is cut like any other large message. */
static void take_cut_to_size(const struct email_state *state, struct take_window *window)
{
    struct email_item *item = window->items;
    if (window->n != 1 || item->raw_len <= (size_t)state->settings->max_size)
        return;
    item->raw_len = EMAIL_PARTIAL_BYTES;
    window->reason = "too_large";
}

/* Messages that did not come must be gone from the mailbox, else it is a failure. */
static int take_check_missing(struct email_state *state, struct take_window *window,
                              struct err *err)
{
    for (size_t i = 0; i < window->n; i++) {
        struct email_item again = {.uid = window->items[i].uid};
        if (window->items[i].raw != NULL || !window->items[i].sized)
            continue;
        if (email_imap_sizes(&state->imap, &again, 1, err) != 0)
            return -1;
        if (again.sized) {
            state->imap.trouble = EMAIL_REFUSED;
            return err_set(err, ERR_TRANSIENT, "cannot fetch messages: one did not come");
        }
    }
    return 0;
}

static int take_fetch_bodies(struct email_state *state, struct take_window *window, struct err *err)
{
    int suspicion = take_suspicion_of(state, window->items[0].uid);
    if (suspicion >= TAKE_SUSPECT_GIVE_UP) {
        take_describe(state, window->items);
        window->reason = "unfetchable";
        state->give_ups++;
        return 0;
    }
    if (window->items[0].size > state->settings->max_size)
        window->reason = "too_large";
    else if (suspicion >= TAKE_SUSPECT_PARTIAL)
        window->reason = "unfetchable";
    bool partial = window->reason != NULL;
    if (email_imap_bodies(&state->imap, window->items, window->n, partial, err) != 0)
        return -1;
    take_cut_to_size(state, window);
    if (take_check_missing(state, window, err) != 0)
        return -1;
    state->give_ups = 0;
    return 0;
}

static int take_fetch_window(struct email_state *state, struct take_window *window, struct err *err)
{
    if (state->next >= state->sized && take_ask_sizes(state, err) != 0)
        return -1;
    size_t n = take_measure(state);
    *window = (struct take_window){.items = mem_calloc(n, sizeof *window->items),
                                   .n = n,
                                   .uidvalidity = state->uidvalidity,
                                   .last_uid = state->items[state->next + n - 1].uid};
    memcpy(window->items, state->items + state->next, n * sizeof *window->items);
    if (take_fetch_bodies(state, window, err) != 0) {
        take_note_failure(state, window->items, n);
        take_window_release(window);
        return -1;
    }
    state->next += n;
    state->fetched_uid = window->last_uid;
    return 0;
}

static bool take_time_is_up(const struct email_state *state)
{
    return channel_stopping(state->ch) || channel_now_ms(state->ch) >= state->begin_until_ms;
}

/* Whether a failed fetch is tried again at once, more carefully: suspicion bounds how often. Any
 * other failure is tried once more, and then waits for the gateway's back-off; so does each of many
 * messages in a row that cannot be fetched, lest a broken server empties into quarantine. */
static bool take_may_retry(struct email_state *state, bool fetching)
{
    enum email_trouble trouble = state->imap.trouble;
    if (trouble == EMAIL_CUT)
        return false;
    if (fetching && (trouble == EMAIL_GARBLED || trouble == EMAIL_REFUSED) &&
        state->give_ups < EMAIL_GIVE_UPS_MAX)
        return true;
    return state->losses++ < TAKE_LOSSES_PER_POLL;
}

/* The next window: 1 got it, 0 nothing waits or time is up, -1. */
static int take_next_window(struct email_state *state, struct take_window *window, struct err *err)
{
    while (!take_time_is_up(state)) {
        if (email_state_ready(state, err) != 0)
            return -1;
        bool fetching = state->next < state->n || take_look(state, err) == 0;
        if (fetching && state->n == 0)
            return 0;
        if (fetching && take_fetch_window(state, window, err) == 0)
            return 1;
        if (!take_may_retry(state, fetching))
            break;
        err_clear(err);
        if (state->imap.trouble == EMAIL_REFUSED)
            state->sized = state->next;
        else
            email_state_close(state);
    }
    if (err->kind == ERR_NONE)
        return 0;
    email_state_close(state);
    if (!channel_stopping(state->ch))
        return -1;
    err_clear(err);
    return 0;
}

/* --- Handing it in, and acknowledging it --- */

static int64_t take_received_ms(const struct email_state *state, const struct email_item *item)
{
    int64_t now_ms = channel_wall_ms(state->ch);
    return item->internal_ms > 0 && item->internal_ms < now_ms ? item->internal_ms : now_ms;
}

/* Takes the bytes of every message; a message that is gone has none. */
static int take_submit(struct email_state *state, struct take_window *window, struct err *err)
{
    const struct channel *ch = state->ch;
    int result = 0;
    for (size_t i = 0; i < window->n && result == 0; i++) {
        struct email_item *item = &window->items[i];
        struct inbound in;
        if (item->raw == NULL)
            continue;
        inbound_init(&in, ch->id, ch->adapter->name, ch->adapter->kind,
                     take_received_ms(state, item), item->raw, item->raw_len);
        item->raw = NULL;
        inbound_fact_add(&in, "own_address", state->settings->address);
        inbound_fact_add(&in, "own_domain", email_settings_domain(state->settings));
        result = window->reason != NULL ? intake_quarantine(ch->intake, &in, window->reason, err)
                                        : intake_submit(ch->intake, &in, err);
    }
    return result;
}

/* A refusal to flag must not keep complaints from coming in: it is remembered and reported, and
 * the cursor goes on. */
static int take_mark(struct email_state *state, const struct take_window *window, struct err *err)
{
    enum email_after after = email_settings_after(state->settings);
    uint32_t *uids = mem_calloc(window->n, sizeof *uids);
    struct err why = ERR_INIT;
    int result = 0;
    /* Only what is here whole may vanish there. */
    if (after == EMAIL_DELETE && window->reason != NULL)
        after = EMAIL_SEEN;
    for (size_t i = 0; i < window->n; i++)
        uids[i] = window->items[i].uid;
    if (email_imap_mark(&state->imap, after, uids, window->n, &why) != 0) {
        if (state->imap.trouble == EMAIL_REFUSED)
            err_set(&state->mark_error, why.kind, "%s", why.text);
        else
            result = err_set(err, why.kind, "%s", why.text);
    }
    free(uids);
    return result;
}

static int take_acknowledge(struct email_state *state, const struct take_window *window,
                            struct err *err)
{
    if (email_state_ready(state, err) != 0)
        return -1;
    /* The mailbox became another one meanwhile: these UIDs name nothing now. */
    if (window->uidvalidity != state->uidvalidity)
        return 0;
    if (take_mark(state, window, err) != 0) {
        email_state_close(state);
        return -1;
    }
    if (email_state_advance(state, window->last_uid, err) != 0)
        return -1;
    channel_lag(state->ch, take_waiting(state));
    return 0;
}

int email_take(struct email_state *state, size_t *taken, struct err *err)
{
    struct take_window flying = {.items = NULL}, next = {.items = NULL};
    struct err fetch_err = ERR_INIT;
    bool unflushed = false;
    int result = 0, got;
    *taken = 0;
    do {
        /* The server sends while the workers normalize what is in flight. */
        got = take_next_window(state, &next, &fetch_err);
        if (unflushed) {
            unflushed = false;
            result = intake_flush(state->ch->intake, err);
        }
        /* The workers go on with this while the mailbox is told about the last. */
        if (result == 0 && got == 1) {
            unflushed = true;
            result = take_submit(state, &next, err);
        }
        if (result == 0 && flying.last_uid != 0) {
            result = take_acknowledge(state, &flying, err);
            *taken += result == 0 ? flying.n : 0;
        }
        take_window_release(&flying);
        flying = next;
        next = (struct take_window){.items = NULL};
    } while (result == 0 && flying.last_uid != 0);
    if (unflushed) {
        struct err ignored = ERR_INIT;
        intake_flush(state->ch->intake, &ignored);
    }
    take_window_release(&flying);
    if (result == 0 && got < 0) {
        result = err_set(err, fetch_err.kind, "%s", fetch_err.text);
        err->retry_after_s = fetch_err.retry_after_s;
    }
    if (result != 0)
        email_state_rewind(state);
    return result;
}
