/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The two texts of a report: the canonical JSON that is stored, and the ticket that leaves for the
 * core, which is the same without its restricted part, with photos only when the reporter made the
 * report public. Both are made once, at intake: a retry sends the same bytes.
 */
#ifndef KANAL_GATEWAY_TICKET_H
#define KANAL_GATEWAY_TICKET_H

#include "normalize/buf.h"
#include "normalize/report.h"

/* Appends the canonical report to *body and the ticket (or, for a follow-up, the update) to
 * *ticket. Check both for overflow. */
void ticket_texts(const struct report *report, struct buf *body, struct buf *ticket);

#endif
