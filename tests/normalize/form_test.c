/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <glib.h>

#include "normalize/buf.h"
#include "normalize/form.h"
#include "normalize/mem.h"
#include "normalize/record_wire.h"

static const int64_t RECEIVED_MS = 1795230207123; /* 2026-11-21T10:03:27+07:00 */

#define URLENCODED "application/x-www-form-urlencoded"
#define JSON       "application/json"
#define MULTIPART  "multipart/form-data; boundary=xyz"

/* 20 characters, so that tests need no long stories. */
#define STORY "Jalan rusak di sini."

/* --- One form at a time --- */

/* Normalizes the draft into the record, once. */
static int sink(void *context, struct draft *draft, struct err *err)
{
    struct record *record = context;
    struct inbound in = {0};
    if (record->native_id != NULL)
        fail_msg("a form is one message");
    inbound_init(&in, "web", "web_form", "web", RECEIVED_MS, NULL, 0);
    int result = normalize_draft(&in, draft, record, err);
    inbound_release(&in);
    return result;
}

/* Reads a form into *record (released by the caller) and checks that the gateway would take it. */
static void read_form(const char *content_type, const void *body, size_t len, struct record *record)
{
    struct inbound in;
    struct err err = ERR_INIT;
    struct buf wire = BUF_INIT(RECORD_WIRE_MAX);
    struct record again;
    inbound_init(&in, "web", "web_form", "web", RECEIVED_MS, mem_strndup(body, len), len);
    inbound_fact_add(&in, "content_type", content_type);
    inbound_fact_add(&in, "categories", "jalan,lampu-jalan,lainnya");
    inbound_fact_add(&in, "story_min", "20");
    record_init(record);
    record_init(&again);
    assert_int_equal(form_parse(&in, sink, record, &err), 0);
    record_encode(record, &wire);
    if (record_decode(wire.data, wire.len, &again, &err) != 0)
        fail_msg("%s", err.text);
    record_release(&again);
    buf_release(&wire);
    inbound_release(&in);
}

static void read_text(const char *content_type, const char *body, struct record *record)
{
    read_form(content_type, body, strlen(body), record);
}

/* Lists the problems as "field code;". */
static void problems(const struct record *record, struct buf *out)
{
    buf_clear(out);
    for (size_t i = 0; i < record->problem_count; i++)
        buf_addf(out, "%s %s;", record->problems[i].field, record->problems[i].code);
}

static void assert_problems(const char *content_type, const char *body, const char *expected)
{
    struct record record;
    struct buf found = BUF_INIT(10000);
    read_text(content_type, body, &record);
    problems(&record, &found);
    if (strcmp(found.data, expected) != 0)
        fail_msg("%s\n  gave     %s\n  expected %s", body, found.data, expected);
    buf_release(&found);
    record_release(&record);
}

static void assert_text(const char *text, const char *expected)
{
    if (expected == NULL)
        assert_null(text);
    else
        assert_string_equal(text, expected);
}

/* --- All fields, by each encoding --- */

static void assert_full(const struct record *record)
{
    assert_int_equal(record->problem_count, 0);
    assert_string_equal(record->report.story, STORY);
    assert_string_equal(record->report.location.text, "Jl. Contoh & RT 003/05");
    assert_true(record->report.location.has_point);
    assert_true(record->report.location.lat == -6.2);
    assert_true(record->report.location.lon == 106.8);
    assert_string_equal(record->report.location.source, "device");
    assert_string_equal(record->report.additional, "Tanggal kejadian: 2026-11-20\nmalam\nhari");
    assert_string_equal(record->report.category.code, "lampu-jalan");
    assert_int_equal(record->report.visibility, REPORT_PUBLIC);
    assert_string_equal(record->reporter.name, "Sari Contoh");
    assert_string_equal(record->reporter.address_kind, "email");
    assert_string_equal(record->reporter.address, "sari@example.com");
    assert_true(record->reporter.no_reply);
    assert_null(record->report.subject);
    assert_int_equal(record->report.kind, REPORT_REPORT);
    assert_string_equal(record->original_text, STORY);
}

