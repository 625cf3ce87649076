/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Absolute deadlines. libmicrohttpd's own time-out counts inactivity, so that one byte a minute
 * lives for ever. Here every open connection has one moment by which its present phase must be
 * over; a sweeper thread shuts the socket down when it passes, and libmicrohttpd then cleans up as
 * after any broken connection. A descriptor is in the registry only while it is open: it leaves
 * under the same lock before libmicrohttpd closes it, so that no reused number is ever shut down.
 */
#include "gateway/http_private.h"
#include "gateway/process.h"
#include "normalize/mem.h"

struct http_registry {
    pthread_mutex_t lock;
    pthread_cond_t wake;
    pthread_t thread;
    int64_t interval_ms;
    bool stopping;
    struct http_connection *first;
};

static void sweep(struct http_registry *registry)
{
    int64_t now = clock_ms();

    for (struct http_connection *c = registry->first; c != NULL; c = c->next) {
        if (c->cut || atomic_load(&c->deadline_ms) > now)
            continue;
        shutdown(c->fd, SHUT_RDWR);
        c->cut = true;
    }
}

static void *sweeper(void *context)
{
    struct http_registry *registry = context;

    pthread_mutex_lock(&registry->lock);
    while (!registry->stopping) {
        struct timespec until;

        clock_gettime(CLOCK_MONOTONIC, &until);
        until.tv_sec += registry->interval_ms / 1000;
        until.tv_nsec += (registry->interval_ms % 1000) * 1000000;
        if (until.tv_nsec >= 1000000000) {
            until.tv_nsec -= 1000000000;
            until.tv_sec++;
        }
        pthread_cond_timedwait(&registry->wake, &registry->lock, &until);
        sweep(registry);
    }
    pthread_mutex_unlock(&registry->lock);
    return NULL;
}

struct http_registry *http_registry_start(int64_t interval_ms, struct err *err)
{
    struct http_registry *registry = mem_calloc(1, sizeof(*registry));
    pthread_condattr_t attributes;

    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_mutex_init(&registry->lock, NULL);
    pthread_cond_init(&registry->wake, &attributes);
    pthread_condattr_destroy(&attributes);
    registry->interval_ms = interval_ms;
    if (process_thread(&registry->thread, sweeper, registry, err) == 0)
        return registry;
    pthread_cond_destroy(&registry->wake);
    pthread_mutex_destroy(&registry->lock);
    free(registry);
    return NULL;
}

void http_registry_stop(struct http_registry *registry)
{
    pthread_mutex_lock(&registry->lock);
    registry->stopping = true;
    pthread_cond_signal(&registry->wake);
    pthread_mutex_unlock(&registry->lock);
    pthread_join(registry->thread, NULL);
    pthread_cond_destroy(&registry->wake);
    pthread_mutex_destroy(&registry->lock);
    free(registry);
}

void http_registry_add(struct http_registry *registry, struct http_connection *connection)
{
    pthread_mutex_lock(&registry->lock);
    connection->next = registry->first;
    connection->link = &registry->first;
    if (connection->next != NULL)
        connection->next->link = &connection->next;
    registry->first = connection;
    pthread_mutex_unlock(&registry->lock);
}

void http_registry_remove(struct http_registry *registry, struct http_connection *connection)
{
    pthread_mutex_lock(&registry->lock);
    *connection->link = connection->next;
    if (connection->next != NULL)
        connection->next->link = connection->link;
    pthread_mutex_unlock(&registry->lock);
}

void http_connection_deadline(struct http_connection *connection, int64_t from_now_ms)
{
    atomic_store(&connection->deadline_ms,
                 from_now_ms == HTTP_NO_DEADLINE ? HTTP_NO_DEADLINE : clock_ms() + from_now_ms);
}
