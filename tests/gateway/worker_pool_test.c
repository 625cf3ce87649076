/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A pool of real workers: the test binary is its own role, with an adapter whose parser does what
 * the message says, good or evil.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <errno.h>
#include <glib.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <unistd.h>

#include "adapters/adapter.h"
#include "gateway/frame.h"
#include "gateway/process.h"
#include "gateway/worker_pool.h"
#include "gateway/worker_wire.h"
#include "normalize/mem.h"
#include "normalize/photo_samples.h"

enum { SUBMITTERS = 3, SUBMISSIONS = 300, NAP_TEXT = 100 * 1000 };

/* --- The adapter: parsers that do what they are told --- */

struct order {
    const struct inbound *in;
    const char *rest; /* what follows the word */
    draft_sink *sink;
    void *context;
    struct err *err;
};

/* One draft with that text, and attachments when the order names any. */
static int give(const struct order *order, const char *text, const char *attach)
{
    struct draft draft;
    draft_init(&draft);
    draft.native_id = mem_strdup("1");
    draft.text = mem_strdup(text);
    for (; *attach != '\0'; attach++) {
        gsize len = 0;
        char *data;
        if (*attach >= '0' && *attach <= '9') {
            guchar *sample = g_base64_decode(photo_samples[*attach - '0'], &len);
            data = mem_strndup(sample, len);
            g_free(sample);
        } else {
            /* "b": begins like a JPEG and is none; anything else is no photo. */
            data = mem_strdup(*attach == 'b' ? "\xff\xd8\xff\xe0 broken" : "text file");
            len = strlen(data);
        }
        draft_attach(&draft, "a file", "application/pdf", data, len);
    }
    int result = order->sink(order->context, &draft, order->err);
    draft_release(&draft);
    return result;
}

static int do_say(const struct order *order)
{
    return give(order, order->rest, "");
}

static int do_attach(const struct order *order)
{
    return give(order, "attached", order->rest);
}

static int do_many(const struct order *order)
{
    long n = strtol(order->rest, NULL, 10);
    char text[32];
    int result = 0;
    for (long i = 0; result == 0 && i < n; i++) {
        snprintf(text, sizeof text, "%ld", i);
        result = give(order, text, "");
    }
    return result;
}

static int do_none(const struct order *order)
{
    (void)order;
    return 0;
}

static int do_refuse(const struct order *order)
{
    give(order, "first", "");
    return err_set(order->err, ERR_PERMANENT, "cannot read it:\n\x1b[31m");
}

/* Two records; the first is large enough to be sent before the nap. */
static int do_nap(const struct order *order)
{
    char *text = mem_calloc(NAP_TEXT + 1, 1);
    memset(text, 'x', NAP_TEXT);
    int result = give(order, text, "");
    free(text);
    usleep(700 * 1000);
    return result == 0 ? give(order, "rested", "") : -1;
}

static _Noreturn int do_sleep(const struct order *order)
{
    (void)order;
    for (;;)
        sleep(100);
}

static _Noreturn int do_spin(const struct order *order)
{
    (void)order;
    for (volatile unsigned n = 0;; n++)
        continue;
}

static _Noreturn int do_eat(const struct order *order)
{
    (void)order;
    for (;;)
        mem_calloc(1024 * 1024 * 1024, 1);
}

static _Noreturn int do_abort(const struct order *order)
{
    (void)order;
    errno = 0;
    abort();
}

static _Noreturn int do_exit(const struct order *order)
{
    (void)order;
    _exit(0);
}

static int do_socket(const struct order *order)
{
    (void)order;
    return socket(AF_INET, SOCK_STREAM, 0);
}

/* --- Lies: straight onto the socket --- */

static void raw(const void *data, size_t len)
{
    struct err err = ERR_INIT;
    process_write(PROCESS_SOCKET, data, len, PROCESS_FOREVER, &err);
}

static void frame(enum worker_frame type, const void *data, size_t len)
{
    struct err err = ERR_INIT;
    frame_write(PROCESS_SOCKET, type, data, len, PROCESS_FOREVER, &err);
}

