/* SPDX-License-Identifier: Apache-2.0 */
/* The sqlite engine when things end badly: killed processes, failing writes and syncs, full disks.
 * A ledger of what was accepted is compared with what a fresh open finds: accepted is present,
 * refused for now is absent, unknown is either; nothing is damaged. */
#include <errno.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>

#include <sqlite3.h>

#include "tests/queue/fault_vfs.h"
#include "tests/queue/fixture.h"

enum { BATCH = 5, CHILDREN = 12 };

static int failing_syncs;

/* Stands before the C library's: segments are synced by the engine itself, not through the VFS. */
int fdatasync(int file)
{
    if (failing_syncs == 0)
        return (int)syscall(SYS_fdatasync, file);
    failing_syncs--;
    errno = EIO;
    return -1;
}

/* Accepts one batch of entries named by number, number + 1 ... each with a blob; apply's result. */
static int apply_batch(struct fixture *f, unsigned number)
{
    static const char bytes[20000] = "a blob of some size";
    static struct sample samples[BATCH];
    static struct queue_op ops[BATCH];
    char ids[BATCH][REPORT_ID_SIZE];
    struct queue_op *list[BATCH];
    for (unsigned i = 0; i < BATCH; i++) {
        snprintf(ids[i], sizeof ids[i], "N%u", number + i);
        sample_init(&samples[i], ids[i], number + i);
        samples[i].entry.blobs[0] =
            (struct queue_blob){.field = "original", .data = {bytes, sizeof bytes}};
        samples[i].entry.blob_count = 1;
        ops[i] = (struct queue_op){.kind = QUEUE_ACCEPT, .entry = &samples[i].entry};
        list[i] = &ops[i];
    }
    err_clear(&f->err);
    return queue_apply(f->queue, list, BATCH, NOW, &f->err);
}

/* How many of a batch are there, each whole. */
static int batch_present(struct fixture *f, unsigned number)
{
    int present = 0;
    for (unsigned i = 0; i < BATCH; i++) {
        char id[REPORT_ID_SIZE];
        struct queue_report report;
        struct buf blob = BUF_INIT(QUEUE_BLOB_MAX);
        snprintf(id, sizeof id, "N%u", number + i);
        int found = queue_report_get(f->queue, id, &report, &f->err);
        assert_true(found >= 0);
        present += found;
        if (found == 1) {
            assert_string_equal(report.body.data, "body");
            assert_int_equal(queue_blob_get(f->queue, id, "original", &blob, &f->err), 1);
            assert_int_equal(blob.len, 20000);
        }
        queue_report_release(&report);
        buf_release(&blob);
    }
    return present;
}

/* Opens what a crash left; the tallies and the rows must agree. */
static void reopen_and_check(struct fixture *f)
{
    const struct queue_options options = {.path = f->folder, .check = true};
    err_clear(&f->err);
    if (queue_open("sqlite", &options, NOW, &f->queue, &f->err) < 0)
        fail_msg("%s", f->err.text);
    struct queue_stats stats;
    char(*ids)[REPORT_ID_SIZE] = NULL;
    size_t n = QUEUE_LIST_MAX;
    int64_t counted = 0;
    char after[REPORT_ID_SIZE] = "";
    while (n == QUEUE_LIST_MAX) {
        const char *from = counted == 0 ? NULL : after;
        assert_int_equal(queue_ids(f->queue, QUEUE_REPORT, from, &ids, &n, &f->err), 0);
        counted += (int64_t)n;
        if (n > 0)
            memcpy(after, ids[n - 1], sizeof after);
        free(ids);
    }
    assert_int_equal(queue_stats(f->queue, &stats, &f->err), 0);
    assert_int_equal(stats.reports, counted);
    assert_int_equal(stats.waiting[QUEUE_TO_CORE], counted);
}

