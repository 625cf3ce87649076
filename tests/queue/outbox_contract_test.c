/* SPDX-License-Identifier: Apache-2.0 */
/* The contract of queue.h, run on every engine: leases, their order, and what ends them. */
#include "tests/queue/fixture.h"

#define ID_A "AAAAAAAAAAAA"
#define ID_B "BBBBBBBBBBBB"
#define ID_C "CCCCCCCCCCCC"

/* Adds work to a report by an event with a key of its own. */
static void add_work(struct fixture *f, const char *id, const char *key, int64_t now_ms)
{
    const struct queue_event event = {.report_id = id, .key = key, .day = DAY, .state = "Proses"};
    struct queue_op op = {
        .kind = QUEUE_EVENT,
        .event = &event,
        .has_outbox = true,
        .outbox = {.topic = QUEUE_TO_CORE, .kind = "update", .payload = bytes_of(key)}};
    assert_int_equal(apply_one(f, &op, now_ms), QUEUE_STORED);
}

static struct queue_stats stats_of(struct fixture *f)
{
    struct queue_stats stats;
    assert_int_equal(queue_stats(f->queue, &stats, &f->err), 0);
    return stats;
}

/* Leases the one row there must be. */
static struct queue_lease lease_one(struct fixture *f, unsigned char token, int64_t now_ms)
{
    struct queue_lease lease = {.id = 0};
    assert_int_equal(lease_rows(f, &lease, 1, token, now_ms), 1);
    buf_release(&lease.payload);
    return lease;
}

static void test_lease_gives_the_work(void **state)
{
    struct fixture *f = *state;
    accept_report(f, ID_A, 1);
    accept_report(f, ID_B, 2);
    struct queue_lease leases[3];
    assert_int_equal(lease_rows(f, leases, 3, 9, NOW + 5), 2);
    assert_string_equal(leases[0].report_id, ID_A);
    assert_string_equal(leases[1].report_id, ID_B);
    assert_true(leases[0].id < leases[1].id);
    assert_string_equal(leases[0].kind, "ticket");
    assert_string_equal(leases[0].payload.data, "payload");
    assert_int_equal(leases[0].attempts, 0);
    assert_int_equal(leases[0].created_ms, NOW);
    assert_int_equal(leases[0].token[15], 9);
    buf_release(&leases[0].payload);
    buf_release(&leases[1].payload);
    assert_int_equal(lease_count(f, 8, NOW + 5), 0);
}

static void test_finish(void **state)
{
    struct fixture *f = *state;
    accept_report(f, ID_A, 1);
    struct queue_lease lease = lease_one(f, 1, NOW);
    assert_int_equal(lease_op(f, QUEUE_FINISH, &lease, 0, "CRM-77", NOW), QUEUE_STORED);
    assert_int_equal(lease_op(f, QUEUE_FINISH, &lease, 0, "CRM-78", NOW), QUEUE_LOST);
    assert_int_equal(lease_count(f, 2, NOW + 100000), 0);
    struct queue_report report;
    assert_int_equal(queue_report_get(f->queue, ID_A, &report, &f->err), 1);
    assert_string_equal(report.core_ref, "CRM-77");
    queue_report_release(&report);
    struct queue_row *rows = NULL;
    size_t n = 0;
    assert_int_equal(queue_rows(f->queue, QUEUE_DONE, 0, &rows, &n, &f->err), 0);
    assert_int_equal(n, 1);
    assert_string_equal(rows[0].report_id, ID_A);
    assert_string_equal(rows[0].kind, "ticket");
    assert_int_equal(rows[0].created_ms, 0);
    assert_int_equal(rows[0].not_before_ms, 0);
    free(rows);
}

