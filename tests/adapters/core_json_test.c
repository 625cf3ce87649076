/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "adapters/core.h"

static void reads_a_list(void **state)
{
    static const char body[] =
        "{\"updates\":[{\"id\":\"u1\",\"report\":\"7KQ3MXP9T2FC\",\"day\":\"2026-11-21\","
        "\"state\":\"Menunggu Validasi\",\"agency\":\"Sudin Bina Marga\",\"answer\":null,"
        "\"photo\":{\"media_type\":\"image/jpeg\",\"data\":\"AAEC/w==\"},\"officer\":\"x\"},"
        "{\"id\":\"u2\",\"report\":\"7KQ3MXP9T2FC\",\"state\":\"Selesai\",\"answer\":\"\","
        "\"photo\":null}],\"next\":\"17\"}";
    struct core_update *updates;
    struct buf next = BUF_INIT(100);
    struct err err = ERR_INIT;
    size_t n;

    (void)state;
    assert_int_equal(core_updates_parse(body, strlen(body), &updates, &n, &next, &err), 0);
    assert_int_equal(n, 2);
    assert_string_equal(updates[0].key, "u1");
    assert_string_equal(updates[0].report_id, "7KQ3MXP9T2FC");
    assert_string_equal(updates[0].day, "2026-11-21");
    assert_string_equal(updates[0].state, "Menunggu Validasi");
    assert_string_equal(updates[0].agency, "Sudin Bina Marga");
    assert_null(updates[0].answer);
    assert_string_equal(updates[0].photo_media_type, "image/jpeg");
    assert_int_equal(updates[0].photo_len, 4);
    assert_memory_equal(updates[0].photo, "\0\1\2\377", 4);
    assert_null(updates[1].day);
    assert_null(updates[1].answer);
    assert_null(updates[1].photo);
    assert_string_equal(next.data, "17");
    core_updates_free(updates, n);
    buf_release(&next);
}

static void reads_an_empty_list(void **state)
{
    static const char *const bodies[] = {"{\"updates\":[]}", "{\"updates\":[],\"next\":null}"};
    struct core_update *updates;
    struct err err = ERR_INIT;
    size_t n;

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(core_updates_parse(bodies[i], strlen(bodies[i]), &updates, &n, NULL, &err),
                         0);
        assert_int_equal(n, 0);
        core_updates_free(updates, n);
    }
}

#define GOOD "{\"id\":\"u\",\"report\":\"r\",\"state\":\"s\"}"

static void names_what_is_wrong(void **state)
{
    static const struct {
        const char *body, *text;
    } bad[] = {
        {"", "cannot read updates: not JSON"},
        {"[]", "cannot read updates: not a list"},
        {"{\"updates\":[],\"updates\":[]}", "cannot read updates: not JSON"},
        {"{\"updates\":{}}", "cannot read updates: not a list"},
        {"{\"updates\":[],\"next\":5}", "cannot read next: not a string"},
        {"{\"updates\":[" GOOD ",7]}", "cannot read updates[1]: not an object"},
        {"{\"updates\":[" GOOD ",{\"report\":\"r\",\"state\":\"s\"}]}",
         "cannot read updates[1].id: missing"},
        {"{\"updates\":[{\"id\":\"u\",\"report\":null,\"state\":\"s\"}]}",
         "cannot read updates[0].report: missing"},
        {"{\"updates\":[{\"id\":\"u\",\"report\":\"r\",\"state\":\"\"}]}",
         "cannot read updates[0].state: missing"},
        {"{\"updates\":[{\"id\":7,\"report\":\"r\",\"state\":\"s\"}]}",
         "cannot read updates[0].id: not a string"},
        {"{\"updates\":[{\"id\":\"u\",\"report\":\"r\",\"state\":\"s\",\"day\":1}]}",
         "cannot read updates[0].day: not a string"},
        {"{\"updates\":[{\"id\":\"u\",\"report\":\"r\",\"state\":\"s\",\"photo\":1}]}",
         "cannot read updates[0].photo: not an object with data"},
        {"{\"updates\":[{\"id\":\"u\",\"report\":\"r\",\"state\":\"s\",\"photo\":"
         "{\"media_type\":\"image/png\",\"data\":\"%%\"}}]}",
         "cannot read updates[0].photo.data: not base64"},
        {"{\"updates\":[{\"id\":\"u\",\"report\":\"r\",\"state\":\"s\",\"photo\":"
         "{\"data\":\"AAAA\"}}]}",
         "cannot read updates[0].media_type: missing"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct core_update *updates;
        struct err err = ERR_INIT;
        size_t n;

        assert_int_equal(
            core_updates_parse(bad[i].body, strlen(bad[i].body), &updates, &n, NULL, &err), -1);
        assert_int_equal(err.kind, ERR_PERMANENT);
        assert_string_equal(err.text, bad[i].text);
        assert_int_equal(n, 0);
    }
}

static void refuses_too_many(void **state)
{
    struct buf body = BUF_INIT(1024 * 1024);
    struct core_update *updates;
    struct err err = ERR_INIT;
    size_t n;

    (void)state;
    buf_add_text(&body, "{\"updates\":[" GOOD);
    for (int i = 0; i < CORE_UPDATES_MAX; i++)
        buf_add_text(&body, "," GOOD);
    buf_add_text(&body, "]}");
    assert_int_equal(core_updates_parse(body.data, body.len, &updates, &n, NULL, &err), -1);
    buf_release(&body);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_a_list),
        cmocka_unit_test(reads_an_empty_list),
        cmocka_unit_test(names_what_is_wrong),
        cmocka_unit_test(refuses_too_many),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
