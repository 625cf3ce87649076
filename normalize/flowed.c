/* SPDX-License-Identifier: Apache-2.0 */
#include "normalize/flowed.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "normalize/buf.h"
#include "normalize/mem.h"

enum { FLOWED_DEPTH_MAX = 20 }; /* quote marks printed; deeper quotes look the same to a reader */

struct flowed_line {
    const char *text;
    size_t len;
    size_t depth; /* quote marks */
    bool soft;    /* goes on in the next line */
    bool signature;
};

static struct flowed_line flowed_read(const char *line, size_t len)
{
    struct flowed_line out = {.text = line, .len = len};
    if (out.len > 0 && out.text[out.len - 1] == '\r')
        out.len--;
    while (out.len > 0 && *out.text == '>') {
        out.text++;
        out.len--;
        out.depth++;
    }
    if (out.len > 0 && *out.text == ' ') {
        out.text++;
        out.len--;
    }
    out.signature = out.len == 3 && memcmp(out.text, "-- ", 3) == 0;
    out.soft = out.len > 0 && out.text[out.len - 1] == ' ' && !out.signature;
    return out;
}

static void flowed_begin(struct buf *out, size_t depth)
{
    for (size_t i = 0; i < depth && i < FLOWED_DEPTH_MAX; i++)
        buf_add_text(out, "> ");
}

char *flowed_decode(const char *text, bool delsp)
{
    struct buf out = BUF_INIT(SIZE_MAX / 4);
    struct flowed_line previous = {0};
    for (const char *at = text; *at != '\0';) {
        size_t len = strcspn(at, "\n");
        struct flowed_line line = flowed_read(at, len);
        /* A soft line end before another depth is the sender's mistake and counts as hard. */
        bool joined = previous.soft && previous.depth == line.depth && !line.signature;
        if (at != text && !joined)
            buf_add_char(&out, '\n');
        if (!joined)
            flowed_begin(&out, line.depth);
        buf_add(&out, line.text, line.len - (line.soft && delsp));
        previous = line;
        at += len;
        if (*at == '\n')
            at++;
    }
    if (out.len > 0)
        buf_add_char(&out, '\n');
    char *result = mem_strndup(out.data, out.len);
    buf_release(&out);
    return result;
}
