/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Forwarding: tickets and follow-ups to the core, exactly once as far as the core remembers
 * idempotency keys. The key of a ticket is its report's ID, of an update its follow-up's ID.
 */
#include <string.h>

#include "adapters/core.h"
#include "gateway/metrics.h"
#include "gateway/outbox.h"

enum {
    FORWARD_BATCH = 32,
    FORWARD_THREADS = 1,        /* a handle of the core belongs to one thread */
    FORWARD_ROW_MS = 70 * 1000, /* a call of the core and its record */
    FORWARD_LEASE_MS = 180 * 1000,
};

/* The core's reference of the ticket a follow-up belongs to. */
static int forward_parent_ref(struct gateway *gateway, const char *followup_id,
                              char ref[static QUEUE_WORD_MAX], struct err *err)
{
    struct queue_report report;
    int found = queue_report_get(gateway->queue, followup_id, &report, err);
    if (found == 1) {
        char parent_id[REPORT_ID_SIZE];
        memcpy(parent_id, report.parent_id, sizeof parent_id);
        queue_report_release(&report);
        found = queue_report_get(gateway->queue, parent_id, &report, err);
    }
    if (found != 1)
        return found < 0 ? -1 : err_set(err, ERR_PERMANENT, "cannot update: the report is gone");
    memcpy(ref, report.core_ref, QUEUE_WORD_MAX);
    queue_report_release(&report);
    if (ref[0] == '\0') /* its ticket is still in quarantine */
        return err_set(err, ERR_TRANSIENT, "cannot update: the core has no ticket yet");
    return 0;
}

static int forward_update(struct gateway *gateway, const struct queue_lease *lease,
                          const struct buf *payload, struct err *err)
{
    char ref[QUEUE_WORD_MAX];
    if (forward_parent_ref(gateway, lease->report_id, ref, err) != 0)
        return -1;
    return gateway->core_kind->update(gateway->core_state, ref, lease->report_id, payload->data,
                                      payload->len, err);
}

static int forward_work(struct gateway *gateway, const struct queue_lease *lease,
                        const struct buf *payload, char ref[static QUEUE_WORD_MAX], struct err *err)
{
    int result;
    if (strcmp(lease->kind, "ticket") == 0)
        result = gateway->core_kind->ticket(gateway->core_state, lease->report_id, payload->data,
                                            payload->len, ref, err);
    else
        result = forward_update(gateway, lease, payload, err);
    if (result == 0)
        metrics_add(METRIC_FORWARDED, NULL, 1);
    return result;
}

static void forward_cancel(struct gateway *gateway)
{
    gateway->core_kind->cancel(gateway->core_state);
}

const struct outbox_duty forward_duty = {
    .topic = QUEUE_TO_CORE,
    .threads = FORWARD_THREADS,
    .batch = FORWARD_BATCH,
    .row_ms = FORWARD_ROW_MS,
    .lease_ms = FORWARD_LEASE_MS,
    .breaker = true,
    .work = forward_work,
    .cancel = forward_cancel,
    .failed = LOG_FORWARD_FAILED,
};
