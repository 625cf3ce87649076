/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The JSON shapes of report.h. Objects are filled in the order they are printed in: jansson keeps
 * it, and payloads that were frozen must dump to the same bytes again.
 */
#include "normalize/report.h"

static json_t *report_json_text(const char *text)
{
    json_t *value = text == NULL ? NULL : json_string(text);
    return value == NULL ? json_null() : value;
}

static json_t *report_json_texts(char *const *texts, size_t count)
{
    json_t *list = json_array();
    for (size_t i = 0; i < count; i++)
        json_array_append_new(list, report_json_text(texts[i]));
    return list;
}

static json_t *report_json_number(bool known, double number)
{
    return known ? json_real(number) : json_null();
}

static json_t *report_json_size(size_t size)
{
    return json_integer((json_int_t)size);
}

static void report_json_put(json_t *object, const char *key, json_t *value)
{
    json_object_set_new(object, key, value);
}

static json_t *report_json_channel(const struct report *report)
{
    json_t *channel = json_object();
    report_json_put(channel, "id", report_json_text(report->channel_id));
    report_json_put(channel, "type", report_json_text(report->channel_type));
    report_json_put(channel, "kind", report_json_text(report->channel_kind));
    return channel;
}

static json_t *report_json_kelurahan(const struct report_location *location)
{
    if (location->kelurahan_code == NULL)
        return json_null();
    json_t *kelurahan = json_object();
    report_json_put(kelurahan, "code", report_json_text(location->kelurahan_code));
    report_json_put(kelurahan, "name", report_json_text(location->kelurahan_name));
    return kelurahan;
}

static json_t *report_json_location(const struct report_location *location)
{
    json_t *object = json_object();
    report_json_put(object, "text", report_json_text(location->text));
    report_json_put(object, "lat", report_json_number(location->has_point, location->lat));
    report_json_put(object, "lon", report_json_number(location->has_point, location->lon));
    report_json_put(object, "source", report_json_text(location->source));
    report_json_put(object, "kelurahan", report_json_kelurahan(location));
    report_json_put(object, "kecamatan", report_json_text(location->kecamatan));
    report_json_put(object, "city", report_json_text(location->city));
    report_json_put(object, "candidates",
                    report_json_texts(location->candidates, location->candidate_count));
    return object;
}

static json_t *report_json_category(const struct report_category *category)
{
    json_t *object = json_object();
    report_json_put(object, "code", report_json_text(category->code));
    report_json_put(object, "score", report_json_number(category->has_score, category->score));
    report_json_put(object, "evidence",
                    report_json_texts(category->evidence, category->evidence_count));
    return object;
}

static json_t *report_json_attachment(const struct report *report, size_t index)
{
    const struct report_attachment *attachment = &report->attachments[index];
    bool photo = attachment->width > 0;
    bool withheld = report->visibility == REPORT_PRIVATE || attachment->data == NULL;
    json_t *object = json_object();
    report_json_put(object, "n", report_json_size(index + 1));
    report_json_put(object, "media_type", report_json_text(attachment->media_type));
    report_json_put(object, "bytes", report_json_size(attachment->bytes));
    report_json_put(object, "width", photo ? report_json_size(attachment->width) : json_null());
    report_json_put(object, "height", photo ? report_json_size(attachment->height) : json_null());
    report_json_put(object, "withheld", json_boolean(withheld));
    return object;
}

static json_t *report_json_attachments(const struct report *report)
{
    json_t *list = json_array();
    for (size_t i = 0; i < report->attachment_count; i++)
        json_array_append_new(list, report_json_attachment(report, i));
    return list;
}

static json_t *report_json_redactions(const struct report *report)
{
    json_t *list = json_array();
    for (size_t i = 0; i < report->redaction_count; i++) {
        const struct report_redaction *redaction = &report->redactions[i];
        json_t *object = json_object();
        report_json_put(object, "type", report_json_text(redaction->type));
        report_json_put(object, "field", report_json_text(redaction->field));
        report_json_put(object, "start", report_json_size(redaction->start));
        report_json_put(object, "end", report_json_size(redaction->end));
        json_array_append_new(list, object);
    }
    return list;
}

