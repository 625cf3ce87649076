/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The citizens' site over a real listener: pages, JSON, limits, what may be cached and what must
 * not tell one unknown report from another.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <curl/curl.h>
#include <stdlib.h>
#include <string.h>

#include "adapters/web_form.h"
#include "gateway/page.h"
#include "gateway/site.h"
#include "normalize/mem.h"

#define HTML "Accept: text/html"
#define JSON "Content-Type: application/json"

enum { PAGE_WEIGHT_MAX = 60 * 1024 };

static char known[REPORT_ID_SIZE], withheld[REPORT_ID_SIZE], limited[REPORT_ID_SIZE],
    broken[REPORT_ID_SIZE];
static struct channel form_channel;
static struct http_server *server;
static char base[64];

/* --- Services, doubled --- */

/* Of the form's adapter only the model is used here. */
int intake_submit(struct intake *intake, struct inbound *msg, struct err *err)
{
    (void)intake;
    inbound_release(msg);
    return err_set(err, ERR_TRANSIENT, "nothing is taken in here");
}

static char *added_text;

static json_t *form_service(void *context, const char *language)
{
    (void)context;
    return web_form_model(&form_channel, language, NULL);
}

static void fill_own(struct track_view *view)
{
    view->story = mem_strdup("Jalan \"rusak\" <script>alert(1)</script>");
    view->location = mem_strdup("Jl. Contoh & Co");
    view->category = mem_strdup("jalan");
    view->attachments = 2;
}

static int lookup_service(void *context, const char *client, const char *id, const char *pin,
                          struct track_view *out)
{
    (void)context;
    assert_non_null(client);
    if (strcmp(id, broken) == 0)
        return -1;
    if (strcmp(id, limited) == 0) {
        out->retry_after_s = 90;
        return SITE_LIMITED;
    }
    if (strcmp(id, known) != 0)
        return SITE_UNKNOWN;
    if (pin && strcmp(pin, "482913") != 0)
        return SITE_WRONG_PIN;
    memcpy(out->id, id, REPORT_ID_SIZE);
    out->state = mem_strdup("Proses");
    struct track_item *item = track_view_add(out);
    item->day = mem_strdup("2026-11-21");
    item->state = mem_strdup("Menunggu");
    item = track_view_add(out);
    item->day = mem_strdup("2026-11-23");
    item->state = mem_strdup("Proses");
    item->agency = mem_strdup("Sudin <Bina> Marga");
    item->answer = mem_strdup("Sedang dikerjakan.");
    if (!pin)
        return SITE_STATE;
    fill_own(out);
    return SITE_OWN;
}

static void report_service(void *context, struct http_exchange *exchange)
{
    (void)context;
    struct http_response response;
    http_response_init(&response, 201);
    http_response_text(&response, "text/plain", http_exchange_request(exchange)->language, 2);
    http_answer(exchange, &response);
}

static void add_service(void *context, struct http_exchange *exchange, const char *id,
                        const char *text)
{
    (void)context;
    struct receipt receipt = {.outcome = RECEIPT_ACCEPTED};
    free(added_text);
    added_text = mem_strdup(text);
    memcpy(receipt.id, id, REPORT_ID_SIZE);
    site_added(exchange, &receipt, strcmp(text, "full") == 0 ? 0 : 1);
}

static struct site_services services = {
    .form = form_service, .lookup = lookup_service, .report = report_service, .add = add_service};

/* --- A client --- */

struct answer {
    long status;
    struct buf body, headers;
};

static size_t collect(char *data, size_t size, size_t n, void *out)
{
    buf_add(out, data, size * n);
    return size * n;
}

static size_t collect_header(char *data, size_t size, size_t n, void *out)
{
    if (size * n < 5 || strncmp(data, "Date:", 5) != 0)
        buf_add(out, data, size * n);
    return size * n;
}

