/* SPDX-License-Identifier: Apache-2.0 */
#include "normalize/mem.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static size_t mem_bytes(size_t count, size_t size)
{
    if (size != 0 && count > SIZE_MAX / size)
        abort();
    return count * size == 0 ? 1 : count * size;
}

void *mem_calloc(size_t count, size_t size)
{
    void *block = calloc(1, mem_bytes(count, size));
    if (block == NULL)
        abort();
    return block;
}

void *mem_realloc(void *block, size_t count, size_t size)
{
    void *grown = realloc(block, mem_bytes(count, size));
    if (grown == NULL)
        abort();
    return grown;
}

char *mem_strndup(const void *data, size_t len)
{
    if (len == SIZE_MAX)
        abort();
    char *copy = mem_calloc(len + 1, 1);
    if (len > 0)
        memcpy(copy, data, len);
    return copy;
}

char *mem_strdup(const char *text)
{
    return text == NULL ? NULL : mem_strndup(text, strlen(text));
}
