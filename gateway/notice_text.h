/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What notices say: one text per kind and language, built in (config/jakarta/notices) or from the
 * operator's folder. A file is "<kind>.<language>.txt": lines beginning with "#" before the subject
 * are remarks, then "Subject: ...", an empty line, the text. "{field}" is replaced; a line that has
 * fields but only empty ones is left out, and of several empty lines one stays. Immutable once
 * loaded; any thread.
 */
#ifndef KANAL_GATEWAY_NOTICE_TEXT_H
#define KANAL_GATEWAY_NOTICE_TEXT_H

#include "adapters/notice.h"
#include "normalize/buf.h"
#include "normalize/err.h"

enum {
    NOTICE_TEXT_FILE_MAX = 64 * 1024,
    NOTICE_SUBJECT_MAX = 250, /* bytes, filled: one folded header line of any mail client */
};

struct notice_texts;

/* All may be NULL: empty. */
struct notice_fields {
    const char *id; /* shown form: 7KQ3-MXP9-T2FC */
    const char *pin;
    const char *url;    /* the tracking page, without the ID */
    const char *status; /* the state's exact word; translated here */
    const char *date;   /* "2026-11-21"; written out here */
    const char *agency, *answer;
    const char *emergency; /* "112" */
    const char *city;
};

/*
 * Loads all texts: each from folder when there is such a file, else the built-in one; folder NULL:
 * all built in. -1 ERR_CONFIG "file:line: what is wrong": an unknown field, a stray brace, no
 * subject, no text, not UTF-8, too large, or an acknowledgement without {id}.
 */
int notice_texts_load(const char *folder, struct notice_texts **out, struct err *err);

/* NULL is fine. */
void notice_texts_free(struct notice_texts *texts);

/* Appends subject (one line) and text (LF line ends) of a notice; an unknown language is "id". */
void notice_text_fill(const struct notice_texts *texts, enum notice_kind kind, const char *language,
                      const struct notice_fields *fields, struct buf *subject, struct buf *text);

#endif
