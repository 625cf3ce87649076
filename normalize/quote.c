/* SPDX-License-Identifier: Apache-2.0 */
#include "normalize/quote.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "normalize/buf.h"
#include "normalize/mem.h"

enum {
    QUOTE_INTRODUCTION_LINES = 3, /* over which programs break "On ... wrote:" */
    QUOTE_INTRODUCTION_MAX = 400, /* bytes of it; longer is a story that ends in "wrote:" */
    QUOTE_BLOCK_LINES = 8,        /* lines of an Outlook header block looked at */
    QUOTE_SIGNATURE_LINES = 20,   /* more below "-- " is not a signature */
    QUOTE_FORWARD_LINES = 4,      /* between "Forwarded message" and its header block */
};

struct quote_line {
    const char *text; /* without leading blanks and emphasis marks */
    size_t len;
    const char *full;
    size_t full_len;
};

struct quote_lines {
    struct quote_line *line;
    size_t count;
};

/* What programs put between the answer and what was answered, with any dashes around it. */
static const char *const quote_separators[] = {
    "Original Message", "Original Appointment", "Pesan Asli",       "Pesan asal",
    "Email Asli",       "Reply message",        "Pesan sebelumnya",
};

static const char *const quote_forwards[] = {
    "Forwarded message",     "Begin forwarded message", "Pesan terusan",
    "Pesan yang diteruskan", "Mulai pesan terusan",     "Pesan diteruskan",
};

/* How an introduction begins and ends. An empty beginning: any, on one line with an address. */
static const struct {
    const char *begin, *end;
} quote_introductions[] = {
    {"On ", "wrote:"},   {"Pada ", "menulis:"},        {"", "menulis:"},    {"", "wrote:"},
    {"On ", "wrote :"},  {"Pada ", "menulis :"},       {"Am ", "schrieb:"}, {"Le ", "écrit :"},
    {"Op ", "schreef:"}, {"Pada ", "mengirim pesan:"}, {"On ", "said:"},
};

/* The lines of an Outlook header block. */
enum quote_field { QUOTE_FROM = 1, QUOTE_DATE = 2, QUOTE_TO = 4, QUOTE_SUBJECT = 8, QUOTE_CC = 16 };
static const struct {
    const char *word;
    enum quote_field field;
} quote_fields[] = {
    {"From:", QUOTE_FROM},      {"Dari:", QUOTE_FROM},       {"Sent:", QUOTE_DATE},
    {"Dikirim:", QUOTE_DATE},   {"Terkirim:", QUOTE_DATE},   {"Date:", QUOTE_DATE},
    {"Tanggal:", QUOTE_DATE},   {"To:", QUOTE_TO},           {"Kepada:", QUOTE_TO},
    {"Ke:", QUOTE_TO},          {"Untuk:", QUOTE_TO},        {"Subject:", QUOTE_SUBJECT},
    {"Subjek:", QUOTE_SUBJECT}, {"Perihal:", QUOTE_SUBJECT}, {"Hal:", QUOTE_SUBJECT},
    {"Cc:", QUOTE_CC},          {"Tembusan:", QUOTE_CC},     {"Reply-To:", QUOTE_CC},
};

/* Last lines that a telephone adds by itself. */
static const char *const quote_devices[] = {
    "Sent from my ",       "Sent from Outlook",       "Sent from Yahoo Mail",
    "Sent from Mail for ", "Get Outlook for ",        "Dikirim dari ",
    "Terkirim dari ",      "Dapatkan Outlook untuk ", "Unduh Outlook untuk ",
};

static bool quote_begins(const struct quote_line *line, const char *prefix)
{
    size_t len = strlen(prefix);
    return line->len >= len && strncasecmp(line->text, prefix, len) == 0;
}

static struct quote_lines quote_split(const char *text)
{
    size_t count = 1;
    for (const char *at = text; (at = strchr(at, '\n')) != NULL; at++)
        count++;
    struct quote_lines lines = {.line = mem_calloc(count, sizeof *lines.line)};
    for (const char *at = text;; at++) {
        struct quote_line *line = &lines.line[lines.count++];
        line->full = at;
        line->full_len = strcspn(at, "\n");
        at += line->full_len;
        size_t skip = strspn(line->full, " \t*");
        skip = skip < line->full_len ? skip : line->full_len;
        line->text = line->full + skip;
        line->len = line->full_len - skip;
        if (*at == '\0')
            break;
    }
    return lines;
}

static bool quote_is_blank(const struct quote_line *line)
{
    return line->len == 0;
}

