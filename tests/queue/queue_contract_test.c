/* SPDX-License-Identifier: Apache-2.0 */
/* The contract of queue.h, run on every engine: entries, keys, blobs, timelines, lists, limits. */
#include "tests/queue/fixture.h"

#define ID_A "AAAAAAAAAAAA"
#define ID_B "BBBBBBBBBBBB"
#define ID_C "CCCCCCCCCCCC"

static void test_report_round_trip(void **state)
{
    struct fixture *f = *state;
    struct sample s;
    sample_init(&s, ID_A, 1);
    unsigned char index[QUEUE_INDEX_SIZE] = {1, 2, 3};
    s.entry.reporter_index = index;
    s.entry.category = "jalan";
    s.entry.language = "id";
    s.entry.public_report = true;
    s.entry.body = (struct queue_bytes){"a\0b", 3};
    assert_int_equal(accept_entry(f, &s.entry), QUEUE_STORED);

    struct queue_report report;
    assert_int_equal(queue_report_get(f->queue, ID_A, &report, &f->err), 1);
    assert_int_equal(report.kind, QUEUE_REPORT);
    assert_string_equal(report.id, ID_A);
    assert_string_equal(report.parent_id, "");
    assert_string_equal(report.channel_id, "surel-uji");
    assert_string_equal(report.channel_kind, "email");
    assert_string_equal(report.category, "jalan");
    assert_string_equal(report.kelurahan_code, "");
    assert_string_equal(report.language, "id");
    assert_string_equal(report.core_ref, "");
    assert_string_equal(report.reason, "");
    assert_true(report.public_report);
    assert_int_equal(report.received_day, DAY);
    assert_true(report.has_reporter_index);
    assert_memory_equal(report.reporter_index, index, sizeof index);
    assert_int_equal(report.body.len, 3);
    assert_memory_equal(report.body.data, "a\0b", 3);
    assert_string_equal(report.reporter.data, "reporter");
    assert_string_equal(report.reply.data, "reply");
    queue_report_release(&report);
    assert_int_equal(queue_report_get(f->queue, ID_B, &report, &f->err), 0);
    queue_report_release(&report);
}

static void test_survives_reopen(void **state)
{
    struct fixture *f = *state;
    if (strcmp(f->engine, "memory") == 0)
        return;
    struct sample s;
    sample_init(&s, ID_A, 1);
    s.entry.blobs[0] = (struct queue_blob){.field = "original", .data = bytes_of("bytes")};
    s.entry.blob_count = 1;
    assert_int_equal(accept_entry(f, &s.entry), QUEUE_STORED);
    fixture_close(f);
    fixture_open(f);
    assert_int_equal(accept_entry(f, &s.entry), QUEUE_KNOWN);
    assert_blob(f, ID_A, "original", "bytes");
    accept_report(f, ID_B, 2);
    assert_int_equal(lease_count(f, 1, NOW), 2);
}

static void test_duplicate_key(void **state)
{
    struct fixture *f = *state;
    struct sample first;
    struct sample second;
    sample_init(&first, ID_A, 1);
    sample_init(&second, ID_B, 1);
    second.entry.blobs[0] = (struct queue_blob){.field = "original", .data = bytes_of("twice")};
    second.entry.blob_count = 1;
    struct queue_op ops[] = {{.kind = QUEUE_ACCEPT, .entry = &first.entry},
                             {.kind = QUEUE_ACCEPT, .entry = &second.entry}};
    apply_all(f, ops, 2, NOW);
    assert_int_equal(ops[0].result, QUEUE_STORED);
    assert_int_equal(ops[1].result, QUEUE_KNOWN);
    assert_string_equal(ops[1].known_id, ID_A);
    assert_false(ops[1].fingerprint_differs);

    second.fingerprint[31] ^= 1;
    apply_all(f, ops, 2, NOW);
    assert_int_equal(ops[0].result, QUEUE_KNOWN);
    assert_false(ops[0].fingerprint_differs);
    assert_int_equal(ops[1].result, QUEUE_KNOWN);
    assert_true(ops[1].fingerprint_differs);

    struct queue_stats stats;
    assert_int_equal(queue_stats(f->queue, &stats, &f->err), 0);
    assert_int_equal(stats.reports, 1);
    assert_int_equal(stats.waiting[QUEUE_TO_CORE], 1);
    assert_blob(f, ID_B, "original", NULL);
}

