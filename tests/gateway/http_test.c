/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The HTTP server seen from a raw socket: what it answers, what it refuses, and what it cuts off.
 * Waits are polls with a generous deadline; the server's own deadlines are shortened by its
 * listener's fields.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "gateway/http.h"
#include "gateway/process.h"
#include "normalize/mem.h"

enum { PATIENCE_MS = 20 * 1000, ECHO_MAX = 1000, LARGE_MAX = 1024 * 1024 };

/* --- The handlers under test --- */

static void answer_text(struct http_exchange *exchange, int status, const char *text, size_t len)
{
    struct http_response response;

    http_response_init(&response, status);
    http_response_text(&response, "text/plain; charset=utf-8", text, len);
    http_answer(exchange, &response);
}

static void hello(void *context, struct http_exchange *exchange)
{
    (void)context;
    answer_text(exchange, 200, "hello", 5);
}

static void echo(void *context, struct http_exchange *exchange)
{
    const struct http_request *request = http_exchange_request(exchange);

    (void)context;
    answer_text(exchange, 200, request->body, request->body_len);
}

static void info(void *context, struct http_exchange *exchange)
{
    const struct http_request *request = http_exchange_request(exchange);
    struct buf text = BUF_INIT(4096);

    (void)context;
    buf_addf(&text, "%s|%s|%s|%s|%s|%s|%s", request->method, request->path, request->query,
             request->language, request->wants_json ? "json" : "html",
             request->secure ? "secure" : "plain", http_exchange_client(exchange));
    answer_text(exchange, 200, text.data, text.len);
    buf_release(&text);
}

static void view(void *context, struct http_exchange *exchange)
{
    struct http_response response;

    (void)context;
    http_response_init(&response, 200);
    http_response_view(&response, "page", json_pack("{s:s, s:{s:i}}", "name", "x", "json", "n", 1));
    http_response_header(&response, "Cache-Control", "max-age=60");
    http_response_header(&response, "X-Split", "a\r\nSet-Cookie: b=c");
    http_answer(exchange, &response);
}

static int render(void *context, const struct http_request *request,
                  const struct http_response *response, struct buf *html)
{
    (void)context;
    if (strcmp(response->view, "page") != 0)
        return -1;
    buf_addf(html, "<p>%s %s", request->language,
             json_string_value(json_object_get(response->model, "name")));
    return 0;
}

static void *answer_later(void *context)
{
    struct http_exchange *exchange = context;
    const struct http_request *request = http_exchange_request(exchange);
    const struct timespec moment = {.tv_nsec = (long)(request->body_len % 3) * 5000000};

    nanosleep(&moment, NULL);
    answer_text(exchange, 202, request->body, request->body_len);
    return NULL;
}

/* Answers from another thread: before, while and after the connection is suspended. */
static void late(void *context, struct http_exchange *exchange)
{
    pthread_t thread;

    (void)context;
    assert_int_equal(pthread_create(&thread, NULL, answer_later, exchange), 0);
    pthread_detach(thread);
}

/* Keeps the exchange for the test to answer. */
static struct http_exchange *_Atomic held;

static void hold(void *context, struct http_exchange *exchange)
{
    (void)context;
    held = exchange;
}

static const struct http_route routes[] = {
    {"GET", "/hello", hello, 0},       {"POST", "/echo", echo, ECHO_MAX},
    {"POST", "/late", late, ECHO_MAX}, {"POST", "/large", echo, LARGE_MAX},
    {"GET", "/info/*", info, 0},       {"GET", "/view", view, 0},
    {"GET", "/hold", hold, 0},         {.method = NULL},
};

/* --- A client made of a socket --- */

static struct http_server *start(struct http_listener listener)
{
    struct http_server *server = NULL;
    struct err err = ERR_INIT;

    listener.name = "test";
    if (listener.address == NULL)
        listener.address = "127.0.0.1:0";
    listener.routes = routes;
    if (listener.threads == 0)
        listener.threads = 2;
    if (http_server_start(&listener, &server, &err) != 0)
        fail_msg("%s", err.text);
    return server;
}

