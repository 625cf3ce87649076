/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The template language of page.h: parsed once into a flat list of nodes, rendered by walking it.
 * Own code because Debian ships no C library for mustache templates; kept to what our pages need:
 * no lambdas, no delimiters to change, no way round escaping.
 */
#include "gateway/page_template.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "config/words.h"
#include "normalize/mem.h"

enum { FIELD_NAME_SIZE = 32 };

enum node_kind {
    NODE_TEXT,
    NODE_VALUE,
    NODE_STRING,
    NODE_ADDRESS,
    NODE_PARTIAL,
    NODE_SECTION,
    NODE_INVERTED,
};

struct node {
    enum node_kind kind;
    const char *text; /* NODE_TEXT: borrowed from the source */
    size_t len;
    char *name; /* all others; owned */
    size_t end; /* sections: the node behind the last inner one */
};

struct page_template {
    char *name;
    struct node *nodes;
    size_t count;
};

/* --- Parsing --- */

struct parser {
    struct page_template *template;
    const char *text;
    size_t len, pos;
    size_t open[PAGE_NESTING_MAX]; /* nodes of the sections not closed yet */
    size_t depth;
};

static int parse_error(const struct parser *p, const char *what, struct err *err)
{
    size_t line = 1;
    for (size_t i = 0; i < p->pos && i < p->len; i++)
        line += p->text[i] == '\n';
    return err_set(err, ERR_CONFIG, "%s.html:%zu: %s", p->template->name, line, what);
}

static struct node *add_node(struct page_template *template, enum node_kind kind)
{
    template->nodes = mem_realloc(template->nodes, template->count + 1, sizeof *template->nodes);
    struct node *node = &template->nodes[template->count++];
    *node = (struct node){.kind = kind};
    return node;
}

static void add_text(struct page_template *template, const char *text, size_t len)
{
    if (!len)
        return;
    struct node *node = add_node(template, NODE_TEXT);
    node->text = text;
    node->len = len;
}

/* Adds source text line by line, each without its indentation and no line twice empty. */
static void add_lines(struct page_template *template, const char *text, size_t len, bool at_start)
{
    size_t pos = 0;
    bool line_start = at_start;
    while (pos < len) {
        if (line_start)
            while (pos < len && (text[pos] == ' ' || text[pos] == '\t'))
                pos++;
        const char *newline = memchr(text + pos, '\n', len - pos);
        size_t end = newline ? (size_t)(newline - text) + 1 : len;
        bool blank = line_start && newline && end - pos == 1;
        if (!blank)
            add_text(template, text + pos, end - pos);
        pos = end;
        line_start = newline != NULL;
    }
}

static bool name_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '-' || c == '.';
}

static bool good_name(const char *name, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (!name_char(name[i]))
            return false;
    return len > 0;
}

static int close_section(struct parser *p, const char *name, size_t len, struct err *err)
{
    if (!p->depth)
        return parse_error(p, "a section ends that never began", err);
    struct node *section = &p->template->nodes[p->open[--p->depth]];
    if (strlen(section->name) != len || memcmp(section->name, name, len))
        return parse_error(p, "another section must end first", err);
    section->end = p->template->count;
    return 0;
}

static int open_section(struct parser *p, struct err *err)
{
    if (p->depth == PAGE_NESTING_MAX)
        return parse_error(p, "sections nest too deep", err);
    p->open[p->depth++] = p->template->count - 1;
    return 0;
}

/* What the first character of a tag makes it. */
static enum node_kind tag_kind(char mark)
{
    switch (mark) {
    case '#':
        return NODE_SECTION;
    case '^':
        return NODE_INVERTED;
    case '>':
        return NODE_PARTIAL;
    case '@':
        return NODE_ADDRESS;
    default:
        return NODE_VALUE;
    }
}

static int parse_tag(struct parser *p, const char *tag, size_t len, struct err *err)
{
    bool closes = len && tag[0] == '/';
    enum node_kind kind = len ? tag_kind(tag[0]) : NODE_VALUE;
    size_t skip = kind != NODE_VALUE || closes ? 1 : 0;
    tag += skip;
    len -= skip;
    if (!good_name(tag, len))
        return parse_error(p, "a name is expected in {{ }}", err);
    if (closes)
        return close_section(p, tag, len, err);
    if (kind == NODE_VALUE && len > 2 && !memcmp(tag, "t.", 2)) {
        kind = NODE_STRING;
        tag += 2;
        len -= 2;
    }
    add_node(p->template, kind)->name = mem_strndup(tag, len);
    return kind == NODE_SECTION || kind == NODE_INVERTED ? open_section(p, err) : 0;
}

