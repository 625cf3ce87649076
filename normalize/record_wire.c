/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The tables of both frames, and what holds between fields. Not on the wire, because only the
 * gateway decides them: the report's id, its thread and its possible duplicates.
 */
#include "normalize/record_wire.h"

#include "normalize/draft.h"
#include "normalize/mem.h"
#include "normalize/wire.h"

enum {
    RECORD_CODE_MAX = REPORT_WORD_MAX,
    RECORD_FACT_KEY_MAX = 64,
    RECORD_CLEAR_CODE_MAX = 24, /* "penyakit-masyarakat" is the longest */
    RECORD_SIDE_MAX = 65535,    /* pixels; more than any photo that was cleaned has */
    RECORD_LATITUDE_MAX = 90,
    RECORD_LONGITUDE_MAX = 180,
};

/* 9999-12-31T23:59:59+07:00: later times have no day of ten characters. */
#define RECORD_TIME_MAX_MS UINT64_C(253402275599999)

_Static_assert(sizeof(enum report_kind) == 4 && sizeof(enum report_visibility) == 4 &&
                   sizeof(enum record_reference_kind) == 4,
               "enums travel as u32");

#define COUNT(array) (sizeof array / sizeof array[0])
#define TABLE(noun, fields_)                                                                       \
    {                                                                                              \
        .size = sizeof(struct noun), .count = COUNT(fields_), .fields = fields_                    \
    }
#define AT(noun, member)     .name = #member, .offset = offsetof(struct noun, member)
#define LENGTH(noun, member) .length_offset = offsetof(struct noun, member)

/* A list of plain codes: its items are pointers, not structs. */
static const struct wire_field code_fields[] = {
    {.name = "list item", .type = WIRE_WORD, .max = RECORD_CODE_MAX, .required = true},
};
static const struct wire_field word_fields[] = {
    {.name = "list item", .type = WIRE_LINE, .max = RECORD_CODE_MAX, .required = true},
};
static const struct wire_table codes = {
    .size = sizeof(char *), .count = COUNT(code_fields), .fields = code_fields};
static const struct wire_table words = {
    .size = sizeof(char *), .count = COUNT(word_fields), .fields = word_fields};

static const struct wire_field attachment_fields[] = {
    {AT(report_attachment, media_type), .type = WIRE_WORD, .max = RECORD_CODE_MAX,
     .required = true},
    {AT(report_attachment, bytes), .type = WIRE_SIZE, .max = INBOUND_RAW_MAX, .required = true},
    {AT(report_attachment, width), .type = WIRE_U32, .max = RECORD_SIDE_MAX, .required = true},
    {AT(report_attachment, height), .type = WIRE_U32, .max = RECORD_SIDE_MAX, .required = true},
    {AT(report_attachment, name), .type = WIRE_LINE, .max = REPORT_LINE_MAX},
    {AT(report_attachment, data), LENGTH(report_attachment, bytes), .type = WIRE_BYTES,
     .max = INBOUND_RAW_MAX},
};
static const struct wire_table attachments = TABLE(report_attachment, attachment_fields);

static const struct wire_field redaction_fields[] = {
    {AT(report_redaction, type), .type = WIRE_WORD, .max = RECORD_CODE_MAX, .required = true},
    {AT(report_redaction, field), .type = WIRE_WORD, .max = RECORD_CODE_MAX, .required = true},
    {AT(report_redaction, start), .type = WIRE_SIZE, .max = REPORT_STORY_MAX, .required = true},
    {AT(report_redaction, end), .type = WIRE_SIZE, .max = REPORT_STORY_MAX, .required = true},
};
static const struct wire_table redactions = TABLE(report_redaction, redaction_fields);

static const struct wire_field pii_fields[] = {
    {AT(reporter_pii, type), .type = WIRE_WORD, .max = RECORD_CODE_MAX, .required = true},
    {AT(reporter_pii, text), .type = WIRE_TEXT, .max = REPORT_LINE_MAX, .required = true},
    {AT(reporter_pii, field), .type = WIRE_WORD, .max = RECORD_CODE_MAX, .required = true},
};
static const struct wire_table pii = TABLE(reporter_pii, pii_fields);

