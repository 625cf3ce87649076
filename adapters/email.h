/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The email channel: an IMAP mailbox in, SMTP out. email.c ties together email_settings (options),
 * email_stream and email_imap (the session), email_state (the cursor), email_take (fetch, submit,
 * acknowledge), email_token (OAuth2), email_compose and email_smtp (answers).
 */
#ifndef KANAL_ADAPTERS_EMAIL_H
#define KANAL_ADAPTERS_EMAIL_H

#include "adapters/adapter.h"

extern const struct adapter adapter_email;

#endif
