/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What elements and attributes of a page mean for its text; for html.c. Pure and thread-safe.
 */
#ifndef KANAL_NORMALIZE_HTML_ELEMENT_H
#define KANAL_NORMALIZE_HTML_ELEMENT_H

#include <stdbool.h>

#include <libxml/xmlstring.h>

enum html_kind {
    HTML_INLINE,
    HTML_LINE,      /* starts and ends a line */
    HTML_PARAGRAPH, /* has blank lines around it */
    HTML_BR,
    HTML_UL,
    HTML_OL,
    HTML_LI,
    HTML_CELL,
    HTML_QUOTE,
    HTML_PRE,
    HTML_A,
    HTML_DROPPED, /* with all that is in it */
};

/* What an element does; HTML_INLINE for those unknown. */
enum html_kind html_kind(const char *name);

/* In the following, atts are a start tag's names and values in turn, NULL at their end, as libxml2
 * gives them; NULL: none. */

/* An attribute's value, "" when it has none; NULL: it is not there. */
const char *html_attribute(const xmlChar **atts, const char *name);

/* Whether the author hid the element. */
bool html_is_hidden(const xmlChar **atts);

/* Whether a paragraph has no space around it, as Outlook writes every line. */
bool html_is_tight(const xmlChar **atts);

/* Whether a blockquote quotes; programs indent by the same element. */
bool html_is_quotation(const xmlChar **atts);

#endif
