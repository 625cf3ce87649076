/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <math.h>

#include "normalize/mem.h"
#include "normalize/record_wire.h"

/* --- Records to start from --- */

/* The least that is accepted. */
static void fill_bare(struct record *record)
{
    record_init(record);
    record->native_id = mem_strdup("key:abc");
    record->report.channel_id = mem_strdup("web");
    record->report.channel_type = mem_strdup("web_form");
    record->report.channel_kind = mem_strdup("web");
    record->report.received_ms = 1795230207123;
    record->report.category.code = mem_strdup("lainnya");
}

static void fill_location(struct report_location *location)
{
    location->text = mem_strdup("Jl. Contoh RT 003/05");
    location->has_point = true;
    location->lat = -6.2;
    location->lon = 106.8;
    location->source = mem_strdup("device");
    location->kelurahan_code = mem_strdup("31.75.07.1002");
    location->kelurahan_name = mem_strdup("Pondok Bambu");
    location->kecamatan = mem_strdup("Duren Sawit");
    location->city = mem_strdup("Jakarta Timur");
    location->candidates[0] = mem_strdup("31.75.07.1002");
    location->candidates[1] = mem_strdup("31.75.07.1003");
    location->candidate_count = 2;
}

static void fill_report(struct report *report)
{
    report->kind = REPORT_FOLLOWUP;
    report->urgent = true;
    report->visibility = REPORT_PUBLIC;
    report->language = mem_strdup("id");
    report->subject = mem_strdup("Jalan rusak");
    report->story = mem_strdup("Jalan\trusak \xc3\xa9\nhub [TELEPON] [NIK]");
    report->additional = mem_strdup("Tanggal kejadian: 2026-11-20");
    fill_location(&report->location);
    report->category.has_score = true;
    report->category.score = 0.5;
    report->category.evidence[0] = mem_strdup("lubang besar");
    report->category.evidence_count = 1;
    report->attachments[0] = (struct report_attachment){
        .media_type = mem_strdup("image/jpeg"),
        .bytes = 4,
        .width = 10,
        .height = 20,
        .name = mem_strdup("foto saya.jpg"),
        .data = mem_strndup("\0\xff\0x", 4),
    };
    report->attachments[1] =
        (struct report_attachment){.media_type = mem_strdup("text/plain"), .bytes = 77};
    report->attachment_count = 2;
    report->redactions = mem_calloc(2, sizeof *report->redactions);
    report->redactions[0] = (struct report_redaction){
        .type = mem_strdup("phone"), .field = mem_strdup("story"), .start = 19, .end = 28};
    report->redactions[1] = (struct report_redaction){
        .type = mem_strdup("nik"), .field = mem_strdup("story"), .start = 29, .end = 34};
    report->redaction_count = 2;
    report->warnings[0] = mem_strdup("charset_guessed");
    report->warning_count = 1;
}

static void fill_full(struct record *record)
{
    fill_bare(record);
    fill_report(&record->report);
    record->fingerprint = mem_strdup("00ff");
    record->original_text = mem_strdup("Jalan rusak\n\n-- \nSari");
    record->no_ack = true;
    record->reporter.name = mem_strdup("Sari Contoh");
    record->reporter.address_kind = mem_strdup("email");
    record->reporter.address = mem_strdup("sari@example.com");
    record->reporter.reply_ref = mem_strdup("1@example.com");
    record->reporter.no_reply = true;
    record->reporter.pii_count = 5;
    record->reporter.pii = mem_calloc(5, sizeof *record->reporter.pii);
    for (size_t i = 0; i < 5; i++) {
        record->reporter.pii[i] = (struct reporter_pii){.type = mem_strdup("phone"),
                                                        .text = mem_strdup("0812 0000 0000"),
                                                        .field = mem_strdup("story")};
    }
    record->references[0] =
        (struct record_reference){REFERENCE_MESSAGE_ID, mem_strdup("2@example.com")};
    record->references[1] =
        (struct record_reference){REFERENCE_REPORT_ID, mem_strdup("7KQ3MXP9T2FC")};
    record->reference_count = 2;
    record->problems[0] = (struct record_problem){mem_strdup("story"), mem_strdup("too_short")};
    record->problem_count = 1;
    record->typed_category = mem_strdup("jalan");
    record->typed_date = mem_strdup("2026-11-20");
}

/* --- Helpers --- */

