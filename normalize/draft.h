/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One message taken apart by its channel's parser, before the steps all channels share. Parsers
 * fill it (decoded to UTF-8, otherwise untouched), normalize_draft() turns it into a record.
 * Every pointer is owned by the draft; NULL means the message did not say.
 */
#ifndef KANAL_NORMALIZE_DRAFT_H
#define KANAL_NORMALIZE_DRAFT_H

#include <stdbool.h>
#include <stddef.h>

#include "normalize/report.h"

enum {
    DRAFT_TEXT_MAX = 1024 * 1024, /* decoded text kept of one message */
    DRAFT_ATTACHMENTS_MAX = 200,  /* as many as a mail may have parts */
    DRAFT_REFERENCES_MAX = 64,
    DRAFT_PROBLEMS_MAX = 16,
};

/* What the message is by its transport's own marks (RFC 3834, RFC 3464, RFC 2919). */
enum draft_automatic {
    DRAFT_BY_A_PERSON,
    DRAFT_AUTO_REPLY,
    DRAFT_BOUNCE,
    DRAFT_LIST_MAIL,
    DRAFT_OWN_MAIL, /* a loop: we sent it ourselves */
};

struct draft_attachment {
    char *name;       /* as sent; sensitive */
    char *media_type; /* as declared, lower case */
    char *data;
    size_t len;
};

struct draft {
    char *native_id;   /* what makes it the same message when offered again; required */
    char *fingerprint; /* hex of a hash of the content without any client key; NULL: not told */
    enum draft_automatic automatic;
    char *subject;
    char *text;      /* the full text, plain */
    bool cut_quotes; /* text may quote earlier messages and end in a signature */
    enum report_visibility visibility;
    char *category;      /* a code, chosen by the reporter */
    char *location_text; /* named by the reporter as the location */
    char *additional;
    char *typed_date; /* a day typed into a field of its own; refused forms only */
    bool has_point;
    double lat, lon;
    char *point_source; /* "device", "pin"; required with has_point */
    struct reporter reporter;
    struct record_reference references[DRAFT_REFERENCES_MAX];
    size_t reference_count;
    struct draft_attachment *attachments;
    size_t attachment_count;
    /* Why this cannot be taken and the sender must mend it (forms only); then no record is made. */
    struct record_problem problems[DRAFT_PROBLEMS_MAX];
    size_t problem_count;
    char *warnings[REPORT_WARNINGS_MAX]; /* for the report: "charset_guessed" */
    size_t warning_count;
};

/* A private draft of nothing yet; release frees all it holds and leaves it like that. */
void draft_init(struct draft *draft);
void draft_release(struct draft *draft);

/* Copies the words, takes data (malloc'ed). 0; beyond DRAFT_ATTACHMENTS_MAX -1, data is freed. */
int draft_attach(struct draft *draft, const char *name, const char *media_type, char *data,
                 size_t len);

/* Copies value; repeats and what exceeds DRAFT_REFERENCES_MAX are left out. */
void draft_refer(struct draft *draft, enum record_reference_kind kind, const char *value);

/* Notes once that field is wrong; code is a static word from the table in problem.h. */
void draft_problem(struct draft *draft, const char *field, const char *code);

/* Adds a static warning code once. */
void draft_warn(struct draft *draft, const char *code);

#endif
