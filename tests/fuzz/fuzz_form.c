/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The web form: the first line of an input is its content type, the rest its body. Whatever the
 * bytes are, there is one message; the record made of it is one the gateway takes; either it names
 * what is wrong, or its story is long enough and its photos look like photos; and the same bytes
 * give the same record.
 */
#include <stdlib.h>
#include <string.h>

#include "normalize/form.h"
#include "normalize/mem.h"
#include "normalize/photo.h"
#include "normalize/record_wire.h"
#include "normalize/text.h"
#include "tests/fuzz/fuzz.h"

enum { STORY_MIN = 20 };

static void promise(bool kept)
{
    if (!kept)
        abort();
}

static void check_accepted(const struct report *report)
{
    promise(report->story != NULL && text_length(report->story) >= STORY_MIN);
    promise(text_length(report->story) <= FORM_STORY_MAX);
    promise(report->attachment_count <= FORM_PHOTOS_MAX);
    for (size_t i = 0; i < report->attachment_count; i++)
        promise(photo_sniff(report->attachments[i].data, report->attachments[i].bytes) != NULL);
}

struct reading {
    const struct inbound *in;
    struct buf *wire;
    size_t messages;
};

static int check(void *context, struct draft *draft, struct err *err)
{
    struct reading *reading = context;
    struct record record, taken;
    reading->messages++;
    record_init(&record);
    record_init(&taken);
    promise(normalize_draft(reading->in, draft, &record, err) == 0);
    if (record.problem_count == 0)
        check_accepted(&record.report);
    else
        promise(record.report.attachment_count == 0);
    record_encode(&record, reading->wire);
    promise(record_decode(reading->wire->data, reading->wire->len, &taken, err) == 0);
    record_release(&record);
    record_release(&taken);
    return 0;
}

static void read_form(const char *type, const char *body, size_t len, struct buf *wire)
{
    struct err err = ERR_INIT;
    struct inbound in;
    inbound_init(&in, "web", "web_form", "web", 1795230207123, mem_strndup(body, len), len);
    inbound_fact_add(&in, "content_type", type);
    inbound_fact_add(&in, "categories", "jalan,lampu-jalan,lainnya");
    inbound_fact_add(&in, "story_min", "20");
    struct reading reading = {.in = &in, .wire = wire};
    promise(form_parse(&in, check, &reading, &err) == 0);
    promise(reading.messages == 1);
    inbound_release(&in);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    form_start();
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct buf once = BUF_INIT(RECORD_WIRE_MAX), again = BUF_INIT(RECORD_WIRE_MAX);
    const char *bytes = (const char *)data;
    const char *line = size == 0 ? NULL : memchr(bytes, '\n', size);
    if (line == NULL)
        return 0;
    char *type = mem_strndup(bytes, (size_t)(line - bytes));
    size_t left = size - (size_t)(line + 1 - bytes);
    read_form(type, line + 1, left, &once);
    read_form(type, line + 1, left, &again);
    promise(once.len == again.len && memcmp(once.data, again.data, once.len) == 0);
    free(type);
    buf_release(&once);
    buf_release(&again);
    return 0;
}
