/* SPDX-License-Identifier: Apache-2.0 */
#include "normalize/normalize.h"

#include <glib.h>

#include "normalize/buf.h"
#include "normalize/mem.h"
#include "normalize/quote.h"
#include "normalize/record_wire.h"
#include "normalize/text.h"
#include "normalize/wire.h"

static void normalize_replace(char **member, char *text)
{
    free(*member);
    *member = text;
}

/* Cleans one line in place; what has nothing visible becomes missing. True when it was cut. */
static bool normalize_line(char **line, size_t max)
{
    if (*line == NULL)
        return false;
    normalize_replace(line, text_clean_line(*line, strlen(*line)));
    return *line != NULL && text_truncate(*line, max);
}

static char *normalize_take(char **member)
{
    char *text = *member;
    *member = NULL;
    return text;
}

/* --- What is not a stage: who, where from, how it is known --- */

/* Native IDs come from outside: cleaned, and hashed when they are longer than anyone needs. */
static int normalize_native_id(struct draft *draft, struct record *out, struct err *err)
{
    out->native_id = normalize_take(&draft->native_id);
    normalize_line(&out->native_id, SIZE_MAX);
    if (out->native_id == NULL)
        return err_set(err, ERR_PERMANENT, "cannot normalize message: it has no native id");
    if (strlen(out->native_id) <= RECORD_NATIVE_ID_MAX)
        return 0;
    char *hex = g_compute_checksum_for_string(G_CHECKSUM_SHA256, out->native_id, -1);
    struct buf hashed = BUF_INIT(RECORD_NATIVE_ID_MAX);
    buf_addf(&hashed, "sha256:%s", hex);
    g_free(hex);
    normalize_replace(&out->native_id, buf_detach(&hashed, NULL));
    return 0;
}

static void normalize_origin(const struct inbound *in, struct draft *draft, struct record *out)
{
    record_set_origin(out, in);
    out->report.visibility = draft->visibility;
    out->fingerprint = normalize_take(&draft->fingerprint);
    for (size_t i = 0; i < draft->warning_count; i++)
        report_warn(&out->report, draft->warnings[i]);
}

static void normalize_reporter(struct draft *draft, struct record *out)
{
    struct reporter *reporter = &out->reporter;
    *reporter = draft->reporter;
    reporter_init(&draft->reporter);
    normalize_line(&reporter->name, REPORT_LINE_MAX);
    normalize_line(&reporter->address, REPORT_LINE_MAX);
    normalize_line(&reporter->reply_ref, REPORT_LINE_MAX);
    if (reporter->address == NULL)
        normalize_replace(&reporter->address_kind, NULL);
}

/* Why it is refused, and what only the form that is shown again can say. */
static void normalize_problems(struct draft *draft, struct record *out)
{
    for (size_t i = 0; i < draft->problem_count && i < RECORD_PROBLEMS_MAX; i++) {
        struct record_problem *problem = &out->problems[out->problem_count];
        problem->field = normalize_take(&draft->problems[i].field);
        problem->code = normalize_take(&draft->problems[i].code);
        normalize_line(&problem->field, REPORT_WORD_MAX);
        if (problem->field == NULL)
            problem->field = mem_strdup("body");
        out->problem_count++;
    }
    if (out->problem_count == 0)
        return;
    out->typed_category = mem_strdup(draft->category);
    out->typed_date = normalize_take(&draft->typed_date);
    normalize_line(&out->typed_date, REPORT_LINE_MAX);
}

/* Attachments beyond what a record may carry stay in the original, which is kept sealed. */
static void normalize_attachments(struct draft *draft, struct report *report)
{
    size_t room = INBOUND_RAW_MAX;
    for (size_t i = 0; i < draft->attachment_count; i++) {
        struct draft_attachment *from = &draft->attachments[i];
        if (report->attachment_count == REPORT_ATTACHMENTS_MAX || from->len > room) {
            report_warn(report, "attachment_left_out");
            continue;
        }
        room -= from->len;
        struct report_attachment *to = &report->attachments[report->attachment_count++];
        const char *type = from->media_type == NULL ? "" : from->media_type;
        bool usable = wire_is_word(type, strlen(type), REPORT_WORD_MAX);
        to->media_type = mem_strdup(usable ? type : "application/octet-stream");
        to->name = normalize_take(&from->name);
        normalize_line(&to->name, REPORT_LINE_MAX);
        to->data = normalize_take(&from->data);
        to->bytes = from->len;
    }
}

/* --- The stages, in their order --- */

