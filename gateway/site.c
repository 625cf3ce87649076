/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The citizens' site: routes, what a request means, and which answer it gets. Citizens' forms are
 * not parsed here (the worker does that); only the two small tracking forms are. No state.
 */
#include "gateway/site.h"

#include <stdio.h>
#include <string.h>
#include <unistr.h>

#include "config/words.h"
#include "gateway/page.h"
#include "gateway/site_model.h"
#include "normalize/form.h"
#include "normalize/inbound.h"

enum {
    SITE_RETRY_AFTER_S = 30,
    TRACK_BODY_MAX = 4 * 1024, /* an ID and a PIN, with room for clumsy encodings */
    ADD_BODY_MAX = 256 * 1024, /* the longest text, percent-encoded */
    PIN_LEN = 6,
};

#define STATIC_FOREVER "public, max-age=31536000, immutable" /* the address changes instead */
#define STATIC_A_DAY   "public, max-age=86400"

/* --- Answers --- */

/* The request, its language settled: the query ("?lang=en") goes before the browser's wish. */
static struct http_request *request_of(struct http_exchange *exchange)
{
    struct http_request *request = http_exchange_request(exchange);
    request->language = page_language(request);
    return request;
}

static void answer(struct http_exchange *exchange, int status, const char *view, json_t *model,
                   int retry_after_s)
{
    struct http_response response;
    char seconds[16];
    http_response_init(&response, status);
    http_response_view(&response, view, model);
    if (retry_after_s > 0) {
        snprintf(seconds, sizeof seconds, "%d", retry_after_s);
        http_response_header(&response, "Retry-After", seconds);
    }
    http_answer(exchange, &response);
}

static void answer_error(struct http_exchange *exchange, int status, const char *key,
                         int retry_after_s)
{
    const char *message = words_get(request_of(exchange)->language, key);
    json_t *model = json_pack("{s:s}", "message", message);
    site_model_problem(model, NULL, NULL, message);
    answer(exchange, status, "error", model, retry_after_s);
}

void site_busy(struct http_exchange *exchange)
{
    answer_error(exchange, 503, "track.busy", SITE_RETRY_AFTER_S);
}

static void answer_bytes(struct http_exchange *exchange, const char *content_type, const void *data,
                         size_t len, const char *cache)
{
    struct http_response response;
    http_response_init(&response, 200);
    http_response_header(&response, "Cache-Control", cache);
    http_response_text(&response, content_type, data, len);
    http_answer(exchange, &response);
}

/* --- Form and static files --- */

static void site_form(void *context, struct http_exchange *exchange)
{
    const struct site_services *services = context;
    json_t *model = services->form(services->context, request_of(exchange)->language);
    if (model)
        answer(exchange, 200, "form", model, 0);
    else
        answer_error(exchange, 503, "error.closed", SITE_RETRY_AFTER_S);
}

static void site_report(void *context, struct http_exchange *exchange)
{
    const struct site_services *services = context;
    (void)request_of(exchange); /* settles the language, which the answer is rendered in */
    services->report(services->context, exchange);
}

static void site_static(void *context, struct http_exchange *exchange)
{
    (void)context;
    struct http_request *request = request_of(exchange);
    const char *content_type, *known = request->header(request, "If-None-Match");
    const struct asset *asset = page_static(request->path + strlen("/static/"), &content_type);
    struct http_response response;
    char tag[24];
    if (!asset) {
        answer_error(exchange, 404, "error.not_found", 0);
        return;
    }
    snprintf(tag, sizeof tag, "\"%s\"", asset->hash);
    bool fresh = known && strstr(known, tag);
    http_response_init(&response, fresh ? 304 : 200);
    http_response_header(&response, "ETag", tag);
    http_response_header(&response, "Cache-Control", STATIC_FOREVER);
    if (!fresh)
        http_response_text(&response, content_type, (const char *)asset->data, asset->len);
    http_answer(exchange, &response);
}

static void site_icon(void *context, struct http_exchange *exchange)
{
    (void)context;
    const struct asset *icon = page_asset("icon.svg");
    answer_bytes(exchange, "image/svg+xml", icon->data, icon->len, STATIC_A_DAY);
}

static void site_robots(void *context, struct http_exchange *exchange)
{
    static const char text[] = "User-agent: *\nDisallow: /track\nDisallow: /c/\n";
    (void)context;
    answer_bytes(exchange, "text/plain; charset=utf-8", text, sizeof text - 1, STATIC_A_DAY);
}

/* --- Tracking --- */

