/* SPDX-License-Identifier: Apache-2.0 */
#include "adapters/email_compose.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#define TOKEN "abcdefghijklmnopqrstuvwxyz22"

static const struct notice plain_notice = {
    .kind = NOTICE_ACK,
    .report_id = "7KQ3MXP9T2FC",
    .key = "ack-7KQ3MXP9T2FC",
    .to = "warga@example.org",
    .subject = "Laporan diterima",
    .text = "Terima kasih.\n",
    .in_reply_to = "<a.b@mail.example.org>",
    .language = "id",
};

static int compose(const struct notice *notice, const char *name, struct buf *out, struct err *err)
{
    /* 2026-11-21 03:04:05 UTC, a Saturday */
    return email_compose(&(struct email_letter){.notice = notice,
                                                .address = "aduan@kota.example",
                                                .name = name,
                                                .token = TOKEN,
                                                .wall_ms = INT64_C(1795230245000)},
                         out, err);
}

static void whole_mail(void **state)
{
    struct buf out = BUF_INIT(EMAIL_LETTER_MAX);
    struct err err = ERR_INIT;

    (void)state;
    assert_int_equal(compose(&plain_notice, "Kanal Aduan", &out, &err), 0);
    assert_string_equal(out.data, "From: \"Kanal Aduan\"\r\n <aduan@kota.example>\r\n"
                                  "To: warga@example.org\r\n"
                                  "Subject: Laporan diterima\r\n"
                                  "Date: Sat, 21 Nov 2026 03:04:05 +0000\r\n"
                                  "Message-ID: <" TOKEN ".ack-7KQ3MXP9T2FC@kota.example>\r\n"
                                  "In-Reply-To: <a.b@mail.example.org>\r\n"
                                  "References: <a.b@mail.example.org>\r\n"
                                  "Reply-To: aduan+" TOKEN "@kota.example\r\n"
                                  "Auto-Submitted: auto-replied\r\n"
                                  "X-Auto-Response-Suppress: All\r\n"
                                  "Content-Language: id\r\n"
                                  "MIME-Version: 1.0\r\n"
                                  "Content-Type: text/plain; charset=utf-8\r\n"
                                  "Content-Transfer-Encoding: quoted-printable\r\n"
                                  "\r\n"
                                  "Terima kasih.\r\n");
    buf_release(&out);
}

/* One header line or body of a mail that differs from the plain one in one value. */
struct good {
    const char *what;
    struct notice change; /* fields that are set replace the plain notice's */
    const char *name;
    const char *has;
    const char *has_not;
};

