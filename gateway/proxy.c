/* SPDX-License-Identifier: Apache-2.0 */
/* See proxy.h. A bounded queue of exchanges and a few threads, each with a connection of its own.
 */
#include "gateway/proxy.h"

#include <pthread.h>

#include "adapters/http_client.h"
#include "gateway/process.h"
#include "normalize/mem.h"

enum {
    PROXY_THREADS = 4,
    PROXY_WAITING_MAX = 64,
    PROXY_BODY_MAX = 64 * 1024,
    PROXY_ANSWER_MAX = 32 * 1024 * 1024, /* a photo */
    PROXY_TOTAL_S = 30,
    PROXY_HEADER_MAX = 8 * 1024,
    PROXY_URL_MAX = 32 * 1024,
};

/* Headers that pass to the core, and those that pass back. */
static const char *const asked_headers[] = {
    "Content-Type", "Cookie", "Accept", "Accept-Language", "Origin", "Sec-Fetch-Site", "Host",
};
static const char *const answered_headers[] = {
    "Content-Type",  "Set-Cookie",      "Location",    "Content-Security-Policy",
    "Cache-Control", "Referrer-Policy", "Retry-After", "Allow",
};

enum {
    ASKED_HEADERS = sizeof(asked_headers) / sizeof(asked_headers[0]),
    ANSWERED_HEADERS = sizeof(answered_headers) / sizeof(answered_headers[0]),
};

struct proxy {
    char *socket_path;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    bool stopping;
    struct http_exchange *waiting[PROXY_WAITING_MAX];
    size_t first, count; /* of waiting, a ring */
    struct proxy_thread {
        struct proxy *proxy;
        struct http_client *client;
        pthread_t thread;
    } threads[PROXY_THREADS];
    size_t thread_count;
};

static void answer_error(struct http_exchange *exchange, int status)
{
    struct http_response response;

    http_response_init(&response, status);
    http_response_error(&response, http_exchange_request(exchange), status);
    if (status == 503)
        http_response_header(&response, "Retry-After", "5");
    http_answer(exchange, &response);
}

