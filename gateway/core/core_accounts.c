/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Officers' accounts: Argon2id by libsodium, 64 MiB and two passes. Only made-up passwords are ever
 * printed; the first one lies in a file of its own until it is changed.
 */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "gateway/core/core.h"
#include "normalize/id.h"
#include "normalize/mem.h"
#include "normalize/text.h"

enum {
    PASSWORD_PASSES = 2,
    PASSWORD_MEMORY = 64 * 1024 * 1024,
    PASSWORD_RANDOM_BYTES = 13, /* 104 bits, 21 symbols */
    PATH_BYTES_MAX = 4096,
};

#define FIRST_ACCOUNT "petugas"

/* Letters, digits, dot, hyphen, underscore: a name stands in pages and in the history. */
static bool is_name(const char *name)
{
    size_t len = strlen(name);

    return len > 0 && len <= CORE_NAME_MAX &&
           strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_") == len;
}

static void make_password(struct buf *password)
{
    unsigned char bytes[PASSWORD_RANDOM_BYTES];
    char text[(PASSWORD_RANDOM_BYTES * 8 + 4) / 5 + 1];

    randombytes_buf(bytes, sizeof(bytes));
    base32_encode(bytes, sizeof(bytes), text);
    text_ascii_lower(text);
    for (size_t i = 0; text[i] != '\0'; i++) {
        if (i > 0 && i % 7 == 0)
            buf_add_char(password, '-');
        buf_add_char(password, text[i]);
    }
    sodium_memzero(bytes, sizeof(bytes));
    sodium_memzero(text, sizeof(text));
}

static void hash_password(struct core *core, const char *password,
                          char hash[static crypto_pwhash_STRBYTES])
{
    pthread_mutex_lock(&core->password_lock);
    if (crypto_pwhash_str(hash, password, strlen(password), PASSWORD_PASSES, PASSWORD_MEMORY) != 0)
        abort(); /* out of memory */
    pthread_mutex_unlock(&core->password_lock);
}

static bool exists(struct core *core, const char *name)
{
    sqlite3_stmt *row = core_query(core, "SELECT 1 FROM accounts WHERE name = ?", "t", name);
    bool found = core_row(row);

    sqlite3_finalize(row);
    return found;
}

int core_account_add(struct core *core, const char *name, const char *agency, struct buf *password,
                     struct err *err)
{
    char hash[crypto_pwhash_STRBYTES];
    int result = 0;

    if (!is_name(name))
        return err_set(err, ERR_PERMANENT,
                       "cannot add the account: a name is up to %d of a-z A-Z 0-9 . - _",
                       CORE_NAME_MAX);
    make_password(password);
    hash_password(core, password->data, hash);
    pthread_mutex_lock(&core->lock);
    if (exists(core, name))
        result = err_set(err, ERR_PERMANENT, "cannot add '%s': it exists", name);
    else
        core_run(core, "INSERT INTO accounts (name, password, agency) VALUES (?, ?, ?)", "ttt",
                 name, hash, agency);
    pthread_mutex_unlock(&core->lock);
    return result;
}

/* The file of the first password has served its purpose once any password of that account is set.
 */
static void forget_first_password(struct core *core, const char *name)
{
    struct buf path = BUF_INIT(PATH_BYTES_MAX);

    if (strcmp(name, FIRST_ACCOUNT) == 0) {
        buf_addf(&path, "%s/first-password", core->folder);
        unlink(path.data);
    }
    buf_release(&path);
}

static int set_password(struct core *core, const char *name, const char *password, struct err *err)
{
    char hash[crypto_pwhash_STRBYTES];
    bool found;

    hash_password(core, password, hash);
    pthread_mutex_lock(&core->lock);
    found = exists(core, name);
    if (found)
        core_run(core, "UPDATE accounts SET password = ?, disabled = 0 WHERE name = ?", "tt", hash,
                 name);
    pthread_mutex_unlock(&core->lock);
    if (!found)
        return err_set(err, ERR_PERMANENT, "cannot change '%s': no such account", name);
    forget_first_password(core, name);
    return 0;
}

int core_account_reset(struct core *core, const char *name, struct buf *password, struct err *err)
{
    make_password(password);
    if (set_password(core, name, password->data, err) != 0)
        return -1;
    core_session_end_others(core, name, "");
    return 0;
}

