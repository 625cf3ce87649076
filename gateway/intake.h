/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The only way in: a message is handed to a worker, its record checked, threaded, sealed and
 * committed; only then its batch is settled. adapter.h declares what adapters call (intake_submit,
 * intake_flush, intake_quarantine); this is the gateway's side of it.
 */
#ifndef KANAL_GATEWAY_INTAKE_H
#define KANAL_GATEWAY_INTAKE_H

#include <stddef.h>

#include "adapters/adapter.h"
#include "gateway/gateway.h"

/* The batch of a polling channel; reused for every poll. */
struct intake *intake_new(struct gateway *gateway, const struct channel *channel);
void intake_free(struct intake *intake);

/* Called once when the last message of a request's batch is settled; n receipts in the order of
 * submission, borrowed. On any thread; must be short. */
typedef void intake_settled(void *context, const struct receipt *receipts, size_t n);

/* The batch of a request. intake_close() ends the submissions: settled is called when all of them
 * are done (at once when there are none); the batch frees itself afterwards. */
struct intake *intake_new_request(struct gateway *gateway, const struct channel *channel,
                                  intake_settled *settled, void *context);
void intake_close(struct intake *intake);

/* The next message submitted is a follow-up of that report, proven otherwise than by its content
 * (matched_by: "pin"). */
void intake_follow(struct intake *intake, const char *report_id, const char *matched_by);

/* Normalizes a quarantined message again. Blocks. 0: it is a report now; -1: it stays, err says
 * why. */
int intake_replay(struct gateway *gateway, const char *report_id, struct err *err);

#endif