static const struct wire_field reference_fields[] = {
    {AT(record_reference, kind), .type = WIRE_ENUM, .max = REFERENCE_REPORT_ID, .required = true},
    {AT(record_reference, value), .type = WIRE_LINE, .max = REPORT_LINE_MAX, .required = true},
};
static const struct wire_table references = TABLE(record_reference, reference_fields);

static const struct wire_field problem_fields[] = {
    {AT(record_problem, field), .type = WIRE_LINE, .max = RECORD_CODE_MAX, .required = true},
    {AT(record_problem, code), .type = WIRE_WORD, .max = RECORD_CODE_MAX, .required = true},
};
static const struct wire_table problems = TABLE(record_problem, problem_fields);

static const struct wire_field record_fields[] = {
    {AT(record, native_id), .type = WIRE_LINE, .max = RECORD_NATIVE_ID_MAX, .required = true},
    {AT(record, fingerprint), .type = WIRE_WORD, .max = RECORD_CODE_MAX},
    {AT(record, original_text), .type = WIRE_TEXT, .max = DRAFT_TEXT_MAX},
    {AT(record, no_ack), .type = WIRE_BOOL, .required = true},
    {AT(record, report.kind), .type = WIRE_ENUM, .max = REPORT_NOT_REPORT, .required = true},
    {AT(record, report.urgent), .type = WIRE_BOOL, .required = true},
    {AT(record, report.visibility), .type = WIRE_ENUM, .max = REPORT_PUBLIC, .required = true},
    {AT(record, report.channel_id), .type = WIRE_LINE, .max = RECORD_CODE_MAX, .required = true},
    {AT(record, report.channel_type), .type = WIRE_WORD, .max = RECORD_CODE_MAX, .required = true},
    {AT(record, report.channel_kind), .type = WIRE_WORD, .max = RECORD_CODE_MAX, .required = true},
    {AT(record, report.received_ms), .type = WIRE_TIME, .max = RECORD_TIME_MAX_MS,
     .required = true},
    {AT(record, report.language), .type = WIRE_WORD, .max = RECORD_CODE_MAX},
    {AT(record, report.subject), .type = WIRE_LINE, .max = REPORT_LINE_MAX},
    {AT(record, report.story), .type = WIRE_TEXT, .max = REPORT_STORY_MAX},
    {AT(record, report.additional), .type = WIRE_TEXT, .max = REPORT_STORY_MAX},
    {AT(record, report.location.text), .type = WIRE_LINE, .max = REPORT_LINE_MAX},
    {AT(record, report.location.has_point), .type = WIRE_BOOL, .required = true},
    {AT(record, report.location.lat), .type = WIRE_REAL, .max = RECORD_LATITUDE_MAX,
     .required = true},
    {AT(record, report.location.lon), .type = WIRE_REAL, .max = RECORD_LONGITUDE_MAX,
     .required = true},
    {AT(record, report.location.source), .type = WIRE_WORD, .max = RECORD_CODE_MAX},
    {AT(record, report.location.kelurahan_code), .type = WIRE_WORD, .max = RECORD_CODE_MAX},
    {AT(record, report.location.kelurahan_name), .type = WIRE_LINE, .max = RECORD_CODE_MAX},
    {AT(record, report.location.kecamatan), .type = WIRE_LINE, .max = RECORD_CODE_MAX},
    {AT(record, report.location.city), .type = WIRE_LINE, .max = RECORD_CODE_MAX},
    {AT(record, report.location.candidates), LENGTH(record, report.location.candidate_count),
     .type = WIRE_LIST, .max = REPORT_LIST_MAX, .items = &codes},
    {AT(record, report.category.code), .type = WIRE_WORD, .max = RECORD_CODE_MAX, .required = true},
    {AT(record, report.category.has_score), .type = WIRE_BOOL, .required = true},
    {AT(record, report.category.score), .type = WIRE_REAL, .max = 1, .required = true},
    {AT(record, report.category.evidence), LENGTH(record, report.category.evidence_count),
     .type = WIRE_LIST, .max = REPORT_LIST_MAX, .items = &words},
    {AT(record, report.attachments), LENGTH(record, report.attachment_count), .type = WIRE_LIST,
     .max = REPORT_ATTACHMENTS_MAX, .items = &attachments},
    {AT(record, report.redactions), LENGTH(record, report.redaction_count), .type = WIRE_LIST,
     .max = REPORT_REDACTIONS_MAX, .items = &redactions, .grows = true},
    {AT(record, report.warnings), LENGTH(record, report.warning_count), .type = WIRE_LIST,
     .max = REPORT_WARNINGS_MAX, .items = &codes},
    {AT(record, reporter.name), .type = WIRE_LINE, .max = REPORT_LINE_MAX},
    {AT(record, reporter.address_kind), .type = WIRE_WORD, .max = RECORD_CODE_MAX},
    {AT(record, reporter.address), .type = WIRE_LINE, .max = REPORT_LINE_MAX},
    {AT(record, reporter.reply_ref), .type = WIRE_LINE, .max = REPORT_LINE_MAX},
    {AT(record, reporter.no_reply), .type = WIRE_BOOL, .required = true},
    {AT(record, reporter.pii), LENGTH(record, reporter.pii_count), .type = WIRE_LIST,
     .max = RECORD_PII_MAX, .items = &pii, .grows = true},
    {AT(record, references), LENGTH(record, reference_count), .type = WIRE_LIST,
     .max = RECORD_REFERENCES_MAX, .items = &references},
    {AT(record, problems), LENGTH(record, problem_count), .type = WIRE_LIST,
     .max = RECORD_PROBLEMS_MAX, .items = &problems},
    {AT(record, typed_category), .type = WIRE_WORD, .max = RECORD_CODE_MAX},
    {AT(record, typed_date), .type = WIRE_LINE, .max = REPORT_LINE_MAX},
};
static const struct wire_table records = TABLE(record, record_fields);

