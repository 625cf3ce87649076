/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A mail's parts to one text and its attachments. text/plain is preferred to text/html, pages
 * become text, inline pictures and everything that is no text of the mail itself are attachments.
 * A forwarded mail is an attachment; its text stands in when the mail has none of its own.
 */
#ifndef KANAL_NORMALIZE_MAIL_BODY_H
#define KANAL_NORMALIZE_MAIL_BODY_H

#include <gmime/gmime.h>

#include "normalize/draft.h"
#include "normalize/err.h"

/* Fills text, attachments and warnings ("charset_guessed", "html_flattened", "tnef",
 * "text_truncated"). -1 ERR_PERMANENT: depth or parts are beyond the limits of mail.h. */
int mail_body_read(GMimeMessage *message, struct draft *draft, struct err *err);

#endif
