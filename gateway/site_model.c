/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The models of the tracking pages. JSON keeps the core's words and days; pages translate them and
 * show the newest change first. Pure functions of their arguments.
 */
#include "gateway/site_model.h"

#include <stdio.h>
#include <string.h>

#include "config/words.h"
#include "normalize/form.h"
#include "normalize/normalize.h"

/* The others are neutral. */
static const struct {
    const char *state, *tone;
} tones[] = {
    {"Selesai", "good"},           {"Ditolak", "bad"}, {"TL Ditolak", "bad"},
    {"Koordinasi", "busy"},        {"Proses", "busy"}, {"Disposisi", "busy"},
    {"Menunggu Validasi", "busy"},
};

const char *site_state_tone(const char *state)
{
    for (size_t i = 0; state && i < sizeof tones / sizeof *tones; i++)
        if (!strcmp(tones[i].state, state))
            return tones[i].tone;
    return "calm";
}

static json_t *item_json(const struct track_item *item)
{
    return json_pack("{s:s?, s:s?, s:s?, s:s?}", "day", item->day, "state", item->state, "agency",
                     item->agency, "answer", item->answer);
}

static json_t *item_page(const struct track_item *item, const char *language)
{
    struct buf day = BUF_INIT(64);
    if (item->day)
        words_day(language, item->day, &day);
    json_t *page =
        json_pack("{s:s?, s:s, s:s?, s:s, s:s?, s:s?, s:b}", "day", item->day, "day_text", day.data,
                  "state_name", item->state ? words_state(language, item->state) : NULL, "tone",
                  site_state_tone(item->state), "agency", item->agency, "answer", item->answer,
                  "photo", item->photo);
    buf_release(&day);
    return page;
}

static const char *word_of(const char *language, const char *group, const char *code)
{
    char key[128];
    snprintf(key, sizeof key, "%s.%.100s", group, code);
    return words_has("id", key) ? words_get(language, key) : NULL;
}

static json_t *own_json(const struct track_view *view)
{
    return json_pack("{s:s?, s:s?, s:s?, s:s?, s:s, s:I}", "story", view->story, "location",
                     view->location, "additional", view->additional, "category", view->category,
                     "visibility", report_visibility_name(view->visibility), "attachments",
                     (json_int_t)view->attachments);
}

static void add_own_page(json_t *model, const struct track_view *view, const char *language)
{
    const char *category = view->category ? word_of(language, "category", view->category) : NULL;
    const char *visibility = report_visibility_name(view->visibility);
    json_t *own = own_json(view);
    json_object_set_new(own, "category_name",
                        json_pack("s?", category ? category : view->category));
    json_object_set_new(own, "visibility_name",
                        json_string(word_of(language, "visibility", visibility)));
    json_object_set_new(model, "own", own);
    json_object_set_new(model, "can_add", json_true());
}

json_t *site_result_json(const struct track_view *view, bool own)
{
    char shown[REPORT_ID_SHOWN_SIZE];
    json_t *list = json_array();
    report_id_show(view->id, shown);
    for (size_t i = 0; i < view->timeline_count; i++)
        json_array_append_new(list, item_json(&view->timeline[i]));
    json_t *json =
        json_pack("{s:s, s:s?, s:o}", "id", shown, "state", view->state, "timeline", list);
    if (own) {
        json_t *more = own_json(view);
        json_object_update(json, more);
        json_decref(more);
    }
    return json_pack("{s:o}", "json", json);
}

json_t *site_result_model(const struct track_view *view, const char *language, bool own)
{
    char shown[REPORT_ID_SHOWN_SIZE];
    json_t *page_list = json_array();
    report_id_show(view->id, shown);
    for (size_t i = 0; i < view->timeline_count; i++)
        json_array_insert_new(page_list, 0, item_page(&view->timeline[i], language));
    json_t *model =
        json_pack("{s:b, s:s, s:s?, s:s?, s:s, s:i, s:o}", "on_track", 1, "id", shown, "state_name",
                  view->state ? words_state(language, view->state) : NULL, "state_help",
                  view->state ? word_of(language, "state_help", view->state) : NULL, "tone",
                  site_state_tone(view->state), "text_max", FORM_STORY_MAX, "timeline", page_list);
    if (own)
        add_own_page(model, view, language);
    return model;
}

void site_model_problem(json_t *model, const char *field, const char *anchor, const char *message)
{
    json_object_set_new(model, "problem",
                        json_pack("{s:s?, s:s}", "anchor", anchor, "message", message));
    json_object_set_new(
        model, "json",
        json_pack("{s:[{s:s?, s:s}]}", "errors", "field", field, "message", message));
}