static const struct wire_field fact_fields[] = {
    {AT(inbound_fact, key), .type = WIRE_WORD, .max = RECORD_FACT_KEY_MAX, .required = true},
    {AT(inbound_fact, value), .type = WIRE_OPAQUE, .max = INBOUND_FACT_LEN_MAX, .required = true},
};
static const struct wire_table facts = TABLE(inbound_fact, fact_fields);

static const struct wire_field inbound_fields[] = {
    {AT(inbound, channel_id), .type = WIRE_LINE, .max = RECORD_CODE_MAX, .required = true},
    {AT(inbound, channel_type), .type = WIRE_WORD, .max = RECORD_CODE_MAX, .required = true},
    {AT(inbound, channel_kind), .type = WIRE_WORD, .max = RECORD_CODE_MAX, .required = true},
    {AT(inbound, received_ms), .type = WIRE_TIME, .max = RECORD_TIME_MAX_MS, .required = true},
    {AT(inbound, facts), LENGTH(inbound, fact_count), .type = WIRE_LIST, .max = INBOUND_FACTS_MAX,
     .items = &facts},
    {AT(inbound, raw_len), .type = WIRE_SIZE, .max = INBOUND_RAW_MAX, .required = true},
    {AT(inbound, raw), LENGTH(inbound, raw_len), .type = WIRE_BYTES, .max = INBOUND_RAW_MAX},
};
static const struct wire_table inbounds = TABLE(inbound, inbound_fields);

void record_encode(const struct record *record, struct buf *out)
{
    wire_encode(&records, record, out);
}

static void record_replace(char **member, const char *text)
{
    free(*member);
    *member = mem_strdup(text);
}

void record_set_origin(struct record *record, const struct inbound *in)
{
    record_replace(&record->report.channel_id, in->channel_id);
    record_replace(&record->report.channel_type, in->channel_type);
    record_replace(&record->report.channel_kind, in->channel_kind);
    record->report.received_ms = in->received_ms;
}

void inbound_encode(const struct inbound *in, struct buf *out)
{
    wire_encode(&inbounds, in, out);
}

int inbound_decode(const void *data, size_t len, struct inbound *in, struct err *err)
{
    return wire_decode(&inbounds, data, len, in, err);
}

/* --- What holds between fields --- */

