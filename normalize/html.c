/* SPDX-License-Identifier: Apache-2.0 */
#include "normalize/html.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <libxml/HTMLparser.h>

#include "normalize/html_element.h"
#include "normalize/html_flatten.h"
#include "normalize/layout.h"
#include "normalize/mem.h"

enum {
    HTML_QUOTE_MAX = 20,   /* levels of quotation marked */
    HTML_HREF_MAX = 2000,  /* bytes of an address shown */
    HTML_WORDS_MAX = 2000, /* of one tag: libxml2 takes quadratic time in attributes */
    HTML_FRAMES_MAX = HTML_DEPTH_MAX + 8,
};

struct html_frame {
    const xmlChar *name; /* the parser's */
    enum html_kind kind;
    bool quotes;       /* a blockquote that is a quotation */
    unsigned item;     /* of an ol: the last number given */
    size_t text_start; /* of an a: where its text begins */
    char *href;        /* of an a; owned */
};

struct html_reader {
    htmlParserCtxtPtr parser; /* borrowed */
    struct layout page;
    struct html_frame frames[HTML_FRAMES_MAX];
    size_t depth;
    size_t dropped; /* frames that are not shown */
    size_t lists;   /* lists open */
    bool too_deep;
};

static void html_open_item(struct html_reader *reader)
{
    struct layout *page = &reader->page;
    layout_break(page, 1);
    for (size_t i = 1; i < reader->lists; i++)
        layout_text(page, "\xc2\xa0\xc2\xa0", 4);
    for (size_t i = reader->depth; i > 0; i--) {
        struct html_frame *list = &reader->frames[i - 1];
        if (list->kind != HTML_OL && list->kind != HTML_UL)
            continue;
        struct buf mark = BUF_INIT(16);
        if (list->kind == HTML_OL)
            buf_addf(&mark, "%u. ", ++list->item);
        else
            buf_add_text(&mark, "- ");
        layout_text(page, mark.data, mark.len);
        buf_release(&mark);
        return;
    }
    layout_text(page, "- ", 2);
}

static void html_open_quote(struct html_reader *reader, struct html_frame *frame,
                            const xmlChar **atts)
{
    frame->quotes = html_is_quotation(atts) && reader->page.quote < HTML_QUOTE_MAX;
    layout_break(&reader->page, frame->quotes ? 2 : 1);
    reader->page.quote += frame->quotes;
}

static void html_open(struct html_reader *reader, struct html_frame *frame, const xmlChar **atts)
{
    struct layout *page = &reader->page;
    switch (frame->kind) {
    case HTML_INLINE:
    case HTML_DROPPED:
        break;
    case HTML_LINE:
        layout_break(page, 1);
        break;
    case HTML_PARAGRAPH:
        if (html_is_tight(atts))
            frame->kind = HTML_LINE;
        layout_break(page, frame->kind == HTML_LINE ? 1 : 2);
        break;
    case HTML_BR:
        layout_newline(page);
        break;
    case HTML_UL:
    case HTML_OL:
        layout_break(page, reader->lists == 0 ? 2 : 1);
        reader->lists++;
        break;
    case HTML_LI:
        html_open_item(reader);
        break;
    case HTML_CELL:
        layout_tab(page);
        break;
    case HTML_QUOTE:
        html_open_quote(reader, frame, atts);
        break;
    case HTML_PRE:
        layout_break(page, 2);
        page->preformatted = true;
        break;
    case HTML_A:
        frame->text_start = page->out.len;
        frame->href = mem_strdup(html_attribute(atts, "href"));
        break;
    }
}

/* An address without what people leave out when they write it down. */
static struct buf html_core(const char *address, size_t len)
{
    static const char *const heads[] = {"mailto:", "tel:", "https://", "http://", "www."};
    struct buf core = BUF_INIT(HTML_HREF_MAX);
    while (len > 0 && strchr(" \n\t>", *address) != NULL) {
        address++;
        len--;
    }
    for (size_t i = 0; i < sizeof heads / sizeof heads[0]; i++) {
        size_t head = strlen(heads[i]);
        if (len >= head && strncasecmp(address, heads[i], head) == 0) {
            address += head;
            len -= head;
        }
    }
    while (len > 0 && strchr(" \n\t/", address[len - 1]) != NULL)
        len--;
    buf_add(&core, address, len);
    return core;
}

static bool html_is_shown(const char *href)
{
    static const char *const schemes[] = {"http:", "https:", "mailto:", "tel:", "geo:"};
    for (size_t i = 0; i < sizeof schemes / sizeof schemes[0]; i++) {
        if (strncasecmp(href, schemes[i], strlen(schemes[i])) == 0)
            return strlen(href) <= HTML_HREF_MAX;
    }
    return false;
}

static void html_close_link(struct html_reader *reader, const struct html_frame *frame)
{
    struct layout *page = &reader->page;
    if (frame->href == NULL || !html_is_shown(frame->href))
        return;
    size_t start = frame->text_start;
    struct buf text = html_core(page->out.data + start, page->out.len - start);
    struct buf address = html_core(frame->href, strlen(frame->href));
    const char *shown = strncasecmp(frame->href, "http", 4) == 0 ? frame->href : address.data;
    if (text.len == 0 && !text.overflow) {
        page->space = true;
        layout_text(page, shown, strlen(shown));
        page->space = true;
    } else if (strcasecmp(text.data, address.data) != 0) {
        layout_text(page, " (", 2);
        layout_text(page, shown, strlen(shown));
        layout_text(page, ")", 1);
    }
    buf_release(&text);
    buf_release(&address);
}