int core_account_set_password(struct core *core, const char *name, const char *password,
                              struct err *err)
{
    size_t len = strlen(password);

    if (!text_is_utf8(password, len) || len > CORE_PASSWORD_MAX ||
        text_length(password) < CORE_PASSWORD_MIN)
        return err_set(err, ERR_PERMANENT, "cannot change the password: it needs %d to %d letters",
                       CORE_PASSWORD_MIN, CORE_PASSWORD_MAX);
    return set_password(core, name, password, err);
}

int core_account_disable(struct core *core, const char *name, struct err *err)
{
    bool found;

    pthread_mutex_lock(&core->lock);
    found = exists(core, name);
    if (found)
        core_run(core, "UPDATE accounts SET disabled = 1 WHERE name = ?", "t", name);
    pthread_mutex_unlock(&core->lock);
    if (!found)
        return err_set(err, ERR_PERMANENT, "cannot disable '%s': no such account", name);
    core_session_end_others(core, name, "");
    return 0;
}

json_t *core_account_list(struct core *core)
{
    json_t *list = json_array();
    sqlite3_stmt *row;

    pthread_mutex_lock(&core->lock);
    row = core_query(core, "SELECT name, agency, disabled FROM accounts ORDER BY name", "");
    while (core_row(row))
        json_array_append_new(list, json_pack("{s:o, s:o, s:b}", "name", core_json_text(row, 0),
                                              "agency", core_json_text(row, 1), "disabled",
                                              sqlite3_column_int(row, 2)));
    sqlite3_finalize(row);
    pthread_mutex_unlock(&core->lock);
    return list;
}

/* Written before the account is made: a password nobody can read would lock everybody out. */
static int write_first_password(struct core *core, const char *password, struct err *err)
{
    struct buf path = BUF_INIT(PATH_BYTES_MAX), line = BUF_INIT(200);
    int result = -1, fd;

    buf_addf(&path, "%s/first-password", core->folder);
    buf_addf(&line, "%s %s\n", FIRST_ACCOUNT, password);
    unlink(path.data);
    fd = open(path.data, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd >= 0 && write(fd, line.data, line.len) == (ssize_t)line.len && fsync(fd) == 0)
        result = 0;
    else
        err_set(err, ERR_CONFIG, "cannot write '%s': %s", path.data, strerror(errno));
    if (fd >= 0)
        close(fd);
    buf_wipe(&line);
    buf_release(&path);
    return result;
}

int core_account_first(struct core *core, struct err *err)
{
    sqlite3_stmt *row = core_query(core, "SELECT 1 FROM accounts LIMIT 1", "");
    bool any = core_row(row);
    struct buf password = BUF_INIT(100);
    char hash[crypto_pwhash_STRBYTES];
    int result = 0;

    sqlite3_finalize(row);
    if (any)
        return 0;
    make_password(&password);
    hash_password(core, password.data, hash);
    result = write_first_password(core, password.data, err);
    if (result == 0)
        core_run(core, "INSERT INTO accounts (name, password) VALUES (?, ?)", "tt", FIRST_ACCOUNT,
                 hash);
    buf_wipe(&password);
    return result;
}

bool core_account_check(struct core *core, const char *name, const char *password)
{
    /* Of random bytes nobody has kept, at our cost: an unknown name takes as long as a known one.
     */
    char hash[crypto_pwhash_STRBYTES] = "$argon2id$v=19$m=65536,t=2,p=1$UWCU5EAllNdr4jvLxfyU6w$"
                                        "CfRBCCE8t81qT1qKROYevg5MEoPfNJ1ZBvBI6YzKw6Q";
    bool known = false, fits;
    sqlite3_stmt *row;

    pthread_mutex_lock(&core->lock);
    row = core_query(core, "SELECT password FROM accounts WHERE name = ? AND NOT disabled", "t",
                     name);
    if (core_row(row)) {
        known = true;
        snprintf(hash, sizeof(hash), "%s", core_text(row, 0));
    }
    sqlite3_finalize(row);
    pthread_mutex_unlock(&core->lock);
    pthread_mutex_lock(&core->password_lock);
    fits = crypto_pwhash_str_verify(hash, password, strlen(password)) == 0;
    pthread_mutex_unlock(&core->password_lock);
    sodium_memzero(hash, sizeof(hash));
    return known && fits;
}