/* What a tracking form sent, as a form or as JSON. */
struct input {
    char id[REPORT_ID_SIZE]; /* "" when it is no ID */
    char pin[PIN_LEN + 1];   /* "" when it is no PIN */
    bool has_pin;            /* something was typed for it */
    struct buf text;
};

/* A field's value into *out; anything unreadable is as good as missing. */
static void read_field(const struct http_request *request, const json_t *json, const char *name,
                       struct buf *out)
{
    const json_t *value = json_object_get(json, name);
    if (json)
        buf_add(out, json_string_value(value), json_string_length(value));
    else if (http_form_field(request->body, request->body_len, name, out) != 1)
        buf_clear(out);
    if (out->overflow || u8_check((const uint8_t *)out->data, out->len))
        buf_clear(out);
}

/* Six digits; people also type spaces and hyphens. */
static void read_pin(const struct buf *typed, struct input *input)
{
    bool good = true;
    size_t n = 0;
    for (size_t i = 0; i < typed->len; i++) {
        char c = typed->data[i];
        if (c == ' ' || c == '-')
            continue;
        input->has_pin = true;
        if (c >= '0' && c <= '9' && n < PIN_LEN)
            input->pin[n++] = c;
        else
            good = false;
    }
    if (!good || n < PIN_LEN)
        input->pin[0] = '\0';
}

static void input_read(const struct http_request *request, struct input *input)
{
    struct buf id = BUF_INIT(256), pin = BUF_INIT(256);
    json_t *json = strncasecmp(request->content_type, "application/json", 16)
                       ? NULL
                       : json_loadb(request->body, request->body_len, 0, NULL);
    *input = (struct input){.text = BUF_INIT(ADD_BODY_MAX)};
    read_field(request, json, "id", &id);
    read_field(request, json, "pin", &pin);
    read_field(request, json, "text", &input->text);
    if (report_id_parse(id.data, id.len, input->id))
        input->id[0] = '\0';
    read_pin(&pin, input);
    json_decref(json);
    buf_wipe(&pin);
    buf_release(&id);
}

/* Unknown, malformed and withheld alike; nothing of what was typed is in it. */
static void answer_unknown(struct http_exchange *exchange)
{
    const char *language = request_of(exchange)->language;
    json_t *model = json_pack("{s:b}", "on_track", 1);
    site_model_problem(model, "id", "id", words_get(language, "track.unknown"));
    answer(exchange, 404, "track", model, 0);
}

static void answer_wrong_pin(struct http_exchange *exchange, const char *id)
{
    char shown[REPORT_ID_SHOWN_SIZE];
    const char *language = request_of(exchange)->language;
    report_id_show(id, shown);
    json_t *model = json_pack("{s:b, s:s}", "on_track", 1, "id", shown);
    site_model_problem(model, "pin", "pin", words_get(language, "track.wrong_pin"));
    answer(exchange, 403, "track", model, 0);
}

static void answer_limited(struct http_exchange *exchange, int retry_after_s)
{
    char minutes[16];
    const char *language = request_of(exchange)->language;
    const struct words_field fields[] = {{"minutes", minutes}, {0}};
    struct buf message = BUF_INIT(1024);
    int wait_s = retry_after_s > 0 ? retry_after_s : SITE_RETRY_AFTER_S;
    snprintf(minutes, sizeof minutes, "%d", (wait_s + 59) / 60);
    words_fill(words_get(language, "track.limited"), fields, &message);
    json_t *model = json_pack("{s:b}", "on_track", 1);
    site_model_problem(model, NULL, "id", message.data);
    answer(exchange, 429, "track", model, wait_s);
    buf_release(&message);
}

/*
 * Looks up what the input names. What cannot be a PIN is not worth a guess: the public look-up
 * tells whether the answer is "unknown" or "wrong PIN".
 */
static int look_up(const struct site_services *services, struct http_exchange *exchange,
                   const struct input *input, struct track_view *view)
{
    if (!input->id[0])
        return SITE_UNKNOWN;
    int result = services->lookup(services->context, http_exchange_client(exchange), input->id,
                                  input->pin[0] ? input->pin : NULL, view);
    return result == SITE_STATE && input->has_pin ? SITE_WRONG_PIN : result;
}

static void site_track_page(void *context, struct http_exchange *exchange)
{
    (void)context;
    (void)request_of(exchange); /* settles the language, which the answer is rendered in */
    answer(exchange, 200, "track", json_pack("{s:b}", "on_track", 1), 0);
}

