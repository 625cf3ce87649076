/* SPDX-License-Identifier: Apache-2.0 */
/* The options of an email channel, and what follows from them. Constant after load. */
#ifndef KANAL_ADAPTERS_EMAIL_SETTINGS_H
#define KANAL_ADAPTERS_EMAIL_SETTINGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config/option.h"
#include "normalize/err.h"

struct email_settings {
    char *imap_host;
    int64_t imap_port;
    char *imap_tls;
    char *user;
    struct secret password;
    char *auth;
    char *token_url, *token_scope, *client_id;
    struct secret client_secret, refresh_token;
    char *mailbox;
    char *after;
    char *move_to;
    int64_t interval_s;
    bool idle;
    int64_t max_size;
    int64_t batch;
    char *address, *address_name;
    char *smtp_host;
    int64_t smtp_port;
    char *smtp_tls;
    char *smtp_user;
    struct secret smtp_password;
    char *envelope_from;
    char *hostname;
    char *ca_file;
};

extern const struct option_spec email_options[];

/* What happens to a message once it is durable here. */
enum email_after { EMAIL_KEEP, EMAIL_SEEN, EMAIL_MOVE, EMAIL_DELETE };

enum email_tls {
    EMAIL_TLS,      /* from the first byte */
    EMAIL_STARTTLS, /* required */
    EMAIL_PLAIN,    /* only to this machine */
};

/* Checks what one option alone cannot show: ERR_CONFIG "email_option: what is wrong, expected". */
int email_settings_check(const struct email_settings *settings, struct err *err);

/* The right side of address: domain of our own Message-IDs. */
const char *email_settings_domain(const struct email_settings *settings);

const char *email_settings_user(const struct email_settings *settings);
bool email_settings_oauth(const struct email_settings *settings);
enum email_after email_settings_after(const struct email_settings *settings);
enum email_tls email_settings_imap_tls(const struct email_settings *settings);
int email_settings_imap_port(const struct email_settings *settings);

/* "auto" is no TLS for a host that names this machine, else STARTTLS. */
enum email_tls email_settings_smtp_tls(const struct email_settings *settings);
int email_settings_smtp_port(const struct email_settings *settings);

/* Who logs in to the SMTP server, or NULL: nobody. An MTA on this machine gets the IMAP user's
 * password only when smtp_user asks for it. */
const char *email_settings_smtp_user(const struct email_settings *settings);
const char *email_settings_smtp_password(const struct email_settings *settings);

/* Whether text is a bare address a header can hold: printable ASCII, one '@', no quoting. */
bool email_address_is_sane(const char *text);

#endif
