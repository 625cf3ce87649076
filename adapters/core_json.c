/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The JSON list of updates a core sends, as GET /updates answers it and POST /core/updates brings
 * it. Unknown members are ignored: a city's core may say more. Pure. See core.h for the shape.
 */
#include "adapters/core.h"

#include <jansson.h>
#include <sodium.h>

#include "normalize/mem.h"

void core_updates_free(struct core_update *updates, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        free(updates[i].key);
        free(updates[i].report_id);
        free(updates[i].day);
        free(updates[i].state);
        free(updates[i].agency);
        free(updates[i].answer);
        free(updates[i].photo_media_type);
        free(updates[i].photo);
    }
    free(updates);
}

static int core_json_wrong(size_t i, const char *field, const char *what, struct err *err)
{
    return err_set(err, ERR_PERMANENT, "cannot read updates[%zu].%s: %s", i, field, what);
}

/* A string member. Optional ones may be missing or null; "" counts as missing. */
static int core_json_read_text(const json_t *object, size_t i, const char *field, bool required,
                               char **out, struct err *err)
{
    const json_t *value = json_object_get(object, field);
    if (value != NULL && !json_is_null(value) && !json_is_string(value))
        return core_json_wrong(i, field, "not a string", err);
    if (json_string_length(value) > 0)
        *out = mem_strdup(json_string_value(value));
    return *out == NULL && required ? core_json_wrong(i, field, "missing", err) : 0;
}

/* {"media_type", "data": base64} or null. */
static int core_json_read_photo(const json_t *object, size_t i, struct core_update *update,
                                struct err *err)
{
    const json_t *photo = json_object_get(object, "photo");
    const json_t *data = json_object_get(photo, "data");
    size_t len = json_string_length(data);
    if (photo == NULL || json_is_null(photo))
        return 0;
    if (!json_is_object(photo) || len == 0)
        return core_json_wrong(i, "photo", "not an object with data", err);
    if (core_json_read_text(photo, i, "media_type", true, &update->photo_media_type, err) != 0)
        return -1;
    update->photo = mem_calloc(len, 1); /* base64 is longer than what it stands for */
    if (sodium_base642bin((unsigned char *)update->photo, len, json_string_value(data), len, NULL,
                          &update->photo_len, NULL, sodium_base64_VARIANT_ORIGINAL) != 0)
        return core_json_wrong(i, "photo.data", "not base64", err);
    return 0;
}

static int core_json_read_update(const json_t *object, size_t i, struct core_update *update,
                                 struct err *err)
{
    if (!json_is_object(object))
        return err_set(err, ERR_PERMANENT, "cannot read updates[%zu]: not an object", i);
    if (core_json_read_text(object, i, "id", true, &update->key, err) != 0 ||
        core_json_read_text(object, i, "report", true, &update->report_id, err) != 0 ||
        core_json_read_text(object, i, "state", true, &update->state, err) != 0 ||
        core_json_read_text(object, i, "day", false, &update->day, err) != 0 ||
        core_json_read_text(object, i, "agency", false, &update->agency, err) != 0 ||
        core_json_read_text(object, i, "answer", false, &update->answer, err) != 0)
        return -1;
    return core_json_read_photo(object, i, update, err);
}

static int core_json_read_list(const json_t *root, struct core_update **updates, size_t *n,
                               struct err *err)
{
    const json_t *list = json_object_get(root, "updates");
    size_t count = json_array_size(list);
    if (!json_is_array(list))
        return err_set(err, ERR_PERMANENT, "cannot read updates: not a list");
    if (count > CORE_UPDATES_MAX)
        return err_set(err, ERR_PERMANENT, "cannot read updates: more than %d", CORE_UPDATES_MAX);
    struct core_update *read = mem_calloc(count, sizeof *read);
    for (size_t i = 0; i < count; i++) {
        if (core_json_read_update(json_array_get(list, i), i, &read[i], err) != 0) {
            core_updates_free(read, count);
            return -1;
        }
    }
    *updates = read;
    *n = count;
    return 0;
}

int core_updates_parse(const char *body, size_t len, struct core_update **updates, size_t *n,
                       struct buf *next, struct err *err)
{
    json_t *root = json_loadb(body, len, JSON_REJECT_DUPLICATES, NULL);
    const json_t *cursor = json_object_get(root, "next");
    int result = -1;
    *updates = NULL;
    *n = 0;
    if (root == NULL)
        err_set(err, ERR_PERMANENT, "cannot read updates: not JSON");
    else if (cursor != NULL && !json_is_null(cursor) && !json_is_string(cursor))
        err_set(err, ERR_PERMANENT, "cannot read next: not a string");
    else
        result = core_json_read_list(root, updates, n, err);
    if (result == 0 && next != NULL)
        buf_add(next, json_string_value(cursor), json_string_length(cursor));
    json_decref(root);
    return result;
}
