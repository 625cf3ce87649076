/* SPDX-License-Identifier: Apache-2.0 */
/*
 * multipart/form-data (RFC 7578, RFC 2046 section 5.1): the parts of a body, one after the other,
 * as views into it. Flat: a part that is itself multipart is bytes like any other. A body that
 * stops before its closing delimiter is malformed, never half a form. Pure.
 */
#ifndef KANAL_NORMALIZE_MULTIPART_H
#define KANAL_NORMALIZE_MULTIPART_H

#include <stdbool.h>
#include <stddef.h>

enum {
    MULTIPART_BOUNDARY_MAX = 70,      /* RFC 2046 */
    MULTIPART_HEADERS_MAX = 8 * 1024, /* bytes of one part's headers */
};

struct multipart {
    const char *data; /* borrowed */
    size_t len, pos;
    bool closed;                                    /* the closing delimiter was met */
    char delimiter[4 + MULTIPART_BOUNDARY_MAX + 1]; /* CR LF "--" boundary */
};

struct multipart_part {
    char *name;       /* of the field; owned */
    char *filename;   /* owned; NULL: not a file */
    const char *data; /* borrowed from the body */
    size_t len;
};

/* Prepares to read data; content_type tells the boundary. -1: it does not, or no part begins. */
int multipart_start(struct multipart *multipart, const char *content_type, const char *data,
                    size_t len);

/* Reads the next part into *part, which needs multipart_part_release(). 1 a part, 0 the end, -1
 * malformed. */
int multipart_next(struct multipart *multipart, struct multipart_part *part);

/* Frees the names; safe after multipart_next() said 0 or -1. */
void multipart_part_release(struct multipart_part *part);

#endif
