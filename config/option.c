/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Text into typed fields. A field changes only when its text is good; messages say what is expected
 * and never repeat the text, which may be a secret under the wrong key.
 */
#include "config/option.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "config/path.h"
#include "config/secret.h"
#include "config/suggest.h"
#include "config/url.h"
#include "normalize/mem.h"

enum { OPTION_EXPECTED_MAX = 160, OPTION_CHOICE_MAX = 40 };

struct option_unit {
    const char *name;
    int64_t factor;
};

static const struct option_unit option_plain[] = {{"", 1}, {NULL, 0}};
static const struct option_unit option_times[] = {{"", 1},     {"s", 1},     {"m", 60},
                                                  {"h", 3600}, {"d", 86400}, {NULL, 0}};
static const struct option_unit option_sizes[] = {
    {"", 1}, {"KiB", 1024}, {"MiB", 1024 * 1024}, {"GiB", 1024 * 1024 * 1024}, {NULL, 0}};

/* How each type is called and what its text looks like. */
static const struct option_type_entry {
    const char *name;
    const char *expected;
    const struct option_unit *units; /* NULL: not a number */
} option_types[] = {
    [OPTION_STRING] = {"text", "text", NULL},
    [OPTION_INT] = {"number", "a whole number", option_plain},
    [OPTION_BOOL] = {"yes or no", "yes or no", NULL},
    [OPTION_SECONDS] = {"time", "a time such as 90, 30s, 15m, 2h or 5d", option_times},
    [OPTION_BYTES] = {"size", "a size such as 512, 64KiB, 25MiB or 1GiB", option_sizes},
    [OPTION_SECRET] = {"secret", "file:PATH, env:NAME or credential:NAME", NULL},
    [OPTION_PATH] = {"path", "a path", NULL},
    [OPTION_URL] = {"URL", "a URL such as https://example.org/path", NULL},
    [OPTION_CHOICE] = {"one of", "one of", NULL},
};

static void *option_field(const struct option_spec *spec, void *settings)
{
    return (char *)settings + spec->offset;
}

static bool option_has_range(const struct option_spec *spec)
{
    return spec->min != 0 || spec->max != 0;
}

static int option_fail(const struct option_spec *spec, const char *problem, struct err *err)
{
    struct buf expected = BUF_INIT(OPTION_EXPECTED_MAX);
    buf_add_text(&expected, option_types[spec->type].expected);
    if (spec->type == OPTION_CHOICE)
        buf_addf(&expected, " %s", spec->choices);
    if (option_types[spec->type].units != NULL && option_has_range(spec))
        buf_addf(&expected, ", from %" PRId64 " to %" PRId64, spec->min, spec->max);
    err_set(err, ERR_CONFIG, "%s, expected %s", problem, expected.data);
    buf_release(&expected);
    return -1;
}

/* --- Numbers --- */

static const struct option_unit *option_unit_find(const struct option_unit *units, const char *name)
{
    for (; units->name != NULL; units++) {
        if (strcasecmp(units->name, name) == 0)
            return units;
    }
    return NULL;
}

/* 0, or -1 when text is no number with one of these units, or too large for an int64_t. */
static int option_number(const char *text, const struct option_unit *units, int64_t *value)
{
    const char *digits = *text == '-' ? text + 1 : text;
    if (*digits < '0' || *digits > '9')
        return -1;
    char *end;
    errno = 0;
    long long number = strtoll(text, &end, 10);
    if (errno != 0)
        return -1;
    const struct option_unit *unit = option_unit_find(units, end);
    if (unit == NULL || __builtin_mul_overflow(number, unit->factor, value))
        return -1;
    return 0;
}

static int option_set_number(const struct option_spec *spec, int64_t *field, const char *text,
                             struct err *err)
{
    int64_t value;
    if (option_number(text, option_types[spec->type].units, &value) != 0)
        return option_fail(spec, "cannot be read", err);
    bool negative = spec->type != OPTION_INT && value < 0;
    if (negative || (option_has_range(spec) && (value < spec->min || value > spec->max)))
        return option_fail(spec, "is out of range", err);
    *field = value;
    return 0;
}

/* --- Words --- */

static int option_set_bool(const struct option_spec *spec, bool *field, const char *text,
                           struct err *err)
{
    static const struct {
        const char *word;
        bool value;
    } words[] = {{"yes", true}, {"true", true},   {"on", true},   {"1", true},
                 {"no", false}, {"false", false}, {"off", false}, {"0", false}};
    for (size_t n = 0; n < sizeof words / sizeof words[0]; n++) {
        if (strcasecmp(words[n].word, text) == 0) {
            *field = words[n].value;
            return 0;
        }
    }
    return option_fail(spec, "is neither", err);
}

/* Copies the next word of a space-separated list; what follows it, or NULL after the last. */
static const char *option_choice_next(const char *list, char word[static OPTION_CHOICE_MAX])
{
    list += strspn(list, " ");
    size_t len = strcspn(list, " ");
    if (len == 0)
        return NULL;
    snprintf(word, OPTION_CHOICE_MAX, "%.*s", (int)len, list);
    return list + len;
}

