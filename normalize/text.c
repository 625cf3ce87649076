/* SPDX-License-Identifier: Apache-2.0 */
#include "normalize/text.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <uninorm.h>
#include <unistr.h>

#include "normalize/buf.h"
#include "normalize/mem.h"

enum {
    TEXT_REPLACEMENT = 0xfffd,
    TEXT_BLANK_LINES_MAX = 2,
};

/* What becomes of a character before anything else is done. */
enum text_fate { TEXT_KEEP, TEXT_DROP, TEXT_SPACE, TEXT_NEWLINE, TEXT_REPLACE };

/* Ranges in order; what is in none of them is kept. */
static const struct {
    uint32_t first, last;
    enum text_fate fate;
} text_fates[] = {
    {0x0000, 0x0008, TEXT_DROP},  {0x000b, 0x000c, TEXT_NEWLINE}, {0x000e, 0x001f, TEXT_DROP},
    {0x007f, 0x0084, TEXT_DROP},  {0x0085, 0x0085, TEXT_NEWLINE}, {0x0086, 0x009f, TEXT_DROP},
    {0x00a0, 0x00a0, TEXT_SPACE}, {0x00ad, 0x00ad, TEXT_DROP},    {0x2007, 0x2007, TEXT_SPACE},
    {0x200b, 0x200b, TEXT_DROP},  {0x2028, 0x2029, TEXT_NEWLINE}, {0x202a, 0x202e, TEXT_REPLACE},
    {0x202f, 0x202f, TEXT_SPACE}, {0x2060, 0x2060, TEXT_DROP},    {0x2066, 0x2069, TEXT_REPLACE},
    {0xfeff, 0xfeff, TEXT_DROP},
};

static enum text_fate text_fate(uint32_t c)
{
    for (size_t i = 0; i < sizeof text_fates / sizeof text_fates[0]; i++) {
        if (c < text_fates[i].first)
            return TEXT_KEEP;
        if (c <= text_fates[i].last)
            return text_fates[i].fate;
    }
    return TEXT_KEEP;
}

bool text_is_utf8(const char *data, size_t len)
{
    return memchr(data, 0, len) == NULL && u8_check((const uint8_t *)data, len) == NULL;
}

static void text_add_char(struct buf *out, uint32_t c)
{
    uint8_t bytes[6];
    int n = u8_uctomb(bytes, c, sizeof bytes);
    buf_add(out, bytes, n > 0 ? (size_t)n : 0);
}

/* How many bytes from at on are printable ASCII: most of most texts, and nothing to look up. */
static size_t text_plain_run(const uint8_t *at, const uint8_t *end)
{
    const uint8_t *from = at;
    while (at < end && *at >= 0x20 && *at <= 0x7e)
        at++;
    return (size_t)(at - from);
}

/* Well-formed, without the characters that may not stay; every line end is one LF. */
static void text_scrub(const char *data, size_t len, struct buf *out)
{
    const uint8_t *at = (const uint8_t *)data;
    const uint8_t *end = at + len;
    while (at < end) {
        size_t plain = text_plain_run(at, end);
        buf_add(out, at, plain);
        at += plain;
        if (at == end)
            break;
        ucs4_t c;
        int n = u8_mbtouc(&c, at, (size_t)(end - at));
        if (c == '\r') {
            c = '\n';
            n += at + 1 < end && at[1] == '\n';
        }
        switch (text_fate(c)) {
        case TEXT_KEEP:
            text_add_char(out, c);
            break;
        case TEXT_SPACE:
            buf_add_char(out, ' ');
            break;
        case TEXT_NEWLINE:
            buf_add_char(out, '\n');
            break;
        case TEXT_REPLACE:
            text_add_char(out, TEXT_REPLACEMENT);
            break;
        case TEXT_DROP:
            break;
        }
        at += n;
    }
}

/* Whether all characters are below U+0300, where nothing combines: such a text is NFC (Unicode
 * Standard Annex 15, section 9). In UTF-8 that is a bound on every byte. */
static bool text_is_composed(const struct buf *text)
{
    for (size_t i = 0; i < text->len; i++) {
        if ((unsigned char)text->data[i] >= 0xcc)
            return false;
    }
    return true;
}

