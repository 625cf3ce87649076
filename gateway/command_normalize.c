/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `kanal normalize`: what would become of a recorded message, without channel, keys or queue. The
 * input is as hostile as any, so it goes to a sandboxed worker like any; one worker, so that
 * answers come in the order of the input.
 */
#include <ctype.h>
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/command.h"
#include "gateway/normalize_arguments.h"
#include "gateway/process.h"
#include "gateway/worker_pool.h"
#include "normalize/mem.h"

enum {
    NORMALIZE_AHEAD = 64,        /* lines that may wait for the worker */
    NORMALIZE_BOUNDARY_MAX = 70, /* RFC 2046 */
};

struct normalize_run {
    struct normalize_arguments arguments;
    struct worker_pool *pool;
    int status; /* the worst so far; the worker thread's while there is a pool */
};

/* One input on its way: a whole file or a line. */
struct normalize_job {
    struct normalize_run *run;
    const char *wrong; /* the line is none of ours: this is why */
};

/* Options of channels that parsers know by another name. */
static const struct {
    const char *option, *fact;
} normalize_names[] = {{"address", "own_address"}};

/* --- Output, on the worker's thread --- */

static void normalize_print(json_t *value)
{
    char *text = json_canonical(value);
    puts(text);
    free(text);
    json_decref(value);
}

/* Lines keep their number: what gives no report gives an object that says why. */
static void normalize_fail(struct normalize_run *run, const char *why, int status)
{
    if (run->arguments.lines)
        normalize_print(json_pack("{s:n, s:s}", "report", "error", why));
    else
        fprintf(stderr, "kanal: %s\n", why);
    run->status = status;
}

static void normalize_record(struct normalize_run *run, const struct record *record)
{
    for (size_t i = 0; i < record->problem_count; i++)
        fprintf(stderr, "kanal: refused: %s: %s\n", record->problems[i].field,
                record->problems[i].code);
    if (record->problem_count == 0)
        normalize_print(record_json(record));
    else
        run->status = COMMAND_REFUSED;
}

/* A worker_done. */
static void normalize_done(void *context, struct inbound *in, struct worker_result *result)
{
    struct normalize_job *job = context;
    struct normalize_run *run = job->run;
    if (job->wrong != NULL)
        normalize_fail(run, job->wrong, COMMAND_REFUSED);
    else if (result->failure != NULL)
        normalize_fail(run, result->err.kind == ERR_NONE ? result->failure : result->err.text,
                       result->err.kind == ERR_TRANSIENT ? COMMAND_AGAIN : COMMAND_REFUSED);
    else
        for (size_t i = 0; i < result->count; i++)
            normalize_record(run, &result->records[i]);
    inbound_release(in);
    free(in);
    free(job);
}

/* --- Input --- */

static struct inbound *normalize_inbound(const struct normalize_run *run, const char *type,
                                         const char *kind, char *raw, size_t len)
{
    const struct normalize_arguments *arguments = &run->arguments;
    struct inbound *in = mem_calloc(1, sizeof *in);
    const char *id = arguments->channel_id;
    if (id == NULL)
        id = arguments->lines ? kind : type;
    inbound_init(in, id, type, kind, arguments->received_ms, raw, len);
    return in;
}

static void normalize_submit(struct normalize_run *run, struct inbound *in, const char *wrong)
{
    struct normalize_job *job = mem_calloc(1, sizeof *job);
    struct err err = ERR_INIT;
    *job = (struct normalize_job){.run = run, .wrong = wrong};
    /* It waits for room, and the pool does not stop before us: nothing to refuse it for. */
    if (worker_pool_submit(run->pool, in, true, normalize_done, job, &err) != 0)
        abort();
}

/* What the transport would have said of a body whose headers were not recorded. */
static void normalize_guess_type(struct inbound *in)
{
    const char *first = in->raw;
    size_t left = in->raw_len;
    for (; left > 0 && isspace((unsigned char)*first); first++)
        left--;
    if (left > 0 && (*first == '{' || *first == '[')) {
        inbound_fact_add(in, "content_type", "application/json");
    } else if (left > 2 && memcmp(first, "--", 2) == 0) {
        size_t len = 0;
        while (len < left - 2 && len < NORMALIZE_BOUNDARY_MAX &&
               !isspace((unsigned char)first[2 + len]))
            len++;
        struct buf type = BUF_INIT(INBOUND_FACT_LEN_MAX);
        buf_addf(&type, "multipart/form-data; boundary=\"%.*s\"", (int)len, first + 2);
        inbound_fact_add(in, "content_type", type.data);
        buf_release(&type);
    } else {
        inbound_fact_add(in, "content_type", "application/x-www-form-urlencoded");
    }
}

