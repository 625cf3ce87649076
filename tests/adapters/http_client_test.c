/* SPDX-License-Identifier: Apache-2.0 */
/* The HTTP client against a scripted server: what it sends, what it takes, what it refuses. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "adapters/http_client.h"
#include "mail_peer.h"

struct fixture {
    struct peer_listener listener;
    const char *answer;
    struct http_client *client;
    char url[64];
};

static void serve(struct peer *peer, void *context)
{
    const struct fixture *f = context;
    char line[4096];

    while (peer_line(peer, line, sizeof line) && line[0] != '\0')
        tell("%s", line);
    peer_say(peer, "%s", f->answer);
}

static int setup(void **state)
{
    struct fixture *f = mem_calloc(1, sizeof *f);

    story_clear();
    f->listener.serve = serve;
    f->listener.context = f;
    peer_listen(&f->listener);
    snprintf(f->url, sizeof f->url, "http://127.0.0.1:%d/x?y=z", f->listener.port);
    f->client = http_client_create();
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    http_client_free(f->client);
    peer_unlisten(&f->listener);
    free(f);
    return 0;
}

static int call(struct fixture *f, const struct http_client_request *request,
                struct http_client_answer *answer, struct err *err)
{
    struct http_client_request asked = *request;

    if (asked.url == NULL)
        asked.url = f->url;
    if (asked.answer_max == 0)
        asked.answer_max = 100;
    return http_client_call(f->client, &asked, answer, err);
}

static void asks_and_takes(void **state)
{
    static const char *const headers[] = {"X-One: 1", "X-Two: 2", NULL};
    struct fixture *f = *state;
    struct http_client_answer answer;
    struct buf value = BUF_INIT(100);
    struct err err = ERR_INIT;

    f->answer =
        "HTTP/1.1 100 Continue\r\nX-Early: no\r\n\r\nHTTP/1.1 503 Busy\r\nretry-after: 7\r\n"
        "X-Late:  yes\r\nConnection: close\r\n\r\nsoon";
    assert_int_equal(call(f,
                          &(struct http_client_request){
                              .method = "PUT", .headers = headers, .body = "a=b", .body_len = 3},
                          &answer, &err),
                     0);
    STORY("PUT /x?y=z HTTP/1.1", "X-One: 1", "X-Two: 2", "Content-Length: 3");
    assert_int_equal(story_count("Expect"), 0);
    assert_int_equal(answer.status, 503);
    assert_int_equal(answer.retry_after_s, 7);
    assert_memory_equal(answer.body.data, "soon", 4);
    assert_int_equal(http_client_header(&answer, "x-late", &value), 1);
    assert_string_equal(value.data, "yes");
    assert_int_equal(http_client_header(&answer, "X-Early", &value), 0);
    assert_int_equal(http_client_header(&answer, "X-La", &value), 0);
    http_client_answer_release(&answer);
    buf_release(&value);
}

static void follows_no_redirect_and_no_proxy(void **state)
{
    struct fixture *f = *state;
    struct http_client_answer answer;
    struct err err = ERR_INIT;

    setenv("http_proxy", "http://127.0.0.1:1/", 1);
    setenv("ALL_PROXY", "http://127.0.0.1:1/", 1);
    f->answer = "HTTP/1.1 302 Found\r\nLocation: /elsewhere\r\nConnection: close\r\n\r\n";
    assert_int_equal(call(f, &(struct http_client_request){.method = NULL}, &answer, &err), 0);
    assert_int_equal(answer.status, 302);
    assert_int_equal(story_count("GET /x"), 1);
    assert_int_equal(story_count("elsewhere"), 0);
    http_client_answer_release(&answer);
    unsetenv("http_proxy");
    unsetenv("ALL_PROXY");
}

static void speaks_over_a_unix_socket(void **state)
{
    struct fixture *f = *state;
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    struct http_client_answer answer;
    struct err err = ERR_INIT;
    char folder[] = "/tmp/kanal-test-XXXXXX";

    assert_non_null(mkdtemp(folder));
    snprintf(address.sun_path, sizeof address.sun_path, "%s/s", folder);
    peer_unlisten(&f->listener);
    f->listener.fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(f->listener.fd, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(f->listener.fd, 1), 0);
    atomic_store(&f->listener.stop, false);
    pthread_create(&f->listener.thread, NULL, peer_run, &f->listener);
    f->answer = "HTTP/1.1 204 Fine\r\nConnection: close\r\n\r\n";
    assert_int_equal(call(f,
                          &(struct http_client_request){.url = "http://core/tickets",
                                                        .unix_socket = address.sun_path},
                          &answer, &err),
                     0);
    assert_int_equal(answer.status, 204);
    STORY("GET /tickets", "Host: core");
    http_client_answer_release(&answer);
    unlink(address.sun_path);
    rmdir(folder);
}

static void refuses(void **state)
{
    static const char *const smuggled[] = {"X: a\r\nY: b", NULL}, *const nameless[] = {"X", NULL};
    static const char whole[] =
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\n12345";
    static const struct {
        const char *what;
        struct http_client_request request;
        const char *answer;
        enum err_kind kind;
    } cases[] = {
        {"a large body", {.answer_max = 4}, whole, ERR_PERMANENT},
        {"half a body",
         {.answer_max = 100},
         "HTTP/1.1 200 OK\r\nContent-Length: 50\r\nConnection: close\r\n\r\n12345",
         ERR_TRANSIENT},
        {"no HTTP", {.answer_max = 100}, "220 smtp ready", ERR_TRANSIENT},
        {"another protocol", {.url = "file:///etc/passwd"}, whole, ERR_CONFIG},
        {"a third protocol", {.url = "gopher://127.0.0.1/"}, whole, ERR_CONFIG},
        {"no url", {.url = "http://"}, whole, ERR_CONFIG},
        {"nobody there", {.url = "http://127.0.0.1:1/"}, whole, ERR_TRANSIENT},
        {"no TLS there", {.url = "https"}, "nonsense", ERR_TRANSIENT},
        {"a header in a header", {.headers = smuggled}, whole, ERR_CONFIG},
        {"a header without a name", {.headers = nameless}, whole, ERR_CONFIG},
    };
    struct fixture *f = *state;

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct http_client_request request = cases[i].request;
        struct http_client_answer answer;
        struct err err = ERR_INIT;
        char https[64];

        snprintf(https, sizeof https, "https://127.0.0.1:%d/", f->listener.port);
        if (request.url != NULL && strcmp(request.url, "https") == 0)
            request.url = https;
        f->answer = cases[i].answer;
        if (call(f, &request, &answer, &err) == 0)
            fail_msg("%s: taken", cases[i].what);
        if (err.kind != cases[i].kind)
            fail_msg("%s: %s: %s", cases[i].what, err_kind_name(err.kind), err.text);
    }
}

/* Certificates nobody vouches for are refused: the test's own authority is not the system's. */
static void verifies_certificates(void **state)
{
    struct fixture *f = *state;
    struct peer_tls tls;
    struct http_client_answer answer;
    struct err err = ERR_INIT;
    char url[64];

    peer_tls_init(&tls, "localhost");
    f->answer = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
    f->listener.tls = &tls;
    snprintf(url, sizeof url, "https://localhost:%d/", f->listener.port);
    assert_int_equal(call(f, &(struct http_client_request){.url = url}, &answer, &err), -1);
    assert_int_equal(err.kind, ERR_TRANSIENT);
    assert_int_equal(story_count("GET"), 0);
    err_clear(&err);
    if (call(f, &(struct http_client_request){.url = url, .ca_file = tls.ca_path}, &answer, &err) !=
        0)
        fail_msg("%s", err.text);
    http_client_answer_release(&answer);
    err_clear(&err);
    snprintf(url, sizeof url, "https://127.0.0.1:%d/", f->listener.port);
    assert_int_equal(
        call(f, &(struct http_client_request){.url = url, .ca_file = tls.ca_path}, &answer, &err),
        -1);
    peer_tls_release(&tls);
}

