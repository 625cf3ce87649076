/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One request and its answer: headers, route, body, handler, answer. Runs on libmicrohttpd's
 * threads but for http_answer(), which any thread may call; the connection is suspended while the
 * handler keeps the exchange. A request that is refused has its body read to the end and thrown
 * away first: closing at once would reset the connection before the sender has read why.
 */
#include "gateway/http_private.h"
#include "gateway/metrics.h"
#include "normalize/mem.h"

enum { ALLOW_METHODS_MAX = 8 };

void *http_exchange_open(void *context, const char *target, struct MHD_Connection *mhd)
{
    struct http_server *server = context;
    struct http_exchange *exchange = mem_calloc(1, sizeof(*exchange));

    exchange->server = server;
    exchange->mhd = mhd;
    exchange->connection =
        MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_SOCKET_CONTEXT)->socket_context;
    buf_init(&exchange->target, HTTP_HEADER_BYTES_MAX);
    buf_init(&exchange->path, HTTP_HEADER_BYTES_MAX);
    buf_init(&exchange->body, 0);
    buf_add_text(&exchange->target, target);
    exchange->request.body = "";
    exchange->request.language = "id";
    exchange->request.method = "GET";
    exchange->request.path = "";
    exchange->request.query = "";
    /* The first request's headers count from accept; later ones from their request line. */
    if (exchange->connection->requests > 0)
        http_connection_deadline(exchange->connection, server->listener.header_ms);
    return exchange;
}

static bool path_fits(const char *pattern, const char *path)
{
    size_t len = strlen(pattern);

    if (len > 0 && pattern[len - 1] == '*')
        return strncmp(pattern, path, len - 1) == 0;
    return strcmp(pattern, path) == 0;
}

static void allow(struct http_exchange *exchange, const char *method)
{
    size_t len = strlen(exchange->allow);

    snprintf(exchange->allow + len, sizeof(exchange->allow) - len, "%s%s%s", len > 0 ? ", " : "",
             method, strcmp(method, "GET") == 0 ? ", HEAD" : "");
}

/* HEAD is answered like GET; libmicrohttpd leaves the body out. */
static int find_route(struct http_exchange *exchange, const char *method)
{
    const char *wanted = strcmp(method, "HEAD") == 0 ? "GET" : method;
    unsigned allowed = 0;

    exchange->request.method = wanted;
    for (const struct http_route *route = exchange->server->listener.routes; route->method != NULL;
         route++) {
        if (!path_fits(route->path, exchange->request.path))
            continue;
        if (strcmp(route->method, wanted) == 0) {
            exchange->route = route;
            return 0;
        }
        if (allowed++ < ALLOW_METHODS_MAX)
            allow(exchange, route->method);
    }
    return allowed > 0 ? MHD_HTTP_METHOD_NOT_ALLOWED : MHD_HTTP_NOT_FOUND;
}

/* Hands the built answer to libmicrohttpd; the sending has a deadline of its own. */
static enum MHD_Result queue(struct http_exchange *exchange)
{
    const struct http_listener *listener = &exchange->server->listener;
    enum MHD_Result result;

    http_connection_deadline(exchange->connection,
                             listener->body_ms +
                                 (int64_t)exchange->answer_len * 1000 / listener->body_rate);
    result = MHD_queue_response(exchange->mhd, exchange->status, exchange->response);
    MHD_destroy_response(exchange->response);
    exchange->response = NULL;
    metrics_add(METRIC_HTTP_REQUESTS, NULL, 1);
    return result;
}

static void release_body(struct http_exchange *exchange)
{
    atomic_fetch_sub(&exchange->server->body_bytes, exchange->body.len);
    buf_release(&exchange->body);
    exchange->request.body = "";
    exchange->request.body_len = 0;
}

static enum MHD_Result refuse(struct http_exchange *exchange, int status)
{
    struct http_response response;
    char seconds[16];

    http_response_init(&response, status);
    http_response_error(&response, &exchange->request, status);
    if (status == MHD_HTTP_METHOD_NOT_ALLOWED)
        http_response_header(&response, "Allow", exchange->allow);
    if (status == MHD_HTTP_SERVICE_UNAVAILABLE) {
        snprintf(seconds, sizeof(seconds), "%d", HTTP_RETRY_AFTER_S);
        http_response_header(&response, "Retry-After", seconds);
    }
    if (status == MHD_HTTP_SERVICE_UNAVAILABLE || status == MHD_HTTP_CONTENT_TOO_LARGE)
        metrics_add(METRIC_HTTP_REFUSED, NULL, 1);
    http_response_build(exchange, &response);
    return queue(exchange);
}

/* The declared length of the body; 0 when there is none or it comes in chunks. */
static uint64_t declared_length(const struct http_exchange *exchange)
{
    const char *length = exchange->request.header(&exchange->request, "Content-Length");

    return length == NULL ? 0 : strtoull(length, NULL, 10);
}

