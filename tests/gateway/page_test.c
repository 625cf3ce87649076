/* SPDX-License-Identifier: Apache-2.0 */
/* The template language (good and bad sources, hostile values) and the pages of this binary. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "gateway/page.h"
#include "gateway/page_template.h"

static struct page_template *partial;

static const struct page_template *find_partial(void *context, const char *name)
{
    (void)context;
    return strcmp(name, "part") == 0 || strcmp(name, "self") == 0 ? partial : NULL;
}

static const char *find_string(void *context, const char *key)
{
    (void)context;
    if (strcmp(key, "a.count") == 0)
        return "{n} of {all}, {n}";
    return strcmp(key, "a.title") == 0 ? "Tom & \"Jerry\"" : NULL;
}

static int find_address(void *context, const char *name, struct buf *out)
{
    (void)context;
    if (strcmp(name, "x.css") != 0)
        return -1;
    buf_add_text(out, "/static/1/x.css");
    return 0;
}

static struct page_environment env = {
    .partial = find_partial, .string = find_string, .address = find_address};

/* Renders source with a model written as JSON; free() the result. NULL: it failed. */
static char *render(const char *source, const char *model_text, size_t max)
{
    struct err err = ERR_INIT;
    struct page_template *template = NULL;
    struct buf out = BUF_INIT(max);
    char *result = NULL;
    json_t *model = json_loads(model_text, JSON_ALLOW_NUL, NULL);
    assert_non_null(model);
    assert_int_equal(page_template_parse("test", source, strlen(source), &template, &err), 0);
    if (!page_template_render(template, &env, model, &out, &err))
        result = buf_detach(&out, NULL);
    else
        assert_int_equal(err.kind, ERR_PERMANENT);
    page_template_free(template);
    json_decref(model);
    buf_release(&out);
    return result;
}

static void good_templates(void **state)
{
    (void)state;
    static const struct {
        const char *source, *model, *page;
    } good[] = {
        {"plain", "{}", "plain"},
        {"", "{}", ""},
        {"a {{x}} b", "{\"x\": \"y\"}", "a y b"},
        {"{{x}}{{y}}{{z.q}}", "{\"x\": null, \"z\": \"s\"}", ""},
        {"{{n}} {{r}} {{b}}", "{\"n\": -3, \"r\": 6.5, \"b\": true}", "-3 6.5 true"},
        {"{{a.b.c}}", "{\"a\": {\"b\": {\"c\": \"deep\"}}}", "deep"},
        {"<p title=\"{{x}}\">{{x}}</p>", "{\"x\": \"\\\"'<&>\"}",
         "<p title=\"&quot;&#39;&lt;&amp;&gt;\">&quot;&#39;&lt;&amp;&gt;</p>"},
        {"{{x}}", "{\"x\": \"{{y}}</script><!--\", \"y\": \"no\"}", "{{y}}&lt;/script&gt;&lt;!--"},
        {"{{x}}", "{\"x\": \"a\\u0000b\\u001bc\\td\\ne\"}",
         "a\xef\xbf\xbd"
         "b\xef\xbf\xbd"
         "c\td\ne"},
        {"{{#l}}[{{n}}{{o}}]{{/l}}",
         "{\"l\": [{\"n\": 1}, {\"n\": 2, \"o\": \"in\"}], \"o\": \"x\"}", "[1x][2in]"},
        {"{{#l}}<{{.}}>{{/l}}", "{\"l\": [\"a\", \"<\"]}", "<a><&lt;>"},
        {"{{#l}}{{#m}}{{.}}{{/m}};{{/l}}", "{\"l\": [{\"m\": [1, 2]}, {\"m\": []}]}", "12;;"},
        {"{{#l}}x{{/l}}{{^l}}none{{/l}}", "{\"l\": []}", "none"},
        {"{{#t1}}1{{/t1}}{{#t2}}2{{/t2}}{{#t3}}3{{/t3}}{{#t4}}4{{/t4}}",
         "{\"t1\": true, \"t2\": \"s\", \"t3\": 7, \"t4\": {}}", "1234"},
        {"{{#f1}}1{{/f1}}{{#f2}}2{{/f2}}{{#f3}}3{{/f3}}{{#f4}}4{{/f4}}{{#f5}}5{{/f5}}",
         "{\"f1\": false, \"f2\": \"\", \"f3\": 0, \"f4\": null, \"f5\": 0.0}", ""},
        {"{{#o}}{{a}}{{b}}{{/o}}", "{\"o\": {\"a\": 1}, \"b\": 2}", "12"},
        {"{{#l}}{{v}}{{/l}}", "{\"v\": \"outer\", \"l\": [{\"v\": null}]}", ""},
        {"{{t.a.title}}", "{\"t\": {\"a\": \"x\"}}", "Tom &amp; &quot;Jerry&quot;"},
        {"{{t.a.count}}", "{\"n\": \"<3>\"}", "&lt;3&gt; of {all}, &lt;3&gt;"},
        {"{{t.gone}}", "{}", "gone"},
        {"<link href=\"{{@x.css}}\">", "{}", "<link href=\"/static/1/x.css\">"},
        {"{{>part}}", "{\"v\": \"<\"}", "(&lt;)"},
        {"{{#l}}{{>part}}{{/l}}", "{\"l\": [{\"v\": 1}, {\"v\": 2}]}", "(1)(2)"},
        {"  <a>\n\n\t<b>\n    {{x}}\n", "{\"x\": \"  y\\n  z\"}", "<a>\n<b>\n  y\n  z\n"},
        {"{ {x} }} }", "{}", "{ {x} }} }"},
        {"{{city}} {{x2}} {{#l}}{{city}}{{/l}}", "{\"x2\": \"own\", \"l\": [1]}", "Kota own Kota"},
    };
    struct err err = ERR_INIT;
    json_t *common = json_pack("{s:s, s:s}", "city", "Kota", "x2", "common");
    env.common = common;
    assert_int_equal(page_template_parse("part", "({{v}})", 7, &partial, &err), 0);
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        char *page = render(good[i].source, good[i].model, 10000);
        assert_non_null(page);
        assert_string_equal(page, good[i].page);
        free(page);
    }
    page_template_free(partial);
    partial = NULL;
    env.common = NULL;
    json_decref(common);
}