/* The child: accepts batches for ever and tells each accepted one through the pipe. */
static void crash_child(struct fixture *f, int ledger, unsigned first)
{
    if (fixture_try_open(f, false, &f->queue) < 0)
        _exit(1);
    for (unsigned number = first;; number += BATCH)
        if (apply_batch(f, number) < 0 || write(ledger, &number, sizeof number) < 0)
            _exit(2);
}

/* Reads the ledger and checks each accepted batch; gives the number behind the last. */
static unsigned check_ledger(struct fixture *f, int ledger, unsigned first)
{
    unsigned number = first;
    unsigned next = first;
    for (; read(ledger, &number, sizeof number) == (ssize_t)sizeof number; next = number + BATCH)
        assert_int_equal(batch_present(f, number), BATCH);
    int last = batch_present(f, next);
    assert_true(last == 0 || last == BATCH);
    return next + BATCH;
}

static void test_kill_in_the_middle(void **state)
{
    struct fixture *f = *state;
    unsigned next = 0;
    unsigned accepted = 0;
    fixture_close(f);
    for (int i = 0; i < CHILDREN; i++) {
        int ledger[2];
        assert_int_equal(pipe(ledger), 0);
        pid_t child = fork();
        if (child == 0)
            crash_child(f, ledger[1], next);
        close(ledger[1]);
        const struct timespec pause = {.tv_nsec = 1000000L * (20 + 37 * i % 150)};
        nanosleep(&pause, NULL);
        kill(child, SIGKILL);
        int status = 0;
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_true(WIFSIGNALED(status));
        reopen_and_check(f);
        unsigned before = next;
        next = check_ledger(f, ledger[0], next);
        accepted += next - before - BATCH;
        close(ledger[0]);
        fixture_close(f);
    }
    assert_true(accepted > 0);
    fixture_open(f);
}

static void test_exit_without_close(void **state)
{
    struct fixture *f = *state;
    fixture_close(f);
    for (unsigned i = 0; i < 4; i++) {
        pid_t child = fork();
        if (child == 0) {
            int rc = fixture_try_open(f, false, &f->queue);
            for (unsigned k = 0; k < i && rc == 0; k++)
                rc = apply_batch(f, i * 100 + k * BATCH);
            _exit(rc == 0 ? 0 : 1);
        }
        int status = -1;
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_int_equal(status, 0);
        reopen_and_check(f);
        for (unsigned k = 0; k < i; k++)
            assert_int_equal(batch_present(f, i * 100 + k * BATCH), BATCH);
        fixture_close(f);
    }
}

/* One fault at the n-th call: whether it was reached at all. */
static bool fault_round(struct fixture *f, enum fault_kind kind, int n, int result, bool lasting)
{
    const unsigned number = (unsigned)n * 1000;
    fixture_open(f);
    assert_int_equal(apply_batch(f, number), 0);
    fault_arm(kind, n, result, lasting);
    int rc = apply_batch(f, number + 100);
    enum err_kind told = f->err.kind;
    int again = apply_batch(f, number + 200);
    enum err_kind told_again = f->err.kind;
    bool hit = fault_hit();
    fault_arm(FAULT_NONE, 0, 0, false);
    if (rc < 0)
        assert_true(told == ERR_TRANSIENT || told == ERR_PERMANENT);
    if (rc < 0 && told == ERR_PERMANENT) {
        assert_int_equal(again, -1);
        assert_int_equal(told_again, ERR_PERMANENT);
    }
    fixture_close(f);
    reopen_and_check(f);
    assert_int_equal(batch_present(f, number), BATCH);
    int first = batch_present(f, number + 100);
    int second = batch_present(f, number + 200);
    assert_true(rc < 0 ? told == ERR_PERMANENT || first == 0 : first == BATCH);
    assert_true(again < 0 ? told_again == ERR_PERMANENT || second == 0 : second == BATCH);
    assert_true(first % BATCH == 0 && second % BATCH == 0);
    fixture_close(f);
    return hit;
}

