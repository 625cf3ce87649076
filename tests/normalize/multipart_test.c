/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "normalize/buf.h"
#include "normalize/mem.h"
#include "normalize/multipart.h"
#include "normalize/urlencoded.h"

static const char type[] = "multipart/form-data; boundary=xyz";

/* Lists the parts as "name|filename|data;"; " !" at the end when the body is malformed. */
static void list(const char *content_type, const char *body, size_t len, struct buf *out)
{
    struct multipart multipart;
    struct multipart_part part;
    int more = 1;
    buf_clear(out);
    /* A copy of exactly that size, so that reading beyond it shows. */
    char *copy = mem_calloc(len + 1, 1);
    memcpy(copy, body, len);
    char *exact = mem_realloc(copy, len == 0 ? 1 : len, 1);
    if (multipart_start(&multipart, content_type, exact, len) != 0) {
        buf_add_text(out, "!");
        more = 0;
    }
    while (more > 0) {
        more = multipart_next(&multipart, &part);
        if (more > 0) {
            buf_addf(out, "%s|%s|", part.name, part.filename == NULL ? "-" : part.filename);
            buf_add(out, part.data, part.len);
            buf_add_char(out, ';');
        } else if (more < 0) {
            buf_add_text(out, "!");
        }
        multipart_part_release(&part);
    }
    free(exact);
}

static void assert_list(const char *content_type, const char *body, const char *expected)
{
    struct buf out = BUF_INIT(SIZE_MAX / 4);
    list(content_type, body, strlen(body), &out);
    assert_string_equal(out.data, expected);
    buf_release(&out);
}

#define PART(name, data)                                                                           \
    "--xyz\r\nContent-Disposition: form-data; name=\"" name "\"\r\n\r\n" data "\r\n"