/* Sends one request: GET when body is NULL; headers end with NULL. */
static struct answer ask(const char *path, const char *body, const char *header,
                         const char *header2)
{
    struct answer answer = {.body = BUF_INIT(1024 * 1024), .headers = BUF_INIT(64 * 1024)};
    struct curl_slist *headers = NULL;
    char url[256];
    CURL *curl = curl_easy_init();
    snprintf(url, sizeof url, "%s%s", base, path);
    headers = header ? curl_slist_append(headers, header) : NULL;
    headers = header2 ? curl_slist_append(headers, header2) : headers;
    curl_easy_setopt(curl, CURLOPT_URL, url);
    curl_easy_setopt(curl, CURLOPT_NOPROXY, "*");
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, collect);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, &answer.body);
    curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, collect_header);
    curl_easy_setopt(curl, CURLOPT_HEADERDATA, &answer.headers);
    if (body)
        curl_easy_setopt(curl, CURLOPT_POSTFIELDS, body);
    assert_int_equal(curl_easy_perform(curl), CURLE_OK);
    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &answer.status);
    curl_slist_free_all(headers);
    curl_easy_cleanup(curl);
    return answer;
}

static void answer_release(struct answer *answer)
{
    buf_release(&answer->body);
    buf_release(&answer->headers);
}

static void expect(struct answer answer, long status, const char *part)
{
    if (answer.status != status || (part && !strstr(answer.body.data, part)))
        fail_msg("status %ld (expected %ld), '%s' expected in: %s", answer.status, status,
                 part ? part : "", answer.body.data);
    answer_release(&answer);
}

/* --- Set-up --- */

static int start(void **state)
{
    struct err err = ERR_INIT;
    void *settings = mem_calloc(1, adapter_web_form.settings_size);
    struct http_listener listener = {.name = "public",
                                     .address = "127.0.0.1:0",
                                     .routes = site_routes,
                                     .context = &services,
                                     .threads = 1,
                                     .connections_max = 20,
                                     .per_address_max = 20,
                                     .render = page_http_render};
    (void)state;
    report_id_make(0x123456789abcdULL, known);
    report_id_make(0x223456789abcdULL, withheld);
    report_id_make(0x323456789abcdULL, limited);
    report_id_make(0x423456789abcdULL, broken);
    if (option_defaults(adapter_web_form.options, settings, &err))
        return -1;
    form_channel =
        (struct channel){.adapter = &adapter_web_form, .id = "web", .settings = settings};
    curl_global_init(CURL_GLOBAL_DEFAULT);
    if (page_start(&err) || http_server_start(&listener, &server, &err)) {
        print_error("%s\n", err.text);
        return -1;
    }
    snprintf(base, sizeof base, "http://127.0.0.1:%u", http_server_port(server));
    return 0;
}

static int stop(void **state)
{
    (void)state;
    void *settings = (void *)(uintptr_t)form_channel.settings;
    http_server_stop(server);
    page_stop();
    curl_global_cleanup();
    option_release(adapter_web_form.options, settings);
    free(settings);
    free(added_text);
    return 0;
}

/* --- Tests --- */

static void form_page(void **state)
{
    (void)state;
    static const char *const has[] = {
        "<html lang=\"id\">",
        "Privat/Rahasia",
        "Publik/Terbuka",
        "value=\"private\" checked",
        "name=\"client_key\" value=\"",
        "minlength=\"150\"",
        "Kirim Laporan",
        "tel:112",
        "<option value=\"banjir\">",
        "enctype=\"multipart/form-data\"",
        "action=\"/reports\"",
    };
    struct answer answer = ask("/", NULL, HTML, NULL);
    assert_int_equal(answer.status, 200);
    for (size_t i = 0; i < sizeof has / sizeof *has; i++)
        if (!strstr(answer.body.data, has[i]))
            fail_msg("'%s' is not in the form", has[i]);
    assert_null(strstr(answer.body.data, "{{"));
    assert_non_null(strstr(answer.headers.data, "Cache-Control: no-store"));
    answer_release(&answer);
}