/* Good records, but more of them than any message can hold. */
static void flood(void)
{
    struct record record;
    struct buf wire = BUF_INIT(RECORD_WIRE_MAX);
    record_init(&record);
    record.native_id = mem_strdup("1");
    record.report.channel_id = mem_strdup("x");
    record.report.channel_type = mem_strdup("x");
    record.report.channel_kind = mem_strdup("x");
    record.report.category.code = mem_strdup("lainnya");
    record.original_text = mem_calloc(DRAFT_TEXT_MAX, 1);
    memset(record.original_text, 'x', DRAFT_TEXT_MAX - 1);
    record_encode(&record, &wire);
    for (int i = 0; i < 100; i++)
        frame(WORKER_RECORD, wire.data, wire.len);
    buf_release(&wire);
    record_release(&record);
}

static void *whisper(void *context)
{
    usleep(50 * 1000);
    frame(WORKER_PARSED, "", 0);
    return context;
}

static int do_lie(const struct order *order)
{
    static const char zeros[64 * 1024];
    switch (order->rest[0]) {
    case 'm': /* no magic */
        raw("HTTP/1.1 200 OK\r\n", 17);
        break;
    case 'l': /* a length beyond all limits */
        raw("KNL1\0\0\2\3\xff\xff\xff\xff", 12);
        break;
    case 'r': /* a record that is none */
        frame(WORKER_RECORD, "\0\0\0\1garbage", 11);
        break;
    case 'e': /* an empty record */
        frame(WORKER_RECORD, "", 0);
        break;
    case 'k': /* an answer to another kind of question */
        frame(WORKER_CLEAN, zeros, 100);
        break;
    case 'u': /* an answer of no kind */
        frame((enum worker_frame)7, "", 0);
        break;
    case 't': /* one answer too many, in one breath */
        raw("KNL1\0\0\2\4\0\0\0\0KNL1\0\0\2\4\0\0\0\0", 24);
        break;
    case 'w': /* ... and one when nobody asks any more */
        pthread_create(&(pthread_t){0}, NULL, whisper, NULL);
        break;
    case 'b':
        flood();
        break;
    case 'f': /* bytes without end */
        for (;;)
            raw(zeros, sizeof zeros);
    default:
        break;
    }
    return 0;
}

static const struct {
    const char *word;
    int (*act)(const struct order *order);
} acts[] = {
    {"say", do_say},       {"attach", do_attach}, {"many", do_many}, {"none", do_none},
    {"refuse", do_refuse}, {"nap", do_nap},       {"spin", do_spin}, {"eat", do_eat},
    {"abort", do_abort},   {"exit", do_exit},     {"lie", do_lie},   {"socket", do_socket},
    {"sleep", do_sleep},
};

static int double_parse(const struct inbound *in, draft_sink *sink, void *context, struct err *err)
{
    char *text = mem_strndup(in->raw, in->raw_len);
    char *space = strchr(text, ' ');
    int result = -1;
    if (space != NULL)
        *space = '\0';
    struct order order = {
        .in = in,
        .rest = space == NULL ? "" : space + 1,
        .sink = sink,
        .context = context,
        .err = err,
    };
    for (size_t i = 0; i < sizeof acts / sizeof acts[0]; i++) {
        if (strcmp(acts[i].word, text) == 0)
            result = acts[i].act(&order);
    }
    free(text);
    return result;
}

static const struct adapter adapter_double = {
    .name = "double", .kind = "test", .parse = double_parse};
static const struct adapter adapter_mute = {.name = "mute", .kind = "test"};

const struct adapter *const adapters[] = {&adapter_double, &adapter_mute, NULL};

const struct adapter *adapter_find(const char *type)
{
    for (size_t i = 0; adapters[i] != NULL; i++) {
        if (strcmp(adapters[i]->name, type) == 0)
            return adapters[i];
    }
    return NULL;
}

/* --- The pool's caller --- */

/* What became of one message. */
struct outcome {
    atomic_int calls;
    char failure[32], error[240], story[64];
    size_t count;
    struct report_attachment attachments[4];
    size_t attachment_count, warning_count;
    char warnings[4][32];
};