static int parse(struct parser *p, struct err *err)
{
    while (p->pos < p->len) {
        const char *from = p->text + p->pos;
        const char *tag = memmem(from, p->len - p->pos, "{{", 2);
        size_t text_len = tag ? (size_t)(tag - from) : p->len - p->pos;
        add_lines(p->template, from, text_len, p->pos == 0 || from[-1] == '\n');
        p->pos += text_len;
        if (!tag)
            break;
        const char *end = memmem(tag, p->len - p->pos, "}}", 2);
        if (!end)
            return parse_error(p, "{{ without }}", err);
        if (parse_tag(p, tag + 2, (size_t)(end - tag) - 2, err))
            return -1;
        p->pos = (size_t)(end - p->text) + 2;
    }
    return p->depth ? parse_error(p, "a section never ends", err) : 0;
}

int page_template_parse(const char *name, const char *text, size_t len, struct page_template **out,
                        struct err *err)
{
    struct page_template *template = mem_calloc(1, sizeof *template);
    template->name = mem_strdup(name);
    struct parser p = {.template = template, .text = text, .len = len};
    *out = NULL;
    if (parse(&p, err)) {
        page_template_free(template);
        return -1;
    }
    *out = template;
    return 0;
}

void page_template_free(struct page_template *template)
{
    if (!template)
        return;
    for (size_t i = 0; i < template->count; i++)
        free(template->nodes[i].name);
    free(template->nodes);
    free(template->name);
    free(template);
}

int page_template_check(const struct page_template *template, const struct page_environment *env,
                        struct err *err)
{
    struct buf scratch = BUF_INIT(4096);
    int result = 0;
    for (size_t i = 0; i < template->count && !result; i++) {
        const struct node *node = &template->nodes[i];
        bool missing =
            (node->kind == NODE_PARTIAL && !env->partial(env->context, node->name)) ||
            (node->kind == NODE_STRING && !env->string(env->context, node->name)) ||
            (node->kind == NODE_ADDRESS && env->address(env->context, node->name, &scratch));
        if (missing)
            result =
                err_set(err, ERR_CONFIG, "%s.html: there is no '%s'", template->name, node->name);
    }
    buf_release(&scratch);
    return result;
}

/* --- Rendering --- */

/* The values names are looked up in, innermost first. */
struct scope {
    const json_t *value;
    const struct scope *outer;
};

struct renderer {
    const struct page_environment *env;
    struct buf *out;
    unsigned partials;
};

static const char *escape_of(unsigned char byte)
{
    switch (byte) {
    case '&':
        return "&amp;";
    case '<':
        return "&lt;";
    case '>':
        return "&gt;";
    case '"':
        return "&quot;";
    case '\'':
        return "&#39;";
    case '\t':
    case '\n':
    case '\r':
        return NULL;
    default:
        return byte < 0x20 || byte == 0x7f ? "\xef\xbf\xbd" : NULL;
    }
}

void page_escape(const char *text, size_t len, struct buf *out)
{
    size_t copied = 0;
    for (size_t i = 0; i < len; i++) {
        const char *escaped = escape_of((unsigned char)text[i]);
        if (!escaped)
            continue;
        buf_add(out, text + copied, i - copied);
        buf_add_text(out, escaped);
        copied = i + 1;
    }
    buf_add(out, text + copied, len - copied);
}

/* The innermost value that has the first part of a dotted name, followed along the rest. */
static const json_t *find(const struct scope *scope, const char *name)
{
    if (!strcmp(name, "."))
        return scope->value;
    size_t len = strcspn(name, ".");
    const json_t *value = NULL;
    for (; scope && !value; scope = scope->outer)
        value = json_object_getn(scope->value, name, len);
    while (value && name[len]) {
        name += len + 1;
        len = strcspn(name, ".");
        value = json_object_getn(value, name, len);
    }
    return value;
}

static bool truthy(const json_t *value)
{
    switch (value ? json_typeof(value) : JSON_NULL) {
    case JSON_NULL:
    case JSON_FALSE:
        return false;
    case JSON_STRING:
        return json_string_length(value) > 0;
    case JSON_INTEGER:
        return json_integer_value(value) != 0;
    case JSON_REAL:
        return json_real_value(value) < 0 || json_real_value(value) > 0;
    case JSON_ARRAY:
        return json_array_size(value) > 0;
    default:
        return true;
    }
}

