/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A configuration file as text: its sections and their keys, each with its line. What keys mean is
 * config.c's. Values are taken apart by inih; what inih would bend in silence (long lines,
 * continued lines, cut section names, lines that are nothing) is a mistake here.
 */
#ifndef KANAL_CONFIG_FILE_H
#define KANAL_CONFIG_FILE_H

#include <stddef.h>

#include "config/mistake.h"

enum { CONFIG_LINE_MAX = 4000 };

struct config_entry {
    char *key, *value;
    int line;
};

/* [word] or [word title]. */
struct config_head {
    char *word;
    char *title; /* NULL: none */
    int line;
    size_t first, count; /* its entries */
};

struct config_file {
    struct config_head *heads;
    size_t head_count;
    struct config_entry *entries;
    size_t entry_count;
};

/* Reads path; everything wrong with its form goes to *mistakes. Not for two threads at once: inih
 * keeps its limits in variables. */
void config_file_read(const char *path, struct config_file *out, struct mistakes *mistakes);

void config_file_release(struct config_file *file);

#endif
