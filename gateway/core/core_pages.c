/* SPDX-License-Identifier: Apache-2.0 */
/* The officers' pages: the list, one report, a change of its state, its photos. */
#include "config/words.h"
#include "gateway/core/core.h"
#include "gateway/page.h"
#include "gateway/site_model.h"
#include "normalize/mem.h"
#include "normalize/text.h"

enum { PHOTO_BYTES_MAX = 32 * 1024 * 1024, PAGE_NUMBER_MAX = 100000 };

/* Adds to each item of a list what people read instead of codes. */
static void name_words(json_t *list, const char *language)
{
    json_t *item;
    size_t i;

    json_array_foreach(list, i, item)
    {
        const char *state = json_string_value(json_object_get(item, "state"));
        const char *day = json_string_value(json_object_get(item, "day"));
        const char *category = json_string_value(json_object_get(item, "category"));
        struct buf text = BUF_INIT(256);

        if (state != NULL) {
            json_object_set_new(item, "state_name", json_string(words_state(language, state)));
            json_object_set_new(item, "tone", json_string(site_state_tone(state)));
        }
        if (day != NULL) {
            words_day(language, day, &text);
            json_object_set_new(item, "day_name", json_string(text.data));
        }
        if (category != NULL) {
            buf_clear(&text);
            buf_addf(&text, "category.%s", category);
            json_object_set_new(item, "category_name", json_string(words_get(language, text.data)));
        }
        buf_release(&text);
    }
}

/* The states to filter by, the chosen one marked. */
static json_t *state_choices(const char *language, const char *chosen)
{
    json_t *list = json_array();

    for (size_t i = 0; core_states[i] != NULL; i++)
        json_array_append_new(list,
                              json_pack("{s:s, s:s, s:b}", "state", core_states[i], "state_name",
                                        words_state(language, core_states[i]), "chosen",
                                        chosen != NULL && strcmp(chosen, core_states[i]) == 0));
    return list;
}

static int64_t query_page(const struct http_request *request)
{
    struct buf text = BUF_INIT(16);
    int64_t page = 0;

    if (http_form_field(request->query, strlen(request->query), "page", &text) == 1)
        page = strtoll(text.data, NULL, 10);
    buf_release(&text);
    return page < 0 || page > PAGE_NUMBER_MAX ? 0 : page;
}

void core_get_list(void *context, struct http_exchange *exchange)
{
    struct core *core = context;
    const struct http_request *request = http_exchange_request(exchange);
    const char *language = page_language(request);
    struct buf state = BUF_INIT(64);
    struct core_officer officer;
    const char *chosen = NULL;
    int64_t page = query_page(request);
    bool more;
    json_t *list, *model;

    if (!core_require(core, exchange, &officer))
        return;
    if (http_form_field(request->query, strlen(request->query), "state", &state) == 1 &&
        core_state_known(state.data))
        chosen = state.data;
    list = core_list(core, chosen, page, &more);
    name_words(list, language);
    model = json_pack("{s:b, s:o, s:o, s:s?, s:b, s:b, s:b, s:I, s:I, s:I}", "on_list", 1,
                      "tickets", list, "states", state_choices(language, chosen), "chosen_state",
                      chosen, "paged", more || page > 0, "older", more, "newer", page > 0,
                      "older_page", page + 1, "newer_page", page - 1, "page_number", page + 1);
    core_show(exchange, &officer, 200, "core_list", model);
    buf_release(&state);
}

/* Completes a ticket's model and shows it; said: a flag of the template, or NULL. */
static void show_ticket(struct core *core, struct http_exchange *exchange,
                        const struct core_officer *officer, const char *ref, int status,
                        const char *said)
{
    const char *language = page_language(http_exchange_request(exchange));
    json_t *model = core_ticket(core, ref);
    json_t *itself;

    if (model == NULL) {
        core_error(exchange, 404);
        return;
    }
    itself = json_pack("[O, O]", model, json_object_get(model, "report"));
    json_object_set(
        json_object_get(model, "report"), "category",
        json_object_get(json_object_get(json_object_get(model, "report"), "category"), "code"));
    name_words(itself, language);
    json_decref(itself);
    name_words(json_object_get(model, "history"), language);
    name_words(json_object_get(model, "followups"), language);
    name_words(json_object_get(model, "next"), language);
    json_object_set_new(model, "own_agency", json_string(officer->agency));
    json_object_set_new(model, "can_change",
                        json_boolean(json_array_size(json_object_get(model, "next")) > 0));
    json_object_set_new(model, "answer_max", json_integer(CORE_ANSWER_MAX));
    if (said != NULL)
        json_object_set_new(model, said, json_true());
    core_show(exchange, officer, status, "core_ticket", model);
}

