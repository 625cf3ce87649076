/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The pages of this binary: the embedded templates, parsed once at start, and the static files
 * beside them. After page_start() everything is immutable and any thread may render.
 */
#include "gateway/page.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "config/words.h"
#include "gateway/http.h"
#include "gateway/page_template.h"
#include "normalize/mem.h"

extern const struct asset page_assets[]; /* generated from gateway/web */

struct page {
    char *name;
    struct page_template *template;
};

static struct page *pages;
static size_t page_count;
static json_t *common; /* fields of every model */

static const struct {
    const char *ending, *content_type;
} static_types[] = {
    {".css", "text/css; charset=utf-8"},
    {".js", "text/javascript; charset=utf-8"},
    {".svg", "image/svg+xml"},
};

const struct asset *page_asset(const char *name)
{
    return asset_find(page_assets, name);
}

const struct asset *page_static(const char *path, const char **content_type)
{
    const char *slash = strchr(path, '/');
    const struct asset *asset = slash ? page_asset(slash + 1) : NULL;
    if (!asset || strlen(asset->hash) != (size_t)(slash - path) ||
        memcmp(asset->hash, path, (size_t)(slash - path)))
        return NULL;
    size_t len = strlen(asset->name);
    for (size_t i = 0; i < sizeof static_types / sizeof *static_types; i++) {
        size_t n = strlen(static_types[i].ending);
        if (len > n && !strcmp(asset->name + len - n, static_types[i].ending)) {
            *content_type = static_types[i].content_type;
            return asset;
        }
    }
    return NULL;
}

const char *page_string(const char *language, const char *key)
{
    return words_get(language, key);
}

static const struct page_template *find_page(void *context, const char *name)
{
    (void)context;
    for (size_t i = 0; i < page_count; i++)
        if (!strcmp(pages[i].name, name))
            return pages[i].template;
    return NULL;
}

static const char *find_string(void *context, const char *key)
{
    return words_get(context, key);
}

static const char *find_own_string(void *context, const char *key)
{
    (void)context;
    return words_has(words_languages[0], key) ? key : NULL;
}

static int static_address(void *context, const char *name, struct buf *out)
{
    (void)context;
    const struct asset *asset = page_asset(name);
    if (!asset)
        return -1;
    buf_addf(out, "/static/%s/%s", asset->hash, asset->name);
    return 0;
}

static int add_page(const struct asset *asset, size_t name_len, struct err *err)
{
    struct page_template *template;
    char *name = mem_strndup(asset->name, name_len);
    if (page_template_parse(name, (const char *)asset->data, asset->len, &template, err)) {
        free(name);
        return -1;
    }
    pages = mem_realloc(pages, page_count + 1, sizeof *pages);
    pages[page_count++] = (struct page){.name = name, .template = template};
    return 0;
}

int page_start(struct err *err)
{
    static const struct page_environment env = {
        .partial = find_page, .string = find_own_string, .address = static_address};
    if (page_count)
        return 0;
    if (!common)
        page_city("DKI Jakarta", "112");
    for (const struct asset *asset = page_assets; asset->name; asset++) {
        const char *dot = strstr(asset->name, ".html");
        if (dot && !dot[5] && add_page(asset, (size_t)(dot - asset->name), err))
            goto fail;
    }
    for (size_t i = 0; i < page_count; i++)
        if (page_template_check(pages[i].template, &env, err))
            goto fail;
    return 0;
fail:
    page_stop();
    return -1;
}

void page_city(const char *name, const char *emergency)
{
    json_decref(common);
    common = json_pack("{s:s, s:s}", "city", name, "emergency", emergency);
}

void page_stop(void)
{
    json_decref(common);
    common = NULL;
    for (size_t i = 0; i < page_count; i++) {
        free(pages[i].name);
        page_template_free(pages[i].template);
    }
    free(pages);
    pages = NULL;
    page_count = 0;
}

int page_render(const char *name, const char *language, const json_t *model, struct buf *out,
                struct err *err)
{
    const struct page_template *template = find_page(NULL, name);
    if (!template)
        return err_set(err, ERR_PERMANENT, "cannot render '%s': there is no such page", name);
    /* The callbacks take a plain pointer; this one is only ever read. */
    struct page_environment env = {.partial = find_page,
                                   .string = find_string,
                                   .address = static_address,
                                   .context = (void *)(uintptr_t)language,
                                   .common = common};
    return page_template_render(template, &env, model, out, err);
}

const char *page_kept_language(const struct http_request *request)
{
    const char *query = request->query ? request->query : "", *kept = NULL;
    struct buf asked = BUF_INIT(16);
    if (http_form_field(query, strlen(query), "lang", &asked) == 1) {
        for (size_t i = 0; words_languages[i]; i++)
            if (!strcmp(asked.data, words_languages[i]))
                kept = words_languages[i];
    }
    buf_release(&asked);
    return kept;
}

const char *page_language(const struct http_request *request)
{
    const char *language = page_kept_language(request);
    return language ? language : request->language;
}

int page_http_render(void *context, const struct http_request *request,
                     const struct http_response *response, struct buf *html)
{
    (void)context;
    struct err err = ERR_INIT;
    const char *language = page_language(request);
    const char *kept = page_kept_language(request);
    json_t *model = response->model ? json_copy(response->model) : json_object();
    if (kept) {
        json_object_set_new(model, "lang_query", json_sprintf("?lang=%s", kept));
        json_object_set_new(model, "lang_kept", json_string(kept));
    }
    if (!strcmp(request->method, "GET"))
        json_object_set_new(model, "other_lang", json_string(strcmp(language, "en") ? "en" : "id"));
    int result = page_render(response->view, language, model, html, &err);
    json_decref(model);
    return result;
}
