/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The JSON shapes of report.h. Objects are filled in the order they are printed in: jansson keeps
 * it, and payloads that were frozen must dump to the same bytes again.
 */
#include "normalize/report.h"

static json_t *json_text(const char *text)
{
    json_t *value = text == NULL ? NULL : json_string(text);
    return value == NULL ? json_null() : value;
}

static json_t *json_texts(char *const *texts, size_t count)
{
    json_t *list = json_array();
    for (size_t i = 0; i < count; i++)
        json_array_append_new(list, json_text(texts[i]));
    return list;
}

static json_t *json_number(bool known, double number)
{
    return known ? json_real(number) : json_null();
}

static json_t *json_size(size_t size)
{
    return json_integer((json_int_t)size);
}

static void json_put(json_t *object, const char *key, json_t *value)
{
    json_object_set_new(object, key, value);
}

static json_t *channel_json(const struct report *report)
{
    json_t *channel = json_object();
    json_put(channel, "id", json_text(report->channel_id));
    json_put(channel, "type", json_text(report->channel_type));
    json_put(channel, "kind", json_text(report->channel_kind));
    return channel;
}

static json_t *kelurahan_json(const struct report_location *location)
{
    if (location->kelurahan_code == NULL)
        return json_null();
    json_t *kelurahan = json_object();
    json_put(kelurahan, "code", json_text(location->kelurahan_code));
    json_put(kelurahan, "name", json_text(location->kelurahan_name));
    return kelurahan;
}

static json_t *location_json(const struct report_location *location)
{
    json_t *object = json_object();
    json_put(object, "text", json_text(location->text));
    json_put(object, "lat", json_number(location->has_point, location->lat));
    json_put(object, "lon", json_number(location->has_point, location->lon));
    json_put(object, "source", json_text(location->source));
    json_put(object, "kelurahan", kelurahan_json(location));
    json_put(object, "kecamatan", json_text(location->kecamatan));
    json_put(object, "city", json_text(location->city));
    json_put(object, "candidates", json_texts(location->candidates, location->candidate_count));
    return object;
}

static json_t *category_json(const struct report_category *category)
{
    json_t *object = json_object();
    json_put(object, "code", json_text(category->code));
    json_put(object, "score", json_number(category->has_score, category->score));
    json_put(object, "evidence", json_texts(category->evidence, category->evidence_count));
    return object;
}

static json_t *attachment_json(const struct report *report, size_t index)
{
    const struct report_attachment *attachment = &report->attachments[index];
    bool photo = attachment->width > 0;
    bool withheld = report->visibility == REPORT_PRIVATE || attachment->data == NULL;
    json_t *object = json_object();
    json_put(object, "n", json_size(index + 1));
    json_put(object, "media_type", json_text(attachment->media_type));
    json_put(object, "bytes", json_size(attachment->bytes));
    json_put(object, "width", photo ? json_size(attachment->width) : json_null());
    json_put(object, "height", photo ? json_size(attachment->height) : json_null());
    json_put(object, "withheld", json_boolean(withheld));
    return object;
}

static json_t *attachments_json(const struct report *report)
{
    json_t *list = json_array();
    for (size_t i = 0; i < report->attachment_count; i++)
        json_array_append_new(list, attachment_json(report, i));
    return list;
}

static json_t *redactions_json(const struct report *report)
{
    json_t *list = json_array();
    for (size_t i = 0; i < report->redaction_count; i++) {
        const struct report_redaction *redaction = &report->redactions[i];
        json_t *object = json_object();
        json_put(object, "type", json_text(redaction->type));
        json_put(object, "field", json_text(redaction->field));
        json_put(object, "start", json_size(redaction->start));
        json_put(object, "end", json_size(redaction->end));
        json_array_append_new(list, object);
    }
    return list;
}

static json_t *thread_json(const struct report *report)
{
    json_t *thread = json_object();
    json_put(thread, "report",
             json_text(report->thread_report[0] == '\0' ? NULL : report->thread_report));
    json_put(thread, "matched_by", json_text(report->thread_matched_by));
    return thread;
}

json_t *report_json(const struct report *report)
{
    char time[REPORT_TIME_SIZE];
    report_time(report->received_ms, time);
    json_t *restricted = json_object();
    json_put(restricted, "received_at", json_string(time));

    json_t *object = json_object();
    json_put(object, "schema", json_string("kanal.report/1"));
    json_put(object, "id", json_text(report->id[0] == '\0' ? NULL : report->id));
    json_put(object, "kind", json_string(report_kind_name(report->kind)));
    json_put(object, "urgent", json_boolean(report->urgent));
    json_put(object, "visibility", json_string(report_visibility_name(report->visibility)));
    json_put(object, "label", json_string(report_label(report->visibility)));
    json_put(object, "channel", channel_json(report));
    json_put(object, "received_on", json_stringn(time, REPORT_DAY_LEN));
    json_put(object, "language", json_text(report->language));
    json_put(object, "subject", json_text(report->subject));
    json_put(object, "story", json_text(report->story));
    json_put(object, "location", location_json(&report->location));
    json_put(object, "additional", json_text(report->additional));
    json_put(object, "category", category_json(&report->category));
    json_put(object, "attachments", attachments_json(report));
    json_put(object, "redactions", redactions_json(report));
    json_put(object, "thread", thread_json(report));
    json_put(object, "possible_duplicates",
             json_texts(report->possible_duplicates, report->duplicate_count));
    json_put(object, "warnings", json_texts(report->warnings, report->warning_count));
    json_put(object, "restricted", restricted);
    return object;
}

static json_t *address_json(const struct reporter *reporter)
{
    if (reporter->address_kind == NULL)
        return json_null();
    json_t *address = json_object();
    json_put(address, "kind", json_text(reporter->address_kind));
    json_put(address, "value", json_text(reporter->address));
    return address;
}

json_t *reporter_json(const struct reporter *reporter)
{
    json_t *pii = json_array();
    for (size_t i = 0; i < reporter->pii_count; i++) {
        json_t *object = json_object();
        json_put(object, "type", json_text(reporter->pii[i].type));
        json_put(object, "text", json_text(reporter->pii[i].text));
        json_put(object, "field", json_text(reporter->pii[i].field));
        json_array_append_new(pii, object);
    }
    json_t *object = json_object();
    json_put(object, "name", json_text(reporter->name));
    json_put(object, "address", address_json(reporter));
    json_put(object, "pii", pii);
    json_put(object, "no_reply", json_boolean(reporter->no_reply));
    return object;
}

json_t *record_json(const struct record *record)
{
    json_t *names = json_array();
    for (size_t i = 0; i < record->report.attachment_count; i++)
        json_array_append_new(names, json_text(record->report.attachments[i].name));
    json_t *object = json_object();
    json_put(object, "report", report_json(&record->report));
    json_put(object, "native_id", json_text(record->native_id));
    json_put(object, "reporter", reporter_json(&record->reporter));
    json_put(object, "attachment_names", names);
    json_put(object, "original_text", json_text(record->original_text));
    return object;
}

char *json_canonical(const json_t *value)
{
    char *text = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY | JSON_REAL_PRECISION(9));
    if (text == NULL)
        abort(); /* out of memory: every value here was made from valid text */
    return text;
}
