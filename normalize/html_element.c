/* SPDX-License-Identifier: Apache-2.0 */
#include "normalize/html_element.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "normalize/buf.h"

enum { HTML_STYLE_MAX = 4000 }; /* bytes of a style attribute looked at */

/* Elements that are not inline, in order of their names. */
static const struct html_element {
    const char *name;
    enum html_kind kind;
} html_elements[] = {
    {"a", HTML_A},
    {"address", HTML_LINE},
    {"applet", HTML_DROPPED},
    {"article", HTML_LINE},
    {"aside", HTML_LINE},
    {"audio", HTML_DROPPED},
    {"blockquote", HTML_QUOTE},
    {"body", HTML_LINE},
    {"br", HTML_BR},
    {"canvas", HTML_DROPPED},
    {"caption", HTML_LINE},
    {"center", HTML_LINE},
    {"dd", HTML_LINE},
    {"div", HTML_LINE},
    {"dl", HTML_PARAGRAPH},
    {"dt", HTML_LINE},
    {"fieldset", HTML_LINE},
    {"footer", HTML_LINE},
    {"form", HTML_LINE},
    {"h1", HTML_PARAGRAPH},
    {"h2", HTML_PARAGRAPH},
    {"h3", HTML_PARAGRAPH},
    {"h4", HTML_PARAGRAPH},
    {"h5", HTML_PARAGRAPH},
    {"h6", HTML_PARAGRAPH},
    {"head", HTML_DROPPED},
    {"header", HTML_LINE},
    {"hr", HTML_PARAGRAPH},
    {"iframe", HTML_DROPPED},
    {"li", HTML_LI},
    {"main", HTML_LINE},
    {"math", HTML_DROPPED},
    {"nav", HTML_LINE},
    {"object", HTML_DROPPED},
    {"ol", HTML_OL},
    {"p", HTML_PARAGRAPH},
    {"pre", HTML_PRE},
    {"script", HTML_DROPPED},
    {"section", HTML_LINE},
    {"style", HTML_DROPPED},
    {"svg", HTML_DROPPED},
    {"table", HTML_LINE},
    {"td", HTML_CELL},
    {"template", HTML_DROPPED},
    {"th", HTML_CELL},
    {"title", HTML_DROPPED},
    {"tr", HTML_LINE},
    {"ul", HTML_UL},
    {"video", HTML_DROPPED},
};

static int html_compare(const void *name, const void *element)
{
    return strcasecmp(name, ((const struct html_element *)element)->name);
}

enum html_kind html_kind(const char *name)
{
    const struct html_element *found =
        bsearch(name, html_elements, sizeof html_elements / sizeof html_elements[0],
                sizeof html_elements[0], html_compare);
    return found != NULL ? found->kind : HTML_INLINE;
}

const char *html_attribute(const xmlChar **atts, const char *name)
{
    for (; atts != NULL && atts[0] != NULL; atts += 2) {
        if (strcasecmp((const char *)atts[0], name) == 0)
            return atts[1] != NULL ? (const char *)atts[1] : "";
    }
    return NULL;
}

/* Whether a style attribute holds declaration ("display:none"), however it is spaced. */
static bool html_styled(const xmlChar **atts, const char *declaration)
{
    const char *style = html_attribute(atts, "style");
    if (style == NULL)
        return false;
    struct buf packed = BUF_INIT(HTML_STYLE_MAX);
    for (; *style != '\0' && !packed.overflow; style++) {
        if (strchr(" \t\r\n", *style) == NULL)
            buf_add_char(&packed, *style);
    }
    bool found = strcasestr(packed.data, declaration) != NULL;
    buf_release(&packed);
    return found;
}

bool html_is_hidden(const xmlChar **atts)
{
    return html_attribute(atts, "hidden") != NULL || html_styled(atts, "display:none") ||
           html_styled(atts, "visibility:hidden") || html_styled(atts, "mso-hide:all");
}

bool html_is_tight(const xmlChar **atts)
{
    const char *class = html_attribute(atts, "class");
    return (class != NULL && strncasecmp(class, "Mso", 3) == 0) || html_styled(atts, "margin:0");
}

/* What only indents has no line at its left. */
bool html_is_quotation(const xmlChar **atts)
{
    return html_attribute(atts, "cite") != NULL || html_attribute(atts, "type") != NULL ||
           !html_styled(atts, "border:none");
}
