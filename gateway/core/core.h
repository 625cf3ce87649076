/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The reference core: a small ticket store behind the HTTP contract, with pages for officers. It
 * has no way to the vault and holds no identity: of what the gateway sends it keeps only the fields
 * an officer is shown. Shared by the files of gateway/core.
 *
 * Handlers run on the HTTP server's threads. The one database connection is used under one lock; a
 * commit that fails ends the process, since nobody can tell what is on disk: the gateway asks
 * again.
 */
#ifndef KANAL_GATEWAY_CORE_CORE_H
#define KANAL_GATEWAY_CORE_CORE_H

#include <jansson.h>
#include <pthread.h>
#include <sodium.h>
#include <sqlite3.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "gateway/http.h"
#include "gateway/limiter.h"

enum {
    CORE_NAME_MAX = 64,    /* an account's name */
    CORE_AGENCY_MAX = 200, /* bytes */
    CORE_ANSWER_MAX = 4000,
    CORE_TICKET_REF_SIZE = 17, /* 80 random bits as base32, and the NUL */
    CORE_DAY_SIZE = 11,        /* "2026-11-21" */
    CORE_TICKET_BYTES_MAX = 64 * 1024 * 1024,
    CORE_UPDATE_BYTES_MAX = 64 * 1024 * 1024,
    CORE_FORM_BYTES_MAX = 32 * 1024,
    CORE_PAGE_ROWS = 50,
    CORE_PASSWORD_MIN = 12, /* characters; OWASP ASVS 5.0 asks for at least 8 */
    CORE_PASSWORD_MAX = 256,
};

struct core {
    char *folder; /* of core.db */
    int lock_file;
    char *secret; /* requests are signed with it */
    sqlite3 *db;
    pthread_mutex_t lock;          /* of db */
    pthread_mutex_t password_lock; /* one Argon2id at a time: 64 MiB each */
    atomic_int password_waiting;
    struct limiter *address_logins, *account_logins; /* evaluated tries */
    struct core_throttle *throttle;
    unsigned char rate_key[crypto_shorthash_KEYBYTES];
};

/* --- core_db.c: SQLite --- */

/* Opens folder/core.db, making or migrating it. -1 ERR_CONFIG or ERR_PERMANENT. */
int core_db_open(struct core *core, struct err *err);
void core_db_close(struct core *core);

/*
 * A prepared statement with its arguments bound; types has one letter each: t text (NULL is null),
 * i int64_t, b blob (pointer, size_t). sqlite3_finalize() it. Never NULL: bad SQL is our bug.
 */
sqlite3_stmt *core_query(struct core *core, const char *sql, const char *types, ...);
/* The same for a statement without rows. Ends the process when it fails. */
void core_run(struct core *core, const char *sql, const char *types, ...);
/* Steps: true when there is a row. Ends the process on an error. */
bool core_row(sqlite3_stmt *row);
/* A column as text, "" for null; borrowed until the next step. */
const char *core_text(sqlite3_stmt *row, int column);
/* A column as JSON string or null. */
json_t *core_json_text(sqlite3_stmt *row, int column);

void core_begin(struct core *core);
void core_commit(struct core *core);

/* Today in the city (UTC+7) of a moment. */
void core_day(int64_t wall_ms, char day[static CORE_DAY_SIZE]);
/* A random reference. */
void core_new_ref(char ref[static CORE_TICKET_REF_SIZE]);

/* --- core_state.c: the state machine --- */

extern const char *const core_states[]; /* all, in the order of work; NULL-terminated */

/* The state of a ticket nobody has touched. */
#define CORE_STATE_FIRST "Menunggu"

bool core_state_known(const char *state);
bool core_transition_allowed(const char *from, const char *to);

/* --- core_tickets.c: what is kept --- */

enum core_put { CORE_MADE, CORE_KNOWN, CORE_OTHER_PAYLOAD, CORE_NO_TICKET, CORE_INVALID };

/* Stores a ticket once per key. *ref is set when made or known. */
enum core_put core_ticket_put(struct core *core, const char *key, const void *payload, size_t len,
                              int64_t now_ms, char ref[static CORE_TICKET_REF_SIZE]);
/* Stores a follow-up of the ticket ref once per key. */
enum core_put core_update_put(struct core *core, const char *ref, const char *key,
                              const void *payload, size_t len, int64_t now_ms);
/* The changes after a cursor as the contract's JSON; NULL when the cursor is not ours. */
json_t *core_updates_after(struct core *core, const char *cursor);

/* One page of the list, newest first; state NULL: all. */
json_t *core_list(struct core *core, const char *state, int64_t page, bool *more);
/* All an officer is shown of a ticket; NULL: no such ticket. */
json_t *core_ticket(struct core *core, const char *ref);
/* A photo of a public report: fills *out and *media_type (static). 0 or -1. */
int core_photo(struct core *core, const char *ref, int64_t n, struct buf *out,
               const char **media_type);

