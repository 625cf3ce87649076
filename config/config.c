/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the keys of a file mean: sections are matched to the kinds the caller knows, keys to their
 * option tables. A key outside the tables, twice, or missing is a mistake, never a guess.
 */
#include "config/config.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "config/file.h"
#include "config/mistake.h"
#include "config/path.h"
#include "config/suggest.h"
#include "config/variant.h"
#include "normalize/mem.h"

enum { CONFIG_LABEL_MAX = CONFIG_NAME_MAX + 32, CONFIG_HINT_MAX = 100, CONFIG_WORD_MAX = 40 };

struct config_loading {
    const struct config_kind *kinds;
    struct config *config;
    struct config_file file;
    struct mistakes mistakes;
    char *folder; /* of the file; NULL without one */
};

/* --- Words for messages --- */

/* "http" or "channel email-pusat". */
static const char *config_label(const struct config_section *section,
                                char label[static CONFIG_LABEL_MAX])
{
    snprintf(label, CONFIG_LABEL_MAX, "%s%s%s", section->kind->section,
             section->name == NULL ? "" : " ", section->name == NULL ? "" : section->name);
    return label;
}

/* A word of the file as messages may show it: one that cannot be a secret gone astray. */
static const char *config_shown(const char *word, char shown[static CONFIG_WORD_MAX + 3])
{
    size_t len = 0;
    while (isalnum((unsigned char)word[len]) || (word[len] != '\0' && strchr("-_.", word[len])))
        len++;
    if (word[len] != '\0' || len == 0 || len > CONFIG_WORD_MAX)
        return "this";
    snprintf(shown, CONFIG_WORD_MAX + 3, "'%s'", word);
    return shown;
}

/* " (did you mean 'x'?)" or "". */
static const char *config_hint(const char *meant, char hint[static CONFIG_HINT_MAX])
{
    *hint = '\0';
    if (meant != NULL)
        snprintf(hint, CONFIG_HINT_MAX, " (did you mean '%s'?)", meant);
    return hint;
}

static const char *config_nearest_option(const struct option_spec *options, const char *key)
{
    const char *meant = NULL;
    size_t best = SUGGEST_NONE;
    for (; options->name != NULL; options++) {
        if (suggest_closer(key, options->name, &best))
            meant = options->name;
    }
    return meant;
}

/* --- Sections --- */

static const struct config_kind *config_kind_find(const struct config_kind *kinds, const char *word)
{
    for (; kinds->section != NULL; kinds++) {
        if (strcmp(kinds->section, word) == 0)
            return kinds;
    }
    return NULL;
}

static void config_unknown_section(struct config_loading *loading, const struct config_head *head)
{
    struct buf known = BUF_INIT(400);
    const char *meant = NULL;
    size_t best = SUGGEST_NONE;
    for (const struct config_kind *kind = loading->kinds; kind->section != NULL; kind++) {
        buf_addf(&known, "%s[%s%s]", known.len == 0 ? "" : " ", kind->section,
                 kind->named ? " NAME" : "");
        if (suggest_closer(head->word, kind->section, &best))
            meant = kind->section;
    }
    char shown[CONFIG_WORD_MAX + 3], hint[CONFIG_HINT_MAX];
    mistake_add(&loading->mistakes, head->line, "%s is no known section%s, expected one of %s",
                config_shown(head->word, shown), config_hint(meant, hint), known.data);
    buf_release(&known);
}

static bool config_name_fits(const char *name)
{
    size_t len = strlen(name);
    if (len > CONFIG_NAME_MAX || !(islower((unsigned char)*name) || isdigit((unsigned char)*name)))
        return false;
    return strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-_") == len;
}

/* Whether the head's name suits its kind. */
static bool config_head_fits(struct config_loading *loading, const struct config_kind *kind,
                             const struct config_head *head)
{
    if (!kind->named && head->title != NULL)
        mistake_add(&loading->mistakes, head->line, "[%s] has a name, expected none",
                    kind->section);
    else if (kind->named && head->title == NULL)
        mistake_add(&loading->mistakes, head->line, "[%s] has no name, expected [%s NAME]",
                    kind->section, kind->section);
    else if (kind->named && !config_name_fits(head->title))
        mistake_add(&loading->mistakes, head->line,
                    "[%s] has a bad name, expected a letter or digit, then a-z, 0-9, - and _, at "
                    "most %d",
                    kind->section, CONFIG_NAME_MAX);
    else
        return true;
    return false;
}

static const struct config_section *
config_section_find(const struct config *config, const struct config_kind *kind, const char *name)
{
    for (size_t n = 0; n < config->section_count; n++) {
        const struct config_section *section = &config->sections[n];
        if (section->kind == kind && (name == NULL || strcmp(section->name, name) == 0))
            return section;
    }
    return NULL;
}