static json_t *report_json_thread(const struct report *report)
{
    json_t *thread = json_object();
    report_json_put(
        thread, "report",
        report_json_text(report->thread_report[0] == '\0' ? NULL : report->thread_report));
    report_json_put(thread, "matched_by", report_json_text(report->thread_matched_by));
    return thread;
}

json_t *report_json(const struct report *report)
{
    char time[REPORT_TIME_SIZE];
    report_time(report->received_ms, time);
    json_t *restricted = json_object();
    report_json_put(restricted, "received_at", json_string(time));

    json_t *object = json_object();
    report_json_put(object, "schema", json_string("kanal.report/1"));
    report_json_put(object, "id", report_json_text(report->id[0] == '\0' ? NULL : report->id));
    report_json_put(object, "kind", json_string(report_kind_name(report->kind)));
    report_json_put(object, "urgent", json_boolean(report->urgent));
    report_json_put(object, "visibility", json_string(report_visibility_name(report->visibility)));
    report_json_put(object, "label", json_string(report_label(report->visibility)));
    report_json_put(object, "channel", report_json_channel(report));
    report_json_put(object, "received_on", json_stringn(time, REPORT_DAY_LEN));
    report_json_put(object, "language", report_json_text(report->language));
    report_json_put(object, "subject", report_json_text(report->subject));
    report_json_put(object, "story", report_json_text(report->story));
    report_json_put(object, "location", report_json_location(&report->location));
    report_json_put(object, "additional", report_json_text(report->additional));
    report_json_put(object, "category", report_json_category(&report->category));
    report_json_put(object, "attachments", report_json_attachments(report));
    report_json_put(object, "redactions", report_json_redactions(report));
    report_json_put(object, "thread", report_json_thread(report));
    report_json_put(object, "possible_duplicates",
                    report_json_texts(report->possible_duplicates, report->duplicate_count));
    report_json_put(object, "warnings", report_json_texts(report->warnings, report->warning_count));
    report_json_put(object, "restricted", restricted);
    return object;
}

static json_t *report_json_address(const struct reporter *reporter)
{
    if (reporter->address_kind == NULL)
        return json_null();
    json_t *address = json_object();
    report_json_put(address, "kind", report_json_text(reporter->address_kind));
    report_json_put(address, "value", report_json_text(reporter->address));
    return address;
}

json_t *reporter_json(const struct reporter *reporter)
{
    json_t *pii = json_array();
    for (size_t i = 0; i < reporter->pii_count; i++) {
        json_t *object = json_object();
        report_json_put(object, "type", report_json_text(reporter->pii[i].type));
        report_json_put(object, "text", report_json_text(reporter->pii[i].text));
        report_json_put(object, "field", report_json_text(reporter->pii[i].field));
        json_array_append_new(pii, object);
    }
    json_t *object = json_object();
    report_json_put(object, "name", report_json_text(reporter->name));
    report_json_put(object, "address", report_json_address(reporter));
    report_json_put(object, "pii", pii);
    report_json_put(object, "no_reply", json_boolean(reporter->no_reply));
    return object;
}

json_t *record_json(const struct record *record)
{
    json_t *names = json_array();
    for (size_t i = 0; i < record->report.attachment_count; i++)
        json_array_append_new(names, report_json_text(record->report.attachments[i].name));
    json_t *object = json_object();
    report_json_put(object, "report", report_json(&record->report));
    report_json_put(object, "native_id", report_json_text(record->native_id));
    report_json_put(object, "reporter", reporter_json(&record->reporter));
    report_json_put(object, "attachment_names", names);
    report_json_put(object, "original_text", report_json_text(record->original_text));
    return object;
}

char *json_canonical(const json_t *value)
{
    char *text = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY | JSON_REAL_PRECISION(9));
    if (text == NULL)
        abort(); /* out of memory: every value here was made from valid text */
    return text;
}
