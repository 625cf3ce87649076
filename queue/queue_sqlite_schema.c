/* SPDX-License-Identifier: Apache-2.0 */
#include "queue/queue_sqlite_schema.h"

#include <stdint.h>

#include "queue/queue_sqlite_db.h"

enum {
    QUEUE_APPLICATION_ID = 1262571084, /* "KANL": file(1) and we know the database by it */
};

static const char *const queue_sqlite_steps[] = {
    "PRAGMA application_id = 1262571084;"

    /* One row: the clean-stop marker and the counts that queue_stats() gives without counting. */
    "CREATE TABLE tally("
    " one INTEGER PRIMARY KEY CHECK (one = 1), clean INTEGER NOT NULL,"
    " report INTEGER NOT NULL, followup INTEGER NOT NULL,"
    " not_report INTEGER NOT NULL, quarantine INTEGER NOT NULL,"
    " waiting_core INTEGER NOT NULL, waiting_reporter INTEGER NOT NULL,"
    " leased_core INTEGER NOT NULL, leased_reporter INTEGER NOT NULL,"
    " buried_core INTEGER NOT NULL, buried_reporter INTEGER NOT NULL) STRICT;"
    "INSERT INTO tally VALUES (1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0);"

    /* segment .. checksum: where body, reporter and reply lie, one behind the other. */
    "CREATE TABLE entry("
    " n INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, kind INTEGER NOT NULL,"
    " channel_id TEXT NOT NULL, channel_kind TEXT NOT NULL, parent_id TEXT, category TEXT,"
    " kelurahan_code TEXT, language TEXT, public_report INTEGER NOT NULL,"
    " received_day INTEGER NOT NULL, reporter_index BLOB, reason TEXT,"
    " segment INTEGER NOT NULL, offset INTEGER NOT NULL, length INTEGER NOT NULL,"
    " checksum INTEGER NOT NULL, reporter_len INTEGER NOT NULL, reply_len INTEGER NOT NULL) STRICT;"
    "CREATE INDEX entry_kind ON entry(kind) WHERE kind <> 0;"
    "CREATE INDEX entry_parent ON entry(parent_id) WHERE parent_id IS NOT NULL;"

    /* Apart from entry because an entry may hold two keys: as quarantined and as resolved. Keys
     * and fingerprints are hashed to 128 and 64 bits: this index is rewritten at random places
     * with every entry, and each byte of it counts. */
    "CREATE TABLE dedup("
    " key BLOB PRIMARY KEY, entry INTEGER NOT NULL, fingerprint INTEGER NOT NULL)"
    " STRICT, WITHOUT ROWID;"

    /* Apart from entry so that finishing a row does not rewrite the report's body. */
    "CREATE TABLE core_ref(entry INTEGER PRIMARY KEY, ref TEXT NOT NULL) STRICT;"

    /* n: order of storing within the entry. */
    "CREATE TABLE blob("
    " entry INTEGER NOT NULL, n INTEGER NOT NULL, field TEXT NOT NULL,"
    " segment INTEGER NOT NULL, offset INTEGER NOT NULL, length INTEGER NOT NULL,"
    " checksum INTEGER NOT NULL, expires_day INTEGER NOT NULL,"
    " PRIMARY KEY (entry, n)) STRICT, WITHOUT ROWID;"
    "CREATE INDEX blob_expires ON blob(expires_day) WHERE expires_day > 0;"
    /* used: bytes of the file that are known; alive: rows of entry and blob that lie in it. */
    "CREATE TABLE segment("
    " id INTEGER PRIMARY KEY, used INTEGER NOT NULL, alive INTEGER NOT NULL) STRICT;"
    /* Ranges that no row of blob names any more and that may still be on the disk. */
    "CREATE TABLE dead("
    " segment INTEGER NOT NULL, offset INTEGER NOT NULL, length INTEGER NOT NULL) STRICT;"

    "CREATE TABLE event("
    " n INTEGER PRIMARY KEY, entry INTEGER NOT NULL, key TEXT NOT NULL, day INTEGER NOT NULL,"
    " state TEXT NOT NULL, agency TEXT, answer TEXT, photo_field TEXT,"
    " UNIQUE (entry, key)) STRICT;"

    /* chain: the entry whose order the row keeps, NULL when done. due_ms: when a lease may take
     * it, NULL while held back, buried or done; of a leased row the lease's end. */
    "CREATE TABLE outbox("
    " n INTEGER PRIMARY KEY, entry INTEGER NOT NULL, topic INTEGER NOT NULL,"
    " state INTEGER NOT NULL, kind TEXT NOT NULL, chain INTEGER, due_ms INTEGER,"
    " attempts INTEGER, created_ms INTEGER, not_before_ms INTEGER, token BLOB, reason TEXT)"
    " STRICT;"
    "CREATE INDEX outbox_due ON outbox(topic, due_ms) WHERE due_ms IS NOT NULL;"
    "CREATE INDEX outbox_chain ON outbox(chain, topic) WHERE chain IS NOT NULL;"
    "CREATE INDEX outbox_state ON outbox(state, topic) WHERE state <> 2;"
    /* Apart from outbox so that a lease does not rewrite the payload. */
    "CREATE TABLE payload(n INTEGER PRIMARY KEY, bytes BLOB NOT NULL) STRICT;"

    "CREATE TABLE cursor("
    " channel_id TEXT NOT NULL, name TEXT NOT NULL, text TEXT NOT NULL,"
    " PRIMARY KEY (channel_id, name)) STRICT, WITHOUT ROWID;"
    "CREATE TABLE health(channel_id TEXT PRIMARY KEY, text TEXT NOT NULL) STRICT, WITHOUT ROWID;"

    "PRAGMA user_version = 1;",
};