static struct config_section *config_section_add(struct config *config,
                                                 const struct config_kind *kind, const char *name,
                                                 int line)
{
    size_t n = config->section_count++;
    config->sections =
        mem_realloc(config->sections, config->section_count, sizeof *config->sections);
    config->sections[n] =
        (struct config_section){.kind = kind, .name = mem_strdup(name), .line = line};
    return &config->sections[n];
}

/* Gives the section its options, all at their defaults. */
static void config_section_settle(struct config_loading *loading, struct config_section *section,
                                  const struct option_spec *options, size_t size)
{
    section->options = options;
    section->settings = mem_calloc(1, size);
    struct err err = ERR_INIT;
    if (option_defaults(options, section->settings, &err) != 0) {
        char label[CONFIG_LABEL_MAX];
        mistake_add(&loading->mistakes, section->line, "%s: a default %s",
                    config_label(section, label), err.text);
    }
}

/* --- Keys --- */

/* The entry of the "type" key; a second one is found as a duplicate later. */
static const struct config_entry *config_type_entry(const struct config_loading *loading,
                                                    const struct config_head *head)
{
    for (size_t n = 0; n < head->count; n++) {
        const struct config_entry *entry = &loading->file.entries[head->first + n];
        if (strcmp(entry->key, "type") == 0)
            return entry;
    }
    return NULL;
}

/* "missing" or "unknown", what was meant, and every type there is. */
static void config_bad_type(struct config_loading *loading, const struct config_section *section,
                            const struct config_entry *entry, int line)
{
    struct buf names = BUF_INIT(CONFIG_VARIANT_NAMES_MAX);
    section->kind->variant_names(&names);
    char label[CONFIG_LABEL_MAX], hint[CONFIG_HINT_MAX];
    char name[CONFIG_VARIANT_MAX], meant[CONFIG_VARIANT_MAX] = "";
    size_t best = SUGGEST_NONE;
    const char *rest = names.data;
    while (entry != NULL && (rest = config_variant_next(rest, name)) != NULL) {
        if (suggest_closer(entry->value, name, &best))
            snprintf(meant, sizeof meant, "%s", name);
    }
    mistake_add(&loading->mistakes, line, "%s.type: is %s%s, expected one of %s",
                config_label(section, label), entry == NULL ? "missing" : "unknown",
                config_hint(*meant == '\0' ? NULL : meant, hint), names.data);
    buf_release(&names);
}

/* -1: the section's options stay unknown, so its keys cannot be checked. */
static int config_section_type(struct config_loading *loading, const struct config_head *head,
                               struct config_section *section)
{
    const struct config_entry *entry = config_type_entry(loading, head);
    size_t size = 0;
    const struct option_spec *options =
        entry == NULL ? NULL : section->kind->variant(entry->value, &size);
    if (options == NULL) {
        config_bad_type(loading, section, entry, entry == NULL ? head->line : entry->line);
        return -1;
    }
    section->type = mem_strdup(entry->value);
    config_section_settle(loading, section, options, size);
    return 0;
}

/* The line on which key stood in the section before entry; 0: nowhere. */
static int config_line_before(const struct config_loading *loading, const struct config_head *head,
                              const struct config_entry *entry)
{
    for (size_t n = head->first; &loading->file.entries[n] != entry; n++) {
        if (strcmp(loading->file.entries[n].key, entry->key) == 0)
            return loading->file.entries[n].line;
    }
    return 0;
}

static void config_entry_apply(struct config_loading *loading, const struct config_head *head,
                               const struct config_section *section,
                               const struct config_entry *entry)
{
    char label[CONFIG_LABEL_MAX], shown[CONFIG_WORD_MAX + 3], hint[CONFIG_HINT_MAX];
    bool is_type = section->type != NULL && strcmp(entry->key, "type") == 0;
    const struct option_spec *spec = option_find(section->options, entry->key);
    config_label(section, label);
    if (spec == NULL && !is_type) {
        mistake_add(&loading->mistakes, entry->line,
                    "%s: %s is no key of this section%s, "
                    "expected one that `kanal help-config` shows",
                    label, config_shown(entry->key, shown),
                    config_hint(config_nearest_option(section->options, entry->key), hint));
        return;
    }
    int before = config_line_before(loading, head, entry);
    struct err err = ERR_INIT;
    if (before != 0)
        mistake_add(&loading->mistakes, entry->line,
                    "%s.%s: is set on line %d already, expected once", label, entry->key, before);
    else if (!is_type &&
             option_set(spec, section->settings, entry->value, loading->folder, &err) != 0)
        mistake_add(&loading->mistakes, entry->line, "%s.%s: %s", label, entry->key, err.text);
}