static void site_track(void *context, struct http_exchange *exchange)
{
    const struct site_services *services = context;
    struct http_request *request = request_of(exchange);
    struct input input;
    struct track_view view;
    track_view_init(&view);
    input_read(request, &input);
    int result = look_up(services, exchange, &input, &view);
    switch (result) {
    case SITE_STATE:
    case SITE_OWN:
        answer(exchange, 200, "track_result",
               request->wants_json
                   ? site_result_json(&view, result == SITE_OWN)
                   : site_result_model(&view, request->language, result == SITE_OWN),
               0);
        break;
    case SITE_WRONG_PIN:
        answer_wrong_pin(exchange, input.id);
        break;
    case SITE_LIMITED:
        answer_limited(exchange, view.retry_after_s);
        break;
    case SITE_UNKNOWN:
        answer_unknown(exchange);
        break;
    default:
        site_busy(exchange);
    }
    track_view_release(&view);
    buf_wipe(&input.text);
}

/* --- Adding information --- */

/* The problem of a text to add, or NULL. */
static const char *text_problem(const struct buf *text)
{
    if (strspn(text->data, " \t\r\n") == text->len)
        return "required";
    if (u8_mbsnlen((const uint8_t *)text->data, text->len) > FORM_STORY_MAX)
        return "too_long";
    return NULL;
}

/* The report again, with the form and what was typed into it. */
static void answer_add_again(struct http_exchange *exchange, int status, const char *problem,
                             const struct track_view *view, bool own, const struct input *input)
{
    const char *language = request_of(exchange)->language;
    bool pin = !strcmp(problem, "wrong_pin");
    char key[64];
    snprintf(key, sizeof key, "problem.%s.text", problem);
    if (!words_has("id", key))
        snprintf(key, sizeof key, "problem.%s", problem);
    json_t *model = site_result_model(view, language, own);
    site_model_problem(model, pin ? "pin" : "text", pin ? "add-pin" : "text",
                       words_get(language, key));
    json_object_set_new(model, "can_add", json_true());
    json_object_set_new(model, "text", json_stringn(input->text.data, input->text.len));
    answer(exchange, status, "track_result", model, 0);
}

static void add_wrong_pin(const struct site_services *services, struct http_exchange *exchange,
                          const struct input *input)
{
    struct track_view view;
    track_view_init(&view);
    int result =
        services->lookup(services->context, http_exchange_client(exchange), input->id, NULL, &view);
    if (result == SITE_STATE)
        answer_add_again(exchange, 403, "wrong_pin", &view, false, input);
    else
        answer_wrong_pin(exchange, input->id);
    track_view_release(&view);
}

static void site_add(void *context, struct http_exchange *exchange)
{
    const struct site_services *services = context;
    struct input input;
    struct track_view view;
    track_view_init(&view);
    input_read(request_of(exchange), &input);
    const char *problem = text_problem(&input.text);
    switch (look_up(services, exchange, &input, &view)) {
    case SITE_OWN:
        if (problem)
            answer_add_again(exchange, 422, problem, &view, true, &input);
        else
            services->add(services->context, exchange, input.id, input.text.data);
        break;
    case SITE_STATE:
    case SITE_WRONG_PIN:
        add_wrong_pin(services, exchange, &input);
        break;
    case SITE_LIMITED:
        answer_limited(exchange, view.retry_after_s);
        break;
    case SITE_UNKNOWN:
        answer_unknown(exchange);
        break;
    default:
        site_busy(exchange);
    }
    track_view_release(&view);
    buf_wipe(&input.text);
}

void site_added(struct http_exchange *exchange, const struct receipt *receipts, size_t n)
{
    enum receipt_outcome outcome = n ? receipts->outcome : RECEIPT_FAILED;
    char shown[REPORT_ID_SHOWN_SIZE];
    if (outcome == RECEIPT_FAILED) {
        site_busy(exchange);
        return;
    }
    if (outcome == RECEIPT_REFUSED || outcome == RECEIPT_CONFLICT) {
        answer_error(exchange, 422, "problem.malformed", 0);
        return;
    }
    report_id_show(receipts->id, shown);
    answer(exchange, outcome == RECEIPT_KNOWN ? 200 : 201, "added",
           json_pack("{s:b, s:s, s:{s:s}}", "on_track", 1, "id", shown, "json", "id", shown), 0);
}

const struct http_route site_routes[] = {
    {"GET", "/", site_form, 0},
    {"GET", "/track", site_track_page, 0},
    {"GET", "/static/*", site_static, 0},
    {"GET", "/favicon.ico", site_icon, 0},
    {"GET", "/robots.txt", site_robots, 0},
    {"POST", "/reports", site_report, INBOUND_RAW_MAX},
    {"POST", "/track", site_track, TRACK_BODY_MAX},
    {"POST", "/track/add", site_add, ADD_BODY_MAX},
    {0},
};
