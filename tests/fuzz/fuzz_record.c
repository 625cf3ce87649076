/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The frames between worker and gateway: bytes are refused, or they are the one wire form of what
 * was read from them, and that prints as JSON.
 */
#include <stdlib.h>
#include <string.h>

#include "normalize/mem.h"
#include "normalize/record_wire.h"
#include "tests/fuzz/fuzz.h"

static void promise(bool kept)
{
    if (!kept)
        abort();
}

static void check_record(const char *data, size_t size)
{
    struct err err = ERR_INIT;
    struct record record;
    record_init(&record);
    if (record_decode(data, size, &record, &err) == 0) {
        struct buf again = BUF_INIT(RECORD_WIRE_MAX);
        record_encode(&record, &again);
        promise(again.len == size && memcmp(again.data, data, size) == 0);
        json_t *json = record_json(&record);
        char *text = json_canonical(json);
        promise(memchr(text, '\n', strlen(text)) == NULL);
        free(text);
        json_decref(json);
        buf_release(&again);
    } else {
        promise(err.kind == ERR_PERMANENT);
    }
    record_release(&record);
}

static void check_inbound(const char *data, size_t size)
{
    struct err err = ERR_INIT;
    struct inbound in = {0};
    if (inbound_decode(data, size, &in, &err) == 0) {
        struct buf again = BUF_INIT(RECORD_WIRE_MAX);
        inbound_encode(&in, &again);
        promise(again.len == size && memcmp(again.data, data, size) == 0);
        buf_release(&again);
    } else {
        promise(err.kind == ERR_PERMANENT);
    }
    inbound_release(&in);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *bytes = mem_strndup(data, size);
    check_record(bytes, size);
    check_inbound(bytes, size);
    free(bytes);
    return 0;
}