/* libmicrohttpd's first call: the header block is complete. */
static enum MHD_Result begin(struct http_exchange *exchange, const char *method,
                             const char *version)
{
    const struct http_request *request = &exchange->request;
    int status = http_request_read(exchange, version);
    bool expects;
    uint64_t length;

    exchange->close = true;
    if (status == 0)
        status = http_request_target(exchange);
    if (status != 0)
        return refuse(exchange, status);
    length = declared_length(exchange);
    expects = request->header(request, "Expect") != NULL;
    status = find_route(exchange, method);
    if (status == 0 && length > exchange->route->body_max)
        status = MHD_HTTP_CONTENT_TOO_LARGE;
    if (status != 0 && (expects || length > HTTP_DRAIN_MAX))
        return refuse(exchange, status);
    /* Chunks have been the way to smuggle requests past this library: nothing is read after one. */
    exchange->close = request->header(request, "Transfer-Encoding") != NULL;
    exchange->refused = status;
    exchange->phase = HTTP_BODY;
    if (exchange->route != NULL)
        exchange->body.max = exchange->route->body_max;
    http_connection_deadline(exchange->connection, exchange->server->listener.body_ms);
    exchange->body_deadline_ms = atomic_load(&exchange->connection->deadline_ms);
    return MHD_YES;
}

/* Keeps len more bytes of the body, or decides to refuse it. */
static void keep(struct http_exchange *exchange, const char *data, size_t len)
{
    struct http_server *server = exchange->server;
    size_t total;

    if (len > exchange->body.max - exchange->body.len) {
        exchange->refused = MHD_HTTP_CONTENT_TOO_LARGE;
        release_body(exchange);
        return;
    }
    total = atomic_fetch_add(&server->body_bytes, len) + len;
    if (total > server->listener.body_budget) {
        atomic_fetch_sub(&server->body_bytes, len);
        exchange->refused = MHD_HTTP_SERVICE_UNAVAILABLE;
        release_body(exchange);
        return;
    }
    buf_add(&exchange->body, data, len);
}

static enum MHD_Result take(struct http_exchange *exchange, const char *data, size_t len)
{
    exchange->received += len;
    if (exchange->received > HTTP_DRAIN_MAX)
        return MHD_NO;
    /* Every 500 bytes earn a second: what comes slower runs into the first minute's end. */
    atomic_store(&exchange->connection->deadline_ms,
                 exchange->body_deadline_ms +
                     (int64_t)exchange->received * 1000 / exchange->server->listener.body_rate);
    if (exchange->refused == 0)
        keep(exchange, data, len);
    return MHD_YES;
}

/* The request is complete: the handler's turn. */
static enum MHD_Result dispatch(struct http_exchange *exchange)
{
    struct http_server *server = exchange->server;
    int expected = HTTP_TURN_HANDLER;

    if (atomic_load(&server->draining)) {
        exchange->refused = MHD_HTTP_SERVICE_UNAVAILABLE;
        exchange->close = true;
    }
    if (exchange->refused != 0)
        return refuse(exchange, exchange->refused);
    exchange->phase = HTTP_HANDLER;
    exchange->request.body = exchange->body.data;
    exchange->request.body_len = exchange->body.len;
    http_connection_deadline(exchange->connection, HTTP_NO_DEADLINE);
    atomic_fetch_add(&server->busy, 1);
    atomic_fetch_add(&server->open, 1);
    exchange->route->handler(server->listener.context, exchange);
    if (atomic_load(&exchange->turn) == HTTP_TURN_ANSWERED)
        return queue(exchange);
    MHD_suspend_connection(exchange->mhd);
    if (!atomic_compare_exchange_strong(&exchange->turn, &expected, HTTP_TURN_SUSPENDED))
        MHD_resume_connection(exchange->mhd); /* answered in between */
    return MHD_YES;
}

enum MHD_Result http_exchange_step(void *context, struct MHD_Connection *mhd, const char *url,
                                   const char *method, const char *version, const char *data,
                                   size_t *len, void **slot)
{
    struct http_exchange *exchange = *slot;
    enum MHD_Result result;

    (void)context;
    (void)mhd;
    (void)url;
    switch (exchange->phase) {
    case HTTP_HEADERS:
        return begin(exchange, method, version);
    case HTTP_BODY:
        if (*len == 0)
            return dispatch(exchange);
        result = take(exchange, data, *len);
        *len = 0;
        return result;
    case HTTP_HANDLER:
        break;
    }
    if (atomic_load(&exchange->turn) != HTTP_TURN_ANSWERED)
        return MHD_YES;
    return queue(exchange);
}

void http_exchange_done(void *context, struct MHD_Connection *mhd, void **slot,
                        enum MHD_RequestTerminationCode how)
{
    struct http_server *server = context;
    struct http_exchange *exchange = *slot;

    (void)mhd;
    (void)how;
    if (exchange == NULL)
        return;
    if (exchange->phase == HTTP_HANDLER)
        atomic_fetch_sub(&server->open, 1);
    exchange->connection->requests++;
    http_connection_deadline(exchange->connection, server->listener.idle_ms);
    release_body(exchange);
    buf_release(&exchange->target);
    buf_release(&exchange->path);
    if (exchange->response != NULL)
        MHD_destroy_response(exchange->response);
    free(exchange);
    *slot = NULL;
}

struct http_request *http_exchange_request(struct http_exchange *exchange)
{
    return &exchange->request;
}

const char *http_exchange_client(const struct http_exchange *exchange)
{
    return exchange->client;
}

void http_answer(struct http_exchange *exchange, struct http_response *response)
{
    struct http_server *server = exchange->server;
    struct MHD_Connection *mhd = exchange->mhd;

    http_response_build(exchange, response);
    release_body(exchange);
    /* From here on the exchange is libmicrohttpd's: it may be gone already. */
    if (atomic_exchange(&exchange->turn, HTTP_TURN_ANSWERED) == HTTP_TURN_SUSPENDED)
        MHD_resume_connection(mhd);
    atomic_fetch_sub(&server->busy, 1);
}
