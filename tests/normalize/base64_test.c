/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <glib.h>

#include "normalize/base64.h"
#include "normalize/mem.h"

static void vectors_of_rfc_4648(void **state)
{
    (void)state;
    static const struct {
        const char *text, *bytes;
    } cases[] = {
        {"", ""},
        {"Zg==", "f"},
        {"Zm8=", "fo"},
        {"Zm9v", "foo"},
        {"Zm9vYg==", "foob"},
        {"Zm9vYmE=", "fooba"},
        {"Zm9vYmFy", "foobar"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        size_t len;
        char *bytes = base64_decode(cases[i].text, strlen(cases[i].text), &len);
        assert_non_null(bytes);
        assert_int_equal(len, strlen(cases[i].bytes));
        assert_string_equal(bytes, cases[i].bytes);
        free(bytes);
    }
}

static void every_byte_comes_back(void **state)
{
    (void)state;
    unsigned char all[256];
    for (size_t i = 0; i < sizeof all; i++)
        all[i] = (unsigned char)(255 - i);
    for (size_t len = 0; len <= sizeof all; len++) {
        size_t again_len;
        gchar *text = g_base64_encode(all, len);
        char *again = base64_decode(text, strlen(text), &again_len);
        assert_non_null(again);
        assert_int_equal(again_len, len);
        assert_memory_equal(again, all, len);
        free(again);
        g_free(text);
    }
}

static void other_spellings_are_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "Z",      "Zg",   "Zg=",  "Zh==",  "Zm9=",     "====",     "=g==",    "Z===",
        "Zm9v\n", "Zm 9", "Zm-_", "Zm9v=", "Zg==Zg==", "Zm9v====", "Z\x80 9",
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        size_t len;
        if (base64_decode(bad[i], strlen(bad[i]), &len) != NULL)
            fail_msg("%s was taken", bad[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(vectors_of_rfc_4648),
        cmocka_unit_test(every_byte_comes_back),
        cmocka_unit_test(other_spellings_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
