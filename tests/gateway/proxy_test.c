/* SPDX-License-Identifier: Apache-2.0 */
/* The proxy between a staff listener and a core that only echoes what it was asked. */
#include <setjmp.h>
#include <stdarg.h>
#include <unistd.h>

#include <cmocka.h>

#include "adapters/http_client.h"
#include "gateway/http.h"
#include "gateway/proxy.h"
#include "normalize/mem.h"

static void add_header(struct buf *text, const struct http_request *request, const char *name)
{
    const char *value = request->header(request, name);

    buf_addf(text, "|%s", value == NULL ? "-" : value);
}

static void echo(void *context, struct http_exchange *exchange)
{
    const struct http_request *request = http_exchange_request(exchange);
    struct http_response response;
    struct buf text = BUF_INIT(10000);

    (void)context;
    buf_addf(&text, "%s|%s|%s|%s|%s|%s", request->method, request->path, request->query,
             request->body, request->secure ? "secure" : "plain", http_exchange_client(exchange));
    add_header(&text, request, "Cookie");
    add_header(&text, request, "Host");
    add_header(&text, request, "Sec-Fetch-Site");
    add_header(&text, request, "X-Secret");
    http_response_init(&response, 203);
    http_response_text(&response, "text/x-echo", text.data, text.len);
    http_response_header(&response, "Set-Cookie", "a=b");
    http_response_header(&response, "Location", "/elsewhere");
    http_response_header(&response, "X-Inner", "stays");
    http_answer(exchange, &response);
    buf_release(&text);
}

static const struct http_route echo_routes[] = {
    {"GET", "/*", echo, 0}, {"POST", "/*", echo, 10000}, {.method = NULL}};

struct fixture {
    char folder[32], address[64];
    struct http_server *core, *staff;
    struct proxy *proxy;
    struct http_client *client;
};

static int set_up(void **state)
{
    struct fixture *f = mem_calloc(1, sizeof(*f));
    struct http_listener listener = {
        .name = "core", .routes = echo_routes, .trusted_proxy = "unix"};
    struct err err = ERR_INIT;

    snprintf(f->folder, sizeof(f->folder), "/tmp/kanal-proxy-XXXXXX");
    assert_non_null(mkdtemp(f->folder));
    snprintf(f->address, sizeof(f->address), "unix:%s/core.sock", f->folder);
    listener.address = f->address;
    assert_int_equal(http_server_start(&listener, &f->core, &err), 0);
    assert_int_equal(proxy_start(f->address + strlen("unix:"), &f->proxy, &err), 0);
    listener = (struct http_listener){.name = "staff",
                                      .address = "127.0.0.1:0",
                                      .routes = proxy_routes,
                                      .context = f->proxy,
                                      .trusted_proxy = "127.0.0.1"};
    assert_int_equal(http_server_start(&listener, &f->staff, &err), 0);
    f->client = http_client_create();
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    http_client_free(f->client);
    http_server_stop(f->staff);
    proxy_stop(f->proxy);
    http_server_stop(f->core);
    rmdir(f->folder);
    free(f);
    return 0;
}

static struct http_client_answer ask(struct fixture *f, const char *target, const char *body)
{
    static const char *const headers[] = {"Cookie: session=1",
                                          "Host: petugas.example.test",
                                          "Sec-Fetch-Site: same-origin",
                                          "X-Secret: no",
                                          "X-Forwarded-For: 192.0.2.7",
                                          "X-Forwarded-Proto: https",
                                          NULL};
    struct buf url = BUF_INIT(1000);
    struct http_client_request request = {.headers = headers,
                                          .body = body,
                                          .body_len = body == NULL ? 0 : strlen(body),
                                          .answer_max = 100000};
    struct http_client_answer answer;
    struct err err = ERR_INIT;

    buf_addf(&url, "http://127.0.0.1:%u%s", http_server_port(f->staff), target);
    request.url = url.data;
    if (http_client_call(f->client, &request, &answer, &err) != 0)
        fail_msg("%s", err.text);
    buf_release(&url);
    return answer;
}

static void relays(void **state)
{
    static const struct {
        const char *target, *body, *expected;
    } cases[] = {
        {"/", NULL, "GET|/|||secure|192.0.2.7|session=1|petugas.example.test|same-origin|-"},
        {"/t/A%20b%25%C3%A9?state=a%26b&x", NULL,
         "GET|/t/A b%\303\251|state=a%26b&x||secure|192.0.2.7|session=1|petugas.example.test|"
         "same-origin|-"},
        {"/login", "name=a&password=b",
         "POST|/login||name=a&password=b|secure|192.0.2.7|session=1|petugas.example.test|"
         "same-origin|-"},
    };
    struct fixture *f = *state;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct http_client_answer answer = ask(f, cases[i].target, cases[i].body);
        struct buf value = BUF_INIT(100);

        assert_int_equal(answer.status, 203);
        assert_string_equal(answer.body.data, cases[i].expected);
        assert_int_equal(http_client_header(&answer, "Content-Type", &value), 1);
        assert_string_equal(value.data, "text/x-echo");
        buf_clear(&value);
        assert_int_equal(http_client_header(&answer, "Set-Cookie", &value), 1);
        assert_string_equal(value.data, "a=b");
        assert_int_equal(http_client_header(&answer, "Location", &value), 1);
        assert_int_equal(http_client_header(&answer, "X-Inner", &value), 0);
        buf_release(&value);
        http_client_answer_release(&answer);
    }
}

static void keeps_the_contract_inside(void **state)
{
    static const struct {
        const char *target, *body;
    } cases[] = {{"/tickets", ""},
                 {"/tickets/x/updates", ""},
                 {"/updates?after=", NULL},
                 {"/accounts", ""},
                 {"/%75pdates", NULL}};
    struct fixture *f = *state;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct http_client_answer answer = ask(f, cases[i].target, cases[i].body);

        assert_int_equal(answer.status, 404);
        http_client_answer_release(&answer);
    }
}

static void says_when_the_core_is_away(void **state)
{
    struct fixture *f = *state;
    struct http_client_answer answer;

    http_server_stop(f->core);
    f->core = NULL;
    answer = ask(f, "/", NULL);
    assert_int_equal(answer.status, 503);
    http_client_answer_release(&answer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(relays, set_up, tear_down),
        cmocka_unit_test_setup_teardown(keeps_the_contract_inside, set_up, tear_down),
        cmocka_unit_test_setup_teardown(says_when_the_core_is_away, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