static void note(void *context, struct inbound *in, struct worker_result *result)
{
    struct outcome *outcome = context;
    snprintf(outcome->failure, sizeof outcome->failure, "%s",
             result->failure == NULL ? "" : result->failure);
    snprintf(outcome->error, sizeof outcome->error, "%s", result->err.text);
    outcome->count = result->count;
    if (result->count > 0) {
        struct report *report = &result->records[result->count - 1].report;
        snprintf(outcome->story, sizeof outcome->story, "%s",
                 report->story == NULL ? "" : report->story);
        outcome->attachment_count = report->attachment_count;
        for (size_t i = 0; i < report->attachment_count && i < 4; i++) {
            outcome->attachments[i] = report->attachments[i];
            report->attachments[i] = (struct report_attachment){.data = NULL};
        }
        outcome->warning_count = report->warning_count;
        for (size_t i = 0; i < report->warning_count && i < 4; i++)
            snprintf(outcome->warnings[i], 32, "%s", report->warnings[i]);
    }
    inbound_release(in);
    free(in);
    atomic_fetch_add(&outcome->calls, 1);
}

static void outcome_release(struct outcome *outcome)
{
    for (size_t i = 0; i < 4; i++) {
        free(outcome->attachments[i].media_type);
        free(outcome->attachments[i].name);
        free(outcome->attachments[i].data);
    }
}

static struct inbound *message(const char *type, const char *text)
{
    struct inbound *in = mem_calloc(1, sizeof *in);
    inbound_init(in, "kanal-uji", type, "test", 1795230207000, mem_strdup(text), strlen(text));
    return in;
}

static void submit(struct worker_pool *pool, const char *type, const char *text,
                   struct outcome *outcome)
{
    struct err err = ERR_INIT;
    assert_int_equal(worker_pool_submit(pool, message(type, text), true, note, outcome, &err), 0);
}

static struct worker_pool *pool_of(unsigned slots)
{
    struct worker_pool *pool = NULL;
    struct err err = ERR_INIT;
    if (worker_pool_start(slots, 1000, 1000 * 1000, &pool, &err) != 0)
        fail_msg("%s", err.text);
    return pool;
}

static void await(struct outcome *outcome)
{
    while (atomic_load(&outcome->calls) == 0)
        usleep(1000);
}

/* Each message in turn on one worker: what it gives, and that the one after it is well. */
static void each_message_has_its_own_fate(void **state)
{
    (void)state;
    static const struct {
        const char *type, *text, *failure, *error;
        size_t count;
        const char *story;
        bool replaced;
    } fates[] = {
        {"double", "say halo", "", "", 1, "halo", false},
        {"double", "many 100", "", "", 100, "99", false},
        {"double", "many 1000", "", "", 1000, "999", false},
        {"double", "many 1001", "not_parsed", "more than 1000 messages in one", 0, "", false},
        {"double", "none", "", "", 0, "", false},
        {"double", "refuse", "not_parsed", "cannot read it:??[31m", 0, "", false},
        {"mute", "say", "not_parsed", "no parser for messages of this type", 0, "", false},
        {"nobody", "say", "not_parsed", "no parser for messages of this type", 0, "", false},
        {WORKER_PLAIN_TEXT, "apa adanya", "", "", 1, "apa adanya", false},
        {"double", "abort", "worker_crashed", "", 0, "", true},
        {"double", "exit", "worker_crashed", "", 0, "", true},
        {"double", "socket", "worker_crashed", "", 0, "", true},
        {"double", "spin", "cpu_limit", "", 0, "", true},
#ifndef __SANITIZE_THREAD__
        {"double", "eat", "memory_limit", "", 0, "", true},
#endif
        {"double", "lie m", "bad_record", NULL, 0, "", true},
        {"double", "lie l", "bad_record", NULL, 0, "", true},
        {"double", "lie r", "bad_record", NULL, 0, "", true},
        {"double", "lie e", "bad_record", NULL, 0, "", true},
        {"double", "lie k", "bad_record", NULL, 0, "", true},
        {"double", "lie u", "bad_record", NULL, 0, "", true},
        {"double", "lie t", "bad_record", NULL, 0, "", true},
        {"double", "lie f", "bad_record", NULL, 0, "", true},
        {"double", "lie b", "bad_record", "an answer is too long", 0, "", true},
    };
    struct worker_pool *pool = pool_of(1);
    for (size_t i = 0; i < sizeof fates / sizeof fates[0]; i++) {
        struct outcome outcome = {.count = 0}, after = {.count = 0};
        unsigned long before = worker_pool_replaced(pool);
        submit(pool, fates[i].type, fates[i].text, &outcome);
        submit(pool, "double", "say baik", &after);
        await(&after);
        if (strcmp(outcome.failure, fates[i].failure) != 0)
            print_error("%s: '%s' '%s'\n", fates[i].text, outcome.failure, outcome.error);
        assert_int_equal(atomic_load(&outcome.calls), 1);
        assert_string_equal(outcome.failure, fates[i].failure);
        if (fates[i].error != NULL)
            assert_string_equal(outcome.error, fates[i].error);
        assert_int_equal(outcome.count, fates[i].count);
        assert_string_equal(outcome.story, fates[i].story);
        assert_int_equal(worker_pool_replaced(pool) != before, fates[i].replaced);
        assert_string_equal(after.failure, "");
        assert_string_equal(after.story, "baik");
    }
    worker_pool_stop(pool);
}

