/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tickets, follow-ups, changes of state and photos. Of a payload only the members in kept[] are
 * stored, so that a gateway that sent too much would still not put an identity in front of an
 * officer. A key is remembered for ever with the hash of its payload.
 */
#include <limits.h>

#include "adapters/core.h"
#include "gateway/core/core.h"
#include "normalize/mem.h"
#include "normalize/report.h"

enum {
    HASH_SIZE = 32,
    PHOTO_BYTES_MAX = 16 * 1024 * 1024,
};

static const char *const kept[] = {
    "urgent",   "visibility", "label",      "received_on", "language", "subject", "story",
    "location", "category",   "additional", "attachments", "warnings", NULL,
};

/* What browsers may be given as a photo; anything else is not shown. */
static const char *const photo_types[] = {"image/jpeg", "image/png", "image/webp", NULL};

static const char *photo_type(const char *media_type)
{
    for (size_t i = 0; media_type != NULL && photo_types[i] != NULL; i++)
        if (strcmp(photo_types[i], media_type) == 0)
            return photo_types[i];
    return NULL;
}

/* Whether key was used before, and for the same bytes. *ref is set when it was. */
static enum core_put find_key(struct core *core, const char *key, const unsigned char *hash,
                              char ref[static CORE_TICKET_REF_SIZE])
{
    sqlite3_stmt *row = core_query(core, "SELECT hash, ref FROM requests WHERE key = ?", "t", key);
    enum core_put result = CORE_MADE;

    if (core_row(row)) {
        bool same = sqlite3_column_bytes(row, 0) == HASH_SIZE &&
                    memcmp(sqlite3_column_blob(row, 0), hash, HASH_SIZE) == 0;

        result = same ? CORE_KNOWN : CORE_OTHER_PAYLOAD;
        snprintf(ref, CORE_TICKET_REF_SIZE, "%s", core_text(row, 1));
    }
    sqlite3_finalize(row);
    return result;
}

static void remember_key(struct core *core, const char *key, const unsigned char *hash,
                         const char *ref)
{
    core_run(core, "INSERT INTO requests (key, hash, ref) VALUES (?, ?, ?)", "tbt", key, hash,
             (size_t)HASH_SIZE, ref);
}

/* The number of a ticket, 0 when there is none. */
static int64_t find_ticket(struct core *core, const char *ref)
{
    sqlite3_stmt *row = core_query(core, "SELECT n FROM tickets WHERE ref = ?", "t", ref);
    int64_t n = core_row(row) ? sqlite3_column_int64(row, 0) : 0;

    sqlite3_finalize(row);
    return n;
}

static bool is_text_or_null(const json_t *object, const char *name)
{
    const json_t *value = json_object_get(object, name);

    return value == NULL || json_is_null(value) || json_is_string(value);
}

/* Whether payload is a report in canonical JSON, as far as this store relies on it. */
static bool is_report(const json_t *payload)
{
    const char *visibility = json_string_value(json_object_get(payload, "visibility"));
    const json_t *location = json_object_get(payload, "location");
    const json_t *attachments = json_object_get(payload, "attachments");

    return json_string_length(json_object_get(payload, "id")) > 0 && visibility != NULL &&
           (strcmp(visibility, "private") == 0 || strcmp(visibility, "public") == 0) &&
           is_text_or_null(payload, "story") && is_text_or_null(payload, "additional") &&
           is_text_or_null(payload, "label") && (location == NULL || json_is_object(location)) &&
           (attachments == NULL || json_is_array(attachments));
}

static bool is_public(const json_t *report)
{
    return strcmp(json_string_value(json_object_get(report, "visibility")), "public") == 0;
}

/* The members we keep; photos' bytes apart. */
static char *kept_body(const json_t *report)
{
    json_t *body = json_object();
    json_t *attachments, *attachment;
    size_t i;
    char *text;

    for (i = 0; kept[i] != NULL; i++)
        json_object_set(body, kept[i], json_object_get(report, kept[i]));
    attachments = json_deep_copy(json_object_get(body, "attachments"));
    json_array_foreach(attachments, i, attachment) json_object_del(attachment, "data");
    json_object_set_new(body, "attachments", attachments == NULL ? json_array() : attachments);
    text = json_canonical(body);
    json_decref(body);
    return text;
}

static int64_t next_photo(struct core *core, int64_t ticket)
{
    sqlite3_stmt *row = core_query(
        core, "SELECT coalesce(max(n), 0) + 1 FROM photos WHERE ticket = ?", "i", ticket);
    int64_t n = core_row(row) ? sqlite3_column_int64(row, 0) : 1;

    sqlite3_finalize(row);
    return n;
}

