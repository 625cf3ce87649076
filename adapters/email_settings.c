/* SPDX-License-Identifier: Apache-2.0 */
/* The help texts are the reference of the channel's options. */
#include "adapters/email_settings.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

enum {
    SETTINGS_ADDRESS_MAX = 254, /* RFC 5321, 4.5.3.1 */
    SETTINGS_LOCAL_MAX = 64,
    SETTINGS_OWN_LOCAL_MAX = SETTINGS_LOCAL_MAX - 29, /* "+" and a reply token must fit behind it */
};

#define SETTINGS_FIELD(name) offsetof(struct email_settings, name)

const struct option_spec email_options[] = {
    {.name = "imap_host",
     .type = OPTION_STRING,
     .offset = SETTINGS_FIELD(imap_host),
     .required = true,
     .help = "the mail server the mailbox is read from; its certificate must name it"},
    {.name = "imap_port",
     .type = OPTION_INT,
     .offset = SETTINGS_FIELD(imap_port),
     .fallback = "0",
     .min = 0,
     .max = 65535,
     .help = "0 is 993 with imap_tls = tls, else 143"},
    {.name = "imap_tls",
     .type = OPTION_CHOICE,
     .offset = SETTINGS_FIELD(imap_tls),
     .fallback = "tls",
     .choices = "tls starttls none",
     .help = "tls from the first byte, starttls, or none (only to this machine)"},
    {.name = "user",
     .type = OPTION_STRING,
     .offset = SETTINGS_FIELD(user),
     .help = "login name; default is the address"},
    {.name = "password",
     .type = OPTION_SECRET,
     .offset = SETTINGS_FIELD(password),
     .help = "password of user; not needed with auth = xoauth2"},
    {.name = "auth",
     .type = OPTION_CHOICE,
     .offset = SETTINGS_FIELD(auth),
     .fallback = "password",
     .choices = "password xoauth2",
     .help = "xoauth2 logs in with a token from token_url (Gmail, Microsoft 365)"},
    {.name = "token_url",
     .type = OPTION_URL,
     .offset = SETTINGS_FIELD(token_url),
     .help = "where access tokens are refreshed (OAuth2); https"},
    {.name = "token_scope",
     .type = OPTION_STRING,
     .offset = SETTINGS_FIELD(token_scope),
     .help = "scope sent with the refresh, where the provider wants one"},
    {.name = "client_id",
     .type = OPTION_STRING,
     .offset = SETTINGS_FIELD(client_id),
     .help = "OAuth2 client of this installation"},
    {.name = "client_secret",
     .type = OPTION_SECRET,
     .offset = SETTINGS_FIELD(client_secret),
     .help = "secret of client_id, where it has one"},
    {.name = "refresh_token",
     .type = OPTION_SECRET,
     .offset = SETTINGS_FIELD(refresh_token),
     .help = "first refresh token; one the provider sends later is kept and used instead"},
    {.name = "mailbox",
     .type = OPTION_STRING,
     .offset = SETTINGS_FIELD(mailbox),
     .fallback = "INBOX",
     .help = "folder that is read"},
    {.name = "after",
     .type = OPTION_CHOICE,
     .offset = SETTINGS_FIELD(after),
     .fallback = "seen",
     .choices = "keep seen move delete",
     .help = "what happens to a message once it is safe here: nothing, marked as read, moved to "
             "move_to, or deleted (one that could not be read whole is never deleted)"},
    {.name = "move_to",
     .type = OPTION_STRING,
     .offset = SETTINGS_FIELD(move_to),
     .fallback = "Diproses",
     .help = "folder for after = move; made when it is not there"},
    {.name = "interval",
     .type = OPTION_SECONDS,
     .offset = SETTINGS_FIELD(interval_s),
     .fallback = "60s",
     .min = 1,
     .max = 86400,
     .help = "time between looks where the server cannot announce mail"},
    {.name = "idle",
     .type = OPTION_BOOL,
     .offset = SETTINGS_FIELD(idle),
     .fallback = "yes",
     .help = "let the server announce new mail (IMAP IDLE) where it can"},
    {.name = "max_size",
     .type = OPTION_BYTES,
     .offset = SETTINGS_FIELD(max_size),
     .fallback = "25MiB",
     .min = 65536,
     .max = 26214400,
     .help = "a larger message goes to quarantine with its first 64 KiB"},
    {.name = "batch",
     .type = OPTION_INT,
     .offset = SETTINGS_FIELD(batch),
     .fallback = "200",
     .min = 1,
     .max = 1000,
     .help = "messages fetched at once and stored by one commit"},
    {.name = "address",
     .type = OPTION_STRING,
     .offset = SETTINGS_FIELD(address),
     .required = true,
     .help = "the channel's own address: sender of answers; mail from it is not a report. Answers "
             "go to local+TOKEN@domain, which the mail server must deliver to this mailbox"},
    {.name = "address_name",
     .type = OPTION_STRING,
     .offset = SETTINGS_FIELD(address_name),
     .help = "name shown with the address"},
    {.name = "smtp_host",
     .type = OPTION_STRING,
     .offset = SETTINGS_FIELD(smtp_host),
     .required = true,
     .help = "the server answers are handed to"},
    {.name = "smtp_port",
     .type = OPTION_INT,
     .offset = SETTINGS_FIELD(smtp_port),
     .fallback = "0",
     .min = 0,
     .max = 65535,
     .help = "0 is 587 with STARTTLS, else 25"},
    {.name = "smtp_tls",
     .type = OPTION_CHOICE,
     .offset = SETTINGS_FIELD(smtp_tls),
     .fallback = "auto",
     .choices = "auto starttls none",
     .help = "none only to this machine; auto is none for localhost, 127.0.0.1 and ::1, else "
             "starttls"},
    {.name = "smtp_user",
     .type = OPTION_STRING,
     .offset = SETTINGS_FIELD(smtp_user),
     .help = "login name for smtp_host; default is user, or no login without TLS"},
    {.name = "smtp_password",
     .type = OPTION_SECRET,
     .offset = SETTINGS_FIELD(smtp_password),
     .help = "password of smtp_user; default is password"},
    {.name = "envelope_from",
     .type = OPTION_STRING,
     .offset = SETTINGS_FIELD(envelope_from),
     .help = "envelope sender of all answers; default is the empty one for acknowledgements (so "
             "that nothing can bounce back) and address for the rest"},
    {.name = "hostname",
     .type = OPTION_STRING,
     .offset = SETTINGS_FIELD(hostname),
     .help = "name this machine gives to smtp_host; default is the domain of address"},
    {.name = "ca_file",
     .type = OPTION_PATH,
     .offset = SETTINGS_FIELD(ca_file),
     .help = "certificates to trust instead of the system's (PEM), for a private mail server"},
    {.name = NULL},
};