static int only_worker(struct worker_pool *pool)
{
    int pid = 0;
    assert_int_equal(worker_pool_pids(pool, &pid, 1), 1);
    return pid;
}

/* Waits until the one worker is another than pid. */
static void await_other(struct worker_pool *pool, int pid)
{
    int now = pid;
    while (worker_pool_pids(pool, &now, 1) == 0 || now == pid)
        usleep(1000);
}

static void no_worker_lives_long(void **state)
{
    (void)state;
    struct worker_pool *pool = pool_of(1);
    struct outcome photo = {.count = 0};
    int pid = only_worker(pool);
    for (int round = 0; round < 11; round++) {
        struct outcome outcomes[100] = {{.count = 0}};
        for (int i = 0; i < 100; i++)
            submit(pool, "double", "say halo", &outcomes[i]);
        await(&outcomes[99]);
        for (int i = 0; i < 100; i++)
            assert_string_equal(outcomes[i].story, "halo");
        if (round < 9)
            assert_int_equal(only_worker(pool), pid);
    }
    assert_int_not_equal(only_worker(pool), pid);
    pid = only_worker(pool);
    submit(pool, "double", "attach b", &photo);
    await(&photo);
    await_other(pool, pid);
    assert_int_equal(worker_pool_replaced(pool), 0);
    outcome_release(&photo);
    worker_pool_stop(pool);
}

/* What a worker says between two messages is not the second one's answer. */
static void a_worker_that_talks_unasked_is_replaced(void **state)
{
    (void)state;
    struct outcome outcome = {.count = 0};
    struct worker_pool *pool = pool_of(1);
    submit(pool, "double", "lie w", &outcome);
    await(&outcome);
    for (int i = 0; i < 60 && worker_pool_replaced(pool) == 0; i++) {
        struct outcome after = {.count = 0};
        usleep(500 * 1000);
        submit(pool, "double", "say baik", &after);
        await(&after);
        assert_string_equal(after.failure, "");
        assert_string_equal(after.story, "baik");
    }
    assert_int_equal(worker_pool_replaced(pool), 1);
    worker_pool_stop(pool);
}

/* One worker sleeps on; the others' messages do not wait for it. */
static void a_slow_message_holds_up_only_itself(void **state)
{
    (void)state;
    struct outcome slow = {.count = 0}, quick = {.count = 0};
    struct worker_pool *pool = pool_of(2);
    submit(pool, "double", "sleep", &slow);
    submit(pool, "double", "say halo", &quick);
    await(&quick);
    assert_int_equal(atomic_load(&slow.calls), 0);
    assert_string_equal(quick.failure, "");
    await(&slow);
    assert_string_equal(slow.failure, "wall_limit");
    worker_pool_stop(pool);
}

