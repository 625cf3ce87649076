/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/worker_slot.h"

#include <errno.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "gateway/log.h"
#include "gateway/metrics.h"
#include "gateway/process.h"
#include "gateway/worker_wire.h"
#include "normalize/mem.h"

enum {
    SLOT_START_MS = 30 * 1000,    /* libraries load from a cold disk */
    SLOT_PATIENCE_MS = 10 * 1000, /* a unit of work waits this long for a worker to start */
    SLOT_PAUSE_MS = 100,          /* between two tries to start one */
    SLOT_REAP_MS = 1000,          /* a worker whose socket closed is as good as gone */
    SLOT_END_MS = 2000,
    /* Then a fresh process: neither what libraries leak nor an intruder outlives it. A start costs
     * as much as a thousand short units, so that a flood pays twice its price for it at the most.
     */
    SLOT_UNITS_MAX = 1000,
    SLOT_LIFE_CPU_S = (SLOT_UNITS_MAX + 1) * (WORKER_CPU_S + 1), /* all units together */
    SLOT_KEEP_BYTES = 64 * 1024,
    SLOT_ANSWER_MAX = RECORD_WIRE_MAX + 24 * 1024 * 1024, /* all records of one inbound together */
    SLOT_PHOTOS_MAX = 128 * 1024 * 1024,                  /* all clean photos of one inbound */
    SLOT_RECORD_STEP = 8,
};

/* Why a try failed. The first two are worth another. */
enum slot_failure {
    SLOT_KILLED, /* from outside: an operator, the kernel out of memory */
    SLOT_CRASHED,
    SLOT_CPU,
    SLOT_WALL,
    SLOT_MEMORY,
    SLOT_LIED,
    SLOT_UNAVAILABLE,
    SLOT_DONE,
};

/* As callers and logs see it. */
static const char *const slot_words[] = {
    [SLOT_KILLED] = "worker_crashed",   [SLOT_CRASHED] = "worker_crashed",
    [SLOT_CPU] = "cpu_limit",           [SLOT_WALL] = "wall_limit",
    [SLOT_MEMORY] = "memory_limit",     [SLOT_LIED] = "bad_record",
    [SLOT_UNAVAILABLE] = "unavailable",
};

const char *const worker_photo_types[] = {"image/jpeg", "image/png", NULL};

/* A unit of work: what is sent, and what takes the answers. */
struct slot_unit {
    enum worker_frame type;
    const void *data;
    size_t len;
    int64_t deadline_ms; /* besides its own WORKER_WALL_MS */
    /* Takes one answer: 1 more follow, 0 that was the last, -1 a worker cannot say that (err). */
    int (*take)(void *context, const struct frame *frame, struct err *err);
    void (*forget)(void *context); /* drops what was taken; may be NULL */
    void *context;
};

void worker_slot_init(struct worker_slot *slot, atomic_ulong *replaced,
                      const atomic_bool *cancelled)
{
    atomic_init(&slot->pid, 0);
    slot->socket = -1;
    slot->replaced = replaced;
    slot->cancelled = cancelled;
    buf_init(&slot->out, WORKER_PARSE_MAX);
}

static void slot_drop(struct worker_slot *slot)
{
    close(slot->socket);
    slot->socket = -1;
    atomic_store(&slot->pid, 0);
}

/* The worker sees the end of its socket, and goes. */
static void slot_end(struct worker_slot *slot)
{
    pid_t pid = atomic_load(&slot->pid);
    slot_drop(slot);
    process_end(pid, SLOT_END_MS);
}

void worker_slot_refresh(struct worker_slot *slot)
{
    if (slot->socket >= 0 && slot->decoded)
        slot_end(slot);
}

void worker_slot_stop(struct worker_slot *slot)
{
    if (slot->socket >= 0)
        slot_end(slot);
    buf_release(&slot->out);
}

int worker_slot_start(struct worker_slot *slot, struct err *err)
{
    const char *argv[] = {"kanal", "normalize-worker", NULL};
    struct frame frame = {.data = NULL};
    pid_t pid;
    if (slot->socket >= 0)
        return 0;
    if (process_start(argv, &pid, &slot->socket, err) != 0)
        return -1;
    atomic_store(&slot->pid, pid);
    slot->cpu_limit_s = 0;
    slot->units = 0;
    slot->decoded = false;
    frame_reader_init(&slot->reader, slot->socket);
    int result =
        frame_read(&slot->reader, WORKER_TEXT_MAX * 2, clock_ms() + SLOT_START_MS, &frame, err);
    if (result == 0 && frame.type != WORKER_READY)
        result = err_set(err, ERR_CONFIG, "a worker cannot start: %.*s", WORKER_TEXT_MAX,
                         frame.len > 0 ? frame.data : "");
    if (result == 1)
        err_set(err, ERR_TRANSIENT, "a worker died while it started");
    frame_release(&frame);
    if (result == 0)
        return 0;
    process_kill(pid);
    slot_drop(slot);
    return -1;
}

