/* SPDX-License-Identifier: Apache-2.0 */
/* Source: libcurl 7.88, curl_easy_setopt(3). */
#include "adapters/http_client.h"

#include <curl/curl.h>
#include <limits.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <strings.h>

#include "normalize/mem.h"

struct http_client {
    CURL *curl;
    atomic_bool cancelled;
};

struct http_client *http_client_create(void)
{
    struct http_client *client = mem_calloc(1, sizeof *client);
    client->curl = curl_easy_init();
    if (client->curl == NULL)
        abort();
    return client;
}

void http_client_free(struct http_client *client)
{
    if (client == NULL)
        return;
    curl_easy_cleanup(client->curl);
    free(client);
}

void http_client_cancel(struct http_client *client)
{
    atomic_store(&client->cancelled, true);
}

/* libcurl asks at least once a second, whatever it waits for. */
static int http_client_is_cancelled(void *context, curl_off_t down_total, curl_off_t down,
                                    curl_off_t up_total, curl_off_t up)
{
    struct http_client *client = context;
    (void)down_total;
    (void)down;
    (void)up_total;
    (void)up;
    return atomic_load(&client->cancelled) ? 1 : 0;
}

/* Both callbacks refuse (by a short count) what would pass the buffer's limit. */
static size_t http_client_take_body(char *data, size_t size, size_t count, void *context)
{
    struct buf *body = context;
    buf_add(body, data, size * count);
    return body->overflow ? 0 : size * count;
}

static size_t http_client_take_header(char *data, size_t size, size_t count, void *context)
{
    struct buf *headers = context;
    size_t len = size * count;
    /* A status line starts an answer: what a 100 Continue brought before it is not ours. */
    if (len >= 5 && strncasecmp(data, "HTTP/", 5) == 0)
        buf_clear(headers);
    buf_add(headers, data, len);
    return headers->overflow ? 0 : len;
}

static bool http_client_header_is_sane(const char *line)
{
    return strchr(line, ':') != NULL && strpbrk(line, "\r\n") == NULL;
}

/* The list libcurl sends; *bad is set when a line could smuggle another one in. */
static struct curl_slist *http_client_header_list(const char *const *headers, bool *bad)
{
    /* Without this, libcurl waits a second for "100 Continue" before it sends a large body. */
    struct curl_slist *list = curl_slist_append(NULL, "Expect:");
    for (size_t i = 0; headers != NULL && headers[i] != NULL; i++) {
        struct curl_slist *longer = NULL;
        if (http_client_header_is_sane(headers[i]))
            longer = curl_slist_append(list, headers[i]);
        if (longer == NULL)
            *bad = true;
        else
            list = longer;
    }
    return list;
}

static void http_client_set_safety(struct http_client *client,
                                   const struct http_client_request *request)
{
    CURL *curl = client->curl;
    curl_easy_reset(curl); /* keeps the connection */
    curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0L);
    curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, http_client_is_cancelled);
    curl_easy_setopt(curl, CURLOPT_XFERINFODATA, client);
    /* A resolver that hangs is left behind, not waited for. */
    curl_easy_setopt(curl, CURLOPT_QUICK_EXIT, 1L);
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(curl, CURLOPT_PROXY, "");
    curl_easy_setopt(curl, CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
    curl_easy_setopt(curl, CURLOPT_SSL_VERIFYPEER, 1L);
    curl_easy_setopt(curl, CURLOPT_SSL_VERIFYHOST, 2L);
    curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT,
                     request->connect_s > 0 ? request->connect_s : (long)HTTP_CLIENT_CONNECT_S);
    curl_easy_setopt(curl, CURLOPT_TIMEOUT,
                     request->total_s > 0 ? request->total_s : (long)HTTP_CLIENT_TOTAL_S);
    if (request->ca_file != NULL)
        curl_easy_setopt(curl, CURLOPT_CAINFO, request->ca_file);
    if (request->unix_socket != NULL)
        curl_easy_setopt(curl, CURLOPT_UNIX_SOCKET_PATH, request->unix_socket);
}