/* Takes text; an empty one becomes NULL. */
static void option_take_text(char **field, char *text)
{
    free(*field);
    *field = text;
    if (text != NULL && *text == '\0') {
        free(text);
        *field = NULL;
    }
}

static int option_set_choice(const struct option_spec *spec, char **field, const char *text,
                             struct err *err)
{
    char word[OPTION_CHOICE_MAX], meant[OPTION_CHOICE_MAX] = "";
    size_t best = SUGGEST_NONE;
    const char *rest = spec->choices;
    while ((rest = option_choice_next(rest, word)) != NULL) {
        if (strcmp(word, text) == 0) {
            option_take_text(field, mem_strdup(text));
            return 0;
        }
        if (suggest_closer(text, word, &best))
            snprintf(meant, sizeof meant, "%s", word);
    }
    char problem[OPTION_CHOICE_MAX + 40] = "is unknown";
    if (*meant != '\0')
        snprintf(problem, sizeof problem, "is unknown (did you mean %s?)", meant);
    return option_fail(spec, problem, err);
}

static int option_set_url(const struct option_spec *spec, char **field, const char *text,
                          struct err *err)
{
    const char *problem = *text == '\0' ? NULL : url_problem(text);
    if (problem != NULL)
        return option_fail(spec, problem, err);
    option_take_text(field, mem_strdup(text));
    return 0;
}

/* --- The interface --- */

int option_set(const struct option_spec *spec, void *settings, const char *text, const char *folder,
               struct err *err)
{
    void *field = option_field(spec, settings);
    switch (spec->type) {
    case OPTION_STRING:
        option_take_text(field, mem_strdup(text));
        return 0;
    case OPTION_PATH:
        option_take_text(field, *text == '\0' ? NULL : path_below(folder, text));
        return 0;
    case OPTION_INT:
    case OPTION_SECONDS:
    case OPTION_BYTES:
        return option_set_number(spec, field, text, err);
    case OPTION_BOOL:
        return option_set_bool(spec, field, text, err);
    case OPTION_SECRET:
        return secret_read(text, folder, field, err);
    case OPTION_URL:
        return option_set_url(spec, field, text, err);
    case OPTION_CHOICE:
        return option_set_choice(spec, field, text, err);
    }
    return err_set(err, ERR_CONFIG, "has no type");
}

int option_defaults(const struct option_spec *options, void *settings, struct err *err)
{
    for (const struct option_spec *spec = options; spec->name != NULL; spec++) {
        if (spec->fallback != NULL && option_set(spec, settings, spec->fallback, NULL, err) != 0)
            return -1;
    }
    return 0;
}

void option_release(const struct option_spec *options, void *settings)
{
    for (const struct option_spec *spec = options; spec->name != NULL; spec++) {
        void *field = option_field(spec, settings);
        switch (spec->type) {
        case OPTION_STRING:
        case OPTION_PATH:
        case OPTION_URL:
        case OPTION_CHOICE:
            option_take_text(field, NULL);
            break;
        case OPTION_SECRET:
            secret_release(field);
            break;
        case OPTION_INT:
        case OPTION_BOOL:
        case OPTION_SECONDS:
        case OPTION_BYTES:
            break;
        }
    }
}

const struct option_spec *option_find(const struct option_spec *options, const char *name)
{
    for (const struct option_spec *spec = options; spec->name != NULL; spec++) {
        if (strcmp(spec->name, name) == 0)
            return spec;
    }
    return NULL;
}

/* --- The reference --- */

enum { OPTION_HELP_COLUMNS = 80, OPTION_HELP_MAX = 2000 };

void option_help_text(const char *text, struct buf *out)
{
    size_t column = 0;
    while (*text != '\0') {
        size_t len = strcspn(text, " ");
        if (column > 0 && column + 1 + len > OPTION_HELP_COLUMNS) {
            buf_add_char(out, '\n');
            column = 0;
        }
        buf_add_text(out, column == 0 ? "# " : " ");
        buf_add(out, text, len);
        column += (column == 0 ? 2 : 1) + len;
        text += len + strspn(text + len, " ");
    }
    buf_add_char(out, '\n');
}

static void option_help_one(const struct option_spec *spec, struct buf *out)
{
    struct buf text = BUF_INIT(OPTION_HELP_MAX);
    buf_addf(&text, "%s (%s", spec->help, option_types[spec->type].name);
    if (spec->type == OPTION_CHOICE)
        buf_addf(&text, " %s", spec->choices);
    if (option_types[spec->type].units != NULL && option_has_range(spec))
        buf_addf(&text, ", %" PRId64 " to %" PRId64, spec->min, spec->max);
    if (spec->type == OPTION_SECRET)
        buf_addf(&text, ": %s", option_types[spec->type].expected);
    buf_add_text(&text, spec->required ? "; required)" : ")");
    option_help_text(text.data, out);
    buf_release(&text);
    const char *fallback = spec->fallback == NULL ? "" : spec->fallback;
    buf_addf(out, "#%s =%s%s\n", spec->name, *fallback == '\0' ? "" : " ", fallback);
}

void option_help(const struct option_spec *options, struct buf *out)
{
    for (const struct option_spec *spec = options; spec->name != NULL; spec++) {
        if (spec != options)
            buf_add_char(out, '\n');
        option_help_one(spec, out);
    }
}
