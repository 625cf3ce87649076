/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fills a queue with reports that are done, as it is after some years: body, identity and original
 * of the usual sizes, random bytes. Usage: bench_fill FOLDER REPORTS
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include <sodium.h>

#include "queue/queue.h"

enum { BODY = 1536, REPORTER = 512, ORIGINAL = 1536, BATCH = 500 };

struct fill_item {
    unsigned char key[QUEUE_DEDUP_KEY_SIZE], index[QUEUE_INDEX_SIZE];
    char id[REPORT_ID_SIZE];
    unsigned char bytes[BODY + REPORTER + ORIGINAL];
    struct queue_entry entry;
    struct queue_op op;
};

static void fill_item(struct fill_item *item)
{
    uint64_t random;
    randombytes_buf(&random, sizeof random);
    randombytes_buf(item->key, sizeof item->key);
    randombytes_buf(item->index, sizeof item->index);
    randombytes_buf(item->bytes, 64); /* enough to differ; the rest is random already */
    report_id_make(random, item->id);
    item->entry = (struct queue_entry){
        .kind = QUEUE_REPORT,
        .id = item->id,
        .dedup_key = item->key,
        .dedup_fingerprint = item->key,
        .channel_id = "web",
        .channel_kind = "web",
        .category = "jalan",
        .received_day = 20778,
        .reporter_index = item->index,
        .body = {item->bytes, BODY},
        .reporter = {item->bytes + BODY, REPORTER},
        .blobs = {{.field = "original", .data = {item->bytes + BODY + REPORTER, ORIGINAL}}},
        .blob_count = 1,
    };
    item->op = (struct queue_op){.kind = QUEUE_ACCEPT, .entry = &item->entry};
}

static int fill(struct queue *queue, size_t reports, struct fill_item *items)
{
    struct queue_op *ops[BATCH];
    struct err err = ERR_INIT;
    for (size_t done = 0; done < reports; done += BATCH) {
        for (size_t i = 0; i < BATCH; i++) {
            fill_item(&items[i]);
            ops[i] = &items[i].op;
        }
        if (queue_apply(queue, ops, BATCH, 1, &err) != 0) {
            fprintf(stderr, "bench_fill: %s\n", err.text);
            return 1;
        }
    }
    return 0;
}

int main(int argc, char **argv)
{
    if (argc != 3 || sodium_init() < 0 || (mkdir(argv[1], 0700) != 0 && errno != EEXIST)) {
        fprintf(stderr, "usage: bench_fill FOLDER REPORTS\n");
        return 2;
    }
    const struct queue_options options = {.path = argv[1]};
    struct queue *queue = NULL;
    struct err err = ERR_INIT;
    if (queue_open("sqlite", &options, 1, &queue, &err) != 0) {
        fprintf(stderr, "bench_fill: %s\n", err.text);
        return 1;
    }
    struct fill_item *items = calloc(BATCH, sizeof *items);
    if (items == NULL)
        return 1;
    for (size_t i = 0; i < BATCH; i++)
        randombytes_buf(items[i].bytes, sizeof items[i].bytes);
    int status = fill(queue, strtoull(argv[2], NULL, 10), items);
    queue_close(queue);
    free(items);
    return status;
}