/* head: NULL for a section that is not in the file. */
static void config_check_required(struct config_loading *loading, const struct config_head *head,
                                  const struct config_section *section)
{
    for (const struct option_spec *spec = section->options; spec->name != NULL; spec++) {
        bool given = !spec->required;
        for (size_t n = 0; !given && head != NULL && n < head->count; n++) {
            const struct config_entry *entry = &loading->file.entries[head->first + n];
            given = strcmp(entry->key, spec->name) == 0 && *entry->value != '\0';
        }
        char label[CONFIG_LABEL_MAX];
        if (!given)
            mistake_add(&loading->mistakes, section->line, "%s.%s: is missing, expected %s",
                        config_label(section, label), spec->name, spec->help);
    }
}

static void config_head_apply(struct config_loading *loading, const struct config_head *head)
{
    const struct config_kind *kind = config_kind_find(loading->kinds, head->word);
    if (kind == NULL) {
        config_unknown_section(loading, head);
        return;
    }
    if (!config_head_fits(loading, kind, head))
        return;
    const struct config_section *twin = config_section_find(loading->config, kind, head->title);
    if (twin != NULL) {
        mistake_add(&loading->mistakes, head->line,
                    "this section stands on line %d already, expected once", twin->line);
        return;
    }
    struct config_section *section =
        config_section_add(loading->config, kind, head->title, head->line);
    if (kind->variant == NULL)
        config_section_settle(loading, section, kind->options, kind->settings_size);
    else if (config_section_type(loading, head, section) != 0)
        return;
    for (size_t n = 0; n < head->count; n++)
        config_entry_apply(loading, head, section, &loading->file.entries[head->first + n]);
    config_check_required(loading, head, section);
}

/* --- The whole --- */

static void config_add_absent(struct config_loading *loading)
{
    for (const struct config_kind *kind = loading->kinds; kind->section != NULL; kind++) {
        if (kind->named || config_section_find(loading->config, kind, NULL) != NULL)
            continue;
        struct config_section *section = config_section_add(loading->config, kind, NULL, 0);
        config_section_settle(loading, section, kind->options, kind->settings_size);
        config_check_required(loading, NULL, section);
    }
}

static void config_apply(struct config_loading *loading)
{
    for (size_t n = 0; n < loading->file.head_count; n++) {
        const struct config_head *head = &loading->file.heads[n];
        if (n == CONFIG_SECTIONS_MAX) {
            mistake_add(&loading->mistakes, head->line,
                        "there are too many sections, expected at most %d", CONFIG_SECTIONS_MAX);
            break;
        }
        config_head_apply(loading, head);
    }
    config_add_absent(loading);
}

int config_load(const char *path, const struct config_kind *kinds, struct config *out,
                struct buf *mistakes, struct err *err)
{
    *out = (struct config){0};
    struct config_loading loading = {.kinds = kinds, .config = out};
    if (path != NULL) {
        loading.folder = path_folder(path);
        config_file_read(path, &loading.file, &loading.mistakes);
    }
    config_apply(&loading);
    int result = loading.mistakes.count == 0 ? 0 : -1;
    if (result != 0) {
        mistakes_write(&loading.mistakes, path == NULL ? "defaults" : path, mistakes, err);
        config_release(out);
    }
    config_file_release(&loading.file);
    mistakes_release(&loading.mistakes);
    free(loading.folder);
    return result;
}

int config_add(struct config *config, const struct config_kind *kind, const char *name,
               const char *type, struct err *err)
{
    size_t size = 0;
    const struct option_spec *options = kind->variant(type, &size);
    if (options == NULL)
        return err_set(err, ERR_CONFIG, "[%s %s] has an unknown type", kind->section, name);
    if (config_section_find(config, kind, name) != NULL)
        return err_set(err, ERR_CONFIG,
                       "[%s %s] stands in the file with another type, expected "
                       "another name for it",
                       kind->section, name);
    for (const struct option_spec *spec = options; spec->name != NULL; spec++) {
        if (spec->required)
            return err_set(err, ERR_CONFIG, "[%s %s] needs '%s'", kind->section, name, spec->name);
    }
    struct config_section *section = config_section_add(config, kind, name, 0);
    section->type = mem_strdup(type);
    section->options = options;
    section->settings = mem_calloc(1, size);
    return option_defaults(options, section->settings, err);
}

const struct config_section *config_section(const struct config *config, const char *section)
{
    const struct config_section *found = config->sections;
    while (strcmp(found->kind->section, section) != 0)
        found++;
    return found;
}

const void *config_settings(const struct config *config, const char *section)
{
    return config_section(config, section)->settings;
}

void config_release(struct config *config)
{
    for (size_t n = 0; n < config->section_count; n++) {
        struct config_section *section = &config->sections[n];
        if (section->settings != NULL)
            option_release(section->options, section->settings);
        free(section->settings);
        free(section->name);
        free(section->type);
    }
    free(config->sections);
    *config = (struct config){0};
}
