/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Why something failed, as a plain value owned by the caller. Functions that can fail return 0 or
 * -1 and take a struct err * last; the first error wins, so callers may pass one err through
 * several steps. Text: lower case, no full stop, "cannot <verb> '<thing>': <cause>". It never
 * holds message text, a name, an address or a secret: it ends up in logs.
 */
#ifndef KANAL_NORMALIZE_ERR_H
#define KANAL_NORMALIZE_ERR_H

/* What to do next, not what happened. */
enum err_kind {
    ERR_NONE,
    ERR_TRANSIENT, /* back off and try again */
    ERR_PERMANENT, /* will fail again: bury it and tell a person */
    ERR_CONFIG,    /* stop this channel until its configuration changes; the others go on */
};

struct err {
    enum err_kind kind;
    int retry_after_s; /* what the other side asked for; 0: it did not say */
    char text[240];
};

#define ERR_INIT                                                                                   \
    {                                                                                              \
        .kind = ERR_NONE                                                                           \
    }

/* Records an error unless one is recorded already. Returns -1, so that callers can return it. */
__attribute__((format(printf, 3, 4))) int err_set(struct err *err, enum err_kind kind,
                                                  const char *format, ...);

/* Forgets the error so that err can be used again. */
void err_clear(struct err *err);

/* "transient", "permanent", "config" or "none"; static. */
const char *err_kind_name(enum err_kind kind);

#endif
