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
#include "normalize/text.h"

enum {
    WEB_FORM_RETRY_AFTER_S = 30,
    WEB_FORM_KEY_BYTES = 16,
    WEB_FORM_NUMBER_SIZE = 24,
    WEB_FORM_WORD_SIZE = 2 * REPORT_WORD_MAX, /* of a key of words.h */
};

struct web_form_settings {
    char *categories;
    int64_t story_min;
};

static const struct option_spec web_form_options[] = {
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
    {.name = NULL},
};

/* The fields of the form: where a problem's link leads and what the field is called. */
static const struct web_form_field {
    const char *name, *anchor, *label;
} web_form_fields[] = {
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

static const struct web_form_settings *web_form_settings(const struct channel *ch)
{
    return ch->settings;
}

/* --- Categories --- */

/* Whether the channel offers code; one that names no categories offers all. */
static bool web_form_offers(const struct web_form_settings *settings, const char *code)
{
    return settings->categories == NULL || text_list_holds(settings->categories, code);
}

static bool web_form_knows(const char *code, size_t len)
{
    size_t i, k;
    json_t *group, *entry;
    json_array_foreach(words_categories(), i, group)
    {
        json_array_foreach(json_object_get(group, "codes"), k, entry)
        {
            if (json_string_length(entry) == len &&
                memcmp(json_string_value(entry), code, len) == 0)
                return true;
        }
    }
    return false;
}

/* The offered codes, comma separated: what the worker checks the choice against. */
static char *web_form_offered(const struct web_form_settings *settings)
{
    struct buf codes = BUF_INIT(INBOUND_FACT_LEN_MAX);
    size_t i, k;
    json_t *group, *entry;
    json_array_foreach(words_categories(), i, group)
    {
        json_array_foreach(json_object_get(group, "codes"), k, entry)
        {
            if (web_form_offers(settings, json_string_value(entry)))
                buf_addf(&codes, "%s%s", codes.len > 0 ? "," : "", json_string_value(entry));
        }
    }
    return buf_detach(&codes, NULL);
}

static json_t *web_form_group(const struct web_form_settings *settings, const char *language,
                              const json_t *codes, const char *chosen)
{
    json_t *list = json_array(), *entry;
    size_t i;
    json_array_foreach(codes, i, entry)
    {
        const char *code = json_string_value(entry);
        char key[WEB_FORM_WORD_SIZE];
        if (!web_form_offers(settings, code))
            continue;
        snprintf(key, sizeof key, "category.%s", code);
        json_array_append_new(list, json_pack("{s:s, s:s, s:b}", "code", code, "name",
                                              words_get(language, key), "selected",
                                              chosen != NULL && strcmp(chosen, code) == 0));
    }
    return list;
}

static json_t *web_form_groups(const struct web_form_settings *settings, const char *language,
                               const char *chosen)
{
    json_t *groups = json_array(), *group;
    size_t i;
    json_array_foreach(words_categories(), i, group)
    {
        char key[WEB_FORM_WORD_SIZE];
        json_t *list = web_form_group(settings, language, json_object_get(group, "codes"), chosen);
        snprintf(key, sizeof key, "group.%s", json_string_value(json_object_get(group, "group")));
        if (json_array_size(list) > 0)
            json_array_append_new(groups, json_pack("{s:s, s:O}", "name", words_get(language, key),
                                                    "categories", list));
        json_decref(list);
    }
    return groups;
}

/* --- Problems --- */

/* "attachments[2]" is a problem of the field "attachments". */
static const struct web_form_field *web_form_field(const char *name)
{
    size_t len = strcspn(name, "[.");
    for (size_t i = 0; i < sizeof web_form_fields / sizeof web_form_fields[0]; i++) {
        const struct web_form_field *field = &web_form_fields[i];
        if (strlen(field->name) == len && memcmp(field->name, name, len) == 0)
            return field;
    }
    return NULL;
}

/* The sentence for a problem: of that very field where there is one, else of its code. */
static void web_form_message(const struct channel *ch, const char *language,
                             const struct record_problem *problem, struct buf *out)
{
    const struct web_form_field *field = web_form_field(problem->field);
    char minimum[WEB_FORM_NUMBER_SIZE], count[WEB_FORM_NUMBER_SIZE], size[WEB_FORM_NUMBER_SIZE];
    const struct words_field numbers[] = {
        {"story_min", minimum}, {"photos_max", count}, {"photo_mb", size}, {.name = NULL}};
    snprintf(minimum, sizeof minimum, "%lld", (long long)web_form_settings(ch)->story_min);
    snprintf(count, sizeof count, "%d", FORM_PHOTOS_MAX);
    snprintf(size, sizeof size, "%d", FORM_PHOTO_BYTES_MAX / (1024 * 1024));
    char key[WEB_FORM_WORD_SIZE];
    snprintf(key, sizeof key, "problem.%s.%s", problem->code, field != NULL ? field->name : "");
    if (!words_has("id", key))
        snprintf(key, sizeof key, "problem.%s", problem->code);
    words_fill(words_get(language, key), numbers, out);
}

/* Tells a problem three times: to programs, in the list above the form, and at its field. */
static void web_form_problem_add(const struct channel *ch, const char *language,
                                 const struct record_problem *problem, json_t *model,
                                 json_t *errors)
{
    const struct web_form_field *field = web_form_field(problem->field);
    json_t *by_field = json_object_get(model, "error");
    struct buf message = BUF_INIT(REPORT_LINE_MAX);
    web_form_message(ch, language, problem, &message);
    json_array_append_new(
        errors, json_pack("{s:s, s:s}", "field", problem->field, "message", message.data));
    json_array_append_new(json_object_get(model, "problems"),
                          json_pack("{s:s?, s:s?, s:s}", "anchor",
                                    field != NULL ? field->anchor : NULL, "label",
                                    field != NULL ? words_get(language, field->label) : NULL,
                                    "message", message.data));
    if (field != NULL && json_object_get(by_field, field->name) == NULL)
        json_object_set_new(by_field, field->name, json_string(message.data));
    buf_release(&message);
}

/* --- The form's model --- */

static void web_form_set_text(json_t *object, const char *key, const char *text)
{
    if (text != NULL)
        json_object_set_new(object, key, json_string(text));
}

static json_t *web_form_values(const struct record *typed)
{
    json_t *values = json_object();
    web_form_set_text(values, "story", typed->report.story);
    web_form_set_text(values, "location", typed->report.location.text);
    web_form_set_text(values, "additional", typed->report.additional);
    web_form_set_text(values, "date", typed->typed_date);
    web_form_set_text(values, "name", typed->reporter.name);
    web_form_set_text(values, "contact", typed->reporter.address);
    if (typed->report.location.has_point) {
        json_object_set_new(values, "lat", json_real(typed->report.location.lat));
        json_object_set_new(values, "lon", json_real(typed->report.location.lon));
    }
    return values;
}

json_t *web_form_model(const struct channel *ch, const char *language, const struct record *typed)
{
    const struct web_form_settings *settings = web_form_settings(ch);
    unsigned char random[WEB_FORM_KEY_BYTES];
    char client_key[2 * WEB_FORM_KEY_BYTES + 1];
    randombytes_buf(random, sizeof random);
    sodium_bin2hex(client_key, sizeof client_key, random, sizeof random);
    json_t *model = json_pack(
        "{s:b, s:s, s:I, s:i, s:i, s:i, s:i, s:i, s:o, s:[], s:{}}", "on_form", 1, "client_key",
        client_key, "story_min", (json_int_t)settings->story_min, "story_max", FORM_STORY_MAX,
        "line_max", FORM_LINE_MAX, "photos_max", FORM_PHOTOS_MAX, "photo_bytes",
        FORM_PHOTO_BYTES_MAX, "photo_mb", FORM_PHOTO_BYTES_MAX / (1024 * 1024), "groups",
        web_form_groups(settings, language, typed != NULL ? typed->typed_category : NULL),
        "problems", "error");
    if (typed == NULL)
        return model;
    json_t *errors = json_array();
    for (size_t i = 0; i < typed->problem_count; i++)
        web_form_problem_add(ch, language, &typed->problems[i], model, errors);
    json_object_set_new(model, "json", json_pack("{s:o}", "errors", errors));
    json_object_set_new(model, "problems_any", json_boolean(typed->problem_count > 0));
    json_object_set_new(model, "value", web_form_values(typed));
    json_object_set_new(model, "public", json_boolean(typed->report.visibility == REPORT_PUBLIC));
    json_object_set_new(model, "no_reply", json_boolean(typed->reporter.no_reply));
    return model;
}

/* --- The adapter --- */

static int web_form_check(const void *settings, struct err *err)
{
    const char *rest = ((const struct web_form_settings *)settings)->categories;
    const char *code;
    size_t len;
    while (rest != NULL && text_list_next(&rest, &code, &len)) {
        if (!web_form_knows(code, len))
            return err_set(err, ERR_CONFIG,
                           "categories: unknown code '%.*s', expected those of categories.json",
                           (int)(len > 40 ? 40 : len), code);
    }
    return 0;
}

static int web_form_open(struct channel *ch, struct err *err)
{
    if (web_form_check(ch->settings, err) != 0)
        return -1;
    /* Every request carries them to the worker: put together once. */
    ch->state = web_form_offered(web_form_settings(ch));
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
    char minimum[WEB_FORM_NUMBER_SIZE];
    snprintf(minimum, sizeof minimum, "%lld", (long long)web_form_settings(ch)->story_min);
    inbound_init(&in, ch->id, ch->adapter->name, ch->adapter->kind, request->received_ms,
                 mem_strndup(request->body, request->body_len), request->body_len);
    inbound_fact_add(&in, "content_type", request->content_type);
    inbound_fact_add(&in, "categories", ch->state);
    inbound_fact_add(&in, "story_min", minimum);
    return intake_submit(request->intake, &in, err);
}

static void web_form_respond_receipt(const struct channel *ch, const struct receipt *receipt,
                                     struct http_response *response)
{
    char shown[REPORT_ID_SHOWN_SIZE];
    const char *pin = receipt->pin[0] != '\0' ? receipt->pin : NULL;
    const char *site = ch->public_url != NULL ? ch->public_url : "";
    report_id_show(receipt->id, shown);
    response->status = receipt->outcome == RECEIPT_KNOWN ? 200 : 201;
    response->view = "receipt";
    response->model = json_pack("{s:s, s:s?, s:b, s:b, s:b, s:{s:s, s:s?, s:o}}", "id", shown,
                                "pin", pin, "known", receipt->outcome == RECEIPT_KNOWN,
                                "quarantined", receipt->outcome == RECEIPT_QUARANTINED, "fresh",
                                receipt->outcome == RECEIPT_ACCEPTED, "json", "id", shown, "pin",
                                pin, "track_url", json_sprintf("%s/track#%s", site, shown));
}

static void web_form_respond_conflict(const struct channel *ch, const char *language,
                                      const struct receipt *receipt, struct http_response *response)
{
    char name[] = "client_key", code[] = PROBLEM_REUSED_KEY;
    const struct record_problem problem = {.field = name, .code = code};
    struct record empty;
    record_init(&empty);
    json_t *model =
        web_form_model(ch, language, receipt->record != NULL ? receipt->record : &empty);
    web_form_problem_add(ch, language, &problem, model,
                         json_object_get(json_object_get(model, "json"), "errors"));
    json_object_set_new(model, "problems_any", json_true());
    response->status = 422;
    response->view = "form";
    response->model = model;
    record_release(&empty);
}

static void web_form_respond_busy(const char *language, struct http_response *response)
{
    const char *message = words_get(language, "error.store");
    char seconds[WEB_FORM_NUMBER_SIZE];
    snprintf(seconds, sizeof seconds, "%d", WEB_FORM_RETRY_AFTER_S);
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
    switch (n > 0 ? receipts->outcome : RECEIPT_FAILED) {
    case RECEIPT_ACCEPTED:
    case RECEIPT_KNOWN:
    case RECEIPT_QUARANTINED:
        web_form_respond_receipt(ch, receipts, response);
        break;
    case RECEIPT_CONFLICT:
        web_form_respond_conflict(ch, language, receipts, response);
        break;
    case RECEIPT_REFUSED:
        response->status = 422;
        response->view = "form";
        response->model = web_form_model(ch, language, receipts->record);
        break;
    case RECEIPT_FAILED:
        web_form_respond_busy(language, response);
        break;
    }
    return 0;
}

const struct adapter adapter_web_form = {
    .name = "web_form",
    .kind = "web",
    .options = web_form_options,
    .settings_size = sizeof(struct web_form_settings),
    .check = web_form_check,
    .parse_start = form_start,
    .parse = form_parse,
    .open = web_form_open,
    .receive = web_form_receive,
    .respond = web_form_respond,
    .close = web_form_close,
};
