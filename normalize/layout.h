/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The page html.h writes on: white space collapses, lines and paragraphs are asked for and made
 * once text comes, every line of a quotation gets its marks. Pure and thread-safe.
 */
#ifndef KANAL_NORMALIZE_LAYOUT_H
#define KANAL_NORMALIZE_LAYOUT_H

#include <stdbool.h>
#include <stddef.h>

#include "normalize/buf.h"

struct layout {
    struct buf out;
    size_t quote;       /* depth of quotation of what comes next */
    size_t quote_above; /* of the last line written */
    unsigned breaks;    /* line ends before the next text */
    bool space;         /* a blank before the next text */
    bool tab;           /* a tab before the next text */
    bool preformatted;  /* blanks and line ends count */
};

/* An empty page of at most max bytes; release frees what was written. */
void layout_init(struct layout *page, size_t max);
void layout_release(struct layout *page);

/* Writes text; one that is only blanks may leave nothing. */
void layout_text(struct layout *page, const char *text, size_t len);

/* Asks for at least n line ends before the next text; none at the top of the page. */
void layout_break(struct layout *page, unsigned n);

/* Asks for one line end more than there is, as <br> does. */
void layout_newline(struct layout *page);

/* Asks for a tab between the text on this line and the next. */
void layout_tab(struct layout *page);

#endif
