/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/ticket.h"

#include <sodium.h>
#include <stdlib.h>

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

void ticket_json(const struct report *report, json_t *canonical, struct buf *out)
{
    json_object_del(canonical, "restricted");
    json_t *attachments = json_object_get(canonical, "attachments");
    for (size_t i = 0; i < report->attachment_count; i++) {
        const struct report_attachment *photo = &report->attachments[i];
        if (report->visibility == REPORT_PUBLIC && photo->data != NULL)
            json_object_set_new(json_array_get(attachments, i), "data",
                                ticket_base64(photo->data, photo->bytes));
    }
    char *text = json_canonical(canonical);
    buf_add_text(out, text);
    free(text);
}
