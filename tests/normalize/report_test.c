/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "normalize/draft.h"
#include "normalize/inbound.h"
#include "normalize/mem.h"
#include "normalize/report.h"

static const int64_t RECEIVED_MS = 1795230207123; /* 2026-11-21T10:03:27.123+07:00 */

static void assert_json(json_t *value, const char *expected)
{
    char *text = json_canonical(value);
    assert_string_equal(text, expected);
    free(text);
    json_decref(value);
}

/* The least a finished report holds. */
static void fill_bare(struct report *report)
{
    report->channel_id = mem_strdup("web");
    report->channel_type = mem_strdup("web_form");
    report->channel_kind = mem_strdup("web");
    report->received_ms = RECEIVED_MS;
    report->category.code = mem_strdup("lainnya");
}

static void bare_report_says_missing_as_null(void **state)
{
    (void)state;
    struct report report;
    report_init(&report);
    fill_bare(&report);
    assert_json(
        report_json(&report),
        "{\"schema\":\"kanal.report/1\",\"id\":null,\"kind\":\"report\",\"urgent\":false,"
        "\"visibility\":\"private\",\"label\":\"Laporan bersifat privasi. Jangan berikan informasi "
        "dalam laporan ini kepada siapapun\",\"channel\":{\"id\":\"web\",\"type\":\"web_form\","
        "\"kind\":\"web\"},\"received_on\":\"2026-11-21\",\"language\":null,\"subject\":null,"
        "\"story\":null,\"location\":{\"text\":null,\"lat\":null,\"lon\":null,\"source\":null,"
        "\"kelurahan\":null,\"kecamatan\":null,\"city\":null,\"candidates\":[]},"
        "\"additional\":null,\"category\":{\"code\":\"lainnya\",\"score\":null,\"evidence\":[]},"
        "\"attachments\":[],\"redactions\":[],\"thread\":{\"report\":null,\"matched_by\":null},"
        "\"possible_duplicates\":[],\"warnings\":[],"
        "\"restricted\":{\"received_at\":\"2026-11-21T10:03:27+07:00\"}}");
    report_release(&report);
    report_release(&report);
}

static void fill_attachments(struct report *report)
{
    report->attachment_count = 2;
    report->attachments[0] = (struct report_attachment){
        .media_type = mem_strdup("image/jpeg"),
        .bytes = 3,
        .width = 1280,
        .height = 960,
        .name = mem_strdup("IMG_0000.jpg"),
        .data = mem_strdup("jpg"),
    };
    report->attachments[1] = (struct report_attachment){
        .media_type = mem_strdup("application/pdf"),
        .bytes = 900,
    };
}

static void fill_lists(struct report *report)
{
    report->location.candidate_count = 1;
    report->location.candidates[0] = mem_strdup("31.75.07.1002");
    report->category.evidence_count = 1;
    report->category.evidence[0] = mem_strdup("rusak");
    report->duplicate_count = 1;
    report->possible_duplicates[0] = mem_strdup("7KQ3MXP9T2FC");
    report->redaction_count = 1;
    report->redactions = mem_calloc(1, sizeof *report->redactions);
    report->redactions[0] = (struct report_redaction){
        .type = mem_strdup("phone"), .field = mem_strdup("story"), .start = 60, .end = 69};
}

static void assert_member(const json_t *object, const char *key, const char *expected)
{
    char *text = json_canonical(json_object_get(object, key));
    assert_string_equal(text, expected);
    free(text);
}

static void full_report_prints_every_part(void **state)
{
    (void)state;
    struct report report;
    report_init(&report);
    fill_bare(&report);
    fill_attachments(&report);
    fill_lists(&report);
    report.location.has_point = true;
    report.location.lat = -6.2;
    report.location.lon = 106.8271530001;
    report.location.source = mem_strdup("pin");
    report.location.kelurahan_code = mem_strdup("31.75.07.1002");
    report.location.kelurahan_name = mem_strdup("Pondok Bambu");
    report.category.has_score = true;
    report.category.score = 0.82;
    json_t *json = report_json(&report);
    assert_member(json, "location",
                  "{\"text\":null,\"lat\":-6.2,\"lon\":106.827153,\"source\":\"pin\",\"kelurahan\":"
                  "{\"code\":\"31.75.07.1002\",\"name\":\"Pondok Bambu\"},\"kecamatan\":null,"
                  "\"city\":null,\"candidates\":[\"31.75.07.1002\"]}");
    assert_member(json, "category",
                  "{\"code\":\"lainnya\",\"score\":0.82,\"evidence\":[\"rusak\"]}");
    assert_member(
        json, "attachments",
        "[{\"n\":1,\"media_type\":\"image/jpeg\",\"bytes\":3,\"width\":1280,\"height\":"
        "960,\"withheld\":true},{\"n\":2,\"media_type\":\"application/pdf\",\"bytes\":900,"
        "\"width\":null,\"height\":null,\"withheld\":true}]");
    assert_member(json, "redactions",
                  "[{\"type\":\"phone\",\"field\":\"story\",\"start\":60,\"end\":69}]");
    assert_member(json, "possible_duplicates", "[\"7KQ3MXP9T2FC\"]");
    json_decref(json);
    report_release(&report);
}

static void public_shows_clean_photos_and_another_label(void **state)
{
    (void)state;
    struct report report;
    report_init(&report);
    fill_bare(&report);
    fill_attachments(&report);
    report.visibility = REPORT_PUBLIC;
    json_t *json = report_json(&report);
    assert_member(json, "visibility", "\"public\"");
    assert_member(json, "label", "\"Jangan berikan informasi dalam laporan ini kepada siapapun\"");
    json_t *list = json_object_get(json, "attachments");
    assert_member(json_array_get(list, 0), "withheld", "false");
    assert_member(json_array_get(list, 1), "withheld", "true");
    json_decref(json);
    report_release(&report);
}

