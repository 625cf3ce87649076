/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Responses: building them, rendering views, and the headers every answer carries. A handler's own
 * header of the same name wins over the default. Source of the defaults: OWASP ASVS 5.0
 * section 3.4.
 */
#include <strings.h>

#include "gateway/http_private.h"
#include "normalize/mem.h"

enum { PAGE_MAX = 8 * 1024 * 1024 /* one rendered page */ };

static const struct {
    const char *name, *value;
    bool secure_only;
} default_headers[] = {
    {"Content-Security-Policy",
     "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; "
     "connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
     false},
    {"X-Content-Type-Options", "nosniff", false},
    {"Referrer-Policy", "no-referrer", false},
    {"Cross-Origin-Opener-Policy", "same-origin", false},
    {"Cross-Origin-Resource-Policy", "same-origin", false},
    {"Permissions-Policy", "geolocation=(self), camera=(), microphone=(), payment=()", false},
    {"Cache-Control", "no-store", false},
    {"Strict-Transport-Security", "max-age=31536000; includeSubDomains", true},
};

/* What we say for a status when no handler says more. */
static const struct {
    int status;
    const char *id, *en;
} words[] = {
    {400, "Permintaan tidak dapat dibaca.", "The request cannot be read."},
    {401, "Anda perlu masuk.", "You need to sign in."},
    {403, "Permintaan ini tidak diizinkan.", "This request is not allowed."},
    {404, "Halaman tidak ditemukan.", "Page not found."},
    {405, "Cara permintaan ini tidak didukung di sini.", "This method is not supported here."},
    {413, "Kiriman terlalu besar.", "What was sent is too large."},
    {431, "Permintaan tidak dapat dibaca.", "The request cannot be read."},
    {500, "Terjadi kesalahan. Silakan coba lagi.", "Something went wrong. Please try again."},
    {503, "Layanan sedang sibuk. Silakan coba lagi sebentar lagi.",
     "The service is busy. Please try again in a moment."},
};

static const char *status_words(int status, const char *language)
{
    size_t i = 0, count = sizeof(words) / sizeof(words[0]);

    while (i < count && words[i].status != status)
        i++;
    if (i == count)
        return status_words(status < 500 ? 400 : 500, language);
    return strcmp(language, "en") == 0 ? words[i].en : words[i].id;
}

void http_response_init(struct http_response *response, int status)
{
    *response = (struct http_response){.status = status};
}

void http_response_release(struct http_response *response)
{
    json_decref(response->model);
    free(response->body);
    for (size_t i = 0; i < response->header_count; i++)
        free(response->headers[i].value);
    http_response_init(response, 0);
}

void http_response_header(struct http_response *response, const char *name, const char *value)
{
    if (value == NULL || strpbrk(value, "\r\n") != NULL ||
        response->header_count == HTTP_RESPONSE_HEADERS_MAX)
        return;
    response->headers[response->header_count].name = name;
    response->headers[response->header_count].value = mem_strdup(value);
    response->header_count++;
}

void http_response_text(struct http_response *response, const char *content_type, const char *text,
                        size_t len)
{
    free(response->body);
    response->body = mem_strndup(text, len);
    response->body_len = len;
    response->content_type = content_type;
}

void http_response_view(struct http_response *response, const char *view, json_t *model)
{
    json_decref(response->model);
    response->view = view;
    response->model = model;
}

void http_response_error(struct http_response *response, const struct http_request *request,
                         int status)
{
    const char *message = status_words(status, request->language);

    response->status = status;
    http_response_view(response, "error",
                       json_pack("{s:i, s:s, s:{s:[{s:n, s:s}]}}", "status", status, "message",
                                 message, "json", "errors", "field", "message", message));
}

static void body_of_buf(struct http_response *response, const char *content_type, struct buf *buf)
{
    free(response->body);
    response->body = mem_strdup("");
    if (buf->len > 0) {
        free(response->body);
        response->body = buf_detach(buf, &response->body_len);
    }
    response->content_type = content_type;
}

static void render_json(struct http_response *response)
{
    json_t *json = json_object_get(response->model, "json");

    free(response->body);
    response->body = json_canonical(json == NULL ? response->model : json);
    response->body_len = strlen(response->body);
    response->content_type = "application/json; charset=utf-8";
}

/* The page of last resort: listeners without templates, and templates that cannot be rendered. */
static void render_plain(struct http_response *response, const char *language)
{
    const char *message = json_string_value(json_object_get(response->model, "message"));
    struct buf html = BUF_INIT(4096);

    if (message == NULL) {
        response->status = 500;
        message = status_words(500, language);
    }
    buf_addf(&html,
             "<!doctype html><html lang=\"%s\"><meta charset=\"utf-8\"><title>%d</title>"
             "<p>%s</p></html>\n",
             language, response->status, message);
    body_of_buf(response, "text/html; charset=utf-8", &html);
    buf_release(&html);
}

/* A listener without templates answers everybody in JSON, but its errors as a page. */
static bool is_json_wanted(const struct http_exchange *exchange,
                           const struct http_response *response)
{
    return response->view == NULL || exchange->request.wants_json ||
           (exchange->server->listener.render == NULL && strcmp(response->view, "error") != 0);
}

static void render(struct http_exchange *exchange, struct http_response *response)
{
    const struct http_listener *listener = &exchange->server->listener;
    struct buf html = BUF_INIT(PAGE_MAX);

    if (is_json_wanted(exchange, response))
        render_json(response);
    else if (listener->render != NULL &&
             listener->render(listener->context, &exchange->request, response, &html) == 0 &&
             !html.overflow)
        body_of_buf(response, "text/html; charset=utf-8", &html);
    else
        render_plain(response, exchange->request.language);
    buf_release(&html);
}

static bool has_header(const struct http_response *response, const char *name)
{
    for (size_t i = 0; i < response->header_count; i++)
        if (strcasecmp(response->headers[i].name, name) == 0)
            return true;
    return false;
}

static void add_headers(const struct http_exchange *exchange, const struct http_response *response,
                        struct MHD_Response *out)
{
    for (size_t i = 0; i < response->header_count; i++)
        MHD_add_response_header(out, response->headers[i].name, response->headers[i].value);
    for (size_t i = 0; i < sizeof(default_headers) / sizeof(default_headers[0]); i++)
        if (!has_header(response, default_headers[i].name) &&
            (!default_headers[i].secure_only || exchange->request.secure))
            MHD_add_response_header(out, default_headers[i].name, default_headers[i].value);
    if (response->content_type != NULL)
        MHD_add_response_header(out, MHD_HTTP_HEADER_CONTENT_TYPE, response->content_type);
    if (exchange->close)
        MHD_add_response_header(out, MHD_HTTP_HEADER_CONNECTION, "close");
}

void http_response_build(struct http_exchange *exchange, struct http_response *response)
{
    struct MHD_Response *out;

    if (response->model != NULL && response->body == NULL)
        render(exchange, response);
    exchange->status = (unsigned)response->status;
    exchange->answer_len = response->body_len;
    out = MHD_create_response_from_buffer(response->body_len, response->body,
                                          response->body == NULL ? MHD_RESPMEM_PERSISTENT
                                                                 : MHD_RESPMEM_MUST_FREE);
    if (out == NULL)
        abort();
    response->body = NULL; /* libmicrohttpd's now */
    add_headers(exchange, response, out);
    exchange->response = out;
    http_response_release(response);
}
