/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "normalize/buf.h"
#include "normalize/html.h"
#include "normalize/html_flatten.h"
#include "normalize/text.h"

/* What comes out is compared after text_clean(), as the pipeline does. */
static const struct {
    const char *in, *out; /* NULL: no text */
} table[] = {
    {"", NULL},
    {"teks saja", "teks saja"},
    {"<p>Satu</p><p>Dua\n  baris</p>", "Satu\n\nDua baris"},
    {"a<br>b<br/>c<br><br>d", "a\nb\nc\n\nd"},
    {"<div>a</div><div><br></div><div>b</div>", "a\n\nb"},
    {"<p class=MsoNormal>a</p><p class=MsoNormal>b</p><p class=MsoNormal>&nbsp;</p><p "
     "class=MsoNormal>c</p>",
     "a\nb\n\nc"},
    {"<p style='margin: 0px'>a</p><p style='margin: 0px'>b</p>", "a\nb"},
    {"<b>te</b>bal <i> miring</i>", "tebal miring"},
    {"a&nbsp;b &lt;c&gt; &amp; &#233; &#x1F64F; &bukan;",
     "a b <c> & \xc3\xa9 \xf0\x9f\x99\x8f &bukan;"},
    {"<head><title>t</title><style>p{}</style></head><body>x<script>y</script><!-- z --></body>",
     "x"},
    {"<div style='display: none'>a<p>b</p></div>c", "c"},
    {"<span style='MSO-HIDE:all'>a</span><i hidden>b</i><b style='visibility:hidden'>c</b>d", "d"},
    {"<td style='font-size:0px'><div style='font-size:14px'>tampak</div></td>", "tampak"},
    {"Ada:<ul><li>satu</li><li>dua<ul><li>dalam</li></ul></li></ul>lalu",
     "Ada:\n\n- satu\n- dua\n  - dalam\n\nlalu"},
    {"<ol><li>a</li><li>b</li></ol>", "1. a\n2. b"},
    {"<li>lepas</li>", "- lepas"},
    {"<table><tr><td>Nama</td><td>Budi</td></tr><tr><th>RT</th><td>003</td></tr></table>",
     "Nama\tBudi\nRT\t003"},
    {"<table><tr><td><table><tr><td>a</td></tr></table></td><td>b</td></tr></table>", "a\nb"},
    {"lihat <a href='https://example.org/peta'>peta</a>.",
     "lihat peta (https://example.org/peta)."},
    {"<a href='https://www.example.org/'>example.org</a>", "example.org"},
    {"<a href='mailto:budi@example.com'>budi@example.com</a>", "budi@example.com"},
    {"<a href='mailto:budi@example.com'>Budi</a>", "Budi (budi@example.com)"},
    {"<a href='javascript:alert(1)'>klik</a> <a href='#atas'>atas</a> <a>x</a>", "klik atas x"},
    {"peta:<a href='https://example.org/p'><img src=x></a>sini",
     "peta: https://example.org/p sini"},
    {"Ya.<div>Pada x menulis:</div><blockquote "
     "type=cite>lama<br>sekali<blockquote>lebih</blockquote>"
     "</blockquote>",
     "Ya.\nPada x menulis:\n\n> lama\n> sekali\n>\n> > lebih"},
    {"<blockquote style='margin:0 0 0 40px;border:none;padding:0px'>menjorok</blockquote>",
     "menjorok"},
    {"<pre>a  b\n  c</pre>d", "a  b\n  c\n\nd"},
    {"<p>tak <b>ditutup<p>baru", "tak ditutup\n\nbaru"},
    {"</div></p>x</table>", "x"},
    {"<!DOCTYPE html SYSTEM 'http://example.org/x.dtd'><html><body>ok</body></html>", "ok"},
    {"<meta http-equiv=Content-Type content='text/html; charset=iso-8859-1'>\xc3\xa9", "\xc3\xa9"},
    {"<p><o:p>kantor</o:p></p><![if !vml]>x<![endif]>", "kantor\n\nx"},
    {"5 < 6 dan 7 > 3", "5 < 6 dan 7 > 3"},
};

static void makes_text(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        bool flattened = false;
        char *raw = html_to_text(table[i].in, &flattened);
        char *text = text_clean(raw, strlen(raw));
        if (table[i].out == NULL)
            assert_null(text);
        else
            assert_string_equal(text, table[i].out);
        assert_false(flattened);
        free(text);
        free(raw);
    }
}

static void flattens(void **state)
{
    (void)state;
    static const struct {
        const char *in, *out;
    } flat[] = {
        {"<div>a<div>b</div>c &amp; &#233;</div>", "a\nb\nc & \xc3\xa9"},
        {"<!-- x --><script>y</script><STYLE>z</STYLE>ok", "ok"},
        {"a < b & c &; &#0; &#xfffffff; &lama", "a < b & c &; &lama"},
        {"<!-- tanpa akhir", NULL},
    };
    for (size_t i = 0; i < sizeof flat / sizeof flat[0]; i++) {
        char *raw = html_flatten(flat[i].in, strlen(flat[i].in));
        char *text = text_clean(raw, strlen(raw));
        if (flat[i].out == NULL)
            assert_null(text);
        else
            assert_string_equal(text, flat[i].out);
        free(text);
        free(raw);
    }
}

/* Pages made to break or hang a parser lose structure and never the words. */
static void survives_hostile_pages(void **state)
{
    (void)state;
    static const struct {
        const char *head, *unit, *tail;
        bool flattened;
    } hostile[] = {
        {"", "<div>", "jalan rusak", true},
        {"", "<li><dd>", "jalan rusak", true},
        {"", "<p>", "jalan rusak", false},
        {"<a ", "b ", ">jalan rusak", true},
        {"", "&", "jalan rusak", false},
        {"", "<br>", "jalan rusak", false},
        {"<div>", "</p></x>", "jalan rusak", false},
        {"", "<table><tr><td>", "jalan rusak", true},
        {"", "<b></i>", "jalan rusak", true},
    };
    for (size_t i = 0; i < sizeof hostile / sizeof hostile[0]; i++) {
        struct buf page = BUF_INIT(2 * 1024 * 1024);
        buf_add_text(&page, hostile[i].head);
        while (page.len < 250 * 1000)
            buf_add_text(&page, hostile[i].unit);
        buf_add_text(&page, hostile[i].tail);
        bool flattened = false;
        char *text = html_to_text(page.data, &flattened);
        assert_non_null(strstr(text, "jalan rusak"));
        assert_int_equal(flattened, hostile[i].flattened);
        free(text);
        buf_release(&page);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(makes_text),
        cmocka_unit_test(flattens),
        cmocka_unit_test(survives_hostile_pages),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