static void fault_sweep(struct fixture *f, enum fault_kind kind, int result, bool lasting)
{
    fixture_close(f);
    int n = 1;
    while (n < 300 && fault_round(f, kind, n, result, lasting))
        n++;
    assert_true(n > 2 && n < 300);
}

static void test_every_write_meets_a_full_disk(void **state)
{
    fault_sweep(*state, FAULT_WRITE, SQLITE_FULL, true);
}

static void test_every_write_fails(void **state)
{
    fault_sweep(*state, FAULT_WRITE, SQLITE_IOERR_WRITE, false);
}

static void test_every_sync_fails(void **state)
{
    fault_sweep(*state, FAULT_SYNC, SQLITE_IOERR_FSYNC, false);
}

static void test_failed_sync_is_unknown(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(apply_batch(f, 0), 0);
    fault_arm(FAULT_SYNC, 1, SQLITE_IOERR_FSYNC, false);
    assert_int_equal(apply_batch(f, 100), -1);
    assert_int_equal(f->err.kind, ERR_PERMANENT);
    assert_non_null(strstr(f->err.text, "unknown"));
    assert_true(fault_hit());
    assert_int_equal(apply_batch(f, 200), -1);
    assert_int_equal(f->err.kind, ERR_PERMANENT);
}

static void test_failed_segment_sync_is_unknown(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(apply_batch(f, 0), 0);
    failing_syncs = 1;
    assert_int_equal(apply_batch(f, 100), -1);
    assert_int_equal(failing_syncs, 0);
    assert_int_equal(f->err.kind, ERR_PERMANENT);
    assert_int_equal(apply_batch(f, 200), -1);
    assert_int_equal(f->err.kind, ERR_PERMANENT);
    fixture_close(f);
    reopen_and_check(f);
    assert_int_equal(batch_present(f, 0), BATCH);
    assert_int_equal(batch_present(f, 200), 0);
}

/* A full disk is met before the commit, whoever notices first: the segment or the log. */
static void test_full_disk_is_refused_for_now(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(apply_batch(f, 0), 0);
    fault_arm(FAULT_WRITE, 1, SQLITE_FULL, true);
    assert_int_equal(apply_batch(f, 100), -1);
    assert_int_equal(f->err.kind, ERR_TRANSIENT);
    fault_arm(FAULT_NONE, 0, 0, false);
    assert_int_equal(apply_batch(f, 100), 0);
    assert_int_equal(batch_present(f, 100), BATCH);
}

static void test_file_size_limit(void **state)
{
    struct fixture *f = *state;
    struct rlimit limit;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
    struct rlimit small = limit;
    unsigned accepted = 0;
    bool refused = false;
    signal(SIGXFSZ, SIG_IGN);
    small.rlim_cur = 1024 * 1024;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    for (; !refused && accepted < 1000; accepted++)
        refused = apply_batch(f, accepted * BATCH) < 0;
    enum err_kind told = f->err.kind;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
    assert_true(refused);
    accepted--;
    assert_int_equal(told, ERR_TRANSIENT);
    assert_int_equal(apply_batch(f, accepted * BATCH), 0);
    fixture_close(f);
    reopen_and_check(f);
    for (unsigned i = 0; i <= accepted; i++)
        assert_int_equal(batch_present(f, i * BATCH), BATCH);
}

int main(void)
{
    static char engine[] = "sqlite";
    const struct CMUnitTest tests[] = {
        CASE(test_kill_in_the_middle),
        CASE(test_exit_without_close),
        CASE(test_every_write_meets_a_full_disk),
        CASE(test_every_write_fails),
        CASE(test_every_sync_fails),
        CASE(test_failed_sync_is_unknown),
        CASE(test_failed_segment_sync_is_unknown),
        CASE(test_full_disk_is_refused_for_now),
        CASE(test_file_size_limit),
    };
    fault_install();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
