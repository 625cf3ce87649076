/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Files built into the binary (config/embed.cmake): the city's words and templates, the pages. A
 * table ends with name == NULL; data is followed by a NUL that len does not count.
 */
#ifndef KANAL_CONFIG_ASSET_H
#define KANAL_CONFIG_ASSET_H

#include <stddef.h>

struct asset {
    const char *name; /* relative to the folder embedded: "style.css", "notices/ack.id.txt" */
    const unsigned char *data;
    size_t len;
    const char *hash; /* the first 16 hexadecimal digits of its SHA-256: changes with the content */
};

/* The files of config/jakarta that are built in. */
extern const struct asset config_assets[];

/* The entry of that name, or NULL. */
const struct asset *asset_find(const struct asset *table, const char *name);

#endif
