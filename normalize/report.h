/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The canonical report, the reporter apart from it, and the record that carries both with their
 * attachments from the parser to the vault and the queue. A report never holds the reporter's
 * identity; struct reporter goes nowhere but into a sealed envelope.
 *
 * Strings are UTF-8 and owned; NULL is "missing", never "". The JSON shape is kanal.report/1,
 * config/report.schema.json.
 */
#ifndef KANAL_NORMALIZE_REPORT_H
#define KANAL_NORMALIZE_REPORT_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "normalize/id.h"

enum {
    REPORT_STORY_MAX = 256 * 1024, /* bytes of text an officer is shown; the rest stays sealed */
    REPORT_LINE_MAX = 4 * 1024,    /* subject, location, a name */
    REPORT_WORD_MAX = 128,         /* codes, media types, ids */
    REPORT_ATTACHMENTS_MAX = 50,
    REPORT_LIST_MAX = 64, /* evidence, candidates, possible duplicates */
    REPORT_REDACTIONS_MAX = 1000,
    REPORT_WARNINGS_MAX = 16,
    RECORD_REFERENCES_MAX = 64,
    RECORD_PROBLEMS_MAX = 16,
    RECORD_PII_MAX = 1000,
    RECORD_NATIVE_ID_MAX = 1024,
    REPORT_DAY_LEN = 10,
    REPORT_TIME_SIZE = 26, /* with the NUL */
};

enum report_kind { REPORT_REPORT, REPORT_FOLLOWUP, REPORT_STATUS_QUERY, REPORT_NOT_REPORT };
enum report_visibility { REPORT_PRIVATE, REPORT_PUBLIC };

struct report_location {
    char *text;
    bool has_point;
    double lat, lon; /* WGS84 degrees */
    char *source;    /* "text", "device", "pin", "photo", "form"; NULL when nothing is known */
    char *kelurahan_code, *kelurahan_name, *kecamatan, *city;
    char *candidates[REPORT_LIST_MAX]; /* kelurahan codes */
    size_t candidate_count;
};

struct report_category {
    char *code; /* never NULL in a finished report: "lainnya" when nothing is known */
    bool has_score;
    double score; /* 0..1 */
    char *evidence[REPORT_LIST_MAX];
    size_t evidence_count;
};

struct report_attachment {
    char *media_type;
    size_t bytes;
    uint32_t width, height; /* 0: not a photo */
    char *name;             /* as sent; sensitive, never in the report's JSON */
    char *data; /* the clean photo; NULL: nothing clean can be shown, see the original */
};

struct report_redaction {
    char *type;
    char *field;
    size_t start, end; /* bytes of the field as printed */
};

struct report {
    char id[REPORT_ID_SIZE]; /* "" until the gateway gives one; JSON null then */
    enum report_kind kind;
    bool urgent;
    enum report_visibility visibility;
    char *channel_id, *channel_type, *channel_kind;
    int64_t received_ms;
    char *language, *subject, *story, *additional;
    struct report_location location;
    struct report_category category;
    struct report_attachment attachments[REPORT_ATTACHMENTS_MAX];
    size_t attachment_count;
    struct report_redaction *redactions;
    size_t redaction_count;
    char thread_report[REPORT_ID_SIZE]; /* "" none */
    char *thread_matched_by;            /* "token", "message_id", "id_and_reporter", "pin" */
    char *possible_duplicates[REPORT_LIST_MAX];
    size_t duplicate_count;
    char *warnings[REPORT_WARNINGS_MAX];
    size_t warning_count;
};

struct reporter_pii {
    char *type, *text, *field;
};

struct reporter {
    char *name;
    char *address_kind; /* "email", "phone", "handle"; NULL: cannot be answered */
    char *address;      /* normalized; what the blind index is made of */
    char *reply_ref;    /* the native id an answer refers to (Message-ID); NULL none */
    bool no_reply;
    struct reporter_pii *pii;
    size_t pii_count;
};

/* How an earlier message may be meant. The gateway alone decides whether to believe it. */
enum record_reference_kind {
    REFERENCE_TOKEN,      /* the token of a signed reply address */
    REFERENCE_MESSAGE_ID, /* RFC 5322 id, without <>, nearest first */
    REFERENCE_REPORT_ID,  /* a well-formed report ID found in subject or text */
};

struct record_reference {
    enum record_reference_kind kind;
    char *value;
};

struct record_problem {
    char *field;
    char *code; /* see problem.h */
};

/* All that one message gave. */
struct record {
    struct report report;
    struct reporter reporter;
    char *native_id;     /* what the dedup key is made of */
    char *fingerprint;   /* hex of a hash of the content alone; tells a reused client key from a
                            repeated request; NULL where the channel has no client keys */
    char *original_text; /* full, untrimmed */
    bool no_ack;         /* answering would feed a loop (auto-reply, bounce, list, own mail) */
    struct record_reference references[RECORD_REFERENCES_MAX];
    size_t reference_count;
    struct record_problem problems[RECORD_PROBLEMS_MAX]; /* any: refused, nothing may be stored */
    size_t problem_count;
    /* Refused forms: what was chosen and typed where the report cannot say it, for the form that is
     * shown again. NULL: nothing was. */
    char *typed_category, *typed_date;
};

/* A private report of nothing yet; release frees all it holds and leaves it like that. The same
 * holds for the reporter, whose strings are wiped, and for the record of both. */
void report_init(struct report *report);
void report_release(struct report *report);
void reporter_init(struct reporter *reporter);
void reporter_release(struct reporter *reporter);
void record_init(struct record *record);
void record_release(struct record *record);

/* Adds a warning code once; dropped silently beyond REPORT_WARNINGS_MAX. Copies code. */
void report_warn(struct report *report, const char *code);

/* Writes a time as the city's clock shows it, "2026-11-21T10:03:27+07:00"; the first
 * REPORT_DAY_LEN characters are the day. Years 0000 to 9999. */
void report_time(int64_t time_ms, char time[static REPORT_TIME_SIZE]);

/*
 * The report as kanal.report/1; gives a new reference. Key order is fixed, so that the same report
 * dumps to the same bytes with json_canonical().
 */
json_t *report_json(const struct report *report);

/*
 * The dry run's object: {"report", "native_id", "reporter", "attachment_names", "original_text"}.
 * Identity is in it: it goes to the operator's terminal or into a sealed envelope only.
 */
json_t *record_json(const struct record *record);

/* {"name", "address": {"kind", "value"} | null, "pii": [...], "no_reply"}; sealed, never shown. */
json_t *reporter_json(const struct reporter *reporter);

/* One line of canonical JSON (fixed key order, no spaces, 9 significant digits); free() it. */
char *json_canonical(const json_t *value);

/* The names used in JSON: "report", "followup", "status_query", "not_report"; "private", "public".
 */
const char *report_kind_name(enum report_kind kind);
const char *report_visibility_name(enum report_visibility visibility);

/* The label every officer's view of the report carries, byte-exact as the city words it. */
const char *report_label(enum report_visibility visibility);

#endif
