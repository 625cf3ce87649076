/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How much may be on its way in at once, from the first byte to the commit: messages and bytes. It
 * bounds memory when the disk or the workers are slower than the sources. Thread-safe.
 */
#ifndef KANAL_GATEWAY_GATE_H
#define KANAL_GATEWAY_GATE_H

#include <stdbool.h>
#include <stddef.h>

struct gate;

struct gate *gate_new(size_t count_max, size_t bytes_max);
void gate_free(struct gate *gate);

/* Admits one message of len bytes; false when full. With wait it blocks until there is room. A
 * message larger than all the room there is enters alone. */
bool gate_enter(struct gate *gate, size_t len, bool wait);
void gate_leave(struct gate *gate, size_t len);

/* Messages inside. */
size_t gate_count(struct gate *gate);

#endif
