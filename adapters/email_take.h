/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Taking a mailbox's new messages in, window by window: while one window is being normalized the
 * next is fetched, and a window is acknowledged (flag, move, delete, cursor) only after
 * intake_flush() said that all of it is durable. The cursor is "UIDVALIDITY:UID"; another
 * UIDVALIDITY means from the first message again, and what was taken before is known by its
 * content. A message the server or libetpan cannot deliver is isolated, asked for again, then
 * quarantined with what there is, so that it never blocks the next. The channel's thread only.
 */
#ifndef KANAL_ADAPTERS_EMAIL_TAKE_H
#define KANAL_ADAPTERS_EMAIL_TAKE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "adapters/adapter.h"
#include "adapters/email_imap.h"
#include "adapters/email_settings.h"
#include "adapters/email_token.h"

enum {
    EMAIL_WINDOW_BYTES = 4 * 1024 * 1024,
    EMAIL_LIST_MAX = 10000, /* UIDs remembered of one search; the rest is found by the next */
    EMAIL_SIZES_MAX = 500,  /* sizes asked at once */
    EMAIL_TAKE_MARGIN_MS = 10 * 1000, /* no window is begun that close to the end of a poll */
    EMAIL_GIVE_UPS_MAX = 3,           /* in a row: then it is the server, not the messages */
    EMAIL_CURSOR_NAME_SIZE = 40,
};

struct email_state {
    struct channel *ch;
    const struct email_settings *settings;
    struct email_imap imap;
    struct email_token token;
    char cursor_name[EMAIL_CURSOR_NAME_SIZE];
    uint32_t uidvalidity;     /* 0: the cursor was not read yet */
    uint32_t taken_uid;       /* the cursor: all up to here is acknowledged */
    uint32_t fetched_uid;     /* all up to here is acknowledged or in flight */
    struct email_item *items; /* found by the last search: [next, n) are to be fetched */
    size_t n, next, sized;    /* [next, sized) were asked for their size */
    size_t beyond;            /* messages found but not remembered */
    uint32_t careful_uid;     /* fetched one by one up to here */
    uint32_t suspect_uid;     /* the one that failed alone, and how grave that was */
    int suspicion;
    int give_ups;           /* messages given up in a row */
    int losses;             /* failures of this poll that no message is to blame for */
    int64_t begin_until_ms; /* when the last window of this poll may begin */
    int idle_failures;      /* in a row */
    int64_t look_ms;        /* when to look again without IDLE */
    struct err mark_error;  /* messages are in but could not be flagged, moved or deleted */
};

void email_state_init(struct email_state *state, struct channel *ch);
void email_state_release(struct email_state *state);

/* Opens the session unless it is open, and reads the cursor when the mailbox is new to us. */
int email_ready(struct email_state *state, struct err *err);

/*
 * Takes what is new until nothing is, or time is up (begin_until_ms, channel_stopping()). *taken
 * counts the messages acknowledged. -1: what was not acknowledged comes again at the next call.
 */
int email_take(struct email_state *state, size_t *taken, struct err *err);

#endif
