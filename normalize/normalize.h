/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Turning one message into a record: the steps every channel shares, in one order. Pure functions
 * of their arguments: no clock, locale, file, network, randomness or global state; the same input
 * gives the same bytes. They run in the worker and may abort() on hostile input that exhausts
 * memory: the gateway replaces the worker.
 *
 *   channel's parser -> draft -> [text clean-up -> quotes cut -> kind -> location -> category ->
 *   references] -> record -> [each photo re-encoded on its own]
 *
 * Places, categories, languages and personal data are not looked for in the text: there is what the
 * reporter chose, report.language and redactions stay empty, and so does reporter.pii.
 */
#ifndef KANAL_NORMALIZE_NORMALIZE_H
#define KANAL_NORMALIZE_NORMALIZE_H

#include "normalize/draft.h"
#include "normalize/err.h"
#include "normalize/inbound.h"
#include "normalize/report.h"

/* What a channel's parser calls once per message found in the inbound; borrows draft. -1: stop. */
typedef int draft_sink(void *context, struct draft *draft, struct err *err);

/*
 * A channel's parser: finds the messages in in and gives each to sink. Returns 0 (also when there
 * is no message in it) or -1 with ERR_PERMANENT when the bytes are not of that type.
 */
typedef int draft_parser(const struct inbound *in, draft_sink *sink, void *context,
                         struct err *err);

/*
 * Makes *out (initialised by the caller, released by the caller also on failure) of a draft; moves
 * what it needs out of draft. Attachments come out as sent, photos not yet re-encoded: data is the
 * raw bytes until photo_clean() has replaced them. -1 ERR_PERMANENT when no record can be made.
 */
int normalize_draft(const struct inbound *in, struct draft *draft, struct record *out,
                    struct err *err);

#endif
