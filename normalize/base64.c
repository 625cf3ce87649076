/* SPDX-License-Identifier: Apache-2.0 */
#include "normalize/base64.h"

#include <stdint.h>

#include "normalize/mem.h"

/* 64 marks what is no symbol. */
static unsigned char base64_value(unsigned char c)
{
    if (c >= 'A' && c <= 'Z')
        return (unsigned char)(c - 'A');
    if (c >= 'a' && c <= 'z')
        return (unsigned char)(c - 'a' + 26);
    if (c >= '0' && c <= '9')
        return (unsigned char)(c - '0' + 52);
    return c == '+' ? 62 : c == '/' ? 63 : 64;
}

static size_t base64_padding(const char *text, size_t len)
{
    if (len == 0 || text[len - 1] != '=')
        return 0;
    return text[len - 2] == '=' ? 2 : 1;
}

char *base64_decode(const char *text, size_t text_len, size_t *len)
{
    unsigned char values[256];
    if (text_len % 4 != 0)
        return NULL;
    for (int c = 0; c < 256; c++)
        values[c] = base64_value((unsigned char)c);
    size_t pad = base64_padding(text, text_len);
    size_t symbols = text_len - pad;
    char *out = mem_calloc(text_len / 4 * 3 + 1, 1);
    size_t used = 0;
    uint32_t group = 0;
    unsigned bad = 0;
    for (size_t i = 0; i < symbols; i++) {
        unsigned char value = values[(unsigned char)text[i]];
        bad |= value;
        group = group << 6 | value;
        if (i % 4 == 0)
            continue;
        unsigned spare = 6 - 2 * (unsigned)(i % 4);
        out[used++] = (char)(group >> spare & 0xff);
    }
    /* The bits that padding cuts off are zero, so that bytes have one spelling. */
    uint32_t rest = pad == 0 ? 0 : group & (pad == 1 ? 3U : 15U);
    if (bad > 63 || rest != 0) {
        free(out);
        return NULL;
    }
    *len = used;
    return out;
}