static void attachments_come_out_clean_or_not_at_all(void **state)
{
    (void)state;
    struct outcome outcome = {.count = 0};
    struct worker_pool *pool = pool_of(1);
    submit(pool, "double", "attach 0xb", &outcome);
    await(&outcome);
    assert_string_equal(outcome.failure, "");
    assert_int_equal(outcome.attachment_count, 3);
    const struct report_attachment *photo = &outcome.attachments[0];
    assert_string_equal(photo->media_type, "image/jpeg");
    assert_true(photo->width > 0 && photo->height > 0);
    assert_string_equal(photo_sniff(photo->data, photo->bytes), "image/jpeg");
    assert_string_equal(photo->name, "a file");
    for (size_t i = 1; i < 3; i++) {
        assert_null(outcome.attachments[i].data);
        assert_int_equal(outcome.attachments[i].bytes, i == 1 ? 9 : 11);
        assert_string_equal(outcome.attachments[i].media_type, "application/pdf");
    }
    assert_int_equal(outcome.warning_count, 2);
    assert_string_equal(outcome.warnings[0], "attachment_withheld");
    assert_string_equal(outcome.warnings[1], "photo_unreadable");
    assert_int_equal(worker_pool_replaced(pool), 0);
    outcome_release(&outcome);
    worker_pool_stop(pool);
}

static void a_worker_killed_from_outside_costs_nothing(void **state)
{
    (void)state;
    struct outcome outcome = {.count = 0};
    struct worker_pool *pool = pool_of(1);
    int pid = 0;
    submit(pool, "double", "nap", &outcome);
    assert_int_equal(worker_pool_pids(pool, &pid, 1), 1);
    usleep(300 * 1000); /* half of it is said by now */
    kill(pid, SIGKILL);
    await(&outcome);
    assert_string_equal(outcome.failure, "");
    assert_int_equal(outcome.count, 2);
    assert_string_equal(outcome.story, "rested");
    assert_int_equal(worker_pool_replaced(pool), 1);
    worker_pool_stop(pool);
}

static void a_worker_killed_again_and_again_is_a_crash(void **state)
{
    (void)state;
    struct outcome outcome = {.count = 0};
    struct worker_pool *pool = pool_of(1);
    useconds_t pause_us = 100 * 1000;
    submit(pool, "double", "sleep", &outcome);
    while (atomic_load(&outcome.calls) == 0) {
        int pid = 0;
        /* A worker killed while it starts is not the message's matter: give it ever more time. */
        usleep(pause_us);
        pause_us *= 2;
        if (worker_pool_pids(pool, &pid, 1) == 1)
            kill(pid, SIGKILL);
    }
    assert_string_equal(outcome.failure, "worker_crashed");
    worker_pool_stop(pool);
}

static void the_line_has_an_end(void **state)
{
    (void)state;
    struct outcome outcomes[4] = {{.count = 0}};
    struct worker_pool *pool = NULL;
    struct err err = ERR_INIT;
    assert_int_equal(worker_pool_start(1, 2, 100, &pool, &err), 0);
    submit(pool, "double", "nap", &outcomes[0]);
    while (worker_pool_waiting(pool) > 0)
        usleep(1000);
    submit(pool, "double", "say a", &outcomes[1]);
    submit(pool, "double", "say b", &outcomes[2]);
    struct inbound *in = message("double", "say c");
    assert_int_equal(worker_pool_submit(pool, in, false, note, &outcomes[3], &err), -1);
    assert_int_equal(err.kind, ERR_TRANSIENT);
    /* A stop finishes what was taken. */
    worker_pool_stop(pool);
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(atomic_load(&outcomes[i].calls), 1);
    assert_string_equal(outcomes[2].story, "b");
    assert_int_equal(atomic_load(&outcomes[3].calls), 0);
    inbound_release(in);
    free(in);
}

