/* SPDX-License-Identifier: Apache-2.0 */
/* The city's words: complete in both languages, the same fields in each, every category named. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "config/asset.h"
#include "config/words.h"

static json_t *load(const char *name)
{
    const struct asset *asset = asset_find(config_assets, name);
    assert_non_null(asset);
    json_t *value = json_loadb((const char *)asset->data, asset->len, JSON_REJECT_DUPLICATES, NULL);
    assert_non_null(value);
    return value;
}

/* Whether every {field} of one is in other. */
static bool fields_within(const char *one, const char *other)
{
    size_t pos = 0, at, len;
    char field[64];
    while (words_next_field(one, &pos, &at, &len)) {
        assert_true(len < sizeof field - 2);
        memcpy(field, one + at - 1, len + 2);
        field[len + 2] = '\0';
        if (!strstr(other, field))
            return false;
    }
    return true;
}

static void languages_say_the_same(void **state)
{
    (void)state;
    json_t *id = load("strings.id.json"), *en = load("strings.en.json"), *word;
    const char *key;
    assert_int_equal(json_object_size(id), json_object_size(en));
    json_object_foreach(id, key, word)
    {
        const char *other = json_string_value(json_object_get(en, key));
        const char *own = json_string_value(word);
        if (!other || !*other || !own || !*own)
            fail_msg("'%s' is missing or empty", key);
        if (!fields_within(own, other) || !fields_within(other, own))
            fail_msg("'%s' has other fields in the other language", key);
        if (strstr(own, "kamu"))
            fail_msg("'%s' does not address the citizen as Anda", key);
    }
    json_decref(id);
    json_decref(en);
}

static void categories_are_named(void **state)
{
    (void)state;
    const json_t *groups = words_categories();
    size_t codes = 0;
    for (size_t i = 0; i < json_array_size(groups); i++) {
        const json_t *group = json_array_get(groups, i), *list = json_object_get(group, "codes");
        char key[64];
        snprintf(key, sizeof key, "group.%s", json_string_value(json_object_get(group, "group")));
        assert_true(words_has("id", key));
        for (size_t k = 0; k < json_array_size(list); k++, codes++) {
            snprintf(key, sizeof key, "category.%s", json_string_value(json_array_get(list, k)));
            if (!words_has("id", key))
                fail_msg("no word for %s", key);
        }
    }
    assert_int_equal(codes, 34);
}

static void states_keep_their_exact_words(void **state)
{
    (void)state;
    static const char *const states[] = {
        "Menunggu",          "Koordinasi", "Disposisi",  "Proses",
        "Menunggu Validasi", "Selesai",    "TL Ditolak", "Ditolak"};
    char key[64];
    for (size_t i = 0; i < sizeof states / sizeof states[0]; i++) {
        assert_string_equal(words_state("id", states[i]), states[i]);
        assert_string_not_equal(words_state("en", states[i]), states[i]);
        snprintf(key, sizeof key, "state_help.%s", states[i]);
        assert_true(words_has("id", key));
    }
    assert_string_equal(words_state("en", "Something else"), "Something else");
}

static void fills_fields(void **state)
{
    (void)state;
    static const struct words_field fields[] = {{"a", "1"}, {"b_c", NULL}, {"d", "{a}"}, {0}};
    static const struct {
        const char *text, *filled;
    } table[] = {
        {"", ""},
        {"{a}", "1"},
        {"x{a}y{a}z", "x1y1z"},
        {"{b_c}.", "."},
        {"{d}", "{a}"},
        {"{unknown}{a}", "{unknown}1"},
        {"{{a}}", "{1}"},
        {"{A} {a {a}", "{A} {a 1"},
        {"{} } {", "{} } {"},
    };
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        struct buf out = BUF_INIT(100);
        words_fill(table[i].text, fields, &out);
        assert_string_equal(out.data, table[i].filled);
        buf_release(&out);
    }
}

static void writes_days(void **state)
{
    (void)state;
    static const struct {
        const char *language, *day, *text;
    } table[] = {
        {"id", "2026-11-21", "21 November 2026"},
        {"id", "2026-08-01", "1 Agustus 2026"},
        {"en", "2026-05-09", "9 May 2026"},
        {"id", "2026-13-01", "2026-13-01"},
        {"id", "2026-00-01", "2026-00-01"},
        {"id", "yesterday", "yesterday"},
        {"id", "", ""},
    };
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        struct buf out = BUF_INIT(100);
        words_day(table[i].language, table[i].day, &out);
        assert_string_equal(out.data, table[i].text);
        buf_release(&out);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(languages_say_the_same),
        cmocka_unit_test(categories_are_named),
        cmocka_unit_test(states_keep_their_exact_words),
        cmocka_unit_test(fills_fields),
        cmocka_unit_test(writes_days),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
