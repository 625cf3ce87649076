/* SPDX-License-Identifier: Apache-2.0 */
/* The form's adapter: what goes to the worker, the form's model, and each answer it gives. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "adapters/web_form.h"
#include "config/words.h"
#include "normalize/form.h"
#include "normalize/mem.h"

/* --- The gateway's side, doubled --- */

static struct {
    size_t count;
    char *raw, *content_type, *categories, *story_min, *channel_type, *channel_kind;
    int64_t received_ms;
    int result;
} submitted;

int intake_submit(struct intake *intake, struct inbound *msg, struct err *err)
{
    (void)intake;
    submitted.count++;
    submitted.raw = mem_strndup(msg->raw, msg->raw_len);
    submitted.content_type = mem_strdup(inbound_fact(msg, "content_type"));
    submitted.categories = mem_strdup(inbound_fact(msg, "categories"));
    submitted.story_min = mem_strdup(inbound_fact(msg, "story_min"));
    submitted.channel_type = mem_strdup(msg->channel_type);
    submitted.channel_kind = mem_strdup(msg->channel_kind);
    submitted.received_ms = msg->received_ms;
    inbound_release(msg);
    return submitted.result != 0 ? err_set(err, ERR_TRANSIENT, "the queue is full") : 0;
}

static void forget_submitted(void)
{
    free(submitted.raw);
    free(submitted.content_type);
    free(submitted.categories);
    free(submitted.story_min);
    free(submitted.channel_type);
    free(submitted.channel_kind);
    memset(&submitted, 0, sizeof submitted);
}

/* --- A channel --- */

static struct channel channel;

static void open_channel(const char *categories, const char *story_min, int result)
{
    struct err err = ERR_INIT;
    const struct adapter *adapter = &adapter_web_form;
    void *settings = mem_calloc(1, adapter->settings_size);
    assert_int_equal(option_defaults(adapter->options, settings, &err), 0);
    if (categories != NULL)
        assert_int_equal(option_set(option_find(adapter->options, "categories"), settings,
                                    categories, ".", &err),
                         0);
    if (story_min != NULL)
        assert_int_equal(
            option_set(option_find(adapter->options, "story_min"), settings, story_min, ".", &err),
            0);
    channel = (struct channel){.adapter = adapter, .id = "web", .settings = settings};
    assert_int_equal(adapter->open(&channel, &err), result);
    if (result != 0)
        assert_int_equal(err.kind, ERR_CONFIG);
}

static void close_channel(void)
{
    void *settings = (void *)(uintptr_t)channel.settings;
    channel.adapter->close(&channel);
    option_release(channel.adapter->options, settings);
    free(settings);
}

static void release(struct http_response *response)
{
    json_decref(response->model);
    free(response->body);
    for (size_t i = 0; i < response->header_count; i++)
        free(response->headers[i].value);
}

static void respond(const struct receipt *receipt, const char *language,
                    struct http_response *response)
{
    struct http_request request = {.method = "POST", .language = language};
    memset(response, 0, sizeof *response);
    assert_int_equal(
        adapter_web_form.respond(&channel, &request, receipt, receipt != NULL ? 1 : 0, response),
        0);
    assert_non_null(response->model);
}

static char *json_of(const struct http_response *response)
{
    return json_canonical(json_object_get(response->model, "json"));
}

/* --- Tests --- */

static void body_goes_on_as_it_came(void **state)
{
    (void)state;
    struct err err = ERR_INIT;
    struct http_request request = {.body = "a\0b",
                                   .body_len = 3,
                                   .content_type = "multipart/form-data; boundary=x",
                                   .received_ms = 1795257807000};
    open_channel("jalan, sampah", "20", 0);
    assert_int_equal(adapter_web_form.receive(&channel, &request, &err), 0);
    assert_int_equal(submitted.count, 1);
    assert_memory_equal(submitted.raw, "a\0b", 3);
    assert_string_equal(submitted.content_type, "multipart/form-data; boundary=x");
    assert_string_equal(submitted.categories, "sampah,jalan");
    assert_string_equal(submitted.story_min, "20");
    assert_string_equal(submitted.channel_type, "web_form");
    assert_string_equal(submitted.channel_kind, "web");
    assert_int_equal(submitted.received_ms, 1795257807000);
    forget_submitted();
    submitted.result = -1;
    assert_int_equal(adapter_web_form.receive(&channel, &request, &err), -1);
    assert_int_equal(err.kind, ERR_TRANSIENT);
    forget_submitted();
    close_channel();
}

static void unknown_categories_are_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {"jalan, jln", "darurat", "jal", "jalann"};
    static const char *const good[] = {"jalan", " jalan ,lainnya,", ","};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        open_channel(bad[i], NULL, -1);
        close_channel();
    }
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        open_channel(good[i], NULL, 0);
        close_channel();
    }
}