static const char full_urlencoded[] =
    "client_key=k1&story=Jalan+rusak+di+sini.&location=Jl.+Contoh+%26+RT+003/05&lat=-6.2&lon=106.8"
    "&additional=malam%0d%0Ahari&category=lampu-jalan&visibility=public&date=2026-11-20"
    "&name=Sari+Contoh&contact=Sari@Example.com&no_reply=1&unknown=x";

static const char full_json[] =
    "{\"client_key\":\"k1\",\"story\":\"" STORY "\",\"location\":\"Jl. Contoh & RT 003/05\","
    "\"lat\":-6.2,\"lon\":106.8,\"additional\":\"malam\\nhari\",\"category\":\"lampu-jalan\","
    "\"visibility\":\"public\",\"date\":\"2026-11-20\",\"name\":\"Sari Contoh\","
    "\"contact\":\"sari@example.com\",\"no_reply\":true,\"attachments\":[]}";

#define PART(name, data)                                                                           \
    "--xyz\r\nContent-Disposition: form-data; name=\"" name "\"\r\n\r\n" data "\r\n"
#define FILE_PART(file, data)                                                                      \
    "--xyz\r\nContent-Disposition: form-data; name=\"attachments\"; filename=\"" file              \
    "\"\r\nContent-Type: image/jpeg\r\n\r\n" data "\r\n"

static const char full_multipart[] =
    PART("client_key", "k1") PART("story", STORY) PART("location", "Jl. Contoh & RT 003/05")
        PART("lat", "-6.2") PART("lon", "106.8") PART("additional", "malam\r\nhari")
            PART("category", "lampu-jalan") PART("visibility", "public") PART("date", "2026-11-20")
                PART("name", "Sari Contoh") PART("contact", "sari@example.com")
                    PART("no_reply", "on") PART("unknown", "x") FILE_PART("", "") "--xyz--\r\n";

static void all_fields_by_every_encoding(void **state)
{
    (void)state;
    static const struct {
        const char *type, *body;
    } cases[] = {
        {URLENCODED, full_urlencoded},
        {"Application/X-WWW-Form-Urlencoded; charset=utf-8", full_urlencoded},
        {NULL, full_urlencoded},
        {MULTIPART, full_multipart},
        {JSON, full_json},
        {"application/json;charset=utf-8", full_json},
        {"", full_json},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct record record;
        read_text(cases[i].type, cases[i].body, &record);
        assert_full(&record);
        record_release(&record);
    }
}