static void http_client_set_request(CURL *curl, const struct http_client_request *request,
                                    struct curl_slist *headers, struct http_client_answer *answer)
{
    curl_easy_setopt(curl, CURLOPT_URL, request->url);
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
    if (request->body != NULL) {
        curl_easy_setopt(curl, CURLOPT_POST, 1L);
        curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)request->body_len);
        curl_easy_setopt(curl, CURLOPT_POSTFIELDS, (const char *)request->body);
    }
    if (request->method != NULL)
        curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, request->method);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, http_client_take_body);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, &answer->body);
    curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, http_client_take_header);
    curl_easy_setopt(curl, CURLOPT_HEADERDATA, &answer->headers);
}

static int http_client_fail(CURLcode code, const struct http_client_answer *answer, struct err *err)
{
    switch (code) {
    case CURLE_URL_MALFORMAT:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_NOT_BUILT_IN:
        return err_set(err, ERR_CONFIG, "cannot use the url: %s", curl_easy_strerror(code));
    case CURLE_WRITE_ERROR:
        if (answer->body.overflow || answer->headers.overflow)
            return err_set(err, ERR_PERMANENT, "cannot read the http answer: too large");
        break;
    default:
        break;
    }
    return err_set(err, ERR_TRANSIENT, "cannot complete the http request: %s",
                   curl_easy_strerror(code));
}

int http_client_call(struct http_client *client, const struct http_client_request *request,
                     struct http_client_answer *answer, struct err *err)
{
    CURL *curl = client->curl;
    curl_off_t retry_after = 0;
    bool bad_header = false;
    struct curl_slist *headers = http_client_header_list(request->headers, &bad_header);
    CURLcode code;
    int result = -1;
    answer->status = 0;
    answer->retry_after_s = 0;
    buf_init(&answer->headers, HTTP_CLIENT_HEADER_BYTES_MAX);
    buf_init(&answer->body, request->answer_max);
    if (bad_header) {
        err_set(err, ERR_CONFIG, "cannot send an http header: it has a line break or no colon");
        goto out;
    }
    /* libcurl has one code for this and for an answer that is no HTTP. */
    if (strncasecmp(request->url, "http://", 7) != 0 &&
        strncasecmp(request->url, "https://", 8) != 0) {
        err_set(err, ERR_CONFIG, "cannot use the url: neither http nor https");
        goto out;
    }
    http_client_set_safety(client, request);
    http_client_set_request(curl, request, headers, answer);
    code = atomic_load(&client->cancelled) ? CURLE_ABORTED_BY_CALLBACK : curl_easy_perform(curl);
    if (code != CURLE_OK) {
        http_client_fail(code, answer, err);
        goto out;
    }
    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &answer->status);
    curl_easy_getinfo(curl, CURLINFO_RETRY_AFTER, &retry_after);
    answer->retry_after_s = retry_after > INT_MAX ? INT_MAX : (int)retry_after;
    result = 0;
out:
    if (result != 0)
        http_client_answer_release(answer);
    /* The handle must not remember pointers into this call. */
    curl_easy_reset(curl);
    curl_slist_free_all(headers);
    return result;
}

void http_client_answer_release(struct http_client_answer *answer)
{
    buf_wipe(&answer->headers);
    buf_wipe(&answer->body);
}

int http_client_header(const struct http_client_answer *answer, const char *name, struct buf *out)
{
    size_t name_len = strlen(name);
    const char *line = answer->headers.data;
    while (*line != '\0') {
        size_t len = strcspn(line, "\r\n");
        if (len > name_len && line[name_len] == ':' && strncasecmp(line, name, name_len) == 0) {
            const char *value = line + name_len + 1;
            size_t skip = strspn(value, " \t");
            buf_add(out, value + skip, len - name_len - 1 - skip);
            return 1;
        }
        line += len;
        line += strspn(line, "\r\n");
    }
    return 0;
}