static void render_value(struct renderer *r, const json_t *value)
{
    if (json_is_string(value))
        page_escape(json_string_value(value), json_string_length(value), r->out);
    else if (json_is_integer(value))
        buf_addf(r->out, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
    else if (json_is_real(value))
        buf_addf(r->out, "%.9g", json_real_value(value));
    else if (json_is_boolean(value))
        buf_add_text(r->out, json_is_true(value) ? "true" : "false");
}

static int render_nodes(struct renderer *r, const struct page_template *template, size_t begin,
                        size_t end, const struct scope *scope, struct err *err);

static int render_partial(struct renderer *r, const struct page_template *template,
                          const struct node *node, const struct scope *scope, struct err *err)
{
    const struct page_template *partial = r->env->partial(r->env->context, node->name);
    if (!partial)
        return 0;
    if (r->partials == PAGE_PARTIALS_MAX)
        return err_set(err, ERR_PERMANENT, "cannot render '%s': templates nest too deep",
                       template->name);
    r->partials++;
    int result = render_nodes(r, partial, 0, partial->count, scope, err);
    r->partials--;
    return result;
}

static int render_section(struct renderer *r, const struct page_template *template, size_t at,
                          const struct scope *scope, struct err *err)
{
    const struct node *node = &template->nodes[at];
    const json_t *value = find(scope, node->name);
    if (truthy(value) != (node->kind == NODE_SECTION))
        return 0;
    if (node->kind == NODE_INVERTED || (!json_is_array(value) && !json_is_object(value)))
        return render_nodes(r, template, at + 1, node->end, scope, err);
    if (json_is_object(value)) {
        struct scope inner = {.value = value, .outer = scope};
        return render_nodes(r, template, at + 1, node->end, &inner, err);
    }
    for (size_t i = 0; i < json_array_size(value); i++) {
        struct scope inner = {.value = json_array_get(value, i), .outer = scope};
        if (render_nodes(r, template, at + 1, node->end, &inner, err))
            return -1;
    }
    return 0;
}

/* A string's "{field}" is the value of that name; what has no value stays for the page's script. */
static void render_string(struct renderer *r, const char *key, const struct scope *scope)
{
    const char *text = r->env->string(r->env->context, key);
    char name[FIELD_NAME_SIZE];
    size_t copied = 0, pos = 0, at, len;
    text = text ? text : key;
    while (words_next_field(text, &pos, &at, &len)) {
        if (len >= sizeof name)
            continue;
        memcpy(name, text + at, len);
        name[len] = '\0';
        const json_t *value = find(scope, name);
        if (!value)
            continue;
        page_escape(text + copied, at - 1 - copied, r->out);
        render_value(r, value);
        copied = pos;
    }
    page_escape(text + copied, strlen(text + copied), r->out);
}

static int render_nodes(struct renderer *r, const struct page_template *template, size_t begin,
                        size_t end, const struct scope *scope, struct err *err)
{
    int result = 0;
    for (size_t i = begin; i < end && !result; i++) {
        const struct node *node = &template->nodes[i];
        switch (node->kind) {
        case NODE_TEXT:
            buf_add(r->out, node->text, node->len);
            break;
        case NODE_VALUE:
            render_value(r, find(scope, node->name));
            break;
        case NODE_STRING:
            render_string(r, node->name, scope);
            break;
        case NODE_ADDRESS:
            (void)r->env->address(r->env->context, node->name, r->out);
            break;
        case NODE_PARTIAL:
            result = render_partial(r, template, node, scope, err);
            break;
        case NODE_SECTION:
        case NODE_INVERTED:
            result = render_section(r, template, i, scope, err);
            i = node->end - 1;
            break;
        }
    }
    return result;
}

int page_template_render(const struct page_template *template, const struct page_environment *env,
                         const json_t *model, struct buf *out, struct err *err)
{
    struct renderer r = {.env = env, .out = out};
    struct scope common = {.value = env->common};
    struct scope scope = {.value = model, .outer = &common};
    if (render_nodes(&r, template, 0, template->count, &scope, err))
        return -1;
    if (out->overflow)
        return err_set(err, ERR_PERMANENT, "cannot render '%s': the page is too long",
                       template->name);
    return 0;
}