static void test_order_per_report(void **state)
{
    struct fixture *f = *state;
    accept_report(f, ID_A, 1);
    add_work(f, ID_A, "u1", NOW + 1);
    add_work(f, ID_A, "u2", NOW + 2);
    accept_report(f, ID_B, 2);
    struct queue_lease leases[4];
    assert_int_equal(lease_rows(f, leases, 4, 1, NOW + 10), 2);
    assert_string_equal(leases[0].report_id, ID_A);
    assert_string_equal(leases[1].report_id, ID_B);
    struct queue_lease ticket = leases[0];
    buf_release(&leases[0].payload);
    buf_release(&leases[1].payload);
    assert_int_equal(lease_op(f, QUEUE_RETRY, &ticket, NOW + 50, "503", NOW + 10), QUEUE_STORED);
    assert_int_equal(lease_count(f, 2, NOW + 20), 0);
    ticket = lease_one(f, 3, NOW + 50);
    assert_int_equal(lease_op(f, QUEUE_BURY, &ticket, 0, "400", NOW + 50), QUEUE_STORED);
    assert_int_equal(lease_count(f, 4, NOW + 60), 0);
    assert_int_equal(lease_op(f, QUEUE_REVIVE, &ticket, 0, NULL, NOW + 60), QUEUE_STORED);
    ticket = lease_one(f, 5, NOW + 60);
    assert_string_equal(ticket.kind, "ticket");
    assert_int_equal(lease_op(f, QUEUE_FINISH, &ticket, 0, NULL, NOW + 60), QUEUE_STORED);
    struct queue_lease update = {.id = 0};
    assert_int_equal(lease_rows(f, &update, 1, 6, NOW + 60), 1);
    assert_string_equal(update.payload.data, "u1");
    buf_release(&update.payload);
}

static void test_topics_do_not_wait_for_each_other(void **state)
{
    struct fixture *f = *state;
    struct sample s;
    sample_init(&s, ID_A, 1);
    s.entry.outbox[1] = (struct queue_outbox){.topic = QUEUE_TO_REPORTER, .kind = "ack"};
    s.entry.outbox[2] = (struct queue_outbox){.topic = QUEUE_TO_REPORTER, .kind = "second"};
    s.entry.outbox_count = 3;
    assert_int_equal(accept_entry(f, &s.entry), QUEUE_STORED);
    struct queue_lease lease;
    struct queue_op op = {.kind = QUEUE_LEASE,
                          .topic = QUEUE_TO_REPORTER,
                          .limit = 1,
                          .lease_ms = 10,
                          .leases = &lease};
    assert_int_equal(apply_one(f, &op, NOW), QUEUE_STORED);
    assert_int_equal(op.lease_count, 1);
    assert_string_equal(lease.kind, "ack");
    assert_int_equal(lease.payload.len, 0);
    buf_release(&lease.payload);
    assert_int_equal(apply_one(f, &op, NOW), QUEUE_STORED);
    assert_int_equal(op.lease_count, 0);
}

static void test_followup_waits_for_the_ticket(void **state)
{
    struct fixture *f = *state;
    struct sample s;
    accept_report(f, ID_A, 1);
    sample_init(&s, ID_B, 2);
    s.entry.kind = QUEUE_FOLLOWUP;
    s.entry.parent_id = ID_A;
    s.entry.outbox[0].kind = "update";
    assert_int_equal(accept_entry(f, &s.entry), QUEUE_STORED);
    sample_init(&s, ID_C, 3);
    s.entry.kind = QUEUE_FOLLOWUP;
    s.entry.parent_id = "ZZZZZZZZZZZZ";
    assert_int_equal(accept_entry(f, &s.entry), QUEUE_STORED);

    struct queue_lease leases[3];
    assert_int_equal(lease_rows(f, leases, 3, 1, NOW), 2);
    assert_string_equal(leases[0].report_id, ID_A);
    assert_string_equal(leases[1].report_id, ID_C);
    buf_release(&leases[0].payload);
    buf_release(&leases[1].payload);
    assert_int_equal(lease_op(f, QUEUE_FINISH, &leases[0], 0, "CRM-1", NOW), QUEUE_STORED);
    struct queue_lease update = lease_one(f, 2, NOW);
    assert_string_equal(update.report_id, ID_B);
    assert_string_equal(update.kind, "update");
}

