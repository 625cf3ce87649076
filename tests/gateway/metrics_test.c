/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <pthread.h>

#include "gateway/metrics.h"

enum { THREADS = 4, ADDS = 20000, CHANNELS = 200 };

static void *add_many(void *unused)
{
    (void)unused;
    for (int n = 0; n < ADDS; n++) {
        char channel[16];
        snprintf(channel, sizeof channel, "c-%d", n % CHANNELS);
        metrics_add(METRIC_OFFERED, channel, 1);
        metrics_add(METRIC_COMMITS, NULL, 1);
    }
    return NULL;
}

static void threads_lose_no_count(void **state)
{
    (void)state;
    pthread_t threads[THREADS];
    for (int n = 0; n < THREADS; n++)
        assert_int_equal(pthread_create(&threads[n], NULL, add_many, NULL), 0);
    for (int n = 0; n < THREADS; n++)
        pthread_join(threads[n], NULL);
    assert_int_equal(metrics_get(METRIC_COMMITS, NULL), THREADS * ADDS);
    for (int n = 0; n < CHANNELS; n++) {
        char channel[16];
        snprintf(channel, sizeof channel, "c-%d", n);
        assert_int_equal(metrics_get(METRIC_OFFERED, channel), THREADS * ADDS / CHANNELS);
        assert_int_equal(metrics_get(METRIC_ACCEPTED, channel), 0);
    }
}

static void writes_prometheus_text(void **state)
{
    (void)state;
    metrics_add(METRIC_KNOWN, "email-pusat", 2);
    metrics_add(METRIC_KNOWN, "email-pusat", 3);
    metrics_add(METRIC_BURIED, NULL, 7);
    struct buf out = BUF_INIT(1024 * 1024);
    metrics_write(&out);
    assert_non_null(strstr(out.data, "# HELP kanal_messages_known_total messages accepted before\n"
                                     "# TYPE kanal_messages_known_total counter\n"));
    assert_non_null(strstr(out.data, "\nkanal_messages_known_total{channel=\"email-pusat\"} 5\n"));
    assert_non_null(strstr(out.data, "\nkanal_buried_total 7\n"));
    assert_null(strstr(out.data, "\nkanal_messages_known_total 0\n"));

    buf_clear(&out);
    metrics_gauge(&out, "kanal_waiting", "messages that wait for a worker", 12);
    assert_string_equal(out.data, "# HELP kanal_waiting messages that wait for a worker\n"
                                  "# TYPE kanal_waiting gauge\n"
                                  "kanal_waiting 12\n");
    buf_release(&out);
}

/* Last: it fills the table for good. */
static void channels_beyond_the_table_are_counted_together(void **state)
{
    (void)state;
    for (int n = 0; n < 1100; n++) {
        char channel[16];
        snprintf(channel, sizeof channel, "full-%d", n);
        metrics_add(METRIC_POLLS, channel, 1);
    }
    struct buf out = BUF_INIT(4 * 1024 * 1024);
    metrics_write(&out);
    assert_false(out.overflow);
    assert_non_null(strstr(out.data, "\nkanal_channel_polls_total{channel=\"full-0\"} 1\n"));
    assert_true(metrics_get(METRIC_POLLS, "full-1099") > 1);
    assert_non_null(strstr(out.data, "\nkanal_channel_polls_total{channel=\"others\"} "));
    buf_release(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(threads_lose_no_count),
        cmocka_unit_test(writes_prometheus_text),
        cmocka_unit_test(channels_beyond_the_table_are_counted_together),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