static const struct good good[] = {
    {"status", {.kind = NOTICE_STATUS}, NULL, "Auto-Submitted: auto-generated\r\n", "replied"},
    {"no name", {.subject = "x"}, NULL, "From: aduan@kota.example\r\n", "\""},
    {"quoted name", {.subject = "x"}, "A \"B\" \\", "From: \"A \\\"B\\\" \\\\\"\r\n <", NULL},
    {"name in UTF-8",
     {.subject = "x"},
     "Kanal é",
     "From: =?UTF-8?B?S2FuYWwgw6k=?=\r\n <aduan@",
     NULL},
    {"subject in UTF-8",
     {.subject = "Laporan é"},
     NULL,
     "Subject: =?UTF-8?B?TGFwb3JhbiDDqQ==?=\r\n",
     NULL},
    {"subject that looks encoded", {.subject = "=?UTF-8?Q?x?="}, NULL, "=?UTF-8?B?PT9V", "?Q?"},
    {"key with foreign bytes",
     {.key = "ack:1@x>\r\nBcc: y"},
     NULL,
     "Message-ID: <" TOKEN ".",
     "Bcc"},
    {"no id to answer", {.in_reply_to = "x y"}, NULL, "Reply-To:", "In-Reply-To"},
    {"id without brackets",
     {.in_reply_to = "a@example.org"},
     NULL,
     "\r\nIn-Reply-To: <a@example.org>\r\nReferences: <a@example.org>\r\n",
     NULL},
    {"nothing in brackets", {.in_reply_to = "<>"}, NULL, "Reply-To:", "In-Reply-To"},
    {"id with a header in it",
     {.in_reply_to = "<a@example.org>\r\nBcc: <x@example.org>"},
     NULL,
     "Reply-To:",
     "Bcc"},
    {"two ids", {.in_reply_to = "<a@b> <c@d>"}, NULL, "Reply-To:", "References"},
    {"body in UTF-8", {.text = "caf\xc3\xa9 = 1\n"}, NULL, "\r\n\r\ncaf=C3=A9 =3D 1\r\n", NULL},
    {"dots", {.text = ".\n..a\n"}, NULL, "\r\n\r\n=2E\r\n=2E.a\r\n", "\n."},
    {"mbox line", {.text = "From here\nFar\n"}, NULL, "\r\n\r\n=46rom here\r\nFar\r\n", NULL},
    {"trailing blanks", {.text = "a \nb\t\n"}, NULL, "a=20\r\nb=09\r\n", " \r\n"},
    {"CRLF in the text", {.text = "a\r\nb"}, NULL, "\r\n\r\na\r\nb\r\n", "=0D"},
    {"lone CR in the text", {.text = "a\rb"}, NULL, "\r\n\r\na=0Db\r\n", "\rb"},
    {"no last line end", {.text = "a"}, NULL, "\r\n\r\na\r\n", NULL},
    {"strange language", {.language = "id\r\nX"}, NULL, "MIME-Version", "Content-Language"},
};

static struct notice merge(const struct notice *change)
{
    struct notice notice = plain_notice;

    notice.kind = change->kind;
    notice.key = change->key != NULL ? change->key : notice.key;
    notice.subject = change->subject != NULL ? change->subject : notice.subject;
    notice.text = change->text != NULL ? change->text : notice.text;
    notice.to = change->to != NULL ? change->to : notice.to;
    notice.in_reply_to = change->in_reply_to != NULL ? change->in_reply_to : notice.in_reply_to;
    notice.language = change->language != NULL ? change->language : notice.language;
    return notice;
}

/* What must hold for every mail: ASCII, CRLF only, no line beyond 78 but an id's. */
static void check_lines(const struct buf *mail)
{
    size_t start = 0;

    for (size_t i = 0; i < mail->len; i++) {
        assert_in_range((unsigned char)mail->data[i], 1, 126);
        if (mail->data[i] == '\r')
            assert_int_equal(mail->data[i + 1], '\n');
        if (mail->data[i] != '\n')
            continue;
        assert_int_equal(mail->data[i - 1], '\r');
        if (i - 1 - start > 78)
            assert_non_null(strstr("Message-ID:In-Reply-To:References:Reply-To:To:",
                                   (char[]){mail->data[start], mail->data[start + 1], 0}));
        start = i + 1;
    }
    assert_int_equal(start, mail->len);
}

static void good_mails(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        struct buf out = BUF_INIT(EMAIL_LETTER_MAX);
        struct err err = ERR_INIT;
        struct notice notice = merge(&good[i].change);

        if (compose(&notice, good[i].name, &out, &err) != 0)
            fail_msg("%s: %s", good[i].what, err.text);
        if (strstr(out.data, good[i].has) == NULL)
            fail_msg("%s: '%s' is missing in\n%s", good[i].what, good[i].has, out.data);
        if (good[i].has_not != NULL && strstr(out.data, good[i].has_not) != NULL)
            fail_msg("%s: '%s' is in\n%s", good[i].what, good[i].has_not, out.data);
        check_lines(&out);
        buf_release(&out);
    }
}

