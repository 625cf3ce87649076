/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The city's own report form, and the same as JSON for programs. The body goes to the worker as it
 * came; here are only the choices the form offers and the answers it gives: a receipt, or what must
 * be mended with all that was typed. Thread-safe: settings are read only.
 */
#include "adapters/web_form.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/words.h"
#include "normalize/buf.h"
#include "normalize/form.h"
#include "normalize/mem.h"
#include "normalize/problem.h"

enum {
    RETRY_AFTER_S = 30,
    CLIENT_KEY_BYTES = 16,
    NUMBER_SIZE = 24,
};

struct web_form_settings {
    char *categories;
    int64_t story_min;
};

static const struct option_spec options[] = {
    {.name = "categories",
     .type = OPTION_STRING,
     .offset = offsetof(struct web_form_settings, categories),
     .help = "codes of the categories offered, separated by commas; empty: all there are"},
    {.name = "story_min",
     .type = OPTION_INT,
     .offset = offsetof(struct web_form_settings, story_min),
     .fallback = "150",
     .min = 1,
     .max = 5000,
     .help = "characters a story needs at least"},
    {0},
};

/* The fields of the form: where a problem's link leads and what the field is called. */
static const struct field {
    const char *name, *anchor, *label;
} fields[] = {
    {"story", "story", "form.story"},
    {"location", "location", "form.location"},
    {"lat", "location", "form.where"},
    {"lon", "location", "form.where"},
    {"additional", "additional", "form.additional"},
    {"category", "category", "form.category"},
    {"visibility", "visibility", "form.visibility"},
    {"date", "date", "form.date"},
    {"name", "name", "form.name"},
    {"contact", "contact", "form.contact"},
    {"no_reply", "no_reply", "form.no_reply"},
    {"attachments", "attachments", "form.photos"},
};

static const struct web_form_settings *settings_of(const struct channel *ch)
{
    return ch->settings;
}

/* --- Categories --- */

/* Whether the comma separated list names code; an empty list names all. */
static bool listed(const char *list, const char *code)
{
    size_t code_len = strlen(code);
    if (!list)
        return true;
    while (*list) {
        list += strspn(list, ", ");
        size_t len = strcspn(list, ", ");
        if (len == code_len && !memcmp(list, code, len))
            return true;
        list += len;
    }
    return false;
}

static bool known_category(const char *code, size_t len)
{
    size_t i, k;
    json_t *group, *entry;
    json_array_foreach(words_categories(), i, group)
        json_array_foreach(json_object_get(group, "codes"), k,
                           entry) if (json_string_length(entry) == len &&
                                      !memcmp(json_string_value(entry), code, len)) return true;
    return false;
}

/* The offered codes, comma separated: what the worker checks the choice against. */
static void offered(const struct web_form_settings *settings, struct buf *out)
{
    size_t i, k;
    json_t *group, *entry;
    json_array_foreach(words_categories(), i, group)
        json_array_foreach(json_object_get(group, "codes"), k,
                           entry) if (listed(settings->categories, json_string_value(entry)))
            buf_addf(out, "%s%s", out->len ? "," : "", json_string_value(entry));
}

static json_t *group_model(const struct web_form_settings *settings, const char *language,
                           const json_t *codes, const char *chosen)
{
    json_t *list = json_array(), *entry;
    size_t i;
    json_array_foreach(codes, i, entry)
    {
        const char *code = json_string_value(entry);
        char key[NUMBER_SIZE + REPORT_WORD_MAX];
        if (!listed(settings->categories, code))
            continue;
        snprintf(key, sizeof key, "category.%s", code);
        json_array_append_new(list, json_pack("{s:s, s:s, s:b}", "code", code, "name",
                                              words_get(language, key), "selected",
                                              chosen && !strcmp(chosen, code)));
    }
    return list;
}

static json_t *groups_model(const struct web_form_settings *settings, const char *language,
                            const char *chosen)
{
    json_t *groups = json_array(), *group;
    size_t i;
    json_array_foreach(words_categories(), i, group)
    {
        char key[NUMBER_SIZE + REPORT_WORD_MAX];
        json_t *list = group_model(settings, language, json_object_get(group, "codes"), chosen);
        snprintf(key, sizeof key, "group.%s", json_string_value(json_object_get(group, "group")));
        if (json_array_size(list))
            json_array_append_new(groups, json_pack("{s:s, s:O}", "name", words_get(language, key),
                                                    "categories", list));
        json_decref(list);
    }
    return groups;
}

/* --- Problems --- */

