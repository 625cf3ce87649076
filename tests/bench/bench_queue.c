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
#include <time.h>

#include <sodium.h>
#include <sqlite3.h>

#include "queue/queue.h"

enum {
    BODY = 1536,
    REPORTER = 400,
    REPLY = 200,
    BLOB = 1024,
    PAYLOAD = 1024,
    ROW = BODY + REPORTER + REPLY + BLOB + PAYLOAD,
    BATCH = 100,
    LOG_PAGES = 8192, /* the engine's own checkpoint distance */
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

static double bench_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

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
        double start = bench_now();
        if (bench_apply(queue, items, 1 + (int64_t)done) < 0)
            took = -1;
        else
            took += bench_now() - start;
    }
    queue_close(queue);
    return took;
}

static double bench_bare_run(sqlite3 *handle, size_t entries, const struct bench_item *items)
{
    sqlite3_stmt *insert = NULL;
    double took = 0;
    int rc = sqlite3_exec(handle,
                          "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;"
                          "PRAGMA secure_delete = ON; PRAGMA cell_size_check = ON;"
                          "PRAGMA foreign_keys = ON; PRAGMA trusted_schema = OFF;"
                          "CREATE TABLE IF NOT EXISTS row(n INTEGER PRIMARY KEY, bytes BLOB);",
                          NULL, NULL, NULL);
    sqlite3_wal_autocheckpoint(handle, LOG_PAGES);
    if (rc == SQLITE_OK)
        rc = sqlite3_prepare_v2(handle, "INSERT INTO row(bytes) VALUES (?1)", -1, &insert, NULL);
    for (size_t done = 0; done < entries && rc == SQLITE_OK; done += BATCH) {
        double start = bench_now();
        rc = sqlite3_exec(handle, "BEGIN IMMEDIATE", NULL, NULL, NULL);
        for (size_t i = 0; i < BATCH && rc == SQLITE_OK; i++) {
            sqlite3_bind_blob(insert, 1, items[i].bytes, ROW, SQLITE_STATIC);
            rc = sqlite3_step(insert) == SQLITE_DONE ? SQLITE_OK : SQLITE_ERROR;
            sqlite3_reset(insert);
        }
        if (rc == SQLITE_OK)
            rc = sqlite3_exec(handle, "COMMIT", NULL, NULL, NULL);
        took += bench_now() - start;
    }
    sqlite3_finalize(insert);
    return rc == SQLITE_OK ? took : -1;
}

static double bench_bare(const char *folder, size_t entries, const struct bench_item *items)
{
    char file[512];
    snprintf(file, sizeof file, "%s/bare.db", folder);
    sqlite3 *handle = NULL;
    double took = -1;
    if (sqlite3_open(file, &handle) == SQLITE_OK)
        took = bench_bare_run(handle, entries, items);
    sqlite3_close(handle);
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
        double bare = bench_bare(folder, entries, items);
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
