/* SPDX-License-Identifier: Apache-2.0 */
/* All that is wrong with one file, gathered before anything is said, so that one reading of the
 * answer mends it. */
#ifndef KANAL_CONFIG_MISTAKE_H
#define KANAL_CONFIG_MISTAKE_H

#include <stddef.h>

#include "normalize/buf.h"
#include "normalize/err.h"

struct mistake {
    int line; /* 0: of the whole file */
    size_t order;
    char *text;
};

struct mistakes {
    struct mistake *items;
    size_t count;
};

enum { MISTAKES_MAX = 200 }; /* beyond that it is not a configuration file */

/* Adds one; those beyond MISTAKES_MAX are left out. */
__attribute__((format(printf, 3, 4))) void mistake_add(struct mistakes *mistakes, int line,
                                                       const char *format, ...);

/* Appends all, by line, one a line as "path:line: text"; err gets the first (ERR_CONFIG). */
void mistakes_write(struct mistakes *mistakes, const char *path, struct buf *out, struct err *err);

void mistakes_release(struct mistakes *mistakes);

#endif
