/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "normalize/phone.h"

static void numbers_become_e164(void **state)
{
    (void)state;
    static const struct {
        const char *typed, *phone;
    } cases[] = {
        {"081200000000", "+6281200000000"},
        {"0812-0000-0000", "+6281200000000"},
        {" (0812) 0000.0000 ", "+6281200000000"},
        {"+62 812 0000 0000", "+6281200000000"},
        {"+62 (0)812-0000-0000", "+6281200000000"},
        {"6281200000000", "+6281200000000"},
        {"81200000000", "+6281200000000"},
        {"0062 812 0000 0000", "+6281200000000"},
        {"021 5000000", "+62215000000"},
        {"(021) 500-0000", "+62215000000"},
        {"+31 20 0000000", "+31200000000"},
        {"+1 212 555 0000", "+12125550000"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char phone[PHONE_SIZE] = "";
        if (phone_parse(cases[i].typed, phone) != 0)
            fail_msg("%s was refused", cases[i].typed);
        assert_string_equal(phone, cases[i].phone);
    }
}

static void other_things_are_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",
        "+",
        "-",
        "0",
        "00",
        "123",
        "110",
        "021500000a",
        "sari@example.com",
        "0812000000000000",
        "+6281200000000000000",
        "+62",
        "+62 00812000000",
        "5000000",
        "215000000",
        "+0812000000",
        "081200000000000000000000000000",
        "0812\xe2\x80\x93 0000 0000",
        "++6281200000000",
        "0812+00000000",
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        char phone[PHONE_SIZE];
        if (phone_parse(bad[i], phone) == 0)
            fail_msg("%s became %s", bad[i], phone);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_become_e164),
        cmocka_unit_test(other_things_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