/* Adds an option as the fact that its channel would make of it. */
static void normalize_add_fact(const struct adapter *adapter, const struct inbound_fact *fact,
                               struct inbound *in)
{
    const struct option_spec *spec =
        adapter->options == NULL ? NULL : option_find(adapter->options, fact->key);
    const char *name = fact->key;
    for (size_t i = 0; i < sizeof normalize_names / sizeof normalize_names[0]; i++) {
        if (strcmp(name, normalize_names[i].option) == 0)
            name = normalize_names[i].fact;
    }
    if (spec == NULL || spec->type != OPTION_SECRET)
        inbound_fact_add(in, name, fact->value);
}

static void normalize_one(struct normalize_run *run, char *raw, size_t len)
{
    const struct adapter *adapter = run->arguments.adapter;
    struct inbound *in = normalize_inbound(run, adapter->name, adapter->kind, raw, len);
    for (size_t i = 0; i < run->arguments.fact_count; i++)
        normalize_add_fact(adapter, &run->arguments.facts[i], in);
    if (adapter->receive != NULL && inbound_fact(in, "content_type") == NULL)
        normalize_guess_type(in);
    normalize_submit(run, in, NULL);
}

/* {"channel", "raw_text"} */
static void normalize_line(struct normalize_run *run, const char *line, size_t len, size_t number)
{
    json_t *value = json_loadb(line, len, JSON_REJECT_DUPLICATES, NULL);
    const char *kind = json_string_value(json_object_get(value, "channel"));
    const json_t *text = json_object_get(value, "raw_text");
    bool right = kind != NULL && json_is_string(text);
    size_t text_len = right ? json_string_length(text) : 0;
    char *raw = mem_strndup(right ? json_string_value(text) : NULL, text_len);
    char native_id[32];
    struct inbound *in =
        normalize_inbound(run, WORKER_PLAIN_TEXT, right ? kind : "none", raw, text_len);
    snprintf(native_id, sizeof native_id, "line:%zu", number);
    inbound_fact_add(in, "native_id", native_id);
    normalize_submit(run, in, right ? NULL : "expected {\"channel\": KIND, \"raw_text\": TEXT}");
    json_decref(value);
}

static void normalize_lines(struct normalize_run *run, FILE *file)
{
    char *line = NULL;
    size_t size = 0, number = 0;
    ssize_t len;
    while ((len = getline(&line, &size, file)) > 0) {
        number++;
        if (strspn(line, " \t\r\n") < (size_t)len)
            normalize_line(run, line, (size_t)len, number);
    }
    free(line);
}

static int normalize_whole(struct normalize_run *run, FILE *file)
{
    struct buf raw = BUF_INIT(INBOUND_RAW_MAX);
    char block[16 * 1024];
    size_t n, len;
    while (!raw.overflow && (n = fread(block, 1, sizeof block, file)) > 0)
        buf_add(&raw, block, n);
    if (raw.overflow) {
        fprintf(stderr, "kanal: the input is longer than %d bytes\n", INBOUND_RAW_MAX);
        buf_release(&raw);
        return COMMAND_REFUSED;
    }
    char *data = buf_detach(&raw, &len);
    normalize_one(run, data, len);
    return COMMAND_DONE;
}

/* An exit status: how the reading went; what was read has its own. */
static int normalize_file(struct normalize_run *run)
{
    const char *name = run->arguments.file;
    FILE *file = strcmp(name, "-") == 0 ? stdin : fopen(name, "re");
    int status = COMMAND_DONE;
    if (file != NULL && run->arguments.lines)
        normalize_lines(run, file);
    else if (file != NULL)
        status = normalize_whole(run, file);
    if (file == NULL || ferror(file)) {
        fprintf(stderr, "kanal: cannot read '%s': %s\n", name, strerror(errno));
        status = COMMAND_REFUSED;
    }
    if (file != NULL && file != stdin)
        fclose(file);
    return status;
}

int command_normalize(int argc, char **argv)
{
    struct normalize_run run = {.arguments = {.received_ms = clock_wall_ms()}};
    struct err err = ERR_INIT;
    int status = normalize_arguments_read(argc, argv, &run.arguments);
    if (status != -1)
        return status;
    if (worker_pool_start(1, NORMALIZE_AHEAD, SIZE_MAX, &run.pool, &err) != 0)
        return command_fail("cannot start a worker", &err);
    status = normalize_file(&run);
    worker_pool_stop(run.pool);
    return status == COMMAND_DONE ? run.status : status;
}