static int dial(const struct http_server *server)
{
    struct sockaddr_in address = {
        .sin_family = AF_INET,
        .sin_port = htons((in_port_t)http_server_port(server)),
        .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
    };
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_true(fd >= 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    return fd;
}

/* False when the other end has closed. */
static bool put(int fd, const char *data, size_t len)
{
    while (len > 0) {
        ssize_t n = send(fd, data, len, MSG_NOSIGNAL);

        if (n <= 0)
            return false;
        data += n;
        len -= (size_t)n;
    }
    return true;
}

static void put_text(int fd, const char *text)
{
    put(fd, text, strlen(text));
}

/* One read; false at the end (also a reset). Fails the test when nothing comes at all. */
static bool get(int fd, struct buf *in)
{
    struct pollfd wait = {.fd = fd, .events = POLLIN};
    char data[4096];
    ssize_t n;

    if (poll(&wait, 1, PATIENCE_MS) != 1)
        fail_msg("the server neither answers nor closes");
    n = recv(fd, data, sizeof(data), 0);
    if (n <= 0)
        return false;
    buf_add(in, data, (size_t)n);
    return true;
}

struct answer {
    struct buf bytes; /* as received */
    int status;
    const char *body;
    bool closed; /* the connection ended behind it */
};

static size_t body_length(const char *headers)
{
    const char *length = strcasestr(headers, "\r\nContent-Length: ");

    return length == NULL ? 0 : strtoul(length + strlen("\r\nContent-Length: "), NULL, 10);
}

/* Reads one answer. With head, no body follows. */
static void read_answer(int fd, bool head, struct answer *answer)
{
    const char *end = NULL;

    buf_init(&answer->bytes, 4 * LARGE_MAX);
    answer->status = 0;
    answer->body = "";
    answer->closed = false;
    while (end == NULL || answer->bytes.len < (size_t)(end - answer->bytes.data) + 4 +
                                                  (head ? 0 : body_length(answer->bytes.data))) {
        if (!get(fd, &answer->bytes)) {
            answer->closed = true;
            break;
        }
        end = strstr(answer->bytes.data, "\r\n\r\n");
    }
    if (answer->bytes.len > 12)
        answer->status = (int)strtol(answer->bytes.data + 9, NULL, 10);
    if (end != NULL)
        answer->body = end + 4;
    if (strcasestr(answer->bytes.data, "\r\nConnection: close") != NULL)
        answer->closed = true;
}

static void ask(const struct http_server *server, const char *request, size_t len,
                struct answer *answer)
{
    int fd = dial(server);

    put(fd, request, len);
    read_answer(fd, strncmp(request, "HEAD", 4) == 0, answer);
    close(fd);
}

static void expect(const struct http_server *server, const char *request, int status,
                   const char *body)
{
    struct answer answer;

    ask(server, request, strlen(request), &answer);
    if (answer.status != status || (body != NULL && strcmp(answer.body, body) != 0))
        fail_msg("for [%s]\nwanted %d [%s]\ngot [%s]", request, status, body == NULL ? "" : body,
                 answer.bytes.data);
    buf_release(&answer.bytes);
}

/* Waits for the other end to close, reading what comes. */
static void expect_closed(int fd)
{
    struct buf in = BUF_INIT(1024 * 1024);

    while (get(fd, &in))
        ;
    buf_release(&in);
    close(fd);
}

#define H "Host: example.test\r\n"

/* --- Tests --- */

static void good_requests(void **state)
{
    static const struct {
        const char *request;
        int status;
        const char *body;
    } good[] = {
        {"GET /hello HTTP/1.1\r\n" H "\r\n", 200, "hello"},
        {"GET /hello HTTP/1.0\r\n\r\n", 200, "hello"},
        {"GET /hello HTTP/1.1\r\n" H "Empty:\r\nSpaces: a  \r\nTab:\ta\r\n\r\n", 200, "hello"},
        {"HEAD /hello HTTP/1.1\r\n" H "\r\n", 200, ""},
        {"POST /echo HTTP/1.1\r\n" H "Content-Length: 3\r\n\r\nabc", 200, "abc"},
        {"POST /echo HTTP/1.1\r\n" H "Content-Length: 0\r\n\r\n", 200, ""},
        {"POST /echo HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\n\r\n"
         "1\r\na\r\n2;x=y\r\nbc\r\n0\r\nTrailer: t\r\n\r\n",
         200, "abc"},
        {"GET /info/a%20b%2Fc?q=%20%zz HTTP/1.1\r\n" H "\r\n", 200,
         "GET|/info/a b/c|q=%20%zz|id|html|plain|127.0.0.1"},
        {"GET /info/...//a..b/.c HTTP/1.1\r\n" H "\r\n", 200,
         "GET|/info/...//a..b/.c||id|html|plain|127.0.0.1"},
        {"GET /info/ HTTP/1.1\r\n" H "Accept-Language: en-GB,en;q=0.9,id;q=0.8\r\n\r\n", 200,
         "GET|/info/||en|html|plain|127.0.0.1"},
        {"GET /info/ HTTP/1.1\r\n" H "Accept-Language: en;q=0.5, id\r\n\r\n", 200,
         "GET|/info/||id|html|plain|127.0.0.1"},
        {"GET /info/ HTTP/1.1\r\n" H "Accept-Language: eng, *;q=0.5\r\n\r\n", 200,
         "GET|/info/||id|html|plain|127.0.0.1"},
        {"GET /info/ HTTP/1.1\r\n" H "Accept: application/json, text/html;q=0.9\r\n\r\n", 200,
         "GET|/info/||id|json|plain|127.0.0.1"},
        {"GET /info/ HTTP/1.1\r\n" H "Accept: text/html,application/json\r\n\r\n", 200,
         "GET|/info/||id|html|plain|127.0.0.1"},
        {"GET /info/ HTTP/1.1\r\n" H "Content-Type: application/json; charset=utf-8\r\n\r\n", 200,
         "GET|/info/||id|json|plain|127.0.0.1"},
        /* Nobody is trusted here: these are just headers. */
        {"GET /info/ HTTP/1.1\r\n" H "X-Forwarded-For: 192.0.2.7\r\nX-Forwarded-Proto: "
         "https\r\n\r\n",
         200, "GET|/info/||id|html|plain|127.0.0.1"},
    };
    struct http_server *server = start((struct http_listener){0});

    (void)state;
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
        expect(server, good[i].request, good[i].status, good[i].body);
    http_server_stop(server);
}

/* Requests two readers might understand differently, and plain nonsense: refused, and the
 * connection ends, so that nothing behind them is taken for a request. */
static void bad_requests(void **state)
{
    static const struct {
        const char *request;
        int status; /* 0: closed without a word */
    } bad[] = {
        {"POST /echo HTTP/1.1\r\n" H "Content-Length: 3\r\nContent-Length: 3\r\n\r\nabc", 400},
        {"POST /echo HTTP/1.1\r\n" H "Content-Length: 3\r\nContent-Length: 5\r\n\r\nabcde", 400},
        {"POST /echo HTTP/1.1\r\n" H "Content-Length: 3, 3\r\n\r\nabc", 400},
        {"POST /echo HTTP/1.1\r\n" H "Content-Length: +3\r\n\r\nabc", 400},
        {"POST /echo HTTP/1.1\r\n" H "Content-Length: -1\r\n\r\nabc", 400},
        {"POST /echo HTTP/1.1\r\n" H "Content-Length:\r\n\r\nabc", 400},
        {"POST /echo HTTP/1.1\r\n" H "Content-Length: 99999999999999999999\r\n\r\nabc", 413},
        {"POST /echo HTTP/1.1\r\n" H "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n"
         "0\r\n\r\nGET /hello HTTP/1.1\r\n\r\n",
         400},
        {"POST /echo HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\nTransfer-Encoding: "
         "chunked\r\n\r\n0\r\n\r\n",
         400},
        {"POST /echo HTTP/1.1\r\n" H "Transfer-Encoding: identity, chunked\r\n\r\n0\r\n\r\n", 400},
        {"POST /echo HTTP/1.1\r\n" H "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", 400},
        {"POST /echo HTTP/1.0\r\n" H "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400},
        {"POST /echo HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\n\r\nzz\r\nabc\r\n", 400},
        {"POST /echo HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\n\r\n0x3\r\nabc\r\n", 400},
        {"POST /echo HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\n\r\n-1\r\nabc\r\n", 400},
        {"POST /echo HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\n\r\n3\r\nabcd\r\n0\r\n\r\n",
         400},
        {"POST /echo HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\n\r\n"
         "10000000000000003\r\nabc\r\n",
         413},
        {"GET /hello HTTP/1.1\r\n" H "A: b\r\n c\r\n\r\n", 400},
        {"GET /hello HTTP/1.1\r\n" H "A: b\r\n\tc\r\nD: e\r\n\r\n", 400},
        {"GET /hello HTTP/1.1\r\n " H "\r\n", 400},
        {"GET /hello HTTP/1.1\n" H "\r\n", 400},
        {"GET /hello HTTP/1.1\r\n" H "A: b\nContent-Length: 5\r\n\r\n", 400},
        {"GET /hello HTTP/1.1\r\n" H "A: b\rContent-Length: 5\r\n\r\n", 400},
        {"GET /hello HTTP/1.1\r\n" H "A : b\r\n\r\n", 400},
        {"GET /hello HTTP/1.1\r\n" H "A\r\n\r\n", 400},
        {"GET /hello HTTP/1.1\r\n" H "A: \001\r\n\r\n", 400},
        {"GET /hello HTTP/1.1\r\n" H H "\r\n", 400},
        {"GET /hello HTTP/1.1\r\n\r\n", 400},
        {"GET /hello HTTP/1.2\r\n" H "\r\n", 505},
        {"GET /hello HTTP/2.0\r\n" H "\r\n", 505},
        {"GET http://example.test/hello HTTP/1.1\r\n" H "\r\n", 400},
        {"GET /a%00b HTTP/1.1\r\n" H "\r\n", 400},
        {"GET /info/../hello HTTP/1.1\r\n" H "\r\n", 400},
        {"GET /info/%2e%2E/hello HTTP/1.1\r\n" H "\r\n", 400},
        {"GET /./hello HTTP/1.1\r\n" H "\r\n", 400},
        {"GET /info/.. HTTP/1.1\r\n" H "\r\n", 400},
        {"GET /a%0ab HTTP/1.1\r\n" H "\r\n", 400},
        {"GET /a%2 HTTP/1.1\r\n" H "\r\n", 400},
        {"GET /hello\r\n\r\n", 400},
        {"GET /he llo HTTP/1.1\r\n" H "\r\n", 0},
        {"\x16\x03\x01\x02\r\n\r\n", 0},
    };
    struct http_server *server = start((struct http_listener){0});

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        int fd = dial(server);
        struct answer answer;

        put_text(fd, bad[i].request);
        read_answer(fd, false, &answer);
        if ((answer.status != bad[i].status && !(bad[i].status == 0 && answer.status == 400)) ||
            !answer.closed || strstr(answer.bytes.data, "hello") != NULL)
            fail_msg("for [%s]\nwanted %d and a close\ngot [%s]", bad[i].request, bad[i].status,
                     answer.bytes.data);
        buf_release(&answer.bytes);
        expect_closed(fd);
    }
    http_server_stop(server);
}

static void nul_in_a_header(void **state)
{
    static const char request[] = "GET /hello HTTP/1.1\r\n" H "A: b\0c\r\nD: e\r\n\r\n";
    struct http_server *server = start((struct http_listener){0});
    struct answer answer;

    (void)state;
    ask(server, request, sizeof(request) - 1, &answer);
    assert_int_equal(answer.status, 400);
    buf_release(&answer.bytes);
    http_server_stop(server);
}

static void has(const struct answer *answer, const char *line)
{
    if (strstr(answer->bytes.data, line) == NULL)
        fail_msg("no [%s] in [%s]", line, answer->bytes.data);
}

static void errors_and_headers(void **state)
{
    static const char missing[] = "GET /missing HTTP/1.1\r\n" H "\r\n";
    static const char json[] =
        "GET /missing HTTP/1.1\r\n" H "Accept: application/json\r\nAccept-Language: en\r\n\r\n";
    static const char method[] = "PUT /echo HTTP/1.1\r\n" H "Content-Length: 2\r\n\r\nxy";
    struct http_server *server = start((struct http_listener){0});
    struct answer answer;

    (void)state;
    ask(server, missing, strlen(missing), &answer);
    assert_int_equal(answer.status, 404);
    has(&answer, "\r\nContent-Security-Policy: default-src 'none'; script-src 'self';");
    has(&answer, "\r\nX-Content-Type-Options: nosniff\r\n");
    has(&answer, "\r\nReferrer-Policy: no-referrer\r\n");
    has(&answer, "\r\nCross-Origin-Opener-Policy: same-origin\r\n");
    has(&answer, "\r\nCross-Origin-Resource-Policy: same-origin\r\n");
    has(&answer, "\r\nPermissions-Policy: geolocation=(self),");
    has(&answer, "\r\nCache-Control: no-store\r\n");
    has(&answer, "\r\nContent-Type: text/html; charset=utf-8\r\n");
    has(&answer, "<html lang=\"id\">");
    assert_null(strstr(answer.bytes.data, "Strict-Transport-Security"));
    assert_false(answer.closed);
    buf_release(&answer.bytes);

    ask(server, json, strlen(json), &answer);
    assert_string_equal(answer.body,
                        "{\"errors\":[{\"field\":null,\"message\":\"Page not found.\"}]}");
    buf_release(&answer.bytes);

    ask(server, method, strlen(method), &answer);
    assert_int_equal(answer.status, 405);
    has(&answer, "\r\nAllow: POST\r\n");
    buf_release(&answer.bytes);
    expect(server, "DELETE /hello HTTP/1.1\r\n" H "\r\n", 405, NULL);
    http_server_stop(server);
}

static void views(void **state)
{
    static const char html[] = "GET /view HTTP/1.1\r\n" H "\r\n";
    struct http_server *server = start((struct http_listener){.render = render});
    struct answer answer;

    (void)state;
    ask(server, html, strlen(html), &answer);
    assert_string_equal(answer.body, "<p>id x");
    has(&answer, "\r\nCache-Control: max-age=60\r\n");
    assert_null(strstr(answer.bytes.data, "no-store"));
    assert_null(strstr(answer.bytes.data, "Set-Cookie"));
    buf_release(&answer.bytes);
    expect(server, "GET /view HTTP/1.1\r\n" H "Accept: application/json\r\n\r\n", 200, "{\"n\":1}");
    /* The renderer has no page for errors: the built-in one steps in. */
    expect(server, "GET /missing HTTP/1.1\r\n" H "\r\n", 404, NULL);
    http_server_stop(server);
}

static void keep_alive_and_pipelining(void **state)
{
    static const char two[] = "POST /echo HTTP/1.1\r\n" H "Content-Length: 2\r\n\r\nab"
                              "POST /echo HTTP/1.1\r\n" H "Content-Length: 2\r\n\r\ncd";
    static const char refused[] = "PUT /hello HTTP/1.1\r\n" H "Content-Length: 31\r\n\r\n"
                                  "GET /hello HTTP/1.1\r\nHost: x\r\n\r\n";
    struct http_server *server = start((struct http_listener){0});
    struct answer answer;
    int fd = dial(server);

    (void)state;
    for (int i = 0; i < 3; i++) {
        put_text(fd, refused);
        read_answer(fd, false, &answer); /* the body is read as a body, not as a request */
        assert_int_equal(answer.status, 405);
        assert_false(answer.closed);
        buf_release(&answer.bytes);
    }
    put_text(fd, two);
    read_answer(fd, false, &answer);
    while (strstr(answer.bytes.data, "\r\n\r\ncd") == NULL)
        assert_true(get(fd, &answer.bytes));
    assert_non_null(strstr(answer.bytes.data, "\r\n\r\nabHTTP/1.1 200"));
    buf_release(&answer.bytes);
    close(fd);
    http_server_stop(server);
}

static void suspended_until_answered(void **state)
{
    struct http_server *server = start((struct http_listener){0});
    struct answer answer;
    int fd = dial(server);

    (void)state;
    for (int i = 0; i < 100; i++) {
        char request[200];

        snprintf(request, sizeof(request),
                 "POST /late HTTP/1.1\r\n" H "Content-Length: %d\r\n\r\n%.*s", i % 10, i % 10,
                 "0123456789");
        put_text(fd, request);
        read_answer(fd, false, &answer);
        assert_int_equal(answer.status, 202);
        assert_int_equal(strlen(answer.body), i % 10);
        buf_release(&answer.bytes);
    }
    close(fd);
    http_server_stop(server);
}

static void wait_for_held(void)
{
    const struct timespec moment = {.tv_nsec = 1000000};

    while (held == NULL)
        nanosleep(&moment, NULL);
}

/* The client may go away while its answer is being made. */
static void client_gone_before_the_answer(void **state)
{
    static const char request[] = "GET /hold HTTP/1.1\r\n" H "\r\n";
    struct http_server *server = start((struct http_listener){0});
    int fd = dial(server);

    (void)state;
    held = NULL;
    put_text(fd, request);
    wait_for_held();
    close(fd);
    assert_int_equal(http_server_busy(server), 1);
    answer_text(held, 200, "too late", 8);
    expect(server, "GET /hello HTTP/1.1\r\n" H "\r\n", 200, "hello");
    assert_int_equal(http_server_busy(server), 0);
    http_server_stop(server);
}

static void drain(void **state)
{
    static const char request[] = "GET /hold HTTP/1.1\r\n" H "\r\n";
    static const char another[] = "GET /hello HTTP/1.1\r\n" H "\r\n";
    struct http_server *server = start((struct http_listener){0});
    int fd = dial(server), other = dial(server);
    struct answer answer;

    (void)state;
    held = NULL;
    put_text(fd, request);
    put_text(other, another);
    read_answer(other, false, &answer);
    assert_int_equal(answer.status, 200);
    buf_release(&answer.bytes);
    wait_for_held();
    http_server_drain(server);
    put_text(other, another);
    read_answer(other, false, &answer);
    assert_int_equal(answer.status, 503);
    has(&answer, "\r\nRetry-After: 5\r\n");
    assert_true(answer.closed);
    buf_release(&answer.bytes);
    answer_text(held, 200, "done", 4);
    read_answer(fd, false, &answer);
    assert_string_equal(answer.body, "done");
    buf_release(&answer.bytes);
    close(fd);
    close(other);
    http_server_stop(server);
}

static char *post(const char *path, size_t len, const char *more, size_t *total)
{
    struct buf request = BUF_INIT(4 * LARGE_MAX);

    buf_addf(&request, "POST %s HTTP/1.1\r\n" H "Content-Length: %zu\r\n%s\r\n", path, len, more);
    for (size_t i = 0; i < len; i++)
        buf_add_char(&request, 'x');
    return buf_detach(&request, total);
}

static void body_limits(void **state)
{
    static const char chunks[] = "POST /echo HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\n\r\n";
    struct http_server *server = start((struct http_listener){.body_budget = LARGE_MAX / 2});
    struct answer answer;
    size_t len;
    char *request = post("/echo", ECHO_MAX, "", &len);
    int fd;

    (void)state;
    ask(server, request, len, &answer);
    assert_int_equal(answer.status, 200);
    buf_release(&answer.bytes);
    free(request);

    request = post("/echo", ECHO_MAX + 1, "", &len);
    ask(server, request, len, &answer);
    assert_int_equal(answer.status, 413);
    assert_false(answer.closed);
    buf_release(&answer.bytes);
    free(request);

    /* Who asks first is told at once, without sending the body. */
    expect(server,
           "POST /echo HTTP/1.1\r\n" H "Content-Length: 5000\r\nExpect: 100-continue\r\n\r\n", 413,
           NULL);
    expect(server, "POST /echo HTTP/1.1\r\n" H "Content-Length: 5000000000\r\n\r\n", 413, NULL);

    fd = dial(server);
    put_text(fd, chunks);
    for (int i = 0; i < 3; i++) {
        char chunk[520];

        snprintf(chunk, sizeof(chunk), "%x\r\n%0500d\r\n", 500, 0);
        put_text(fd, chunk);
    }
    put(fd, "0\r\n\r\n", 5);
    read_answer(fd, false, &answer);
    assert_int_equal(answer.status, 413);
    buf_release(&answer.bytes);
    close(fd);

    request = post("/large", LARGE_MAX, "", &len);
    ask(server, request, len, &answer);
    assert_int_equal(answer.status, 503);
    has(&answer, "\r\nRetry-After: 5\r\n");
    buf_release(&answer.bytes);
    free(request);
    /* And its memory is free again. */
    request = post("/large", LARGE_MAX / 2, "", &len);
    ask(server, request, len, &answer);
    assert_int_equal(answer.status, 200);
    buf_release(&answer.bytes);
    free(request);
    http_server_stop(server);
}

static void header_limit(void **state)
{
    struct http_server *server = start((struct http_listener){0});
    struct answer answer;

    (void)state;
    for (size_t size = 6000; size <= 60000; size += 3000) {
        struct buf request = BUF_INIT(100000);

        buf_add_text(&request, "GET /hello HTTP/1.1\r\n" H "A: ");
        while (request.len < size)
            buf_add_char(&request, 'a');
        buf_add_text(&request, "\r\n\r\n");
        ask(server, request.data, request.len, &answer);
        if (size < HTTP_HEADER_BYTES_MAX)
            assert_int_equal(answer.status, 200);
        else
            assert_true((answer.status == 431 || answer.status == 0) && answer.closed);
        buf_release(&answer.bytes);
        buf_release(&request);
    }
    http_server_stop(server);
}

/* Sends one byte at a time until the server ends it; false when it let all bytes pass. */
static bool trickle(int fd, const char *text, size_t times)
{
    for (size_t i = 0; i < times; i++) {
        struct pollfd wait = {.fd = fd, .events = POLLIN};

        if (poll(&wait, 1, 20) == 1 || !put(fd, text + i % strlen(text), 1))
            return true;
    }
    return false;
}

static void slow_headers_are_cut(void **state)
{
    struct http_server *server = start((struct http_listener){.header_ms = 300});
    int fd = dial(server), idle = dial(server);

    (void)state;
    put_text(fd, "GET /hello HTTP/1.1\r\n" H "A: ");
    assert_true(trickle(fd, "a", 1000));
    expect_closed(fd);
    expect_closed(idle);
    expect(server, "GET /hello HTTP/1.1\r\n" H "\r\n", 200, "hello");
    http_server_stop(server);
}

static void slow_bodies_are_cut(void **state)
{
    static const char head[] = "POST /echo HTTP/1.1\r\n" H "Content-Length: 1000\r\n\r\n";
    static const char chunked[] = "POST /echo HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\n\r\n";
    struct http_server *server = start((struct http_listener){.body_ms = 300, .body_rate = 1000});
    int fd = dial(server);

    (void)state;
    put_text(fd, head);
    assert_true(trickle(fd, "x", 999));
    expect_closed(fd);
    fd = dial(server);
    put_text(fd, chunked);
    assert_true(trickle(fd, "1\r\nx\r\n", 6 * 999));
    expect_closed(fd);
    http_server_stop(server);
}

/* A handler may take longer than any of the deadlines for bytes. */
static void handlers_have_no_deadline(void **state)
{
    static const char request[] = "GET /hold HTTP/1.1\r\n" H "\r\n";
    const struct timespec longer = {.tv_nsec = 600000000};
    struct http_server *server =
        start((struct http_listener){.header_ms = 200, .idle_ms = 200, .body_ms = 200});
    struct answer answer;
    int fd = dial(server);

    (void)state;
    held = NULL;
    put_text(fd, request);
    wait_for_held();
    nanosleep(&longer, NULL);
    answer_text(held, 200, "done", 4);
    read_answer(fd, false, &answer);
    assert_string_equal(answer.body, "done");
    buf_release(&answer.bytes);
    expect_closed(fd); /* idle afterwards */
    http_server_stop(server);
}

static void many_idle_connections(void **state)
{
    enum { MANY = 1000 };
    struct rlimit files = {0};
    struct http_server *server;
    int *fds = mem_calloc(MANY, sizeof(*fds));

    (void)state;
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    server = start((struct http_listener){.header_ms = 1500, .connections_max = 4 * MANY});
    for (int i = 0; i < MANY; i++)
        fds[i] = dial(server);
    for (int i = 0; i < 20; i++)
        expect(server, "GET /hello HTTP/1.1\r\n" H "\r\n", 200, "hello");
    for (int i = 0; i < MANY; i++)
        expect_closed(fds[i]);
    free(fds);
    http_server_stop(server);
}

static void connections_per_address(void **state)
{
    static const char request[] = "GET /hello HTTP/1.1\r\n" H "\r\n";
    struct http_server *server = start((struct http_listener){.per_address_max = 3, .threads = 1});
    int fds[3], extra;
    struct answer answer;

    (void)state;
    for (int i = 0; i < 3; i++) {
        fds[i] = dial(server);
        put_text(fds[i], request);
        read_answer(fds[i], false, &answer);
        assert_int_equal(answer.status, 200);
        buf_release(&answer.bytes);
    }
    extra = dial(server);
    put_text(extra, request);
    read_answer(extra, false, &answer);
    assert_int_equal(answer.status, 0);
    assert_true(answer.closed);
    buf_release(&answer.bytes);
    close(extra);
    close(fds[0]);
    /* One place is free again, once the server has seen the end of the other. */
    for (answer.status = 0; answer.status != 200; buf_release(&answer.bytes))
        ask(server, request, strlen(request), &answer);
    close(fds[1]);
    close(fds[2]);
    http_server_stop(server);
}

static void trusted_proxy(void **state)
{
    static const struct {
        const char *headers, *expected;
    } cases[] = {
        {"X-Forwarded-For: 203.0.113.9, 192.0.2.7\r\nX-Forwarded-Proto: https\r\n",
         "GET|/info/||id|html|secure|192.0.2.7"},
        {"X-Forwarded-For: 203.0.113.9\r\nX-Forwarded-For: 192.0.2.7\r\n",
         "GET|/info/||id|html|plain|192.0.2.7"},
        {"X-Forwarded-For: 2001:db8:1:2:3:4:5:6\r\nX-Forwarded-Proto: http\r\n",
         "GET|/info/||id|html|plain|2001:db8:1:2::"},
        {"X-Forwarded-For: unknown\r\n", "GET|/info/||id|html|plain|127.0.0.1"},
    };
    struct http_server *server =
        start((struct http_listener){.per_address_max = 1, .trusted_proxy = "127.0.0.1"});
    int other = dial(server); /* the proxy's own connections are not limited */

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char request[400];

        snprintf(request, sizeof(request), "GET /info/ HTTP/1.1\r\n" H "%s\r\n", cases[i].headers);
        expect(server, request, 200, cases[i].expected);
    }
    close(other);
    http_server_stop(server);
}