static bool quote_has_mark(const struct quote_line *line)
{
    return line->len > 0 && line->text[0] == '>' && line->full[0] != '*';
}

/* The first line from i on that is not blank, or count. */
static size_t quote_next(const struct quote_lines *lines, size_t i)
{
    while (i < lines->count && quote_is_blank(&lines->line[i]))
        i++;
    return i;
}

/* A single "> 50 cm" is a measure: one marked line counts when it does not look like one. */
static bool quote_is_quoted(const struct quote_lines *lines, size_t i)
{
    const struct quote_line *line = &lines->line[i];
    if (!quote_has_mark(line))
        return false;
    size_t digit = 1 + strspn(line->text + 1, " ");
    bool measure = digit < line->len && line->text[digit] >= '0' && line->text[digit] <= '9';
    bool alone = (i == 0 || !quote_has_mark(&lines->line[i - 1])) &&
                 (i + 1 == lines->count || !quote_has_mark(&lines->line[i + 1]));
    return !measure || !alone;
}

static bool quote_names(const struct quote_line *line, const char *const *words, size_t count)
{
    struct quote_line core = *line;
    while (core.len > 0 && strchr("-_= ", core.text[0]) != NULL) {
        core.text++;
        core.len--;
    }
    for (size_t i = 0; i < count; i++) {
        size_t len = strlen(words[i]);
        if (!quote_begins(&core, words[i]))
            continue;
        size_t rest = len + strspn(core.text + len, "-_=*: ");
        if (rest >= core.len)
            return true;
    }
    return false;
}

#define QUOTE_NAMES(line, table) quote_names(line, table, sizeof table / sizeof((table)[0]))

/* "10:03", "10.03": what introductions have and letters hardly ever. */
static bool quote_has_clock(const char *text, size_t len)
{
    for (size_t i = 2; i + 2 < len; i++) {
        if ((text[i] == ':' || text[i] == '.') && text[i - 1] >= '0' && text[i - 1] <= '9' &&
            text[i + 1] >= '0' && text[i + 1] <= '5' && text[i + 2] >= '0' && text[i + 2] <= '9')
            return true;
    }
    return false;
}

static bool quote_matches_introduction(const char *text, size_t len, bool one_line)
{
    for (size_t i = 0; i < sizeof quote_introductions / sizeof quote_introductions[0]; i++) {
        const char *begin = quote_introductions[i].begin;
        const char *end = quote_introductions[i].end;
        size_t begin_len = strlen(begin), end_len = strlen(end);
        if (len >= begin_len + end_len && strncasecmp(text, begin, begin_len) == 0 &&
            strncasecmp(text + len - end_len, end, end_len) == 0 &&
            (begin_len > 0 || (one_line && memchr(text, '@', len) != NULL)))
            return true;
    }
    return false;
}

/*
 * How many lines from i on introduce a quotation; 0: none. It must be followed by marked lines or
 * name an address or a time: "Pada 12 Januari warga menulis:" alone may be part of a story.
 */
static size_t quote_introduction(const struct quote_lines *lines, size_t i)
{
    struct buf joined = BUF_INIT(QUOTE_INTRODUCTION_MAX);
    size_t found = 0;
    for (size_t n = 1; n <= QUOTE_INTRODUCTION_LINES && i + n <= lines->count; n++) {
        const struct quote_line *line = &lines->line[i + n - 1];
        if (quote_is_blank(line) || quote_has_mark(line))
            break;
        if (n > 1)
            buf_add_char(&joined, ' ');
        buf_add(&joined, line->text, line->len);
        if (joined.overflow)
            break;
        while (joined.len > 0 && strchr("* ", joined.data[joined.len - 1]) != NULL)
            buf_truncate(&joined, joined.len - 1);
        if (!quote_matches_introduction(joined.data, joined.len, n == 1))
            continue;
        size_t next = quote_next(lines, i + n);
        bool marked = next < lines->count && quote_has_mark(&lines->line[next]);
        if (marked || memchr(joined.data, '@', joined.len) != NULL ||
            quote_has_clock(joined.data, joined.len))
            found = n;
        break;
    }
    buf_release(&joined);
    return found;
}

/* Outlook's header block, and not a letter's head: From, a date with a time or an address, and one
 * of To and Subject, on lines that follow each other. */
