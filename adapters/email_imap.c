/* SPDX-License-Identifier: Apache-2.0 */
/* The session itself. Sources: libetpan 1.9.4 mailimap.h; RFC 3501, 4959 (SASL-IR), 5530 (codes).
 */
#include "adapters/email_imap_call.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "normalize/mem.h"

enum {
    IMAP_LOGOUT_MS = 2 * 1000,
    IMAP_CREDENTIAL_BYTES = 16 * 1024,
};

/* --- What became of a command --- */

bool email_imap_is_ok(int code)
{
    return code == MAILIMAP_NO_ERROR || code == MAILIMAP_NO_ERROR_AUTHENTICATED ||
           code == MAILIMAP_NO_ERROR_NON_AUTHENTICATED;
}

enum email_trouble email_imap_trouble_of(const struct email_imap *imap, int code)
{
    const mailstream *stream = imap->session->imap_stream;
    enum email_stream_end end = stream != NULL ? email_stream_end(stream) : EMAIL_STREAM_LOST;
    switch (code) {
    case MAILIMAP_ERROR_PARSE:
    case MAILIMAP_ERROR_PROTOCOL:
    case MAILIMAP_ERROR_MEMORY: /* a literal of a size nobody has */
        return EMAIL_GARBLED;
    case MAILIMAP_ERROR_STREAM:
    case MAILIMAP_ERROR_FATAL:
    case MAILIMAP_ERROR_BAD_STATE:
    case MAILIMAP_ERROR_DONT_ACCEPT_CONNECTION:
    case MAILIMAP_ERROR_CONNECTION_REFUSED:
        if (end == EMAIL_STREAM_FLOODED)
            return EMAIL_GARBLED;
        return end == EMAIL_STREAM_CUT ? EMAIL_CUT : EMAIL_LOST;
    default:
        return EMAIL_REFUSED;
    }
}

/* The response code of a refusal ("NONEXISTENT"), or "": words of RFC 5530, never free text. */
static const char *imap_refusal(const struct email_imap *imap)
{
    const struct mailimap_response_info *info = imap->session->imap_response_info;
    const char *atom = info != NULL ? info->rsp_atom : NULL;
    if (atom == NULL || strlen(atom) > 40 ||
        strspn(atom, "ABCDEFGHIJKLMNOPQRSTUVWXYZ-") != strlen(atom))
        return "";
    return atom;
}

int email_imap_settle(struct email_imap *imap, int code, const char *what, struct err *err)
{
    const mailstream *stream = imap->session->imap_stream;
    imap->trouble = EMAIL_FINE;
    if (email_imap_is_ok(code))
        return 0;
    imap->trouble = email_imap_trouble_of(imap, code);
    if (imap->trouble == EMAIL_REFUSED)
        return err_set(err, ERR_TRANSIENT, "cannot %s: the mail server refuses %s", what,
                       imap_refusal(imap));
    if (imap->trouble == EMAIL_GARBLED)
        return err_set(err, ERR_TRANSIENT, "cannot %s: the mail server's answer is not understood",
                       what);
    return err_set(err, ERR_TRANSIENT, "cannot %s: the connection is %s", what,
                   stream != NULL ? email_stream_failure(stream) : "closed");
}

void email_imap_limit(struct email_imap *imap, size_t bytes)
{
    email_stream_limit(imap->session->imap_stream, imap->deadline_ms, bytes);
}
/* --- Opening and closing --- */

static int imap_ask_capabilities(struct email_imap *imap, struct err *err)
{
    struct mailimap_capability_data *capabilities = NULL;
    int code = mailimap_capability(imap->session, &capabilities);
    if (capabilities != NULL)
        mailimap_capability_data_free(capabilities);
    return email_imap_settle(imap, code, "ask what the server can do", err);
}

static int imap_connect(struct email_imap *imap, struct err *err)
{
    const struct email_settings *settings = imap->settings;
    enum email_tls tls = email_settings_imap_tls(settings);
    imap->peer = (struct email_peer){.host = settings->imap_host,
                                     .port = email_settings_imap_port(settings),
                                     .loopback_only = tls == EMAIL_PLAIN,
                                     .ca_file = settings->ca_file};
    mailstream *stream =
        email_stream_open(&imap->peer, tls == EMAIL_TLS, imap->ch, imap->deadline_ms, err);
    if (stream == NULL)
        return -1;
    email_stream_limit(stream, imap->deadline_ms, IMAP_SMALL_BYTES);
    if (email_imap_settle(imap, mailimap_connect(imap->session, stream),
                          "read the server's greeting", err) != 0)
        return -1;
    if (tls != EMAIL_STARTTLS)
        return 0;
    /* PREAUTH before TLS would leave the whole session unprotected (RFC 3501, 6.2.1). */
    if (imap->session->imap_state != MAILIMAP_STATE_NON_AUTHENTICATED)
        return err_set(err, ERR_TRANSIENT, "cannot start TLS: the server skipped the login");
    if (imap_ask_capabilities(imap, err) != 0)
        return -1;
    if (!mailimap_has_extension(imap->session, "STARTTLS"))
        return err_set(err, ERR_CONFIG, "cannot start TLS: '%s' does not offer it",
                       settings->imap_host);
    if (email_imap_settle(imap, mailimap_starttls(imap->session), "start TLS", err) != 0)
        return -1;
    return email_stream_start_tls(imap->session->imap_stream, err);
}