/* The reference behind prefix, up to a slash; false when it is none. */
static bool path_ref(const char *path, const char *prefix, char ref[static CORE_TICKET_REF_SIZE],
                     const char **rest)
{
    size_t len;

    path += strlen(prefix);
    len = strcspn(path, "/");
    *rest = path + len;
    if (len != CORE_TICKET_REF_SIZE - 1)
        return false;
    memcpy(ref, path, len);
    ref[len] = '\0';
    return true;
}

void core_get_ticket(void *context, struct http_exchange *exchange)
{
    struct core *core = context;
    const struct http_request *request = http_exchange_request(exchange);
    struct core_officer officer;
    char ref[CORE_TICKET_REF_SIZE];
    const char *rest;

    if (!core_require(core, exchange, &officer))
        return;
    if (path_ref(request->path, "/t/", ref, &rest) && *rest == '\0')
        show_ticket(core, exchange, &officer, ref, 200,
                    strncmp(request->query, "saved=1", strlen("saved=1")) == 0 ? "saved" : NULL);
    else
        core_error(exchange, 404);
}

/* A field of a form, cleaned; NULL when it is empty or not there. *bad: it is no text or too long.
 */
static char *form_text(const struct http_request *request, const char *name, size_t max, bool line,
                       bool *bad)
{
    struct buf field = BUF_INIT(CORE_FORM_BYTES_MAX);
    char *text = NULL;
    int found = http_form_field(request->body, request->body_len, name, &field);

    if (found == 1)
        text = line ? text_clean_line(field.data, field.len) : text_clean(field.data, field.len);
    if (found < 0 || (text != NULL && strlen(text) > max))
        *bad = true;
    buf_release(&field);
    return text;
}

static void change_state(struct core *core, struct http_exchange *exchange,
                         const struct core_officer *officer, const char *ref)
{
    const struct http_request *request = http_exchange_request(exchange);
    bool bad = false;
    char *from = form_text(request, "from", 64, true, &bad);
    char *to = form_text(request, "to", 64, true, &bad);
    char *agency = form_text(request, "agency", CORE_AGENCY_MAX, true, &bad);
    char *answer = form_text(request, "answer", CORE_ANSWER_MAX, false, &bad);
    const struct core_change change = {.ref = ref,
                                       .from = from,
                                       .to = to,
                                       .officer = officer->name,
                                       .agency = agency,
                                       .answer = answer,
                                       .now_ms = request->received_ms};
    struct buf location = BUF_INIT(64);
    enum core_changed changed = CORE_FORBIDDEN;

    if (!bad && from != NULL && to != NULL)
        changed = core_change(core, &change);
    buf_addf(&location, "/t/%s?saved=1", ref);
    switch (changed) {
    case CORE_CHANGED:
        core_redirect(exchange, location.data);
        break;
    case CORE_CHANGED_MEANWHILE:
        show_ticket(core, exchange, officer, ref, 409, "changed_meanwhile");
        break;
    case CORE_FORBIDDEN:
        show_ticket(core, exchange, officer, ref, 422, bad ? "too_long" : "forbidden");
        break;
    case CORE_UNKNOWN:
        core_error(exchange, 404);
        break;
    }
    buf_release(&location);
    free(from);
    free(to);
    free(agency);
    free(answer);
}

void core_post_state(void *context, struct http_exchange *exchange)
{
    struct core *core = context;
    const struct http_request *request = http_exchange_request(exchange);
    struct core_officer officer;
    char ref[CORE_TICKET_REF_SIZE];
    const char *rest;

    if (!core_require(core, exchange, &officer))
        return;
    if (!core_form_is_ours(request, &officer))
        core_error(exchange, 403);
    else if (path_ref(request->path, "/t/", ref, &rest) && strcmp(rest, "/state") == 0)
        change_state(core, exchange, &officer, ref);
    else
        core_error(exchange, 404);
}

void core_get_photo(void *context, struct http_exchange *exchange)
{
    struct core *core = context;
    struct buf data = BUF_INIT(PHOTO_BYTES_MAX);
    struct http_response response;
    struct core_officer officer;
    char ref[CORE_TICKET_REF_SIZE];
    const char *rest, *media_type;

    if (!core_require(core, exchange, &officer))
        return;
    if (!path_ref(http_exchange_request(exchange)->path, "/photo/", ref, &rest) || *rest != '/' ||
        core_photo(core, ref, strtoll(rest + 1, NULL, 10), &data, &media_type) != 0) {
        core_error(exchange, 404);
    } else {
        http_response_init(&response, 200);
        http_response_text(&response, media_type, data.data, data.len);
        http_response_header(&response, "Content-Security-Policy", "default-src 'none'; sandbox");
        http_answer(exchange, &response);
    }
    buf_release(&data);
}
