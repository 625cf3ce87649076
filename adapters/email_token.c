/* SPDX-License-Identifier: Apache-2.0 */
#include "adapters/email_token.h"

#include <jansson.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "normalize/mem.h"
#include "normalize/urlencoded.h"

enum {
    TOKEN_ANSWER_MAX = 64 * 1024,
    TOKEN_LIFE_S = 3600, /* when the answer does not say */
    TOKEN_ORIGIN_BYTES = 16,
    TOKEN_ORIGIN_HEX = 2 * TOKEN_ORIGIN_BYTES,
};

static const char token_cursor[] = "refresh_token";

/* Tells which first token of the configuration a stored one grew from. */
static void token_origin(const struct email_settings *settings,
                         char hex[static TOKEN_ORIGIN_HEX + 1])
{
    unsigned char hash[TOKEN_ORIGIN_BYTES];
    crypto_generichash(hash, sizeof hash, (const unsigned char *)settings->refresh_token.data,
                       settings->refresh_token.len, NULL, 0);
    sodium_bin2hex(hex, TOKEN_ORIGIN_HEX + 1, hash, sizeof hash);
}

/* The refresh token to use: the stored "ORIGIN:TOKEN" if it grew from the configured one. */
static int token_current(struct channel *ch, const struct email_settings *settings, struct buf *out,
                         struct err *err)
{
    struct buf stored = BUF_INIT(EMAIL_TOKEN_MAX);
    char hex[TOKEN_ORIGIN_HEX + 1];
    int found = channel_cursor_get(ch, token_cursor, &stored, err);
    token_origin(settings, hex);
    if (found == 1 && stored.len > TOKEN_ORIGIN_HEX + 1 &&
        strncmp(stored.data, hex, TOKEN_ORIGIN_HEX) == 0)
        buf_add_text(out, stored.data + TOKEN_ORIGIN_HEX + 1);
    else
        buf_add(out, settings->refresh_token.data, settings->refresh_token.len);
    buf_wipe(&stored);
    return found < 0 ? -1 : 0;
}

static int token_keep(struct channel *ch, const struct email_settings *settings,
                      const char *token_refresh, struct err *err)
{
    struct buf value = BUF_INIT(EMAIL_TOKEN_MAX + TOKEN_ORIGIN_HEX + 1);
    char hex[TOKEN_ORIGIN_HEX + 1];
    token_origin(settings, hex);
    buf_addf(&value, "%s:%s", hex, token_refresh);
    int result = value.overflow
                     ? err_set(err, ERR_PERMANENT, "cannot keep the refresh token: too long")
                     : channel_cursor_set(ch, token_cursor, value.data, err);
    buf_wipe(&value);
    return result;
}

static void token_add_field(struct buf *form, const char *name, const char *value)
{
    if (value == NULL)
        return;
    buf_addf(form, "%s%s=", form->len > 0 ? "&" : "", name);
    urlencoded_add(form, value);
}

/* The endpoint's error word ("invalid_grant") when it is one. */
static const char *token_error_word(const json_t *answer)
{
    const char *word = json_string_value(json_object_get(answer, "error"));
    if (word == NULL || strlen(word) > 40 ||
        strspn(word, "abcdefghijklmnopqrstuvwxyz_") != strlen(word))
        return "";
    return word;
}

static int token_refuse(const struct http_client_answer *answer, const json_t *json,
                        struct err *err)
{
    enum err_kind kind = answer->status == 400 || answer->status == 401 || answer->status == 403
                             ? ERR_CONFIG
                             : ERR_TRANSIENT;
    err_set(err, kind, "cannot refresh the access token: status %ld %s", answer->status,
            token_error_word(json));
    err->retry_after_s = answer->retry_after_s;
    return -1;
}

static int token_take(struct email_token *token, struct channel *ch,
                      const struct email_settings *settings,
                      const struct http_client_answer *answer, const char *token_refresh,
                      struct err *err)
{
    json_t *json = json_loadb(answer->body.data, answer->body.len, 0, NULL);
    const char *access = json_string_value(json_object_get(json, "access_token"));
    const char *rotated = json_string_value(json_object_get(json, "refresh_token"));
    json_int_t life_s = json_integer_value(json_object_get(json, "expires_in"));
    int result = -1;
    if (answer->status != 200 || access == NULL) {
        token_refuse(answer, json, err);
        goto out;
    }
    if (rotated != NULL && strcmp(rotated, token_refresh) != 0 &&
        token_keep(ch, settings, rotated, err) != 0)
        goto out;
    if (life_s <= 0 || life_s > INT32_MAX)
        life_s = TOKEN_LIFE_S;
    token->access = mem_strdup(access);
    token->expires_ms = channel_now_ms(ch) + life_s * 1000;
    result = 0;
out:
    json_decref(json);
    return result;
}

static int token_refresh(struct email_token *token, struct channel *ch,
                         const struct email_settings *settings, struct err *err)
{
    static const char *const headers[] = {"Content-Type: application/x-www-form-urlencoded",
                                          "Accept: application/json", NULL};
    struct buf old = BUF_INIT(EMAIL_TOKEN_MAX);
    struct buf form = BUF_INIT(4 * EMAIL_TOKEN_MAX);
    struct http_client_answer answer;
    int result = -1;
    if (token_current(ch, settings, &old, err) != 0)
        goto out;
    token_add_field(&form, "grant_type", "refresh_token");
    token_add_field(&form, "refresh_token", old.data);
    token_add_field(&form, "client_id", settings->client_id);
    token_add_field(&form, "client_secret", settings->client_secret.data);
    token_add_field(&form, "scope", settings->token_scope);
    if (token->client == NULL)
        token->client = http_client_create();
    if (http_client_call(token->client,
                         &(struct http_client_request){.url = settings->token_url,
                                                       .headers = headers,
                                                       .body = form.data,
                                                       .body_len = form.len,
                                                       .answer_max = TOKEN_ANSWER_MAX},
                         &answer, err) != 0)
        goto out;
    result = token_take(token, ch, settings, &answer, old.data, err);
    http_client_answer_release(&answer);
out:
    buf_wipe(&form);
    buf_wipe(&old);
    return result;
}

const char *email_token_get(struct email_token *token, struct channel *ch,
                            const struct email_settings *settings, struct err *err)
{
    if (token->access != NULL && channel_now_ms(ch) < token->expires_ms - EMAIL_TOKEN_EARLY_MS)
        return token->access;
    email_token_drop(token);
    return token_refresh(token, ch, settings, err) == 0 ? token->access : NULL;
}

void email_token_drop(struct email_token *token)
{
    if (token->access != NULL)
        explicit_bzero(token->access, strlen(token->access));
    free(token->access);
    token->access = NULL;
}

void email_token_release(struct email_token *token)
{
    email_token_drop(token);
    http_client_free(token->client);
    token->client = NULL;
}