/* AUTHENTICATE PLAIN with its answer in one line: for passwords LOGIN cannot carry. */
static int imap_login_plain(struct email_imap *imap, const char *user, const char *password)
{
    struct buf plain = BUF_INIT(IMAP_CREDENTIAL_BYTES);
    struct buf command = BUF_INIT(4 * IMAP_CREDENTIAL_BYTES);
    buf_add_char(&plain, '\0');
    buf_add_text(&plain, user);
    buf_add_char(&plain, '\0');
    buf_add_text(&plain, password);
    size_t size = sodium_base64_encoded_len(plain.len, sodium_base64_VARIANT_ORIGINAL);
    char *base64 = mem_calloc(size, 1);
    sodium_bin2base64(base64, size, (const unsigned char *)plain.data, plain.len,
                      sodium_base64_VARIANT_ORIGINAL);
    buf_addf(&command, "AUTHENTICATE PLAIN %s", base64);
    int code = mailimap_custom_command(imap->session, command.data);
    if (email_imap_is_ok(code))
        imap->session->imap_state = MAILIMAP_STATE_AUTHENTICATED;
    explicit_bzero(base64, size);
    free(base64);
    buf_wipe(&command);
    buf_wipe(&plain);
    return code;
}

static bool imap_is_ascii(const char *text)
{
    while (*text > 0)
        text++;
    return *text == '\0';
}

/* Refusals that mend themselves; every other one at login needs a person. */
static bool imap_is_passing(const char *refused)
{
    static const char *const words[] = {"UNAVAILABLE", "INUSE", "LIMIT", "SERVERBUG", NULL};
    for (const char *const *word = words; *word != NULL; word++) {
        if (strcmp(*word, refused) == 0)
            return true;
    }
    return false;
}

static int imap_login(struct email_imap *imap, const char *token, struct err *err)
{
    const char *user = email_settings_user(imap->settings);
    const char *password = imap->settings->password.data;
    int code;
    if (imap->session->imap_state == MAILIMAP_STATE_AUTHENTICATED)
        return 0;
    if (token != NULL)
        code = mailimap_oauth2_authenticate(imap->session, user, token);
    else if (mailimap_has_authentication(imap->session, "PLAIN") &&
             mailimap_has_extension(imap->session, "SASL-IR") &&
             (!imap_is_ascii(password) || !imap_is_ascii(user) ||
              mailimap_has_extension(imap->session, "LOGINDISABLED")))
        code = imap_login_plain(imap, user, password);
    else
        code = mailimap_login(imap->session, user, password);
    if (email_imap_settle(imap, code, "log in", err) == 0)
        return 0;
    if (imap->trouble == EMAIL_REFUSED && !imap_is_passing(imap_refusal(imap)))
        err->kind = ERR_CONFIG;
    return -1;
}

static int imap_select_mailbox(struct email_imap *imap, struct err *err)
{
    if (email_imap_settle(imap, mailimap_select(imap->session, imap->settings->mailbox),
                          "open the mailbox", err) != 0) {
        if (strcmp(imap_refusal(imap), "NONEXISTENT") == 0)
            err->kind = ERR_CONFIG;
        return -1;
    }
    imap->uidvalidity = imap->session->imap_selection_info->sel_uidvalidity;
    if (imap->uidvalidity == 0)
        return err_set(err, ERR_TRANSIENT, "cannot use the mailbox: it has no UIDVALIDITY");
    return 0;
}

int email_imap_open(struct email_imap *imap, const char *token, struct err *err)
{
    imap->session = mailimap_new(0, NULL);
    if (imap->session == NULL)
        abort();
    /* Asked again after each step: what an unprotected or strange server claimed does not count. */
    if (imap_connect(imap, err) != 0 || imap_ask_capabilities(imap, err) != 0 ||
        imap_login(imap, token, err) != 0 || imap_ask_capabilities(imap, err) != 0 ||
        imap_select_mailbox(imap, err) != 0) {
        email_imap_close(imap);
        return -1;
    }
    imap->can_idle = mailimap_has_idle(imap->session) != 0;
    imap->can_move = mailimap_has_extension(imap->session, "MOVE") != 0;
    imap->can_uidplus = mailimap_has_uidplus(imap->session) != 0;
    return 0;
}

void email_imap_close(struct email_imap *imap)
{
    mailimap *session = imap->session;
    if (session == NULL)
        return;
    if (session->imap_stream != NULL) {
        int64_t soon_ms = channel_now_ms(imap->ch) + IMAP_LOGOUT_MS;
        /* mailimap_free() says LOGOUT; on a stream that is out of step it would wait for nothing.
         */
        email_stream_limit(session->imap_stream,
                           imap->trouble == EMAIL_FINE || imap->trouble == EMAIL_REFUSED ? soon_ms
                                                                                         : 0,
                           IMAP_SMALL_BYTES);
    }
    mailimap_free(session);
    imap->session = NULL;
}
int email_imap_idle(struct email_imap *imap, int64_t until_ms, struct err *err)
{
    int64_t slice_ms = channel_now_ms(imap->ch) + EMAIL_IDLE_SLICE_MS;
    if (slice_ms < until_ms)
        until_ms = slice_ms;
    email_imap_limit(imap, IMAP_SMALL_BYTES);
    if (email_imap_settle(imap, mailimap_idle(imap->session), "wait for new mail", err) != 0)
        return -1;
    /* A failure shows when DONE is sent. */
    email_stream_wait(imap->session->imap_stream, until_ms);
    return email_imap_settle(imap, mailimap_idle_done(imap->session), "wait for new mail", err);
}
