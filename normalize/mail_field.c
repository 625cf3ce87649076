/* SPDX-License-Identifier: Apache-2.0 */
#include "normalize/mail_field.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <glib.h>

#include "normalize/charset.h"
#include "normalize/mem.h"
#include "normalize/text.h"

enum {
    FIELD_NAME_MAX = 128,
    FIELD_LABEL_MAX = 40,
    FIELD_WORD_BYTES = 21, /* of text in one encoded word: at most the 75 bytes of RFC 2047 */
};

size_t mail_field_name(const char *line, size_t len, size_t *colon)
{
    size_t n = 0;
    while (n < len && n < FIELD_NAME_MAX && line[n] > ' ' && line[n] < 0x7f && line[n] != ':')
        n++;
    size_t at = n;
    while (at < len && (line[at] == ' ' || line[at] == '\t'))
        at++;
    if (colon != NULL)
        *colon = at;
    return at < len && line[at] == ':' ? n : 0;
}

/* --- Encoded words --- */

struct field_word {
    const char *label, *text; /* borrowed from the field */
    size_t label_len, text_len;
    char encoding; /* 'b' or 'q' */
    size_t len;    /* of all of it */
};

static bool field_read_word(const char *at, struct field_word *word)
{
    if (at[0] != '=' || at[1] != '?')
        return false;
    word->label = at + 2;
    word->label_len = strcspn(word->label, "? \t\r\n\"");
    const char *encoding = word->label + word->label_len;
    if (encoding[0] != '?' || encoding[1] == '\0' || encoding[2] != '?')
        return false;
    word->encoding = (char)(encoding[1] | 0x20);
    word->text = encoding + 3;
    const char *end = word->text + strcspn(word->text, "?\r\n");
    if (end[0] != '?' || end[1] != '=' || (word->encoding != 'b' && word->encoding != 'q'))
        return false;
    word->text_len = (size_t)(end - word->text);
    word->len = (size_t)(end + 2 - at);
    return true;
}

static void field_decode_q(const struct field_word *word, struct buf *out)
{
    for (size_t i = 0; i < word->text_len; i++) {
        char c = word->text[i];
        if (c == '=' && i + 2 < word->text_len && text_hex_value(word->text[i + 1]) >= 0 &&
            text_hex_value(word->text[i + 2]) >= 0) {
            c = (char)(text_hex_value(word->text[i + 1]) * 16 + text_hex_value(word->text[i + 2]));
            i += 2;
        }
        buf_add_char(out, (char)(c == '_' ? ' ' : c));
    }
}

static void field_decode_b(const struct field_word *word, struct buf *out)
{
    guchar *bytes = mem_calloc(word->text_len + 3, 1);
    gint state = 0;
    guint save = 0;
    gsize n = g_base64_decode_step(word->text, word->text_len, bytes, &state, &save);
    buf_add(out, bytes, n);
    free(bytes);
}

static bool field_same_kind(const struct field_word *a, const struct field_word *b)
{
    return a->encoding == b->encoding && a->label_len == b->label_len &&
           strncasecmp(a->label, b->label, a->label_len) == 0;
}

/* Text as encoded words of UTF-8 that end between characters. Not in base64: GMime reads words that
 * follow each other as one, and ends at the first padding. */
static void field_encode(const char *text, struct buf *out)
{
    while (*text != '\0') {
        size_t n = strnlen(text, FIELD_WORD_BYTES);
        while (text[n] != '\0' && ((unsigned char)text[n] & 0xc0) == 0x80)
            n--;
        buf_add_text(out, "=?utf-8?Q?");
        for (size_t i = 0; i < n; i++)
            buf_addf(out, g_ascii_isalnum(text[i]) ? "%c" : "=%02X", (unsigned char)text[i]);
        buf_add_text(out, text[n] != '\0' ? "?= " : "?=");
        text += n;
    }
}