static void bad_templates(void **state)
{
    (void)state;
    static const struct {
        const char *source, *message;
    } bad[] = {
        {"{{x", "test.html:1: {{ without }}"},
        {"a\nb{{}}", "test.html:2: a name is expected in {{ }}"},
        {"{{a b}}", "test.html:1: a name is expected in {{ }}"},
        {"{{{x}}}", "test.html:1: a name is expected in {{ }}"},
        {"{{&x}}", "test.html:1: a name is expected in {{ }}"},
        {"{{#}}", "test.html:1: a name is expected in {{ }}"},
        {"{{/x}}", "test.html:1: a section ends that never began"},
        {"{{#x}}", "test.html:1: a section never ends"},
        {"{{#x}}\n{{#y}}\n{{/x}}{{/y}}", "test.html:3: another section must end first"},
        {"{{#a}}{{#a}}{{#a}}{{#a}}{{#a}}{{#a}}{{#a}}{{#a}}{{#a}}{{#a}}{{#a}}{{#a}}{{#a}}{{#a}}{{#a}"
         "}"
         "{{#a}}{{#a}}",
         "test.html:1: sections nest too deep"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct err err = ERR_INIT;
        struct page_template *template;
        assert_int_equal(
            page_template_parse("test", bad[i].source, strlen(bad[i].source), &template, &err), -1);
        assert_null(template);
        assert_int_equal(err.kind, ERR_CONFIG);
        assert_string_equal(err.text, bad[i].message);
    }
}

static void limits(void **state)
{
    (void)state;
    struct err err = ERR_INIT;
    assert_null(render("{{#l}}0123456789{{/l}}", "{\"l\": [1, 2, 3]}", 29));
    assert_int_equal(page_template_parse("self", "x{{>self}}", 10, &partial, &err), 0);
    assert_null(render("{{>self}}", "{}", 10000));
    page_template_free(partial);
    partial = NULL;
}

static void checks_references(void **state)
{
    (void)state;
    static const char *const missing[] = {"{{>gone}}", "{{t.gone}}", "{{@gone.css}}"};
    struct page_template *template;
    struct err err = ERR_INIT;
    assert_int_equal(page_template_parse("ok", "{{t.a.title}}{{@x.css}}", 23, &template, &err), 0);
    assert_int_equal(page_template_check(template, &env, &err), 0);
    page_template_free(template);
    for (size_t i = 0; i < sizeof missing / sizeof *missing; i++) {
        err_clear(&err);
        assert_int_equal(
            page_template_parse("test", missing[i], strlen(missing[i]), &template, &err), 0);
        assert_int_equal(page_template_check(template, &env, &err), -1);
        assert_non_null(strstr(err.text, "test.html: there is no 'gone"));
        page_template_free(template);
    }
}

static void pages_of_this_binary(void **state)
{
    (void)state;
    struct err err = ERR_INIT;
    struct buf out = BUF_INIT(1024 * 1024);
    json_t *model = json_object();
    if (page_start(&err))
        fail_msg("%s", err.text);
    assert_int_equal(page_start(&err), 0);
    assert_int_equal(page_render("no-such-page", "id", model, &out, &err), -1);
    assert_null(page_asset("no-such-file"));
    json_decref(model);
    buf_release(&out);
    page_stop();
}

static void strings(void **state)
{
    (void)state;
    assert_string_equal(page_string("id", "lang"), "id");
    assert_string_equal(page_string("en", "lang"), "en");
    assert_string_equal(page_string("fr", "lang"), "id");
    assert_string_equal(page_string(NULL, "lang"), "id");
    assert_string_equal(page_string("en", "no.such.key"), "no.such.key");
}

static void languages(void **state)
{
    (void)state;
    static const struct {
        const char *query, *accepted, *language;
    } table[] = {
        {"", "id", "id"},
        {"", "en", "en"},
        {"lang=en", "id", "en"},
        {"lang=id&x=1", "en", "id"},
        {"lang=english", "id", "id"},
        {"lang=", "en", "en"},
        {"xlang=en", "id", "id"},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct http_request request = {.query = table[i].query, .language = table[i].accepted};
        assert_string_equal(page_language(&request), table[i].language);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(good_templates),
        cmocka_unit_test(bad_templates),
        cmocka_unit_test(limits),
        cmocka_unit_test(checks_references),
        cmocka_unit_test(pages_of_this_binary),
        cmocka_unit_test(strings),
        cmocka_unit_test(languages),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