/* Codes stand in clear beside what is sealed: short words, without room for an address. */
static bool record_is_code(const char *text, const char *letters)
{
    return text == NULL ||
           (strlen(text) <= RECORD_CLEAR_CODE_MAX && text[strspn(text, letters)] == '\0');
}

static bool record_codes_fit(const struct report *report)
{
    return record_is_code(report->category.code, "abcdefghijklmnopqrstuvwxyz0123456789-") &&
           record_is_code(report->language, "abcdefghijklmnopqrstuvwxyz-") &&
           record_is_code(report->location.kelurahan_code, "0123456789.");
}

/* The text a redaction's field names, or NULL. */
static const char *record_redacted_text(const struct report *report, const char *field)
{
    const struct {
        const char *name, *text;
    } fields[] = {
        {"story", report->story},
        {"subject", report->subject},
        {"additional", report->additional},
        {"location.text", report->location.text},
    };
    for (size_t i = 0; i < COUNT(fields); i++) {
        if (strcmp(fields[i].name, field) == 0)
            return fields[i].text;
    }
    return NULL;
}

static bool record_is_boundary(const char *text, size_t at)
{
    return ((unsigned char)text[at] & 0xc0) != 0x80;
}

/* Each lies within its text, between characters, behind the one before it in the same field. */
static bool record_redactions_fit(const struct report *report)
{
    for (size_t i = 0; i < report->redaction_count; i++) {
        const struct report_redaction *at = &report->redactions[i];
        const struct report_redaction *last = i == 0 ? NULL : at - 1;
        const char *text = record_redacted_text(report, at->field);
        if (text == NULL || at->start >= at->end || at->end > strlen(text))
            return false;
        if (!record_is_boundary(text, at->start) || !record_is_boundary(text, at->end))
            return false;
        if (last != NULL && strcmp(last->field, at->field) == 0 && at->start < last->end)
            return false;
    }
    return true;
}

static bool record_location_fits(const struct report_location *location)
{
    bool anything = location->text != NULL || location->has_point;
    bool point = location->has_point || (location->lat == 0 && location->lon == 0);
    bool named = (location->kelurahan_code == NULL) == (location->kelurahan_name == NULL);
    return point && named && (!anything || location->source != NULL);
}

static bool record_category_fits(const struct report_category *category)
{
    return category->score >= 0 && (category->has_score || category->score == 0);
}

static bool record_attachments_fit(const struct report *report)
{
    for (size_t i = 0; i < report->attachment_count; i++) {
        const struct report_attachment *attachment = &report->attachments[i];
        if ((attachment->width == 0) != (attachment->height == 0))
            return false;
    }
    return true;
}

static bool record_reporter_fits(const struct reporter *reporter)
{
    return (reporter->address_kind == NULL) == (reporter->address == NULL);
}

/* Report IDs among the references are in their stored form. */
static bool record_references_fit(const struct record *record)
{
    for (size_t i = 0; i < record->reference_count; i++) {
        const struct record_reference *reference = &record->references[i];
        char id[REPORT_ID_SIZE];
        if (reference->kind != REFERENCE_REPORT_ID)
            continue;
        if (report_id_parse(reference->value, strlen(reference->value), id) != 0 ||
            strcmp(reference->value, id) != 0)
            return false;
    }
    return true;
}

int record_decode(const void *data, size_t len, struct record *record, struct err *err)
{
    if (wire_decode(&records, data, len, record, err) != 0)
        return -1;
    const struct {
        const char *what;
        bool fits;
    } checks[] = {
        {"codes", record_codes_fit(&record->report)},
        {"location", record_location_fits(&record->report.location)},
        {"category", record_category_fits(&record->report.category)},
        {"attachments", record_attachments_fit(&record->report)},
        {"redactions", record_redactions_fit(&record->report)},
        {"reporter", record_reporter_fits(&record->reporter)},
        {"references", record_references_fit(record)},
    };
    for (size_t i = 0; i < COUNT(checks); i++) {
        if (!checks[i].fits)
            return err_set(err, ERR_PERMANENT, "cannot decode '%s': its fields contradict",
                           checks[i].what);
    }
    return 0;
}
