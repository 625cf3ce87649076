/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <cmocka.h>
#include <pthread.h>

#include "gateway/commit.h"

enum { THREADS = 8, PER_THREAD = 200 };

struct fixture {
    struct queue *queue;
    struct committer *committer;
};

static int setup(void **state)
{
    static struct fixture fixture;
    struct err err = ERR_INIT;
    const struct queue_options options = {.path = NULL};
    *state = &fixture;
    return queue_open("memory", &options, 1, &fixture.queue, &err) == 0 &&
                   committer_start(fixture.queue, &fixture.committer, &err) == 0
               ? 0
               : -1;
}

static int teardown(void **state)
{
    struct fixture *fixture = *state;
    committer_stop(fixture->committer);
    queue_close(fixture->queue);
    return 0;
}

struct writer {
    struct fixture *fixture;
    int number, failed;
    pthread_t thread;
};

static void *write_cursors(void *context)
{
    struct writer *writer = context;
    for (int i = 0; i < PER_THREAD; i++) {
        char channel[32], value[32];
        struct err err = ERR_INIT;
        snprintf(channel, sizeof channel, "c%d-%d", writer->number, i);
        snprintf(value, sizeof value, "%d", i);
        struct queue_op op = {
            .kind = QUEUE_CURSOR, .channel_id = channel, .name = "uid", .text = value};
        struct queue_op *ops[] = {&op};
        writer->failed += commit_wait(writer->fixture->committer, ops, 1, &err) != 0;
    }
    return NULL;
}

static void every_writer_gets_its_own_outcome(void **state)
{
    struct writer writers[THREADS];
    for (int i = 0; i < THREADS; i++) {
        writers[i] = (struct writer){.fixture = *state, .number = i};
        assert_int_equal(pthread_create(&writers[i].thread, NULL, write_cursors, &writers[i]), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(writers[i].thread, NULL);
        assert_int_equal(writers[i].failed, 0);
    }
    struct buf value = BUF_INIT(100);
    struct err err = ERR_INIT;
    struct fixture *fixture = *state;
    assert_int_equal(queue_cursor_get(fixture->queue, "c3-7", "uid", &value, &err), 1);
    assert_string_equal(value.data, "7");
    buf_release(&value);
}

struct outcome {
    pthread_mutex_t lock;
    pthread_cond_t wake;
    int settled;
    bool ok[3];
};

struct group {
    struct outcome *outcome;
    int number;
};

static void note(void *context, bool ok)
{
    struct group *group = context;
    pthread_mutex_lock(&group->outcome->lock);
    group->outcome->ok[group->number] = ok;
    group->outcome->settled++;
    pthread_cond_signal(&group->outcome->wake);
    pthread_mutex_unlock(&group->outcome->lock);
}

/* Handed over together, so that they share a transaction; the middle one breaks a limit. */
static void a_bad_group_takes_no_neighbour_down(void **state)
{
    struct fixture *fixture = *state;
    static char long_text[QUEUE_TEXT_MAX + 2];
    memset(long_text, 'x', sizeof long_text - 1);
    struct queue_op good = {.kind = QUEUE_CURSOR, .channel_id = "good", .name = "uid", .text = "1"};
    struct queue_op bad = {
        .kind = QUEUE_CURSOR, .channel_id = "bad", .name = "uid", .text = long_text};
    struct queue_op last = {.kind = QUEUE_CURSOR, .channel_id = "last", .name = "uid", .text = "3"};
    struct queue_op *ops[] = {&good, &bad, &last};
    struct outcome outcome = {.settled = 0};
    struct group groups[3];
    pthread_mutex_init(&outcome.lock, NULL);
    pthread_cond_init(&outcome.wake, NULL);
    for (int i = 0; i < 3; i++) {
        groups[i] = (struct group){&outcome, i};
        commit_async(fixture->committer, &ops[i], 1, note, &groups[i]);
    }
    pthread_mutex_lock(&outcome.lock);
    while (outcome.settled < 3)
        pthread_cond_wait(&outcome.wake, &outcome.lock);
    pthread_mutex_unlock(&outcome.lock);
    assert_true(outcome.ok[0]);
    assert_false(outcome.ok[1]);
    assert_true(outcome.ok[2]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(every_writer_gets_its_own_outcome, setup, teardown),
        cmocka_unit_test_setup_teardown(a_bad_group_takes_no_neighbour_down, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