static void unix_socket(void **state)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    char folder[] = "/tmp/kanal-http-XXXXXX", listen_on[128];
    static const char request[] = "GET /info/ HTTP/1.1\r\n" H "\r\n";
    struct http_server *server;
    struct http_listener again = {.name = "again", .routes = routes};
    struct answer answer;
    struct stat file;
    struct err err = ERR_INIT;
    int fd;

    (void)state;
    assert_non_null(mkdtemp(folder));
    snprintf(listen_on, sizeof(listen_on), "unix:%s/socket", folder);
    snprintf(address.sun_path, sizeof(address.sun_path), "%s/socket", folder);
    /* A dead process's socket file is in the way. */
    fd = socket(AF_UNIX, SOCK_STREAM, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    close(fd);

    server = start((struct http_listener){.address = listen_on});
    assert_int_equal(stat(address.sun_path, &file), 0);
    assert_int_equal(file.st_mode & 0777, 0600);
    fd = socket(AF_UNIX, SOCK_STREAM, 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    put_text(fd, request);
    read_answer(fd, false, &answer);
    assert_string_equal(answer.body, "GET|/info/||id|html|plain|unix");
    buf_release(&answer.bytes);
    close(fd);
    again.address = listen_on;
    assert_int_equal(http_server_start(&again, &(struct http_server *){NULL}, &err), -1);
    assert_int_equal(err.kind, ERR_CONFIG);
    http_server_stop(server);
    assert_int_equal(access(address.sun_path, F_OK), -1);
    rmdir(folder);
}

static void bad_addresses(void **state)
{
    static const char *const bad[] = {
        "",       "127.0.0.1", "localhost:80", "127.0.0.1:x",       "127.0.0.1:65536",
        "[::1]x", "::1:80",    "unix:",        "unix:relative/path"};

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct http_listener listener = {.name = "bad", .address = bad[i], .routes = routes};
        struct http_server *server = NULL;
        struct err err = ERR_INIT;

        assert_int_equal(http_server_start(&listener, &server, &err), -1);
        assert_int_equal(err.kind, ERR_CONFIG);
    }
}