static void encode(const struct record *record, struct buf *out)
{
    buf_clear(out);
    record_encode(record, out);
    assert_false(out->overflow);
}

static int decode(const struct buf *wire, struct err *err)
{
    struct record record;
    record_init(&record);
    int result = record_decode(wire->data, wire->len, &record, err);
    record_release(&record);
    return result;
}

/* Encodes record and expects a refusal that names field and nothing of its content. */
static void assert_refused(struct record *record, const char *field)
{
    struct buf wire = BUF_INIT(RECORD_WIRE_MAX);
    struct err err = ERR_INIT;
    encode(record, &wire);
    assert_int_equal(decode(&wire, &err), -1);
    assert_int_equal(err.kind, ERR_PERMANENT);
    char quoted[80];
    snprintf(quoted, sizeof quoted, "'%s'", field);
    if (strstr(err.text, quoted) == NULL)
        fail_msg("%s is not in: %s", quoted, err.text);
    buf_release(&wire);
    record_release(record);
}

static void text_set(char **member, const char *text)
{
    free(*member);
    *member = mem_strdup(text);
}

/* --- Tests --- */

static void assert_round_trip(struct record *record)
{
    struct buf wire = BUF_INIT(RECORD_WIRE_MAX), again = BUF_INIT(RECORD_WIRE_MAX);
    struct err err = ERR_INIT;
    struct record decoded;
    record_init(&decoded);
    encode(record, &wire);
    assert_int_equal(record_decode(wire.data, wire.len, &decoded, &err), 0);
    encode(&decoded, &again);
    assert_int_equal(wire.len, again.len);
    assert_memory_equal(wire.data, again.data, wire.len);
    json_t *before = record_json(record), *after = record_json(&decoded);
    assert_true(json_equal(before, after));
    json_decref(before);
    json_decref(after);
    record_release(&decoded);
    buf_release(&wire);
    buf_release(&again);
}

static void records_come_back_as_they_were(void **state)
{
    (void)state;
    struct record record;
    fill_bare(&record);
    assert_round_trip(&record);
    record_release(&record);
    fill_full(&record);
    assert_round_trip(&record);
    record_release(&record);
}

static void members_outside_the_json_come_back_too(void **state)
{
    (void)state;
    struct buf wire = BUF_INIT(RECORD_WIRE_MAX);
    struct err err = ERR_INIT;
    struct record record, decoded;
    fill_full(&record);
    record_init(&decoded);
    encode(&record, &wire);
    assert_int_equal(record_decode(wire.data, wire.len, &decoded, &err), 0);
    assert_string_equal(decoded.fingerprint, "00ff");
    assert_string_equal(decoded.reporter.reply_ref, "1@example.com");
    assert_int_equal(decoded.report.received_ms, 1795230207123);
    assert_true(decoded.no_ack);
    assert_int_equal(decoded.report.attachments[0].bytes, 4);
    assert_memory_equal(decoded.report.attachments[0].data, "\0\xff\0x", 4);
    assert_null(decoded.report.attachments[1].data);
    assert_int_equal(decoded.report.attachments[1].bytes, 77);
    assert_int_equal(decoded.references[1].kind, REFERENCE_REPORT_ID);
    assert_string_equal(decoded.references[1].value, "7KQ3MXP9T2FC");
    assert_string_equal(decoded.problems[0].field, "story");
    assert_string_equal(decoded.typed_category, "jalan");
    assert_string_equal(decoded.typed_date, "2026-11-20");
    record_release(&decoded);
    record_release(&record);
    buf_release(&wire);
}

/* A worker that was taken over must not choose these. */
static void the_gateways_own_fields_do_not_travel(void **state)
{
    (void)state;
    struct buf wire = BUF_INIT(RECORD_WIRE_MAX);
    struct err err = ERR_INIT;
    struct record record, decoded;
    fill_bare(&record);
    memcpy(record.report.id, "7KQ3MXP9T2FC", REPORT_ID_SIZE);
    memcpy(record.report.thread_report, "7KQ3MXP9T2FC", REPORT_ID_SIZE);
    text_set(&record.report.thread_matched_by, "token");
    text_set(&record.report.possible_duplicates[0], "7KQ3MXP9T2FC");
    record.report.duplicate_count = 1;
    record_init(&decoded);
    encode(&record, &wire);
    assert_int_equal(record_decode(wire.data, wire.len, &decoded, &err), 0);
    assert_string_equal(decoded.report.id, "");
    assert_string_equal(decoded.report.thread_report, "");
    assert_null(decoded.report.thread_matched_by);
    assert_int_equal(decoded.report.duplicate_count, 0);
    record_release(&decoded);
    record_release(&record);
    buf_release(&wire);
}

