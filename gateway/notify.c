/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Notices: one reply address from the vault per notice, the text from the city's templates, sent by
 * the channel the report came by. The address is wiped as soon as the channel has it.
 */
#include <jansson.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/channels.h"
#include "gateway/metrics.h"
#include "gateway/outbox.h"
#include "normalize/mem.h"

enum {
    NOTIFY_THREADS = 4, /* one slow mail server must not hold up the other channels' notices */
    NOTIFY_BATCH = 1,   /* a crash repeats one notice per thread at the most */
    /* A mail server that takes its full time for every answer; one address is tried after another.
     * The price: what was in hand in a crash waits that long. */
    NOTIFY_ROW_MS = 9 * 60 * 1000,
    NOTIFY_LEASE_MS = 10 * 60 * 1000,
    NOTIFY_REPLY_MAX = 64 * 1024,
    NOTIFY_TEXT_MAX = 64 * 1024,
    NOTIFY_KEY_SIZE = 24 + 1, /* hex digits: 96 bits */
};

/* What the vault gave: {"kind", "value", "ref"}. */
static json_t *notify_open_reply(struct gateway *gateway, const struct queue_report *report,
                                 const char *key, struct err *err)
{
    struct buf plain = BUF_INIT(NOTIFY_REPLY_MAX);
    json_t *reply = NULL;
    if (vault_client_open(gateway->vault, VAULT_NOTICE, report->id, "reply", key,
                          report->reply.data, report->reply.len, &plain, err) == 0) {
        reply = json_loadb(plain.data, plain.len, 0, NULL);
        if (reply == NULL)
            err_set(err, ERR_PERMANENT, "cannot read a reply address");
    }
    buf_wipe(&plain);
    return reply;
}

/* jansson keeps its own copy of the address: overwrite it before it is freed. */
static void notify_wipe(json_t *reply)
{
    const char *key;
    json_t *value;
    json_object_foreach(reply, key, value)
    {
        size_t len = json_string_length(value);
        char *blank = mem_calloc(len + 1, 1);
        memset(blank, '-', len);
        json_string_setn(value, blank, len);
        free(blank);
    }
    json_decref(reply);
}

static const char *notify_field(const json_t *payload, const char *name)
{
    const char *text = json_string_value(json_object_get(payload, name));
    return text != NULL ? text : "";
}

static void notify_fill(struct gateway *gateway, const struct queue_lease *lease,
                        enum notice_kind kind, const char *language, const json_t *payload,
                        struct buf *subject, struct buf *text)
{
    char shown[REPORT_ID_SHOWN_SIZE];
    char pin[PIN_SIZE];
    report_id_show(lease->report_id, shown);
    seal_pin(gateway->seal, lease->report_id, pin);
    struct buf url = BUF_INIT(NOTIFY_TEXT_MAX);
    buf_addf(&url, "%s/track", gateway->http->public_url);
    const struct notice_fields fields = {
        .id = shown,
        .pin = pin,
        .url = url.data,
        .status = notify_field(payload, "state"),
        .date = notify_field(payload, "day"),
        .agency = notify_field(payload, "agency"),
        .answer = notify_field(payload, "answer"),
        .emergency = gateway->city->emergency,
        .city = gateway->city->name,
    };
    notice_text_fill(gateway->texts, kind, language, &fields, subject, text);
    buf_release(&url);
    sodium_memzero(pin, sizeof pin);
}

/* The same for every try of this notice, and telling nothing: a row number would count our notices.
 */
static void notify_key(struct gateway *gateway, const struct queue_lease *lease,
                       char key[static NOTIFY_KEY_SIZE])
{
    unsigned char hash[QUEUE_DEDUP_KEY_SIZE];
    seal_dedup_key(gateway->seal, "notice", &lease->id, sizeof lease->id, hash);
    sodium_bin2hex(key, NOTIFY_KEY_SIZE, hash, (NOTIFY_KEY_SIZE - 1) / 2);
}

static int notify_send(struct gateway *gateway, const struct queue_lease *lease,
                       const struct queue_report *report, const json_t *payload,
                       const json_t *reply, struct err *err)
{
    struct channel *channel =
        gateway_reply_channel(gateway, report->channel_id, notify_field(reply, "kind"));
    if (channel == NULL)
        return 0; /* nobody can answer this kind of address: the tracking page is the answer */
    char key[NOTIFY_KEY_SIZE];
    notify_key(gateway, lease, key);
    const char *language = report->language[0] != '\0' ? report->language : "id";
    struct buf subject = BUF_INIT(NOTIFY_TEXT_MAX);
    struct buf text = BUF_INIT(NOTIFY_TEXT_MAX);
    enum notice_kind kind = strcmp(lease->kind, "ack") == 0 ? NOTICE_ACK : NOTICE_STATUS;
    notify_fill(gateway, lease, kind, language, payload, &subject, &text);
    const struct notice notice = {
        .kind = kind,
        .report_id = lease->report_id,
        .key = key,
        .to = notify_field(reply, "value"),
        .subject = subject.data,
        .text = text.data,
        .in_reply_to = json_string_value(json_object_get(reply, "ref")),
        .language = language,
    };
    int result = channels_reply(gateway, channel, &notice, err);
    if (result == 0)
        metrics_add(METRIC_NOTICES_SENT, channel->id, 1);
    buf_wipe(&subject);
    buf_wipe(&text);
    return result;
}

static int notify_work(struct gateway *gateway, const struct queue_lease *lease,
                       const struct buf *payload, char ref[static QUEUE_WORD_MAX], struct err *err)
{
    (void)ref;
    struct queue_report report;
    int found = queue_report_get(gateway->queue, lease->report_id, &report, err);
    if (found != 1)
        return found < 0 ? -1 : err_set(err, ERR_PERMANENT, "cannot answer: the report is gone");
    int result = 0;
    if (report.reply.len > 0) {
        json_t *values = json_loadb(payload->data, payload->len, 0, NULL);
        json_t *reply = notify_open_reply(gateway, &report, lease->kind, err);
        result = reply == NULL ? -1 : notify_send(gateway, lease, &report, values, reply, err);
        if (reply != NULL)
            notify_wipe(reply);
        json_decref(values);
    }
    queue_report_release(&report);
    return result;
}

const struct outbox_duty notify_duty = {
    .topic = QUEUE_TO_REPORTER,
    .threads = NOTIFY_THREADS,
    .batch = NOTIFY_BATCH,
    .row_ms = NOTIFY_ROW_MS,
    .lease_ms = NOTIFY_LEASE_MS,
    .breaker = false,
    .work = notify_work,
    .failed = LOG_NOTICE_FAILED,
};
