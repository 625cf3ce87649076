/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The city's words. The files are built in, so a file that cannot be read as JSON is a mistake of
 * ours: it aborts at the first use, and words_test sees it before anyone else does.
 */
#include "config/words.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/asset.h"

const char *const words_languages[] = {"id", "en", NULL};

enum { WORDS_LANGUAGES = 2 };
static json_t *words_texts[WORDS_LANGUAGES];
static json_t *words_groups;
static pthread_once_t words_once = PTHREAD_ONCE_INIT;

static json_t *words_load(const char *name)
{
    const struct asset *asset = asset_find(config_assets, name);
    json_t *value = asset != NULL ? json_loadb((const char *)asset->data, asset->len,
                                               JSON_REJECT_DUPLICATES, NULL)
                                  : NULL;
    if (value == NULL)
        abort();
    return value;
}

static void words_start(void)
{
    words_texts[0] = words_load("strings.id.json");
    words_texts[1] = words_load("strings.en.json");
    words_groups = words_load("categories.json");
}

static const json_t *words_of(const char *language)
{
    pthread_once(&words_once, words_start);
    for (size_t i = 0; language != NULL && words_languages[i] != NULL; i++) {
        if (strcmp(language, words_languages[i]) == 0)
            return words_texts[i];
    }
    return NULL;
}

bool words_has(const char *language, const char *key)
{
    return json_is_string(json_object_get(words_of(language), key));
}

const char *words_get(const char *language, const char *key)
{
    const char *word = json_string_value(json_object_get(words_of(language), key));
    if (word == NULL)
        word = json_string_value(json_object_get(words_texts[0], key));
    return word != NULL ? word : key;
}

const json_t *words_categories(void)
{
    pthread_once(&words_once, words_start);
    return words_groups;
}

/* The number of two digits, or -1. */
static int words_two_digits(const char *text)
{
    for (int i = 0; i < 2; i++) {
        if (text[i] < '0' || text[i] > '9')
            return -1;
    }
    return (text[0] - '0') * 10 + text[1] - '0';
}

void words_day(const char *language, const char *day, struct buf *out)
{
    char key[16];
    bool shaped = strlen(day) == 10 && day[4] == '-' && day[7] == '-';
    int month = shaped ? words_two_digits(day + 5) : -1;
    int number = shaped ? words_two_digits(day + 8) : -1;
    if (month < 1 || month > 12 || number < 1) {
        buf_add_text(out, day);
        return;
    }
    snprintf(key, sizeof key, "month.%d", month);
    buf_addf(out, "%d %s %.4s", number, words_get(language, key), day);
}

const char *words_state(const char *language, const char *state)
{
    char key[64];
    int len = snprintf(key, sizeof key, "state.%s", state);
    if (len < 0 || (size_t)len >= sizeof key)
        return state;
    const char *word = words_get(language, key);
    return word == key ? state : word;
}

static bool words_is_field_char(char c)
{
    return (c >= 'a' && c <= 'z') || c == '_';
}

bool words_next_field(const char *text, size_t *pos, size_t *start_at, size_t *len)
{
    for (const char *brace = text + *pos; (brace = strchr(brace, '{')) != NULL; brace++) {
        size_t n = 0;
        while (words_is_field_char(brace[1 + n]))
            n++;
        if (n > 0 && brace[1 + n] == '}') {
            *start_at = (size_t)(brace + 1 - text);
            *len = n;
            *pos = *start_at + n + 1;
            return true;
        }
    }
    return false;
}

static const struct words_field *words_find_field(const struct words_field *fields,
                                                  const char *name, size_t len)
{
    for (; fields->name != NULL; fields++) {
        if (strlen(fields->name) == len && memcmp(fields->name, name, len) == 0)
            return fields;
    }
    return NULL;
}

void words_fill(const char *text, const struct words_field *fields, struct buf *out)
{
    size_t copied = 0, pos = 0, at, len;
    while (words_next_field(text, &pos, &at, &len)) {
        const struct words_field *field = words_find_field(fields, text + at, len);
        if (field == NULL)
            continue;
        buf_add(out, text + copied, at - 1 - copied);
        buf_add_text(out, field->value);
        copied = pos;
    }
    buf_add_text(out, text + copied);
}