static void *cancel_soon(void *context)
{
    const struct timespec moment = {.tv_nsec = 100 * 1000 * 1000};

    nanosleep(&moment, NULL);
    http_client_cancel(context);
    return NULL;
}

/* A server that takes the connection and says nothing would hold the call for a minute. */
static void hangs_up_when_cancelled(void **state)
{
    struct fixture *f = *state;
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t len = sizeof address;
    int listening = socket(AF_INET, SOCK_STREAM, 0);
    struct http_client_answer answer;
    struct err err = ERR_INIT;
    pthread_t thread;
    char url[64];

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_int_equal(bind(listening, (struct sockaddr *)&address, len), 0);
    assert_int_equal(listen(listening, 4), 0);
    getsockname(listening, (struct sockaddr *)&address, &len);
    snprintf(url, sizeof url, "http://127.0.0.1:%d/", ntohs(address.sin_port));
    pthread_create(&thread, NULL, cancel_soon, f->client);
    assert_int_equal(call(f, &(struct http_client_request){.url = url}, &answer, &err), -1);
    assert_int_equal(err.kind, ERR_TRANSIENT);
    assert_non_null(strstr(err.text, "aborted"));
    pthread_join(thread, NULL);
    err_clear(&err);
    f->answer = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
    assert_int_equal(call(f, &(struct http_client_request){.url = NULL}, &answer, &err), -1);
    assert_int_equal(story_count("GET"), 0);
    close(listening);
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(asks_and_takes),
        CASE(follows_no_redirect_and_no_proxy),
        CASE(speaks_over_a_unix_socket),
        CASE(refuses),
        CASE(verifies_certificates),
        CASE(hangs_up_when_cancelled),
    };
    int failed;

    signal(SIGPIPE, SIG_IGN);
    failed = cmocka_run_group_tests(tests, NULL, NULL);
    buf_release(&story);
    return failed;
}
