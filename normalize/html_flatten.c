/* SPDX-License-Identifier: Apache-2.0 */
#include "normalize/html_flatten.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <libxml/HTMLparser.h>
#include <unistr.h>

#include "normalize/html.h"
#include "normalize/layout.h"
#include "normalize/mem.h"

enum { FLATTEN_REFERENCE_MAX = 32 };

/* Elements whose content is no text, and what ends them. */
static const struct {
    const char *begin, *end;
} flatten_dropped[] = {
    {"<!--", "-->"},
    {"<script", "</script"},
    {"<style", "</style"},
    {"<title", "</title"},
};

/* Tags that start a line. Closing tags do as well. */
static const char *const flatten_lines[] = {
    "br", "p", "div", "tr", "li", "table", "blockquote", "h1", "h2", "h3", "h4", "ul", "ol", "pre",
};

/* Behind an element that holds no text, text itself when none begins there. */
static const char *flatten_skip(const char *text)
{
    for (size_t i = 0; i < sizeof flatten_dropped / sizeof flatten_dropped[0]; i++) {
        if (strncasecmp(text, flatten_dropped[i].begin, strlen(flatten_dropped[i].begin)) != 0)
            continue;
        const char *end = strcasestr(text, flatten_dropped[i].end);
        if (end == NULL)
            return text + strlen(text);
        return *end == '-' ? end + strlen("-->") : end;
    }
    return text;
}

static bool flatten_is_line(const char *tag)
{
    tag += *tag == '/';
    size_t len = strspn(tag, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ123456");
    for (size_t i = 0; i < sizeof flatten_lines / sizeof flatten_lines[0]; i++) {
        if (strlen(flatten_lines[i]) == len && strncasecmp(tag, flatten_lines[i], len) == 0)
            return true;
    }
    return false;
}

static size_t flatten_put(struct layout *page, unsigned long c, size_t used)
{
    uint8_t bytes[6];
    int n = c == 0 || c > 0x10ffff ? 0 : u8_uctomb(bytes, (ucs4_t)c, sizeof bytes);
    if (n > 0)
        layout_text(page, (const char *)bytes, (size_t)n);
    return used;
}

/* Writes the character a reference stands for; how many bytes it took, or 0 when it is none. */
static size_t flatten_reference(struct layout *page, const char *at)
{
    size_t len = strcspn(at, "; \n<");
    if (at[len] != ';' || len >= FLATTEN_REFERENCE_MAX)
        return 0;
    char word[FLATTEN_REFERENCE_MAX];
    memcpy(word, at + 1, len - 1);
    word[len - 1] = '\0';
    if (word[0] == '#') {
        bool hex = word[1] == 'x' || word[1] == 'X';
        return flatten_put(page, strtoul(word + 1 + hex, NULL, hex ? 16 : 10), len + 1);
    }
    const htmlEntityDesc *entity = htmlEntityLookup((const xmlChar *)word);
    return entity != NULL ? flatten_put(page, entity->value, len + 1) : 0;
}

/* Behind the tag at at, or at itself when it is none. */
static const char *flatten_tag(struct layout *page, const char *at)
{
    if (strchr("/!?", at[1]) == NULL && !(at[1] >= 'a' && at[1] <= 'z') &&
        !(at[1] >= 'A' && at[1] <= 'Z'))
        return at;
    const char *behind = flatten_skip(at);
    if (behind != at)
        return behind;
    if (flatten_is_line(at + 1))
        layout_break(page, 1);
    return at + strcspn(at, ">") + (at[strcspn(at, ">")] == '>');
}

char *html_flatten(const char *html, size_t len)
{
    char *copy = mem_strndup(html, len); /* ends where the limit is */
    struct layout page;
    layout_init(&page, HTML_TEXT_MAX);
    for (const char *at = copy; *at != '\0';) {
        const char *behind = *at == '<' ? flatten_tag(&page, at) : at;
        if (behind == at && *at == '&')
            behind = at + flatten_reference(&page, at);
        if (behind == at) {
            size_t n = 1 + strcspn(at + 1, "<&");
            layout_text(&page, at, n);
            behind = at + n;
        }
        at = behind;
    }
    char *text = mem_strndup(page.out.data, page.out.len);
    layout_release(&page);
    free(copy);
    return text;
}
