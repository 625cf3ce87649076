/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/bench/bare.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <sodium.h>
#include <sqlite3.h>

enum { BARE_LOG_PAGES = 8192 /* the engine's own checkpoint distance */ };

double bare_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static int bare_batch(sqlite3 *handle, sqlite3_stmt *insert, const void *row, size_t bytes)
{
    int rc = sqlite3_exec(handle, "BEGIN IMMEDIATE", NULL, NULL, NULL);
    for (size_t i = 0; i < BARE_BATCH && rc == SQLITE_OK; i++) {
        sqlite3_bind_blob(insert, 1, row, (int)bytes, SQLITE_STATIC);
        rc = sqlite3_step(insert) == SQLITE_DONE ? SQLITE_OK : SQLITE_ERROR;
        sqlite3_reset(insert);
    }
    return rc == SQLITE_OK ? sqlite3_exec(handle, "COMMIT", NULL, NULL, NULL) : rc;
}

static double bare_run(sqlite3 *handle, size_t rows, const void *row, size_t bytes)
{
    sqlite3_stmt *insert = NULL;
    int rc = sqlite3_exec(handle,
                          "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;"
                          "PRAGMA secure_delete = ON; PRAGMA cell_size_check = ON;"
                          "PRAGMA foreign_keys = ON; PRAGMA trusted_schema = OFF;"
                          "CREATE TABLE IF NOT EXISTS row(n INTEGER PRIMARY KEY, bytes BLOB);",
                          NULL, NULL, NULL);
    sqlite3_wal_autocheckpoint(handle, BARE_LOG_PAGES);
    if (rc == SQLITE_OK)
        rc = sqlite3_prepare_v2(handle, "INSERT INTO row(bytes) VALUES (?1)", -1, &insert, NULL);
    double start = bare_now();
    for (size_t done = 0; done < rows && rc == SQLITE_OK; done += BARE_BATCH)
        rc = bare_batch(handle, insert, row, bytes);
    double took = bare_now() - start;
    sqlite3_finalize(insert);
    return rc == SQLITE_OK ? took : -1;
}

double bare_seconds(const char *folder, size_t rows, size_t bytes)
{
    char file[512];
    snprintf(file, sizeof file, "%s/bare.db", folder);
    sqlite3 *handle = NULL;
    double took = -1;
    unsigned char *row = malloc(bytes);
    if (row != NULL && sqlite3_open(file, &handle) == SQLITE_OK) {
        randombytes_buf(row, bytes); /* as incompressible as what Kanal stores */
        took = bare_run(handle, rows, row, bytes);
    }
    sqlite3_close(handle);
    free(row);
    return took;
}