enum { QUEUE_SCHEMA = sizeof queue_sqlite_steps / sizeof queue_sqlite_steps[0] };

static int queue_sqlite_migrate_from(sqlite3 *handle, int64_t version, struct err *err)
{
    int rc = sqlite3_exec(handle, "BEGIN IMMEDIATE", NULL, NULL, NULL);
    for (int64_t i = version; i < QUEUE_SCHEMA && rc == SQLITE_OK; i++)
        rc = sqlite3_exec(handle, queue_sqlite_steps[i], NULL, NULL, NULL);
    if (rc == SQLITE_OK)
        rc = sqlite3_exec(handle, "COMMIT", NULL, NULL, NULL);
    if (rc == SQLITE_OK)
        return 0;
    queue_db_fail(rc, "migrate", err);
    sqlite3_exec(handle, "ROLLBACK", NULL, NULL, NULL);
    return -1;
}

int queue_sqlite_migrate(sqlite3 *handle, bool migrate, bool *fresh, struct err *err)
{
    int64_t version = 0;
    int64_t application = 0;
    int64_t tables = 0;
    if (queue_db_number(handle, "PRAGMA user_version", &version, err) < 0 ||
        queue_db_number(handle, "PRAGMA application_id", &application, err) < 0 ||
        queue_db_number(handle, "SELECT count(*) FROM sqlite_schema", &tables, err) < 0)
        return -1;
    if (fresh != NULL)
        *fresh = tables == 0;
    if (tables > 0 && application != QUEUE_APPLICATION_ID)
        return err_set(err, ERR_CONFIG, "cannot open the queue: the database is not kanal's");
    if (version > QUEUE_SCHEMA)
        return err_set(err, ERR_CONFIG, "cannot open the queue: made by a newer kanal");
    if (version == QUEUE_SCHEMA)
        return 0;
    if (!migrate)
        return err_set(err, ERR_CONFIG,
                       "cannot read the queue: made by an older kanal, start the gateway first");
    return queue_sqlite_migrate_from(handle, version, err);
}
