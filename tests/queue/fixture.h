/* SPDX-License-Identifier: Apache-2.0 */
/* What the queue's tests share: an engine in a fresh folder, entries of invented content, and
 * one-line forms of the operations. Every function fails the running test when the queue does. */
#ifndef KANAL_TESTS_QUEUE_FIXTURE_H
#define KANAL_TESTS_QUEUE_FIXTURE_H

#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "queue/queue.h"

enum { DAY = 20778, NOW = 1000000 };

struct fixture {
    const char *engine;
    char folder[64];
    struct queue *queue;
    struct err err;
};

/* An entry with the memory its pointers need. */
struct sample {
    unsigned char key[QUEUE_DEDUP_KEY_SIZE], fingerprint[QUEUE_DEDUP_KEY_SIZE];
    struct queue_entry entry;
};

static inline int fixture_try_open(struct fixture *f, bool read_only, struct queue **queue)
{
    const struct queue_options options = {.path = f->folder, .read_only = read_only};
    err_clear(&f->err);
    return queue_open(f->engine, &options, NOW, queue, &f->err);
}

static inline void fixture_open(struct fixture *f)
{
    if (fixture_try_open(f, false, &f->queue) < 0)
        fail_msg("%s", f->err.text);
}

static inline void fixture_close(struct fixture *f)
{
    queue_close(f->queue);
    f->queue = NULL;
}

static inline void fixture_init(struct fixture *f, const char *engine)
{
    *f = (struct fixture){.engine = engine, .folder = "/tmp/kanal-queue-XXXXXX"};
    assert_non_null(mkdtemp(f->folder));
}

static inline int fixture_remove_one(const char *path, const struct stat *stat, int flag,
                                     struct FTW *at)
{
    (void)stat;
    (void)flag;
    (void)at;
    return remove(path);
}

static inline void fixture_release(struct fixture *f)
{
    fixture_close(f);
    nftw(f->folder, fixture_remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static inline struct queue_bytes bytes_of(const char *text)
{
    return (struct queue_bytes){text, strlen(text)};
}

/* A report named by a number, with one row to the core. */
static inline void sample_init(struct sample *s, const char *id, unsigned number)
{
    *s = (struct sample){
        .entry = {
            .kind = QUEUE_REPORT,
            .id = id,
            .dedup_key = s->key,
            .dedup_fingerprint = s->fingerprint,
            .channel_id = "surel-uji",
            .channel_kind = "email",
            .received_day = DAY,
            .body = bytes_of("body"),
            .reporter = bytes_of("reporter"),
            .reply = bytes_of("reply"),
            .outbox = {{.topic = QUEUE_TO_CORE, .kind = "ticket", .payload = bytes_of("payload")}},
            .outbox_count = 1}};
    memcpy(s->key, &number, sizeof number);
    memset(s->fingerprint, 7, sizeof s->fingerprint);
}

static inline void apply_all(struct fixture *f, struct queue_op *ops, size_t n, int64_t now_ms)
{
    struct queue_op *list[QUEUE_OPS_MAX];
    for (size_t i = 0; i < n; i++)
        list[i] = &ops[i];
    err_clear(&f->err);
    if (queue_apply(f->queue, list, n, now_ms, &f->err) < 0)
        fail_msg("%s", f->err.text);
}

static inline enum queue_result apply_one(struct fixture *f, struct queue_op *op, int64_t now_ms)
{
    apply_all(f, op, 1, now_ms);
    return op->result;
}

static inline enum queue_result accept_entry(struct fixture *f, const struct queue_entry *entry)
{
    struct queue_op op = {.kind = QUEUE_ACCEPT, .entry = entry};
    return apply_one(f, &op, NOW);
}

static inline void accept_report(struct fixture *f, const char *id, unsigned number)
{
    struct sample s;
    sample_init(&s, id, number);
    assert_int_equal(accept_entry(f, &s.entry), QUEUE_STORED);
}

/* Leases up to limit rows to the core under a token made of one byte; gives their number. */
static inline size_t lease_rows(struct fixture *f, struct queue_lease *leases, size_t limit,
                                unsigned char token, int64_t now_ms)
{
    struct queue_op op = {.kind = QUEUE_LEASE,
                          .topic = QUEUE_TO_CORE,
                          .limit = limit,
                          .lease_ms = 100,
                          .leases = leases};
    memset(op.token, token, sizeof op.token);
    assert_int_equal(apply_one(f, &op, now_ms), QUEUE_STORED);
    return op.lease_count;
}

/* Leases and gives only the number. */
static inline size_t lease_count(struct fixture *f, unsigned char token, int64_t now_ms)
{
    struct queue_lease leases[16];
    size_t n = lease_rows(f, leases, 16, token, now_ms);
    for (size_t i = 0; i < n; i++)
        buf_release(&leases[i].payload);
    return n;
}

static inline enum queue_result lease_op(struct fixture *f, enum queue_op_kind kind,
                                         const struct queue_lease *lease, int64_t not_before_ms,
                                         const char *text, int64_t now_ms)
{
    struct queue_op op = {.kind = kind,
                          .lease_id = lease->id,
                          .lease_ms = 100,
                          .not_before_ms = not_before_ms,
                          .text = text};
    memcpy(op.token, lease->token, sizeof op.token);
    return apply_one(f, &op, now_ms);
}

static inline void assert_blob(struct fixture *f, const char *id, const char *field,
                               const char *want)
{
    struct buf out = BUF_INIT(QUEUE_BLOB_MAX);
    int found = queue_blob_get(f->queue, id, field, &out, &f->err);
    assert_int_equal(found, want != NULL);
    if (want != NULL)
        assert_string_equal(out.data, want);
    buf_release(&out);
}

/* A named case that runs on an engine. */
struct engine_case {
    const char *name;
    void (*run)(void **state);
};

static inline int fixture_setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    fixture_init(f, *state);
    fixture_open(f);
    *state = f;
    return 0;
}

static inline int fixture_teardown(void **state)
{
    fixture_release(*state);
    free(*state);
    return 0;
}

/* Runs every case on every engine. */
static inline int run_on_engines(const struct engine_case *cases, size_t n)
{
    static char engines[][8] = {"sqlite", "memory"};
    struct CMUnitTest *tests = calloc(n * 2, sizeof *tests);
    char(*names)[96] = calloc(n * 2, sizeof *names);
    for (size_t i = 0; i < n * 2; i++) {
        const struct engine_case *one = &cases[i % n];
        snprintf(names[i], sizeof names[i], "%s: %s", engines[i / n], one->name);
        tests[i] = (struct CMUnitTest){.name = names[i],
                                       .test_func = one->run,
                                       .setup_func = fixture_setup,
                                       .teardown_func = fixture_teardown,
                                       .initial_state = engines[i / n]};
    }
    int failed = _cmocka_run_group_tests("engines", tests, n * 2, NULL, NULL);
    free(names);
    free(tests);
    return failed;
}

/* A test that gets a fixture on the engine its main() names. */
#define CASE(run)                                                                                  \
    {                                                                                              \
#run, run, fixture_setup, fixture_teardown, engine                                         \
    }

#endif