/* Decodes the words at at that belong together, appends them anew; how many bytes they took. */
static size_t field_add_words(const char *at, const struct field_word *first, struct buf *out)
{
    char label[FIELD_LABEL_MAX] = "";
    size_t label_len = first->label_len;
    const char *language = memchr(first->label, '*', label_len); /* RFC 2231 section 5 */
    if (language != NULL)
        label_len = (size_t)(language - first->label);
    if (label_len < sizeof label)
        memcpy(label, first->label, label_len);
    struct buf bytes = BUF_INIT(MAIL_FIELD_BYTES_MAX);
    struct field_word word = *first;
    size_t used = 0;
    size_t next = 0;
    do {
        if (word.encoding == 'b')
            field_decode_b(&word, &bytes);
        else
            field_decode_q(&word, &bytes);
        used = next + word.len;
        next = used + strspn(at + used, " \t\r\n");
    } while (field_read_word(at + next, &word) && field_same_kind(first, &word));
    bool guessed = false;
    char *text = charset_to_utf8(bytes.data, bytes.len, label, &guessed);
    field_encode(text, out);
    free(text);
    buf_release(&bytes);
    return used;
}

/* --- RFC 2231 charsets --- */

/*
 * At "*" in a Content-... field: "filename*=cs'lang'" and "filename*0*=cs'lang'". Appends what it
 * read, the charset by the name we loaded it under; how many bytes it took.
 */
static size_t field_add_extended(const char *at, struct buf *out)
{
    size_t n = strspn(at, "*0123456789 \t");
    if (at[n] != '=') {
        buf_add_char(out, *at);
        return 1;
    }
    n++;
    n += strspn(at + n, " \t\r\n\"");
    buf_add(out, at, n);
    size_t label_len = strcspn(at + n, "'; \t\r\n\"");
    if (at[n + label_len] != '\'' || label_len == 0)
        return n;
    char *label = mem_strndup(at + n, label_len);
    const char *name = charset_find(label);
    buf_add_text(out, name != NULL ? name : "utf-8");
    free(label);
    return n + label_len;
}

/* --- The field --- */

/* Well-formed, without NULs; gives it. */
static char *field_to_utf8(const char *field, size_t len)
{
    bool guessed = false;
    return text_is_utf8(field, len) ? mem_strndup(field, len)
                                    : charset_to_utf8(field, len, NULL, &guessed);
}

/* The value of the boundary parameter, which must stay as its lines have it. */
static const char *field_boundary(const char *text, size_t *len)
{
    const char *at = strcasestr(text, "boundary");
    *len = 0;
    if (at == NULL || strncasecmp(text, "Content-Type", strlen("Content-Type")) != 0)
        return text;
    at += strlen("boundary");
    at += strspn(at, " \t\r\n=");
    *len = *at == '"' ? 1 + strcspn(at + 1, "\"") : strcspn(at, ";");
    return at;
}

void mail_field_add(struct buf *out, const char *field, size_t len)
{
    if (len > MAIL_FIELD_BYTES_MAX) {
        len = MAIL_FIELD_BYTES_MAX;
        while (((unsigned char)field[len] & 0xc0) == 0x80)
            len--;
    }
    char *text = field_to_utf8(field, len);
    size_t colon = 0;
    size_t name = mail_field_name(text, strlen(text), &colon);
    bool content = strncasecmp(text, "Content-", strlen("Content-")) == 0;
    struct field_word word;
    size_t boundary_len;
    const char *boundary = field_boundary(text, &boundary_len);
    for (size_t i = 0; text[i] != '\0';) {
        if (i < colon) {
            if (i < name) /* no blanks before the colon */
                buf_add_char(out, text[i]);
            i++;
        } else if (field_read_word(text + i, &word)) {
            i += field_add_words(text + i, &word, out);
        } else if (text + i >= boundary && text + i < boundary + boundary_len) {
            buf_add_char(out, text[i++]);
        } else if (text[i] == '=' && text[i + 1] == '?') {
            buf_add_text(out, "= ?"); /* no word; parsers more lenient than this one must agree */
            i += 2;
        } else if (text[i] == '*' && content) {
            i += field_add_extended(text + i, out);
        } else {
            if (text[i] != '\r')
                buf_add_char(out, text[i]);
            i++;
        }
    }
    if (out->len == 0 || out->data[out->len - 1] != '\n')
        buf_add_char(out, '\n');
    free(text);
}