struct core_change {
    const char *ref, *from, *to;
    const char *officer, *agency, *answer; /* agency and answer may be NULL */
    int64_t now_ms;
};
enum core_changed { CORE_CHANGED, CORE_CHANGED_MEANWHILE, CORE_FORBIDDEN, CORE_UNKNOWN };
/* Moves a ticket that is still in state from. */
enum core_changed core_change(struct core *core, const struct core_change *change);

/* --- core_accounts.c: officers --- */

/* Makes an account, or a new password for one; writes the password. -1 ERR_PERMANENT: the name is
 * bad, taken or unknown. */
int core_account_add(struct core *core, const char *name, const char *agency, struct buf *password,
                     struct err *err);
int core_account_reset(struct core *core, const char *name, struct buf *password, struct err *err);
/* Signs the officer out everywhere too. */
int core_account_disable(struct core *core, const char *name, struct err *err);
/* [{"name", "agency", "disabled"}] */
json_t *core_account_list(struct core *core);
/* At the first start: an account "petugas" with a password in folder/first-password (0600). */
int core_account_first(struct core *core, struct err *err);
/* Sets a password the officer chose. */
int core_account_set_password(struct core *core, const char *name, const char *password,
                              struct err *err);
/* Whether name and password fit: takes the same time when there is no such account. */
bool core_account_check(struct core *core, const char *name, const char *password);

/* --- core_session.c: who is signed in --- */

enum { CORE_TOKEN_SIZE = 65, CORE_CSRF_SIZE = 65 };

struct core_officer {
    char name[CORE_NAME_MAX + 1], agency[CORE_AGENCY_MAX + 1];
    char csrf[CORE_CSRF_SIZE];
    char token[CORE_TOKEN_SIZE];
};

/* Starts a session; token goes into the cookie. */
void core_session_start(struct core *core, const char *name, int64_t now_ms,
                        char token[static CORE_TOKEN_SIZE]);
/* The officer of a request's cookie, when the session is young enough. */
bool core_session_find(struct core *core, const struct http_request *request,
                       struct core_officer *officer);
/* token NULL: all sessions of name but the one of keep. */
void core_session_end(struct core *core, const char *token);
void core_session_end_others(struct core *core, const char *name, const char *keep);
/* The Set-Cookie value; token "" removes it. */
void core_session_cookie(const struct http_request *request, const char *token, struct buf *out);

/* --- core_throttle.c: guesses at passwords --- */

struct core_throttle;
struct core_throttle *core_throttle_new(void);
void core_throttle_free(struct core_throttle *throttle);
/* Milliseconds to wait before the next try of that key; 0: now. */
int64_t core_throttle_wait(struct core_throttle *throttle, uint64_t key, int64_t now_ms);
/* Notes a failed try: five are free, then 1, 2, 4 ... 60 s. */
void core_throttle_failed(struct core_throttle *throttle, uint64_t key, int64_t now_ms);
void core_throttle_passed(struct core_throttle *throttle, uint64_t key);

/* --- core_api.c, core_login.c, core_pages.c: handlers; core_users.c: the command --- */

http_handler core_post_ticket, core_post_update, core_get_updates, core_post_accounts;
http_handler core_get_login, core_post_login, core_post_logout, core_get_password,
    core_post_password;
http_handler core_get_list, core_get_ticket, core_post_state, core_get_photo, core_get_static;

/* Answers with a view, its model (taken) completed with what every page needs. */
void core_show(struct http_exchange *exchange, const struct core_officer *officer, int status,
               const char *view, json_t *model);
void core_redirect(struct http_exchange *exchange, const char *location);
/* The Location of a redirect, with the language the officer chose. */
void core_location(struct http_exchange *exchange, const char *location,
                   struct http_response *response);
void core_error(struct http_exchange *exchange, int status);
/* The signed-in officer, or false: the request has been answered with a way to sign in. */
bool core_require(struct core *core, struct http_exchange *exchange, struct core_officer *officer);
/* Whether a form came from our own page: Sec-Fetch-Site or Origin, and the token when signed in. */
bool core_form_is_ours(const struct http_request *request, const struct core_officer *officer);

/* Does {"do": "add|passwd|list|disable", "name", "agency"}: gives {"password"}, {"accounts"} or {}.
 */
json_t *core_accounts_do(struct core *core, const json_t *order, struct err *err);
/* `kanal core user ...`; returns the exit status. */
int core_users_main(int argc, char **argv);

/* Opens folder's database and lock. -1 ERR_CONFIG: held by another process. core_close() also then.
 */
int core_open(struct core *core, const char *folder, struct err *err);
void core_close(struct core *core);
/* The first line of a secret file; NULL with err. free() it. */
char *core_read_secret(const char *path, struct err *err);

#endif
