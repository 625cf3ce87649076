/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The OAuth2 access token of a mailbox (RFC 6749, section 6). A refresh token the provider rotates
 * is stored before the new access token is used: otherwise a crash would leave only one that is
 * worth nothing any more. The stored one counts until the configuration names another first token.
 * One thread.
 */
#ifndef KANAL_ADAPTERS_EMAIL_TOKEN_H
#define KANAL_ADAPTERS_EMAIL_TOKEN_H

#include <stdint.h>

#include "adapters/adapter.h"
#include "adapters/email_settings.h"
#include "adapters/http_client.h"

enum {
    EMAIL_TOKEN_EARLY_MS = 5 * 60 * 1000, /* refreshed that long before it expires */
    EMAIL_TOKEN_MAX = 16 * 1024,
};

struct email_token {
    struct http_client *client; /* NULL until first used */
    char *access;               /* NULL: none; wiped */
    int64_t expires_ms;         /* CLOCK_MONOTONIC */
};

/*
 * Gives the access token, borrowed until the next call, refreshing it when it is close to its end.
 * NULL: ERR_TRANSIENT (endpoint unreachable, busy), ERR_CONFIG (it refuses the refresh token or the
 * client: a person must log in anew), or what channel_cursor_set() said.
 */
const char *email_token_get(struct email_token *token, struct channel *ch,
                            const struct email_settings *settings, struct err *err);

/* Forgets the access token: the server did not take it. */
void email_token_drop(struct email_token *token);

void email_token_release(struct email_token *token);

#endif