static const char *no_cookie(const struct http_request *request, const char *name)
{
    (void)name;
    return request->connection;
}

static void forms_and_cookies(void **state)
{
    static const char form[] = "a=1&b=x+y%20z%3D&empty=&bad=%4&nul=%00&a=2";
    static char cookies[] = "one=1; session=abc; x=session=no";
    struct http_request request = {.header = no_cookie, .connection = cookies};
    struct buf out = BUF_INIT(100);

    (void)state;
    assert_int_equal(http_form_field(form, strlen(form), "a", &out), 1);
    assert_string_equal(out.data, "1");
    assert_int_equal(http_form_field(form, strlen(form), "b", &out), 1);
    assert_string_equal(out.data, "x y z=");
    assert_int_equal(http_form_field(form, strlen(form), "empty", &out), 1);
    assert_string_equal(out.data, "");
    assert_int_equal(http_form_field(form, strlen(form), "none", &out), 0);
    assert_int_equal(http_form_field(form, strlen(form), "bad", &out), -1);
    assert_int_equal(http_form_field(form, strlen(form), "nul", &out), -1);
    assert_int_equal(http_cookie(&request, "session", &out), 1);
    assert_string_equal(out.data, "abc");
    assert_int_equal(http_cookie(&request, "sess", &out), 0);
    request.connection = NULL;
    assert_int_equal(http_cookie(&request, "session", &out), 0);
    buf_release(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(good_requests),
        cmocka_unit_test(bad_requests),
        cmocka_unit_test(nul_in_a_header),
        cmocka_unit_test(errors_and_headers),
        cmocka_unit_test(views),
        cmocka_unit_test(keep_alive_and_pipelining),
        cmocka_unit_test(suspended_until_answered),
        cmocka_unit_test(client_gone_before_the_answer),
        cmocka_unit_test(drain),
        cmocka_unit_test(body_limits),
        cmocka_unit_test(header_limit),
        cmocka_unit_test(slow_headers_are_cut),
        cmocka_unit_test(slow_bodies_are_cut),
        cmocka_unit_test(handlers_have_no_deadline),
        cmocka_unit_test(many_idle_connections),
        cmocka_unit_test(connections_per_address),
        cmocka_unit_test(trusted_proxy),
        cmocka_unit_test(unix_socket),
        cmocka_unit_test(bad_addresses),
        cmocka_unit_test(forms_and_cookies),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
