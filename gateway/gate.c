/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/gate.h"

#include <pthread.h>
#include <stdlib.h>

#include "normalize/mem.h"

struct gate {
    pthread_mutex_t lock;
    pthread_cond_t room;
    size_t count, bytes, count_max, bytes_max;
};

struct gate *gate_new(size_t count_max, size_t bytes_max)
{
    struct gate *gate = mem_calloc(1, sizeof *gate);
    pthread_mutex_init(&gate->lock, NULL);
    pthread_cond_init(&gate->room, NULL);
    gate->count_max = count_max;
    gate->bytes_max = bytes_max;
    return gate;
}

void gate_free(struct gate *gate)
{
    if (gate == NULL)
        return;
    pthread_cond_destroy(&gate->room);
    pthread_mutex_destroy(&gate->lock);
    free(gate);
}

static bool gate_has_room(const struct gate *gate, size_t len)
{
    return gate->count == 0 || (gate->count < gate->count_max && gate->bytes < gate->bytes_max &&
                                len <= gate->bytes_max - gate->bytes);
}

bool gate_enter(struct gate *gate, size_t len, bool wait)
{
    pthread_mutex_lock(&gate->lock);
    while (wait && !gate_has_room(gate, len))
        pthread_cond_wait(&gate->room, &gate->lock);
    bool entered = gate_has_room(gate, len);
    if (entered) {
        gate->count++;
        gate->bytes += len;
    }
    pthread_mutex_unlock(&gate->lock);
    return entered;
}

void gate_leave(struct gate *gate, size_t len)
{
    pthread_mutex_lock(&gate->lock);
    gate->count--;
    gate->bytes -= len;
    pthread_cond_broadcast(&gate->room);
    pthread_mutex_unlock(&gate->lock);
}

size_t gate_count(struct gate *gate)
{
    pthread_mutex_lock(&gate->lock);
    size_t count = gate->count;
    pthread_mutex_unlock(&gate->lock);
    return count;
}
