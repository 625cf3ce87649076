/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where a channel stands in its mailbox: the session, what the last search found, and the cursor,
 * "UIDVALIDITY:UID" of the last message acknowledged. Another UIDVALIDITY means from the first
 * message again. The channel's thread only.
 */
#ifndef KANAL_ADAPTERS_EMAIL_STATE_H
#define KANAL_ADAPTERS_EMAIL_STATE_H

#include <stddef.h>
#include <stdint.h>

#include "adapters/adapter.h"
#include "adapters/email_imap.h"
#include "adapters/email_settings.h"
#include "adapters/email_token.h"

enum { EMAIL_CURSOR_NAME_SIZE = 40 };

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

/* A closed session of ch, which must outlive it; release closes and frees. */
void email_state_init(struct email_state *state, struct channel *ch);
void email_state_release(struct email_state *state);

/* Opens the session unless it is open, and reads the cursor when the mailbox is new to us. */
int email_state_ready(struct email_state *state, struct err *err);

/* Stores the cursor: all messages up to uid are acknowledged. */
int email_state_advance(struct email_state *state, uint32_t uid, struct err *err);

/* Forgets what the last search found; the next begins behind fetched_uid. */
void email_state_forget(struct email_state *state);

/* The same, and what is in flight will not be acknowledged: it is to be fetched again. */
void email_state_rewind(struct email_state *state);

/* Closes the session; the next email_state_ready() opens another. */
void email_state_close(struct email_state *state);

#endif
