/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sessions: 256 random bits in a cookie, only their hash in the database; 15 minutes idle, 8 hours
 * in all. The token that forms carry is derived from the cookie's, so that nothing more is stored
 * and a form outlives neither. Source: OWASP ASVS 5.0 sections 3.3, 3.5, 7.2, 7.3.
 */
#include "gateway/core/core.h"
#include "gateway/process.h"

enum {
    TOKEN_BYTES = 32,
    IDLE_MS = 15 * 60 * 1000,
    ABSOLUTE_MS = 8 * 3600 * 1000,
    TOUCH_MS = 60 * 1000, /* a page view writes to disk at most this often */
};

/* Over TLS the name's prefix makes browsers refuse the cookie from anywhere else. */
static const char *cookie_name(const struct http_request *request)
{
    return request->secure ? "__Host-kanal-petugas" : "kanal-petugas";
}

static void hash_token(const char *token, unsigned char hash[static TOKEN_BYTES])
{
    crypto_generichash(hash, TOKEN_BYTES, (const unsigned char *)token, strlen(token), NULL, 0);
}

static void make_csrf(const char *token, char csrf[static CORE_CSRF_SIZE])
{
    static const unsigned char purpose[] = "kanal core form";
    unsigned char bytes[TOKEN_BYTES];

    crypto_generichash(bytes, sizeof(bytes), purpose, sizeof(purpose), (const unsigned char *)token,
                       strlen(token));
    sodium_bin2hex(csrf, CORE_CSRF_SIZE, bytes, sizeof(bytes));
}

void core_session_start(struct core *core, const char *name, int64_t now_ms,
                        char token[static CORE_TOKEN_SIZE])
{
    unsigned char bytes[TOKEN_BYTES], hash[TOKEN_BYTES];

    randombytes_buf(bytes, sizeof(bytes));
    sodium_bin2hex(token, CORE_TOKEN_SIZE, bytes, sizeof(bytes));
    hash_token(token, hash);
    pthread_mutex_lock(&core->lock);
    core_run(core, "DELETE FROM sessions WHERE used_ms < ? OR started_ms < ?", "ii",
             now_ms - IDLE_MS, now_ms - ABSOLUTE_MS);
    core_run(core,
             "INSERT INTO sessions (token_hash, name, started_ms, used_ms) VALUES (?, ?, ?, ?)",
             "btii", hash, sizeof(hash), name, now_ms, now_ms);
    pthread_mutex_unlock(&core->lock);
}

/* Under the lock. */
static bool find(struct core *core, const unsigned char *hash, int64_t now_ms,
                 struct core_officer *officer)
{
    sqlite3_stmt *row =
        core_query(core,
                   "SELECT s.name, a.agency, s.used_ms FROM sessions s JOIN accounts a"
                   " ON a.name = s.name WHERE s.token_hash = ? AND s.used_ms >= ?"
                   " AND s.started_ms >= ? AND NOT a.disabled",
                   "bii", hash, (size_t)TOKEN_BYTES, now_ms - IDLE_MS, now_ms - ABSOLUTE_MS);
    bool found = core_row(row), touch = false;

    if (found) {
        snprintf(officer->name, sizeof(officer->name), "%s", core_text(row, 0));
        snprintf(officer->agency, sizeof(officer->agency), "%s", core_text(row, 1));
        touch = sqlite3_column_int64(row, 2) < now_ms - TOUCH_MS;
    }
    sqlite3_finalize(row);
    if (touch)
        core_run(core, "UPDATE sessions SET used_ms = ? WHERE token_hash = ?", "ib", now_ms, hash,
                 (size_t)TOKEN_BYTES);
    return found;
}

bool core_session_find(struct core *core, const struct http_request *request,
                       struct core_officer *officer)
{
    unsigned char hash[TOKEN_BYTES];
    struct buf token = BUF_INIT(CORE_TOKEN_SIZE - 1);
    bool found = false;

    memset(officer, 0, sizeof(*officer));
    if (http_cookie(request, cookie_name(request), &token) == 1 &&
        token.len == CORE_TOKEN_SIZE - 1) {
        hash_token(token.data, hash);
        pthread_mutex_lock(&core->lock);
        found = find(core, hash, clock_wall_ms(), officer);
        pthread_mutex_unlock(&core->lock);
    }
    if (found) {
        memcpy(officer->token, token.data, CORE_TOKEN_SIZE);
        make_csrf(token.data, officer->csrf);
    }
    buf_wipe(&token);
    return found;
}

void core_session_end(struct core *core, const char *token)
{
    unsigned char hash[TOKEN_BYTES];

    hash_token(token, hash);
    pthread_mutex_lock(&core->lock);
    core_run(core, "DELETE FROM sessions WHERE token_hash = ?", "b", hash, sizeof(hash));
    pthread_mutex_unlock(&core->lock);
}

void core_session_end_others(struct core *core, const char *name, const char *keep)
{
    unsigned char hash[TOKEN_BYTES];

    hash_token(keep, hash);
    pthread_mutex_lock(&core->lock);
    core_run(core, "DELETE FROM sessions WHERE name = ? AND token_hash <> ?", "tb", name, hash,
             sizeof(hash));
    pthread_mutex_unlock(&core->lock);
}

void core_session_cookie(const struct http_request *request, const char *token, struct buf *out)
{
    buf_addf(out, "%s=%s; Path=/; HttpOnly; SameSite=Strict%s%s", cookie_name(request), token,
             request->secure ? "; Secure" : "", *token == '\0' ? "; Max-Age=0" : "");
}