static void test_id_taken(void **state)
{
    struct fixture *f = *state;
    struct sample s;
    accept_report(f, ID_A, 1);
    sample_init(&s, ID_A, 2);
    assert_int_equal(accept_entry(f, &s.entry), QUEUE_LOST);
    s.entry.id = ID_B;
    assert_int_equal(accept_entry(f, &s.entry), QUEUE_STORED);
    assert_int_equal(lease_count(f, 1, NOW), 2);
}

static void test_blobs(void **state)
{
    struct fixture *f = *state;
    struct sample s;
    sample_init(&s, ID_A, 1);
    s.entry.blobs[0] = (struct queue_blob){.field = "original", .data = bytes_of("as sent")};
    s.entry.blobs[1] = (struct queue_blob){.field = "photo:2", .data = bytes_of("second")};
    s.entry.blobs[2] = (struct queue_blob){.field = "photo:1", .data = bytes_of("")};
    s.entry.blob_count = 3;
    accept_entry(f, &s.entry);
    assert_blob(f, ID_A, "original", "as sent");
    assert_blob(f, ID_A, "photo:1", "");
    assert_blob(f, ID_A, "photo:3", NULL);

    char fields[2][QUEUE_WORD_MAX];
    size_t n = 0;
    assert_int_equal(queue_blob_list(f->queue, ID_A, fields, 2, &n, &f->err), 0);
    assert_int_equal(n, 2);
    assert_string_equal(fields[0], "original");
    assert_string_equal(fields[1], "photo:2");
    assert_int_equal(queue_blob_list(f->queue, ID_B, fields, 2, &n, &f->err), 0);
    assert_int_equal(n, 0);
}

static void test_blob_erase(void **state)
{
    struct fixture *f = *state;
    struct sample s;
    sample_init(&s, ID_A, 1);
    s.entry.blobs[0] = (struct queue_blob){.field = "original", .data = bytes_of("one")};
    s.entry.blobs[1] = (struct queue_blob){.field = "photo:1", .data = bytes_of("two")};
    s.entry.blobs[2] = (struct queue_blob){.field = "photo:2", .data = bytes_of("three")};
    s.entry.blob_count = 3;
    accept_entry(f, &s.entry);
    const struct queue_entry named = {.id = ID_A};
    struct queue_op op = {.kind = QUEUE_BLOB_ERASE, .entry = &named, .text = "photo:1"};
    assert_int_equal(apply_one(f, &op, NOW), QUEUE_STORED);
    assert_blob(f, ID_A, "photo:1", NULL);
    assert_blob(f, ID_A, "original", "one");
    op.text = NULL;
    assert_int_equal(apply_one(f, &op, NOW), QUEUE_STORED);
    assert_blob(f, ID_A, "original", NULL);
    assert_blob(f, ID_A, "photo:2", NULL);
    const struct queue_entry unknown = {.id = ID_B};
    op.entry = &unknown;
    assert_int_equal(apply_one(f, &op, NOW), QUEUE_LOST);
    accept_report(f, ID_C, 3);
}

static void test_expire(void **state)
{
    struct fixture *f = *state;
    struct sample s;
    sample_init(&s, ID_A, 1);
    s.entry.blobs[0] =
        (struct queue_blob){.field = "a", .data = bytes_of("1"), .expires_day = DAY + 30};
    s.entry.blobs[1] =
        (struct queue_blob){.field = "b", .data = bytes_of("2"), .expires_day = DAY + 31};
    s.entry.blobs[2] = (struct queue_blob){.field = "c", .data = bytes_of("3")};
    s.entry.blob_count = 3;
    accept_entry(f, &s.entry);
    struct queue_op op = {.kind = QUEUE_EXPIRE, .day = DAY + 30};
    assert_int_equal(apply_one(f, &op, NOW), QUEUE_STORED);
    assert_blob(f, ID_A, "a", NULL);
    assert_blob(f, ID_A, "b", "2");
    op.day = DAY + 3000;
    assert_int_equal(apply_one(f, &op, NOW), QUEUE_STORED);
    assert_blob(f, ID_A, "b", NULL);
    assert_blob(f, ID_A, "c", "3");
}

/* Accepts an entry in quarantine that keeps its original. */
static void quarantine(struct fixture *f, const char *id, unsigned number)
{
    struct sample s;
    sample_init(&s, id, number);
    s.entry.kind = QUEUE_QUARANTINE;
    s.entry.reason = "worker_killed";
    s.entry.body = (struct queue_bytes){NULL, 0};
    s.entry.outbox_count = 0;
    s.entry.blobs[0] = (struct queue_blob){.field = "original", .data = bytes_of("raw")};
    s.entry.blob_count = 1;
    assert_int_equal(accept_entry(f, &s.entry), QUEUE_STORED);
}

