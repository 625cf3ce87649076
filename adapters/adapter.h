/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The contract of an adapter: one kind of channel. Every pointer but name may be NULL = not
 * offered.
 *
 *  1. An adapter MUST NOT acknowledge anything upstream (flag, move, delete, advance a cursor,
 *     answer 2xx) before intake_flush() returned 0, or before respond() is called.
 *  2. parse MUST be a pure function of the inbound: it runs in the sandboxed worker and MUST NOT
 *     touch struct channel, files, the network or a clock. Everything else runs in the gateway and
 *     MUST NOT interpret a message's content.
 *  3. poll MUST return by deadline_ms (CLOCK_MONOTONIC) or soon after channel_stopping() turns
 *     true.
 *  4. A channel's poll, open and close are called by one thread. receive, respond and reply may be
 *     called by several threads at once and MUST NOT change settings.
 *  5. reply MAY be called again for a notice it sent before (a crash between send and record); it
 *     MUST make repeats recognisable (deterministic Message-ID) and answer by err kind:
 *     ERR_TRANSIENT retry, ERR_PERMANENT this notice cannot be delivered, ERR_CONFIG stop the
 *     channel.
 *  6. Errors name no person, address, text or secret.
 *  Back-off, breakers, limits, threads, logs and metrics are the gateway's, once for all.
 */
#ifndef KANAL_ADAPTERS_ADAPTER_H
#define KANAL_ADAPTERS_ADAPTER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "adapters/http_message.h"
#include "adapters/notice.h"
#include "config/option.h"
#include "normalize/err.h"
#include "normalize/inbound.h"
#include "normalize/normalize.h"
#include "normalize/report.h"

struct channel;

/* One kind of channel. Immutable; defined once per adapters/<name>.c. */
struct adapter {
    const char *name;       /* "type" in the configuration file */
    const char *kind;       /* what reports say: "email", "web" */
    const char *reply_kind; /* reporter.address_kind that reply() can serve; NULL: none */
    const struct option_spec *options; /* ends with .name == NULL */
    size_t settings_size;
    /* Checks what one option alone cannot show: -1 ERR_CONFIG "option: what is wrong, what is
     * expected". At every load and by `kanal check`: touches nothing outside settings. */
    int (*check)(const void *settings, struct err *err);
    /* Loads what parse needs (charsets, tables); once per worker, before the sandbox closes. */
    void (*parse_start)(void);
    draft_parser *parse;
    /* Checks settings and builds state; MAY connect, but a channel whose peer is down must open. */
    int (*open)(struct channel *ch, struct err *err);
    /* Fetches what waits: intake_submit() each message, intake_flush(), then acknowledges upstream.
     */
    int (*poll)(struct channel *ch, int64_t deadline_ms, struct err *err);
    /* Takes one request below /c/<channel id>/: submits its messages to request->intake. */
    int (*receive)(struct channel *ch, const struct http_request *request, struct err *err);
    /* Renders the answer once every message of the request is durable; n receipts in order. */
    int (*respond)(struct channel *ch, const struct http_request *request,
                   const struct receipt *receipts, size_t n, struct http_response *response);
    /* Sends one notice; blocking, bounded by its own time-outs. */
    int (*reply)(struct channel *ch, const struct notice *notice, struct err *err);
    /* Frees ch->state; called once, also after a failed open. */
    void (*close)(struct channel *ch);
};

/* One configured instance. */
struct channel {
    const struct adapter *adapter;
    const char *id;          /* section name; part of every dedup key, never renamed */
    const void *settings;    /* per adapter->options; const after load */
    const char *public_url;  /* where citizens reach Kanal, without a slash at its end; NULL: not
                                known */
    void *state;             /* the adapter's */
    struct intake *intake;   /* for poll; borrowed, outlives the channel */
    struct gateway *gateway; /* opaque to adapters: for the services below */
};

/* All adapters, NULL-terminated; the only list there is. */
extern const struct adapter *const adapters[];

/* The adapter named type, or NULL. */
const struct adapter *adapter_find(const char *type);

/* --- What the gateway offers to adapters (defined in gateway/, doubled in tests) --- */

/*
 * A batch of messages on their way in: a poll cycle's or a request's. intake_submit() hands one
 * over (takes the inbound, also on failure: it is released). It blocks while the queue is full when
 * the batch is a poll's, and fails with ERR_TRANSIENT when it is a request's.
 */
int intake_submit(struct intake *intake, struct inbound *msg, struct err *err);

/*
 * Waits until every submitted message is settled. 0: each is durable (report, follow-up, known,
 * non-report, quarantine). -1 ERR_TRANSIENT: at least one is not; acknowledge none of them. The
 * batch is empty afterwards. Not for requests.
 */
int intake_flush(struct intake *intake, struct err *err);

/*
 * Puts a message that was not or could not be fetched whole (too large) straight into quarantine,
 * in order with the others of the batch. Takes msg; msg->raw is what there is. reason: a fixed
 * word.
 */
int intake_quarantine(struct intake *intake, struct inbound *msg, const char *reason,
                      struct err *err);

/* Durable position of a channel, as text; name tells several apart. get: 1 found and appended to
 * *out, 0 none, -1; set returns after the commit. */
int channel_cursor_get(struct channel *ch, const char *name, struct buf *out, struct err *err);
int channel_cursor_set(struct channel *ch, const char *name, const char *value, struct err *err);

/* True once the gateway wants poll to return. */
bool channel_stopping(const struct channel *ch);

/* CLOCK_MONOTONIC and Unix epoch, milliseconds. */
int64_t channel_now_ms(const struct channel *ch);
int64_t channel_wall_ms(const struct channel *ch);

/* "how far behind": messages known to wait upstream, shown by `kanal channels`; -1 unknown. */
void channel_lag(struct channel *ch, int64_t messages);

/*
 * The signed token of a reply address for a report: REPLY_TOKEN_LEN lower-case base32 symbols that
 * nobody can make without the key. Recognised in references of kind REFERENCE_TOKEN.
 */
enum { REPLY_TOKEN_LEN = 28 };
void channel_reply_token(const struct channel *ch, const char *report_id,
                         char token[static REPLY_TOKEN_LEN + 1]);

#endif
