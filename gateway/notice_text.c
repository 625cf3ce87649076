/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What notices say. Files are checked whole when they are loaded, so that filling cannot fail: an
 * operator's typo is seen at start, not by a citizen.
 */
#include "gateway/notice_text.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <unistr.h>

#include "config/asset.h"
#include "config/words.h"
#include "normalize/mem.h"

enum { KINDS = 2, LANGUAGES = 2, FIELDS = 9 };

static const char *const kind_names[KINDS] = {[NOTICE_ACK] = "ack", [NOTICE_STATUS] = "status"};
static const char *const field_names[FIELDS] = {"id",     "pin",    "url",       "status", "date",
                                                "agency", "answer", "emergency", "city"};

struct notice_texts {
    struct {
        char *subject, *text;
    } of[KINDS][LANGUAGES];
};

/* --- Loading --- */

static bool known_field(const char *name, size_t len)
{
    for (size_t i = 0; i < FIELDS; i++)
        if (strlen(field_names[i]) == len && !memcmp(field_names[i], name, len))
            return true;
    return false;
}

/* Every brace of a line must be part of a known field: "{ID}" or "{nomor}" is a typo. */
static int check_line(const char *file, int line_number, const char *line, struct err *err)
{
    size_t pos = 0, checked = 0, at, len;
    while (words_next_field(line, &pos, &at, &len)) {
        if (!known_field(line + at, len))
            return err_set(err, ERR_CONFIG,
                           "%s:%d: unknown field {%.*s}, expected {id} {pin} {url} {status} {date} "
                           "{agency} {answer} {emergency} {city}",
                           file, line_number, (int)(len > 40 ? 40 : len), line + at);
        if (strcspn(line + checked, "{}") != at - 1 - checked)
            break;
        checked = pos;
    }
    if (line[checked + strcspn(line + checked, "{}")])
        return err_set(err, ERR_CONFIG, "%s:%d: a brace that is not part of a {field}", file,
                       line_number);
    return 0;
}

/* The text's next line, NUL-terminated in place; NULL at the end. */
static char *next_line(char **rest)
{
    char *line = *rest;
    if (!line || !*line)
        return NULL;
    char *end = strchr(line, '\n');
    *rest = end ? end + 1 : NULL;
    if (end)
        *end = '\0';
    size_t len = strlen(line);
    if (len && line[len - 1] == '\r')
        line[len - 1] = '\0';
    return line;
}

/* Takes a file's bytes (NUL-terminated, changed here) apart. */
static int parse_file(const char *file, char *bytes, char **subject, char **text, struct err *err)
{
    static const char mark[] = "Subject: ";
    struct buf body = BUF_INIT(2 * NOTICE_TEXT_FILE_MAX);
    char *rest = bytes, *line;
    int line_number = 0, result = 0;
    while (!result && (line = next_line(&rest))) {
        line_number++;
        if (!*subject && line[0] == '#')
            continue;
        result = check_line(file, line_number, line, err);
        if (result)
            break;
        if (*subject)
            buf_addf(&body, "%s\n", line);
        else if (!strncmp(line, mark, sizeof mark - 1))
            *subject = mem_strdup(line + sizeof mark - 1);
        else
            result =
                err_set(err, ERR_CONFIG, "%s:%d: expected 'Subject: ' first", file, line_number);
    }
    if (!result && (!*subject || strspn(body.data, "\n") == body.len))
        result =
            err_set(err, ERR_CONFIG, "%s:%d: a subject and a text are needed", file, line_number);
    *text = mem_strdup(body.data + strspn(body.data, "\n"));
    buf_release(&body);
    return result;
}

/* The file's bytes into *out; 1 read, 0 there is none, -1. */
static int read_file(const char *path, struct buf *out, struct err *err)
{
    char chunk[4096];
    ssize_t n;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 && errno == ENOENT)
        return 0;
    if (fd < 0)
        return err_set(err, ERR_CONFIG, "cannot open '%s': %s", path, strerror(errno));
    while ((n = read(fd, chunk, sizeof chunk)) > 0)
        buf_add(out, chunk, (size_t)n);
    int failure = n < 0 ? errno : 0;
    close(fd);
    if (failure)
        return err_set(err, ERR_CONFIG, "cannot read '%s': %s", path, strerror(failure));
    if (out->overflow)
        return err_set(err, ERR_CONFIG, "%s:1: larger than %d bytes", path, NOTICE_TEXT_FILE_MAX);
    if (u8_check((const uint8_t *)out->data, out->len) || memchr(out->data, '\0', out->len))
        return err_set(err, ERR_CONFIG, "%s:1: not UTF-8 text", path);
    return 1;
}

