/* SPDX-License-Identifier: Apache-2.0 */
/* A notice: one answer to one reporter, filled from the city's templates before the adapter sees
 * it. */
#ifndef KANAL_ADAPTERS_NOTICE_H
#define KANAL_ADAPTERS_NOTICE_H

#include "normalize/id.h"

enum notice_kind { NOTICE_ACK, NOTICE_STATUS };

struct notice {
    enum notice_kind kind;
    const char *report_id; /* stored form */
    const char *key;       /* unique and the same on every try: makes the Message-ID */
    const char *to;      /* the reporter's address, of the adapter's reply_kind; wiped after use */
    const char *subject; /* may be NULL; never the citizen's words */
    const char *text;    /* plain, UTF-8, LF */
    const char *in_reply_to; /* the native id of the message answered (RFC 5322 id), or NULL */
    const char *language;    /* "id" or "en" */
};

#endif
