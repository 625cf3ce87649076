/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Pages: HTML templates embedded at build time, filled from JSON. The language is deliberately
 * tiny:
 *   {{name}} {{a.b}}      the value, HTML-escaped; missing or null is empty
 *   {{#name}} ... {{/name}}  once per list item (fields of the item first, then the outer ones), or
 * once when the value is true, non-empty, non-zero
 *   {{^name}} ... {{/name}}  when it is missing, null, false, zero, "" or an empty list
 *   {{>name}}             another template
 *   {{t.key}}             a string of the reader's language (config/jakarta/strings.<lang>.json)
 * There is no unescaped form.
 */
#ifndef KANAL_GATEWAY_PAGE_H
#define KANAL_GATEWAY_PAGE_H

#include <jansson.h>
#include <stddef.h>

#include "adapters/http_message.h"
#include "normalize/buf.h"
#include "normalize/err.h"

/* One embedded file of gateway/web. */
struct page_asset {
    const char *name; /* "form.html", "style.css" */
    const unsigned char *data;
    size_t len;
};

/* Finds an asset; NULL when there is none. */
const struct page_asset *page_asset(const char *name);

/* Renders a template for a language; model borrowed. -1 ERR_PERMANENT: unknown template or bad
 * syntax. */
int page_render(const char *name, const char *language, const json_t *model, struct buf *out,
                struct err *err);

/* The string "key" of a language ("id" when that language lacks it), or the key itself. Static
 * life. */
const char *page_string(const char *language, const char *key);

/* Parses every template and string file once; call at start. */
int page_start(struct err *err);

/* The render callback for http_listener. */
int page_http_render(void *context, const struct http_request *request,
                     const struct http_response *response, struct buf *html);

#endif