/* RFC 5322 atext and dots: what needs no quoting. */
static bool settings_is_local_char(char c)
{
    return isalnum((unsigned char)c) || strchr("!#$%&'*+-/=?^_`{|}~.", c) != NULL;
}

static bool settings_is_domain_char(char c)
{
    return isalnum((unsigned char)c) || c == '-' || c == '.';
}

bool email_address_is_sane(const char *text)
{
    const char *at = strchr(text, '@');
    size_t len = strlen(text);
    if (at == NULL || at == text || at[1] == '\0' || len > SETTINGS_ADDRESS_MAX ||
        at - text > SETTINGS_LOCAL_MAX || text[0] == '-' || at[1] == '.' || text[len - 1] == '.')
        return false;
    for (const char *c = text; c < at; c++) {
        if ((unsigned char)*c > 126 || !settings_is_local_char(*c))
            return false;
    }
    for (const char *c = at + 1; *c != '\0'; c++) {
        if ((unsigned char)*c > 126 || !settings_is_domain_char(*c))
            return false;
    }
    return true;
}

static bool settings_is_local_host(const char *host)
{
    return strcasecmp(host, "localhost") == 0 || strncmp(host, "127.", 4) == 0 ||
           strcmp(host, "::1") == 0;
}

const char *email_settings_domain(const struct email_settings *settings)
{
    return strchr(settings->address, '@') + 1;
}

const char *email_settings_user(const struct email_settings *settings)
{
    return settings->user != NULL ? settings->user : settings->address;
}

bool email_settings_oauth(const struct email_settings *settings)
{
    return strcmp(settings->auth, "xoauth2") == 0;
}