static void test_resolve(void **state)
{
    struct fixture *f = *state;
    struct sample s;
    quarantine(f, ID_A, 1);
    sample_init(&s, ID_A, 2);
    s.entry.blobs[0] = (struct queue_blob){.field = "photo:1", .data = bytes_of("photo")};
    s.entry.blob_count = 1;
    struct queue_op op = {.kind = QUEUE_RESOLVE, .entry = &s.entry};
    assert_int_equal(apply_one(f, &op, NOW), QUEUE_STORED);
    assert_blob(f, ID_A, "original", "raw");
    assert_blob(f, ID_A, "photo:1", "photo");

    struct queue_report report;
    assert_int_equal(queue_report_get(f->queue, ID_A, &report, &f->err), 1);
    assert_int_equal(report.kind, QUEUE_REPORT);
    assert_string_equal(report.reason, "");
    assert_string_equal(report.body.data, "body");
    queue_report_release(&report);
    assert_int_equal(lease_count(f, 1, NOW), 1);

    assert_int_equal(apply_one(f, &op, NOW), QUEUE_LOST);
    for (unsigned number = 1; number <= 2; number++) {
        sample_init(&s, ID_B, number);
        assert_int_equal(accept_entry(f, &s.entry), QUEUE_KNOWN);
    }
    struct queue_stats stats;
    assert_int_equal(queue_stats(f->queue, &stats, &f->err), 0);
    assert_int_equal(stats.quarantined, 0);
    assert_int_equal(stats.reports, 1);
}

static void test_resolve_same_key(void **state)
{
    struct fixture *f = *state;
    struct sample s;
    quarantine(f, ID_A, 1);
    sample_init(&s, ID_A, 1);
    s.entry.blobs[0] = (struct queue_blob){.field = "original", .data = bytes_of("again")};
    s.entry.blob_count = 1;
    struct queue_op op = {.kind = QUEUE_RESOLVE, .entry = &s.entry};
    assert_int_equal(apply_one(f, &op, NOW), QUEUE_STORED);
    assert_string_equal(op.known_id, "");
    assert_blob(f, ID_A, "original", "again");
}

static void test_resolve_refused(void **state)
{
    struct fixture *f = *state;
    struct sample s;
    accept_report(f, ID_A, 1);
    quarantine(f, ID_B, 2);
    sample_init(&s, ID_B, 1);
    struct queue_op op = {.kind = QUEUE_RESOLVE, .entry = &s.entry};
    assert_int_equal(apply_one(f, &op, NOW), QUEUE_KNOWN);
    assert_string_equal(op.known_id, ID_A);
    s.entry.id = ID_C;
    assert_int_equal(apply_one(f, &op, NOW), QUEUE_LOST);

    struct queue_report report;
    assert_int_equal(queue_report_get(f->queue, ID_B, &report, &f->err), 1);
    assert_int_equal(report.kind, QUEUE_QUARANTINE);
    assert_string_equal(report.reason, "worker_killed");
    queue_report_release(&report);
    assert_int_equal(lease_count(f, 1, NOW), 1);
}

static void test_events(void **state)
{
    struct fixture *f = *state;
    accept_report(f, ID_A, 1);
    const struct queue_event event = {.report_id = ID_A,
                                      .key = "u1",
                                      .day = DAY + 2,
                                      .state = "Proses",
                                      .agency = "Bina Marga",
                                      .photo_field = "evidence:1",
                                      .photo = bytes_of("jpeg")};
    struct queue_op op = {
        .kind = QUEUE_EVENT,
        .event = &event,
        .has_outbox = true,
        .outbox = {.topic = QUEUE_TO_REPORTER, .kind = "status", .payload = bytes_of("p")}};
    assert_int_equal(apply_one(f, &op, NOW), QUEUE_STORED);
    assert_int_equal(apply_one(f, &op, NOW), QUEUE_KNOWN);
    assert_blob(f, ID_A, "evidence:1", "jpeg");
    const struct queue_event earlier = {.report_id = ID_A,
                                        .key = "u0",
                                        .day = DAY + 1,
                                        .state = "Koordinasi",
                                        .answer = "ditinjau"};
    op.event = &earlier;
    op.has_outbox = false;
    assert_int_equal(apply_one(f, &op, NOW), QUEUE_STORED);
    const struct queue_event unknown = {.report_id = ID_B, .key = "u0", .state = "Proses"};
    op.event = &unknown;
    assert_int_equal(apply_one(f, &op, NOW), QUEUE_LOST);

    struct queue_timeline_item *items = NULL;
    size_t n = 0;
    assert_int_equal(queue_timeline(f->queue, ID_A, &items, &n, &f->err), 0);
    assert_int_equal(n, 2);
    assert_string_equal(items[0].state, "Koordinasi");
    assert_string_equal(items[0].answer, "ditinjau");
    assert_null(items[0].photo_field);
    assert_int_equal(items[1].day, DAY + 2);
    assert_string_equal(items[1].agency, "Bina Marga");
    assert_string_equal(items[1].photo_field, "evidence:1");
    assert_null(items[1].answer);
    queue_timeline_free(items, n);

    struct queue_stats stats;
    assert_int_equal(queue_stats(f->queue, &stats, &f->err), 0);
    assert_int_equal(stats.waiting[QUEUE_TO_REPORTER], 1);
}

