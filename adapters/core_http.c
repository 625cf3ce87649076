/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The client of the HTTP contract: POST /tickets, POST /tickets/{ref}/updates, GET /updates, each
 * signed (signature.h). It never follows a redirect and never decides about a retry: the err kind
 * says what the core wants. The webhook-id of a POST is its idempotency key, of a GET
 * "updates:CURSOR", so that no signature fits another request.
 */
#include "adapters/core_http.h"

#include <jansson.h>
#include <time.h>

#include "adapters/core.h"
#include "adapters/http_client.h"
#include "adapters/signature.h"
#include "normalize/mem.h"
#include "normalize/urlencoded.h"

enum {
    CORE_HTTP_TICKET_ANSWER_MAX = 64 * 1024,
    CORE_HTTP_UPDATES_ANSWER_MAX = 64 * 1024 * 1024, /* 500 changes, some with an evidence photo */
    CORE_HTTP_URL_MAX = 8 * 1024,
    CORE_HTTP_HEADER_MAX = 4 * 1024,
};

static const struct option_spec core_http_options[] = {
    {
        .name = "url",
        .type = OPTION_URL,
        .offset = offsetof(struct core_http_settings, url),
        .required = true,
        .help = "where the core's contract is served, without /tickets",
    },
    {
        .name = "secret",
        .type = OPTION_SECRET,
        .offset = offsetof(struct core_http_settings, secret),
        .required = true,
        .help = "the key requests are signed with (\"whsec_\" and base64, or any text)",
    },
    {
        .name = "unix_socket",
        .type = OPTION_PATH,
        .offset = offsetof(struct core_http_settings, unix_socket),
        .help = "a socket to connect to instead of the url's host",
    },
    {
        .name = "ca_file",
        .type = OPTION_PATH,
        .offset = offsetof(struct core_http_settings, ca_file),
        .help = "the certificate authority that signed the core's certificate (PEM); default: the "
                "system's",
    },
    {.name = NULL},
};

struct core_http {
    const struct core_http_settings *settings;
    struct http_client *client;
};

static int core_http_open(const void *settings, void **state, struct err *err)
{
    if (((const struct core_http_settings *)settings)->secret.data == NULL)
        return err_set(err, ERR_CONFIG, "cannot reach the core: its secret is not set");
    struct core_http *core = mem_calloc(1, sizeof *core);
    core->settings = settings;
    core->client = http_client_create();
    *state = core;
    return 0;
}

static void core_http_close(void *state)
{
    struct core_http *core = state;
    if (core == NULL)
        return;
    http_client_free(core->client);
    free(core);
}

static void core_http_cancel(void *state)
{
    struct core_http *core = state;
    http_client_cancel(core->client);
}

/* One signed request. 0: *answer is to be released, whatever its status. */
static int core_http_call(struct core_http *core, struct http_client_request *request,
                          const char *id, const char *key, struct http_client_answer *answer,
                          struct err *err)
{
    int64_t now_s = time(NULL);
    struct buf lines[4] = {BUF_INIT(CORE_HTTP_HEADER_MAX), BUF_INIT(CORE_HTTP_HEADER_MAX),
                           BUF_INIT(CORE_HTTP_HEADER_MAX), BUF_INIT(CORE_HTTP_HEADER_MAX)};
    const char *headers[] = {"Accept: application/json", NULL, NULL, NULL, NULL, NULL, NULL};
    size_t count = key == NULL ? 3 : 4;
    buf_addf(&lines[0], "webhook-id: %s", id);
    buf_addf(&lines[1], "webhook-timestamp: %lld", (long long)now_s);
    buf_add_text(&lines[2], "webhook-signature: ");
    signature_make(core->settings->secret.data, id, now_s, request->body, request->body_len,
                   &lines[2]);
    if (key != NULL) {
        buf_addf(&lines[3], "Idempotency-Key: %s", key);
        headers[5] = "Content-Type: application/json";
    }
    for (size_t i = 0; i < count; i++)
        headers[i + 1] = lines[i].data;
    request->headers = headers;
    request->unix_socket = core->settings->unix_socket;
    request->ca_file = core->settings->ca_file;
    int result = http_client_call(core->client, request, answer, err);
    request->headers = NULL; /* they end here */
    for (size_t i = 0; i < count; i++)
        buf_release(&lines[i]);
    return result;
}

