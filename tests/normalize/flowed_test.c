/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "normalize/buf.h"
#include "normalize/flowed.h"

static const struct {
    const char *in;
    bool delsp;
    const char *out;
} table[] = {
    {"", false, ""},
    {"satu\n", false, "satu\n"},
    {"Lampu jalan \nmati.\n", false, "Lampu jalan mati.\n"},
    {"Lampu jalan \r\nmati.\r\n", false, "Lampu jalan mati.\n"},
    {"Kelu \nrahan\n", true, "Kelurahan\n"},
    {" > bukan kutipan\n", false, "> bukan kutipan\n"},
    {"  menjorok\n", false, " menjorok\n"},
    {" From awal\n", false, "From awal\n"},
    {"> kutipan \n> lanjut\njawab\n", false, "> kutipan lanjut\njawab\n"},
    {">> dua \n> satu\n", false, "> > dua \n> satu\n"},
    {">>dalam\n", false, "> > dalam\n"},
    {"akhir \n-- \nBudi\n", false, "akhir \n-- \nBudi\n"},
    {"> akhir \n> -- \n> Budi\n", false, "> akhir \n> -- \n> Budi\n"},
    {"tanpa akhir ", false, "tanpa akhir \n"},
    {"a \n\nb\n", false, "a \nb\n"},
    {"\n\na\n", false, "\n\na\n"},
};

static void unflows(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        char *text = flowed_decode(table[i].in, table[i].delsp);
        assert_string_equal(text, table[i].out);
        free(text);
    }
}

static void endless_quotes_do_not_grow(void **state)
{
    (void)state;
    struct buf marks = BUF_INIT(2 * 1024 * 1024);
    for (size_t i = 0; i < 1000 * 1000; i++)
        buf_add_char(&marks, '>');
    char *text = flowed_decode(marks.data, false);
    assert_true(strlen(text) < 100);
    free(text);
    buf_release(&marks);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(unflows),
        cmocka_unit_test(endless_quotes_do_not_grow),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