/* The whole form with all it needs, uncompressed. */
static void page_weight(void **state)
{
    (void)state;
    static const char *const files[] = {"style.css", "form.js", "page.js", "icon.svg"};
    struct answer answer = ask("/", NULL, HTML, NULL);
    size_t total = answer.body.len;
    for (size_t i = 0; i < sizeof files / sizeof *files; i++)
        total += page_asset(files[i])->len;
    if (total > PAGE_WEIGHT_MAX)
        fail_msg("the form weighs %zu bytes", total);
    answer_release(&answer);
}

/* No page asks another host for anything or carries code or style the policy would forbid. */
static void pages_keep_to_themselves(void **state)
{
    (void)state;
    static const char *const never[] = {
        "http:",   "https:",    "src=\"//",    "href=\"//", "<style",
        " style=", " onclick=", "javascript:", "<script>",  "<iframe"};
    const struct {
        const char *path, *body;
    } pages[] = {{"/", NULL}, {"/track", NULL}, {"/track", "id=0"}, {"/nowhere", NULL}};
    for (size_t i = 0; i < sizeof pages / sizeof *pages; i++) {
        struct answer answer = ask(pages[i].path, pages[i].body, HTML, NULL);
        for (size_t k = 0; k < sizeof never / sizeof *never; k++)
            if (strstr(answer.body.data, never[k]))
                fail_msg("'%s' is in %s", never[k], pages[i].path);
        answer_release(&answer);
    }
}

static void languages(void **state)
{
    (void)state;
    expect(ask("/", NULL, HTML, "Accept-Language: en"), 200, "<html lang=\"en\">");
    expect(ask("/?lang=en", NULL, HTML, NULL), 200, "action=\"/reports?lang=en\"");
    expect(ask("/?lang=en", NULL, HTML, NULL), 200, "href=\"?lang=id\"");
    expect(ask("/?lang=id", NULL, HTML, "Accept-Language: en"), 200, "<html lang=\"id\">");
    expect(ask("/reports?lang=en", "story=x", HTML, NULL), 201, "en");
    expect(ask("/reports", "story=x", HTML, NULL), 201, "id");
    expect(ask("/track?lang=en", "id=0", JSON, NULL), 404, "No report was found");
}