static bool quote_is_block(const struct quote_lines *lines, size_t i)
{
    unsigned seen = 0;
    bool sure = false;
    for (size_t n = 0; n < QUOTE_BLOCK_LINES && i + n < lines->count; n++) {
        const struct quote_line *line = &lines->line[i + n];
        if (quote_is_blank(line))
            break;
        unsigned field = 0;
        for (size_t k = 0; k < sizeof quote_fields / sizeof quote_fields[0]; k++) {
            if (quote_begins(line, quote_fields[k].word))
                field = quote_fields[k].field;
        }
        if (n == 0 && field != QUOTE_FROM)
            return false;
        sure = sure || (field == QUOTE_FROM && memchr(line->text, '@', line->len) != NULL) ||
               (field == QUOTE_DATE && quote_has_clock(line->text, line->len));
        seen |= field;
    }
    return sure && (seen & QUOTE_DATE) != 0 && (seen & (QUOTE_TO | QUOTE_SUBJECT)) != 0;
}

static bool quote_is_forward(const struct quote_lines *lines, size_t i)
{
    for (size_t n = 1; n <= QUOTE_FORWARD_LINES && n <= i; n++) {
        if (QUOTE_NAMES(&lines->line[i - n], quote_forwards))
            return true;
    }
    return false;
}

static bool quote_is_signature(const struct quote_line *line)
{
    return line->full_len >= 2 && line->full_len <= 3 && strncmp(line->full, "-- ", 2) == 0 &&
           (line->full_len == 2 || line->full[2] == ' ');
}

/* How many lines from i, a signature's delimiter, belong to it; 0: too many, so it is none. */
static size_t quote_signature(const struct quote_lines *lines, size_t i)
{
    size_t n = 1;
    while (n <= QUOTE_SIGNATURE_LINES && i + n < lines->count &&
           !quote_has_mark(&lines->line[i + n]) && quote_introduction(lines, i + n) == 0)
        n++;
    return n <= QUOTE_SIGNATURE_LINES ? n : 0;
}

/* Drops ruled lines, telephone lines and blank lines from the end. */
static void quote_trim(struct buf *out)
{
    for (bool more = true; more && out->len > 0;) {
        buf_truncate(out, out->len - (out->data[out->len - 1] == '\n'));
        const char *newline = memrchr(out->data, '\n', out->len);
        size_t start = newline != NULL ? (size_t)(newline - out->data) + 1 : 0;
        struct quote_line line = {.text = out->data + start, .len = out->len - start};
        more = strspn(line.text, " \t-_=*") >= line.len;
        for (size_t i = 0; i < sizeof quote_devices / sizeof quote_devices[0]; i++)
            more = more || quote_begins(&line, quote_devices[i]);
        if (more)
            buf_truncate(out, start);
    }
}

static void quote_keep_own(const struct quote_lines *lines, struct buf *out)
{
    size_t step;
    for (size_t i = 0; i < lines->count; i += step) {
        const struct quote_line *line = &lines->line[i];
        step = 1;
        if (quote_is_quoted(lines, i))
            continue;
        if (QUOTE_NAMES(line, quote_separators) ||
            (quote_is_block(lines, i) && !quote_is_forward(lines, i)))
            return;
        size_t introduction = quote_introduction(lines, i);
        if (introduction > 0) {
            size_t next = quote_next(lines, i + introduction);
            if (next == lines->count || !quote_has_mark(&lines->line[next]))
                return;
            step = introduction;
            continue;
        }
        size_t signature = quote_is_signature(line) ? quote_signature(lines, i) : 0;
        if (signature > 0) {
            step = signature;
            continue;
        }
        if (out->len > 0 || !quote_is_blank(line)) {
            buf_add(out, line->full, line->full_len);
            buf_add_char(out, '\n');
        }
    }
}

/* Cutting leaves gaps; no run of blank lines is longer than before a cut. */
static char *quote_close_gaps(const struct buf *text)
{
    struct buf out = BUF_INIT(SIZE_MAX / 4);
    size_t newlines = 0;
    for (size_t i = 0; i < text->len; i++) {
        newlines = text->data[i] == '\n' ? newlines + 1 : 0;
        if (newlines <= 3)
            buf_add_char(&out, text->data[i]);
    }
    char *result = mem_strndup(out.data, out.len);
    buf_release(&out);
    return result;
}

char *quote_cut(const char *text)
{
    struct quote_lines lines = quote_split(text);
    struct buf own = BUF_INIT(SIZE_MAX / 4);
    quote_keep_own(&lines, &own);
    quote_trim(&own);
    char *result = own.len > 0 ? quote_close_gaps(&own) : mem_strdup(text);
    buf_release(&own);
    free(lines.line);
    return result;
}