static void record_prints_reporter_and_names_apart(void **state)
{
    (void)state;
    struct record record;
    record_init(&record);
    fill_bare(&record.report);
    fill_attachments(&record.report);
    record.native_id = mem_strdup("key:abc");
    record.original_text = mem_strdup("Jalan rusak");
    assert_json(reporter_json(&record.reporter),
                "{\"name\":null,\"address\":null,\"pii\":[],\"no_reply\":false}");
    record.reporter.name = mem_strdup("Sari Contoh");
    record.reporter.address_kind = mem_strdup("email");
    record.reporter.address = mem_strdup("sari@example.com");
    record.reporter.pii_count = 1;
    record.reporter.pii = mem_calloc(1, sizeof *record.reporter.pii);
    record.reporter.pii[0] = (struct reporter_pii){
        .type = mem_strdup("phone"),
        .text = mem_strdup("+6281200000000"),
        .field = mem_strdup("story"),
    };
    json_t *json = record_json(&record);
    assert_member(json, "reporter",
                  "{\"name\":\"Sari Contoh\",\"address\":{\"kind\":\"email\",\"value\":"
                  "\"sari@example.com\"},\"pii\":[{\"type\":\"phone\",\"text\":"
                  "\"+6281200000000\",\"field\":\"story\"}],\"no_reply\":false}");
    assert_member(json, "attachment_names", "[\"IMG_0000.jpg\",null]");
    assert_member(json, "native_id", "\"key:abc\"");
    assert_member(json, "original_text", "\"Jalan rusak\"");
    json_decref(json);
    record_release(&record);
    record_release(&record);
}

static void time_is_the_citys(void **state)
{
    (void)state;
    static const struct {
        int64_t ms;
        const char *time;
    } cases[] = {
        {0, "1970-01-01T07:00:00+07:00"},
        {-1, "1970-01-01T06:59:59+07:00"},
        {RECEIVED_MS, "2026-11-21T10:03:27+07:00"},
        {1795280399999, "2026-11-21T23:59:59+07:00"},
        {1795280400000, "2026-11-22T00:00:00+07:00"},
        {253402275599999, "9999-12-31T23:59:59+07:00"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char time[REPORT_TIME_SIZE];
        report_time(cases[i].ms, time);
        assert_string_equal(time, cases[i].time);
    }
}

static void warnings_come_once_and_end(void **state)
{
    (void)state;
    struct report report;
    report_init(&report);
    report_warn(&report, "charset_guessed");
    report_warn(&report, "charset_guessed");
    assert_int_equal(report.warning_count, 1);
    for (int i = 0; i < 2 * REPORT_WARNINGS_MAX; i++) {
        char code[16];
        snprintf(code, sizeof code, "code_%d", i);
        report_warn(&report, code);
    }
    assert_int_equal(report.warning_count, REPORT_WARNINGS_MAX);
    report_release(&report);
}

static void draft_lists_end_at_their_limits(void **state)
{
    (void)state;
    struct draft draft;
    draft_init(&draft);
    for (int i = 0; i < DRAFT_ATTACHMENTS_MAX; i++)
        assert_int_equal(draft_attach(&draft, NULL, "image/png", mem_strdup("x"), 1), 0);
    assert_int_equal(draft_attach(&draft, "a", "image/png", mem_strdup("x"), 1), -1);
    draft_refer(&draft, REFERENCE_TOKEN, "t");
    draft_refer(&draft, REFERENCE_TOKEN, "t");
    draft_refer(&draft, REFERENCE_MESSAGE_ID, "t");
    assert_int_equal(draft.reference_count, 2);
    for (int i = 0; i < 2 * DRAFT_REFERENCES_MAX; i++) {
        char value[16];
        snprintf(value, sizeof value, "%d", i);
        draft_refer(&draft, REFERENCE_TOKEN, value);
        draft_problem(&draft, value, "required");
        draft_warn(&draft, value);
    }
    assert_int_equal(draft.reference_count, DRAFT_REFERENCES_MAX);
    assert_int_equal(draft.problem_count, DRAFT_PROBLEMS_MAX);
    assert_int_equal(draft.warning_count, REPORT_WARNINGS_MAX);
    draft_release(&draft);
    assert_int_equal(draft.attachment_count, 0);
    draft_release(&draft);
}

static void inbound_owns_copies(void **state)
{
    (void)state;
    struct inbound in;
    inbound_init(&in, "web", "web_form", "web", 5, mem_strdup("raw"), 3);
    inbound_fact_add(&in, "content_type", "application/json");
    inbound_fact_add(&in, "absent", NULL);
    assert_int_equal(in.fact_count, 1);
    assert_string_equal(inbound_fact(&in, "content_type"), "application/json");
    assert_null(inbound_fact(&in, "absent"));
    for (int i = 0; i < 2 * INBOUND_FACTS_MAX; i++)
        inbound_fact_add(&in, "more", "x");
    assert_int_equal(in.fact_count, INBOUND_FACTS_MAX);
    inbound_release(&in);
    inbound_release(&in);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bare_report_says_missing_as_null),
        cmocka_unit_test(full_report_prints_every_part),
        cmocka_unit_test(public_shows_clean_photos_and_another_label),
        cmocka_unit_test(record_prints_reporter_and_names_apart),
        cmocka_unit_test(time_is_the_citys),
        cmocka_unit_test(warnings_come_once_and_end),
        cmocka_unit_test(draft_lists_end_at_their_limits),
        cmocka_unit_test(inbound_owns_copies),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
