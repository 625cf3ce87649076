/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "normalize/buf.h"
#include "normalize/mem.h"
#include "normalize/normalize.h"
#include "normalize/record_wire.h"

/* --- One message at a time --- */

struct fixture {
    struct inbound in;
    struct draft draft;
    struct record record;
};

static int setup(void **state)
{
    struct fixture *at = mem_calloc(1, sizeof *at);
    inbound_init(&at->in, "surat", "email", "email", 1795230207123, NULL, 0);
    draft_init(&at->draft);
    at->draft.native_id = mem_strdup("1@example.com");
    record_init(&at->record);
    *state = at;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *at = *state;
    inbound_release(&at->in);
    draft_release(&at->draft);
    record_release(&at->record);
    free(at);
    return 0;
}

/* Normalizes, and checks that the gateway would take the result. */
static struct record *run(struct fixture *at)
{
    struct err err = ERR_INIT;
    struct buf wire = BUF_INIT(RECORD_WIRE_MAX);
    struct record again;
    if (normalize_draft(&at->in, &at->draft, &at->record, &err) != 0)
        fail_msg("%s", err.text);
    record_encode(&at->record, &wire);
    assert_false(wire.overflow);
    record_init(&again);
    if (record_decode(wire.data, wire.len, &again, &err) != 0)
        fail_msg("%s", err.text);
    record_release(&again);
    buf_release(&wire);
    return &at->record;
}

static bool has_warning(const struct report *report, const char *code)
{
    for (size_t i = 0; i < report->warning_count; i++) {
        if (strcmp(report->warnings[i], code) == 0)
            return true;
    }
    return false;
}

static char *repeat(const char *text, size_t times)
{
    struct buf out = BUF_INIT(SIZE_MAX / 4);
    for (size_t i = 0; i < times; i++)
        buf_add_text(&out, text);
    return buf_detach(&out, NULL);
}

/* --- Tests --- */

static void text_is_cleaned_and_kept_whole(void **state)
{
    struct fixture *at = *state;
    at->draft.subject = mem_strdup("  Jalan\r\n rusak\x01 ");
    at->draft.text = mem_strdup("Jalan rusak e\xcc\x81\r\n\r\nmohon \xe2\x80\xae"
                                "diperbaiki\r\n");
    struct record *record = run(at);
    assert_string_equal(record->report.subject, "Jalan rusak");
    assert_string_equal(record->report.story, "Jalan rusak \xc3\xa9\n\nmohon \xef\xbf\xbd"
                                              "diperbaiki");
    assert_string_equal(record->original_text, record->report.story);
    assert_string_equal(record->native_id, "1@example.com");
    assert_string_equal(record->report.channel_id, "surat");
    assert_string_equal(record->report.channel_type, "email");
    assert_string_equal(record->report.channel_kind, "email");
    assert_int_equal(record->report.received_ms, 1795230207123);
    assert_int_equal(record->report.kind, REPORT_REPORT);
    assert_int_equal(record->report.visibility, REPORT_PRIVATE);
    assert_false(record->no_ack);
    assert_int_equal(record->report.warning_count, 0);
}

static void what_is_not_looked_at_yet_stays_plain(void **state)
{
    struct fixture *at = *state;
    at->draft.text = mem_strdup("Banjir di kel. Pondok Bambu, hub 0812 0000 0000");
    struct report *report = &run(at)->report;
    assert_null(report->language);
    assert_string_equal(report->category.code, "lainnya");
    assert_false(report->category.has_score);
    assert_null(report->location.text);
    assert_null(report->location.source);
    assert_false(report->urgent);
    assert_int_equal(report->redaction_count, 0);
    assert_int_equal(at->record.reporter.pii_count, 0);
    assert_string_equal(report->story, "Banjir di kel. Pondok Bambu, hub 0812 0000 0000");
}

