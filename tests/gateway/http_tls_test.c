/* SPDX-License-Identifier: Apache-2.0 */
/* TLS as the server offers it, seen by a GnuTLS client: what is spoken, and what is refused. */
#include <arpa/inet.h>
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "gateway/http.h"

enum { PEM_MAX = 8192 };

static void secure(void *context, struct http_exchange *exchange)
{
    struct http_response response;
    bool is_secure = http_exchange_request(exchange)->secure;

    (void)context;
    http_response_init(&response, 200);
    http_response_text(&response, "text/plain", is_secure ? "secure" : "plain", is_secure ? 6 : 5);
    http_answer(exchange, &response);
}

static const struct http_route routes[] = {{"GET", "/", secure, 0}, {.method = NULL}};

/* A fresh self-signed certificate and its key, as PEM. */
static void make_certificate(char *certificate, char *key)
{
    gnutls_x509_privkey_t private_key;
    gnutls_x509_crt_t crt;
    size_t size = PEM_MAX;
    time_t now = time(NULL);

    gnutls_x509_privkey_init(&private_key);
    gnutls_x509_privkey_generate(private_key, GNUTLS_PK_ECDSA,
                                 GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP256R1), 0);
    gnutls_x509_crt_init(&crt);
    gnutls_x509_crt_set_version(crt, 3);
    gnutls_x509_crt_set_serial(crt, "\001", 1);
    gnutls_x509_crt_set_dn(crt, "CN=example.test", NULL);
    gnutls_x509_crt_set_key(crt, private_key);
    gnutls_x509_crt_set_activation_time(crt, now - 3600);
    gnutls_x509_crt_set_expiration_time(crt, now + 3600);
    assert_int_equal(gnutls_x509_crt_sign2(crt, crt, private_key, GNUTLS_DIG_SHA256, 0), 0);
    assert_int_equal(gnutls_x509_crt_export(crt, GNUTLS_X509_FMT_PEM, certificate, &size), 0);
    size = PEM_MAX;
    assert_int_equal(gnutls_x509_privkey_export(private_key, GNUTLS_X509_FMT_PEM, key, &size), 0);
    gnutls_x509_crt_deinit(crt);
    gnutls_x509_privkey_deinit(private_key);
}

/* One request by a client of these priorities; false when there is no handshake. */
static bool get(unsigned port, const char *priorities, char *answer, size_t size)
{
    static const char request[] =
        "GET / HTTP/1.1\r\nHost: example.test\r\nConnection: close\r\n\r\n";
    struct sockaddr_in address = {
        .sin_family = AF_INET,
        .sin_port = htons((in_port_t)port),
        .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
    };
    gnutls_certificate_credentials_t credentials;
    gnutls_session_t session;
    ssize_t len = GNUTLS_E_AGAIN;
    size_t used = 0;
    int code, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    gnutls_certificate_allocate_credentials(&credentials);
    gnutls_init(&session, GNUTLS_CLIENT);
    assert_int_equal(gnutls_priority_set_direct(session, priorities, NULL), 0);
    gnutls_credentials_set(session, GNUTLS_CRD_CERTIFICATE, credentials);
    gnutls_transport_set_int(session, fd);
    gnutls_handshake_set_timeout(session, 20 * 1000);
    do
        code = gnutls_handshake(session);
    while (code < 0 && !gnutls_error_is_fatal(code));
    if (code == 0) {
        gnutls_record_send(session, request, strlen(request));
        while (used < size - 1 && len != 0 && (len > 0 || !gnutls_error_is_fatal((int)len))) {
            len = gnutls_record_recv(session, answer + used, size - 1 - used);
            used += len > 0 ? (size_t)len : 0;
        }
    }
    answer[used] = '\0';
    gnutls_deinit(session);
    gnutls_certificate_free_credentials(credentials);
    close(fd);
    return code == 0;
}

static void versions_and_suites(void **state)
{
    static const struct {
        const char *priorities;
        bool accepted;
    } cases[] = {
        {"NORMAL:-VERS-ALL:+VERS-TLS1.3", true},
        {"NORMAL:-VERS-ALL:+VERS-TLS1.2", true},
        {"NORMAL:-VERS-ALL:+VERS-TLS1.1", false},
        {"NORMAL:-VERS-ALL:+VERS-TLS1.2:-CIPHER-ALL:+AES-128-CBC", false},
        {"NORMAL:-VERS-ALL:+VERS-TLS1.2:-KX-ALL:+RSA:+DHE-RSA", false},
    };
    char certificate[PEM_MAX], key[PEM_MAX], answer[4096];
    struct http_listener listener = {.name = "tls", .address = "127.0.0.1:0", .routes = routes};
    struct http_server *server = NULL;
    struct err err = ERR_INIT;

    (void)state;
    make_certificate(certificate, key);
    listener.tls_certificate = certificate;
    listener.tls_key = key;
    assert_int_equal(http_server_start(&listener, &server, &err), 0);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        bool accepted = get(http_server_port(server), cases[i].priorities, answer, sizeof(answer));

        if (accepted != cases[i].accepted)
            fail_msg("%s: %d", cases[i].priorities, accepted);
        if (accepted) {
            assert_non_null(strstr(answer, "\r\n\r\nsecure"));
            assert_non_null(strstr(answer, "\r\nStrict-Transport-Security: max-age=31536000"));
        }
    }
    http_server_stop(server);
}

static void a_wrong_key_is_named(void **state)
{
    char certificate[PEM_MAX], key[PEM_MAX], other[PEM_MAX];
    struct http_listener listener = {.name = "tls", .address = "127.0.0.1:0", .routes = routes};
    struct http_server *server = NULL;
    struct err err = ERR_INIT;

    (void)state;
    make_certificate(certificate, key);
    make_certificate(other, key);
    listener.tls_certificate = certificate;
    listener.tls_key = key;
    assert_int_equal(http_server_start(&listener, &server, &err), -1);
    assert_int_equal(err.kind, ERR_CONFIG);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(versions_and_suites),
        cmocka_unit_test(a_wrong_key_is_named),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
