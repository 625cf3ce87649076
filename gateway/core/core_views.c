/* SPDX-License-Identifier: Apache-2.0 */
/* What officers are shown, as models for the pages: days, never an hour; no identity anywhere. */
#include "gateway/core/core.h"
#include "normalize/report.h"

#define LIST_COLUMNS                                                                               \
    "ref, day, state, urgent, public, category, place, substr(body ->> '$.story', 1, 200)"

static json_t *list_item(sqlite3_stmt *row)
{
    return json_pack("{s:o, s:o, s:o, s:b, s:b, s:o, s:o, s:o}", "ref", core_json_text(row, 0),
                     "day", core_json_text(row, 1), "state", core_json_text(row, 2), "urgent",
                     sqlite3_column_int(row, 3), "public", sqlite3_column_int(row, 4), "category",
                     core_json_text(row, 5), "place", core_json_text(row, 6), "excerpt",
                     core_json_text(row, 7));
}

json_t *core_list(struct core *core, const char *state, int64_t page, bool *more)
{
    json_t *list = json_array();
    sqlite3_stmt *row;

    pthread_mutex_lock(&core->lock);
    row = core_query(core,
                     state == NULL ? "SELECT " LIST_COLUMNS " FROM tickets"
                                     " WHERE ?1 IS NULL ORDER BY n DESC LIMIT ?2 OFFSET ?3"
                                   : "SELECT " LIST_COLUMNS " FROM tickets"
                                     " WHERE state = ?1 ORDER BY n DESC LIMIT ?2 OFFSET ?3",
                     "tii", state, (int64_t)CORE_PAGE_ROWS + 1, page * CORE_PAGE_ROWS);
    while (core_row(row))
        json_array_append_new(list, list_item(row));
    sqlite3_finalize(row);
    pthread_mutex_unlock(&core->lock);
    *more = json_array_size(list) > CORE_PAGE_ROWS;
    if (*more)
        json_array_remove(list, CORE_PAGE_ROWS);
    return list;
}

static json_t *history(struct core *core, int64_t ticket)
{
    json_t *list = json_array();
    sqlite3_stmt *row = core_query(core,
                                   "SELECT day, state, officer, agency, answer FROM changes"
                                   " WHERE ticket = ? ORDER BY n DESC",
                                   "i", ticket);

    while (core_row(row))
        json_array_append_new(
            list, json_pack("{s:o, s:o, s:o, s:o, s:o}", "day", core_json_text(row, 0), "state",
                            core_json_text(row, 1), "officer", core_json_text(row, 2), "agency",
                            core_json_text(row, 3), "answer", core_json_text(row, 4)));
    sqlite3_finalize(row);
    return list;
}

static json_t *followups(struct core *core, int64_t ticket)
{
    json_t *list = json_array();
    sqlite3_stmt *row = core_query(
        core, "SELECT day, body FROM followups WHERE ticket = ? ORDER BY n", "i", ticket);

    while (core_row(row)) {
        json_t *body = json_loads(core_text(row, 1), 0, NULL);

        json_array_append_new(list, json_pack("{s:o, s:O?, s:s}", "day", core_json_text(row, 0),
                                              "story", json_object_get(body, "story"), "label",
                                              report_label(REPORT_PUBLIC)));
        json_decref(body);
    }
    sqlite3_finalize(row);
    return list;
}

static json_t *photos(struct core *core, int64_t ticket)
{
    json_t *list = json_array();
    sqlite3_stmt *row =
        core_query(core, "SELECT n FROM photos WHERE ticket = ? ORDER BY n", "i", ticket);

    while (core_row(row))
        json_array_append_new(list, json_pack("{s:I}", "n", sqlite3_column_int64(row, 0)));
    sqlite3_finalize(row);
    return list;
}

static json_t *next_states(const char *state)
{
    json_t *list = json_array();

    for (size_t i = 0; core_states[i] != NULL; i++)
        if (core_transition_allowed(state, core_states[i]))
            json_array_append_new(list, json_pack("{s:s}", "state", core_states[i]));
    return list;
}

/* The label as the gateway sent it; our own copy of the city's words when it sent none. */
static void complete_label(json_t *report, bool is_public)
{
    if (json_string_length(json_object_get(report, "label")) == 0)
        json_object_set_new(report, "label",
                            json_string(report_label(is_public ? REPORT_PUBLIC : REPORT_PRIVATE)));
}

static json_t *ticket_model(struct core *core, sqlite3_stmt *row)
{
    int64_t ticket = sqlite3_column_int64(row, 0);
    bool is_public = sqlite3_column_int(row, 5) != 0;
    json_t *report = json_loads(core_text(row, 6), 0, NULL);
    bool withheld = !is_public && json_array_size(json_object_get(report, "attachments")) > 0;

    complete_label(report, is_public);
    return json_pack("{s:o, s:o, s:o, s:b, s:b, s:b, s:o, s:o, s:o, s:o, s:o}", "ref",
                     core_json_text(row, 1), "day", core_json_text(row, 2), "state",
                     core_json_text(row, 3), "urgent", sqlite3_column_int(row, 4), "public",
                     is_public, "photos_withheld", withheld, "report", report, "photos",
                     photos(core, ticket), "followups", followups(core, ticket), "history",
                     history(core, ticket), "next", next_states(core_text(row, 3)));
}

json_t *core_ticket(struct core *core, const char *ref)
{
    json_t *model = NULL;
    sqlite3_stmt *row;

    pthread_mutex_lock(&core->lock);
    row = core_query(core,
                     "SELECT n, ref, day, state, urgent, public, body FROM tickets WHERE ref = ?",
                     "t", ref);
    if (core_row(row))
        model = ticket_model(core, row);
    sqlite3_finalize(row);
    pthread_mutex_unlock(&core->lock);
    return model;
}

int core_photo(struct core *core, const char *ref, int64_t n, struct buf *out,
               const char **media_type)
{
    static const char *const types[] = {"image/jpeg", "image/png", "image/webp"};
    sqlite3_stmt *row;
    int result = -1;

    pthread_mutex_lock(&core->lock);
    row = core_query(core,
                     "SELECT p.media_type, p.data FROM photos p JOIN tickets t ON t.n = p.ticket"
                     " WHERE t.ref = ? AND p.n = ? AND t.public",
                     "ti", ref, n);
    if (core_row(row)) {
        for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
            if (strcmp(types[i], core_text(row, 0)) == 0) {
                *media_type = types[i];
                result = 0;
            }
        buf_add(out, sqlite3_column_blob(row, 1), (size_t)sqlite3_column_bytes(row, 1));
    }
    sqlite3_finalize(row);
    pthread_mutex_unlock(&core->lock);
    return result;
}
