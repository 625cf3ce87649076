/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "adapters/signature.h"

#define SECRET "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYX"
#define BODY   "{\"type\":\"complaint.created\",\"data\":{\"id\":\"1\"}}"
#define SIGNED "v1,7PzvzeZXvqb4Uu9ZvlQAKYwKSFvlBUOgGimuy7qXHgo="

enum { NOW_S = 1700000000 };

static void makes_the_published_signature(void **state)
{
    struct buf out = BUF_INIT(200);

    (void)state;
    signature_make(SECRET, "msg_1", NOW_S, BODY, strlen(BODY), &out);
    assert_string_equal(out.data, SIGNED);
    buf_release(&out);
}

static int check(const char *secret, const char *id, const char *timestamp, const char *header,
                 const char *body)
{
    struct err err = ERR_INIT;
    int result = signature_check(secret, id, timestamp, header, body, strlen(body), NOW_S, &err);

    assert_int_equal(err.kind, result == 0 ? ERR_NONE : ERR_PERMANENT);
    return result;
}

static void accepts(void **state)
{
    static const char *const headers[] = {
        SIGNED,
        "v1a,AAAA " SIGNED,
        "v1,AAAA v2,x  " SIGNED " v1,",
    };

    (void)state;
    for (size_t i = 0; i < sizeof headers / sizeof headers[0]; i++)
        assert_int_equal(check(SECRET, "msg_1", "1700000000", headers[i], BODY), 0);
}

static void refuses(void **state)
{
    static const struct {
        const char *secret, *id, *timestamp, *header, *body;
    } bad[] = {
        {SECRET, NULL, "1700000000", SIGNED, BODY},
        {SECRET, "msg_1", NULL, SIGNED, BODY},
        {SECRET, "msg_1", "1700000000", NULL, BODY},
        {SECRET, "msg_1", "1700000000", "", BODY},
        {SECRET, "msg_1", "1700000000", "v1,", BODY},
        {SECRET, "msg_1", "1700000000", "v1,7PzvzeZXvqb4Uu9ZvlQAKYwKSFvlBUOgGimuy7qXHg==", BODY},
        {SECRET, "msg_1", "1700000000", "v2,7PzvzeZXvqb4Uu9ZvlQAKYwKSFvlBUOgGimuy7qXHgo=", BODY},
        {SECRET, "msg_2", "1700000000", SIGNED, BODY},
        {SECRET, "msg_1", "1700000001", SIGNED, BODY},
        {SECRET, "msg_1", "1700000000", SIGNED, BODY " "},
        {"whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYY", "msg_1", "1700000000", SIGNED, BODY},
        {"AAECAwQFBgcICQoLDA0ODxAREhMUFRYX", "msg_1", "1700000000", SIGNED, BODY},
        {SECRET, "msg_1", "", SIGNED, BODY},
        {SECRET, "msg_1", " 1700000000", SIGNED, BODY},
        {SECRET, "msg_1", "+1700000000", SIGNED, BODY},
        {SECRET, "msg_1", "1700000000x", SIGNED, BODY},
        {SECRET, "msg_1", "99999999999999999999999", SIGNED, BODY},
    };

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        if (check(bad[i].secret, bad[i].id, bad[i].timestamp, bad[i].header, bad[i].body) == 0)
            fail_msg("bad[%zu] was accepted", i);
}

/* Valid for five minutes either way, by any secret. */
static void times(void **state)
{
    static const struct {
        int64_t offset_s;
        int expected;
    } cases[] = {{0, 0},   {-SIGNATURE_TOLERANCE_S, 0},      {SIGNATURE_TOLERANCE_S, 0},
                 {299, 0}, {-SIGNATURE_TOLERANCE_S - 1, -1}, {SIGNATURE_TOLERANCE_S + 1, -1}};

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct buf signature = BUF_INIT(200);
        char timestamp[32];

        snprintf(timestamp, sizeof timestamp, "%lld", (long long)(NOW_S + cases[i].offset_s));
        signature_make("any text", "id", NOW_S + cases[i].offset_s, BODY, strlen(BODY), &signature);
        assert_int_equal(check("any text", "id", timestamp, signature.data, BODY),
                         cases[i].expected);
        buf_release(&signature);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(makes_the_published_signature),
        cmocka_unit_test(accepts),
        cmocka_unit_test(refuses),
        cmocka_unit_test(times),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