static void quotes_are_cut_only_where_there_may_be_any(void **state)
{
    struct fixture *at = *state;
    const char *text = "Belum diperbaiki.\n\n> Terima kasih atas laporan Anda.";
    at->draft.text = mem_strdup(text);
    at->draft.cut_quotes = true;
    struct record *record = run(at);
    assert_string_equal(record->report.story, "Belum diperbaiki.");
    assert_string_equal(record->original_text, text);
}

static void quotes_of_a_form_are_the_story(void **state)
{
    struct fixture *at = *state;
    const char *text = "Belum diperbaiki.\n\n> Terima kasih atas laporan Anda.";
    at->draft.text = mem_strdup(text);
    assert_string_equal(run(at)->report.story, text);
}

static void automatic_mail_is_no_report_and_not_answered(void **state)
{
    (void)state;
    for (int how = DRAFT_AUTO_REPLY; how <= DRAFT_OWN_MAIL; how++) {
        void *fixture;
        setup(&fixture);
        struct fixture *at = fixture;
        at->draft.automatic = (enum draft_automatic)how;
        at->draft.text = mem_strdup("Saya sedang cuti.");
        struct record *record = run(at);
        assert_int_equal(record->report.kind, REPORT_NOT_REPORT);
        assert_true(record->no_ack);
        teardown(&fixture);
    }
}

static void place_and_category_are_the_reporters(void **state)
{
    struct fixture *at = *state;
    at->draft.location_text = mem_strdup(" Jl. Contoh\nRT 003/05 ");
    at->draft.category = mem_strdup("jalan");
    at->draft.additional = mem_strdup("Tanggal kejadian: 2026-11-20\r\nmalam");
    at->draft.visibility = REPORT_PUBLIC;
    struct report *report = &run(at)->report;
    assert_string_equal(report->location.text, "Jl. Contoh RT 003/05");
    assert_string_equal(report->location.source, "form");
    assert_false(report->location.has_point);
    assert_string_equal(report->category.code, "jalan");
    assert_string_equal(report->additional, "Tanggal kejadian: 2026-11-20\nmalam");
    assert_int_equal(report->visibility, REPORT_PUBLIC);
}

static void a_point_says_where_it_is_from(void **state)
{
    struct fixture *at = *state;
    at->draft.location_text = mem_strdup("Jl. Contoh");
    at->draft.has_point = true;
    at->draft.lat = -6.2;
    at->draft.lon = 106.8;
    at->draft.point_source = mem_strdup("device");
    struct report *report = &run(at)->report;
    assert_true(report->location.has_point);
    assert_string_equal(report->location.source, "device");
    assert_string_equal(report->location.text, "Jl. Contoh");
}

static void a_message_with_nothing_in_it_is_still_one(void **state)
{
    struct fixture *at = *state;
    at->draft.text = mem_strdup(" \r\n\t\x02");
    at->draft.subject = mem_strdup("");
    struct report *report = &run(at)->report;
    assert_null(report->story);
    assert_null(report->subject);
    assert_int_equal(report->kind, REPORT_REPORT);
    assert_true(has_warning(report, "empty"));
}

static void a_subject_alone_is_something(void **state)
{
    struct fixture *at = *state;
    at->draft.subject = mem_strdup("Lampu jalan mati");
    struct report *report = &run(at)->report;
    assert_null(report->story);
    assert_false(has_warning(report, "empty"));
}

static void long_texts_are_cut_between_characters(void **state)
{
    struct fixture *at = *state;
    at->draft.text = repeat("\xc3\xa9", REPORT_STORY_MAX);
    at->draft.additional = repeat("\xe2\x82\xac", REPORT_STORY_MAX / 2);
    at->draft.subject = repeat("a\xc3\xa9", REPORT_LINE_MAX);
    at->draft.location_text = repeat("a\xc3\xa9", REPORT_LINE_MAX);
    struct record *record = run(at);
    assert_int_equal(strlen(record->report.story), REPORT_STORY_MAX);
    assert_int_equal(strlen(record->original_text), 2 * REPORT_STORY_MAX);
    assert_int_equal(strlen(record->report.additional), REPORT_STORY_MAX - 1);
    assert_true(strlen(record->report.subject) <= REPORT_LINE_MAX);
    assert_true(strlen(record->report.location.text) <= REPORT_LINE_MAX);
    assert_true(has_warning(&record->report, "text_truncated"));
}

