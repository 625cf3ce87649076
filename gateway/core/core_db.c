/* SPDX-License-Identifier: Apache-2.0 */
/*
 * core.db: WAL, synchronous=FULL, one connection for reading and writing. Any failure of SQLite
 * after opening ends the process (see core.h); at the next start SQLite recovers the file.
 */
#include <stdarg.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "gateway/core/core.h"
#include "normalize/id.h"
#include "normalize/mem.h"

enum {
    SCHEMA = 1,
    EXIT_AGAIN = 75, /* EX_TEMPFAIL: whoever started us starts us again */
    CITY_OFFSET_MS = 7 * 3600 * 1000,
    PATH_BYTES_MAX = 4096,
};

static const char pragmas[] = "PRAGMA journal_mode = WAL;"
                              "PRAGMA synchronous = FULL;"
                              "PRAGMA foreign_keys = ON;"
                              "PRAGMA secure_delete = ON;"
                              "PRAGMA trusted_schema = OFF;"
                              "PRAGMA cell_size_check = ON;";

/* requests: every idempotency key there ever was. tickets.n and changes.n give the order. */
static const char schema[] =
    "CREATE TABLE requests (key TEXT PRIMARY KEY, hash BLOB NOT NULL, ref TEXT NOT NULL)"
    " WITHOUT ROWID;"
    "CREATE TABLE tickets (n INTEGER PRIMARY KEY AUTOINCREMENT, ref TEXT NOT NULL UNIQUE,"
    " report TEXT NOT NULL, day TEXT NOT NULL, state TEXT NOT NULL, urgent INTEGER NOT NULL,"
    " public INTEGER NOT NULL, category TEXT, place TEXT, body TEXT NOT NULL);"
    "CREATE INDEX tickets_state ON tickets (state, n);"
    "CREATE TABLE photos (ticket INTEGER NOT NULL REFERENCES tickets (n), n INTEGER NOT NULL,"
    " media_type TEXT NOT NULL, data BLOB NOT NULL, PRIMARY KEY (ticket, n));"
    "CREATE TABLE followups (n INTEGER PRIMARY KEY AUTOINCREMENT,"
    " ticket INTEGER NOT NULL REFERENCES tickets (n), day TEXT NOT NULL, body TEXT NOT NULL);"
    "CREATE INDEX followups_ticket ON followups (ticket, n);"
    "CREATE TABLE changes (n INTEGER PRIMARY KEY AUTOINCREMENT, ref TEXT NOT NULL UNIQUE,"
    " ticket INTEGER NOT NULL REFERENCES tickets (n), day TEXT NOT NULL, state TEXT NOT NULL,"
    " officer TEXT NOT NULL, agency TEXT, answer TEXT);"
    "CREATE INDEX changes_ticket ON changes (ticket, n);"
    "CREATE TABLE accounts (name TEXT PRIMARY KEY, password TEXT NOT NULL, agency TEXT,"
    " disabled INTEGER NOT NULL DEFAULT 0) WITHOUT ROWID;"
    "CREATE TABLE sessions (token_hash BLOB PRIMARY KEY, name TEXT NOT NULL REFERENCES accounts,"
    " started_ms INTEGER NOT NULL, used_ms INTEGER NOT NULL) WITHOUT ROWID;"
    "CREATE INDEX sessions_name ON sessions (name);"
    "PRAGMA user_version = 1;";

static void fail_stop(struct core *core)
{
    fprintf(stderr, "kanal core: the database failed (%d); stopping\n",
            sqlite3_extended_errcode(core->db));
    _exit(EXIT_AGAIN);
}

static void bind(sqlite3_stmt *statement, const char *types, va_list values)
{
    for (int i = 0; types[i] != '\0'; i++) {
        const char *text;
        const void *data;

        switch (types[i]) {
        case 't':
            text = va_arg(values, const char *);
            sqlite3_bind_text(statement, i + 1, text, -1, SQLITE_TRANSIENT);
            break;
        case 'i':
            sqlite3_bind_int64(statement, i + 1, va_arg(values, int64_t));
            break;
        default:
            data = va_arg(values, const void *);
            sqlite3_bind_blob64(statement, i + 1, data, va_arg(values, size_t), SQLITE_TRANSIENT);
        }
    }
}

