/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The HTTP contract: signed requests only, idempotent for ever. A request replayed within the
 * signature's five minutes changes nothing: its key is known. The webhook-id is bound to what is
 * asked (the idempotency key, or "updates:CURSOR"), so that no signature fits another request.
 */
#include "adapters/signature.h"
#include "gateway/core/core.h"
#include "gateway/process.h"
#include "normalize/report.h"

enum { CORE_KEY_MAX = 128 };

static void answer_json(struct http_exchange *exchange, int status, json_t *json)
{
    struct http_response response;
    char *text = json_canonical(json);

    http_response_init(&response, status);
    http_response_text(&response, "application/json; charset=utf-8", text, strlen(text));
    http_answer(exchange, &response);
    free(text);
    json_decref(json);
}

static void refuse(struct http_exchange *exchange, int status, const char *message)
{
    answer_json(exchange, status,
                json_pack("{s:[{s:n, s:s}]}", "errors", "field", "message", message));
}

static bool is_signed(struct core *core, const struct http_request *request, const char *id)
{
    const char *given = request->header(request, "webhook-id");
    struct err err = ERR_INIT;

    return given != NULL && id != NULL && strcmp(given, id) == 0 &&
           signature_check(core->secret, given, request->header(request, "webhook-timestamp"),
                           request->header(request, "webhook-signature"), request->body,
                           request->body_len, clock_wall_ms() / 1000, &err) == 0;
}

/* The idempotency key of a signed request; NULL: it has been answered. */
static const char *signed_key(struct core *core, struct http_exchange *exchange)
{
    const struct http_request *request = http_exchange_request(exchange);
    const char *key = request->header(request, "Idempotency-Key");

    if (!is_signed(core, request, key)) {
        refuse(exchange, 401, "the signature is missing or wrong");
        return NULL;
    }
    if (*key == '\0' || strlen(key) > CORE_KEY_MAX) {
        refuse(exchange, 400, "the Idempotency-Key is empty or too long");
        return NULL;
    }
    return key;
}

static void answer_put(struct http_exchange *exchange, enum core_put put, const char *ref)
{
    switch (put) {
    case CORE_MADE:
        answer_json(exchange, 201, json_pack("{s:s}", "ref", ref));
        break;
    case CORE_KNOWN:
        answer_json(exchange, 200, json_pack("{s:s}", "ref", ref));
        break;
    case CORE_OTHER_PAYLOAD:
        refuse(exchange, 422, "this Idempotency-Key was used for something else");
        break;
    case CORE_NO_TICKET:
        refuse(exchange, 404, "there is no such ticket");
        break;
    case CORE_INVALID:
        refuse(exchange, 400, "the body is not a report");
        break;
    }
}

void core_post_ticket(void *context, struct http_exchange *exchange)
{
    struct core *core = context;
    const struct http_request *request = http_exchange_request(exchange);
    const char *key = signed_key(core, exchange);
    char ref[CORE_TICKET_REF_SIZE] = "";

    if (key == NULL)
        return;
    answer_put(
        exchange,
        core_ticket_put(core, key, request->body, request->body_len, request->received_ms, ref),
        ref);
}

/* The ref of "/tickets/REF/updates"; false: another path. */
static bool path_ref(const char *path, char ref[static CORE_TICKET_REF_SIZE])
{
    static const char before[] = "/tickets/", behind[] = "/updates";
    size_t len;

    path += strlen(before);
    len = strcspn(path, "/");
    if (len == 0 || len >= CORE_TICKET_REF_SIZE || strcmp(path + len, behind) != 0)
        return false;
    memcpy(ref, path, len);
    ref[len] = '\0';
    return true;
}

void core_post_update(void *context, struct http_exchange *exchange)
{
    struct core *core = context;
    const struct http_request *request = http_exchange_request(exchange);
    const char *key = signed_key(core, exchange);
    char ref[CORE_TICKET_REF_SIZE] = "";
    enum core_put put = CORE_NO_TICKET;

    if (key == NULL)
        return;
    if (path_ref(request->path, ref))
        put =
            core_update_put(core, ref, key, request->body, request->body_len, request->received_ms);
    answer_put(exchange, put, ref);
}

void core_get_updates(void *context, struct http_exchange *exchange)
{
    struct core *core = context;
    const struct http_request *request = http_exchange_request(exchange);
    struct buf cursor = BUF_INIT(CORE_KEY_MAX), id = BUF_INIT(2 * CORE_KEY_MAX);
    json_t *updates = NULL;

    http_form_field(request->query, strlen(request->query), "after", &cursor);
    buf_addf(&id, "updates:%s", cursor.data);
    if (!is_signed(core, request, id.data)) {
        refuse(exchange, 401, "the signature is missing or wrong");
    } else {
        updates = core_updates_after(core, cursor.data);
        if (updates == NULL)
            refuse(exchange, 400, "the cursor is not one of ours");
        else
            answer_json(exchange, 200, updates);
    }
    buf_release(&cursor);
    buf_release(&id);
}

/* The command line's way to a running core: only who can read the secret file can sign. */
void core_post_accounts(void *context, struct http_exchange *exchange)
{
    struct core *core = context;
    const struct http_request *request = http_exchange_request(exchange);
    struct err err = ERR_INIT;
    json_t *order, *done;

    if (!is_signed(core, request, request->header(request, "webhook-id"))) {
        refuse(exchange, 401, "the signature is missing or wrong");
        return;
    }
    order = json_loadb(request->body, request->body_len, JSON_REJECT_DUPLICATES, NULL);
    done = core_accounts_do(core, order, &err);
    if (done == NULL)
        refuse(exchange, 422, err.text);
    else
        answer_json(exchange, 200, done);
    json_decref(order);
}