/* Scrubbed and composed into *out, which must be empty. A bad byte grows to three at most, and
 * composing never needs more than three times the room (Unicode Standard Annex 15, section 4). */
static void text_compose(const char *data, size_t len, struct buf *out)
{
    struct buf scrubbed = BUF_INIT(SIZE_MAX / 4);
    text_scrub(data, len, &scrubbed);
    if (text_is_composed(&scrubbed)) {
        buf_add(out, scrubbed.data, scrubbed.len);
    } else {
        size_t composed_len = 0;
        uint8_t *composed = u8_normalize(UNINORM_NFC, (const uint8_t *)scrubbed.data, scrubbed.len,
                                         NULL, &composed_len);
        if (composed == NULL)
            abort(); /* out of memory: the bytes are well-formed by now */
        buf_add(out, composed, composed_len);
        free(composed);
    }
    buf_release(&scrubbed);
}

static size_t text_line_end(const struct buf *text, size_t start)
{
    const char *newline = memchr(text->data + start, '\n', text->len - start);
    return newline != NULL ? (size_t)(newline - text->data) : text->len;
}

/* Blanks at line ends and surplus blank lines go. */
static void text_lay_out(const struct buf *text, struct buf *out)
{
    size_t blank_lines = 0;
    for (size_t start = 0, end; start < text->len; start = end + 1) {
        end = text_line_end(text, start);
        size_t len = end - start;
        while (len > 0 &&
               (text->data[start + len - 1] == ' ' || text->data[start + len - 1] == '\t'))
            len--;
        if (len == 0) {
            blank_lines++;
            continue;
        }
        if (out->len > 0) {
            if (blank_lines > TEXT_BLANK_LINES_MAX)
                blank_lines = TEXT_BLANK_LINES_MAX;
            for (size_t i = 0; i <= blank_lines; i++)
                buf_add_char(out, '\n');
        }
        blank_lines = 0;
        buf_add(out, text->data + start, len);
    }
}

static void text_join(const struct buf *text, struct buf *out)
{
    bool space = false;
    for (size_t i = 0; i < text->len; i++) {
        char c = text->data[i];
        if (c == ' ' || c == '\t' || c == '\n') {
            space = out->len > 0;
            continue;
        }
        if (space)
            buf_add_char(out, ' ');
        space = false;
        buf_add_char(out, c);
    }
}

static char *text_run(const char *data, size_t len,
                      void (*step)(const struct buf *text, struct buf *out))
{
    struct buf composed = BUF_INIT(SIZE_MAX / 4);
    struct buf out = BUF_INIT(SIZE_MAX / 4);
    text_compose(data, len, &composed);
    step(&composed, &out);
    char *result = out.len > 0 ? buf_detach(&out, NULL) : NULL;
    buf_release(&out);
    buf_release(&composed);
    return result;
}

char *text_clean(const char *data, size_t len)
{
    return text_run(data, len, text_lay_out);
}

char *text_clean_line(const char *data, size_t len)
{
    return text_run(data, len, text_join);
}

size_t text_length(const char *text)
{
    return u8_mbsnlen((const uint8_t *)text, strlen(text));
}

bool text_truncate(char *text, size_t max)
{
    if (strlen(text) <= max)
        return false;
    size_t cut = max;
    while (cut > 0 && ((unsigned char)text[cut] & 0xc0) == 0x80)
        cut--;
    text[cut] = '\0';
    return true;
}

int text_hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

bool text_list_next(const char **list, const char **word, size_t *len)
{
    static const char separators[] = ", \t";
    *word = *list + strspn(*list, separators);
    *len = strcspn(*word, separators);
    *list = *word + *len;
    return *len > 0;
}

bool text_list_holds(const char *list, const char *word)
{
    const char *held;
    size_t len;
    while (text_list_next(&list, &held, &len)) {
        if (strlen(word) == len && memcmp(held, word, len) == 0)
            return true;
    }
    return false;
}

char *text_ascii_lower(char *text)
{
    for (char *at = text; *at != '\0'; at++) {
        if (*at >= 'A' && *at <= 'Z')
            *at = (char)(*at - 'A' + 'a');
    }
    return text;
}
