/* SPDX-License-Identifier: Apache-2.0 */
/* What the sqlite engine owes beyond the contract: refusals at open, readers beside the writer,
 * damage, erasure on the disk, statements driven by indexes. */
#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/wait.h>

#include <sqlite3.h>

#include "queue/queue_sqlite_sql.h"
#include "tests/queue/fixture.h"

#define ID_A "AAAAAAAAAAAA"
#define ID_B "BBBBBBBBBBBB"
#define ID_C "CCCCCCCCCCCC"

static void accept_blob(struct fixture *f, const char *id, unsigned number, const char *bytes,
                        size_t len)
{
    struct sample s;
    sample_init(&s, id, number);
    s.entry.blobs[0] = (struct queue_blob){.field = "original", .data = {bytes, len}};
    s.entry.blob_count = 1;
    assert_int_equal(accept_entry(f, &s.entry), QUEUE_STORED);
}

static void path_of(const struct fixture *f, const char *name, char path[static 256])
{
    snprintf(path, 256, "%s/%s", f->folder, name);
}

static void run_sql(const struct fixture *f, const char *sql)
{
    char path[256];
    sqlite3 *handle = NULL;
    path_of(f, "queue.db", path);
    assert_int_equal(sqlite3_open(path, &handle), SQLITE_OK);
    assert_int_equal(sqlite3_exec(handle, sql, NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_close(handle), SQLITE_OK);
}

static void assert_open_refused(struct fixture *f, bool check, enum err_kind kind)
{
    struct queue *queue = NULL;
    const struct queue_options options = {.path = f->folder, .check = check};
    err_clear(&f->err);
    assert_int_equal(queue_open("sqlite", &options, NOW, &queue, &f->err), -1);
    assert_int_equal(f->err.kind, kind);
    assert_null(queue);
}

static void test_second_writer(void **state)
{
    struct fixture *f = *state;
    assert_open_refused(f, false, ERR_CONFIG);
    assert_non_null(strstr(f->err.text, "held by another process"));
    accept_report(f, ID_A, 1);
    pid_t child = fork();
    if (child == 0) {
        struct queue *queue = NULL;
        _exit(fixture_try_open(f, false, &queue) == -1 && f->err.kind == ERR_CONFIG ? 0 : 1);
    }
    int status = -1;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    accept_report(f, ID_B, 2);
}

static void test_newer_schema(void **state)
{
    struct fixture *f = *state;
    fixture_close(f);
    run_sql(f, "PRAGMA user_version = 99");
    assert_open_refused(f, false, ERR_CONFIG);
    assert_non_null(strstr(f->err.text, "newer kanal"));
    run_sql(f, "PRAGMA user_version = 1");
    fixture_open(f);
}

static void test_other_database(void **state)
{
    struct fixture *f = *state;
    fixture_close(f);
    run_sql(f, "PRAGMA application_id = 7");
    assert_open_refused(f, false, ERR_CONFIG);
}

static void overwrite(const char *path, off_t offset, const void *bytes, size_t len)
{
    int file = open(path, O_RDWR);
    assert_true(file >= 0);
    assert_int_equal(pwrite(file, bytes, len, offset), (ssize_t)len);
    close(file);
}

static void test_damaged_database(void **state)
{
    struct fixture *f = *state;
    static const char garbage[4096 * 4] = {1, 2, 3};
    char path[256];
    for (unsigned i = 0; i < 200; i++) {
        char id[REPORT_ID_SIZE];
        snprintf(id, sizeof id, "R%u", i);
        accept_report(f, id, i);
    }
    fixture_close(f);
    path_of(f, "queue.db", path);
    overwrite(path, 4096 * 3, garbage, sizeof garbage);
    assert_open_refused(f, true, ERR_PERMANENT);
    overwrite(path, 0, garbage, 100);
    assert_open_refused(f, false, ERR_PERMANENT);
}

static void test_damaged_blob(void **state)
{
    struct fixture *f = *state;
    char path[256];
    accept_blob(f, ID_A, 1, "the first one", 13);
    accept_blob(f, ID_B, 2, "the second one", 14);
    path_of(f, "segments/00000001.seg", path);
    struct stat stat_of;
    assert_int_equal(stat(path, &stat_of), 0);
    overwrite(path, stat_of.st_size - 1, "X", 1);
    struct buf out = BUF_INIT(QUEUE_BLOB_MAX);
    assert_int_equal(queue_blob_get(f->queue, ID_B, "original", &out, &f->err), -1);
    assert_int_equal(f->err.kind, ERR_PERMANENT);
    assert_int_equal(out.len, 0);
    buf_release(&out);
    err_clear(&f->err);
    assert_blob(f, ID_A, "original", "the first one");
    struct queue_report report;
    assert_int_equal(queue_report_get(f->queue, ID_B, &report, &f->err), 1);
    queue_report_release(&report);

    overwrite(path, 20, "X", 1);
    assert_int_equal(queue_report_get(f->queue, ID_A, &report, &f->err), -1);
    assert_int_equal(f->err.kind, ERR_PERMANENT);
    queue_report_release(&report);
}

static void test_reader_beside_the_writer(void **state)
{
    struct fixture *f = *state;
    struct queue *writer = f->queue;
    struct queue *reader = NULL;
    accept_blob(f, ID_A, 1, "abc", 3);
    assert_int_equal(fixture_try_open(f, true, &reader), 0);
    accept_blob(f, ID_B, 2, "def", 3);
    f->queue = reader;
    assert_blob(f, ID_B, "original", "def");
    struct queue_op op = {.kind = QUEUE_EXPIRE, .day = DAY};
    struct queue_op *ops[] = {&op};
    assert_int_equal(queue_apply(reader, ops, 1, NOW, &f->err), -1);
    assert_int_equal(f->err.kind, ERR_CONFIG);
    queue_close(writer);
    assert_blob(f, ID_A, "original", "abc");
    fixture_close(f);
    assert_int_equal(fixture_try_open(f, true, &f->queue), 0);
    assert_blob(f, ID_A, "original", "abc");
    fixture_close(f);
    fixture_open(f);
    accept_report(f, ID_C, 3);
}

static void test_nothing_to_read(void **state)
{
    struct fixture *f = *state;
    struct fixture empty;
    struct queue *queue = NULL;
    fixture_init(&empty, f->engine);
    assert_int_equal(fixture_try_open(&empty, true, &queue), -1);
    assert_int_equal(empty.err.kind, ERR_CONFIG);
    fixture_release(&empty);
}

/* How often a text lies in the files of the folder. */
static int occurrences(const struct fixture *f, const char *text)
{
    char command[256];
    snprintf(command, sizeof command, "grep -rlaF '%s' %s | wc -l", text, f->folder);
    FILE *out = popen(command, "r");
    int n = -1;
    assert_non_null(out);
    assert_int_equal(fscanf(out, "%d", &n), 1);
    pclose(out);
    return n;
}

static void test_erased_is_gone_from_disk(void **state)
{
    struct fixture *f = *state;
    struct sample s;
    accept_blob(f, ID_B, 2, "stays-here-5591", 15);
    sample_init(&s, ID_A, 1);
    s.entry.blobs[0] = (struct queue_blob){.field = "original", .data = bytes_of("photo-7702")};
    s.entry.blob_count = 1;
    s.entry.outbox[0].payload = bytes_of("payload-3318");
    assert_int_equal(accept_entry(f, &s.entry), QUEUE_STORED);
    assert_int_equal(occurrences(f, "photo-7702"), 1);
    const struct queue_entry named = {.id = ID_A};
    struct queue_op op = {.kind = QUEUE_BLOB_ERASE, .entry = &named};
    assert_int_equal(apply_one(f, &op, NOW), QUEUE_STORED);
    assert_int_equal(occurrences(f, "photo-7702"), 0);
    struct queue_lease leases[2];
    assert_int_equal(lease_rows(f, leases, 2, 1, NOW), 2);
    for (size_t i = 0; i < 2; i++) {
        buf_release(&leases[i].payload);
        lease_op(f, QUEUE_FINISH, &leases[i], 0, NULL, NOW);
    }
    fixture_close(f);
    assert_int_equal(occurrences(f, "payload-3318"), 0);
    assert_int_equal(occurrences(f, "stays-here-5591"), 1);
    fixture_open(f);
    assert_blob(f, ID_B, "original", "stays-here-5591");
}

/* An erasure that a crash cut short is finished at the next open. */
static void test_erasure_is_finished(void **state)
{
    struct fixture *f = *state;
    accept_blob(f, ID_A, 1, "left-behind-8841", 16);
    accept_report(f, ID_B, 2);
    fixture_close(f);
    run_sql(f, "INSERT INTO dead SELECT segment, offset, length + 16 FROM blob;"
               "DELETE FROM blob; UPDATE segment SET alive = alive - 1;");
    assert_int_equal(occurrences(f, "left-behind-8841"), 1);
    fixture_open(f);
    assert_int_equal(occurrences(f, "left-behind-8841"), 0);
    struct queue_report report;
    assert_int_equal(queue_report_get(f->queue, ID_B, &report, &f->err), 1);
    queue_report_release(&report);
}

static void test_leases_end_with_their_holder(void **state)
{
    struct fixture *f = *state;
    struct queue_lease before;
    struct queue_lease after;
    memset(&before, 0, sizeof before);
    memset(&after, 0, sizeof after);
    buf_init(&before.payload, QUEUE_PAYLOAD_MAX);
    buf_init(&after.payload, QUEUE_PAYLOAD_MAX);
    accept_report(f, ID_A, 1);
    assert_int_equal(lease_rows(f, &before, 1, 1, NOW), 1);
    assert_int_equal(lease_count(f, 2, NOW + 1), 0);
    fixture_close(f);
    fixture_open(f);
    assert_int_equal(lease_rows(f, &after, 1, 3, NOW + 2), 1);
    assert_int_equal(after.id, before.id);
    assert_int_equal(after.attempts, 1);
    assert_int_equal(lease_op(f, QUEUE_FINISH, &before, 0, NULL, NOW + 3), QUEUE_LOST);
    assert_int_equal(lease_op(f, QUEUE_FINISH, &after, 0, NULL, NOW + 3), QUEUE_STORED);
    buf_release(&before.payload);
    buf_release(&after.payload);
}

static bool segment_there(const struct fixture *f, int number)
{
    char name[64];
    char path[256];
    snprintf(name, sizeof name, "segments/%08d.seg", number);
    path_of(f, name, path);
    return access(path, F_OK) == 0;
}

static void test_dead_space_is_freed_at_open(void **state)
{
    struct fixture *f = *state;
    char path[256];
    accept_blob(f, ID_A, 1, "abc", 3);
    fixture_close(f);
    path_of(f, "segments/00000001.seg", path);
    struct stat before;
    struct stat after;
    assert_int_equal(stat(path, &before), 0);
    overwrite(path, before.st_size, "tail of a lost commit", 21);
    path_of(f, "segments/00000007.seg", path);
    close(open(path, O_RDWR | O_CREAT, 0600));
    fixture_open(f);
    path_of(f, "segments/00000001.seg", path);
    assert_int_equal(stat(path, &after), 0);
    assert_int_equal(after.st_size, before.st_size);
    assert_false(segment_there(f, 7));
    accept_blob(f, ID_B, 2, "def", 3);
    assert_blob(f, ID_A, "original", "abc");
    assert_blob(f, ID_B, "original", "def");
}

static void test_segments_roll_over(void **state)
{
    struct fixture *f = *state;
    static char large[QUEUE_BLOB_MAX];
    char id[REPORT_ID_SIZE];
    for (unsigned i = 0; i < 7; i++) {
        snprintf(id, sizeof id, "R%u", i);
        memset(large, (int)i, sizeof large);
        struct sample s;
        sample_init(&s, id, i);
        s.entry.body = s.entry.reporter = s.entry.reply = (struct queue_bytes){NULL, 0};
        s.entry.blobs[0] =
            (struct queue_blob){.field = "p", .data = {large, sizeof large}, .expires_day = 5};
        s.entry.blob_count = 1;
        assert_int_equal(accept_entry(f, &s.entry), QUEUE_STORED);
    }
    assert_true(segment_there(f, 1));
    assert_true(segment_there(f, 2));
    struct buf out = BUF_INIT(QUEUE_BLOB_MAX);
    assert_int_equal(queue_blob_get(f->queue, "R6", "p", &out, &f->err), 1);
    assert_memory_equal(out.data, large, sizeof large);
    buf_release(&out);
    struct queue_op op = {.kind = QUEUE_EXPIRE, .day = 5};
    assert_int_equal(apply_one(f, &op, NOW), QUEUE_STORED);
    assert_false(segment_there(f, 1));
    assert_false(segment_there(f, 2));
    accept_blob(f, ID_A, 99, "after", 5);
    fixture_close(f);
    fixture_open(f);
    assert_blob(f, ID_A, "original", "after");
}

struct reading {
    struct queue *queue;
    atomic_bool stop;
    atomic_int found, wrong;
};

/* Reads what the writer keeps adding and erasing: there whole or not at all. */
static void *read_until_stopped(void *context)
{
    struct reading *reading = context;
    struct buf out = BUF_INIT(QUEUE_BLOB_MAX);
    while (!atomic_load(&reading->stop)) {
        struct err err = ERR_INIT;
        struct queue_report report;
        int found = queue_blob_get(reading->queue, ID_A, "photo", &out, &err);
        int there = queue_report_get(reading->queue, ID_A, &report, &err);
        if (found < 0 || (found == 1 && strcmp(out.data, "bytes") != 0) || there != 1)
            atomic_fetch_add(&reading->wrong, 1);
        atomic_fetch_add(&reading->found, found == 1);
        queue_report_release(&report);
        buf_clear(&out);
    }
    buf_release(&out);
    return NULL;
}

static void test_readers_in_threads(void **state)
{
    struct fixture *f = *state;
    struct reading reading = {.queue = f->queue};
    pthread_t threads[3];
    accept_report(f, ID_A, 1);
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, read_until_stopped, &reading), 0);
    const struct queue_entry named = {.id = ID_A};
    for (int i = 0; i < 2000 && (i < 100 || atomic_load(&reading.found) < 10); i++) {
        char key[16];
        snprintf(key, sizeof key, "%d", i);
        const struct queue_event event = {.report_id = ID_A,
                                          .key = key,
                                          .state = "Proses",
                                          .photo_field = "photo",
                                          .photo = bytes_of("bytes")};
        struct queue_op add = {.kind = QUEUE_EVENT, .event = &event};
        struct queue_op erase = {.kind = QUEUE_BLOB_ERASE, .entry = &named};
        assert_int_equal(apply_one(f, &add, NOW), QUEUE_STORED);
        assert_int_equal(apply_one(f, &erase, NOW), QUEUE_STORED);
    }
    atomic_store(&reading.stop, true);
    for (size_t i = 0; i < 3; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(atomic_load(&reading.wrong), 0);
    assert_true(atomic_load(&reading.found) > 0);
}

