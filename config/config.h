/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The configuration file: INI by inih, `[section]` or `[section name]`, checked against option
 * tables. The loader knows no module: callers pass the kinds of section there may be. A file is
 * taken whole or not at all; every mistake in it is reported, each as
 * "file:line: section.key: what is wrong, what is expected".
 */
#ifndef KANAL_CONFIG_CONFIG_H
#define KANAL_CONFIG_CONFIG_H

#include <stdbool.h>
#include <stddef.h>

#include "config/option.h"

enum {
    CONFIG_FILE_MAX = 1024 * 1024,
    CONFIG_SECTIONS_MAX = 500, /* a country's channels on one gateway */
    CONFIG_NAME_MAX = 64,      /* of a named section: a-z, 0-9, -, _; it is part of dedup keys */
};

/* A kind of section. */
struct config_kind {
    const char *section; /* "http"; NULL ends a list of kinds */
    bool named;          /* [channel NAME]; otherwise exactly one, which always exists */
    const struct option_spec *options; /* may be NULL when variant is given */
    size_t settings_size;
    /*
     * For kinds whose options depend on their "type" key: gives the table and size for type, or
     * NULL for an unknown type. Such a section's settings hold the variant's options only; "type"
     * itself is in config_section.type.
     */
    const struct option_spec *(*variant)(const char *type, size_t *settings_size);
    /* Appends every type, "email, web_form": for messages and help. */
    void (*variant_names)(struct buf *out);
    const char *help; /* one sentence for help-config */
};

struct config_section {
    const struct config_kind *kind;
    char *name; /* NULL unless the kind is named */
    char *type; /* NULL unless the kind has variants */
    const struct option_spec *options;
    void *settings;
    int line; /* where it begins; 0: not in the file */
};

struct config {
    struct config_section *sections;
    size_t section_count;
};

/*
 * Loads path (NULL: an empty file). 0: *out is complete, config_release() it. -1: *out is empty and
 * every mistake stands in *mistakes, one line each; err holds the first (ERR_CONFIG).
 */
int config_load(const char *path, const struct config_kind *kinds, struct config *out,
                struct buf *mistakes, struct err *err);

/* Adds [section name] of a type, at its defaults, as if the file ended with it. -1 ERR_CONFIG: the
 * name is taken, or the type is unknown or needs more than defaults. */
int config_add(struct config *config, const struct config_kind *kind, const char *name,
               const char *type, struct err *err);

/* The only section of a kind that is not named, and its settings; never NULL. */
const struct config_section *config_section(const struct config *config, const char *section);
const void *config_settings(const struct config *config, const char *section);

void config_release(struct config *config);

/* Appends the whole reference, as a commented configuration file with every option's default. */
void config_help(const struct config_kind *kinds, struct buf *out);

#endif
