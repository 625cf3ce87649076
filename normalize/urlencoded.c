/* SPDX-License-Identifier: Apache-2.0 */
#include "normalize/urlencoded.h"

#include <string.h>

#include "normalize/text.h"

static void urlencoded_decode(const char *data, size_t len, struct buf *out)
{
    for (size_t i = 0; i < len; i++) {
        int high = data[i] == '%' && len - i > 2 ? text_hex_value(data[i + 1]) : -1;
        int low = high >= 0 ? text_hex_value(data[i + 2]) : -1;
        if (low >= 0) {
            buf_add_char(out, (char)(high << 4 | low));
            i += 2;
        } else {
            buf_add_char(out, data[i] == '+' ? ' ' : data[i]);
        }
    }
}

void urlencoded_add(struct buf *out, const char *text)
{
    static const char unreserved[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~";
    for (; *text != '\0'; text++) {
        if (strchr(unreserved, *text) != NULL)
            buf_add_char(out, *text);
        else
            buf_addf(out, "%%%02X", (unsigned)(unsigned char)*text);
    }
}

bool urlencoded_next(const char *data, size_t len, size_t *pos, struct buf *name, struct buf *value)
{
    buf_clear(name);
    buf_clear(value);
    while (*pos < len && data[*pos] == '&')
        ++*pos;
    if (*pos >= len)
        return false;
    const char *start = data + *pos;
    const char *end = memchr(start, '&', len - *pos);
    size_t size = end == NULL ? len - *pos : (size_t)(end - start);
    const char *equals = memchr(start, '=', size);
    size_t name_size = equals == NULL ? size : (size_t)(equals - start);
    urlencoded_decode(start, name_size, name);
    if (equals != NULL)
        urlencoded_decode(equals + 1, size - name_size - 1, value);
    *pos += size;
    return true;
}