/* The path as it was before the server decoded it, near enough: the same to the core. */
static void add_url(struct buf *url, const struct http_request *request)
{
    static const char plain[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~/";

    buf_add_text(url, "http://core");
    for (const char *c = request->path; *c != '\0'; c++) {
        if (strchr(plain, *c) != NULL)
            buf_add_char(url, *c);
        else
            buf_addf(url, "%%%02X", (unsigned)(unsigned char)*c);
    }
    if (*request->query != '\0')
        buf_addf(url, "?%s", request->query);
}

static void add_headers(const struct http_exchange *exchange, const struct http_request *request,
                        struct buf *lines, const char **headers)
{
    size_t n = 0;

    for (size_t i = 0; i < ASKED_HEADERS; i++) {
        const char *value = request->header(request, asked_headers[i]);

        if (value == NULL)
            continue;
        buf_addf(&lines[n], "%s: %s", asked_headers[i], value);
        headers[n] = lines[n].data;
        n++;
    }
    buf_addf(&lines[n], "X-Forwarded-For: %s", http_exchange_client(exchange));
    headers[n] = lines[n].data;
    n++;
    headers[n] = request->secure ? "X-Forwarded-Proto: https" : "X-Forwarded-Proto: http";
}

static void relay(struct http_exchange *exchange, const struct http_client_answer *answer)
{
    struct http_response response;
    struct buf values[ANSWERED_HEADERS];

    http_response_init(&response, (int)answer->status);
    for (size_t i = 0; i < ANSWERED_HEADERS; i++) {
        buf_init(&values[i], PROXY_HEADER_MAX);
        if (http_client_header(answer, answered_headers[i], &values[i]) == 1)
            http_response_header(&response, answered_headers[i], values[i].data);
        buf_wipe(&values[i]);
    }
    http_response_text(&response, NULL, answer->body.data, answer->body.len);
    http_answer(exchange, &response);
}

static void forward(const struct proxy *proxy, struct http_client *client,
                    struct http_exchange *exchange)
{
    const struct http_request *request = http_exchange_request(exchange);
    struct buf url = BUF_INIT(PROXY_URL_MAX), lines[ASKED_HEADERS + 1];
    const char *headers[ASKED_HEADERS + 3] = {NULL};
    struct http_client_request asked = {
        .method = request->method,
        .unix_socket = proxy->socket_path,
        .headers = headers,
        .answer_max = PROXY_ANSWER_MAX,
        .total_s = PROXY_TOTAL_S,
    };
    struct http_client_answer answer;
    struct err err = ERR_INIT;

    for (size_t i = 0; i < ASKED_HEADERS + 1; i++)
        buf_init(&lines[i], PROXY_HEADER_MAX);
    add_url(&url, request);
    add_headers(exchange, request, lines, headers);
    asked.url = url.data;
    if (strcmp(request->method, "POST") == 0) {
        asked.body = request->body;
        asked.body_len = request->body_len;
    }
    if (http_client_call(client, &asked, &answer, &err) == 0) {
        relay(exchange, &answer);
        http_client_answer_release(&answer);
    } else {
        answer_error(exchange, err.kind == ERR_CONFIG ? 400 : 503);
    }
    for (size_t i = 0; i < ASKED_HEADERS + 1; i++)
        buf_wipe(&lines[i]);
    buf_release(&url);
}

static void *run(void *context)
{
    struct proxy_thread *thread = context;
    struct proxy *proxy = thread->proxy;

    pthread_mutex_lock(&proxy->lock);
    for (;;) {
        struct http_exchange *exchange;

        while (proxy->count == 0 && !proxy->stopping)
            pthread_cond_wait(&proxy->wake, &proxy->lock);
        if (proxy->count == 0)
            break;
        exchange = proxy->waiting[proxy->first];
        proxy->first = (proxy->first + 1) % PROXY_WAITING_MAX;
        proxy->count--;
        pthread_mutex_unlock(&proxy->lock);
        forward(proxy, thread->client, exchange);
        pthread_mutex_lock(&proxy->lock);
    }
    pthread_mutex_unlock(&proxy->lock);
    return NULL;
}

static void handle(void *context, struct http_exchange *exchange)
{
    struct proxy *proxy = context;
    bool taken;

    pthread_mutex_lock(&proxy->lock);
    taken = !proxy->stopping && proxy->count < PROXY_WAITING_MAX;
    if (taken) {
        proxy->waiting[(proxy->first + proxy->count) % PROXY_WAITING_MAX] = exchange;
        proxy->count++;
        pthread_cond_signal(&proxy->wake);
    }
    pthread_mutex_unlock(&proxy->lock);
    if (!taken)
        answer_error(exchange, 503);
}

static void refuse(void *context, struct http_exchange *exchange)
{
    (void)context;
    answer_error(exchange, 404);
}

const struct http_route proxy_routes[] = {
    {"POST", "/tickets*", refuse, 0},       {"GET", "/updates*", refuse, 0},
    {"POST", "/accounts*", refuse, 0},      {"GET", "/*", handle, 0},
    {"POST", "/*", handle, PROXY_BODY_MAX}, {.method = NULL},
};

int proxy_start(const char *socket_path, struct proxy **out, struct err *err)
{
    struct proxy *proxy = mem_calloc(1, sizeof(*proxy));

    proxy->socket_path = mem_strdup(socket_path);
    pthread_mutex_init(&proxy->lock, NULL);
    pthread_cond_init(&proxy->wake, NULL);
    for (; proxy->thread_count < PROXY_THREADS; proxy->thread_count++) {
        struct proxy_thread *thread = &proxy->threads[proxy->thread_count];

        thread->proxy = proxy;
        thread->client = http_client_create();
        if (process_thread(&thread->thread, run, thread, err) != 0) {
            http_client_free(thread->client);
            proxy_stop(proxy);
            return -1;
        }
    }
    *out = proxy;
    return 0;
}

void proxy_cancel(struct proxy *proxy)
{
    if (proxy == NULL)
        return;
    pthread_mutex_lock(&proxy->lock);
    proxy->stopping = true;
    pthread_cond_broadcast(&proxy->wake);
    pthread_mutex_unlock(&proxy->lock);
    for (size_t i = 0; i < proxy->thread_count; i++)
        http_client_cancel(proxy->threads[i].client);
}

void proxy_stop(struct proxy *proxy)
{
    if (proxy == NULL)
        return;
    proxy_cancel(proxy);
    for (size_t i = 0; i < proxy->thread_count; i++) {
        pthread_join(proxy->threads[i].thread, NULL);
        http_client_free(proxy->threads[i].client);
    }
    pthread_cond_destroy(&proxy->wake);
    pthread_mutex_destroy(&proxy->lock);
    free(proxy->socket_path);
    free(proxy);
}