static void references_are_the_transports_then_the_texts(void **state)
{
    struct fixture *at = *state;
    draft_refer(&at->draft, REFERENCE_TOKEN, "0123456789abcdefghjkmnpqrstv");
    draft_refer(&at->draft, REFERENCE_MESSAGE_ID, " 2@example.com\r\n");
    draft_refer(&at->draft, REFERENCE_REPORT_ID, "0000-0000-0000");
    draft_refer(&at->draft, REFERENCE_REPORT_ID, "bukan");
    draft_refer(&at->draft, REFERENCE_MESSAGE_ID, "\x01");
    at->draft.subject = mem_strdup("Re: [#7KQ3-MXP9-T2FC]");
    at->draft.text = mem_strdup("Lihat 7kq3mxp9t2fc.\n\n> ID 0000-0000-0000");
    at->draft.cut_quotes = true;
    struct record *record = run(at);
    static const struct {
        enum record_reference_kind kind;
        const char *value;
    } expected[] = {
        {REFERENCE_TOKEN, "0123456789abcdefghjkmnpqrstv"},
        {REFERENCE_MESSAGE_ID, "2@example.com"},
        {REFERENCE_REPORT_ID, "000000000000"},
        {REFERENCE_REPORT_ID, "7KQ3MXP9T2FC"},
    };
    assert_int_equal(record->reference_count, sizeof expected / sizeof expected[0]);
    for (size_t i = 0; i < record->reference_count; i++) {
        assert_int_equal(record->references[i].kind, expected[i].kind);
        assert_string_equal(record->references[i].value, expected[i].value);
    }
}

static void the_reporter_goes_to_the_reporter_only(void **state)
{
    struct fixture *at = *state;
    at->draft.text = mem_strdup("Jalan rusak");
    at->draft.reporter.name = mem_strdup("Sari\tContoh\n");
    at->draft.reporter.address_kind = mem_strdup("email");
    at->draft.reporter.address = mem_strdup("sari@example.com");
    at->draft.reporter.reply_ref = mem_strdup("1@example.com");
    at->draft.reporter.no_reply = true;
    struct record *record = run(at);
    assert_string_equal(record->reporter.name, "Sari Contoh");
    assert_string_equal(record->reporter.address, "sari@example.com");
    assert_true(record->reporter.no_reply);
    json_t *json = report_json(&record->report);
    char *text = json_canonical(json);
    assert_null(strcasestr(text, "sari"));
    free(text);
    json_decref(json);
}

static void an_address_with_nothing_in_it_is_none(void **state)
{
    struct fixture *at = *state;
    at->draft.reporter.address_kind = mem_strdup("email");
    at->draft.reporter.address = mem_strdup("\x02");
    struct record *record = run(at);
    assert_null(record->reporter.address);
    assert_null(record->reporter.address_kind);
}

static void attachments_come_along_as_sent(void **state)
{
    struct fixture *at = *state;
    draft_attach(&at->draft, "foto\n1.jpg", "image/jpeg", mem_strndup("\xff\xd8\0x", 4), 4);
    draft_attach(&at->draft, NULL, NULL, mem_strdup("x"), 1);
    draft_attach(&at->draft, NULL, "a b", mem_strdup("x"), 1);
    struct report *report = &run(at)->report;
    assert_int_equal(report->attachment_count, 3);
    assert_string_equal(report->attachments[0].name, "foto 1.jpg");
    assert_string_equal(report->attachments[0].media_type, "image/jpeg");
    assert_int_equal(report->attachments[0].bytes, 4);
    assert_memory_equal(report->attachments[0].data, "\xff\xd8\0x", 4);
    assert_string_equal(report->attachments[1].media_type, "application/octet-stream");
    assert_string_equal(report->attachments[2].media_type, "application/octet-stream");
    assert_false(has_warning(report, "empty"));
}