enum email_after email_settings_after(const struct email_settings *settings)
{
    switch (settings->after[0]) {
    case 'k':
        return EMAIL_KEEP;
    case 'm':
        return EMAIL_MOVE;
    case 'd':
        return EMAIL_DELETE;
    default:
        return EMAIL_SEEN;
    }
}

enum email_tls email_settings_imap_tls(const struct email_settings *settings)
{
    if (strcmp(settings->imap_tls, "none") == 0)
        return EMAIL_PLAIN;
    return strcmp(settings->imap_tls, "starttls") == 0 ? EMAIL_STARTTLS : EMAIL_TLS;
}

int email_settings_imap_port(const struct email_settings *settings)
{
    if (settings->imap_port != 0)
        return (int)settings->imap_port;
    return email_settings_imap_tls(settings) == EMAIL_TLS ? 993 : 143;
}

enum email_tls email_settings_smtp_tls(const struct email_settings *settings)
{
    if (strcmp(settings->smtp_tls, "none") == 0)
        return EMAIL_PLAIN;
    if (strcmp(settings->smtp_tls, "auto") == 0 && settings_is_local_host(settings->smtp_host))
        return EMAIL_PLAIN;
    return EMAIL_STARTTLS;
}

int email_settings_smtp_port(const struct email_settings *settings)
{
    if (settings->smtp_port != 0)
        return (int)settings->smtp_port;
    return email_settings_smtp_tls(settings) == EMAIL_PLAIN ? 25 : 587;
}

const char *email_settings_smtp_user(const struct email_settings *settings)
{
    if (settings->smtp_user != NULL)
        return settings->smtp_user;
    if (email_settings_smtp_tls(settings) == EMAIL_PLAIN)
        return NULL;
    return email_settings_user(settings);
}

const char *email_settings_smtp_password(const struct email_settings *settings)
{
    return settings->smtp_password.data != NULL ? settings->smtp_password.data
                                                : settings->password.data;
}

static int settings_check_oauth(const struct email_settings *settings, struct err *err)
{
    const char *url = settings->token_url;
    if (url == NULL || settings->client_id == NULL || settings->refresh_token.data == NULL)
        return err_set(err, ERR_CONFIG,
                       "token_url, client_id, refresh_token: needed with auth = xoauth2");
    /* The refresh token is worth as much as a password. */
    if (strncasecmp(url, "https://", 8) != 0 && strncasecmp(url, "http://127.0.0.1", 16) != 0 &&
        strncasecmp(url, "http://localhost", 16) != 0)
        return err_set(err, ERR_CONFIG, "token_url: must be https");
    return 0;
}

static int settings_check_smtp(const struct email_settings *settings, struct err *err)
{
    const char *from = settings->envelope_from;
    if (from != NULL && !email_address_is_sane(from))
        return err_set(err, ERR_CONFIG, "envelope_from: must be a plain address");
    if (email_settings_smtp_user(settings) != NULL &&
        email_settings_smtp_password(settings) == NULL)
        return err_set(err, ERR_CONFIG,
                       "smtp_password: needed to log in to smtp_host (answers of an xoauth2 "
                       "mailbox go through an MTA on this machine or with a password)");
    return 0;
}

int email_settings_check(const struct email_settings *settings, struct err *err)
{
    if (!email_address_is_sane(settings->address))
        return err_set(err, ERR_CONFIG, "address: must be a plain address such as a@example.org");
    const char *at = strchr(settings->address, '@');
    if (memchr(settings->address, '+', (size_t)(at - settings->address)) != NULL ||
        at - settings->address > SETTINGS_OWN_LOCAL_MAX)
        return err_set(err, ERR_CONFIG,
                       "address: must have no '+' and at most %d characters before the '@'",
                       SETTINGS_OWN_LOCAL_MAX);
    if (email_settings_oauth(settings)) {
        if (settings_check_oauth(settings, err) != 0)
            return -1;
    } else if (settings->password.data == NULL) {
        return err_set(err, ERR_CONFIG,
                       "password: needed (file:PATH, env:NAME or credential:NAME)");
    }
    if (email_settings_after(settings) == EMAIL_MOVE &&
        (settings->move_to == NULL || settings->mailbox == NULL ||
         strcmp(settings->move_to, settings->mailbox) == 0))
        return err_set(err, ERR_CONFIG, "move_to: must name another folder than mailbox");
    return settings_check_smtp(settings, err);
}
