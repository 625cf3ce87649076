/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Durable entries per second of queue_apply() in batches, next to a bare SQLite loop that commits
 * the same bytes as one row each, with the same pragmas, in the same run.
 * Usage: bench_queue [FOLDER [ENTRIES]]
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <sodium.h>

#include "queue/queue.h"
#include "tests/bench/bare.h"

enum {
    BODY = 1536,
    REPORTER = 400,
    REPLY = 200,
    BLOB = 1024,
    PAYLOAD = 1024,
    ROW = BODY + REPORTER + REPLY + BLOB + PAYLOAD,
    BATCH = 100,
    ROUNDS = 3,
};

struct bench_item {
    unsigned char key[QUEUE_DEDUP_KEY_SIZE], fingerprint[QUEUE_DEDUP_KEY_SIZE];
    unsigned char index[QUEUE_INDEX_SIZE];
    char id[REPORT_ID_SIZE];
    unsigned char bytes[ROW];
    struct queue_entry entry;
    struct queue_op op;
};

static void bench_item_fill(struct bench_item *item)
{
    uint64_t random;
    randombytes_buf(&random, sizeof random);
    randombytes_buf(item->key, sizeof item->key);
    randombytes_buf(item->index, sizeof item->index);
    report_id_make(random, item->id);
    const unsigned char *at = item->bytes;
    item->entry = (struct queue_entry){
        .kind = QUEUE_REPORT,
        .id = item->id,
        .dedup_key = item->key,
        .dedup_fingerprint = item->fingerprint,
        .channel_id = "surel-pusat",
        .channel_kind = "email",
        .category = "jalan",
        .kelurahan_code = "31.75.07.1002",
        .language = "id",
        .received_day = 20778,
        .reporter_index = item->index,
        .body = {at, BODY},
        .reporter = {at + BODY, REPORTER},
        .reply = {at + BODY + REPORTER, REPLY},
        .blobs = {{.field = "original",
                   .data = {at + BODY + REPORTER + REPLY, BLOB},
                   .expires_day = 20808}},
        .blob_count = 1,
        .outbox = {{.topic = QUEUE_TO_CORE,
                    .kind = "ticket",
                    .payload = {at + ROW - PAYLOAD, PAYLOAD}}},
        .outbox_count = 1,
    };
    item->op = (struct queue_op){.kind = QUEUE_ACCEPT, .entry = &item->entry};
}

static int bench_apply(struct queue *queue, struct bench_item *items, int64_t now_ms)
{
    struct queue_op *ops[BATCH];
    struct err err = ERR_INIT;
    for (size_t i = 0; i < BATCH; i++)
        ops[i] = &items[i].op;
    if (queue_apply(queue, ops, BATCH, now_ms, &err) == 0)
        return 0;
    fprintf(stderr, "bench_queue: %s\n", err.text);
    return -1;
}

/* Seconds for entries through the queue; only queue_apply() is timed. -1 on errors. */
static double bench_queue(const char *folder, size_t entries, struct bench_item *items)
{
    const struct queue_options options = {.path = folder};
    struct queue *queue = NULL;
    struct err err = ERR_INIT;
    double took = 0;
    if (queue_open("sqlite", &options, 1, &queue, &err) < 0) {
        fprintf(stderr, "bench_queue: %s\n", err.text);
        return -1;
    }
    for (size_t done = 0; done < entries && took >= 0; done += BATCH) {
        for (size_t i = 0; i < BATCH; i++)
            bench_item_fill(&items[i]);
        double start = bare_now();
        if (bench_apply(queue, items, 1 + (int64_t)done) < 0)
            took = -1;
        else
            took += bare_now() - start;
    }
    queue_close(queue);
    return took;
}

int main(int argc, char **argv)
{
    const char *folder = argc > 1 ? argv[1] : "bench-queue";
    size_t entries = argc > 2 ? strtoull(argv[2], NULL, 10) : 20000;
    if (sodium_init() < 0 || (mkdir(folder, 0700) < 0 && errno != EEXIST))
        return 1;
    struct bench_item *items = calloc(BATCH, sizeof *items);
    if (items == NULL)
        return 1;
    for (size_t i = 0; i < BATCH; i++)
        randombytes_buf(items[i].bytes, ROW);
    int status = 0;
    for (int round = 0; round < ROUNDS && status == 0; round++) {
        double bare = bare_seconds(folder, entries, ROW);
        double queue = bench_queue(folder, entries, items);
        if (bare <= 0 || queue <= 0)
            status = 1;
        else
            printf("queue: %.0f entries/s; bare sqlite: %.0f rows/s; ratio %.2f\n",
                   (double)entries / queue, (double)entries / bare, bare / queue);
    }
    free(items);
    return status;
}