/* WORKER_CPU_S more than the process has used so far, rounded up to whole seconds. */
static void slot_limit_cpu(struct worker_slot *slot)
{
    clockid_t clock;
    struct timespec used;
    pid_t pid = atomic_load(&slot->pid);
    if (clock_getcpuclockid(pid, &clock) != 0 || clock_gettime(clock, &used) != 0)
        return; /* it is dead already: the next read says so */
    uint64_t limit_s = (uint64_t)used.tv_sec + 1 + WORKER_CPU_S;
    if (limit_s == slot->cpu_limit_s)
        return;
    /* The hard limit ends a worker that ignores the signal and computes between its units. */
    prlimit(pid, RLIMIT_CPU, &(struct rlimit){limit_s, SLOT_LIFE_CPU_S}, NULL);
    slot->cpu_limit_s = limit_s;
}

static enum slot_failure slot_cause(int status)
{
    if (WIFEXITED(status))
        return WEXITSTATUS(status) == WORKER_EXIT_MEMORY ? SLOT_MEMORY : SLOT_CRASHED;
    if (!WIFSIGNALED(status))
        return SLOT_CRASHED;
    switch (WTERMSIG(status)) {
    case SIGXCPU:
        return SLOT_CPU;
    case SIGKILL:
        return SLOT_KILLED;
    default:
        return SLOT_CRASHED;
    }
}

/* Gets rid of a worker that broke down, and finds out how. known: SLOT_DONE when it is to be seen.
 */
static enum slot_failure slot_bury(struct worker_slot *slot, enum slot_failure known)
{
    pid_t pid = atomic_load(&slot->pid);
    int status = known == SLOT_DONE ? process_end(pid, SLOT_REAP_MS) : process_kill(pid);
    slot_drop(slot);
    enum slot_failure failure = known == SLOT_DONE ? slot_cause(status) : known;
    atomic_fetch_add(slot->replaced, 1);
    metrics_add(METRIC_WORKERS_REPLACED, NULL, 1);
    log_event_word(LOG_WORKER_REPLACED, NULL,
                   failure == SLOT_KILLED ? "worker_killed" : slot_words[failure], NULL);
    return failure;
}

/* Whether the worker says something unasked: it would be taken for the next answer. */
static bool slot_is_talking(struct worker_slot *slot)
{
    char byte;
    return recv(slot->socket, &byte, 1, MSG_PEEK | MSG_DONTWAIT) > 0;
}

/* Waits for a worker for a while; what keeps it from starting is the machine's trouble, not the
 * message's. */
static enum slot_failure slot_ready(struct worker_slot *slot)
{
    int64_t deadline_ms = clock_ms() + SLOT_PATIENCE_MS;
    if (slot->socket >= 0 && slot_is_talking(slot))
        slot_bury(slot, SLOT_LIED);
    if (slot->socket >= 0 && slot->units >= SLOT_UNITS_MAX)
        slot_end(slot);
    for (;;) {
        struct err err = ERR_INIT;
        if (worker_slot_start(slot, &err) == 0)
            return SLOT_DONE;
        if (clock_ms() >= deadline_ms || atomic_load(slot->cancelled)) {
            log_event_word(LOG_WORKER_REPLACED, NULL, "not_started", &err);
            return SLOT_UNAVAILABLE;
        }
        usleep(SLOT_PAUSE_MS * 1000);
    }
}

/* One try at a unit on the worker there is. */
static enum slot_failure slot_try(struct worker_slot *slot, const struct slot_unit *unit,
                                  struct err *err)
{
    int64_t deadline_ms = clock_ms() + WORKER_WALL_MS;
    if (deadline_ms > unit->deadline_ms)
        deadline_ms = unit->deadline_ms;
    slot_limit_cpu(slot);
    slot->units++;
    slot->decoded = slot->decoded || unit->type == WORKER_PHOTO;
    int more = frame_write(slot->socket, unit->type, unit->data, unit->len, deadline_ms, err);
    if (more == 0)
        more = 1;
    size_t total = 0;
    while (more == 1) {
        struct frame frame;
        int read = frame_read(&slot->reader, RECORD_WIRE_MAX, deadline_ms, &frame, err);
        if (read != 0) {
            more = -1;
            break;
        }
        total += frame.len;
        more = total > SLOT_ANSWER_MAX ? err_set(err, ERR_PERMANENT, "an answer is too long")
                                       : unit->take(unit->context, &frame, err);
        frame_release(&frame);
    }
    /* Nobody asked for what is left: the next answer would not be the next question's. */
    if (more == 0 && slot->reader.start != slot->reader.end)
        more = err_set(err, ERR_PERMANENT, "an answer nobody asked for");
    if (more == 0)
        return SLOT_DONE;
    if (err->kind == ERR_PERMANENT)
        return slot_bury(slot, SLOT_LIED);
    return slot_bury(slot, clock_ms() >= deadline_ms ? SLOT_WALL : SLOT_DONE);
}

