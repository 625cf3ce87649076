/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/ticket.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "normalize/mem.h"

static json_t *ticket_base64(const char *data, size_t len)
{
    size_t size = sodium_base64_ENCODED_LEN(len, sodium_base64_VARIANT_ORIGINAL);
    char *text = mem_calloc(size, 1);
    sodium_bin2base64(text, size, (const unsigned char *)data, len, sodium_base64_VARIANT_ORIGINAL);
    json_t *value = json_string(text);
    free(text);
    return value;
}

/* True when there are photos the core may have. */
static bool ticket_add_photos(const struct report *report, json_t *ticket)
{
    bool added = false;
    json_t *attachments = json_object_get(ticket, "attachments");
    for (size_t i = 0; i < report->attachment_count; i++) {
        const struct report_attachment *photo = &report->attachments[i];
        if (report->visibility != REPORT_PUBLIC || photo->data == NULL)
            continue;
        json_object_set_new(json_array_get(attachments, i), "data",
                            ticket_base64(photo->data, photo->bytes));
        added = true;
    }
    return added;
}

static void ticket_add_json(struct buf *out, const json_t *value)
{
    char *text = json_canonical(value);
    buf_add_text(out, text);
    free(text);
}

/* Writing JSON out is the dearest step of intake: what both texts share is written once.
 * "restricted" is the report's last member. */
void ticket_texts(const struct report *report, struct buf *body, struct buf *ticket)
{
    json_t *canonical = report_json(report);
    json_t *restricted = json_incref(json_object_get(canonical, "restricted"));
    json_object_del(canonical, "restricted");
    char *shared = json_canonical(canonical);
    size_t len = strlen(shared);
    buf_add(body, shared, len - 1);
    buf_add_text(body, ",\"restricted\":");
    ticket_add_json(body, restricted);
    buf_add_char(body, '}');
    if (ticket_add_photos(report, canonical))
        ticket_add_json(ticket, canonical);
    else
        buf_add(ticket, shared, len);
    free(shared);
    json_decref(restricted);
    json_decref(canonical);
}
