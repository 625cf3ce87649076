/* SPDX-License-Identifier: Apache-2.0 */
/* What notices say: the built-in texts, an operator's folder, mistakes in it, hostile values. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "config/words.h"
#include "gateway/notice_text.h"

static const struct notice_fields full = {
    .id = "7KQ3-MXP9-T2FC",
    .pin = "482913",
    .url = "https://kanal.example.org/track",
    .status = "Menunggu Validasi",
    .date = "2026-11-21",
    .agency = "Sudin Bina Marga Jakarta Timur",
    .answer = "Lubang sudah ditambal.\nTerima kasih.",
    .emergency = "112",
    .city = "Pemerintah Provinsi DKI Jakarta",
};

static char folder[64];

static void write_file(const char *name, const char *text)
{
    char path[128];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

static void remove_file(const char *name)
{
    char path[128];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    unlink(path);
}

static int make_folder(void **state)
{
    (void)state;
    snprintf(folder, sizeof folder, "/tmp/kanal-notice-XXXXXX");
    return mkdtemp(folder) ? 0 : -1;
}

static int remove_folder(void **state)
{
    (void)state;
    return rmdir(folder);
}

static void fill(const char *path, enum notice_kind kind, const char *language,
                 const struct notice_fields *fields, struct buf *subject, struct buf *text)
{
    struct err err = ERR_INIT;
    struct notice_texts *texts;
    if (notice_texts_load(path, &texts, &err))
        fail_msg("%s", err.text);
    buf_clear(subject);
    buf_clear(text);
    notice_text_fill(texts, kind, language, fields, subject, text);
    notice_texts_free(texts);
}

static void built_in_texts(void **state)
{
    (void)state;
    static const struct {
        enum notice_kind kind;
        const char *language, *subject, *has[8];
    } table[] = {
        {NOTICE_ACK,
         "id",
         "[7KQ3-MXP9-T2FC] Laporan Anda kami terima",
         {"Nomor Laporan: 7KQ3-MXP9-T2FC\n", "PIN: 482913\n", "21 November 2026",
          "Identitas Anda tidak ditampilkan kepada petugas", "https://kanal.example.org/track",
          "Balas saja email ini", "telepon 112"}},
        {NOTICE_ACK,
         "en",
         "[7KQ3-MXP9-T2FC] We have received your report",
         {"7KQ3-MXP9-T2FC\n", "PIN: 482913\n", "identity is not shown", "reply to this email",
          "call 112"}},
        {NOTICE_STATUS,
         "id",
         "[7KQ3-MXP9-T2FC] Status laporan: Menunggu Validasi",
         {"Status: Menunggu Validasi\n", "Sudin Bina Marga Jakarta Timur",
          "Jawaban: Lubang sudah ditambal.\nTerima kasih.\n", "Tanggal: 21 November 2026\n"}},
        {NOTICE_STATUS,
         "en",
         "[7KQ3-MXP9-T2FC] Report status: Awaiting Validation",
         {"Status: Awaiting Validation\n", "Date: 21 November 2026\n"}},
        {NOTICE_ACK, "fr", "[7KQ3-MXP9-T2FC] Laporan Anda kami terima", {"PIN: 482913\n"}},
    };
    struct buf subject = BUF_INIT(1000), text = BUF_INIT(100000);
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        fill(NULL, table[i].kind, table[i].language, &full, &subject, &text);
        assert_string_equal(subject.data, table[i].subject);
        for (size_t k = 0; k < 8 && table[i].has[k]; k++)
            if (!strstr(text.data, table[i].has[k]))
                fail_msg("'%s' is not in:\n%s", table[i].has[k], text.data);
        assert_null(strpbrk(text.data, "{}"));
    }
    buf_release(&subject);
    buf_release(&text);
}

static void empty_fields_leave_no_trace(void **state)
{
    (void)state;
    struct notice_fields fields = full;
    struct buf subject = BUF_INIT(1000), text = BUF_INIT(100000);
    fields.agency = NULL;
    fields.answer = "";
    fill(NULL, NOTICE_STATUS, "id", &fields, &subject, &text);
    assert_null(strstr(text.data, "Ditangani"));
    assert_null(strstr(text.data, "Jawaban"));
    assert_null(strstr(text.data, "\n\n\n"));
    fields.pin = NULL;
    fill(NULL, NOTICE_ACK, "id", &fields, &subject, &text);
    assert_null(strstr(text.data, "PIN:"));
    buf_release(&subject);
    buf_release(&text);
}

static void hostile_values(void **state)
{
    (void)state;
    struct notice_fields fields = full;
    struct buf subject = BUF_INIT(10000), text = BUF_INIT(100000);
    fields.status = "Selesai\r\nBcc: all@example.org";
    fields.answer = "{pin} {id} {unknown}";
    fill(NULL, NOTICE_STATUS, "id", &fields, &subject, &text);
    assert_null(strpbrk(subject.data, "\r\n"));
    assert_non_null(strstr(text.data, "Jawaban: {pin} {id} {unknown}\n"));
    char longer[2000];
    memset(longer, 'a', sizeof longer);
    memcpy(longer, "\xc3\xa9", 2);
    for (size_t i = 2; i + 1 < sizeof longer; i += 2)
        memcpy(longer + i, "\xc3\xa9", 2);
    longer[sizeof longer - 2] = '\0';
    fields.status = longer;
    fill(NULL, NOTICE_STATUS, "id", &fields, &subject, &text);
    assert_true(subject.len <= NOTICE_SUBJECT_MAX);
    assert_int_equal((unsigned char)subject.data[subject.len - 1], 0xa9);
    buf_release(&subject);
    buf_release(&text);
}

static void folder_overrides(void **state)
{
    (void)state;
    struct buf subject = BUF_INIT(1000), text = BUF_INIT(100000);
    write_file("ack.id.txt", "# ours\r\nSubject: No. {id}\r\n\r\nHalo {id}.\r\nSalam");
    fill(folder, NOTICE_ACK, "id", &full, &subject, &text);
    assert_string_equal(subject.data, "No. 7KQ3-MXP9-T2FC");
    assert_string_equal(text.data, "Halo 7KQ3-MXP9-T2FC.\nSalam\n");
    fill(folder, NOTICE_ACK, "en", &full, &subject, &text);
    assert_string_equal(subject.data, "[7KQ3-MXP9-T2FC] We have received your report");
    remove_file("ack.id.txt");
    buf_release(&subject);
    buf_release(&text);
}

static void mistakes_are_named(void **state)
{
    (void)state;
    static const struct {
        const char *text, *message;
    } bad[] = {
        {"Subject: {id}\n\nHalo {nama}.\n", "ack.id.txt:3: unknown field {nama}"},
        {"# x\nSubject: {idd}\n\nHalo.\n", "ack.id.txt:2: unknown field {idd}"},
        {"Subject: {id}\n\nHalo {ID}.\n", "ack.id.txt:3: a brace"},
        {"Subject: {id}\n\n{ {id}.\n", "ack.id.txt:3: a brace"},
        {"Subject: {id}\n\n{id}}\n", "ack.id.txt:3: a brace"},
        {"Halo {id}\n", "ack.id.txt:1: expected 'Subject: ' first"},
        {"Subject: {id}\n\n\n", "ack.id.txt:3: a subject and a text are needed"},
        {"", "ack.id.txt:0: a subject and a text are needed"},
        {"Subject: Halo\n\nTerima kasih.\n", "ack.id.txt:1: an acknowledgement without {id}"},
        {"Subject: {id}\n\n\xff\xfe\n", "ack.id.txt:1: not UTF-8 text"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct err err = ERR_INIT;
        struct notice_texts *texts;
        write_file("ack.id.txt", bad[i].text);
        assert_int_equal(notice_texts_load(folder, &texts, &err), -1);
        assert_null(texts);
        assert_int_equal(err.kind, ERR_CONFIG);
        if (!strstr(err.text, bad[i].message))
            fail_msg("'%s' is not in '%s'", bad[i].message, err.text);
        remove_file("ack.id.txt");
    }
}

static void too_large(void **state)
{
    (void)state;
    struct err err = ERR_INIT;
    struct notice_texts *texts;
    char *large = malloc(NOTICE_TEXT_FILE_MAX + 2);
    memset(large, 'a', NOTICE_TEXT_FILE_MAX + 1);
    large[NOTICE_TEXT_FILE_MAX + 1] = '\0';
    write_file("status.en.txt", large);
    assert_int_equal(notice_texts_load(folder, &texts, &err), -1);
    assert_non_null(strstr(err.text, "status.en.txt:1: larger than"));
    remove_file("status.en.txt");
    free(large);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(built_in_texts),     cmocka_unit_test(empty_fields_leave_no_trace),
        cmocka_unit_test(hostile_values),     cmocka_unit_test(folder_overrides),
        cmocka_unit_test(mistakes_are_named), cmocka_unit_test(too_large),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
