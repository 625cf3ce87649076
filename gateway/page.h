/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Pages: HTML templates embedded at build time, filled from JSON. The language is deliberately
 * tiny:
 *   {{name}} {{a.b}} {{.}}  the value, HTML-escaped; missing or null is empty; "." the list item
 *   {{#name}} ... {{/name}}  once per list item (fields of the item first, then the outer ones), or
 * once when the value is true, non-empty, non-zero
 *   {{^name}} ... {{/name}}  when it is missing, null, false, zero, "" or an empty list
 *   {{>name}}             another template
 *   {{t.key}}             a string of the reader's language (config/jakarta/strings.<lang>.json);
 * "{name}" within it is the value of that name, when there is one
 *   {{@style.css}}        the address of a static file; it changes with the file's content
 * There is no unescaped form. Indentation of template lines is not sent.
 */
#ifndef KANAL_GATEWAY_PAGE_H
#define KANAL_GATEWAY_PAGE_H

#include <jansson.h>
#include <stddef.h>

#include "adapters/http_message.h"
#include "config/asset.h"
#include "normalize/buf.h"
#include "normalize/err.h"

/* Finds an embedded file of gateway/web ("form.html", "style.css"); NULL when there is none. */
const struct asset *page_asset(const char *name);

/* The file a path below "/static/" names ("0123456789abcdef/style.css"), when it is one that
 * browsers may fetch (css, js, svg); *content_type is set. NULL: none, or of an older content. */
const struct asset *page_static(const char *path, const char **content_type);

/* Renders a template ("form" for form.html) for a language; model borrowed. -1 ERR_PERMANENT:
 * unknown template, page_start() not called, or the page is too long. */
int page_render(const char *name, const char *language, const json_t *model, struct buf *out,
                struct err *err);

/* The string "key" of a language ("id" when that language lacks it), or the key itself. Static
 * life. */
const char *page_string(const char *language, const char *key);

/* Parses every template once; call at start, before other threads. -1 ERR_CONFIG: bad syntax, or a
 * template, string or static file that does not exist (named). */
int page_start(struct err *err);

/* What every page calls the city and which number it gives for emergencies; until called, "DKI
 * Jakarta" and "112". Copies; call at start, before other threads. */
void page_city(const char *name, const char *emergency);

/* Frees what page_start() and page_city() made. */
void page_stop(void);

/* "id" or "en": what the query says ("?lang=en"), else the request's language. */
const char *page_language(const struct http_request *request);

/* The language the query itself asks for, which links and redirects keep; NULL: none. */
const char *page_kept_language(const struct http_request *request);

/*
 * The render callback for http_listener: response->view filled from response->model, in
 * page_language(). Adds to the model "lang_query" and "lang_kept" ("?lang=en" and "en" when the
 * query has it, to keep it in links and forms) and, for GET, "other_lang" (the code of the other
 * language).
 */
int page_http_render(void *context, const struct http_request *request,
                     const struct http_response *response, struct buf *html);

#endif
