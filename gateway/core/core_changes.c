/* SPDX-License-Identifier: Apache-2.0 */
/* Changes of state: made by officers, fetched by the gateway in the order they were made. */
#include "adapters/core.h"
#include "gateway/core/core.h"

/* A cursor is the number of the last change seen; "" before the first. -1: not ours. */
static int64_t parse_cursor(const char *cursor)
{
    size_t len = strlen(cursor);

    if (len > 18 || strspn(cursor, "0123456789") != len)
        return -1;
    return len == 0 ? 0 : strtoll(cursor, NULL, 10);
}

json_t *core_updates_after(struct core *core, const char *cursor)
{
    int64_t last = parse_cursor(cursor);
    json_t *updates;
    sqlite3_stmt *row;

    if (last < 0)
        return NULL;
    updates = json_array();
    pthread_mutex_lock(&core->lock);
    row = core_query(core,
                     "SELECT c.n, c.ref, t.report, c.day, c.state, c.agency, c.answer"
                     " FROM changes c JOIN tickets t ON t.n = c.ticket"
                     " WHERE c.n > ? ORDER BY c.n LIMIT ?",
                     "ii", last, (int64_t)CORE_UPDATES_MAX);
    while (core_row(row)) {
        last = sqlite3_column_int64(row, 0);
        json_array_append_new(
            updates, json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:n}", "id", core_json_text(row, 1),
                               "report", core_json_text(row, 2), "day", core_json_text(row, 3),
                               "state", core_json_text(row, 4), "agency", core_json_text(row, 5),
                               "answer", core_json_text(row, 6), "photo"));
    }
    sqlite3_finalize(row);
    pthread_mutex_unlock(&core->lock);
    return json_pack("{s:o, s:o}", "updates", updates, "next",
                     json_sprintf("%lld", (long long)last));
}

static void store_change(struct core *core, int64_t ticket, const struct core_change *change)
{
    char ref[CORE_TICKET_REF_SIZE], day[CORE_DAY_SIZE];

    core_new_ref(ref);
    core_day(change->now_ms, day);
    core_begin(core);
    core_run(core,
             "INSERT INTO changes (ref, ticket, day, state, officer, agency, answer)"
             " VALUES (?, ?, ?, ?, ?, ?, ?)",
             "tittttt", ref, ticket, day, change->to, change->officer, change->agency,
             change->answer);
    core_run(core, "UPDATE tickets SET state = ? WHERE n = ?", "ti", change->to, ticket);
    core_commit(core);
}

enum core_changed core_change(struct core *core, const struct core_change *change)
{
    enum core_changed result = CORE_UNKNOWN;
    sqlite3_stmt *row;
    int64_t ticket = 0;

    pthread_mutex_lock(&core->lock);
    row = core_query(core, "SELECT n, state FROM tickets WHERE ref = ?", "t", change->ref);
    if (core_row(row)) {
        ticket = sqlite3_column_int64(row, 0);
        if (strcmp(core_text(row, 1), change->from) != 0)
            result = CORE_CHANGED_MEANWHILE;
        else if (!core_transition_allowed(change->from, change->to))
            result = CORE_FORBIDDEN;
        else
            result = CORE_CHANGED;
    }
    sqlite3_finalize(row);
    if (result == CORE_CHANGED)
        store_change(core, ticket, change);
    pthread_mutex_unlock(&core->lock);
    return result;
}
