/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One IMAP session (RFC 3501, 2177 IDLE, 4315 UIDPLUS, 6851 MOVE) over libetpan: log in, select,
 * search, fetch, mark. It knows nothing of cursors or reports. After a failure email_imap.trouble
 * says what kind it was; unless that is EMAIL_REFUSED the stream may be out of step (libetpan stops
 * in the middle of an answer it cannot read) and the session must be closed. One thread at a time.
 */
#ifndef KANAL_ADAPTERS_EMAIL_IMAP_H
#define KANAL_ADAPTERS_EMAIL_IMAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "adapters/adapter.h"
#include "adapters/email_settings.h"
#include "adapters/email_stream.h"

enum {
    EMAIL_PARTIAL_BYTES = 64 * 1024, /* of a message that is not fetched whole */
    EMAIL_IDLE_SLICE_MS = 60 * 1000, /* an announcement lost costs no more than that */
    EMAIL_IDLE_MARGIN_MS = 3 * 1000, /* kept for DONE and its answer */
};

enum email_trouble {
    EMAIL_FINE,
    EMAIL_REFUSED, /* the server said NO: this command failed, the session goes on */
    EMAIL_GARBLED, /* an answer that cannot be understood */
    EMAIL_LOST,    /* the connection ended or fell silent */
    EMAIL_CUT,     /* we ended it: deadline or stop */
};

struct email_imap {
    mailimap *session; /* NULL: closed */
    const struct channel *ch;
    const struct email_settings *settings;
    struct email_peer peer;
    int64_t deadline_ms; /* set by the caller before each poll's commands */
    enum email_trouble trouble;
    uint32_t uidvalidity; /* of the selected mailbox */
    bool can_idle, can_move, can_uidplus;
};

/* A message of the mailbox. */
struct email_item {
    uint32_t uid;
    uint32_t size;       /* RFC822.SIZE */
    bool sized;          /* size is known */
    int64_t internal_ms; /* when the server received it; 0 unknown */
    char *raw;           /* owned; NULL not fetched */
    size_t raw_len;
};

/*
 * Connects, logs in (token: OAuth2 access token, or NULL to use the password) and selects the
 * mailbox. -1: closed again; ERR_CONFIG: login refused, no such mailbox, STARTTLS missing;
 * ERR_TRANSIENT: all else. Needs ch, settings and deadline_ms set.
 */
int email_imap_open(struct email_imap *imap, const char *token, struct err *err);

/* Logs out when the session is in step, and closes. Safe on a closed one. */
void email_imap_close(struct email_imap *imap);

/* UIDs above after, ascending; gives *uids (free()). */
int email_imap_search(struct email_imap *imap, uint32_t after, uint32_t **uids, size_t *n,
                      struct err *err);

/* Asks size and time of n items (uid ascending); those that are gone stay as they are. */
int email_imap_sizes(struct email_imap *imap, struct email_item *items, size_t n, struct err *err);

/* Fetches the messages of n items without marking them read: whole, or their first
 * EMAIL_PARTIAL_BYTES. Items that are gone stay without raw. */
int email_imap_bodies(struct email_imap *imap, struct email_item *items, size_t n, bool partial,
                      struct err *err);

/* Marks read, moves or deletes n UIDs (ascending), by after. Never expunges what others deleted. */
int email_imap_mark(struct email_imap *imap, enum email_after after, const uint32_t *uids, size_t n,
                    struct err *err);

/* Lets the server announce mail until until_ms, at most EMAIL_IDLE_SLICE_MS: 0 look again, -1. */
int email_imap_idle(struct email_imap *imap, int64_t until_ms, struct err *err);

void email_items_release(struct email_item *items, size_t n);

#endif