static void store_photo(struct core *core, int64_t ticket, const json_t *attachment)
{
    const char *type = photo_type(json_string_value(json_object_get(attachment, "media_type")));
    const json_t *data = json_object_get(attachment, "data");
    size_t len = json_string_length(data), bytes_len = 0;
    unsigned char *bytes;

    if (type == NULL || len == 0 || len / 4 * 3 > PHOTO_BYTES_MAX)
        return;
    bytes = mem_calloc(len, 1);
    if (sodium_base642bin(bytes, len, json_string_value(data), len, NULL, &bytes_len, NULL,
                          sodium_base64_VARIANT_ORIGINAL) == 0)
        core_run(core, "INSERT INTO photos (ticket, n, media_type, data) VALUES (?, ?, ?, ?)",
                 "iitb", ticket, next_photo(core, ticket), type, bytes, bytes_len);
    free(bytes);
}

/* Only a public report's photos are kept at all. */
static void store_photos(struct core *core, int64_t ticket, const json_t *report)
{
    const json_t *attachments = json_object_get(report, "attachments");
    size_t i;
    json_t *attachment;

    if (!is_public(report))
        return;
    json_array_foreach(attachments, i, attachment) store_photo(core, ticket, attachment);
}

/* A line for the list: where it is, as exactly as the report knows. */
static const char *place(const json_t *report)
{
    const json_t *location = json_object_get(report, "location");
    const char *kelurahan =
        json_string_value(json_object_get(json_object_get(location, "kelurahan"), "name"));

    return kelurahan != NULL ? kelurahan : json_string_value(json_object_get(location, "text"));
}

static void store_ticket(struct core *core, const char *ref, const json_t *report, int64_t now_ms)
{
    char day[CORE_DAY_SIZE];
    char *body = kept_body(report);

    core_day(now_ms, day);
    core_run(core,
             "INSERT INTO tickets (ref, report, day, state, urgent, public, category, place, body)"
             " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
             "ttttiittt", ref, json_string_value(json_object_get(report, "id")), day,
             CORE_STATE_FIRST, (int64_t)json_is_true(json_object_get(report, "urgent")),
             (int64_t)is_public(report),
             json_string_value(json_object_get(json_object_get(report, "category"), "code")),
             place(report), body);
    store_photos(core, sqlite3_last_insert_rowid(core->db), report);
    free(body);
}

enum core_put core_ticket_put(struct core *core, const char *key, const void *payload, size_t len,
                              int64_t now_ms, char ref[static CORE_TICKET_REF_SIZE])
{
    unsigned char hash[HASH_SIZE];
    json_t *report = json_loadb(payload, len, JSON_REJECT_DUPLICATES, NULL);
    enum core_put result = CORE_INVALID;

    crypto_generichash(hash, sizeof(hash), payload, len, NULL, 0);
    pthread_mutex_lock(&core->lock);
    if (is_report(report))
        result = find_key(core, key, hash, ref);
    if (result == CORE_MADE) {
        core_new_ref(ref);
        core_begin(core);
        remember_key(core, key, hash, ref);
        store_ticket(core, ref, report, now_ms);
        core_commit(core);
    }
    pthread_mutex_unlock(&core->lock);
    json_decref(report);
    return result;
}

static void store_followup(struct core *core, int64_t ticket, const json_t *report, int64_t now_ms)
{
    char day[CORE_DAY_SIZE];
    char *body = kept_body(report);

    core_day(now_ms, day);
    core_run(core, "INSERT INTO followups (ticket, day, body) VALUES (?, ?, ?)", "itt", ticket, day,
             body);
    store_photos(core, ticket, report);
    free(body);
}

enum core_put core_update_put(struct core *core, const char *ref, const char *key,
                              const void *payload, size_t len, int64_t now_ms)
{
    unsigned char hash[HASH_SIZE];
    char known[CORE_TICKET_REF_SIZE];
    json_t *report = json_loadb(payload, len, JSON_REJECT_DUPLICATES, NULL);
    enum core_put result = CORE_INVALID;
    int64_t ticket;

    crypto_generichash(hash, sizeof(hash), payload, len, NULL, 0);
    pthread_mutex_lock(&core->lock);
    ticket = find_ticket(core, ref);
    if (ticket == 0)
        result = CORE_NO_TICKET;
    else if (is_report(report))
        result = find_key(core, key, hash, known);
    if (result == CORE_KNOWN && strcmp(known, ref) != 0)
        result = CORE_OTHER_PAYLOAD;
    if (result == CORE_MADE) {
        core_begin(core);
        remember_key(core, key, hash, ref);
        store_followup(core, ticket, report, now_ms);
        core_commit(core);
    }
    pthread_mutex_unlock(&core->lock);
    json_decref(report);
    return result;
}
