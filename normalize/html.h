/* SPDX-License-Identifier: Apache-2.0 */
/*
 * HTML to text a person can read, by libxml2's HTML parser over its events, without a tree: blocks
 * become lines, paragraphs get a blank line, lists "- " and "1. ", table cells are separated by
 * tabs, quotations marked "> ", links "text (address)" when the two differ. Scripts, styles,
 * comments and what its author hid are left out. Nothing is ever fetched. Thread-safe.
 */
#ifndef KANAL_NORMALIZE_HTML_H
#define KANAL_NORMALIZE_HTML_H

#include <stdbool.h>
#include <stddef.h>

enum {
    HTML_BYTES_MAX = 4 * 1024 * 1024, /* of a page looked at */
    HTML_TEXT_MAX = 2 * 1024 * 1024,  /* of text it can become */
    HTML_DEPTH_MAX = 256,             /* nested elements; libxml2 takes quadratic time beyond */
};

/* Gives the text of a page in UTF-8 (free() it), "" when it has none. A page nested deeper than
 * HTML_DEPTH_MAX loses its structure, not its words: *flattened is set (never cleared). */
char *html_to_text(const char *html, bool *flattened);

#endif
