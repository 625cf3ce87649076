/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "normalize/id.h"

static const char symbols[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/* A fixed sequence of 64 bit values (splitmix64), so that a failure can be repeated. */
static uint64_t random_next(uint64_t *state)
{
    uint64_t z = *state += 0x9e3779b97f4a7c15;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
    z = (z ^ z >> 27) * 0x94d049bb133111eb;
    return z ^ z >> 31;
}

static bool is_id(const char *text)
{
    char id[REPORT_ID_SIZE];
    return report_id_parse(text, strlen(text), id) == 0;
}

static void made_ids_are_read_back(void **state)
{
    (void)state;
    char id[REPORT_ID_SIZE], again[REPORT_ID_SIZE];
    report_id_make(0, id);
    assert_string_equal(id, "000000000000");
    report_id_make(UINT64_MAX, id);
    assert_memory_equal(id, "ZZZZZZZZZZZ", 11);
    uint64_t seed = 1;
    for (int i = 0; i < 10000; i++) {
        uint64_t value = random_next(&seed);
        report_id_make(value, id);
        assert_int_equal(report_id_parse(id, REPORT_ID_SYMBOLS, again), 0);
        assert_string_equal(id, again);
        char low[REPORT_ID_SIZE];
        report_id_make(value & ((UINT64_C(1) << 55) - 1), low);
        assert_string_equal(id, low);
    }
}

/*
 * The scheme is linear: whether a change is caught depends on the places and the values changed
 * alone, and every pair of values occurs at every place here. So this proves it for all IDs.
 */
static void every_wrong_symbol_and_swap_is_caught(void **state)
{
    (void)state;
    uint64_t seed = 2;
    for (int place = 0; place < REPORT_ID_SYMBOLS; place++) {
        bool seen[32][32] = {{false}};
        size_t pairs = 0;
        while (pairs < 32 * 31) {
            char id[REPORT_ID_SIZE], bad[REPORT_ID_SIZE];
            report_id_make(random_next(&seed), id);
            long value = strchr(symbols, id[place]) - symbols;
            for (int other = 0; other < 32; other++) {
                memcpy(bad, id, sizeof bad);
                bad[place] = symbols[other];
                assert_int_equal(is_id(bad), other == value);
            }
            if (place + 1 == REPORT_ID_SYMBOLS)
                pairs++;
            else {
                long next = strchr(symbols, id[place + 1]) - symbols;
                memcpy(bad, id, sizeof bad);
                bad[place] = id[place + 1];
                bad[place + 1] = id[place];
                assert_int_equal(is_id(bad), value == next);
                pairs += value != next && !seen[value][next];
                seen[value][next] = true;
            }
        }
    }
}

/* Damm's own condition, over all triples. */
static void the_quasigroup_is_totally_anti_symmetric(void **state)
{
    (void)state;
    for (unsigned c = 0; c < 32; c++) {
        for (unsigned x = 0; x < 32; x++) {
            for (unsigned y = 0; y < 32; y++) {
                char xy[REPORT_ID_SIZE], yx[REPORT_ID_SIZE];
                report_id_make((uint64_t)c << 10 | x << 5 | y, xy);
                report_id_make((uint64_t)c << 10 | y << 5 | x, yx);
                assert_int_equal(xy[11] == yx[11], x == y);
            }
        }
    }
}

static void ids_are_read_as_people_type_them(void **state)
{
    (void)state;
    static const char *const good[] = {
        "7KQ3MXP9T2FC",      "7KQ3-MXP9-T2FC",     "7kq3-mxp9-t2fc",
        "  7kq3 mxp9 t2fc ", "7-K-Q-3MXP9T2FC---", "7 K Q3 M XP9T 2 FC",
    };
    char id[REPORT_ID_SIZE];
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        assert_int_equal(report_id_parse(good[i], strlen(good[i]), id), 0);
        assert_string_equal(id, "7KQ3MXP9T2FC");
    }
    static const char *const bad[] = {
        "",
        "-",
        "7KQ3MXP9T2F",
        "7KQ3MXP9T2FCC",
        "7KQ3MXP9T2FD",
        "7KQ3MXP9T2UC",
        "7KQ3_MXP9_T2FC",
        "7KQ3\tMXP9T2FC",
        "7KQ3MXP9T2F\xc3\x87",
        "\xef\xbc\x97KQ3MXP9T2FC",
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_false(is_id(bad[i]));
    assert_int_equal(report_id_parse("7KQ3MXP9T2F\0C", 13, id), -1);
    assert_int_equal(report_id_parse(NULL, 0, id), -1);
}

static void look_alikes_are_folded(void **state)
{
    (void)state;
    char id[REPORT_ID_SIZE];
    assert_int_equal(report_id_parse("OoOo-0000-OOOO", 14, id), 0);
    assert_string_equal(id, "000000000000");
    char one[REPORT_ID_SIZE];
    report_id_make(UINT64_C(1) << 50 | UINT64_C(1) << 45 | 1, one);
    assert_memory_equal(one, "11000000001", 11);
    char typed[REPORT_ID_SIZE];
    memcpy(typed, one, sizeof typed);
    typed[0] = 'I';
    typed[1] = 'l';
    typed[10] = 'L';
    assert_int_equal(report_id_parse(typed, 12, id), 0);
    assert_string_equal(id, one);
}

static void shown_in_groups(void **state)
{
    (void)state;
    char shown[REPORT_ID_SHOWN_SIZE];
    report_id_show("7KQ3MXP9T2FC", shown);
    assert_string_equal(shown, "7KQ3-MXP9-T2FC");
}

static void found_in_running_text(void **state)
{
    (void)state;
    static const char *const with[] = {
        "7KQ3-MXP9-T2FC",
        "Re: [#7KQ3-MXP9-T2FC] Laporan Anda",
        "laporan saya 7kq3mxp9t2fc, mohon kabar",
        "status 7KQ3 MXP9 T2FC",
        "ini nomor 7KQ3 MXP9 T2FC.",
        "nomr 7KQ3-MXP9-T2FC",
        "(7KQ3MXP9T2FC)",
        "ID-7KQ3-MXP9-T2FC",
    };
    char id[REPORT_ID_SIZE];
    for (size_t i = 0; i < sizeof with / sizeof with[0]; i++) {
        size_t pos = 0;
        assert_true(report_id_find(with[i], strlen(with[i]), &pos, id));
        assert_string_equal(id, "7KQ3MXP9T2FC");
        assert_false(report_id_find(with[i], strlen(with[i]), &pos, id));
    }
    static const char *const without[] = {
        "",
        "Jalan rusak di RT 003/05 Pondok Bambu",
        "7KQ3-MXP9-T2FCX",
        "X7KQ3-MXP9-T2FC",
        "\xc3\xa9\x37KQ3MXP9T2FC",
        "7KQ3MXP9T2FC\xc3\xa9",
        "7KQ3--MXP9-T2FC",
        "7KQ3-MXP9 T2FC",
        "7KQ3-MXP9T2FC",
        "7KQ-3MXP9-T2FC",
        "7KQ3\nMXP9\nT2FC",
        "7KQ3-MXP9-T2FD",
        "7KQ3-MXP9-T2F",
    };
    for (size_t i = 0; i < sizeof without / sizeof without[0]; i++) {
        size_t pos = 0;
        assert_false(report_id_find(without[i], strlen(without[i]), &pos, id));
        assert_int_equal(pos, strlen(without[i]));
    }
}

static void finds_one_after_the_other(void **state)
{
    (void)state;
    static const char text[] = "7KQ3MXP9T2FC 000000000000,7KQ3-MXP9-T2FC";
    char id[REPORT_ID_SIZE];
    size_t pos = 0;
    assert_true(report_id_find(text, sizeof text - 1, &pos, id));
    assert_int_equal(pos, 12);
    assert_true(report_id_find(text, sizeof text - 1, &pos, id));
    assert_string_equal(id, "000000000000");
    assert_true(report_id_find(text, sizeof text - 1, &pos, id));
    assert_string_equal(id, "7KQ3MXP9T2FC");
    assert_false(report_id_find(text, sizeof text - 1, &pos, id));
}

static void base32_is_crockfords(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        size_t len;
        const char *text;
    } cases[] = {
        {"", 0, ""},
        {"\0", 1, "00"},
        {"\xff", 1, "ZW"},
        {"\xff\xff\xff\xff\xff", 5, "ZZZZZZZZ"},
        {"\x01\x23\x45\x67\x89\xab", 6, "04HMASW9NC"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char text[16];
        assert_int_equal(base32_encode(cases[i].bytes, cases[i].len, text), strlen(cases[i].text));
        assert_string_equal(text, cases[i].text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(made_ids_are_read_back),
        cmocka_unit_test(every_wrong_symbol_and_swap_is_caught),
        cmocka_unit_test(the_quasigroup_is_totally_anti_symmetric),
        cmocka_unit_test(ids_are_read_as_people_type_them),
        cmocka_unit_test(look_alikes_are_folded),
        cmocka_unit_test(shown_in_groups),
        cmocka_unit_test(found_in_running_text),
        cmocka_unit_test(finds_one_after_the_other),
        cmocka_unit_test(base32_is_crockfords),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
