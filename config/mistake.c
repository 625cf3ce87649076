/* SPDX-License-Identifier: Apache-2.0 */
#include "config/mistake.h"

#include <stdarg.h>
#include <stdlib.h>

#include "normalize/mem.h"

enum { MISTAKE_TEXT_MAX = 600 };

void mistake_add(struct mistakes *mistakes, int line, const char *format, ...)
{
    if (mistakes->count == MISTAKES_MAX)
        return;
    char text[MISTAKE_TEXT_MAX];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    size_t n = mistakes->count++;
    mistakes->items = mem_realloc(mistakes->items, mistakes->count, sizeof *mistakes->items);
    mistakes->items[n] = (struct mistake){.line = line, .order = n, .text = mem_strdup(text)};
}

static int mistake_compare(const void *a, const void *b)
{
    const struct mistake *first = a, *second = b;
    if (first->line != second->line)
        return first->line < second->line ? -1 : 1;
    return first->order < second->order ? -1 : first->order > second->order;
}

void mistakes_write(struct mistakes *mistakes, const char *path, struct buf *out, struct err *err)
{
    if (mistakes->count > 0)
        qsort(mistakes->items, mistakes->count, sizeof *mistakes->items, mistake_compare);
    for (size_t n = 0; n < mistakes->count; n++) {
        const struct mistake *mistake = &mistakes->items[n];
        struct buf line = BUF_INIT(2 * MISTAKE_TEXT_MAX);
        buf_add_text(&line, path);
        if (mistake->line > 0)
            buf_addf(&line, ":%d", mistake->line);
        buf_addf(&line, ": %s", mistake->text);
        err_set(err, ERR_CONFIG, "%s", line.data);
        buf_addf(out, "%s\n", line.data);
        buf_release(&line);
    }
}

void mistakes_release(struct mistakes *mistakes)
{
    for (size_t n = 0; n < mistakes->count; n++)
        free(mistakes->items[n].text);
    free(mistakes->items);
    *mistakes = (struct mistakes){0};
}
