/* SPDX-License-Identifier: Apache-2.0 */
/* The bell: who sleeps by it wakes when rung, when stopped, and when the time is over. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "gateway/bell.h"
#include "gateway/process.h"

enum { LONG_MS = 60 * 1000, SHORT_MS = 20 };

static void a_ring_before_the_sleep_is_not_lost(void **state)
{
    (void)state;
    struct bell bell;
    unsigned long seen = 0;
    bell_init(&bell);
    bell_ring(&bell);
    assert_true(bell_sleep(&bell, LONG_MS, &seen));
    assert_int_equal(seen, 1);
    int64_t begun_ms = clock_ms();
    assert_true(bell_sleep(&bell, SHORT_MS, &seen)); /* that ring was heard already */
    assert_true(clock_ms() - begun_ms >= SHORT_MS);
    bell_ring(&bell);
    assert_true(bell_sleep(&bell, SHORT_MS, NULL)); /* who does not listen sleeps on */
    bell_release(&bell);
}

static void *ring(void *context)
{
    bell_ring(context);
    return NULL;
}

static void *stop(void *context)
{
    bell_stop(context);
    return NULL;
}

static void a_sleeper_wakes(void **state)
{
    (void)state;
    struct bell bell;
    struct err err = ERR_INIT;
    unsigned long seen = 0;
    pthread_t thread;
    bell_init(&bell);
    assert_int_equal(process_thread(&thread, ring, &bell, &err), 0);
    assert_true(bell_sleep(&bell, LONG_MS, &seen));
    assert_true(process_join(thread, clock_ms() + LONG_MS));
    assert_false(bell_stopped(&bell));
    assert_int_equal(process_thread(&thread, stop, &bell, &err), 0);
    assert_false(bell_sleep(&bell, LONG_MS, NULL));
    assert_true(process_join(thread, clock_ms() + LONG_MS));
    assert_false(bell_sleep(&bell, LONG_MS, &seen));
    assert_true(bell_stopped(&bell));
    bell_release(&bell);
}

static void *sleep_long(void *context)
{
    bell_sleep(context, LONG_MS, NULL);
    return NULL;
}

static void a_thread_that_goes_on_is_told(void **state)
{
    (void)state;
    struct bell bell;
    struct err err = ERR_INIT;
    pthread_t thread;
    bell_init(&bell);
    assert_int_equal(process_thread(&thread, sleep_long, &bell, &err), 0);
    assert_false(process_join(thread, clock_ms() + SHORT_MS));
    bell_stop(&bell);
    assert_true(process_join(thread, clock_ms() + LONG_MS));
    bell_release(&bell);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_ring_before_the_sleep_is_not_lost),
        cmocka_unit_test(a_sleeper_wakes),
        cmocka_unit_test(a_thread_that_goes_on_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