/* "attachments[2]" is a problem of the field "attachments". */
static const struct field *find_field(const char *name)
{
    size_t len = strcspn(name, "[.");
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++)
        if (strlen(fields[i].name) == len && !memcmp(fields[i].name, name, len))
            return &fields[i];
    return NULL;
}

/* The sentence for a problem: of that very field where there is one, else of its code. */
static void problem_message(const struct channel *ch, const char *language,
                            const struct record_problem *problem, struct buf *out)
{
    const struct field *field = find_field(problem->field);
    char key[2 * REPORT_WORD_MAX], minimum[NUMBER_SIZE], count[NUMBER_SIZE], size[NUMBER_SIZE];
    const struct words_field numbers[] = {
        {"story_min", minimum}, {"photos_max", count}, {"photo_mb", size}, {0}};
    snprintf(minimum, sizeof minimum, "%lld", (long long)settings_of(ch)->story_min);
    snprintf(count, sizeof count, "%d", FORM_PHOTOS_MAX);
    snprintf(size, sizeof size, "%d", FORM_PHOTO_BYTES_MAX / (1024 * 1024));
    snprintf(key, sizeof key, "problem.%s.%s", problem->code, field ? field->name : "");
    if (!words_has("id", key))
        snprintf(key, sizeof key, "problem.%s", problem->code);
    words_fill(words_get(language, key), numbers, out);
}

static void add_problem(const struct channel *ch, const char *language,
                        const struct record_problem *problem, json_t *model, json_t *errors)
{
    const struct field *field = find_field(problem->field);
    json_t *by_field = json_object_get(model, "error");
    struct buf message = BUF_INIT(REPORT_LINE_MAX);
    problem_message(ch, language, problem, &message);
    json_array_append_new(
        errors, json_pack("{s:s, s:s}", "field", problem->field, "message", message.data));
    json_array_append_new(json_object_get(model, "problems"),
                          json_pack("{s:s?, s:s?, s:s}", "anchor", field ? field->anchor : NULL,
                                    "label", field ? words_get(language, field->label) : NULL,
                                    "message", message.data));
    if (field && !json_object_get(by_field, field->name))
        json_object_set_new(by_field, field->name, json_string(message.data));
    buf_release(&message);
}

/* --- The form's model --- */

static void set_text(json_t *object, const char *key, const char *text)
{
    if (text)
        json_object_set_new(object, key, json_string(text));
}

static json_t *typed_values(const struct record *typed)
{
    json_t *values = json_object();
    set_text(values, "story", typed->report.story);
    set_text(values, "location", typed->report.location.text);
    set_text(values, "additional", typed->report.additional);
    set_text(values, "name", typed->reporter.name);
    set_text(values, "contact", typed->reporter.address);
    if (typed->report.location.has_point) {
        json_object_set_new(values, "lat", json_real(typed->report.location.lat));
        json_object_set_new(values, "lon", json_real(typed->report.location.lon));
    }
    return values;
}

json_t *web_form_model(const struct channel *ch, const char *language, const struct record *typed)
{
    const struct web_form_settings *settings = settings_of(ch);
    unsigned char random[CLIENT_KEY_BYTES];
    char client_key[2 * CLIENT_KEY_BYTES + 1];
    randombytes_buf(random, sizeof random);
    sodium_bin2hex(client_key, sizeof client_key, random, sizeof random);
    json_t *model = json_pack(
        "{s:b, s:s, s:I, s:i, s:i, s:i, s:i, s:i, s:o, s:[], s:{}}", "on_form", 1, "client_key",
        client_key, "story_min", (json_int_t)settings->story_min, "story_max", FORM_STORY_MAX,
        "line_max", FORM_LINE_MAX, "photos_max", FORM_PHOTOS_MAX, "photo_bytes",
        FORM_PHOTO_BYTES_MAX, "photo_mb", FORM_PHOTO_BYTES_MAX / (1024 * 1024), "groups",
        groups_model(settings, language, typed ? typed->report.category.code : NULL), "problems",
        "error");
    if (!typed)
        return model;
    json_t *errors = json_array();
    for (size_t i = 0; i < typed->problem_count; i++)
        add_problem(ch, language, &typed->problems[i], model, errors);
    json_object_set_new(model, "json", json_pack("{s:o}", "errors", errors));
    json_object_set_new(model, "problems_any", json_boolean(typed->problem_count > 0));
    json_object_set_new(model, "value", typed_values(typed));
    json_object_set_new(model, "public", json_boolean(typed->report.visibility == REPORT_PUBLIC));
    json_object_set_new(model, "no_reply", json_boolean(typed->reporter.no_reply));
    return model;
}

/* --- The adapter --- */