static void a_story_is_enough(void **state)
{
    (void)state;
    static const struct {
        const char *type, *body;
    } cases[] = {
        {URLENCODED, "story=Jalan+rusak+di+sini."},
        {URLENCODED, "story=Jalan+rusak+di+sini.&location=+&lat=&lon=&additional=&category=&date="
                     "&visibility=&name=&contact=&no_reply=&client_key="},
        {JSON, "{\"story\":\"" STORY "\"}"},
        {JSON, "{\"story\":\"" STORY "\",\"location\":null,\"lat\":null,\"lon\":null,"
               "\"additional\":\"\",\"category\":\"\",\"visibility\":null,\"name\":\" \","
               "\"contact\":\"\",\"no_reply\":null,\"client_key\":\"\",\"attachments\":null}"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct record record;
        read_text(cases[i].type, cases[i].body, &record);
        assert_int_equal(record.problem_count, 0);
        assert_int_equal(record.report.visibility, REPORT_PRIVATE);
        assert_string_equal(record.report.category.code, "lainnya");
        assert_null(record.report.location.text);
        assert_null(record.report.location.source);
        assert_null(record.report.additional);
        assert_null(record.reporter.name);
        assert_null(record.reporter.address);
        assert_false(record.reporter.no_reply);
        record_release(&record);
    }
}

/* --- What is refused, and how it is told --- */

#define WITH(fields) "{\"story\":\"" STORY "\"," fields "}"

static void json_is_judged_field_by_field(void **state)
{
    (void)state;
    static const struct {
        const char *body, *problems;
    } cases[] = {
        {"{}", "story required;"},
        {"{\"story\":\" \\n\"}", "story required;"},
        {"{\"story\":\"Jalan rusak di sini\"}", "story too_short;"},
        {"{\"story\":\"ééééééééééééééééééé\"}", "story too_short;"},
        {"{\"story\":\"éééééééééééééééééééé\"}", ""},
        {"{\"story\":17}", "story wrong_type;"},
        {WITH("\"category\":\"sampah\""), "category unknown_value;"},
        {WITH("\"category\":\"jalan,lainnya\""), "category unknown_value;"},
        {WITH("\"category\":[]"), "category wrong_type;"},
        {WITH("\"visibility\":\"Public\""), "visibility unknown_value;"},
        {WITH("\"lat\":-90.1,\"lon\":180.1"), "lat out_of_range;lon out_of_range;"},
        {WITH("\"lat\":1e300,\"lon\":-1e300"), "lat out_of_range;lon out_of_range;"},
        {WITH("\"lat\":-90,\"lon\":180"), ""},
        {WITH("\"lat\":-6.2"), "lon required;"},
        {WITH("\"lon\":106.8"), "lat required;"},
        {WITH("\"lat\":\"-6.2\",\"lon\":106.8"), "lat wrong_type;"},
        {WITH("\"no_reply\":\"1\""), ""},
        {WITH("\"no_reply\":\"ya\""), "no_reply unknown_value;"},
        {WITH("\"no_reply\":1"), "no_reply wrong_type;"},
        {WITH("\"contact\":\"+62 812-0000-0000\""), ""},
        {WITH("\"contact\":\"Sari\""), "contact unknown_value;"},
        {WITH("\"contact\":\"sari@\""), "contact unknown_value;"},
        {WITH("\"contact\":\"a@b.test, c@d.test\""), "contact unknown_value;"},
        {WITH("\"contact\":\"a@b.test\\r\\nBcc: c@d.test\""), "contact unknown_value;"},
        {WITH("\"date\":\"2026-11-22\""), ""}, /* a clock may run ahead by a day */
        {WITH("\"date\":\"2026-11-23\""), "date out_of_range;"},
        {WITH("\"date\":\"1899-12-31\""), "date out_of_range;"},
        {WITH("\"date\":\"2024-02-29\""), ""},
        {WITH("\"date\":\"2026-02-29\""), "date wrong_type;"},
        {WITH("\"date\":\"2026-2-9\""), "date wrong_type;"},
        {WITH("\"date\":\"20-11-2026\""), "date wrong_type;"},
        {WITH("\"date\":\"2026-11-20T10:00\""), "date wrong_type;"},
        {WITH("\"date\":\"0000-00-00\""), "date wrong_type;"},
        {WITH("\"stori\":\"x\",\"\":1"), "stori unknown_field;body unknown_field;"},
        {WITH("\"attachments\":{}"), "attachments wrong_type;"},
        {WITH("\"attachments\":[1]"), "attachments[0] wrong_type;"},
        {WITH("\"attachments\":[{}]"), "attachments[0].data required;"},
        {WITH("\"attachments\":[{\"data\":\"/9j/\"},{\"data\":\"?\"}]"),
         "attachments[1].data wrong_type;"},
        {WITH("\"attachments\":[{\"data\":\"?\"},{\"data\":\"Zm9v\"}]"),
         "attachments[0].data wrong_type;attachments[1] not_a_photo;"},
        {WITH("\"attachments\":[{\"data\":7,\"name\":7,\"x\":1}]"),
         "attachments[0].data wrong_type;attachments[0].name wrong_type;attachments[0].x "
         "unknown_field;"},
        {WITH("\"attachments\":[{\"data\":\"\"}]"), "attachments[0] not_a_photo;"},
        {WITH("\"attachments\":[{},{},{},{},{},{}]"), "attachments too_many;"},
        {"", "body malformed;"},
        {"{", "body malformed;"},
        {"[]", "body malformed;"},
        {"null", "body malformed;"},
        {"\"story\"", "body malformed;"},
        {"{\"story\":\"a\",\"story\":\"b\"}", "body malformed;"},
        {"{\"story\":\"a\xff\"}", "body malformed;"},
        {"{\"story\":\"a\\u0000\"}", "body malformed;"},
        {"{\"story\":\"a\"} x", "body malformed;"},
        {"{\"a\":[[[[[[[[0]]]]]]]]}", "body malformed;"},
        {"{\"[[[[[[[[\\\"[[[[[\":0}", "[[[[[[[[\"[[[[[ unknown_field;story required;"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        assert_problems(JSON, cases[i].body, cases[i].problems);
}

#define AND "story=Jalan+rusak+di+sini.&"

static void html_forms_are_judged_too(void **state)
{
    (void)state;
    static const struct {
        const char *type, *body, *problems;
    } cases[] = {
        {URLENCODED, "", "story required;"},
        {URLENCODED, "story=Jalan", "story too_short;"},
        {URLENCODED, "story=Jalan%ffrusak+di+sini....", "story not_utf8;"},
        {URLENCODED, "story=Jalan%00rusak+di+sini....", "story not_utf8;"},
        {URLENCODED, AND "lat=-6.2e0&lon=0x6a", "lat wrong_type;lon wrong_type;"},
        {URLENCODED, AND "lat=inf&lon=nan", "lat wrong_type;lon wrong_type;"},
        {URLENCODED, AND "lat=-6,2&lon=1-2", "lat wrong_type;lon wrong_type;"},
        {URLENCODED, AND "lat=.&lon=-", "lat wrong_type;lon wrong_type;"},
        {URLENCODED, AND "lat=91&lon=181", "lat out_of_range;lon out_of_range;"},
        {URLENCODED, AND "category=sampah&visibility=x&no_reply=x&contact=x&date=x",
         "category unknown_value;date wrong_type;visibility unknown_value;contact unknown_value;"
         "no_reply unknown_value;"},
        {URLENCODED, AND "story=pendek&x=1&x=2", ""},
        {"text/plain", "story=x", "body malformed;"},
        {"application/jsonx", "{}", "body malformed;"},
        {"multipart/form-data", "x", "body malformed;"},
        {MULTIPART, PART("story", STORY), "body malformed;"},
        {MULTIPART, PART("story", STORY) FILE_PART("a.jpg", "") "--xyz--",
         "attachments[0] not_a_photo;"},
        {MULTIPART, PART("story", STORY) FILE_PART("a.jpg", "GIF89a") "--xyz--",
         "attachments[0] not_a_photo;"},
        {MULTIPART,
         PART("story", STORY) FILE_PART("a.jpg", "\xff\xd8\xff") FILE_PART("b.jpg", "<svg/>")
             FILE_PART("c", "\xff\xd8\xff") FILE_PART("d", "\xff\xd8\xff")
                 FILE_PART("e", "\xff\xd8\xff") FILE_PART("f", "x") FILE_PART("g", "x") "--xyz--",
         "attachments[1] not_a_photo;attachments too_many;"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        assert_problems(cases[i].type, cases[i].body, cases[i].problems);
}

static void lengths_have_limits(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        size_t max;
    } cases[] = {
        {"story", FORM_STORY_MAX}, {"additional", FORM_STORY_MAX}, {"location", FORM_LINE_MAX},
        {"name", FORM_LINE_MAX},   {"client_key", FORM_KEY_MAX},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        for (size_t over = 0; over < 2; over++) {
            struct buf body = BUF_INIT(SIZE_MAX / 4), expected = BUF_INIT(100);
            buf_addf(&body, "%s=", cases[i].name);
            for (size_t n = 0; n < cases[i].max + over; n++)
                buf_add_char(&body, 'a');
            buf_add_text(&body, "&" AND);
            if (over > 0)
                buf_addf(&expected, "%s too_long;", cases[i].name);
            assert_problems(URLENCODED, body.data, expected.data);
            buf_release(&body);
            buf_release(&expected);
        }
    }
}

static void too_many_fields_are_malformed(void **state)
{
    (void)state;
    struct buf pairs = BUF_INIT(SIZE_MAX / 4), parts = BUF_INIT(SIZE_MAX / 4);
    buf_add_text(&pairs, AND);
    buf_add_text(&parts, PART("story", STORY));
    for (int i = 1; i < FORM_FIELDS_MAX; i++) {
        buf_add_text(&pairs, "x=1&");
        buf_add_text(&parts, PART("x", "1"));
    }
    size_t parts_len = parts.len;
    buf_add_text(&parts, "--xyz--");
    assert_problems(URLENCODED, pairs.data, "");
    assert_problems(MULTIPART, parts.data, "");
    buf_truncate(&parts, parts_len);
    buf_add_text(&parts, PART("x", "1") "--xyz--");
    buf_add_text(&pairs, "x=1");
    assert_problems(URLENCODED, pairs.data, "body malformed;");
    assert_problems(MULTIPART, parts.data, "body malformed;");
    buf_release(&pairs);
    buf_release(&parts);
}

static void what_was_typed_comes_back(void **state)
{
    (void)state;
    struct record record;
    read_text(URLENCODED,
              "story=pendek&location=Jl.+Contoh&additional=malam&date=2026-11-20&category=jalan"
              "&visibility=public&lat=-6.2&lon=106.8&name=Sari&contact=bukan+alamat&no_reply=on",
              &record);
    assert_int_equal(record.problem_count, 2);
    assert_string_equal(record.report.story, "pendek");
    assert_string_equal(record.report.location.text, "Jl. Contoh");
    assert_string_equal(record.report.additional, "malam");
    assert_string_equal(record.typed_date, "2026-11-20");
    assert_string_equal(record.report.category.code, "jalan");
    assert_string_equal(record.typed_category, "jalan");
    assert_int_equal(record.report.visibility, REPORT_PUBLIC);
    assert_true(record.report.location.has_point);
    assert_string_equal(record.reporter.name, "Sari");
    assert_string_equal(record.reporter.address, "bukan alamat");
    assert_true(record.reporter.no_reply);
    record_release(&record);
    /* What was not chosen is not chosen when it comes back; a date that is none comes back too. */
    read_text(URLENCODED, AND "date=besok&category=sampah", &record);
    assert_string_equal(record.report.category.code, "lainnya");
    assert_null(record.typed_category);
    assert_string_equal(record.typed_date, "besok");
    assert_null(record.report.additional);
    record_release(&record);
    /* An accepted form has nothing to show again. */
    read_text(URLENCODED, AND "date=2026-11-20&category=jalan", &record);
    assert_null(record.typed_category);
    assert_null(record.typed_date);
    record_release(&record);
}

static void dates_stand_above_the_remarks(void **state)
{
    (void)state;
    static const struct {
        const char *fields, *additional;
    } cases[] = {
        {"date=2026-11-20", "Tanggal kejadian: 2026-11-20"},
        {"date=2026-11-20&additional=malam", "Tanggal kejadian: 2026-11-20\nmalam"},
        {"date=2026-11-30&additional=malam", "malam"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct record record;
        struct buf body = BUF_INIT(1000);
        buf_addf(&body, AND "%s", cases[i].fields);
        read_text(URLENCODED, body.data, &record);
        assert_text(record.report.additional, cases[i].additional);
        record_release(&record);
        buf_release(&body);
    }
}

static void contacts_are_normalized(void **state)
{
    (void)state;
    static const struct {
        const char *typed, *kind, *address;
    } cases[] = {
        {"+Sari.Contoh@Example.COM+", "email", "sari.contoh@example.com"},
        {"0812-0000-0000", "phone", "+6281200000000"},
        {"%2b62+812+0000+0000", "phone", "+6281200000000"},
        {"+31200000000", "unknown", "31200000000"},
        {"%2b31200000000", "phone", "+31200000000"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct record record;
        struct buf body = BUF_INIT(1000);
        buf_addf(&body, AND "contact=%s", cases[i].typed);
        read_text(URLENCODED, body.data, &record);
        assert_string_equal(record.reporter.address_kind, cases[i].kind);
        assert_string_equal(record.reporter.address, cases[i].address);
        record_release(&record);
        buf_release(&body);
    }
}

/* --- Photos --- */

static void photos_come_along(void **state)
{
    (void)state;
    struct record record;
    read_text(MULTIPART,
              PART("story", STORY) FILE_PART("foto 1.jpg", "\xff\xd8\xff one")
                  FILE_PART("", "\x89PNG\r\n\x1a\n two") "--xyz\r\nContent-Disposition: form-data; "
                                                         "name=\"photos\"; filename=\"c\"\r\n\r\n"
                                                         "\xff\xd8\xff three\r\n"
                                                         "--xyz\r\nContent-Disposition: form-data; "
                                                         "name=\"other\"; filename=\"d\"\r\n\r\n"
                                                         "\xff\xd8\xff four\r\n--xyz--",
              &record);
    assert_int_equal(record.problem_count, 0);
    assert_int_equal(record.report.attachment_count, 3);
    const struct report_attachment *photos = record.report.attachments;
    assert_string_equal(photos[0].name, "foto 1.jpg");
    assert_string_equal(photos[0].media_type, "image/jpeg");
    assert_int_equal(photos[0].bytes, 7);
    assert_memory_equal(photos[0].data, "\xff\xd8\xff one", 7);
    assert_string_equal(photos[1].media_type, "image/png");
    assert_null(photos[1].name);
    assert_string_equal(photos[2].name, "c");
    record_release(&record);
}

/* Programs leave the name out; what is no photo is refused, not passed over. */
static void photos_need_no_name(void **state)
{
    (void)state;
    struct record record;
    read_text(MULTIPART, PART("story", STORY) PART("attachments", "\xff\xd8\xff one") "--xyz--",
              &record);
    assert_int_equal(record.problem_count, 0);
    assert_int_equal(record.report.attachment_count, 1);
    assert_null(record.report.attachments[0].name);
    record_release(&record);
    assert_problems(MULTIPART, PART("story", STORY) PART("photos", "text") "--xyz--",
                    "attachments[0] not_a_photo;");
}

static void photos_by_json(void **state)
{
    (void)state;
    struct record record;
    read_text(JSON,
              WITH("\"attachments\":[{\"name\":\"a.png\",\"media_type\":\"image/png\",\"data\":"
                   "\"/9j/4A==\"},{\"name\":null,\"data\":\"/9j/4Q==\"}]"),
              &record);
    assert_int_equal(record.problem_count, 0);
    assert_int_equal(record.report.attachment_count, 2);
    assert_string_equal(record.report.attachments[0].name, "a.png");
    assert_string_equal(record.report.attachments[0].media_type, "image/jpeg");
    assert_int_equal(record.report.attachments[0].bytes, 4);
    assert_memory_equal(record.report.attachments[1].data, "\xff\xd8\xff\xe1", 4);
    record_release(&record);
}

static void photos_have_a_size(void **state)
{
    (void)state;
    struct record record;
    struct buf body = BUF_INIT(SIZE_MAX / 4), found = BUF_INIT(1000);
    char *photo = mem_calloc(FORM_PHOTO_BYTES_MAX + 1, 1);
    memcpy(photo, "\xff\xd8\xff", 3);
    for (size_t over = 0; over < 2; over++) {
        buf_clear(&body);
        buf_add_text(&body, PART("story", STORY));
        for (int i = 0; i < FORM_PHOTOS_MAX; i++) {
            buf_add_text(&body, "--xyz\r\nContent-Disposition: form-data; name=\"attachments\"; "
                                "filename=\"a\"\r\n\r\n");
            buf_add(&body, photo, FORM_PHOTO_BYTES_MAX + (i == 4 ? over : 0));
            buf_add_text(&body, "\r\n");
        }
        buf_add_text(&body, "--xyz--");
        read_form(MULTIPART, body.data, body.len, &record);
        problems(&record, &found);
        assert_string_equal(found.data, over ? "attachments[4] too_large;" : "");
        /* A refused form carries no photos back. */
        assert_int_equal(record.report.attachment_count, over ? 0 : FORM_PHOTOS_MAX);
        record_release(&record);
    }
    free(photo);
    buf_release(&body);
    buf_release(&found);
}

/* Five photos of the largest size fit into one request, also as JSON. */
static void the_largest_form_fits(void **state)
{
    (void)state;
    struct record record;
    struct buf body = BUF_INIT(INBOUND_RAW_MAX);
    guchar *photo = mem_calloc(FORM_PHOTO_BYTES_MAX, 1);
    memcpy(photo, "\xff\xd8\xff", 3);
    gchar *base64 = g_base64_encode(photo, FORM_PHOTO_BYTES_MAX);
    buf_add_text(&body, "{\"story\":\"");
    for (int i = 0; i < FORM_STORY_MAX; i++)
        buf_add_text(&body, "\\ud83d\\ude4f"); /* no character is longer in JSON */
    buf_add_text(&body, "\",\"attachments\":[");
    for (int i = 0; i < FORM_PHOTOS_MAX; i++)
        buf_addf(&body, "%s{\"data\":\"%s\"}", i == 0 ? "" : ",", base64);
    buf_add_text(&body, "]}");
    assert_false(body.overflow);
    read_form(JSON, body.data, body.len, &record);
    assert_int_equal(record.problem_count, 0);
    assert_int_equal(record.report.attachment_count, FORM_PHOTOS_MAX);
    assert_int_equal(record.report.attachments[4].bytes, FORM_PHOTO_BYTES_MAX);
    record_release(&record);
    g_free(base64);
    free(photo);
    buf_release(&body);
}

/* --- Which messages are the same --- */

/* Reads two forms and compares what the gateway tells them apart by. */
static void assert_same(const char *type_a, const char *a, const char *type_b, const char *b,
                        bool same_id, bool same_content)
{
    struct record one, two;
    read_text(type_a, a, &one);
    read_text(type_b, b, &two);
    assert_int_equal(strcmp(one.native_id, two.native_id) == 0, same_id);
    assert_int_equal(strcmp(one.fingerprint, two.fingerprint) == 0, same_content);
    record_release(&one);
    record_release(&two);
}

/* One that is far too long is refused like one that is a little too long. */
static void a_huge_key_names_nothing(void **state)
{
    (void)state;
    struct record record;
    struct buf body = BUF_INIT(SIZE_MAX / 4);
    buf_add_text(&body, "{\"story\":\"" STORY "\",\"client_key\":\"");
    for (size_t n = 0; n < 2 * RECORD_NATIVE_ID_MAX; n++)
        buf_add_char(&body, 'k');
    buf_add_text(&body, "\"}");
    read_text(JSON, body.data, &record);
    assert_int_equal(record.problem_count, 1);
    assert_int_equal(strncmp(record.native_id, "hash:", 5), 0);
    record_release(&record);
    buf_release(&body);
}

static void programs_are_known_by_their_key(void **state)
{
    (void)state;
    struct record record;
    read_text(JSON, WITH("\"client_key\":\"k1\""), &record);
    assert_string_equal(record.native_id, "key:k1");
    assert_int_equal(strlen(record.fingerprint), 64);
    record_release(&record);
    assert_same(JSON, WITH("\"client_key\":\"k1\""), JSON,
                "{ \"client_key\" : \"k1\", \"story\": \"" STORY "\" }", true, true);
    assert_same(JSON, WITH("\"client_key\":\"k1\""), JSON, WITH("\"client_key\":\"k2\""), false,
                true);
    assert_same(JSON, WITH("\"client_key\":\"k1\""), JSON,
                WITH("\"client_key\":\"k1\",\"name\":\"Sari\""), true, false);
    assert_same(JSON, WITH("\"name\":\"a\""), JSON, WITH("\"name\":\"a\""), true, true);
    assert_same(JSON, WITH("\"name\":\"a\""), JSON, WITH("\"name\":\"b\""), false, false);
    assert_same(JSON, WITH("\"name\":\"a\""), JSON, WITH("\"location\":\"a\""), false, false);
    assert_same(JSON, WITH("\"attachments\":[{\"data\":\"/9j/4A==\"}]"), JSON,
                WITH("\"attachments\":[{\"data\":\"/9j/4Q==\"}]"), false, false);
}

static void pages_are_known_by_key_and_content(void **state)
{
    (void)state;
    struct record record;
    read_text(URLENCODED, AND "client_key=k1", &record);
    assert_memory_equal(record.native_id, "form:k1:", 8);
    assert_string_equal(record.native_id + 8, record.fingerprint);
    record_release(&record);
    assert_same(URLENCODED, AND "client_key=k1", MULTIPART,
                PART("client_key", "k1") PART("story", STORY) "--xyz--", true, true);
    assert_same(URLENCODED, AND "client_key=k1", URLENCODED, AND "client_key=k1&name=x", false,
                false);
    assert_same(URLENCODED, AND "client_key=k1", URLENCODED, AND "client_key=k2", false, true);
}

static void without_facts_the_defaults_hold(void **state)
{
    (void)state;
    struct inbound in;
    struct record record;
    struct err err = ERR_INIT;
    struct buf found = BUF_INIT(1000);
    const char *body = AND "category=apa-saja";
    inbound_init(&in, "web", "web_form", "web", RECEIVED_MS, mem_strdup(body), strlen(body));
    record_init(&record);
    assert_int_equal(form_parse(&in, sink, &record, &err), 0);
    problems(&record, &found);
    assert_string_equal(found.data, "story too_short;");
    assert_string_equal(record.report.category.code, "apa-saja");
    record_release(&record);
    inbound_release(&in);
    buf_release(&found);
}

static int refuse(void *context, struct draft *draft, struct err *err)
{
    (void)context;
    (void)draft;
    return err_set(err, ERR_TRANSIENT, "stop");
}

static void the_sinks_refusal_is_passed_on(void **state)
{
    (void)state;
    struct inbound in;
    struct err err = ERR_INIT;
    inbound_init(&in, "web", "web_form", "web", RECEIVED_MS, NULL, 0);
    assert_int_equal(form_parse(&in, refuse, NULL, &err), -1);
    assert_int_equal(err.kind, ERR_TRANSIENT);
    inbound_release(&in);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_fields_by_every_encoding),
        cmocka_unit_test(a_story_is_enough),
        cmocka_unit_test(json_is_judged_field_by_field),
        cmocka_unit_test(html_forms_are_judged_too),
        cmocka_unit_test(lengths_have_limits),
        cmocka_unit_test(too_many_fields_are_malformed),
        cmocka_unit_test(what_was_typed_comes_back),
        cmocka_unit_test(dates_stand_above_the_remarks),
        cmocka_unit_test(contacts_are_normalized),
        cmocka_unit_test(photos_come_along),
        cmocka_unit_test(photos_need_no_name),
        cmocka_unit_test(photos_by_json),
        cmocka_unit_test(photos_have_a_size),
        cmocka_unit_test(the_largest_form_fits),
        cmocka_unit_test(a_huge_key_names_nothing),
        cmocka_unit_test(programs_are_known_by_their_key),
        cmocka_unit_test(pages_are_known_by_key_and_content),
        cmocka_unit_test(without_facts_the_defaults_hold),
        cmocka_unit_test(the_sinks_refusal_is_passed_on),
    };
    form_start();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
