/* SPDX-License-Identifier: Apache-2.0 */
#include "queue/queue_sqlite_sql.h"

/* outbox.state: 0 waiting, 1 leased, 2 done, 3 buried; the partial indexes need the literals. */
#define ROW_COLUMNS                                                                                \
    " o.n, e.id, o.topic, o.kind, o.state, o.attempts, o.created_ms, o.not_before_ms, o.reason"
#define ROWS_OF_TOPIC(topic)                                                                       \
    "SELECT" ROW_COLUMNS " FROM outbox o INDEXED BY outbox_state CROSS JOIN entry e"               \
    " ON e.n = o.entry WHERE o.state = ?1 AND o.state <> 2 AND o.topic = " topic " AND o.n > ?2"
#define IDS_AFTER                                                                                  \
    " AND n > CASE WHEN ?2 IS NULL THEN 0 ELSE (SELECT n FROM entry WHERE id = ?2) END"            \
    " ORDER BY n LIMIT ?3"

const char *const queue_sql_text[QUEUE_SQL_COUNT] = {
    [QUEUE_SQL_BEGIN] = "BEGIN IMMEDIATE",
    [QUEUE_SQL_COMMIT] = "COMMIT",
    [QUEUE_SQL_ROLLBACK] = "ROLLBACK",
    [QUEUE_SQL_CLEAN_SET] = "UPDATE tally SET clean = ?1",
    [QUEUE_SQL_TALLY_ADD] =
        "UPDATE tally SET report = report + ?1, followup = followup + ?2,"
        " not_report = not_report + ?3, quarantine = quarantine + ?4,"
        " waiting_core = waiting_core + ?5, waiting_reporter = waiting_reporter + ?6,"
        " leased_core = leased_core + ?7, leased_reporter = leased_reporter + ?8,"
        " buried_core = buried_core + ?9, buried_reporter = buried_reporter + ?10",
    [QUEUE_SQL_TALLY_GET] =
        "SELECT report, followup, not_report, quarantine, waiting_core, waiting_reporter,"
        " leased_core, leased_reporter, buried_core, buried_reporter FROM tally WHERE one = 1",

    [QUEUE_SQL_DEDUP_INSERT] =
        "INSERT INTO dedup(key, entry, fingerprint) VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING",
    [QUEUE_SQL_DEDUP_FIND] = "SELECT d.entry, e.id, d.fingerprint = ?2 FROM dedup d CROSS JOIN"
                             " entry e ON e.n = d.entry WHERE d.key = ?1",
    [QUEUE_SQL_DEDUP_DELETE] = "DELETE FROM dedup WHERE key = ?1",
    [QUEUE_SQL_ENTRY_INSERT] =
        "INSERT INTO entry(n, id, kind, channel_id, channel_kind, parent_id, category,"
        " kelurahan_code, language, public_report, received_day, reporter_index, reason, segment,"
        " offset, length, checksum, reporter_len, reply_len) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7,"
        " ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19)"
        " ON CONFLICT DO NOTHING",
    [QUEUE_SQL_ENTRY_FIND] = "SELECT n, kind, segment, offset, length FROM entry WHERE id = ?1",
    [QUEUE_SQL_ENTRY_REPLACE] =
        "UPDATE entry SET kind = ?3, channel_id = ?4, channel_kind = ?5, parent_id = ?6,"
        " category = ?7, kelurahan_code = ?8, language = ?9, public_report = ?10,"
        " received_day = ?11, reporter_index = ?12, reason = ?13, segment = ?14, offset = ?15,"
        " length = ?16, checksum = ?17, reporter_len = ?18, reply_len = ?19"
        " WHERE n = ?1 AND id = ?2",
    [QUEUE_SQL_CORE_REF_SET] = "INSERT INTO core_ref(entry, ref) VALUES (?1, ?2)"
                               " ON CONFLICT(entry) DO UPDATE SET ref = excluded.ref",
    [QUEUE_SQL_EVENT_INSERT] =
        "INSERT INTO event(entry, key, day, state, agency, answer, photo_field)"
        " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT DO NOTHING",

    [QUEUE_SQL_OUTBOX_INSERT] =
        "INSERT INTO outbox(entry, topic, state, kind, chain, due_ms, attempts, created_ms,"
        " not_before_ms) VALUES (?1, ?2, 0, ?3, ?4, ?5, 0, ?6, ?7)",
    [QUEUE_SQL_OUTBOX_HEAD] = "SELECT n, created_ms, not_before_ms FROM outbox"
                              " INDEXED BY outbox_chain WHERE chain = ?1 AND topic = ?2"
                              " ORDER BY n LIMIT 1",
    [QUEUE_SQL_OUTBOX_DUE] = "UPDATE outbox SET due_ms = ?2 WHERE n = ?1",
    [QUEUE_SQL_OUTBOX_LEASABLE] =
        "SELECT o.n, o.state, e.id, o.kind, o.attempts, o.created_ms, p.bytes"
        " FROM outbox o INDEXED BY outbox_due CROSS JOIN entry e ON e.n = o.entry"
        " LEFT JOIN payload p ON p.n = o.n WHERE o.topic = ?1 AND o.due_ms <= ?2"
        " ORDER BY o.due_ms, o.n LIMIT ?3",
    [QUEUE_SQL_OUTBOX_LEASE] = "UPDATE outbox SET state = 1, due_ms = ?2, token = ?3,"
                               " attempts = attempts + 1 WHERE n = ?1",
    [QUEUE_SQL_OUTBOX_FIND] =
        "SELECT state, topic, chain, entry, token = ?2 FROM outbox WHERE n = ?1",
    [QUEUE_SQL_OUTBOX_FINISH] =
        "UPDATE outbox SET state = 2, chain = NULL, due_ms = NULL, attempts = NULL,"
        " created_ms = NULL, not_before_ms = NULL, token = NULL, reason = NULL WHERE n = ?1",
    [QUEUE_SQL_OUTBOX_RETRY] = "UPDATE outbox SET state = 0, due_ms = ?2, not_before_ms = ?2,"
                               " token = NULL, reason = ?3 WHERE n = ?1",
    [QUEUE_SQL_OUTBOX_BURY] =
        "UPDATE outbox SET state = 3, due_ms = NULL, token = NULL, reason = ?2 WHERE n = ?1",
    [QUEUE_SQL_OUTBOX_REVIVE] = "UPDATE outbox SET state = 0, due_ms = ?2, not_before_ms = 0,"
                                " attempts = 0 WHERE n = ?1",
    [QUEUE_SQL_PAYLOAD_INSERT] = "INSERT INTO payload(n, bytes) VALUES (?1, ?2)",
    [QUEUE_SQL_PAYLOAD_DELETE] = "DELETE FROM payload WHERE n = ?1",

    [QUEUE_SQL_BLOB_INSERT] =
        "INSERT INTO blob(entry, n, field, segment, offset, length, checksum, expires_day)"
        " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
    [QUEUE_SQL_BLOB_NEXT] = "SELECT n + 1 FROM blob WHERE entry = ?1 ORDER BY n DESC LIMIT 1",
    [QUEUE_SQL_BLOB_LIST] = "SELECT entry, n, segment, offset, length FROM blob"
                            " WHERE entry = ?1 AND (?2 IS NULL OR field = ?2) ORDER BY n LIMIT ?3",
    [QUEUE_SQL_BLOB_EXPIRED] =
        "SELECT entry, n, segment, offset, length FROM blob INDEXED BY blob_expires"
        " WHERE expires_day > 0 AND expires_day <= ?1 ORDER BY expires_day, entry, n LIMIT ?3",
    [QUEUE_SQL_BLOB_DELETE] = "DELETE FROM blob WHERE entry = ?1 AND n = ?2",
    [QUEUE_SQL_SEGMENT_ADD] =
        "INSERT INTO segment(id, used, alive) VALUES (?1, ?2, ?3)"
        " ON CONFLICT(id) DO UPDATE SET used = excluded.used, alive = alive + excluded.alive",
    [QUEUE_SQL_SEGMENT_LESS] = "UPDATE segment SET alive = alive - 1 WHERE id = ?1",
    [QUEUE_SQL_SEGMENT_DROP] = "DELETE FROM segment WHERE id = ?1 AND alive = 0",
    [QUEUE_SQL_SEGMENT_LAST] = "SELECT id, used FROM segment ORDER BY id DESC LIMIT 1",
    [QUEUE_SQL_SEGMENT_FIND] = "SELECT 1 FROM segment WHERE id = ?1",
    [QUEUE_SQL_DEAD_INSERT] = "INSERT INTO dead(segment, offset, length) VALUES (?1, ?2, ?3)",
    [QUEUE_SQL_DEAD_LIST] = "SELECT segment, offset, length FROM dead",
    [QUEUE_SQL_DEAD_CLEAR] = "DELETE FROM dead",

    [QUEUE_SQL_CURSOR_SET] = "INSERT INTO cursor(channel_id, name, text) VALUES (?1, ?2, ?3)"
                             " ON CONFLICT(channel_id, name) DO UPDATE SET text = excluded.text",
    [QUEUE_SQL_CURSOR_GET] = "SELECT text FROM cursor WHERE channel_id = ?1 AND name = ?2",
    [QUEUE_SQL_HEALTH_SET] = "INSERT INTO health(channel_id, text) VALUES (?1, ?2)"
                             " ON CONFLICT(channel_id) DO UPDATE SET text = excluded.text",
    [QUEUE_SQL_HEALTH_GET] = "SELECT text FROM health WHERE channel_id = ?1",

    [QUEUE_SQL_REPORT_GET] =
        "SELECT e.kind, e.id, e.channel_id, e.channel_kind, e.parent_id, e.category,"
        " e.kelurahan_code, e.language, c.ref, e.reason, e.public_report, e.received_day,"
        " e.reporter_index, e.segment, e.offset, e.length, e.checksum, e.reporter_len, e.reply_len"
        " FROM entry e LEFT JOIN core_ref c ON c.entry = e.n WHERE e.id = ?1",
    [QUEUE_SQL_BLOB_PLACE] =
        "SELECT b.segment, b.offset, b.length, b.checksum FROM entry e CROSS JOIN blob b"
        " ON b.entry = e.n WHERE e.id = ?1 AND b.field = ?2",
    [QUEUE_SQL_BLOB_FIELDS] = "SELECT b.field FROM entry e CROSS JOIN blob b ON b.entry = e.n"
                              " WHERE e.id = ?1 ORDER BY b.n LIMIT ?2",
    [QUEUE_SQL_TIMELINE] =
        "SELECT v.day, v.state, v.agency, v.answer, v.photo_field FROM entry e CROSS JOIN event v"
        " ON v.entry = e.n WHERE e.id = ?1 ORDER BY v.day, v.n",
    [QUEUE_SQL_ROWS_OPEN] = ROWS_OF_TOPIC("0") " UNION ALL " ROWS_OF_TOPIC("1") " ORDER BY 1"
                                                                                " LIMIT ?3",
    [QUEUE_SQL_ROWS_DONE] = "SELECT" ROW_COLUMNS " FROM outbox o CROSS JOIN entry e"
                            " ON e.n = o.entry WHERE o.state = ?1 AND o.n > ?2 ORDER BY o.n"
                            " LIMIT ?3",
    [QUEUE_SQL_IDS_REPORTS] = "SELECT id FROM entry NOT INDEXED WHERE kind = ?1" IDS_AFTER,
    [QUEUE_SQL_IDS_OTHERS] =
        "SELECT id FROM entry INDEXED BY entry_kind WHERE kind = ?1 AND kind <> 0" IDS_AFTER,
    [QUEUE_SQL_FOLLOWUPS] = "SELECT id FROM entry INDEXED BY entry_parent"
                            " WHERE parent_id = ?1 AND kind = 1 ORDER BY n LIMIT ?2",
    [QUEUE_SQL_OLDEST_WAITING] =
        "SELECT created_ms FROM outbox INDEXED BY outbox_state"
        " WHERE state = 0 AND state <> 2 AND topic = ?1 ORDER BY n LIMIT 1",
};