/*
 * Tries a unit until it is done or there is no point. Killed from outside: once more. Crashed: once
 * more, for the fault may be an earlier message's. Out of memory: likewise, but only when the
 * process had done other work before.
 */
static enum slot_failure slot_do(struct worker_slot *slot, const struct slot_unit *unit,
                                 struct err *err)
{
    unsigned tries[SLOT_DONE] = {0};
    for (;;) {
        enum slot_failure failure = slot_ready(slot);
        if (failure != SLOT_DONE)
            return failure;
        bool fresh = slot->units == 0;
        err_clear(err);
        failure = slot_try(slot, unit, err);
        if (failure == SLOT_DONE)
            return SLOT_DONE;
        if (unit->forget != NULL)
            unit->forget(unit->context);
        bool again =
            failure == SLOT_KILLED || failure == SLOT_CRASHED || (failure == SLOT_MEMORY && !fresh);
        if (!again || tries[failure]++ > 0 || clock_ms() >= unit->deadline_ms ||
            atomic_load(slot->cancelled))
            return failure;
    }
}

/* --- Parsing --- */

static void slot_forget_records(void *context)
{
    struct worker_result *result = context;
    worker_result_release(result);
}

static int slot_take_record(struct worker_result *result, const struct frame *frame,
                            struct err *err)
{
    if (result->count == WORKER_RECORDS_MAX)
        return err_set(err, ERR_PERMANENT, "more than %d records", WORKER_RECORDS_MAX);
    if (result->count % SLOT_RECORD_STEP == 0)
        result->records =
            mem_realloc(result->records, result->count + SLOT_RECORD_STEP, sizeof *result->records);
    struct record *record = &result->records[result->count++];
    record_init(record);
    return record_decode(frame->data, frame->len, record, err) == 0 ? 1 : -1;
}

/* The worker's own words, as far as they may stand in a log. */
static void slot_take_reason(struct worker_result *result, const struct frame *frame)
{
    char text[WORKER_TEXT_MAX + 1];
    size_t len = frame->len < WORKER_TEXT_MAX ? frame->len : WORKER_TEXT_MAX;
    for (size_t i = 0; i < len; i++)
        text[i] = frame->data[i] >= ' ' && frame->data[i] <= '~' ? frame->data[i] : '?';
    text[len] = '\0';
    err_set(&result->err, ERR_PERMANENT, "%s", text);
}

/* Answers to PARSE. */
static int slot_take_parsed(void *context, const struct frame *frame, struct err *err)
{
    struct worker_result *result = context;
    switch (frame->type) {
    case WORKER_RECORD:
        return slot_take_record(result, frame, err);
    case WORKER_PARSED:
        return 0;
    case WORKER_NOT_PARSED:
        worker_result_release(result);
        result->failure = "not_parsed";
        slot_take_reason(result, frame);
        return 0;
    default:
        return err_set(err, ERR_PERMANENT, "an answer of another kind");
    }
}

/* Nobody looked at it: the source offers it again. */
static void slot_unavailable(struct worker_result *result)
{
    result->failure = slot_words[SLOT_UNAVAILABLE];
    err_set(&result->err, ERR_TRANSIENT, "no worker can be started");
}

static void slot_parse(struct worker_slot *slot, const struct inbound *in,
                       struct worker_result *result)
{
    struct err err = ERR_INIT;
    inbound_encode(in, &slot->out);
    struct slot_unit unit = {
        .type = WORKER_PARSE,
        .data = slot->out.data,
        .len = slot->out.len,
        .deadline_ms = PROCESS_FOREVER,
        .take = slot_take_parsed,
        .forget = slot_forget_records,
        .context = result,
    };
    enum slot_failure failure = SLOT_DONE;
    if (slot->out.overflow) {
        result->failure = "not_parsed";
        err_set(&result->err, ERR_PERMANENT, "the message is too long");
    } else {
        failure = slot_do(slot, &unit, &err);
    }
    if (slot->out.cap > SLOT_KEEP_BYTES)
        buf_release(&slot->out);
    buf_clear(&slot->out);
    for (size_t i = 0; i < result->count; i++)
        record_set_origin(&result->records[i], in);
    if (failure == SLOT_DONE)
        return;
    result->failure = slot_words[failure];
    if (failure == SLOT_LIED)
        result->err = err;
    if (failure == SLOT_UNAVAILABLE)
        slot_unavailable(result);
}