static void test_statements_use_indexes(void **state)
{
    struct fixture *f = *state;
    static const char *const small[] = {"SCAN tally", "SCAN dead", "SCAN segment", "SCAN CONSTANT"};
    char path[256];
    sqlite3 *handle = NULL;
    path_of(f, "queue.db", path);
    assert_int_equal(sqlite3_open_v2(path, &handle, SQLITE_OPEN_READONLY, NULL), SQLITE_OK);
    for (size_t i = QUEUE_SQL_CLEAN_SET; i < QUEUE_SQL_COUNT; i++) {
        char sql[2048];
        sqlite3_stmt *plan = NULL;
        snprintf(sql, sizeof sql, "EXPLAIN QUERY PLAN %s", queue_sql_text[i]);
        assert_int_equal(sqlite3_prepare_v2(handle, sql, -1, &plan, NULL), SQLITE_OK);
        while (sqlite3_step(plan) == SQLITE_ROW) {
            const char *detail = (const char *)sqlite3_column_text(plan, 3);
            bool scan = strncmp(detail, "SCAN", 4) == 0;
            for (size_t k = 0; k < sizeof small / sizeof small[0]; k++)
                scan = scan && strcmp(detail, small[k]) != 0;
            bool sorts = strstr(detail, "USE TEMP B-TREE") != NULL && i != QUEUE_SQL_TIMELINE;
            if (scan || sorts)
                fail_msg("%s: %s", queue_sql_text[i], detail);
        }
        sqlite3_finalize(plan);
    }
    sqlite3_close(handle);
}

int main(void)
{
    static char engine[] = "sqlite";
    const struct CMUnitTest tests[] = {
        CASE(test_second_writer),          CASE(test_newer_schema),
        CASE(test_other_database),         CASE(test_damaged_database),
        CASE(test_damaged_blob),           CASE(test_reader_beside_the_writer),
        CASE(test_nothing_to_read),        CASE(test_erased_is_gone_from_disk),
        CASE(test_erasure_is_finished),    CASE(test_dead_space_is_freed_at_open),
        CASE(test_segments_roll_over),     CASE(test_readers_in_threads),
        CASE(test_statements_use_indexes), CASE(test_leases_end_with_their_holder),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