/* What a status that is no success asks for. */
static int core_http_fail(const struct http_client_answer *answer, struct err *err)
{
    long status = answer->status;
    enum err_kind kind = ERR_PERMANENT;
    if (status == 409 || status == 429 || status == 408 || status >= 500)
        kind = ERR_TRANSIENT;
    else if (status == 401 || status == 403 || (status >= 300 && status < 400))
        kind = ERR_CONFIG;
    if (kind == ERR_TRANSIENT && err->kind == ERR_NONE)
        err->retry_after_s = answer->retry_after_s;
    return err_set(err, kind, "cannot hand over to the core: it answered %ld", status);
}

static int core_http_post(struct core_http *core, const char *url, const char *key,
                          const void *payload, size_t len, struct http_client_answer *answer,
                          struct err *err)
{
    struct http_client_request request = {
        .url = url,
        .body = payload,
        .body_len = len,
        .answer_max = CORE_HTTP_TICKET_ANSWER_MAX,
    };
    if (core_http_call(core, &request, key, key, answer, err) != 0)
        return -1;
    if (answer->status == 200 || answer->status == 201)
        return 0;
    core_http_fail(answer, err);
    http_client_answer_release(answer);
    return -1;
}

/* The core's own reference; without one, later follow-ups could not be told where to go. */
static int core_http_read_ref(const struct http_client_answer *answer,
                              char ref[static CORE_REF_MAX], struct err *err)
{
    json_t *root = json_loadb(answer->body.data, answer->body.len, JSON_REJECT_DUPLICATES, NULL);
    const json_t *value = json_object_get(root, "ref");
    size_t len = json_string_length(value);
    bool fits = len > 0 && len < CORE_REF_MAX;
    if (fits)
        memcpy(ref, json_string_value(value), len + 1);
    json_decref(root);
    return fits ? 0 : err_set(err, ERR_PERMANENT, "cannot read the core's answer: no ref in it");
}

static int core_http_ticket(void *state, const char *idempotency_key, const void *payload,
                            size_t len, char ref[static CORE_REF_MAX], struct err *err)
{
    struct core_http *core = state;
    struct http_client_answer answer;
    struct buf url = BUF_INIT(CORE_HTTP_URL_MAX);
    buf_addf(&url, "%s/tickets", core->settings->url);
    int result = core_http_post(core, url.data, idempotency_key, payload, len, &answer, err);
    if (result == 0) {
        result = core_http_read_ref(&answer, ref, err);
        http_client_answer_release(&answer);
    }
    buf_release(&url);
    return result;
}

static int core_http_update(void *state, const char *ref, const char *idempotency_key,
                            const void *payload, size_t len, struct err *err)
{
    struct core_http *core = state;
    struct http_client_answer answer;
    struct buf url = BUF_INIT(CORE_HTTP_URL_MAX);
    buf_addf(&url, "%s/tickets/", core->settings->url);
    urlencoded_add(&url, ref);
    buf_add_text(&url, "/updates");
    int result = core_http_post(core, url.data, idempotency_key, payload, len, &answer, err);
    if (result == 0)
        http_client_answer_release(&answer);
    buf_release(&url);
    return result;
}

static int core_http_updates(void *state, const char *cursor, struct core_update **updates,
                             size_t *n, struct buf *next, struct err *err)
{
    struct core_http *core = state;
    struct http_client_answer answer;
    struct buf url = BUF_INIT(CORE_HTTP_URL_MAX), id = BUF_INIT(CORE_HTTP_HEADER_MAX);
    struct http_client_request request = {.answer_max = CORE_HTTP_UPDATES_ANSWER_MAX};
    buf_addf(&url, "%s/updates?after=", core->settings->url);
    urlencoded_add(&url, cursor);
    buf_addf(&id, "updates:%s", cursor);
    request.url = url.data;
    int result = core_http_call(core, &request, id.data, NULL, &answer, err);
    if (result == 0) {
        result = answer.status == 200
                     ? core_updates_parse(answer.body.data, answer.body.len, updates, n, next, err)
                     : core_http_fail(&answer, err);
        http_client_answer_release(&answer);
    }
    buf_release(&url);
    buf_release(&id);
    return result;
}

const struct core_kind core_http = {
    .name = "http",
    .options = core_http_options,
    .settings_size = sizeof(struct core_http_settings),
    .open = core_http_open,
    .ticket = core_http_ticket,
    .update = core_http_update,
    .updates = core_http_updates,
    .cancel = core_http_cancel,
    .close = core_http_close,
};
