/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The normalizing process: single-threaded but for what the photo decoders start, one request at a
 * time. It loads all it will ever need, closes the sandbox, and only then reads the first byte from
 * outside.
 */
#include "gateway/worker_pool.h"

#include <malloc.h>
#include <time.h>
#include <unistd.h>

#include "adapters/adapter.h"
#include "gateway/frame.h"
#include "gateway/process.h"
#include "gateway/worker_wire.h"
#include "normalize/mem.h"

enum {
    WORKER_FLUSH_BYTES = 64 * 1024, /* of records gathered for one write */
    WORKER_OUT_MAX = WORKER_FLUSH_BYTES + RECORD_WIRE_MAX + 3 * FRAME_HEADER_SIZE,
    WORKER_MMAP_BYTES = 1024 * 1024, /* larger blocks go back to the system when freed */
    WORKER_WIPE = 0x5a,
};

struct worker {
    int socket;
    struct buf out;
    struct frame_reader reader;
};

/* One PARSE at work. */
struct worker_parse {
    struct worker *worker;
    const struct inbound *in;
    size_t records;
};

/* 0, or -1: the gateway is gone. */
static int worker_flush(struct worker *worker, struct err *err)
{
    int result =
        process_write(worker->socket, worker->out.data, worker->out.len, PROCESS_FOREVER, err);
    if (worker->out.cap > WORKER_FLUSH_BYTES)
        buf_release(&worker->out);
    buf_clear(&worker->out);
    return result;
}

static int worker_say(struct worker *worker, enum worker_frame type, const char *text)
{
    struct err err = ERR_INIT;
    size_t begun = frame_begin(&worker->out);
    buf_add_text(&worker->out, text);
    frame_end(&worker->out, begun, type);
    return worker_flush(worker, &err);
}

/* A draft_sink: one record onto the wire. */
static int worker_sink(void *context, struct draft *draft, struct err *err)
{
    struct worker_parse *parse = context;
    struct buf *out = &parse->worker->out;
    struct record record;
    if (++parse->records > WORKER_RECORDS_MAX)
        return err_set(err, ERR_PERMANENT, "more than %d messages in one", WORKER_RECORDS_MAX);
    record_init(&record);
    int result = normalize_draft(parse->in, draft, &record, err);
    if (result == 0) {
        size_t begun = frame_begin(out);
        record_encode(&record, out);
        frame_end(out, begun, WORKER_RECORD);
        if (out->overflow)
            result = err_set(err, ERR_PERMANENT, "the record is too long");
        else if (out->len > WORKER_FLUSH_BYTES)
            result = worker_flush(parse->worker, err);
    }
    record_release(&record);
    return result;
}

/* A draft_parser: raw is one message's text, nothing around it. */
static int worker_parse_plain(const struct inbound *in, draft_sink *sink, void *context,
                              struct err *err)
{
    struct draft draft;
    const char *native_id = inbound_fact(in, "native_id");
    draft_init(&draft);
    draft.native_id = mem_strdup(native_id == NULL ? "plain" : native_id);
    draft.text = mem_strndup(in->raw, in->raw_len);
    int result = sink(context, &draft, err);
    draft_release(&draft);
    return result;
}

static draft_parser *worker_parser(const char *type)
{
    if (strcmp(type, WORKER_PLAIN_TEXT) == 0)
        return worker_parse_plain;
    const struct adapter *adapter = adapter_find(type);
    return adapter == NULL ? NULL : adapter->parse;
}

static int worker_answer_parse(struct worker *worker, struct frame *frame)
{
    struct inbound in = {.raw = NULL};
    struct err err = ERR_INIT;
    struct worker_parse parse = {.worker = worker, .in = &in};
    int result = inbound_decode(frame->data, frame->len, &in, &err);
    frame_release(frame); /* its memory is needed for what comes */
    draft_parser *parser = result == 0 ? worker_parser(in.channel_type) : NULL;
    if (result == 0 && parser == NULL)
        result = err_set(&err, ERR_PERMANENT, "no parser for messages of this type");
    if (result == 0)
        result = parser(&in, worker_sink, &parse, &err);
    inbound_release(&in);
    if (worker->out.overflow)
        buf_clear(&worker->out);
    return worker_say(worker, result == 0 ? WORKER_PARSED : WORKER_NOT_PARSED,
                      result == 0 ? NULL : err.text);
}

static int worker_send_photo(struct worker *worker, const struct photo *photo)
{
    struct err err = ERR_INIT;
    uint32_t type = 0;
    while (strcmp(worker_photo_types[type], photo->media_type) != 0)
        type++;
    size_t begun = frame_begin(&worker->out);
    buf_add_u32(&worker->out, type);
    buf_add_u32(&worker->out, photo->width);
    buf_add_u32(&worker->out, photo->height);
    buf_add(&worker->out, photo->data, photo->len);
    frame_end(&worker->out, begun, WORKER_CLEAN);
    return worker_flush(worker, &err);
}

static int worker_answer_photo(struct worker *worker, struct frame *frame)
{
    struct photo photo = {.data = NULL};
    struct err err = ERR_INIT;
    int result;
    if (photo_sniff(frame->data, frame->len) == NULL) {
        result = worker_say(worker, WORKER_NO_PHOTO, NULL);
    } else if (photo_clean(frame->data, frame->len, &photo, &err) != 0) {
        result = worker_say(worker, WORKER_UNREADABLE, NULL);
    } else {
        result = worker_send_photo(worker, &photo);
        photo_release(&photo);
    }
    return result;
}

static int worker_answer(struct worker *worker, struct frame *frame)
{
    switch (frame->type) {
    case WORKER_PARSE:
        return worker_answer_parse(worker, frame);
    case WORKER_PHOTO:
        return worker_answer_photo(worker, frame);
    default:
        return -1;
    }
}

/* One heap for all threads: glibc's own heap per thread takes 64 MiB of addresses each, which the
 * memory limit counts. What is freed is overwritten: nothing of a message is left for a fault that
 * a later one finds. */
static void worker_tune_memory(void)
{
    mallopt(M_ARENA_MAX, 1);
    mallopt(M_MMAP_THRESHOLD, WORKER_MMAP_BYTES);
    mallopt(M_TRIM_THRESHOLD, 2 * WORKER_MMAP_BYTES);
    mallopt(M_PERTURB, WORKER_WIPE);
}

static int worker_start(struct err *err)
{
    tzset(); /* reads a file the first time */
    if (photo_start(err) != 0)
        return -1;
    for (const struct adapter *const *adapter = adapters; *adapter != NULL; adapter++) {
        if ((*adapter)->parse_start != NULL)
            (*adapter)->parse_start();
    }
    return worker_sandbox(err);
}

int worker_main(int socket)
{
    static struct worker worker;
    struct err err = ERR_INIT;
    struct frame frame;
    process_begin_role("kanal-worker");
    worker_tune_memory();
    worker.socket = socket;
    buf_init(&worker.out, WORKER_OUT_MAX);
    frame_reader_init(&worker.reader, socket);
    int result = worker_start(&err);
    if (worker_say(&worker, result == 0 ? WORKER_READY : WORKER_FAILED,
                   result == 0 ? NULL : err.text) != 0)
        result = -1;
    while (result == 0 &&
           frame_read(&worker.reader, WORKER_PARSE_MAX, PROCESS_FOREVER, &frame, &err) == 0) {
        result = worker_answer(&worker, &frame);
        frame_release(&frame);
    }
    /* Past the exit handlers of libraries, which may want what the sandbox forbids. */
    _exit(result == 0 ? 0 : 1);
}