static int web_form_open(struct channel *ch, struct err *err)
{
    const char *list = settings_of(ch)->categories;
    while (list && *list) {
        list += strspn(list, ", ");
        size_t len = strcspn(list, ", ");
        if (len && !known_category(list, len))
            return err_set(err, ERR_CONFIG, "categories: unknown code '%.*s'",
                           (int)(len > 40 ? 40 : len), list);
        list += len;
    }
    /* Every request carries them to the worker: put together once. */
    struct buf codes = BUF_INIT(INBOUND_FACT_LEN_MAX);
    offered(settings_of(ch), &codes);
    ch->state = buf_detach(&codes, NULL);
    return 0;
}

static void web_form_close(struct channel *ch)
{
    free(ch->state);
    ch->state = NULL;
}

static int web_form_receive(struct channel *ch, const struct http_request *request, struct err *err)
{
    struct inbound in;
    char minimum[NUMBER_SIZE];
    snprintf(minimum, sizeof minimum, "%lld", (long long)settings_of(ch)->story_min);
    inbound_init(&in, ch->id, ch->adapter->name, ch->adapter->kind, request->received_ms,
                 mem_strndup(request->body, request->body_len), request->body_len);
    inbound_fact_add(&in, "content_type", request->content_type);
    inbound_fact_add(&in, "categories", ch->state);
    inbound_fact_add(&in, "story_min", minimum);
    return intake_submit(request->intake, &in, err);
}

static void respond_receipt(const struct receipt *receipt, struct http_response *response)
{
    char shown[REPORT_ID_SHOWN_SIZE];
    const char *pin = receipt->pin[0] ? receipt->pin : NULL;
    report_id_show(receipt->id, shown);
    response->status = receipt->outcome == RECEIPT_KNOWN ? 200 : 201;
    response->view = "receipt";
    response->model = json_pack("{s:s, s:s?, s:b, s:b, s:b, s:{s:s, s:s?, s:o}}", "id", shown,
                                "pin", pin, "known", receipt->outcome == RECEIPT_KNOWN,
                                "quarantined", receipt->outcome == RECEIPT_QUARANTINED, "fresh",
                                receipt->outcome == RECEIPT_ACCEPTED, "json", "id", shown, "pin",
                                pin, "track_url", json_sprintf("/track#%s", shown));
}

static void respond_conflict(const struct channel *ch, const char *language,
                             const struct receipt *receipt, struct http_response *response)
{
    char name[] = "client_key", code[] = PROBLEM_REUSED_KEY;
    struct record empty;
    record_init(&empty);
    json_t *model = web_form_model(ch, language, receipt->record ? receipt->record : &empty);
    const struct record_problem problem = {.field = name, .code = code};
    add_problem(ch, language, &problem, model,
                json_object_get(json_object_get(model, "json"), "errors"));
    json_object_set_new(model, "problems_any", json_true());
    response->status = 422;
    response->view = "form";
    response->model = model;
    record_release(&empty);
}

static void respond_busy(const char *language, struct http_response *response)
{
    const char *message = words_get(language, "error.store");
    char seconds[NUMBER_SIZE];
    snprintf(seconds, sizeof seconds, "%d", RETRY_AFTER_S);
    response->status = 503;
    response->view = "error";
    response->model = json_pack("{s:s, s:{s:[{s:n, s:s}]}}", "message", message, "json", "errors",
                                "field", "message", message);
    response->headers[response->header_count].name = "Retry-After";
    response->headers[response->header_count].value = mem_strdup(seconds);
    response->header_count++;
}

static int web_form_respond(struct channel *ch, const struct http_request *request,
                            const struct receipt *receipts, size_t n,
                            struct http_response *response)
{
    const char *language = request->language;
    switch (n ? receipts->outcome : RECEIPT_FAILED) {
    case RECEIPT_ACCEPTED:
    case RECEIPT_KNOWN:
    case RECEIPT_QUARANTINED:
        respond_receipt(receipts, response);
        break;
    case RECEIPT_CONFLICT:
        respond_conflict(ch, language, receipts, response);
        break;
    case RECEIPT_REFUSED:
        response->status = 422;
        response->view = "form";
        response->model = web_form_model(ch, language, receipts->record);
        break;
    case RECEIPT_FAILED:
        respond_busy(language, response);
        break;
    }
    return 0;
}

const struct adapter adapter_web_form = {
    .name = "web_form",
    .kind = "web",
    .options = options,
    .settings_size = sizeof(struct web_form_settings),
    .parse_start = form_start,
    .parse = form_parse,
    .open = web_form_open,
    .receive = web_form_receive,
    .respond = web_form_respond,
    .close = web_form_close,
};
