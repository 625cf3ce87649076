/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Taking a mailbox's new messages in, window by window: while one window is being normalized the
 * next is fetched, and a window is acknowledged (flag, move, delete, cursor) only after
 * intake_flush() said that all of it is durable. What comes again is known by its content. A
 * message the server or libetpan cannot deliver is isolated, asked for again, then quarantined with
 * what there is, so that it never blocks the next. The channel's thread only.
 */
#ifndef KANAL_ADAPTERS_EMAIL_TAKE_H
#define KANAL_ADAPTERS_EMAIL_TAKE_H

#include <stddef.h>

#include "adapters/email_state.h"

enum {
    EMAIL_WINDOW_BYTES = 4 * 1024 * 1024,
    EMAIL_LIST_MAX = 10000, /* UIDs remembered of one search; the rest is found by the next */
    EMAIL_SIZES_MAX = 500,  /* sizes asked at once */
    EMAIL_TAKE_MARGIN_MS = 10 * 1000, /* no window is begun that close to the end of a poll */
    EMAIL_GIVE_UPS_MAX = 3,           /* in a row: then it is the server, not the messages */
};

/*
 * Takes what is new until nothing is, or time is up (begin_until_ms, channel_stopping()). *taken
 * counts the messages acknowledged. -1: what was not acknowledged comes again at the next call.
 */
int email_take(struct email_state *state, size_t *taken, struct err *err);

#endif