static void hostile_text_is_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",          "a\rb",      "a\x01",         "a\x1b[0m",         "a\x7f",
        "a\xc2\x85", "a\xc2\x9f", "a\xe2\x80\xa8", "a\xe2\x80\xae b",  "a\xe2\x81\xa6",
        "\xc3",      "\xc0\xaf",  "\xed\xa0\x80",  "\xf4\x90\x80\x80", "\xff",
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct record record;
        fill_full(&record);
        text_set(&record.report.story, bad[i]);
        record.report.redaction_count = 0;
        free(record.report.redactions[0].type);
        free(record.report.redactions[0].field);
        free(record.report.redactions[1].type);
        free(record.report.redactions[1].field);
        assert_refused(&record, "report.story");
    }
    static const char *const good[] = {"a\n\tb", "\xc3\xa9", "\xe2\x80\x8d", "\xf0\x9f\x98\x80"};
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        struct record record;
        fill_bare(&record);
        text_set(&record.report.story, good[i]);
        assert_round_trip(&record);
        record_release(&record);
    }
}

#define REFUSES(change, field)                                                                     \
    do {                                                                                           \
        struct record record;                                                                      \
        fill_full(&record);                                                                        \
        change;                                                                                    \
        assert_refused(&record, field);                                                            \
    } while (0)

static char *long_text(size_t len)
{
    char *text = mem_calloc(len + 1, 1);
    memset(text, 'a', len);
    return text;
}

static void text_replace(char **member, char *text)
{
    free(*member);
    *member = text;
}

/* They stand in clear beside what is sealed. */
static void no_identity_fits_into_a_code(void **state)
{
    (void)state;
    REFUSES(text_set(&record.report.category.code, "sari@example.com"), "codes");
    REFUSES(text_set(&record.report.category.code, "Sari"), "codes");
    REFUSES(text_set(&record.report.category.code, "jalan-contoh-nomor-satu-a"), "codes");
    REFUSES(text_set(&record.report.language, "id1"), "codes");
    REFUSES(text_set(&record.report.location.kelurahan_code, "31.75.sari"), "codes");
}

static void every_kind_of_text_has_its_limits(void **state)
{
    (void)state;
    REFUSES(text_set(&record.report.subject, "a\nb"), "report.subject");
    REFUSES(text_set(&record.report.subject, "a\tb"), "report.subject");
    REFUSES(text_set(&record.reporter.name, "a\x01"), "reporter.name");
    REFUSES(text_set(&record.report.language, "i d"), "report.language");
    REFUSES(text_set(&record.report.category.code, "b\xc3\xa9"), "report.category.code");
    REFUSES(text_set(&record.report.channel_id, ""), "report.channel_id");
    REFUSES(text_replace(&record.report.subject, long_text(REPORT_LINE_MAX + 1)), "report.subject");
    REFUSES(text_replace(&record.report.language, long_text(REPORT_WORD_MAX + 1)),
            "report.language");
    REFUSES(text_replace(&record.native_id, long_text(RECORD_NATIVE_ID_MAX + 1)), "native_id");
    REFUSES(text_replace(&record.report.additional, long_text(REPORT_STORY_MAX + 1)),
            "report.additional");
    REFUSES(text_replace(&record.original_text, long_text(1024 * 1024 + 1)), "original_text");
    REFUSES(text_set(&record.report.attachments[0].name, "a\nb"), "name");
    REFUSES(text_set(&record.references[0].value, ""), "value");
    REFUSES(text_set(&record.problems[0].code, "a b"), "code");
    REFUSES(text_set(&record.report.warnings[0], "a b"), "list item");
}

static void values_out_of_range_are_refused(void **state)
{
    (void)state;
    REFUSES(record.report.location.lat = 90.1, "report.location.lat");
    REFUSES(record.report.location.lon = -180.1, "report.location.lon");
    REFUSES(record.report.location.lat = (double)NAN, "report.location.lat");
    REFUSES(record.report.location.lon = (double)INFINITY, "report.location.lon");
    REFUSES(record.report.category.score = 1.5, "report.category.score");
    REFUSES(record.report.received_ms = -1, "report.received_ms");
    REFUSES(record.report.received_ms = INT64_MAX, "report.received_ms");
    REFUSES(record.report.attachments[0].width = 65536, "width");
    REFUSES(record.report.attachments[1].bytes = SIZE_MAX, "bytes");
}

