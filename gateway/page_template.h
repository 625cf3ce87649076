/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One parsed template of the language described in page.h. Immutable once parsed, so any thread may
 * render it. Knows no files: what it refers to comes from the environment.
 */
#ifndef KANAL_GATEWAY_PAGE_TEMPLATE_H
#define KANAL_GATEWAY_PAGE_TEMPLATE_H

#include <jansson.h>
#include <stddef.h>

#include "normalize/buf.h"
#include "normalize/err.h"

enum {
    PAGE_NESTING_MAX = 16, /* sections within sections of one template */
    PAGE_PARTIALS_MAX = 8, /* templates within templates: a cycle ends here */
};

struct page_template;

/* Where names lead; each gives NULL for what does not exist. */
struct page_environment {
    const struct page_template *(*partial)(void *context, const char *name);
    const char *(*string)(void *context, const char *key);
    /* Appends the address of a static file; -1 when there is none. */
    int (*address)(void *context, const char *name, struct buf *out);
    void *context;
    const json_t *common; /* what every model has; the model's own fields win. May be NULL */
};

/* Parses; text is borrowed for the template's life. -1 ERR_CONFIG names the template and line. */
int page_template_parse(const char *name, const char *text, size_t len, struct page_template **out,
                        struct err *err);
void page_template_free(struct page_template *template);

/* -1 ERR_CONFIG: something the template refers to does not exist. */
int page_template_check(const struct page_template *template, const struct page_environment *env,
                        struct err *err);

/* Appends the page. -1 ERR_PERMANENT: out is full, or partials nest too deep. */
int page_template_render(const struct page_template *template, const struct page_environment *env,
                         const json_t *model, struct buf *out, struct err *err);

/* Appends text with & < > " ' escaped, fit for HTML text and quoted attributes; NUL and other
 * control characters but tab and line ends become U+FFFD. */
void page_escape(const char *text, size_t len, struct buf *out);

#endif
