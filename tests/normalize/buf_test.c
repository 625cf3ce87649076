/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "normalize/buf.h"
#include "normalize/err.h"

static void appends_and_terminates(void **state)
{
    (void)state;
    struct buf buf = BUF_INIT(100);
    assert_string_equal(buf.data, "");
    buf_add_text(&buf, "laporan");
    buf_add(&buf, "\0x", 2);
    buf_addf(&buf, " %d", 42);
    assert_int_equal(buf.len, 12);
    assert_memory_equal(buf.data, "laporan\0x 42", 13);
    buf_truncate(&buf, 3);
    assert_string_equal(buf.data, "lap");
    buf_release(&buf);
    assert_string_equal(buf.data, "");
}

static void overflow_is_sticky_and_changes_nothing(void **state)
{
    (void)state;
    struct buf buf = BUF_INIT(4);
    buf_add_text(&buf, "abcd");
    assert_false(buf.overflow);
    buf_add_char(&buf, 'e');
    assert_true(buf.overflow);
    buf_truncate(&buf, 0);
    buf_add_char(&buf, 'f');
    assert_int_equal(buf.len, 0);
    buf_clear(&buf);
    buf_addf(&buf, "%s", "abc");
    assert_string_equal(buf.data, "abc");
    buf_addf(&buf, "%s", "de");
    assert_true(buf.overflow);
    assert_string_equal(buf.data, "abc");
    buf_wipe(&buf);
}

static void detach_gives_the_bytes(void **state)
{
    (void)state;
    struct buf buf = BUF_INIT(100);
    buf_add_u32(&buf, 0x01020304);
    size_t len;
    char *data = buf_detach(&buf, &len);
    assert_int_equal(len, 4);
    assert_memory_equal(data, "\1\2\3\4", 4);
    free(data);
    data = buf_detach(&buf, NULL);
    assert_string_equal(data, "");
    free(data);
}

static void first_error_wins(void **state)
{
    (void)state;
    struct err err = ERR_INIT;
    assert_int_equal(err_set(&err, ERR_TRANSIENT, "cannot reach '%s'", "host"), -1);
    assert_int_equal(err_set(&err, ERR_PERMANENT, "later"), -1);
    assert_int_equal(err.kind, ERR_TRANSIENT);
    assert_string_equal(err.text, "cannot reach 'host'");
    assert_string_equal(err_kind_name(err.kind), "transient");
    err_clear(&err);
    assert_int_equal(err.kind, ERR_NONE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(appends_and_terminates),
        cmocka_unit_test(overflow_is_sticky_and_changes_nothing),
        cmocka_unit_test(detach_gives_the_bytes),
        cmocka_unit_test(first_error_wins),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