static void parts_are_found(void **state)
{
    (void)state;
    static const struct {
        const char *body, *parts;
    } cases[] = {
        {PART("a", "1") "--xyz--\r\n", "a|-|1;"},
        {PART("a", "1") "--xyz--", "a|-|1;"},
        {PART("a", "1") PART("b", "2\r\n3") "--xyz--\r\n", "a|-|1;b|-|2\r\n3;"},
        {PART("a", "") "--xyz--\r\n", "a|-|;"},
        {"--xyz\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n--xyz--\r\n", "a|-|;"},
        {"preamble\r\n" PART("a", "1") "--xyz--\r\nepilogue", "a|-|1;"},
        {"--xyz--\r\n", ""},
        {"--xyz \t\r\nContent-Disposition: form-data; name=a\r\n\r\n1\r\n--xyz--", "a|-|1;"},
        {"--xyz\r\ncontent-type: text/plain\r\nCONTENT-DISPOSITION:form-data;name=a;filename=b\r\n"
         "\r\n1\r\n--xyz--",
         "a|b|1;"},
        {"--xyz\r\nContent-Disposition: form-data; name=\"a;b\"; "
         "filename=\"C:\\x\\\"y.jpg\"\r\n\r\n"
         "1\r\n--xyz--",
         "a;b|C:\\x\"y.jpg|1;"},
        {"--xyz\r\nContent-Disposition: form-data; name=\"a%22%0d%0Ab%41\"; filename=\"\"\r\n\r\n"
         "1\r\n--xyz--",
         "a\"\r\nb%41||1;"},
        {"--xyz\r\nContent-Disposition: form-data; filename*=UTF-8''x; name=\"a\"\r\n\r\n1\r\n"
         "--xyz--",
         "a|-|1;"},
        /* Text that only begins like a delimiter belongs to the part. */
        {PART("a", "1\r\n--xyzzy\r\n--xyz-\r\n--xy") "--xyz--",
         "a|-|1\r\n--xyzzy\r\n--xyz-\r\n--xy;"},
        {PART("a", "1\n--xyz--\n") "--xyz--", "a|-|1\n--xyz--\n;"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        assert_list(type, cases[i].body, cases[i].parts);
}

static void bodies_that_stop_early_are_malformed(void **state)
{
    (void)state;
    static const char body[] = PART("a", "1") PART("b", "2") "--xyz--";
    struct buf out = BUF_INIT(SIZE_MAX / 4);
    for (size_t len = 0; len < sizeof body - 1; len++) {
        list(type, body, len, &out);
        if (out.len == 0 || out.data[out.len - 1] != '!')
            fail_msg("%zu bytes were taken as: %s", len, out.data);
    }
    buf_release(&out);
}

static void malformed_parts_end_it(void **state)
{
    (void)state;
    static const struct {
        const char *body, *parts;
    } cases[] = {
        {"", "!"},
        {"story=1", "!"},
        {"--xyz\r\n\r\n1\r\n--xyz--", "!"},
        {"--xyz\r\nContent-Disposition: form-data\r\n\r\n1\r\n--xyz--", "!"},
        {"--xyz\r\nContent-Type: text/plain; name=a\r\n\r\n1\r\n--xyz--", "!"},
        {"--xyz\r\nContent-Disposition: form-data; filename=a\r\n"
         "Content-Disposition: form-data; filename=b; name=c\r\n\r\n1\r\n--xyz--",
         "!"},
        {PART("a", "1") "--xyz\r\nX: y\r\n\r\n2\r\n--xyz--", "a|-|1;!"},
        {"--xyz\nContent-Disposition: form-data; name=a\n\n1\n--xyz--\n", "!"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        assert_list(type, cases[i].body, cases[i].parts);
    struct buf body = BUF_INIT(SIZE_MAX / 4);
    buf_add_text(&body, "--xyz\r\nContent-Disposition: form-data; name=a\r\nX: ");
    for (int i = 0; i < MULTIPART_HEADERS_MAX; i++)
        buf_add_char(&body, 'x');
    buf_add_text(&body, "\r\n\r\n1\r\n--xyz--");
    assert_list(type, body.data, "!");
    buf_release(&body);
}

static void boundaries_are_read_from_the_type(void **state)
{
    (void)state;
    static const char body[] = PART("a", "1") "--xyz--";
    static const char *const good[] = {
        "multipart/form-data; boundary=\"xyz\"",
        "multipart/form-data;charset=utf-8;BOUNDARY=xyz",
        "multipart/form-data ; x=\"; boundary=no\" ; boundary = xyz ",
    };
    static const char *const bad[] = {
        "multipart/form-data",
        "multipart/form-data; boundary=",
        "multipart/form-data; boundary=abc",
        "multipart/form-data; xboundary=xyz",
        "multipart/form-data; "
        "boundary=xyz3456789012345678901234567890123456789012345678901234567890"
        "12345678901",
    };
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
        assert_list(good[i], body, "a|-|1;");
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_list(bad[i], body, "!");
}

static void bytes_are_bytes(void **state)
{
    (void)state;
    struct buf body = BUF_INIT(SIZE_MAX / 4), out = BUF_INIT(SIZE_MAX / 4);
    static const char data[] = "\xff\xd8\0\r\n\r\n\xff";
    buf_add_text(&body, "--xyz\r\nContent-Disposition: form-data; name=a\r\n\r\n");
    buf_add(&body, data, sizeof data - 1);
    buf_add_text(&body, "\r\n--xyz--");
    list(type, body.data, body.len, &out);
    assert_int_equal(out.len, 4 + sizeof data - 1 + 1);
    assert_memory_equal(out.data + 4, data, sizeof data - 1);
    buf_release(&body);
    buf_release(&out);
}

static void pairs_of_urlencoded_bodies(void **state)
{
    (void)state;
    static const struct {
        const char *body, *pairs;
    } cases[] = {
        {"", ""},
        {"a=1", "a=1;"},
        {"a=1&b=2", "a=1;b=2;"},
        {"&&a=1&&b&=c&d==&", "a=1;b=;=c;d==;"},
        {"a%3db=1+2%2B3", "a=b=1 2+3;"},
        {"a=%e2%82%AC", "a=\xe2\x82\xac;"},
        {"a=%&b=%4&c=%zz&d=%41", "a=%;b=%4;c=%zz;d=A;"},
        {"a=100%", "a=100%;"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct buf name = BUF_INIT(100), value = BUF_INIT(100), out = BUF_INIT(100);
        size_t pos = 0;
        while (urlencoded_next(cases[i].body, strlen(cases[i].body), &pos, &name, &value))
            buf_addf(&out, "%s=%s;", name.data, value.data);
        assert_string_equal(out.data, cases[i].pairs);
        buf_release(&name);
        buf_release(&value);
        buf_release(&out);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parts_are_found),
        cmocka_unit_test(bodies_that_stop_early_are_malformed),
        cmocka_unit_test(malformed_parts_end_it),
        cmocka_unit_test(boundaries_are_read_from_the_type),
        cmocka_unit_test(bytes_are_bytes),
        cmocka_unit_test(pairs_of_urlencoded_bodies),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
