/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What leaves for the core: the canonical report without its restricted part, photos only when the
 * reporter made the report public. Frozen at intake: a retry sends the same bytes.
 */
#ifndef KANAL_GATEWAY_TICKET_H
#define KANAL_GATEWAY_TICKET_H

#include "normalize/buf.h"
#include "normalize/report.h"

/* Appends the ticket's (or, for a follow-up, the update's) JSON. canonical is report_json(report),
 * which is changed into the ticket: it is not the report's any more afterwards. */
void ticket_json(const struct report *report, json_t *canonical, struct buf *out);

#endif