static void long_values(void **state)
{
    struct buf out = BUF_INIT(EMAIL_LETTER_MAX);
    struct err err = ERR_INIT;
    char subject[700], text[3000];
    struct notice notice = plain_notice;

    (void)state;
    for (size_t i = 0; i + 2 < sizeof subject; i += 2)
        memcpy(subject + i, "\xc3\xa9", 3);
    for (size_t i = 0; i + 1 < sizeof text; i++)
        text[i] = "abc =\t"[i % 6];
    text[sizeof text - 1] = '\0';
    notice.subject = subject;
    notice.text = text;
    assert_int_equal(compose(&notice, NULL, &out, &err), 0);
    check_lines(&out);
    /* No encoded word ends inside a character. */
    for (const char *word = strstr(out.data, "=?UTF-8?B?"); word != NULL;
         word = strstr(word + 1, "=?UTF-8?B?"))
        assert_int_equal(strcspn(word + 10, "?") % 4, 0);
    assert_non_null(strstr(out.data, "w6nDqcOp"));
    buf_release(&out);
}

static const struct {
    const char *what;
    struct notice change;
    const char *name;
} bad[] = {
    {"subject with LF", {.subject = "a\nBcc: x@example.org"}, NULL},
    {"subject with CR", {.subject = "a\rb"}, NULL},
    {"name with LF", {.subject = "x"}, "a\nb"},
    {"to with LF", {.to = "a@example.org\nBcc: b@example.org"}, NULL},
    {"to with a list", {.to = "a@example.org, b@example.org"}, NULL},
    {"to with brackets", {.to = "<a@example.org>"}, NULL},
    {"to with a space", {.to = "a b@example.org"}, NULL},
    {"to quoted", {.to = "\"a b\"@example.org"}, NULL},
    {"to without host", {.to = "a@"}, NULL},
    {"to without local part", {.to = "@example.org"}, NULL},
    {"to with two hosts", {.to = "a@b@example.org"}, NULL},
    {"to in UTF-8", {.to = "\xc3\xa9@example.org"}, NULL},
    {"to as an option", {.to = "-x@example.org"}, NULL},
    {"to empty", {.to = ""}, NULL},
};

static void bad_mails(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct buf out = BUF_INIT(EMAIL_LETTER_MAX);
        struct err err = ERR_INIT;
        struct notice notice = merge(&bad[i].change);

        if (compose(&notice, bad[i].name, &out, &err) == 0)
            fail_msg("%s: taken", bad[i].what);
        assert_int_equal(err.kind, ERR_PERMANENT);
        assert_null(strstr(err.text, "example"));
        buf_release(&out);
    }
}

static void too_large(void **state)
{
    struct buf out = BUF_INIT(64);
    struct err err = ERR_INIT;

    (void)state;
    assert_int_equal(compose(&plain_notice, NULL, &out, &err), -1);
    assert_int_equal(err.kind, ERR_PERMANENT);
    buf_release(&out);
}

static void same_id_on_every_try(void **state)
{
    struct buf first = BUF_INIT(EMAIL_LETTER_MAX), second = BUF_INIT(EMAIL_LETTER_MAX);
    struct err err = ERR_INIT;
    struct notice notice = plain_notice;

    (void)state;
    notice.key = "status/17: x";
    assert_int_equal(compose(&notice, NULL, &first, &err), 0);
    assert_int_equal(compose(&notice, NULL, &second, &err), 0);
    assert_string_equal(strstr(first.data, "Message-ID"), strstr(second.data, "Message-ID"));
    notice.key = "status/18: x";
    buf_clear(&second);
    assert_int_equal(compose(&notice, NULL, &second, &err), 0);
    assert_string_not_equal(strstr(first.data, "Message-ID"), strstr(second.data, "Message-ID"));
    buf_release(&first);
    buf_release(&second);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whole_mail),  cmocka_unit_test(good_mails),
        cmocka_unit_test(long_values), cmocka_unit_test(bad_mails),
        cmocka_unit_test(too_large),   cmocka_unit_test(same_id_on_every_try),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