static void bytes_count_too(void **state)
{
    (void)state;
    struct outcome outcomes[3] = {{.count = 0}};
    struct worker_pool *pool = NULL;
    struct err err = ERR_INIT;
    char text[300];
    memset(text, 'x', sizeof text);
    memcpy(text, "say ", 4);
    text[sizeof text - 1] = '\0';
    assert_int_equal(worker_pool_start(1, 100, 200, &pool, &err), 0);
    submit(pool, "double", "nap", &outcomes[0]);
    while (worker_pool_waiting(pool) > 0)
        usleep(1000);
    /* More than all the room: it may enter the empty line, and then nothing else. */
    submit(pool, "double", text, &outcomes[1]);
    struct inbound *in = message("double", "say c");
    assert_int_equal(worker_pool_submit(pool, in, false, note, &outcomes[2], &err), -1);
    err_clear(&err);
    assert_int_equal(worker_pool_submit(pool, in, true, note, &outcomes[2], &err), 0);
    worker_pool_stop(pool);
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(atomic_load(&outcomes[i].calls), 1);
}

struct submitter {
    struct worker_pool *pool;
    struct outcome *outcomes;
};

static void *submitter_run(void *context)
{
    struct submitter *submitter = context;
    for (int i = 0; i < SUBMISSIONS; i++) {
        char text[32];
        snprintf(text, sizeof text, "say %d", i);
        submit(submitter->pool, "double", text, &submitter->outcomes[i]);
    }
    return NULL;
}

/* Submitters in threads, workers killed under them: each message is called for once. A message is
 * lost to two kills at most by a rule, so a few may be "worker_crashed"; none is wrong. */
static void every_message_is_settled_once(void **state)
{
    (void)state;
    static struct outcome outcomes[SUBMITTERS][SUBMISSIONS];
    struct worker_pool *pool = pool_of(2);
    struct submitter submitters[SUBMITTERS];
    pthread_t threads[SUBMITTERS];
    for (size_t i = 0; i < SUBMITTERS; i++) {
        submitters[i] = (struct submitter){.pool = pool, .outcomes = outcomes[i]};
        pthread_create(&threads[i], NULL, submitter_run, &submitters[i]);
    }
    for (int i = 0; i < 5; i++) {
        int pids[2];
        usleep(5000);
        size_t n = worker_pool_pids(pool, pids, 2);
        if (n > 0)
            kill(pids[(size_t)i % n], SIGKILL);
    }
    for (size_t i = 0; i < SUBMITTERS; i++)
        pthread_join(threads[i], NULL);
    worker_pool_stop(pool);
    for (size_t i = 0; i < SUBMITTERS; i++) {
        for (int j = 0; j < SUBMISSIONS; j++) {
            char story[32];
            snprintf(story, sizeof story, "%d", j);
            assert_int_equal(atomic_load(&outcomes[i][j].calls), 1);
            if (outcomes[i][j].failure[0] == '\0')
                assert_string_equal(outcomes[i][j].story, story);
            else
                assert_string_equal(outcomes[i][j].failure, "worker_crashed");
        }
    }
}

int main(int argc, char **argv)
{
    if (argc == 2 && strcmp(argv[1], "normalize-worker") == 0)
        return worker_main(PROCESS_SOCKET);
    /* For the workers, where there is a sanitizer: malloc() fails as it does without one. */
    setenv("ASAN_OPTIONS", "allocator_may_return_null=1", 0);
    /* TSan means nothing to a worker: the decoders' libraries are not built with it. */
    setenv("TSAN_OPTIONS", "allocator_may_return_null=1:report_bugs=0", 1);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_message_has_its_own_fate),
        cmocka_unit_test(no_worker_lives_long),
        cmocka_unit_test(a_worker_that_talks_unasked_is_replaced),
        cmocka_unit_test(a_slow_message_holds_up_only_itself),
        cmocka_unit_test(attachments_come_out_clean_or_not_at_all),
        cmocka_unit_test(a_worker_killed_from_outside_costs_nothing),
        cmocka_unit_test(a_worker_killed_again_and_again_is_a_crash),
        cmocka_unit_test(the_line_has_an_end),
        cmocka_unit_test(bytes_count_too),
        cmocka_unit_test(every_message_is_settled_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