/* --- Photos --- */

static uint32_t slot_u32(const char *at)
{
    const unsigned char *bytes = (const unsigned char *)at;
    return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | bytes[3];
}

/* What a photo's turn gave: all as it was unless the worker said otherwise. */
struct slot_photo {
    struct report_attachment *attachment;
    const char *warning;
};

/* A clean photo is believed when it is what it says and within what we ask for. */
static int slot_take_clean(struct report_attachment *attachment, const struct frame *frame,
                           struct err *err)
{
    if (frame->len <= WORKER_CLEAN_HEAD || frame->len > WORKER_CLEAN_HEAD + PHOTO_BYTES_MAX)
        return err_set(err, ERR_PERMANENT, "a photo of that length");
    uint32_t type = slot_u32(frame->data);
    uint32_t width = slot_u32(frame->data + 4), height = slot_u32(frame->data + 8);
    const char *data = frame->data + WORKER_CLEAN_HEAD;
    size_t len = frame->len - WORKER_CLEAN_HEAD;
    const char *sniffed = photo_sniff(data, len);
    if (type > 1 || sniffed == NULL || strcmp(sniffed, worker_photo_types[type]) != 0 ||
        width < 1 || width > PHOTO_SIDE_MAX || height < 1 || height > PHOTO_SIDE_MAX)
        return err_set(err, ERR_PERMANENT, "a photo that is none");
    free(attachment->media_type);
    free(attachment->data);
    attachment->media_type = mem_strdup(sniffed);
    attachment->data = mem_strndup(data, len);
    attachment->bytes = len;
    attachment->width = width;
    attachment->height = height;
    return 0;
}

/* Answers to PHOTO. */
static int slot_take_photo(void *context, const struct frame *frame, struct err *err)
{
    struct slot_photo *photo = context;
    switch (frame->type) {
    case WORKER_CLEAN:
        return slot_take_clean(photo->attachment, frame, err);
    case WORKER_NO_PHOTO:
        photo->warning = "attachment_withheld";
        return 0;
    case WORKER_UNREADABLE:
        photo->warning = "photo_unreadable";
        return 0;
    default:
        return err_set(err, ERR_PERMANENT, "an answer of another kind");
    }
}

/* What all photos of one inbound may take together. */
struct slot_room {
    int64_t deadline_ms;
    size_t bytes;
};

static void slot_clean(struct worker_slot *slot, struct report *report,
                       struct report_attachment *attachment, struct slot_room *room)
{
    struct err err = ERR_INIT;
    struct slot_photo photo = {.attachment = attachment};
    struct slot_unit unit = {
        .type = WORKER_PHOTO,
        .data = attachment->data,
        .len = attachment->bytes,
        .deadline_ms = room->deadline_ms,
        .take = slot_take_photo,
        .context = &photo,
    };
    if (attachment->data == NULL || attachment->bytes > PHOTO_BYTES_MAX)
        photo.warning = "attachment_withheld";
    else if (room->bytes == 0 || clock_ms() >= room->deadline_ms ||
             slot_do(slot, &unit, &err) != SLOT_DONE)
        photo.warning = "photo_unreadable";
    if (photo.warning == NULL) {
        room->bytes -= attachment->bytes < room->bytes ? attachment->bytes : room->bytes;
        return;
    }
    free(attachment->data);
    attachment->data = NULL;
    report_warn(report, photo.warning);
}

void worker_slot_work(struct worker_slot *slot, const struct inbound *in,
                      struct worker_result *result)
{
    *result = (struct worker_result){.records = NULL};
    if (!atomic_load(slot->cancelled))
        slot_parse(slot, in, result);
    struct slot_room room = {clock_ms() + WORKER_PHOTOS_MS, SLOT_PHOTOS_MAX};
    for (size_t i = 0; i < result->count; i++) {
        struct report *report = &result->records[i].report;
        for (size_t j = 0; j < report->attachment_count; j++)
            slot_clean(slot, report, &report->attachments[j], &room);
    }
    /* Whatever a worker that was killed for the stop left undone is nobody's fault. */
    if (atomic_load(slot->cancelled)) {
        err_clear(&result->err);
        slot_unavailable(result);
    }
    if (result->failure != NULL)
        worker_result_release(result);
}

void worker_result_release(struct worker_result *result)
{
    for (size_t i = 0; i < result->count; i++)
        record_release(&result->records[i]);
    free(result->records);
    result->records = NULL;
    result->count = 0;
}