static size_t count_categories(const json_t *model)
{
    size_t i, count = 0;
    json_t *group;
    json_array_foreach(json_object_get(model, "groups"), i, group) count +=
        json_array_size(json_object_get(group, "categories"));
    return count;
}

/* The code of the category that is chosen already; NULL: none. */
static const char *selected_category(const json_t *model)
{
    size_t i, k;
    json_t *group, *category;
    json_array_foreach(json_object_get(model, "groups"), i, group)
    {
        json_array_foreach(json_object_get(group, "categories"), k, category)
        {
            if (json_is_true(json_object_get(category, "selected")))
                return json_string_value(json_object_get(category, "code"));
        }
    }
    return NULL;
}

static void empty_form(void **state)
{
    (void)state;
    open_channel(NULL, NULL, 0);
    json_t *one = web_form_model(&channel, "id", NULL), *two = web_form_model(&channel, "id", NULL);
    const char *key = json_string_value(json_object_get(one, "client_key"));
    assert_int_equal(strlen(key), 32);
    assert_string_not_equal(key, json_string_value(json_object_get(two, "client_key")));
    assert_int_equal(json_integer_value(json_object_get(one, "story_min")), 150);
    assert_int_equal(count_categories(one), 34);
    assert_null(selected_category(one));
    assert_null(json_object_get(one, "public"));
    assert_null(json_object_get(one, "value"));
    json_decref(one);
    json_decref(two);
    close_channel();
    open_channel("banjir,jalan", NULL, 0);
    one = web_form_model(&channel, "en", NULL);
    assert_int_equal(count_categories(one), 2);
    assert_int_equal(json_array_size(json_object_get(one, "groups")), 2);
    json_decref(one);
    close_channel();
}

static void add_problem(struct record *record, const char *field, const char *code)
{
    record->problems[record->problem_count++] =
        (struct record_problem){.field = mem_strdup(field), .code = mem_strdup(code)};
}

/* The error at place i is about field, and its sentence holds text. */
static void assert_error(const json_t *model, size_t i, const char *field, const char *text)
{
    const json_t *errors = json_object_get(json_object_get(model, "json"), "errors");
    const json_t *error = json_array_get(errors, i);
    assert_string_equal(json_string_value(json_object_get(error, "field")), field);
    assert_non_null(strstr(json_string_value(json_object_get(error, "message")), text));
}

static void refused_form_keeps_what_was_typed(void **state)
{
    (void)state;
    struct record record;
    struct http_response response;
    record_init(&record);
    record.report.story = mem_strdup("Pendek <b>");
    record.report.location.text = mem_strdup("Jl. Contoh No. 1");
    record.report.location.has_point = true;
    record.report.location.lat = -6.25;
    record.report.location.lon = 106.5;
    record.report.additional = mem_strdup("tambahan");
    record.report.category.code = mem_strdup("jalan");
    record.typed_category = mem_strdup("jalan");
    record.typed_date = mem_strdup("2026-11-20");
    record.report.visibility = REPORT_PUBLIC;
    record.reporter.name = mem_strdup("Warga Contoh");
    record.reporter.address = mem_strdup("warga@example.org");
    record.reporter.no_reply = true;
    add_problem(&record, "story", "too_short");
    add_problem(&record, "attachments[2]", "too_large");
    add_problem(&record, "nonsense", "unknown_field");
    open_channel(NULL, "200", 0);
    respond(&(struct receipt){.outcome = RECEIPT_REFUSED, .record = &record}, "id", &response);
    assert_int_equal(response.status, 422);
    assert_string_equal(response.view, "form");
    const json_t *model = response.model, *value = json_object_get(model, "value");
    assert_error(model, 0, "story", " 200 ");
    assert_error(model, 1, "attachments[2]", " 6 MB");
    assert_error(model, 2, "nonsense", words_get("id", "problem.unknown_field"));
    assert_string_equal(json_string_value(json_object_get(value, "story")), "Pendek <b>");
    assert_string_equal(json_string_value(json_object_get(value, "location")), "Jl. Contoh No. 1");
    assert_string_equal(json_string_value(json_object_get(value, "additional")), "tambahan");
    assert_string_equal(json_string_value(json_object_get(value, "date")), "2026-11-20");
    assert_string_equal(selected_category(model), "jalan");
    assert_string_equal(json_string_value(json_object_get(value, "name")), "Warga Contoh");
    assert_string_equal(json_string_value(json_object_get(value, "contact")), "warga@example.org");
    assert_true(json_real_value(json_object_get(value, "lat")) < -6.24);
    assert_true(json_is_true(json_object_get(model, "public")));
    assert_true(json_is_true(json_object_get(model, "no_reply")));
    assert_true(json_is_true(json_object_get(model, "problems_any")));
    const json_t *error = json_object_get(model, "error");
    assert_non_null(json_object_get(error, "story"));
    assert_non_null(json_object_get(error, "attachments"));
    const json_t *first = json_array_get(json_object_get(model, "problems"), 0);
    assert_string_equal(json_string_value(json_object_get(first, "anchor")), "story");
    assert_string_equal(json_string_value(json_object_get(first, "label")),
                        words_get("id", "form.story"));
    const json_t *last = json_array_get(json_object_get(model, "problems"), 2);
    assert_true(json_is_null(json_object_get(last, "anchor")));
    release(&response);
    record_release(&record);
    close_channel();
}

