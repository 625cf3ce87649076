/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "gateway/backoff.h"

static const struct {
    int failed_tries;
    int asked_s;
    uint32_t random;
    int64_t wait_ms;
} waits[] = {
    {1, 0, 0, 8000},
    {1, 0, UINT32_MAX / 2 + 1, 10000},
    {1, 0, UINT32_MAX, 12000},
    {2, 0, 0, 16000},
    {3, 0, UINT32_MAX, 48000},
    {9, 0, 0, 2048000},
    {10, 0, 0, 2880000},
    {10, 0, UINT32_MAX, 4320000},
    {1000000, 0, UINT32_MAX, 4320000},
    {0, 0, 0, 8000},
    {-5, 0, 0, 8000},
    /* what the other side asks for counts only when it is longer, and never beyond a day */
    {1, 11, 0, 11000},
    {1, 5, 0, 8000},
    {1, -1, 0, 8000},
    {1, 86400, 0, 86400000},
    {1, INT32_MAX, 0, 86400000},
};

static void waits_double_with_jitter(void **state)
{
    (void)state;
    for (size_t n = 0; n < sizeof waits / sizeof waits[0]; n++)
        assert_int_equal(backoff_ms(waits[n].failed_tries, waits[n].asked_s, waits[n].random),
                         waits[n].wait_ms);
}

static void gives_up_after_five_days(void **state)
{
    (void)state;
    const int64_t created_ms = 1795255407000;
    assert_false(backoff_give_up(created_ms, created_ms));
    assert_false(backoff_give_up(created_ms, created_ms + 432000000 - 1));
    assert_true(backoff_give_up(created_ms, created_ms + 432000000));
    assert_false(backoff_give_up(created_ms, created_ms - 1000)); /* the clock was set back */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(waits_double_with_jitter),
        cmocka_unit_test(gives_up_after_five_days),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
