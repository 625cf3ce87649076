/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Counters and gauges in Prometheus text form (exposition format 0.0.4). Names come from one table;
 * the only label is the channel id, from the configuration, never from input.
 */
#ifndef KANAL_GATEWAY_METRICS_H
#define KANAL_GATEWAY_METRICS_H

#include <stddef.h>
#include <stdint.h>

#include "normalize/buf.h"

/* id, name, type, per channel, help */
#define METRICS(X)                                                                                 \
    X(METRIC_OFFERED, "kanal_messages_offered_total", "counter", 1,                                \
      "messages handed in by a channel")                                                           \
    X(METRIC_ACCEPTED, "kanal_messages_accepted_total", "counter", 1, "new reports")               \
    X(METRIC_FOLLOWUPS, "kanal_messages_followups_total", "counter", 1, "follow-ups of reports")   \
    X(METRIC_NOT_REPORTS, "kanal_messages_not_reports_total", "counter", 1,                        \
      "recognised non-reports")                                                                    \
    X(METRIC_KNOWN, "kanal_messages_known_total", "counter", 1, "messages accepted before")        \
    X(METRIC_QUARANTINED, "kanal_messages_quarantined_total", "counter", 1,                        \
      "messages put into quarantine")                                                              \
    X(METRIC_REFUSED, "kanal_messages_refused_total", "counter", 1,                                \
      "messages the sender must mend")                                                             \
    X(METRIC_FAILED, "kanal_messages_failed_total", "counter", 1,                                  \
      "messages not stored; the source offers them again")                                         \
    X(METRIC_POLLS, "kanal_channel_polls_total", "counter", 1, "successful polls")                 \
    X(METRIC_POLL_FAILURES, "kanal_channel_poll_failures_total", "counter", 1, "failed polls")     \
    X(METRIC_NOTICES_SENT, "kanal_notices_sent_total", "counter", 1, "notices sent")               \
    X(METRIC_FORWARDED, "kanal_forwarded_total", "counter", 0,                                     \
      "tickets and updates the core took")                                                         \
    X(METRIC_RETRIES, "kanal_retries_total", "counter", 0,                                         \
      "tries that failed and will be repeated")                                                    \
    X(METRIC_BURIED, "kanal_buried_total", "counter", 0, "work given up")                          \
    X(METRIC_COMMITS, "kanal_commits_total", "counter", 0, "transactions committed")               \
    X(METRIC_COMMIT_OPS, "kanal_commit_operations_total", "counter", 0, "operations in them")      \
    X(METRIC_WORKERS_REPLACED, "kanal_workers_replaced_total", "counter", 0,                       \
      "workers killed or died")                                                                    \
    X(METRIC_VAULT_RESTARTS, "kanal_vault_restarts_total", "counter", 0,                           \
      "vault processes started again")                                                             \
    X(METRIC_HTTP_REQUESTS, "kanal_http_requests_total", "counter", 0, "HTTP requests answered")   \
    X(METRIC_HTTP_REFUSED, "kanal_http_refused_total", "counter", 0,                               \
      "HTTP requests refused by a limit")                                                          \
    X(METRIC_TRACK_REFUSED, "kanal_track_guesses_refused_total", "counter", 0,                     \
      "look-ups refused by the guess limit")

#define METRICS_ENUM(id, name, type, per_channel, help) id,
enum metric { METRICS(METRICS_ENUM) METRIC_COUNT };
#undef METRICS_ENUM

/* Adds to a counter; channel is NULL for those without. Thread-safe, lock-free after the first use.
 */
void metrics_add(enum metric metric, const char *channel, int64_t value);

/* Reads one counter (tests, `kanal channels`). */
int64_t metrics_get(enum metric metric, const char *channel);

/* Appends a gauge the caller has just measured; name and help are string constants. */
void metrics_gauge(struct buf *out, const char *name, const char *help, int64_t value);

/* Appends every counter. */
void metrics_write(struct buf *out);

#endif