static void contradictions_are_refused(void **state)
{
    (void)state;
    REFUSES(record.report.location.has_point = false, "location");
    REFUSES(text_replace(&record.report.location.source, NULL), "location");
    REFUSES(text_replace(&record.report.location.kelurahan_name, NULL), "location");
    REFUSES(record.report.category.score = -0.5, "category");
    REFUSES(record.report.category.has_score = false, "category");
    REFUSES(record.report.attachments[0].height = 0, "attachments");
    REFUSES(text_replace(&record.reporter.address, NULL), "reporter");
    REFUSES(text_replace(&record.reporter.address_kind, NULL), "reporter");
    REFUSES(text_set(&record.references[1].value, "7kq3-mxp9-t2fc"), "references");
    REFUSES(text_set(&record.references[1].value, "7KQ3MXP9T2FD"), "references");
    REFUSES(record.report.redactions[0].start = 28, "redactions");
    REFUSES(record.report.redactions[0].start = 13, "redactions"); /* within e acute */
    REFUSES(record.report.redactions[1].end = 35, "redactions");
    REFUSES(record.report.redactions[1].start = 27, "redactions");
    REFUSES(text_set(&record.report.redactions[0].field, "label"), "redactions");
    REFUSES(text_set(&record.report.redactions[0].field, "location.text"), "redactions");
}

static void required_fields_are_required(void **state)
{
    (void)state;
    REFUSES(text_replace(&record.native_id, NULL), "native_id");
    REFUSES(text_replace(&record.report.channel_id, NULL), "report.channel_id");
    REFUSES(text_replace(&record.report.channel_type, NULL), "report.channel_type");
    REFUSES(text_replace(&record.report.channel_kind, NULL), "report.channel_kind");
    REFUSES(text_replace(&record.report.category.code, NULL), "report.category.code");
    REFUSES(text_replace(&record.report.attachments[0].media_type, NULL), "media_type");
    struct err err = ERR_INIT;
    struct buf empty = BUF_INIT(0);
    assert_int_equal(decode(&empty, &err), -1);
    assert_string_equal(err.text, "cannot decode 'native_id': it is missing");
}

/* Each prefix of a good record, and each byte of it changed: never a crash, and never more than
 * what encodes to the same bytes again. */
static void broken_frames_are_refused_or_mean_what_they_say(void **state)
{
    (void)state;
    struct record record;
    struct buf wire = BUF_INIT(RECORD_WIRE_MAX), again = BUF_INIT(RECORD_WIRE_MAX);
    fill_full(&record);
    encode(&record, &wire);
    for (size_t len = 0; len < wire.len; len++) {
        struct record decoded;
        struct err err = ERR_INIT;
        record_init(&decoded);
        char *cut = mem_strndup(wire.data, len);
        if (record_decode(cut, len, &decoded, &err) == 0) {
            encode(&decoded, &again);
            assert_int_equal(again.len, len);
        }
        record_release(&decoded);
        free(cut);
    }
    for (size_t i = 0; i < wire.len * 8; i++) {
        struct record decoded;
        struct err err = ERR_INIT;
        record_init(&decoded);
        wire.data[i / 8] = (char)(wire.data[i / 8] ^ (1 << i % 8));
        if (record_decode(wire.data, wire.len, &decoded, &err) == 0) {
            encode(&decoded, &again);
            assert_int_equal(again.len, wire.len);
            assert_memory_equal(again.data, wire.data, wire.len);
        }
        wire.data[i / 8] = (char)(wire.data[i / 8] ^ (1 << i % 8));
        record_release(&decoded);
    }
    record_release(&record);
    buf_release(&wire);
    buf_release(&again);
}

static void field(struct buf *out, uint32_t tag, const char *bytes)
{
    buf_add_u32(out, tag);
    buf_add_u32(out, (uint32_t)strlen(bytes));
    buf_add_text(out, bytes);
}

