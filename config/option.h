/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Typed options. Every module that can be configured declares a table of option_spec and a struct
 * of settings; the loader parses, checks, defaults and documents, so no module ever sees a string
 * from the file. The help text in the table is the reference: `kanal help-config` prints it.
 */
#ifndef KANAL_CONFIG_OPTION_H
#define KANAL_CONFIG_OPTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "normalize/buf.h"
#include "normalize/err.h"

enum option_type {
    OPTION_STRING,  /* char *, owned; NULL when empty */
    OPTION_INT,     /* int64_t */
    OPTION_BOOL,    /* bool: yes/no, true/false, on/off, 1/0 */
    OPTION_SECONDS, /* int64_t, seconds: "90", "90s", "15m", "2h", "5d" */
    OPTION_BYTES,   /* int64_t: "512", "64KiB", "25MiB", "1GiB" */
    OPTION_SECRET,  /* struct secret: "file:PATH", "env:NAME" or "credential:NAME" (systemd) */
    OPTION_PATH,    /* char *, owned; relative to the configuration file's folder */
    OPTION_URL,     /* char *, owned; http or https, with a host, without user or fragment */
    OPTION_CHOICE,  /* char *, owned: one of the words in choices */
};

/* A secret: never printed, wiped on release. */
struct secret {
    char *data; /* NUL-terminated; NULL when not given */
    size_t len;
};

struct option_spec {
    const char *name; /* NULL ends a table */
    enum option_type type;
    size_t offset;        /* into the settings struct */
    const char *fallback; /* as it would stand in the file; NULL: empty, zero, off */
    bool required;
    int64_t min, max;    /* INT, SECONDS, BYTES; both 0: any */
    const char *choices; /* CHOICE: "a b c" */
    const char *help;    /* one or two sentences, lower case first letter, no full stop */
};

/*
 * Parses text as spec says into the field of settings, replacing what was there. folder: what
 * relative paths start from. err text: what is wrong and what is expected, without the section.
 * Secrets are read here (at most 64 KiB, one trailing line end dropped).
 */
int option_set(const struct option_spec *spec, void *settings, const char *text, const char *folder,
               struct err *err);

/* Fills settings (zeroed by the caller) with the fallbacks of options. */
int option_defaults(const struct option_spec *options, void *settings, struct err *err);

/* Frees every string and wipes every secret. */
void option_release(const struct option_spec *options, void *settings);

/* The table's entry for name, or NULL. */
const struct option_spec *option_find(const struct option_spec *options, const char *name);

/* Appends text as comment lines, wrapped at 80 columns. */
void option_help_text(const char *text, struct buf *out);

/* Appends the reference of one table: name, type, default, help, wrapped at 80 columns. */
void option_help(const struct option_spec *options, struct buf *out);

#endif
