/* SPDX-License-Identifier: Apache-2.0 */
#include "normalize/layout.h"

#include <string.h>

enum { LAYOUT_BREAKS_MAX = 3 };

void layout_init(struct layout *page, size_t max)
{
    *page = (struct layout){.out = BUF_INIT(max)};
}

void layout_release(struct layout *page)
{
    buf_release(&page->out);
}

void layout_break(struct layout *page, unsigned n)
{
    page->space = page->tab = false;
    if (page->out.len > 0 && page->breaks < n)
        page->breaks = n;
}

void layout_newline(struct layout *page)
{
    layout_break(page, page->breaks < LAYOUT_BREAKS_MAX ? page->breaks + 1 : LAYOUT_BREAKS_MAX);
}

void layout_tab(struct layout *page)
{
    page->tab = page->out.len > 0 && page->breaks == 0;
}

static void layout_mark(struct layout *page, size_t depth)
{
    for (size_t i = 0; i < depth; i++)
        buf_add_text(&page->out, "> ");
}

/* Makes what was asked for, now that text comes. */
static void layout_settle(struct layout *page)
{
    size_t between = page->quote < page->quote_above ? page->quote : page->quote_above;
    bool new_line = page->breaks > 0 || page->out.len == 0;
    for (; page->breaks > 0; page->breaks--) {
        buf_add_char(&page->out, '\n');
        if (page->breaks > 1)
            layout_mark(page, between);
    }
    if (new_line)
        layout_mark(page, page->quote);
    else if (page->tab)
        buf_add_char(&page->out, '\t');
    else if (page->space)
        buf_add_char(&page->out, ' ');
    page->quote_above = page->quote;
    page->space = page->tab = false;
}

static bool layout_is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f';
}

void layout_text(struct layout *page, const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (text[i] == '\n' && page->preformatted) {
            layout_newline(page);
        } else if (layout_is_blank(text[i]) && !page->preformatted) {
            page->space = true;
        } else if (text[i] != '\r') {
            layout_settle(page);
            buf_add_char(&page->out, text[i]);
        }
    }
}