/* The report says "lainnya" then; the form says nothing. */
static void nothing_chosen_stays_so(void **state)
{
    (void)state;
    struct record record;
    record_init(&record);
    record.report.category.code = mem_strdup("lainnya");
    add_problem(&record, "story", "too_short");
    open_channel(NULL, NULL, 0);
    json_t *model = web_form_model(&channel, "id", &record);
    assert_null(selected_category(model));
    assert_null(json_object_get(json_object_get(model, "value"), "date"));
    json_decref(model);
    record_release(&record);
    close_channel();
}

static void receipts(void **state)
{
    (void)state;
    static const struct {
        enum receipt_outcome outcome;
        int status;
        const char *flag;
    } table[] = {
        {RECEIPT_ACCEPTED, 201, "fresh"},
        {RECEIPT_KNOWN, 200, "known"},
        {RECEIPT_QUARANTINED, 201, "quarantined"},
    };
    open_channel(NULL, NULL, 0);
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        struct receipt receipt = {
            .outcome = table[i].outcome, .id = "7KQ3MXP9T2FC", .pin = "482913"};
        struct http_response response;
        respond(&receipt, "id", &response);
        assert_int_equal(response.status, table[i].status);
        assert_string_equal(response.view, "receipt");
        char *json = json_of(&response);
        assert_string_equal(json, "{\"id\":\"7KQ3-MXP9-T2FC\",\"pin\":\"482913\",\"track_url\":"
                                  "\"/track#7KQ3-MXP9-T2FC\"}");
        free(json);
        assert_true(json_is_true(json_object_get(response.model, table[i].flag)));
        release(&response);
    }
    close_channel();
}

static void receipts_link_to_the_site(void **state)
{
    (void)state;
    struct receipt receipt = {.outcome = RECEIPT_ACCEPTED, .id = "7KQ3MXP9T2FC"};
    struct http_response response;
    open_channel(NULL, NULL, 0);
    channel.public_url = "https://lapor.example.org";
    respond(&receipt, "id", &response);
    char *json = json_of(&response);
    assert_string_equal(json, "{\"id\":\"7KQ3-MXP9-T2FC\",\"pin\":null,\"track_url\":"
                              "\"https://lapor.example.org/track#7KQ3-MXP9-T2FC\"}");
    free(json);
    release(&response);
    close_channel();
}

static void reused_key(void **state)
{
    (void)state;
    struct http_response response;
    open_channel(NULL, NULL, 0);
    respond(&(struct receipt){.outcome = RECEIPT_CONFLICT, .id = "7KQ3MXP9T2FC"}, "en", &response);
    assert_int_equal(response.status, 422);
    char *json = json_of(&response);
    assert_string_equal(json, "{\"errors\":[{\"field\":\"client_key\",\"message\":\"This key was "
                              "used for another report already.\"}]}");
    assert_null(strstr(json, "7KQ3"));
    free(json);
    release(&response);
    close_channel();
}

static void try_again(void **state)
{
    (void)state;
    struct receipt failed = {.outcome = RECEIPT_FAILED};
    const struct receipt *const cases[] = {&failed, NULL};
    open_channel(NULL, NULL, 0);
    for (size_t i = 0; i < 2; i++) {
        struct http_response response;
        respond(cases[i], "en", &response);
        assert_int_equal(response.status, 503);
        assert_int_equal(response.header_count, 1);
        assert_string_equal(response.headers[0].name, "Retry-After");
        assert_true(strtol(response.headers[0].value, NULL, 10) > 0);
        assert_non_null(json_object_get(json_object_get(response.model, "json"), "errors"));
        release(&response);
    }
    close_channel();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(body_goes_on_as_it_came),
        cmocka_unit_test(unknown_categories_are_refused),
        cmocka_unit_test(empty_form),
        cmocka_unit_test(refused_form_keeps_what_was_typed),
        cmocka_unit_test(nothing_chosen_stays_so),
        cmocka_unit_test(receipts),
        cmocka_unit_test(receipts_link_to_the_site),
        cmocka_unit_test(reused_key),
        cmocka_unit_test(try_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