static void normalize_text(struct draft *draft, struct record *out)
{
    struct report *report = &out->report;
    report->subject = normalize_take(&draft->subject);
    bool cut = normalize_line(&report->subject, REPORT_LINE_MAX);
    if (draft->text != NULL)
        out->original_text = text_clean(draft->text, strlen(draft->text));
    if (out->original_text != NULL)
        cut |= text_truncate(out->original_text, DRAFT_TEXT_MAX);
    if (draft->additional != NULL)
        report->additional = text_clean(draft->additional, strlen(draft->additional));
    if (report->additional != NULL)
        cut |= text_truncate(report->additional, REPORT_STORY_MAX);
    if (cut)
        report_warn(report, "text_truncated");
}

static void normalize_quotes(const struct draft *draft, struct record *out)
{
    struct report *report = &out->report;
    if (out->original_text == NULL)
        return;
    report->story =
        draft->cut_quotes ? quote_cut(out->original_text) : mem_strdup(out->original_text);
    if (report->story != NULL && text_truncate(report->story, REPORT_STORY_MAX))
        report_warn(report, "text_truncated");
}

/* By the transport's marks only; whether a person's message is a follow-up is the gateway's to
 * decide, from the references. */
static void normalize_kind(const struct draft *draft, struct record *out)
{
    if (draft->automatic == DRAFT_BY_A_PERSON)
        return;
    out->report.kind = REPORT_NOT_REPORT;
    out->no_ack = true;
}

/* What the reporter gave as the place; the text is not searched for one. */
static void normalize_location(struct draft *draft, struct report *report)
{
    struct report_location *location = &report->location;
    location->text = normalize_take(&draft->location_text);
    if (normalize_line(&location->text, REPORT_LINE_MAX))
        report_warn(report, "text_truncated");
    location->has_point = draft->has_point;
    location->lat = draft->has_point ? draft->lat : 0;
    location->lon = draft->has_point ? draft->lon : 0;
    if (draft->has_point)
        location->source = normalize_take(&draft->point_source);
    else if (location->text != NULL)
        location->source = mem_strdup("form");
}

/* What the reporter chose; the text is not classified. */
static void normalize_category(struct draft *draft, struct report *report)
{
    report->category.code = normalize_take(&draft->category);
    if (report->category.code == NULL)
        report->category.code = mem_strdup("lainnya");
}

/* --- References --- */

static void normalize_refer(struct record *out, enum record_reference_kind kind, const char *value)
{
    for (size_t i = 0; i < out->reference_count; i++) {
        const struct record_reference *known = &out->references[i];
        if (known->kind == kind && strcmp(known->value, value) == 0)
            return;
    }
    if (out->reference_count < RECORD_REFERENCES_MAX)
        out->references[out->reference_count++] =
            (struct record_reference){.kind = kind, .value = mem_strdup(value)};
}

static void normalize_refer_found(struct record *out, const char *text)
{
    char id[REPORT_ID_SIZE];
    size_t pos = 0;
    if (text == NULL)
        return;
    size_t len = strlen(text);
    while (report_id_find(text, len, &pos, id))
        normalize_refer(out, REFERENCE_REPORT_ID, id);
}

/* The transport's first, they are worth more; then the IDs a person wrote. */
static void normalize_references(struct draft *draft, struct record *out)
{
    for (size_t i = 0; i < draft->reference_count; i++) {
        struct record_reference *from = &draft->references[i];
        normalize_line(&from->value, SIZE_MAX);
        /* A reference that had to be cut would name something else. */
        if (from->value == NULL || strlen(from->value) > REPORT_LINE_MAX)
            continue;
        if (from->kind == REFERENCE_REPORT_ID)
            normalize_refer_found(out, from->value);
        else
            normalize_refer(out, from->kind, from->value);
    }
    normalize_refer_found(out, out->report.subject);
    normalize_refer_found(out, out->original_text);
}

static bool normalize_is_empty(const struct report *report)
{
    return report->story == NULL && report->subject == NULL && report->attachment_count == 0;
}

int normalize_draft(const struct inbound *in, struct draft *draft, struct record *out,
                    struct err *err)
{
    struct report *report = &out->report;
    if (normalize_native_id(draft, out, err) != 0)
        return -1;
    normalize_origin(in, draft, out);
    normalize_reporter(draft, out);
    normalize_problems(draft, out);
    normalize_attachments(draft, report);

    normalize_text(draft, out);
    normalize_quotes(draft, out);
    normalize_kind(draft, out);
    normalize_location(draft, report);
    normalize_category(draft, report);

    normalize_references(draft, out);
    if (normalize_is_empty(report))
        report_warn(report, "empty");
    return 0;
}