static void too_many_or_too_large_attachments_stay_in_the_original(void **state)
{
    struct fixture *at = *state;
    draft_attach(&at->draft, NULL, "image/png", mem_calloc(INBOUND_RAW_MAX, 1), INBOUND_RAW_MAX);
    draft_attach(&at->draft, NULL, "image/png", mem_strdup("x"), 1);
    for (size_t i = 0; i < REPORT_ATTACHMENTS_MAX; i++)
        draft_attach(&at->draft, NULL, "image/png", mem_strdup(""), 0);
    struct report *report = &run(at)->report;
    assert_int_equal(report->attachment_count, REPORT_ATTACHMENTS_MAX);
    assert_true(has_warning(report, "attachment_left_out"));
}

static void native_ids_are_made_fit(void **state)
{
    struct fixture *at = *state;
    free(at->draft.native_id);
    at->draft.native_id = repeat("a", RECORD_NATIVE_ID_MAX + 1);
    assert_memory_equal(run(at)->native_id, "sha256:", 7);
}

static void without_a_native_id_there_is_no_record(void **state)
{
    struct fixture *at = *state;
    struct err err = ERR_INIT;
    free(at->draft.native_id);
    at->draft.native_id = mem_strdup("\x01 ");
    assert_int_equal(normalize_draft(&at->in, &at->draft, &at->record, &err), -1);
    assert_int_equal(err.kind, ERR_PERMANENT);
}

static void problems_come_with_all_that_was_typed(void **state)
{
    struct fixture *at = *state;
    at->draft.text = mem_strdup("pendek");
    at->draft.fingerprint = mem_strdup("00");
    draft_problem(&at->draft, "story", "too_short");
    draft_problem(&at->draft, "\x01", "unknown_field");
    draft_warn(&at->draft, "charset_guessed");
    struct record *record = run(at);
    assert_int_equal(record->problem_count, 2);
    assert_string_equal(record->problems[0].field, "story");
    assert_string_equal(record->problems[0].code, "too_short");
    assert_string_equal(record->problems[1].field, "body");
    assert_string_equal(record->report.story, "pendek");
    assert_string_equal(record->fingerprint, "00");
    assert_true(has_warning(&record->report, "charset_guessed"));
}

#define WITH_FIXTURE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_FIXTURE(text_is_cleaned_and_kept_whole),
        WITH_FIXTURE(what_is_not_looked_at_yet_stays_plain),
        WITH_FIXTURE(quotes_are_cut_only_where_there_may_be_any),
        WITH_FIXTURE(quotes_of_a_form_are_the_story),
        cmocka_unit_test(automatic_mail_is_no_report_and_not_answered),
        WITH_FIXTURE(place_and_category_are_the_reporters),
        WITH_FIXTURE(a_point_says_where_it_is_from),
        WITH_FIXTURE(a_message_with_nothing_in_it_is_still_one),
        WITH_FIXTURE(a_subject_alone_is_something),
        WITH_FIXTURE(long_texts_are_cut_between_characters),
        WITH_FIXTURE(references_are_the_transports_then_the_texts),
        WITH_FIXTURE(the_reporter_goes_to_the_reporter_only),
        WITH_FIXTURE(an_address_with_nothing_in_it_is_none),
        WITH_FIXTURE(attachments_come_along_as_sent),
        WITH_FIXTURE(too_many_or_too_large_attachments_stay_in_the_original),
        WITH_FIXTURE(native_ids_are_made_fit),
        WITH_FIXTURE(without_a_native_id_there_is_no_record),
        WITH_FIXTURE(problems_come_with_all_that_was_typed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
