/* SPDX-License-Identifier: Apache-2.0 */
/* Sources: libesmtp 1.1.0, OpenSSL 3.0 SSL_CTX_set_verify(3), RFC 5321 4.2. */
#include "adapters/email_smtp.h"

#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdarg.h>
#include <stddef.h>

#include <auth-client.h>
#include <libesmtp.h>

#include <arpa/inet.h>
#include <ctype.h>
#include <netdb.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

#include "normalize/buf.h"

/* One delivery, for libesmtp's callbacks. */
struct smtp_call {
    const struct email_settings *settings;
    bool logging_in;   /* the answers that come are to the login */
    int refusal;       /* the latest answer of 400 or more */
    int login_refusal; /* the same of the login, unless it succeeded in the end */
    long bad_verdict;  /* why OpenSSL refused the certificate; X509_V_OK: it did not */
};

/* --- The certificate --- */

static int smtp_call_note_verdict(int fine, X509_STORE_CTX *store)
{
    const SSL *ssl = X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx());
    struct smtp_call *call = SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));
    if (!fine)
        call->bad_verdict = X509_STORE_CTX_get_error(store);
    return fine;
}

/* The only place before the first TLS byte where the connection's SSL can be reached: libesmtp
 * makes it, and gives the server no name to choose its certificate by. */
static void smtp_call_name_server(const SSL *ssl, int where, int value)
{
    const struct smtp_call *call = SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));
    unsigned char binary[sizeof(struct in6_addr)];
    const char *host = call->settings->smtp_host;
    (void)value;
    if ((where & SSL_CB_HANDSHAKE_START) != 0 && inet_pton(AF_INET, host, binary) != 1 &&
        inet_pton(AF_INET6, host, binary) != 1)
        SSL_ctrl((SSL *)(uintptr_t)ssl, SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name,
                 (char *)(uintptr_t)host);
}

static SSL_CTX *smtp_call_make_tls(struct smtp_call *call, struct err *err)
{
    const struct email_settings *settings = call->settings;
    SSL_CTX *tls = SSL_CTX_new(TLS_client_method());
    if (tls == NULL)
        abort();
    SSL_CTX_set_app_data(tls, call);
    SSL_CTX_set_min_proto_version(tls, TLS1_2_VERSION);
    /* TLS 1.3 sends tickets behind the handshake; libesmtp takes them for the answer to a command
     * it has not written yet, and waits until it times out. */
    SSL_CTX_set_max_proto_version(tls, TLS1_2_VERSION);
    SSL_CTX_set_verify(tls, SSL_VERIFY_PEER, smtp_call_note_verdict);
    SSL_CTX_set_info_callback(tls, smtp_call_name_server);
    X509_VERIFY_PARAM *verify = SSL_CTX_get0_param(tls);
    if (X509_VERIFY_PARAM_set1_ip_asc(verify, settings->smtp_host) != 1 &&
        X509_VERIFY_PARAM_set1_host(verify, settings->smtp_host, 0) != 1)
        abort();
    int loaded = settings->ca_file != NULL
                     ? SSL_CTX_load_verify_locations(tls, settings->ca_file, NULL)
                     : SSL_CTX_set_default_verify_paths(tls);
    if (loaded == 1)
        return tls;
    SSL_CTX_free(tls);
    err_set(err, ERR_CONFIG, "cannot read trusted certificates from %s",
            settings->ca_file != NULL ? "ca_file" : "the system");
    return NULL;
}

/* --- What libesmtp asks --- */

static void smtp_call_on_event(smtp_session_t session, int event, void *context, ...)
{
    va_list args;
    (void)session;
    (void)context;
    va_start(args, context);
    /* The configured name was verified in the handshake; libesmtp's own comparison is with the
     * name the DNS gave, and knows no addresses. Every other certificate event stays refused. */
    if (event == SMTP_EV_WRONG_PEER_CERTIFICATE)
        *va_arg(args, int *) = 1;
    va_end(args);
}

static void smtp_call_take_answer(struct smtp_call *call, int code)
{
    if (code >= 400)
        call->refusal = code;
    if (call->logging_in)
        call->login_refusal = code >= 400 ? code : 0;
}

/* Sees the dialogue; keeps only which answers were refusals. libesmtp goes on after a refused
 * login, and what the server says then ("relay access denied") would hide the reason. */