static void assert_text(int found, struct buf *out, const char *want)
{
    assert_int_equal(found, want != NULL);
    assert_string_equal(out->data, want == NULL ? "" : want);
    buf_release(out);
}

static void test_cursors_and_health(void **state)
{
    struct fixture *f = *state;
    struct buf out = BUF_INIT(QUEUE_TEXT_MAX);
    struct queue_op ops[] = {
        {.kind = QUEUE_CURSOR, .channel_id = "a", .name = "INBOX", .text = "1:5"},
        {.kind = QUEUE_CURSOR, .channel_id = "a", .name = "Junk", .text = ""},
        {.kind = QUEUE_CURSOR, .channel_id = "a", .name = "INBOX", .text = "1:6"},
        {.kind = QUEUE_HEALTH, .channel_id = "a", .text = "ok"},
    };
    apply_all(f, ops, 4, NOW);
    assert_text(queue_cursor_get(f->queue, "a", "INBOX", &out, &f->err), &out, "1:6");
    assert_text(queue_cursor_get(f->queue, "a", "Junk", &out, &f->err), &out, "");
    assert_text(queue_cursor_get(f->queue, "b", "INBOX", &out, &f->err), &out, NULL);
    assert_text(queue_health_get(f->queue, "a", &out, &f->err), &out, "ok");
    assert_text(queue_health_get(f->queue, "b", &out, &f->err), &out, NULL);
}

static void test_ids_in_pages(void **state)
{
    struct fixture *f = *state;
    enum { COUNT = QUEUE_LIST_MAX + 20 };
    for (unsigned i = 0; i < COUNT; i += 100) {
        struct sample samples[100];
        struct queue_op ops[100];
        char names[100][REPORT_ID_SIZE];
        size_t n = 0;
        for (; n < 100 && i + n < COUNT; n++) {
            unsigned number = i + (unsigned)n;
            snprintf(names[n], sizeof names[n], "R%06u", number);
            sample_init(&samples[n], names[n], number);
            samples[n].entry.kind = number % 10 == 9 ? QUEUE_NOT_REPORT : QUEUE_REPORT;
            ops[n] = (struct queue_op){.kind = QUEUE_ACCEPT, .entry = &samples[n].entry};
        }
        apply_all(f, ops, n, NOW);
    }
    char(*ids)[REPORT_ID_SIZE] = NULL;
    size_t n = 0;
    assert_int_equal(queue_ids(f->queue, QUEUE_REPORT, NULL, &ids, &n, &f->err), 0);
    assert_int_equal(n, 918);
    assert_string_equal(ids[0], "R000000");
    free(ids);
    assert_int_equal(queue_ids(f->queue, QUEUE_REPORT, "R001016", &ids, &n, &f->err), 0);
    assert_int_equal(n, 2);
    assert_string_equal(ids[0], "R001017");
    free(ids);
    assert_int_equal(queue_ids(f->queue, QUEUE_NOT_REPORT, "R000019", &ids, &n, &f->err), 0);
    assert_int_equal(n, 100);
    assert_string_equal(ids[0], "R000029");
    free(ids);
    assert_int_equal(queue_ids(f->queue, QUEUE_QUARANTINE, NULL, &ids, &n, &f->err), 0);
    assert_int_equal(n, 0);
    free(ids);

    struct queue_row *rows = NULL;
    assert_int_equal(queue_rows(f->queue, QUEUE_WAITING, 0, &rows, &n, &f->err), 0);
    assert_int_equal(n, QUEUE_LIST_MAX);
    int64_t last = rows[n - 1].id;
    free(rows);
    assert_int_equal(queue_rows(f->queue, QUEUE_WAITING, last, &rows, &n, &f->err), 0);
    assert_int_equal(n, 20);
    assert_string_equal(rows[19].report_id, "R001019");
    free(rows);
}