static void html_close(struct html_reader *reader, const struct html_frame *frame)
{
    struct layout *page = &reader->page;
    switch (frame->kind) {
    case HTML_INLINE:
    case HTML_DROPPED:
    case HTML_BR:
    case HTML_CELL:
        break;
    case HTML_LINE:
    case HTML_LI:
        layout_break(page, 1);
        break;
    case HTML_PARAGRAPH:
        layout_break(page, 2);
        break;
    case HTML_UL:
    case HTML_OL:
        reader->lists--;
        layout_break(page, reader->lists == 0 ? 2 : 1);
        break;
    case HTML_QUOTE:
        page->quote -= frame->quotes;
        layout_break(page, frame->quotes ? 2 : 1);
        break;
    case HTML_PRE:
        page->preformatted = false;
        layout_break(page, 2);
        break;
    case HTML_A:
        html_close_link(reader, frame);
        break;
    }
}

static void html_start(void *context, const xmlChar *name, const xmlChar **atts)
{
    struct html_reader *reader = context;
    if (reader->too_deep || reader->depth == HTML_FRAMES_MAX ||
        reader->parser->nameNr > HTML_DEPTH_MAX) {
        reader->too_deep = true;
        xmlStopParser(reader->parser);
        return;
    }
    struct html_frame *frame = &reader->frames[reader->depth];
    *frame = (struct html_frame){.name = name, .kind = html_kind((const char *)name)};
    if (reader->dropped > 0 || html_is_hidden(atts))
        frame->kind = HTML_DROPPED;
    html_open(reader, frame, atts);
    reader->dropped += frame->kind == HTML_DROPPED;
    reader->depth++;
}

static void html_pop(struct html_reader *reader)
{
    struct html_frame *frame = &reader->frames[--reader->depth];
    reader->dropped -= frame->kind == HTML_DROPPED;
    html_close(reader, frame);
    free(frame->href);
}

static void html_end(void *context, const xmlChar *name)
{
    struct html_reader *reader = context;
    size_t at = reader->depth;
    while (at > 0 && xmlStrcmp(reader->frames[at - 1].name, name) != 0)
        at--;
    while (at > 0 && reader->depth >= at)
        html_pop(reader);
}

static void html_characters(void *context, const xmlChar *text, int len)
{
    struct html_reader *reader = context;
    if (reader->dropped == 0 && !reader->too_deep)
        layout_text(&reader->page, (const char *)text, (size_t)len);
}

/* No tag with so many attributes that the parser would take quadratic time. */
static bool html_is_tame(const char *html, size_t len)
{
    bool in_tag = false;
    size_t words = 0;
    for (size_t i = 0; i < len; i++) {
        if (html[i] == '<' || html[i] == '>') {
            in_tag = html[i] == '<';
            words = 0;
        } else if (in_tag && strchr(" \t\r\n=/", html[i]) != NULL && ++words > HTML_WORDS_MAX) {
            return false;
        }
    }
    return true;
}

/* The page as the parser takes it best: without a body it makes paragraphs up (a second body tag is
 * ignored), and it prints Outlook's "<![if ...]>" and "<![endif]>". */
static struct buf html_prepare(const char *html, size_t len)
{
    struct buf page = BUF_INIT(HTML_BYTES_MAX + 16);
    buf_add_text(&page, "<body>");
    while (len > 0) {
        const char *mark = memmem(html, len, "<![", 3);
        size_t n = mark != NULL ? (size_t)(mark - html) : len;
        buf_add(&page, html, n);
        html += n;
        len -= n;
        const char *end = len > 0 ? memchr(html, '>', len) : NULL;
        n = end != NULL ? (size_t)(end - html) + 1 : len;
        html += n;
        len -= n;
    }
    return page;
}

static bool html_read(struct html_reader *reader, const char *html, size_t len)
{
    struct buf page = html_prepare(html, len);
    reader->parser = htmlNewParserCtxt();
    if (reader->parser == NULL)
        abort(); /* out of memory */
    reader->parser->userData = reader;
    *reader->parser->sax = (xmlSAXHandler){
        .startElement = html_start,
        .endElement = html_end,
        .characters = html_characters,
        .ignorableWhitespace = html_characters,
    };
    htmlDocPtr none =
        htmlCtxtReadMemory(reader->parser, page.data, (int)page.len, NULL, "UTF-8",
                           HTML_PARSE_RECOVER | HTML_PARSE_NOERROR | HTML_PARSE_NOWARNING |
                               HTML_PARSE_NONET | HTML_PARSE_IGNORE_ENC);
    if (none != NULL)
        xmlFreeDoc(none);
    while (reader->depth > 0)
        html_pop(reader);
    htmlFreeParserCtxt(reader->parser);
    buf_release(&page);
    return !reader->too_deep;
}

char *html_to_text(const char *html, bool *flattened)
{
    size_t len = strnlen(html, HTML_BYTES_MAX);
    struct html_reader *reader = mem_calloc(1, sizeof *reader);
    layout_init(&reader->page, HTML_TEXT_MAX);
    char *text;
    if (len > 0 && html_is_tame(html, len) && html_read(reader, html, len)) {
        text = mem_strndup(reader->page.out.data, reader->page.out.len);
    } else {
        *flattened = *flattened || len > 0;
        text = html_flatten(html, len);
    }
    layout_release(&reader->page);
    free(reader);
    return text;
}