static void smtp_call_on_traffic(const char *data, int len, int writing, void *context)
{
    struct smtp_call *call = context;
    int line = 0;
    if (writing != 0) {
        if (len > 5 && strncmp(data, "AUTH ", 5) == 0)
            call->logging_in = true;
        else if (len > 5 && (strncmp(data, "MAIL ", 5) == 0 || strncmp(data, "QUIT", 4) == 0))
            call->logging_in = false;
        return;
    }
    for (int i = 0; i < len; i++) {
        if (i == line && len - i >= 3 && isdigit((unsigned char)data[i]) &&
            isdigit((unsigned char)data[i + 1]) && isdigit((unsigned char)data[i + 2]))
            smtp_call_take_answer(call, (data[i] - '0') * 100 + (data[i + 1] - '0') * 10 +
                                            (data[i + 2] - '0'));
        if (data[i] == '\n')
            line = i + 1;
    }
}

static int smtp_call_on_login(auth_client_request_t request, char **result, int fields,
                              void *context)
{
    const struct smtp_call *call = context;
    for (int i = 0; i < fields; i++) {
        const char *value = NULL;
        if ((request[i].flags & AUTH_USER) != 0)
            value = email_settings_smtp_user(call->settings);
        else if ((request[i].flags & AUTH_PASS) != 0)
            value = email_settings_smtp_password(call->settings);
        /* libesmtp only reads it. */
        result[i] = (char *)(uintptr_t)value;
    }
    return 1;
}

/* --- One delivery --- */

static void smtp_call_set_timeouts(smtp_session_t session)
{
    static const struct {
        int which;
        long ms;
    } waits[] = {{Timeout_GREETING, EMAIL_SMTP_WAIT_MS},
                 {Timeout_ENVELOPE, EMAIL_SMTP_WAIT_MS},
                 {Timeout_DATA, EMAIL_SMTP_WAIT_MS},
                 {Timeout_TRANSFER, EMAIL_SMTP_WAIT_MS},
                 {Timeout_DATA2, EMAIL_SMTP_ACCEPT_MS}};
    for (size_t i = 0; i < sizeof waits / sizeof waits[0]; i++)
        smtp_set_timeout(session, waits[i].which | Timeout_OVERRIDE_RFC2822_MINIMUM, waits[i].ms);
}

/* Without TLS every address the host has must be this machine's. */
static int smtp_call_check_loopback(const char *host, struct err *err)
{
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
    struct addrinfo *addresses = NULL;
    int code = getaddrinfo(host, NULL, &hints, &addresses);
    bool local = true;
    if (code != 0)
        return err_set(err, ERR_TRANSIENT, "cannot find '%s': %s", host, gai_strerror(code));
    for (const struct addrinfo *one = addresses; one != NULL; one = one->ai_next) {
        const struct sockaddr_in *in = (const void *)one->ai_addr;
        const struct sockaddr_in6 *in6 = (const void *)one->ai_addr;
        if (one->ai_family == AF_INET6)
            local = local && IN6_IS_ADDR_LOOPBACK(&in6->sin6_addr);
        else
            local = local && ntohl(in->sin_addr.s_addr) >> 24 == 127;
    }
    freeaddrinfo(addresses);
    return local ? 0
                 : err_set(err, ERR_CONFIG, "cannot use '%s' without TLS: it is not this machine",
                           host);
}

static int smtp_call_judge_code(int code, const char *what, struct err *err)
{
    enum err_kind kind = ERR_TRANSIENT;
    if (code == 530 || code == 534 || code == 535 || code == 538)
        kind = ERR_CONFIG;
    else if (code / 100 == 5)
        kind = ERR_PERMANENT;
    return err_set(err, kind, "cannot send a mail: the server answers %d to %s", code, what);
}

