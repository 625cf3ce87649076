/* SPDX-License-Identifier: Apache-2.0 */
/* One command of an IMAP session: what it may take, and what became of it. Internal to
 * email_imap*.c. */
#ifndef KANAL_ADAPTERS_EMAIL_IMAP_CALL_H
#define KANAL_ADAPTERS_EMAIL_IMAP_CALL_H

#include "adapters/email_imap.h"

enum { IMAP_SMALL_BYTES = 1024 * 1024 }; /* answers without messages */

/* Until the session's deadline, and at most bytes of answers. */
void email_imap_limit(struct email_imap *imap, size_t bytes);

/* Whether libetpan's code says that the server did it; if not, what kind of trouble that is. */
bool email_imap_is_ok(int code);
enum email_trouble email_imap_trouble_of(const struct email_imap *imap, int code);

/* What became of a command: 0, or -1 with trouble and err set. what: "log in". */
int email_imap_settle(struct email_imap *imap, int code, const char *what, struct err *err);

#endif
