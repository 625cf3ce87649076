/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "gateway/limiter.h"

static void counts_within_a_window(void **state)
{
    (void)state;
    struct limiter *limiter = limiter_new(3, 1000, 16);
    int64_t wait_ms = -1;
    for (int i = 0; i < 3; i++)
        assert_true(limiter_take(limiter, 7, 5000 + i, &wait_ms));
    assert_false(limiter_take(limiter, 7, 5100, &wait_ms));
    assert_int_equal(wait_ms, 900);
    assert_true(limiter_take(limiter, 8, 5100, NULL));
    assert_true(limiter_take(limiter, 7, 6000, &wait_ms));
    assert_int_equal(wait_ms, 0);
    limiter_free(limiter);
}

static void looking_does_not_count(void **state)
{
    (void)state;
    struct limiter *limiter = limiter_new(1, 1000, 16);
    for (int i = 0; i < 5; i++)
        assert_true(limiter_allows(limiter, 7, 10, NULL));
    assert_true(limiter_take(limiter, 7, 10, NULL));
    assert_false(limiter_allows(limiter, 7, 10, NULL));
    limiter_free(limiter);
}

static void a_flood_of_keys_costs_no_memory_and_no_crash(void **state)
{
    (void)state;
    struct limiter *limiter = limiter_new(2, 1000, 64);
    for (uint64_t key = 0; key < 100000; key++)
        assert_true(limiter_take(limiter, key * 0x9e3779b97f4a7c15u, (int64_t)key / 1000, NULL));
    limiter_free(limiter);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(counts_within_a_window),
        cmocka_unit_test(looking_does_not_count),
        cmocka_unit_test(a_flood_of_keys_costs_no_memory_and_no_crash),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
