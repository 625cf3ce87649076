/* SPDX-License-Identifier: Apache-2.0 */
/* What the officers' pages share: answering, who is signed in, and whether a form is our own. */
#include "gateway/core/core.h"
#include "gateway/page.h"

/* Own pages may learn where an officer came from within them; no-referrer would also make browsers
 * send "Origin: null" with our own forms. */
#define REFERRER "same-origin"

void core_show(struct http_exchange *exchange, const struct core_officer *officer, int status,
               const char *view, json_t *model)
{
    struct http_response response;

    if (officer != NULL) {
        json_object_set_new(model, "officer", json_string(officer->name));
        json_object_set_new(model, "csrf", json_string(officer->csrf));
    }
    http_response_init(&response, status);
    http_response_view(&response, view, model);
    http_response_header(&response, "Referrer-Policy", REFERRER);
    http_answer(exchange, &response);
}

void core_location(struct http_exchange *exchange, const char *location,
                   struct http_response *response)
{
    const char *kept = page_kept_language(http_exchange_request(exchange));
    struct buf target = BUF_INIT(256);

    buf_add_text(&target, location);
    if (kept != NULL)
        buf_addf(&target, "%clang=%s", strchr(location, '?') == NULL ? '?' : '&', kept);
    http_response_header(response, "Location", target.data);
    buf_release(&target);
}

void core_redirect(struct http_exchange *exchange, const char *location)
{
    struct http_response response;

    http_response_init(&response, 303);
    core_location(exchange, location, &response);
    http_response_header(&response, "Referrer-Policy", REFERRER);
    http_answer(exchange, &response);
}

void core_error(struct http_exchange *exchange, int status)
{
    struct http_response response;

    http_response_init(&response, status);
    http_response_error(&response, http_exchange_request(exchange), status);
    http_answer(exchange, &response);
}

bool core_require(struct core *core, struct http_exchange *exchange, struct core_officer *officer)
{
    const struct http_request *request = http_exchange_request(exchange);

    if (core_session_find(core, request, officer))
        return true;
    if (strcmp(request->method, "GET") == 0 && !request->wants_json)
        core_redirect(exchange, "/login");
    else
        core_error(exchange, 401);
    return false;
}

/* Whether the form was sent from a page of this very origin, as far as the browser says. */
static bool is_same_origin(const struct http_request *request)
{
    const char *site = request->header(request, "Sec-Fetch-Site");
    const char *origin = request->header(request, "Origin");
    const char *host = request->header(request, "Host");
    const char *authority;

    if (site != NULL)
        return strcmp(site, "same-origin") == 0;
    if (origin == NULL)
        return true; /* no browser of the last years: the token alone decides */
    authority = strstr(origin, "://");
    return authority != NULL && host != NULL && strcmp(authority + 3, host) == 0;
}

bool core_form_is_ours(const struct http_request *request, const struct core_officer *officer)
{
    struct buf csrf = BUF_INIT(CORE_CSRF_SIZE);
    bool fits;

    if (!is_same_origin(request))
        return false;
    if (officer == NULL)
        return true;
    fits = http_form_field(request->body, request->body_len, "csrf", &csrf) == 1 &&
           csrf.len == CORE_CSRF_SIZE - 1 &&
           sodium_memcmp(csrf.data, officer->csrf, CORE_CSRF_SIZE - 1) == 0;
    buf_release(&csrf);
    return fits;
}

void core_get_static(void *context, struct http_exchange *exchange)
{
    static const char prefix[] = "/static/";
    const struct http_request *request = http_exchange_request(exchange);
    struct http_response response;
    const char *content_type;
    const struct asset *asset = page_static(request->path + strlen(prefix), &content_type);

    (void)context;
    if (asset == NULL) {
        core_error(exchange, 404);
        return;
    }
    http_response_init(&response, 200);
    http_response_text(&response, content_type, (const char *)asset->data, asset->len);
    http_response_header(&response, "Cache-Control", "public, max-age=31536000, immutable");
    http_answer(exchange, &response);
}