static void test_followups(void **state)
{
    struct fixture *f = *state;
    struct sample s;
    accept_report(f, ID_A, 1);
    sample_init(&s, ID_B, 2);
    s.entry.kind = QUEUE_FOLLOWUP;
    s.entry.parent_id = ID_A;
    assert_int_equal(accept_entry(f, &s.entry), QUEUE_STORED);
    char(*ids)[REPORT_ID_SIZE] = NULL;
    size_t n = 0;
    assert_int_equal(queue_followups(f->queue, ID_A, &ids, &n, &f->err), 0);
    assert_int_equal(n, 1);
    assert_string_equal(ids[0], ID_B);
    free(ids);
    assert_int_equal(queue_followups(f->queue, ID_B, &ids, &n, &f->err), 0);
    assert_int_equal(n, 0);
    free(ids);
    struct queue_stats stats;
    assert_int_equal(queue_stats(f->queue, &stats, &f->err), 0);
    assert_int_equal(stats.followups, 1);
}

static void test_limits(void **state)
{
    struct fixture *f = *state;
    static char long_word[QUEUE_WORD_MAX + 1];
    memset(long_word, 'x', QUEUE_WORD_MAX);
    struct sample good;
    sample_init(&good, ID_A, 1);
    struct sample bad[7];
    for (size_t i = 0; i < 7; i++)
        sample_init(&bad[i], ID_B, 2);
    bad[0].entry.id = "AAAAAAAAAAAAA";
    bad[1].entry.channel_id = long_word;
    bad[2].entry.body.len = QUEUE_BODY_MAX + 1;
    bad[3].entry.outbox[0].kind = "a-kind-of-more-than-31-characters";
    bad[4].entry.blob_count = 2;
    bad[4].entry.blobs[0].field = bad[4].entry.blobs[1].field = "original";
    bad[5].entry.dedup_key = NULL;
    bad[6].entry.outbox_count = QUEUE_OUTBOX_PER_ENTRY_MAX + 1;
    for (size_t i = 0; i < 7; i++) {
        struct queue_op ops[] = {{.kind = QUEUE_ACCEPT, .entry = &good.entry},
                                 {.kind = QUEUE_ACCEPT, .entry = &bad[i].entry}};
        struct queue_op *list[] = {&ops[0], &ops[1]};
        err_clear(&f->err);
        assert_int_equal(queue_apply(f->queue, list, 2, NOW, &f->err), -1);
        assert_int_equal(f->err.kind, ERR_CONFIG);
        assert_int_equal(ops[0].result, QUEUE_PENDING);
    }
    static struct queue_op *many[QUEUE_OPS_MAX + 1];
    err_clear(&f->err);
    assert_int_equal(queue_apply(f->queue, many, QUEUE_OPS_MAX + 1, NOW, &f->err), -1);
    assert_int_equal(queue_apply(f->queue, many, 0, NOW, &f->err), 0);
    struct queue_stats stats;
    assert_int_equal(queue_stats(f->queue, &stats, &f->err), 0);
    assert_int_equal(stats.reports, 0);
}

static void test_unknown_engine(void **state)
{
    struct fixture *f = *state;
    struct queue *queue = NULL;
    const struct queue_options options = {.path = f->folder};
    err_clear(&f->err);
    assert_int_equal(queue_open("paper", &options, NOW, &queue, &f->err), -1);
    assert_int_equal(f->err.kind, ERR_CONFIG);
    assert_null(queue);
}

int main(void)
{
    static const struct engine_case cases[] = {
        {"a report comes back as it went in", test_report_round_trip},
        {"what was accepted survives a reopen", test_survives_reopen},
        {"a duplicate key stores once", test_duplicate_key},
        {"an id in use is refused and its key stays free", test_id_taken},
        {"blobs", test_blobs},
        {"erased blobs are gone", test_blob_erase},
        {"blobs expire by day", test_expire},
        {"a resolved entry keeps its original and both keys", test_resolve},
        {"a resolved entry may keep its key", test_resolve_same_key},
        {"a resolution that must not happen changes nothing", test_resolve_refused},
        {"events apply once", test_events},
        {"cursors and health", test_cursors_and_health},
        {"ids and rows come in pages", test_ids_in_pages},
        {"follow-ups are found by their parent", test_followups},
        {"limits refuse the whole transaction", test_limits},
        {"an unknown engine is refused", test_unknown_engine},
    };
    return run_on_engines(cases, sizeof cases / sizeof cases[0]);
}
