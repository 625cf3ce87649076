/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "normalize/buf.h"
#include "normalize/text.h"

#define BYTES(literal) (literal), sizeof literal - 1

static const struct {
    const char *in;
    size_t len;
    const char *out; /* NULL: nothing is left */
} cleaned[] = {
    {BYTES("Jalan rusak"), "Jalan rusak"},
    {BYTES("satu\r\ndua\rtiga\n"), "satu\ndua\ntiga"},
    {BYTES("a\x0b"
           "b\x0c"
           "c\xc2\x85"
           "d\xe2\x80\xa8"
           "e\xe2\x80\xa9"
           "f"),
     "a\nb\nc\nd\ne\nf"},
    {BYTES("\n\n  a  \n\n\n\n\nb\t \n\n"), "  a\n\n\nb"},
    {BYTES("e\xcc\x81"), "\xc3\xa9"},
    {BYTES("a\0b\x07\x1b[31mc\x7f\xc2\x9b"), "ab[31mc"},
    {BYTES("caf\xe9 lama"), "caf\xef\xbf\xbd lama"},
    {BYTES("\xed\xa0\x80x"), "\xef\xbf\xbdx"},
    {BYTES("\xc0\xaf"), "\xef\xbf\xbd\xef\xbf\xbd"},
    {BYTES("ujung\xf0\x9f\x98"), "ujung\xef\xbf\xbd"},
    {BYTES("\xf0\x9f\x99\x8f pak"), "\xf0\x9f\x99\x8f pak"},
    {BYTES("a\xe2\x80\xaegnp.exe\xe2\x81\xa6x\xe2\x80\xac"),
     "a\xef\xbf\xbdgnp.exe\xef\xbf\xbdx\xef\xbf\xbd"},
    {BYTES("\xef\xbb\xbfPon\xc2\xadsel\xe2\x80\x8b"
           "a"),
     "Ponsela"},
    {BYTES("a\xc2\xa0"
           "b\xe2\x80\xaf"
           "c"),
     "a b c"},
    {BYTES("\xe2\x80\x8f\xd8\xb3"), "\xe2\x80\x8f\xd8\xb3"},
    {BYTES(""), NULL},
    {BYTES(" \t\r\n\x01\xc2\xa0\n"), NULL},
};

static void cleans(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof cleaned / sizeof cleaned[0]; i++) {
        char *text = text_clean(cleaned[i].in, cleaned[i].len);
        if (cleaned[i].out == NULL) {
            assert_null(text);
            continue;
        }
        assert_non_null(text);
        assert_string_equal(text, cleaned[i].out);
        char *again = text_clean(text, strlen(text));
        assert_string_equal(again, text);
        free(again);
        free(text);
    }
}

static void cleans_a_line(void **state)
{
    (void)state;
    static const struct {
        const char *in, *out;
    } lines[] = {
        {"  Lampu \r\n\t jalan\xc2\xa0mati \n", "Lampu jalan mati"},
        {"satu", "satu"},
        {"\n\t ", NULL},
        {"a\xe2\x80\xa8"
         "b",
         "a b"},
    };
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        char *text = text_clean_line(lines[i].in, strlen(lines[i].in));
        if (lines[i].out == NULL)
            assert_null(text);
        else
            assert_string_equal(text, lines[i].out);
        free(text);
    }
}

static void knows_utf8(void **state)
{
    (void)state;
    static const struct {
        const char *in;
        size_t len;
        bool good;
    } table[] = {
        {BYTES(""), true},
        {BYTES("caf\xc3\xa9"), true},
        {BYTES("\xf0\x9f\x99\x8f"), true},
        {BYTES("a\0b"), false},
        {BYTES("caf\xe9"), false},
        {BYTES("\xc0\xaf"), false},
        {BYTES("\xed\xa0\x80"), false},
        {BYTES("\xf4\x90\x80\x80"), false},
        {BYTES("\xc3"), false},
    };
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++)
        assert_int_equal(text_is_utf8(table[i].in, table[i].len), table[i].good);
}

static void counts_characters_and_cuts_between_them(void **state)
{
    (void)state;
    assert_int_equal(text_length("caf\xc3\xa9 \xf0\x9f\x99\x8f"), 6);
    static const struct {
        size_t max;
        const char *out;
        bool cut;
    } cuts[] = {
        {9, "ab\xc3\xa9\xf0\x9f\x99\x8fz", false},
        {8, "ab\xc3\xa9\xf0\x9f\x99\x8f", true},
        {7, "ab\xc3\xa9", true},
        {4, "ab\xc3\xa9", true},
        {3, "ab", true},
        {0, "", true},
    };
    for (size_t i = 0; i < sizeof cuts / sizeof cuts[0]; i++) {
        char text[] = "ab\xc3\xa9\xf0\x9f\x99\x8fz";
        assert_int_equal(text_truncate(text, cuts[i].max), cuts[i].cut);
        assert_string_equal(text, cuts[i].out);
    }
    char label[] = "UTF-8 \xc3\x89";
    assert_string_equal(text_ascii_lower(label), "utf-8 \xc3\x89");
}

static void goes_through_lists(void **state)
{
    (void)state;
    static const char *const words[] = {"jalan", "lampu-jalan", "air"};
    const char *rest = " ,jalan, lampu-jalan,,\tair ,";
    const char *word;
    size_t len, n = 0;
    assert_true(text_list_holds(rest, "air"));
    assert_false(text_list_holds(rest, "jala"));
    assert_false(text_list_holds(rest, "lampu"));
    assert_false(text_list_holds(rest, ""));
    assert_false(text_list_holds("", "air"));
    while (text_list_next(&rest, &word, &len)) {
        assert_int_equal(len, strlen(words[n]));
        assert_memory_equal(word, words[n], len);
        n++;
    }
    assert_int_equal(n, 3);
}

/* A base with a megabyte of combining marks: takes time in the length, not in its square. */
static void long_marks_are_no_trap(void **state)
{
    (void)state;
    struct buf marks = BUF_INIT(4 * 1024 * 1024);
    buf_add_char(&marks, 'a');
    for (size_t i = 0; i < 500 * 1000; i++)
        buf_add_text(&marks, i % 2 == 0 ? "\xcc\x81" : "\xcc\xa3");
    char *text = text_clean(marks.data, marks.len);
    assert_true(text_is_utf8(text, strlen(text)));
    free(text);
    buf_release(&marks);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cleans),
        cmocka_unit_test(cleans_a_line),
        cmocka_unit_test(knows_utf8),
        cmocka_unit_test(counts_characters_and_cuts_between_them),
        cmocka_unit_test(goes_through_lists),
        cmocka_unit_test(long_marks_are_no_trap),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