/* Why no answer to the mail itself was reached. */
static int smtp_call_judge_session(const struct smtp_call *call, int code, struct err *err)
{
    if (call->bad_verdict != X509_V_OK)
        return err_set(err, ERR_TRANSIENT, "cannot trust the certificate of '%s': %s",
                       call->settings->smtp_host, X509_verify_cert_error_string(call->bad_verdict));
    if (code < 0)
        return err_set(err, ERR_TRANSIENT, "cannot connect to '%s': %s", call->settings->smtp_host,
                       strerror(-code));
    if (code == SMTP_ERR_EXTENSION_NOT_AVAILABLE)
        return err_set(err, ERR_CONFIG, "cannot send a mail: '%s' offers no STARTTLS",
                       call->settings->smtp_host);
    if (call->refusal != 0)
        return smtp_call_judge_code(call->refusal, "the session", err);
    return err_set(err, ERR_TRANSIENT, "cannot send a mail: no answer (%d)", code);
}

/* libesmtp calls a session that delivered nothing a success: each answer is looked at. */
static int smtp_call_judge(const struct smtp_call *call, bool started, int code,
                           smtp_message_t message, smtp_recipient_t recipient, struct err *err)
{
    int sender = smtp_reverse_path_status(message)->code;
    int taken = smtp_recipient_status(recipient)->code;
    int transfer = smtp_message_transfer_status(message)->code;
    if (started && taken / 100 == 2 && transfer / 100 == 2)
        return 0;
    if (call->login_refusal != 0)
        return err_set(err, call->login_refusal / 100 == 5 ? ERR_CONFIG : ERR_TRANSIENT,
                       "cannot log in to '%s': it answers %d", call->settings->smtp_host,
                       call->login_refusal);
    if (sender >= 400)
        return smtp_call_judge_code(sender, "the sender", err);
    if (taken >= 400)
        return smtp_call_judge_code(taken, "the recipient", err);
    if (transfer >= 400)
        return smtp_call_judge_code(transfer, "the message", err);
    return smtp_call_judge_session(call, code, err);
}

static int smtp_call_deliver(struct smtp_call *call, smtp_session_t session, auth_context_t login,
                             const char *envelope_from, const char *to, const char *mail,
                             struct err *err)
{
    const struct email_settings *settings = call->settings;
    const char *hostname =
        settings->hostname != NULL ? settings->hostname : email_settings_domain(settings);
    smtp_message_t message = smtp_add_message(session);
    struct buf server = BUF_INIT(512);
    if (message == NULL)
        abort();
    buf_addf(&server, "%s:%d", settings->smtp_host, email_settings_smtp_port(settings));
    smtp_set_server(session, server.data);
    buf_release(&server);
    smtp_set_hostname(session, hostname);
    smtp_set_eventcb(session, smtp_call_on_event, call);
    smtp_set_monitorcb(session, smtp_call_on_traffic, call, 0);
    smtp_call_set_timeouts(session);
    if (email_settings_smtp_user(settings) != NULL) {
        auth_set_mechanism_flags(login, AUTH_PLUGIN_PLAIN, 0);
        auth_set_interact_cb(login, smtp_call_on_login, call);
        smtp_auth_set_context(session, login);
    }
    smtp_set_reverse_path(message, envelope_from);
    smtp_recipient_t recipient = smtp_add_recipient(message, to);
    if (recipient == NULL || smtp_set_message_str(message, (void *)(uintptr_t)mail) == 0)
        abort();
    bool started = smtp_start_session(session) != 0;
    return smtp_call_judge(call, started, smtp_errno(), message, recipient, err);
}

int email_smtp_send(const struct email_settings *settings, const char *envelope_from,
                    const char *to, const char *mail, struct err *err)
{
    struct smtp_call call = {.settings = settings, .bad_verdict = X509_V_OK};
    bool plain = email_settings_smtp_tls(settings) == EMAIL_PLAIN;
    smtp_session_t session = NULL;
    auth_context_t login = NULL;
    SSL_CTX *tls = NULL;
    int result = -1;
    if (plain && smtp_call_check_loopback(settings->smtp_host, err) != 0)
        goto out;
    session = smtp_create_session();
    login = auth_create_context();
    if (session == NULL || login == NULL)
        abort();
    if (!plain) {
        tls = smtp_call_make_tls(&call, err);
        if (tls == NULL)
            goto out;
        smtp_starttls_set_ctx(session, tls);
        smtp_starttls_enable(session, Starttls_REQUIRED);
    }
    result = smtp_call_deliver(&call, session, login, envelope_from, to, mail, err);
out:
    if (session != NULL)
        smtp_destroy_session(session);
    if (login != NULL)
        auth_destroy_context(login);
    SSL_CTX_free(tls);
    return result;
}
