/* SPDX-License-Identifier: Apache-2.0 */
#include "normalize/report.h"

#include "normalize/mem.h"

/* The city's zone has no daylight saving, so a fixed offset is the whole truth. */
enum { REPORT_ZONE_S = 7 * 60 * 60 };

static void report_free_strings(char **strings, size_t count)
{
    for (size_t i = 0; i < count; i++)
        free(strings[i]);
}

void report_init(struct report *report)
{
    *report = (struct report){.kind = REPORT_REPORT, .visibility = REPORT_PRIVATE};
}

static void report_release_location(struct report_location *location)
{
    free(location->text);
    free(location->source);
    free(location->kelurahan_code);
    free(location->kelurahan_name);
    free(location->kecamatan);
    free(location->city);
    report_free_strings(location->candidates, location->candidate_count);
}

static void report_release_attachments(struct report *report)
{
    for (size_t i = 0; i < report->attachment_count; i++) {
        free(report->attachments[i].media_type);
        free(report->attachments[i].name);
        free(report->attachments[i].data);
    }
}

static void report_release_redactions(struct report *report)
{
    for (size_t i = 0; i < report->redaction_count; i++) {
        free(report->redactions[i].type);
        free(report->redactions[i].field);
    }
    free(report->redactions);
}

void report_release(struct report *report)
{
    free(report->channel_id);
    free(report->channel_type);
    free(report->channel_kind);
    free(report->language);
    free(report->subject);
    free(report->story);
    free(report->additional);
    report_release_location(&report->location);
    free(report->category.code);
    report_free_strings(report->category.evidence, report->category.evidence_count);
    report_release_attachments(report);
    report_release_redactions(report);
    free(report->thread_matched_by);
    report_free_strings(report->possible_duplicates, report->duplicate_count);
    report_free_strings(report->warnings, report->warning_count);
    report_init(report);
}

void reporter_init(struct reporter *reporter)
{
    *reporter = (struct reporter){0};
}

static void report_wipe_text(char *text)
{
    if (text != NULL)
        explicit_bzero(text, strlen(text));
    free(text);
}

void reporter_release(struct reporter *reporter)
{
    report_wipe_text(reporter->name);
    report_wipe_text(reporter->address_kind);
    report_wipe_text(reporter->address);
    report_wipe_text(reporter->reply_ref);
    for (size_t i = 0; i < reporter->pii_count; i++) {
        report_wipe_text(reporter->pii[i].type);
        report_wipe_text(reporter->pii[i].text);
        report_wipe_text(reporter->pii[i].field);
    }
    free(reporter->pii);
    reporter_init(reporter);
}

void record_init(struct record *record)
{
    *record = (struct record){0};
    report_init(&record->report);
    reporter_init(&record->reporter);
}

void record_release(struct record *record)
{
    report_release(&record->report);
    reporter_release(&record->reporter);
    free(record->native_id);
    free(record->fingerprint);
    report_wipe_text(record->original_text);
    for (size_t i = 0; i < record->reference_count; i++)
        free(record->references[i].value);
    for (size_t i = 0; i < record->problem_count; i++) {
        free(record->problems[i].field);
        free(record->problems[i].code);
    }
    free(record->typed_category);
    free(record->typed_date);
    record_init(record);
}

void report_warn(struct report *report, const char *code)
{
    if (report->warning_count == REPORT_WARNINGS_MAX)
        return;
    for (size_t i = 0; i < report->warning_count; i++) {
        if (strcmp(report->warnings[i], code) == 0)
            return;
    }
    report->warnings[report->warning_count++] = mem_strdup(code);
}

void report_time(int64_t time_ms, char time[static REPORT_TIME_SIZE])
{
    int64_t round_down = time_ms % 1000 < 0 ? 1 : 0;
    time_t local_s = (time_t)(time_ms / 1000 - round_down + REPORT_ZONE_S);
    struct tm tm;
    gmtime_r(&local_s, &tm);
    strftime(time, REPORT_TIME_SIZE, "%Y-%m-%dT%H:%M:%S+07:00", &tm);
}

const char *report_kind_name(enum report_kind kind)
{
    static const char *const names[] = {
        [REPORT_REPORT] = "report",
        [REPORT_FOLLOWUP] = "followup",
        [REPORT_STATUS_QUERY] = "status_query",
        [REPORT_NOT_REPORT] = "not_report",
    };
    return names[kind];
}

const char *report_visibility_name(enum report_visibility visibility)
{
    return visibility == REPORT_PUBLIC ? "public" : "private";
}

const char *report_label(enum report_visibility visibility)
{
    if (visibility == REPORT_PUBLIC)
        return "Jangan berikan informasi dalam laporan ini kepada siapapun";
    return "Laporan bersifat privasi. Jangan berikan informasi dalam laporan ini kepada siapapun";
}