static void test_lease_expires(void **state)
{
    struct fixture *f = *state;
    accept_report(f, ID_A, 1);
    struct queue_lease first = lease_one(f, 1, NOW);
    assert_int_equal(lease_count(f, 2, NOW + 99), 0);
    struct queue_lease second = {.id = 0};
    assert_int_equal(lease_rows(f, &second, 1, 2, NOW + 100), 1);
    assert_int_equal(second.id, first.id);
    assert_int_equal(second.attempts, 1);
    assert_string_equal(second.payload.data, "payload");
    buf_release(&second.payload);
    static const enum queue_op_kind kinds[] = {QUEUE_FINISH, QUEUE_RETRY, QUEUE_BURY, QUEUE_EXTEND};
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
        assert_int_equal(lease_op(f, kinds[i], &first, NOW, "late", NOW + 101), QUEUE_LOST);
    assert_int_equal(lease_op(f, QUEUE_FINISH, &second, 0, NULL, NOW + 101), QUEUE_STORED);
}

static void test_extend(void **state)
{
    struct fixture *f = *state;
    accept_report(f, ID_A, 1);
    struct queue_lease lease = lease_one(f, 1, NOW);
    assert_int_equal(lease_op(f, QUEUE_EXTEND, &lease, 0, NULL, NOW + 50), QUEUE_STORED);
    assert_int_equal(lease_count(f, 2, NOW + 149), 0);
    assert_int_equal(lease_op(f, QUEUE_EXTEND, &lease, 0, NULL, NOW + 151), QUEUE_STORED);
    assert_int_equal(lease_count(f, 2, NOW + 250), 0);
    assert_int_equal(lease_count(f, 2, NOW + 251), 1);
}

static void test_retry(void **state)
{
    struct fixture *f = *state;
    accept_report(f, ID_A, 1);
    struct queue_lease lease = lease_one(f, 1, NOW);
    assert_int_equal(lease_op(f, QUEUE_RETRY, &lease, NOW + 500, "timeout", NOW), QUEUE_STORED);
    assert_int_equal(lease_op(f, QUEUE_RETRY, &lease, NOW + 500, "timeout", NOW), QUEUE_LOST);
    struct queue_row *rows = NULL;
    size_t n = 0;
    assert_int_equal(queue_rows(f->queue, QUEUE_WAITING, 0, &rows, &n, &f->err), 0);
    assert_int_equal(n, 1);
    assert_int_equal(rows[0].attempts, 1);
    assert_int_equal(rows[0].not_before_ms, NOW + 500);
    assert_string_equal(rows[0].reason, "timeout");
    free(rows);
    assert_int_equal(lease_count(f, 2, NOW + 499), 0);
    lease = lease_one(f, 2, NOW + 500);
    assert_int_equal(lease.attempts, 1);
}

static void test_bury_and_revive(void **state)
{
    struct fixture *f = *state;
    accept_report(f, ID_A, 1);
    struct queue_lease lease = lease_one(f, 1, NOW);
    assert_int_equal(lease_op(f, QUEUE_REVIVE, &lease, 0, NULL, NOW), QUEUE_LOST);
    assert_int_equal(lease_op(f, QUEUE_BURY, &lease, 0, "refused", NOW), QUEUE_STORED);
    assert_int_equal(lease_count(f, 2, NOW + 1000000), 0);
    assert_int_equal(stats_of(f).buried[QUEUE_TO_CORE], 1);
    struct queue_row *rows = NULL;
    size_t n = 0;
    assert_int_equal(queue_rows(f->queue, QUEUE_BURIED, 0, &rows, &n, &f->err), 0);
    assert_int_equal(n, 1);
    assert_string_equal(rows[0].reason, "refused");
    free(rows);
    assert_int_equal(lease_op(f, QUEUE_REVIVE, &lease, 0, NULL, NOW), QUEUE_STORED);
    lease = lease_one(f, 3, NOW);
    assert_int_equal(lease.attempts, 0);
}

static void test_not_before(void **state)
{
    struct fixture *f = *state;
    struct sample s;
    sample_init(&s, ID_A, 1);
    s.entry.outbox[0].not_before_ms = NOW + 70;
    assert_int_equal(accept_entry(f, &s.entry), QUEUE_STORED);
    assert_int_equal(lease_count(f, 1, NOW + 69), 0);
    assert_int_equal(lease_count(f, 1, NOW + 70), 1);
}

