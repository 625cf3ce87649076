/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "normalize/buf.h"
#include "normalize/charset.h"
#include "normalize/mem.h"
#include "normalize/text.h"

#define BYTES(literal) (literal), sizeof literal - 1

static const struct {
    const char *label, *in;
    size_t len;
    const char *out;
    bool guessed;
} table[] = {
    {"utf-8", BYTES("caf\xc3\xa9"), "caf\xc3\xa9", false},
    {"\"UTF-8//IGNORE\"", BYTES("caf\xc3\xa9"), "caf\xc3\xa9", false},
    {"utf8", BYTES("caf\xe9"), "caf\xc3\xa9", true},
    {"us-ascii", BYTES("caf\xc3\xa9"), "caf\xc3\xa9", false},
    {"us-ascii", BYTES("caf\xe9"), "caf\xc3\xa9", true},
    {NULL, BYTES("biasa"), "biasa", false},
    {NULL, BYTES("caf\xc3\xa9"), "caf\xc3\xa9", false},
    {NULL, BYTES("caf\xe9"), "caf\xc3\xa9", true},
    {"", BYTES("caf\xe9"), "caf\xc3\xa9", true},
    {"x-unknown", BYTES("caf\xe9"), "caf\xc3\xa9", true},
    {"default_charset", BYTES("\x93ya\x94"), "\xe2\x80\x9cya\xe2\x80\x9d", true},
    {"iso-8859-1", BYTES("\x93ya\x94 \xe9"), "\xe2\x80\x9cya\xe2\x80\x9d \xc3\xa9", false},
    {"ISO_8859-15", BYTES("5 \xa4"), "5 \xe2\x82\xac", false},
    {"windows-1250", BYTES("\xb9\x9c"), "\xc4\x85\xc5\x9b", false},
    {"windows-1258", BYTES("a\xec"), "\xc3\xa1", false},
    {"iso-8859-8-i", BYTES("\xf9\xec\xe5\xed"), "\xd7\xa9\xd7\x9c\xd7\x95\xd7\x9d", false},
    {"koi8-r", BYTES("\xd0\xd2\xc9"), "\xd0\xbf\xd1\x80\xd0\xb8", false},
    {"gb2312", BYTES("\xc4\xe3\xba\xc3"), "\xe4\xbd\xa0\xe5\xa5\xbd", false},
    {"Big5", BYTES("\xa7\x41\xa6\x6e"), "\xe4\xbd\xa0\xe5\xa5\xbd", false},
    {"ks_c_5601-1987", BYTES("\xbe\xc8"), "\xec\x95\x88", false},
    {"shift_jis", BYTES("\x82\xa0"), "\xe3\x81\x82", false},
    {"iso-2022-jp", BYTES("\x1b$B$\"\x1b(B!"), "\xe3\x81\x82!", false},
    {"unicode-1-1-utf-7", BYTES("a+AOk-"), "a\xc3\xa9", false},
    {"utf-16",
     BYTES("\xff\xfe"
           "a\0\xe9\0"),
     "a\xc3\xa9", false},
    {"utf-16", BYTES("bukan utf-16"), "bukan utf-16", false},
    {"utf-8", BYTES("a\0b"), "ab", false},
    {"utf-8", BYTES(""), "", false},
    /* A cut character does not turn declared UTF-8 into something else. */
    {"utf-8",
     BYTES("\xe4\xbd\xa0\xe5\xa5\xbd\xe4\xbd\xa0\xe5\xa5\xbd\xe4\xbd\xa0\xe5\xa5\xbd\xe4\xbd"),
     "\xe4\xbd\xa0\xe5\xa5\xbd\xe4\xbd\xa0\xe5\xa5\xbd\xe4\xbd\xa0\xe5\xa5\xbd\xef\xbf\xbd", false},
    /* Wrong label, enough bytes to tell: Cyrillic. */
    {"us-ascii",
     BYTES("\xcf\xf0\xe8\xe2\xe5\xf2, \xfd\xf2\xee \xf1\xee\xee\xe1\xf9\xe5\xed\xe8\xe5 \xee "
           "\xf0\xe0\xe7\xe1\xe8\xf2\xee\xe9 \xe4\xee\xf0\xee\xe3\xe5"),
     "\xd0\x9f\xd1\x80\xd0\xb8\xd0\xb2\xd0\xb5\xd1\x82, \xd1\x8d\xd1\x82\xd0\xbe "
     "\xd1\x81\xd0\xbe\xd0\xbe\xd0\xb1\xd1\x89\xd0\xb5\xd0\xbd\xd0\xb8\xd0\xb5 \xd0\xbe "
     "\xd1\x80\xd0\xb0\xd0\xb7\xd0\xb1\xd0\xb8\xd1\x82\xd0\xbe\xd0\xb9 "
     "\xd0\xb4\xd0\xbe\xd1\x80\xd0\xbe\xd0\xb3\xd0\xb5",
     true},
};

static void converts(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        bool guessed = false;
        char *text = charset_to_utf8(table[i].in, table[i].len, table[i].label, &guessed);
        assert_string_equal(text, table[i].out);
        assert_int_equal(guessed, table[i].guessed);
        free(text);
    }
}

static void knows_labels(void **state)
{
    (void)state;
    assert_string_equal(charset_find(" 'ISO-8859-1' "), "WINDOWS-1252");
    assert_string_equal(charset_find("KS_C_5601-1987"), "CP949");
    static const char *const unknown[] = {
        NULL,
        "",
        "x-unknown",
        "ibm1047",
        "utf-8x",
        "-",
        "../../etc/passwd",
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
    };
    for (size_t i = 0; i < sizeof unknown / sizeof unknown[0]; i++)
        assert_null(charset_find(unknown[i]));
}

/* Whatever the bytes and the label are: UTF-8 comes out. Chunks end inside characters. */
static void always_ends_as_utf8(void **state)
{
    (void)state;
    static const char *const labels[] = {
        "utf-8",        "utf-16",       "utf-7",  "gb18030", "big5", "iso-2022-jp",
        "windows-1252", "windows-1258", "euc-kr", "utf-32",  "tcvn", NULL,
    };
    uint32_t seed = 1;
    for (size_t i = 0; i < sizeof labels / sizeof labels[0]; i++) {
        for (size_t len = 0; len < 20000; len = len * 2 + 1) {
            char *bytes = mem_calloc(len, 1);
            for (size_t k = 0; k < len; k++) {
                seed = seed * 1664525 + 1013904223;
                bytes[k] = (char)(seed >> 24);
            }
            bool guessed = false;
            char *text = charset_to_utf8(bytes, len, labels[i], &guessed);
            assert_true(text_is_utf8(text, strlen(text)));
            free(text);
            free(bytes);
        }
    }
}

int main(void)
{
    charset_start();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(converts),
        cmocka_unit_test(knows_labels),
        cmocka_unit_test(always_ends_as_utf8),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
