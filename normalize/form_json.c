/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The form as JSON, for programs: strict, so that a misspelt field or a wrong type is told and
 * nothing is dropped. Each problem names its place: "attachments[1].data".
 */
#include <jansson.h>
#include <math.h>

#include "normalize/base64.h"
#include "normalize/form.h"
#include "normalize/form_input.h"
#include "normalize/mem.h"
#include "normalize/problem.h"
#include "normalize/text.h"

enum {
    FORM_DEPTH_MAX = 8, /* ours is 3 */
    FORM_NUMBER_SIZE = 32,
    FORM_PATH_SIZE = REPORT_WORD_MAX,
};

/* Whether arrays and objects nest no deeper than DEPTH_MAX. jansson would take 2048 levels. */
static bool form_is_shallow(const char *text, size_t len)
{
    size_t depth = 0;
    bool in_string = false;
    for (size_t i = 0; i < len; i++) {
        char c = text[i];
        if (in_string && c == '\\')
            i++;
        else if (c == '"')
            in_string = !in_string;
        else if (!in_string && (c == '[' || c == '{') && ++depth > FORM_DEPTH_MAX)
            return false;
        else if (!in_string && (c == ']' || c == '}') && depth > 0)
            depth--;
    }
    return true;
}

/* Texts of every field; numbers only for coordinates, true and false only for no_reply. */
static void form_read_field(const char *key, enum form_field field, const json_t *value,
                            struct form_input *input, struct draft *draft)
{
    char number[FORM_NUMBER_SIZE];
    bool coordinate = field == FORM_FIELD_LAT || field == FORM_FIELD_LON;
    if (json_is_null(value))
        return;
    if (json_is_string(value) && !coordinate) {
        form_input_set(input, field, json_string_value(value), json_string_length(value), draft);
    } else if (json_is_number(value) && coordinate) {
        double degrees = json_number_value(value);
        /* Beyond a circle it is out of range anyway, and has too many digits to print. */
        snprintf(number, sizeof number, "%.9f", fabs(degrees) > 360 ? 360.0 : degrees);
        form_input_set(input, field, number, strlen(number), draft);
    } else if (json_is_boolean(value) && field == FORM_FIELD_NO_REPLY) {
        const char *text = json_is_true(value) ? "true" : "false";
        form_input_set(input, field, text, strlen(text), draft);
    } else {
        draft_problem(draft, key, PROBLEM_WRONG_TYPE);
    }
}

/* Notes a problem at "attachments[index].member". */
static void form_member_problem(struct draft *draft, size_t index, const char *member,
                                const char *code)
{
    char path[FORM_PATH_SIZE + REPORT_WORD_MAX];
    snprintf(path, sizeof path, "attachments[%zu]%s%s", index, member[0] == '\0' ? "" : ".",
             member);
    draft_problem(draft, path, code);
}

/* Names and declared types must be texts; only the name is used, the type is told by the bytes. */
static void form_check_members(json_t *attachment, size_t index, struct draft *draft)
{
    const char *key;
    json_t *value;
    json_object_foreach(attachment, key, value)
    {
        bool known =
            strcmp(key, "name") == 0 || strcmp(key, "media_type") == 0 || strcmp(key, "data") == 0;
        if (!known)
            form_member_problem(draft, index, key, PROBLEM_UNKNOWN_FIELD);
        else if (!json_is_string(value) && !json_is_null(value))
            form_member_problem(draft, index, key, PROBLEM_WRONG_TYPE);
    }
}

static void form_read_attachment(json_t *attachment, size_t index, struct form_input *input,
                                 struct draft *draft)
{
    if (!json_is_object(attachment)) {
        form_member_problem(draft, index, "", PROBLEM_WRONG_TYPE);
        return;
    }
    form_check_members(attachment, index, draft);
    const json_t *data = json_object_get(attachment, "data");
    if (data == NULL || json_is_null(data)) {
        form_member_problem(draft, index, "data", PROBLEM_REQUIRED);
        return;
    }
    size_t len = 0;
    char *bytes = json_is_string(data)
                      ? base64_decode(json_string_value(data), json_string_length(data), &len)
                      : NULL;
    if (bytes != NULL)
        form_input_photo(input, index, json_string_value(json_object_get(attachment, "name")),
                         bytes, len, draft);
    else if (json_is_string(data))
        form_member_problem(draft, index, "data", PROBLEM_WRONG_TYPE);
}

static void form_read_attachments(json_t *list, struct form_input *input, struct draft *draft)
{
    if (json_is_null(list))
        return;
    if (!json_is_array(list)) {
        draft_problem(draft, "attachments", PROBLEM_WRONG_TYPE);
        return;
    }
    if (json_array_size(list) > FORM_PHOTOS_MAX) {
        draft_problem(draft, "attachments", PROBLEM_TOO_MANY);
        return;
    }
    size_t index;
    json_t *attachment;
    json_array_foreach(list, index, attachment)
        form_read_attachment(attachment, index, input, draft);
}

int form_read_json(const struct inbound *in, struct form_input *input, struct draft *draft)
{
    json_error_t error;
    const char *key;
    json_t *value;
    input->json = true;
    json_t *root = form_is_shallow(in->raw, in->raw_len)
                       ? json_loadb(in->raw, in->raw_len, JSON_REJECT_DUPLICATES, &error)
                       : NULL;
    int result = json_is_object(root) ? 0 : -1;
    if (result == 0) {
        json_object_foreach(root, key, value)
        {
            enum form_field field = form_field_find(key, strlen(key));
            if (field != FORM_FIELD_COUNT)
                form_read_field(key, field, value, input, draft);
            else if (strcmp(key, "attachments") == 0)
                form_read_attachments(value, input, draft);
            else
                draft_problem(draft, key, PROBLEM_UNKNOWN_FIELD);
        }
    }
    json_decref(root);
    return result;
}