static void static_files(void **state)
{
    (void)state;
    const struct asset *css = page_asset("style.css");
    char path[128], match[128];
    snprintf(path, sizeof path, "/static/%s/style.css", css->hash);
    struct answer answer = ask(path, NULL, NULL, NULL);
    assert_int_equal(answer.status, 200);
    assert_int_equal(answer.body.len, css->len);
    assert_non_null(strstr(answer.headers.data, "Content-Type: text/css; charset=utf-8"));
    assert_non_null(strstr(answer.headers.data, "immutable"));
    answer_release(&answer);
    snprintf(match, sizeof match, "If-None-Match: \"%s\"", css->hash);
    answer = ask(path, NULL, match, NULL);
    assert_int_equal(answer.status, 304);
    assert_int_equal(answer.body.len, 0);
    answer_release(&answer);
    static const char *const bad[] = {"/static/", "/static/style.css",
                                      "/static/0000000000000000/style.css",
                                      "/static/0000000000000000/../page.c"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        expect(ask(bad[i], NULL, NULL, NULL), 404, NULL);
    snprintf(path, sizeof path, "/static/%s/form.html", page_asset("form.html")->hash);
    expect(ask(path, NULL, NULL, NULL), 404, NULL);
    expect(ask("/favicon.ico", NULL, NULL, NULL), 200, "<svg");
    expect(ask("/robots.txt", NULL, NULL, NULL), 200, "Disallow: /track");
}

static void track_json(void **state)
{
    (void)state;
    char body[128], shown[REPORT_ID_SHOWN_SIZE], expected[1024];
    static const char timeline[] =
        "\"state\":\"Proses\",\"timeline\":[{\"day\":\"2026-11-21\",\"state\":\"Menunggu\","
        "\"agency\":null,\"answer\":null},{\"day\":\"2026-11-23\",\"state\":\"Proses\",\"agency\":"
        "\"Sudin <Bina> Marga\",\"answer\":\"Sedang dikerjakan.\"}]";
    report_id_show(known, shown);
    snprintf(body, sizeof body, "{\"id\": \"%s\"}", shown);
    struct answer answer = ask("/track", body, JSON, NULL);
    snprintf(expected, sizeof expected, "{\"id\":\"%s\",%s}", shown, timeline);
    assert_int_equal(answer.status, 200);
    assert_string_equal(answer.body.data, expected);
    answer_release(&answer);
    snprintf(body, sizeof body, "{\"id\": \"%s\", \"pin\": \"482 913\"}", known);
    answer = ask("/track", body, JSON, NULL);
    snprintf(expected, sizeof expected,
             "{\"id\":\"%s\",%s,\"story\":\"Jalan \\\"rusak\\\" <script>alert(1)</script>\","
             "\"location\":\"Jl. Contoh & Co\",\"additional\":null,\"category\":\"jalan\","
             "\"visibility\":\"private\",\"attachments\":2}",
             shown, timeline);
    assert_string_equal(answer.body.data, expected);
    answer_release(&answer);
}

static void track_pages(void **state)
{
    (void)state;
    char body[128];
    snprintf(body, sizeof body, "id=%s", known);
    struct answer answer = ask("/track", body, HTML, NULL);
    assert_int_equal(answer.status, 200);
    assert_non_null(strstr(answer.body.data, "21 November 2026"));
    assert_non_null(strstr(answer.body.data, "Sudin &lt;Bina&gt; Marga"));
    assert_null(strstr(answer.body.data, "Jl. Contoh"));
    assert_null(strstr(answer.body.data, "/track/add"));
    answer_release(&answer);
    snprintf(body, sizeof body, "id=%s&pin=482913", known);
    answer = ask("/track", body, HTML, NULL);
    assert_int_equal(answer.status, 200);
    assert_non_null(strstr(answer.body.data, "Jalan &quot;rusak&quot; &lt;script&gt;alert(1)"));
    assert_null(strstr(answer.body.data, "<script>"));
    assert_non_null(strstr(answer.body.data, "action=\"/track/add\""));
    assert_null(strstr(answer.body.data, "482913"));
    answer_release(&answer);
}

/* One and the same answer, byte for byte, headers too. */
static void unknown_reports_are_all_alike(void **state)
{
    (void)state;
    static const char *const typed[] = {"",
                                        "x",
                                        "0000-0000-0000",
                                        "%00",
                                        "%ff%fe",
                                        "<b>",
                                        "7KQ3-MXP9-T2FD",
                                        "a%20b",
                                        "7KQ3MXP9T2FC7KQ3MXP9T2FC7KQ3MXP9T2FC",
                                        "%zz"};
    static const char *const accept[] = {HTML, "Accept: application/json"};
    char body[256];
    for (size_t k = 0; k < 2; k++) {
        snprintf(body, sizeof body, "id=%s", withheld);
        struct answer first = ask("/track", body, accept[k], NULL);
        assert_int_equal(first.status, 404);
        for (size_t i = 0; i < sizeof typed / sizeof *typed; i++)
            for (int with_pin = 0; with_pin < 3; with_pin++) {
                static const char *const pins[] = {"", "&pin=482913", "&pin=x"};
                snprintf(body, sizeof body, "id=%s%s", typed[i], pins[with_pin]);
                struct answer other =
                    ask(with_pin == 1 ? "/track/add" : "/track", body, accept[k], NULL);
                assert_int_equal(other.status, 404);
                assert_string_equal(other.body.data, first.body.data);
                assert_string_equal(other.headers.data, first.headers.data);
                answer_release(&other);
            }
        answer_release(&first);
    }
    expect(ask("/track", "[]", JSON, NULL), 404, "{\"errors\":[{\"field\":\"id\",\"message\":\"");
    expect(ask("/track", "{\"id\": 7}", JSON, NULL), 404, "{\"errors\"");
    expect(ask("/track", "{", JSON, NULL), 404, "{\"errors\"");
}

static void refusals(void **state)
{
    (void)state;
    static const char *const pins[] = {"000000", "48291", "4829133", "abc", "48291\\u0663"};
    char body[128], part[64], shown[REPORT_ID_SHOWN_SIZE];
    for (size_t i = 0; i < sizeof pins / sizeof *pins; i++) {
        snprintf(body, sizeof body, "{\"id\": \"%s\", \"pin\": \"%s\"}", known, pins[i]);
        expect(ask("/track", body, JSON, NULL), 403, "{\"errors\":[{\"field\":\"pin\"");
    }
    report_id_show(known, shown);
    snprintf(body, sizeof body, "id=%s&pin=000000", known);
    snprintf(part, sizeof part, "value=\"%s\"", shown);
    expect(ask("/track", body, HTML, NULL), 403, part);
    snprintf(body, sizeof body, "id=%s", limited);
    struct answer answer = ask("/track", body, HTML, NULL);
    assert_int_equal(answer.status, 429);
    assert_non_null(strstr(answer.headers.data, "Retry-After: 90"));
    assert_non_null(strstr(answer.body.data, "tunggu 2 menit"));
    answer_release(&answer);
    snprintf(body, sizeof body, "id=%s", broken);
    answer = ask("/track", body, HTML, NULL);
    assert_int_equal(answer.status, 503);
    assert_non_null(strstr(answer.headers.data, "Retry-After: "));
    answer_release(&answer);
}

static void adding(void **state)
{
    (void)state;
    char body[256], shown[REPORT_ID_SHOWN_SIZE], expected[64];
    report_id_show(known, shown);
    snprintf(body, sizeof body, "id=%s&pin=482913&text=Masih+rusak%%2C+%%3Cb%%3E", shown);
    expect(ask("/track/add", body, HTML, NULL), 201, "Keterangan Anda kami terima");
    assert_string_equal(added_text, "Masih rusak, <b>");
    snprintf(body, sizeof body, "{\"id\": \"%s\", \"pin\": \"482913\", \"text\": \"Halo\"}", known);
    snprintf(expected, sizeof expected, "{\"id\":\"%s\"}", shown);
    expect(ask("/track/add", body, JSON, NULL), 201, expected);
    assert_string_equal(added_text, "Halo");
    snprintf(body, sizeof body, "id=%s&pin=482913&text=full", known);
    expect(ask("/track/add", body, HTML, NULL), 503, NULL);
    free(added_text);
    added_text = NULL;
    snprintf(body, sizeof body, "id=%s&pin=482913&text=+%%0A", known);
    expect(ask("/track/add", body, HTML, NULL), 422, "href=\"#text\"");
    snprintf(body, sizeof body, "id=%s&pin=000000&text=Halo+%%22", known);
    expect(ask("/track/add", body, HTML, NULL), 403, "Halo &quot;</textarea>");
    snprintf(body, sizeof body, "id=%s&text=Halo", known);
    expect(ask("/track/add", body, HTML, NULL), 403, "Halo</textarea>");
    assert_null(added_text);
}

static void too_long(void **state)
{
    (void)state;
    char *body = mem_calloc(1, 30100);
    int len = snprintf(body, 100, "id=%s&pin=482913&text=", known);
    memset(body + len, 'a', 20001);
    expect(ask("/track/add", body, HTML, NULL), 422, "Terlalu panjang");
    body[len + 20000] = '\0';
    expect(ask("/track/add", body, HTML, NULL), 201, NULL);
    expect(ask("/track", body, HTML, NULL), 413, NULL);
    free(body);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(form_page),
        cmocka_unit_test(page_weight),
        cmocka_unit_test(pages_keep_to_themselves),
        cmocka_unit_test(languages),
        cmocka_unit_test(static_files),
        cmocka_unit_test(track_json),
        cmocka_unit_test(track_pages),
        cmocka_unit_test(unknown_reports_are_all_alike),
        cmocka_unit_test(refusals),
        cmocka_unit_test(adding),
        cmocka_unit_test(too_long),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
