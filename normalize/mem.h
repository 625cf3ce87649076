/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Memory that never fails: out of memory aborts the process. Nothing accepted is lost by that
 * (the queue is durable, a worker is replaced), and no caller carries a branch that no test can
 * reach. Every size is checked against overflow. Free with free().
 */
#ifndef KANAL_NORMALIZE_MEM_H
#define KANAL_NORMALIZE_MEM_H

#include <stddef.h>

/* Gives zeroed memory for count items of size bytes; never NULL, also for 0 bytes. */
void *mem_calloc(size_t count, size_t size);

/* Resizes block (which may be NULL) to count items of size bytes; takes block, gives the new one.
 */
void *mem_realloc(void *block, size_t count, size_t size);

/* Gives a copy of text, or NULL when text is NULL. */
char *mem_strdup(const char *text);

/* Gives a NUL-terminated copy of len bytes; data may be NULL when len is 0. */
char *mem_strndup(const void *data, size_t len);

#endif
