/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "normalize/mem.h"
#include "queue/queue_sqlite.h"
#include "queue/queue_sqlite_schema.h"

void queue_pool_init(struct queue_pool *pool, const char *file)
{
    *pool = (struct queue_pool){.file = mem_strdup(file)};
    pthread_mutex_init(&pool->lock, NULL);
}

static void queue_pool_drop(struct queue_db *db)
{
    queue_db_close(db, true);
    free(db);
}

void queue_pool_release(struct queue_pool *pool)
{
    for (size_t i = 0; i < pool->idle_count; i++)
        queue_pool_drop(pool->idle[i]);
    pthread_mutex_destroy(&pool->lock);
    free(pool->file);
}

static struct queue_db *queue_pool_open(const char *file, struct err *err)
{
    struct queue_db *db = mem_calloc(1, sizeof *db);
    if (queue_db_open(db, file, true, err) == 0 &&
        queue_sqlite_migrate(db->handle, false, NULL, err) == 0 && queue_db_prepare(db, err) == 0)
        return db;
    queue_pool_drop(db);
    return NULL;
}

struct queue_db *queue_pool_take(struct queue_pool *pool, struct err *err)
{
    struct queue_db *db = NULL;
    pthread_mutex_lock(&pool->lock);
    if (pool->idle_count > 0)
        db = pool->idle[--pool->idle_count];
    pthread_mutex_unlock(&pool->lock);
    return db != NULL ? db : queue_pool_open(pool->file, err);
}

void queue_pool_give(struct queue_pool *pool, struct queue_db *db)
{
    pthread_mutex_lock(&pool->lock);
    if (pool->idle_count < QUEUE_READERS_KEPT) {
        pool->idle[pool->idle_count++] = db;
        db = NULL;
    }
    pthread_mutex_unlock(&pool->lock);
    if (db != NULL)
        queue_pool_drop(db);
}
