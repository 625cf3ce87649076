/* SPDX-License-Identifier: Apache-2.0 */
#include "normalize/form_input.h"

#include "normalize/buf.h"
#include "normalize/form.h"
#include "normalize/mem.h"
#include "normalize/multipart.h"
#include "normalize/photo.h"
#include "normalize/problem.h"
#include "normalize/text.h"
#include "normalize/urlencoded.h"

enum { FORM_CODE_MAX = 64 }; /* characters of a choice, a date or a number */

static const struct {
    const char *name;
    bool lines; /* may have several */
    size_t max; /* in what measure counts */
    size_t (*measure)(const char *text);
} form_fields[FORM_FIELD_COUNT] = {
    [FORM_FIELD_STORY] = {"story", true, FORM_STORY_MAX, text_length},
    [FORM_FIELD_LOCATION] = {"location", false, FORM_LINE_MAX, text_length},
    [FORM_FIELD_ADDITIONAL] = {"additional", true, FORM_STORY_MAX, text_length},
    [FORM_FIELD_CATEGORY] = {"category", false, FORM_CODE_MAX, text_length},
    [FORM_FIELD_DATE] = {"date", false, FORM_CODE_MAX, text_length},
    [FORM_FIELD_VISIBILITY] = {"visibility", false, FORM_CODE_MAX, text_length},
    [FORM_FIELD_LAT] = {"lat", false, FORM_CODE_MAX, text_length},
    [FORM_FIELD_LON] = {"lon", false, FORM_CODE_MAX, text_length},
    [FORM_FIELD_NAME] = {"name", false, FORM_LINE_MAX, text_length},
    [FORM_FIELD_CONTACT] = {"contact", false, FORM_LINE_MAX, text_length},
    [FORM_FIELD_NO_REPLY] = {"no_reply", false, FORM_CODE_MAX, text_length},
    [FORM_FIELD_CLIENT_KEY] = {"client_key", false, FORM_KEY_MAX, strlen},
};

/* How the field for photos is called: by the API, and by forms that other pages send. */
static const char *const form_photo_fields[] = {"attachments", "photos"};

void form_input_release(struct form_input *input)
{
    for (size_t i = 0; i < FORM_FIELD_COUNT; i++)
        free(input->texts[i]);
    for (size_t i = 0; i < input->photo_count; i++) {
        free(input->photos[i].name);
        free(input->photos[i].data);
    }
    free(input->photos);
    *input = (struct form_input){0};
}

enum form_field form_field_find(const char *name, size_t len)
{
    size_t i = 0;
    while (i < FORM_FIELD_COUNT &&
           (strlen(form_fields[i].name) != len || memcmp(form_fields[i].name, name, len) != 0))
        i++;
    return (enum form_field)i;
}

const char *form_field_name(enum form_field field)
{
    return form_fields[field].name;
}

void form_input_set(struct form_input *input, enum form_field field, const char *data, size_t len,
                    struct draft *draft)
{
    if (input->texts[field] != NULL || len == 0)
        return;
    char *text = form_fields[field].lines ? text_clean(data, len) : text_clean_line(data, len);
    if (text == NULL)
        return;
    input->texts[field] = text;
    if (!text_is_utf8(data, len))
        draft_problem(draft, form_fields[field].name, PROBLEM_NOT_UTF8);
    else if (form_fields[field].measure(text) > form_fields[field].max)
        draft_problem(draft, form_fields[field].name, PROBLEM_TOO_LONG);
}

static const char *form_photo_problem(const char *data, size_t len)
{
    if (len > FORM_PHOTO_BYTES_MAX)
        return PROBLEM_TOO_LARGE;
    return photo_sniff(data, len) == NULL ? PROBLEM_NOT_A_PHOTO : NULL;
}

void form_input_photo(struct form_input *input, size_t index, const char *name, char *data,
                      size_t len, struct draft *draft)
{
    if (input->photo_count == FORM_PHOTOS_MAX) {
        draft_problem(draft, form_photo_fields[0], PROBLEM_TOO_MANY);
        free(data);
        return;
    }
    const char *problem = form_photo_problem(data, len);
    if (problem != NULL) {
        char path[REPORT_WORD_MAX];
        snprintf(path, sizeof path, "%s[%zu]", form_photo_fields[0], index);
        draft_problem(draft, path, problem);
    }
    input->photos = mem_realloc(input->photos, input->photo_count + 1, sizeof *input->photos);
    input->photos[input->photo_count++] =
        (struct form_photo){.name = mem_strdup(name), .data = data, .len = len};
}

/* --- The two encodings of HTML forms; fields we do not know are none of our business --- */

int form_read_urlencoded(const struct inbound *in, struct form_input *input, struct draft *draft)
{
    struct buf name = BUF_INIT(INBOUND_RAW_MAX), value = BUF_INIT(INBOUND_RAW_MAX);
    size_t pos = 0, count = 0;
    while (count <= FORM_FIELDS_MAX && urlencoded_next(in->raw, in->raw_len, &pos, &name, &value)) {
        enum form_field field = form_field_find(name.data, name.len);
        if (field != FORM_FIELD_COUNT)
            form_input_set(input, field, value.data, value.len, draft);
        count++;
    }
    buf_release(&name);
    buf_release(&value);
    return count <= FORM_FIELDS_MAX ? 0 : -1;
}

static bool form_is_photo_field(const char *name)
{
    return strcmp(name, form_photo_fields[0]) == 0 || strcmp(name, form_photo_fields[1]) == 0;
}

static void form_read_part(const struct multipart_part *part, struct form_input *input,
                           struct draft *draft)
{
    enum form_field field = form_field_find(part->name, strlen(part->name));
    if (field != FORM_FIELD_COUNT && part->filename == NULL) {
        form_input_set(input, field, part->data, part->len, draft);
        return;
    }
    /* A browser sends an empty file without a name when none was chosen. */
    bool chosen = part->len > 0 || (part->filename != NULL && part->filename[0] != '\0');
    if (chosen && form_is_photo_field(part->name))
        form_input_photo(input, input->photo_count, part->filename,
                         mem_strndup(part->data, part->len), part->len, draft);
}

int form_read_multipart(const struct inbound *in, const char *content_type,
                        struct form_input *input, struct draft *draft)
{
    struct multipart multipart;
    if (multipart_start(&multipart, content_type, in->raw, in->raw_len) != 0)
        return -1;
    for (size_t count = 0; count <= FORM_FIELDS_MAX; count++) {
        struct multipart_part part;
        int more = multipart_next(&multipart, &part);
        if (more > 0)
            form_read_part(&part, input, draft);
        multipart_part_release(&part);
        if (more <= 0)
            return more;
    }
    return -1;
}
