/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Logs: logfmt lines on stderr from a fixed table of events. Values come from typed fields only:
 * channel ids, counts, durations, fixed words and err texts (which hold no personal data). Report
 * IDs are not logged: a log must not tell which report came when. Lower folders never log.
 *
 *   time=2026-11-21T10:03:27Z level=warn event=channel_failed channel=email-pusat kind=transient
 * msg="..."
 */
#ifndef KANAL_GATEWAY_LOG_H
#define KANAL_GATEWAY_LOG_H

#include <stdint.h>

#include "normalize/err.h"

/* Every event there is: enum name, logged name, level, what it means (`kanal help-config
 * --events`). */
#define LOG_EVENTS(X)                                                                              \
    X(LOG_STARTED, "started", "info", "the gateway serves")                                        \
    X(LOG_STOPPING, "stopping", "info", "a stop was asked for")                                    \
    X(LOG_STOPPED, "stopped", "info", "everything in flight is finished or refused")               \
    X(LOG_RELOADED, "reloaded", "info", "a new configuration is in force")                         \
    X(LOG_RELOAD_REFUSED, "reload_refused", "error",                                               \
      "the new configuration is bad; the old one stays")                                           \
    X(LOG_KEY_CREATED, "key_created", "warn", "a key file was made; back it up and move it")       \
    X(LOG_COMMIT_FAILED, "commit_failed", "error",                                                 \
      "a transaction was refused; sources will try again")                                         \
    X(LOG_COMMIT_UNKNOWN, "commit_unknown", "error", "a commit's outcome is unknown; stopping")    \
    X(LOG_QUARANTINED, "quarantined", "warn",                                                      \
      "a message could not be normalized and waits in quarantine")                                 \
    X(LOG_WORKER_REPLACED, "worker_replaced", "warn", "a worker broke a limit or died")            \
    X(LOG_VAULT_RESTARTED, "vault_restarted", "warn",                                              \
      "the vault process died and was started again")                                              \
    X(LOG_CORE_RESTARTED, "core_restarted", "warn",                                                \
      "the embedded core died and was started again")                                              \
    X(LOG_CHANNEL_OPENED, "channel_opened", "info", "a channel is open")                           \
    X(LOG_CHANNEL_FAILED, "channel_failed", "warn",                                                \
      "a poll or open failed; it will be tried again")                                             \
    X(LOG_CHANNEL_STOPPED, "channel_stopped", "error", "a channel needs its configuration mended") \
    X(LOG_CHANNEL_RECOVERED, "channel_recovered", "info", "a failing channel works again")         \
    X(LOG_FORWARD_FAILED, "forward_failed", "warn",                                                \
      "the core did not take a ticket; it will be tried again")                                    \
    X(LOG_NOTICE_FAILED, "notice_failed", "warn", "a notice was not sent; it will be tried again") \
    X(LOG_BURIED, "buried", "error", "work was given up and needs a person: kanal queue")          \
    X(LOG_UPDATES_FAILED, "updates_failed", "warn", "the core's updates could not be read")        \
    X(LOG_UPDATE_UNKNOWN, "update_unknown", "warn",                                                \
      "the core reported a change of an unknown report")                                           \
    X(LOG_DISK_SHORT, "disk_short", "error",                                                       \
      "the state's disk is nearly full; nothing new is taken in")                                  \
    X(LOG_DISK_RECOVERED, "disk_recovered", "info", "there is room on the state's disk again")     \
    X(LOG_HTTP_REFUSED, "http_refused", "warn", "a request was refused by a limit")

#define LOG_ENUM(id, name, level, help) id,
enum log_event { LOG_EVENTS(LOG_ENUM) LOG_EVENT_COUNT };
#undef LOG_ENUM

/* Writes one line; any of channel, err may be NULL; count < 0 is left out. One write(2): whole
 * lines. */
void log_event(enum log_event event, const char *channel, int64_t count, const struct err *err);

/* Same with a fixed word: reason=... ; word must be a string constant of ours. */
void log_event_word(enum log_event event, const char *channel, const char *word,
                    const struct err *err);

#endif