static void order_and_number_of_fields_are_checked(void **state)
{
    (void)state;
    struct record record;
    struct buf wire = BUF_INIT(RECORD_WIRE_MAX);
    fill_bare(&record);
    encode(&record, &wire);
    size_t whole = wire.len;
    static const uint32_t tags[] = {0, 14, 1000, UINT32_MAX}; /* again, out of order, unknown */
    for (size_t i = 0; i < sizeof tags / sizeof tags[0]; i++) {
        struct err err = ERR_INIT;
        field(&wire, tags[i], "x");
        assert_int_equal(decode(&wire, &err), -1);
        assert_string_equal(err.text, "cannot decode record: bad field head");
        buf_truncate(&wire, whole);
    }
    buf_release(&wire);
    record_release(&record);

    fill_bare(&record);
    record.report.warning_count = REPORT_WARNINGS_MAX;
    for (size_t i = 0; i < REPORT_WARNINGS_MAX; i++)
        record.report.warnings[i] = mem_strdup("w");
    assert_round_trip(&record);
    encode(&record, &wire);
    /* One warning more than there may be: repeat the last one, found by its head and bytes. */
    static const char item[] = "\0\0\0\x09\0\0\0\0\0\0\0\1w";
    const char *last = memmem(wire.data, wire.len, item, sizeof item - 1);
    assert_non_null(last);
    size_t at = (size_t)(last - wire.data) - 4;
    struct buf more = BUF_INIT(RECORD_WIRE_MAX);
    buf_add(&more, wire.data, at + 17);
    buf_add(&more, wire.data + at, wire.len - at);
    struct err err = ERR_INIT;
    assert_int_equal(decode(&more, &err), -1);
    assert_string_equal(err.text, "cannot decode 'report.warnings': bad value");
    buf_release(&more);
    buf_release(&wire);
    record_release(&record);
}

static void the_origin_is_the_gateways_word(void **state)
{
    (void)state;
    struct record record;
    struct inbound in;
    fill_full(&record);
    inbound_init(&in, "sms-utama", "sms_kannel", "sms", 5, NULL, 0);
    record_set_origin(&record, &in);
    assert_string_equal(record.report.channel_id, "sms-utama");
    assert_string_equal(record.report.channel_type, "sms_kannel");
    assert_string_equal(record.report.channel_kind, "sms");
    assert_int_equal(record.report.received_ms, 5);
    inbound_release(&in);
    record_release(&record);
}

static void inbounds_travel_too(void **state)
{
    (void)state;
    struct inbound in, decoded = {0};
    struct err err = ERR_INIT;
    struct buf wire = BUF_INIT(RECORD_WIRE_MAX), again = BUF_INIT(RECORD_WIRE_MAX);
    inbound_init(&in, "web", "web_form", "web", 1795230207123, mem_strndup("\0raw\xff", 5), 5);
    inbound_fact_add(&in, "content_type", "text/\xff");
    inbound_fact_add(&in, "categories", "");
    inbound_encode(&in, &wire);
    assert_int_equal(inbound_decode(wire.data, wire.len, &decoded, &err), 0);
    assert_string_equal(decoded.channel_id, "web");
    assert_int_equal(decoded.raw_len, 5);
    assert_memory_equal(decoded.raw, "\0raw\xff", 5);
    assert_string_equal(inbound_fact(&decoded, "content_type"), "text/\xff");
    assert_string_equal(inbound_fact(&decoded, "categories"), "");
    inbound_encode(&decoded, &again);
    assert_int_equal(wire.len, again.len);
    assert_memory_equal(wire.data, again.data, wire.len);
    inbound_release(&decoded);
    for (size_t len = 0; len < wire.len; len++) {
        struct err cut = ERR_INIT;
        inbound_decode(wire.data, len, &decoded, &cut);
        inbound_release(&decoded);
    }
    inbound_release(&in);
    buf_release(&wire);
    buf_release(&again);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(records_come_back_as_they_were),
        cmocka_unit_test(members_outside_the_json_come_back_too),
        cmocka_unit_test(the_gateways_own_fields_do_not_travel),
        cmocka_unit_test(hostile_text_is_refused),
        cmocka_unit_test(no_identity_fits_into_a_code),
        cmocka_unit_test(every_kind_of_text_has_its_limits),
        cmocka_unit_test(values_out_of_range_are_refused),
        cmocka_unit_test(contradictions_are_refused),
        cmocka_unit_test(required_fields_are_required),
        cmocka_unit_test(broken_frames_are_refused_or_mean_what_they_say),
        cmocka_unit_test(order_and_number_of_fields_are_checked),
        cmocka_unit_test(the_origin_is_the_gateways_word),
        cmocka_unit_test(inbounds_travel_too),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