static sqlite3_stmt *prepare(struct core *core, const char *sql, const char *types, va_list values)
{
    sqlite3_stmt *statement = NULL;

    if (sqlite3_prepare_v2(core->db, sql, -1, &statement, NULL) != SQLITE_OK)
        fail_stop(core);
    bind(statement, types, values);
    return statement;
}

sqlite3_stmt *core_query(struct core *core, const char *sql, const char *types, ...)
{
    sqlite3_stmt *statement;
    va_list values;

    va_start(values, types);
    statement = prepare(core, sql, types, values);
    va_end(values);
    return statement;
}

void core_run(struct core *core, const char *sql, const char *types, ...)
{
    sqlite3_stmt *statement;
    va_list values;

    va_start(values, types);
    statement = prepare(core, sql, types, values);
    va_end(values);
    if (sqlite3_step(statement) != SQLITE_DONE)
        fail_stop(core);
    sqlite3_finalize(statement);
}

bool core_row(sqlite3_stmt *row)
{
    int code = sqlite3_step(row);

    if (code != SQLITE_ROW && code != SQLITE_DONE)
        _exit(EXIT_AGAIN);
    return code == SQLITE_ROW;
}

const char *core_text(sqlite3_stmt *row, int column)
{
    const unsigned char *text = sqlite3_column_text(row, column);

    return text == NULL ? "" : (const char *)text;
}

json_t *core_json_text(sqlite3_stmt *row, int column)
{
    const unsigned char *text = sqlite3_column_text(row, column);

    return text == NULL ? json_null() : json_string((const char *)text);
}

void core_begin(struct core *core)
{
    core_run(core, "BEGIN IMMEDIATE", "");
}

void core_commit(struct core *core)
{
    core_run(core, "COMMIT", "");
}

static int make_schema(struct core *core, struct err *err)
{
    sqlite3_stmt *row = core_query(core, "PRAGMA user_version", "");
    int64_t version = core_row(row) ? sqlite3_column_int64(row, 0) : 0;

    sqlite3_finalize(row);
    if (version > SCHEMA)
        return err_set(err, ERR_CONFIG, "cannot open core.db: made by a newer kanal");
    if (version == SCHEMA)
        return 0;
    core_begin(core);
    if (sqlite3_exec(core->db, schema, NULL, NULL, NULL) != SQLITE_OK)
        fail_stop(core);
    core_commit(core);
    return 0;
}

int core_db_open(struct core *core, struct err *err)
{
    struct buf path = BUF_INIT(PATH_BYTES_MAX);
    mode_t mask = umask(0077); /* before any thread of ours runs */
    int code;

    buf_addf(&path, "%s/core.db", core->folder);
    code = sqlite3_open_v2(path.data, &core->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, NULL);
    if (code == SQLITE_OK)
        code = sqlite3_exec(core->db, pragmas, NULL, NULL, NULL);
    umask(mask);
    buf_release(&path);
    if (code != SQLITE_OK)
        return err_set(err, ERR_CONFIG, "cannot open core.db: %s", sqlite3_errstr(code));
    return make_schema(core, err);
}

void core_db_close(struct core *core)
{
    sqlite3_close(core->db);
    core->db = NULL;
}

void core_day(int64_t wall_ms, char day[static CORE_DAY_SIZE])
{
    time_t seconds = (time_t)((wall_ms + CITY_OFFSET_MS) / 1000);
    struct tm tm;

    gmtime_r(&seconds, &tm);
    strftime(day, CORE_DAY_SIZE, "%Y-%m-%d", &tm);
}

void core_new_ref(char ref[static CORE_TICKET_REF_SIZE])
{
    unsigned char bytes[10];

    randombytes_buf(bytes, sizeof(bytes));
    base32_encode(bytes, sizeof(bytes), ref);
}
