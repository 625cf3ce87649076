/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whether a person wrote a mail, by what programs put into theirs: RFC 3834 (automatic answers),
 * RFC 3464 (bounces), RFC 2919 and 2369 (lists), and the marks that came before or beside them.
 */
#ifndef KANAL_NORMALIZE_MAIL_AUTOMATIC_H
#define KANAL_NORMALIZE_MAIL_AUTOMATIC_H

#include <stdbool.h>

#include <gmime/gmime.h>

#include "normalize/draft.h"
#include "normalize/mail_address.h"

/* What message is. daemon: its sender is a mail system; of draft, subject and reply_ref are read.
 */
enum draft_automatic mail_automatic(GMimeMessage *message, const struct mail_own *own, bool daemon,
                                    const struct draft *draft);

#endif