static void test_longest_due_first(void **state)
{
    struct fixture *f = *state;
    accept_report(f, ID_A, 1);
    struct queue_lease lease = lease_one(f, 1, NOW);
    accept_report(f, ID_B, 2);
    accept_report(f, ID_C, 3);
    assert_int_equal(lease_op(f, QUEUE_RETRY, &lease, NOW + 10, "503", NOW), QUEUE_STORED);
    lease = lease_one(f, 2, NOW + 20);
    assert_string_equal(lease.report_id, ID_B);
    struct queue_lease leases[2];
    assert_int_equal(lease_rows(f, leases, 2, 3, NOW + 20), 2);
    assert_string_equal(leases[0].report_id, ID_A);
    assert_string_equal(leases[1].report_id, ID_C);
    buf_release(&leases[0].payload);
    buf_release(&leases[1].payload);
}

static void test_stats(void **state)
{
    struct fixture *f = *state;
    accept_report(f, ID_A, 1);
    add_work(f, ID_A, "u1", NOW + 7);
    accept_report(f, ID_B, 2);
    struct queue_stats stats = stats_of(f);
    assert_int_equal(stats.reports, 2);
    assert_int_equal(stats.waiting[QUEUE_TO_CORE], 3);
    assert_int_equal(stats.oldest_waiting_ms[QUEUE_TO_CORE], NOW);
    assert_int_equal(stats.oldest_waiting_ms[QUEUE_TO_REPORTER], 0);
    struct queue_lease lease = lease_one(f, 1, NOW);
    struct queue_lease other = lease_one(f, 1, NOW);
    stats = stats_of(f);
    assert_int_equal(stats.waiting[QUEUE_TO_CORE], 1);
    assert_int_equal(stats.leased[QUEUE_TO_CORE], 2);
    assert_int_equal(stats.oldest_waiting_ms[QUEUE_TO_CORE], NOW + 7);
    assert_int_equal(lease_count(f, 2, NOW + 100), 2);
    assert_int_equal(stats_of(f).leased[QUEUE_TO_CORE], 2);
    memset(lease.token, 2, sizeof lease.token);
    memset(other.token, 2, sizeof other.token);
    assert_int_equal(lease_op(f, QUEUE_FINISH, &lease, 0, NULL, NOW), QUEUE_STORED);
    assert_int_equal(lease_op(f, QUEUE_BURY, &other, 0, NULL, NOW), QUEUE_STORED);
    stats = stats_of(f);
    assert_int_equal(stats.leased[QUEUE_TO_CORE], 0);
    assert_int_equal(stats.buried[QUEUE_TO_CORE], 1);
    assert_int_equal(stats.waiting[QUEUE_TO_CORE], 1);
}

static void test_lease_in_the_same_transaction(void **state)
{
    struct fixture *f = *state;
    struct sample s;
    struct queue_lease lease;
    sample_init(&s, ID_A, 1);
    struct queue_op ops[] = {{.kind = QUEUE_ACCEPT, .entry = &s.entry},
                             {.kind = QUEUE_LEASE, .limit = 1, .lease_ms = 5, .leases = &lease},
                             {.kind = QUEUE_FINISH, .lease_id = 1}};
    apply_all(f, ops, 3, NOW);
    assert_int_equal(ops[1].lease_count, 1);
    assert_int_equal(lease.id, 1);
    assert_int_equal(ops[2].result, QUEUE_STORED);
    buf_release(&lease.payload);
    assert_int_equal(lease_count(f, 2, NOW + 1000), 0);
}

int main(void)
{
    static const struct engine_case cases[] = {
        {"a lease gives the work, oldest first", test_lease_gives_the_work},
        {"finishing erases and remembers the core's reference", test_finish},
        {"a report's work leaves in order", test_order_per_report},
        {"topics do not wait for each other", test_topics_do_not_wait_for_each_other},
        {"a follow-up waits for its parent's ticket", test_followup_waits_for_the_ticket},
        {"a lease expires and its token is lost", test_lease_expires},
        {"a lease can be extended", test_extend},
        {"retry waits until its time", test_retry},
        {"buried work waits for a person", test_bury_and_revive},
        {"new work can wait", test_not_before},
        {"what is due longest goes first", test_longest_due_first},
        {"stats", test_stats},
        {"operations see those before them", test_lease_in_the_same_transaction},
    };
    return run_on_engines(cases, sizeof cases / sizeof cases[0]);
}