static int load_one(const char *folder, enum notice_kind kind, size_t language,
                    struct notice_texts *texts, struct err *err)
{
    struct buf bytes = BUF_INIT(NOTICE_TEXT_FILE_MAX), path = BUF_INIT(8192);
    char **subject = &texts->of[kind][language].subject, **text = &texts->of[kind][language].text;
    char name[64];
    int found = 0, result = -1;
    snprintf(name, sizeof name, "notices/%s.%s.txt", kind_names[kind], words_languages[language]);
    if (folder) {
        buf_addf(&path, "%s/%s", folder, strchr(name, '/') + 1);
        found = read_file(path.data, &bytes, err);
    }
    if (found < 0)
        goto out;
    if (!found) {
        const struct asset *asset = asset_find(config_assets, name);
        buf_clear(&path);
        buf_add_text(&path, name);
        if (asset)
            buf_add(&bytes, asset->data, asset->len);
    }
    if (parse_file(path.data, bytes.data, subject, text, err))
        goto out;
    if (kind == NOTICE_ACK && !strstr(*text, "{id}") && !strstr(*subject, "{id}")) {
        err_set(err, ERR_CONFIG, "%s:1: an acknowledgement without {id}", path.data);
        goto out;
    }
    result = 0;
out:
    buf_release(&path);
    buf_release(&bytes);
    return result;
}

int notice_texts_load(const char *folder, struct notice_texts **out, struct err *err)
{
    struct notice_texts *texts = mem_calloc(1, sizeof *texts);
    *out = NULL;
    for (size_t kind = 0; kind < KINDS; kind++)
        for (size_t language = 0; language < LANGUAGES; language++)
            if (load_one(folder, (enum notice_kind)kind, language, texts, err)) {
                notice_texts_free(texts);
                return -1;
            }
    *out = texts;
    return 0;
}

void notice_texts_free(struct notice_texts *texts)
{
    for (size_t kind = 0; texts && kind < KINDS; kind++)
        for (size_t language = 0; language < LANGUAGES; language++) {
            free(texts->of[kind][language].subject);
            free(texts->of[kind][language].text);
        }
    free(texts);
}

/* --- Filling --- */

/* Whether a line has fields and all of them are empty. */
static bool all_empty(const char *line, const struct words_field *fields)
{
    size_t pos = 0, at, len;
    bool any = false;
    while (words_next_field(line, &pos, &at, &len)) {
        any = true;
        for (const struct words_field *field = fields; field->name; field++)
            if (strlen(field->name) == len && !memcmp(field->name, line + at, len) &&
                field->value && *field->value)
                return false;
    }
    return any;
}

static void fill_text(const char *text, const struct words_field *fields, struct buf *out)
{
    char *copy = mem_strdup(text), *rest = copy, *line;
    bool blank = true; /* nothing before the first line either */
    while ((line = next_line(&rest))) {
        if (all_empty(line, fields) || (!*line && blank))
            continue;
        words_fill(line, fields, out);
        buf_add_char(out, '\n');
        blank = !*line;
    }
    free(copy);
}

/* One header line: line ends and other controls of a value would forge more of them. */
static void fill_subject(const char *subject, const struct words_field *fields, struct buf *out)
{
    struct buf filled = BUF_INIT(NOTICE_TEXT_FILE_MAX);
    words_fill(subject, fields, &filled);
    size_t len = filled.len < NOTICE_SUBJECT_MAX ? filled.len : NOTICE_SUBJECT_MAX;
    /* Not in the middle of a character. */
    while (len < filled.len && len && ((unsigned char)filled.data[len] & 0xc0) == 0x80)
        len--;
    for (size_t i = 0; i < len; i++)
        if ((unsigned char)filled.data[i] < 0x20 || filled.data[i] == 0x7f)
            filled.data[i] = ' ';
    buf_add(out, filled.data, len);
    buf_release(&filled);
}

static size_t language_index(const char *language)
{
    for (size_t i = 0; language && i < LANGUAGES; i++)
        if (!strcmp(language, words_languages[i]))
            return i;
    return 0;
}

void notice_text_fill(const struct notice_texts *texts, enum notice_kind kind, const char *language,
                      const struct notice_fields *fields, struct buf *subject, struct buf *text)
{
    struct buf date = BUF_INIT(64);
    size_t index = language_index(language);
    if (fields->date)
        words_day(words_languages[index], fields->date, &date);
    const char *status =
        fields->status ? words_state(words_languages[index], fields->status) : NULL;
    const struct words_field values[FIELDS + 1] = {
        {"id", fields->id},         {"pin", fields->pin},
        {"url", fields->url},       {"status", status},
        {"date", date.data},        {"agency", fields->agency},
        {"answer", fields->answer}, {"emergency", fields->emergency},
        {"city", fields->city},     {NULL, NULL},
    };
    fill_subject(texts->of[kind][index].subject, values, subject);
    fill_text(texts->of[kind][index].text, values, text);
    buf_release(&date);
}
