/* SPDX-License-Identifier: Apache-2.0 */
/* The second half of mail_scan.h: one pass over the lines, knowing which parts are open. */
#include "normalize/mail_scan.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "normalize/mail.h"
#include "normalize/mail_field.h"
#include "normalize/mem.h"

/* One open multipart, or one message/rfc822 (which has no boundary). */
struct scan_level {
    char *boundary; /* owned */
    bool digest;    /* its parts are messages unless they say otherwise */
};

struct scan {
    struct scan_level level[MAIL_DEPTH_MAX];
    size_t depth, parts;
    bool in_head;
    size_t head_bytes;
    struct buf field; /* the one being read, folded as it is */
    struct buf type;  /* the part's Content-Type, unfolded */
    struct buf *out;
};

static void scan_pop_to(struct scan *scan, size_t depth)
{
    while (scan->depth > depth)
        free(scan->level[--scan->depth].boundary);
}

static int scan_begin_part(struct scan *scan, struct err *err)
{
    buf_clear(&scan->type);
    scan->in_head = true;
    scan->head_bytes = 0;
    if (++scan->parts > MAIL_PARTS_MAX)
        return err_set(err, ERR_PERMANENT, "cannot read mail: more than %d parts", MAIL_PARTS_MAX);
    return 0;
}

static int scan_push(struct scan *scan, char *boundary, bool digest, struct err *err)
{
    if (scan->depth == MAIL_DEPTH_MAX) {
        free(boundary);
        return err_set(err, ERR_PERMANENT, "cannot read mail: nested deeper than %d",
                       MAIL_DEPTH_MAX);
    }
    scan->level[scan->depth++] = (struct scan_level){.boundary = boundary, .digest = digest};
    return 0;
}

/* The value of a parameter that starts at at; *end is set behind it. Gives it. */
static char *scan_value(const char *at, const char **end)
{
    struct buf value = BUF_INIT(MAIL_FIELD_BYTES_MAX);
    at += strspn(at, " \t");
    if (*at == '"') {
        for (at++; *at != '\0' && *at != '"'; at++) {
            at += at[0] == '\\' && at[1] != '\0';
            buf_add_char(&value, *at);
        }
    } else {
        size_t len = strcspn(at, ";");
        buf_add(&value, at, len);
        at += len;
        while (value.len > 0 && strchr(" \t", value.data[value.len - 1]) != NULL)
            buf_truncate(&value, value.len - 1);
    }
    *end = at;
    return buf_detach(&value, NULL);
}

/* The boundary parameter of a Content-Type value; gives it, or NULL. RFC 2231 forms are boundaries
 * to GMime, and nobody writes them: *split is set. */
static char *scan_boundary(const char *type, bool *split)
{
    char *boundary = NULL;
    const char *at = strchr(type, ';');
    while (at != NULL && boundary == NULL) {
        at += 1 + strspn(at + 1, "; \t");
        size_t name = strcspn(at, "=;* \t");
        const char *sign = at + name + strspn(at + name, " \t");
        bool named = name == strlen("boundary") && strncasecmp(at, "boundary", name) == 0;
        *split = *split || (named && *sign == '*');
        sign += strcspn(sign, "=;");
        if (*sign != '=') {
            at = *sign == ';' ? sign : NULL;
            continue;
        }
        char *value = scan_value(sign + 1, &at);
        if (named)
            boundary = value;
        else
            free(value);
        at = strchr(at, ';');
    }
    return boundary;
}

static bool scan_is_message(const struct scan *scan)
{
    static const char *const types[] = {"message/rfc822", "message/news", "message/global"};
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
        size_t len = strlen(types[i]);
        if (strncasecmp(scan->type.data, types[i], len) == 0 &&
            strchr("; \t(", scan->type.data[len]) != NULL)
            return true;
    }
    return scan->type.len == 0 && scan->depth > 0 && scan->level[scan->depth - 1].digest;
}

static int scan_line(struct scan *scan, const char *line, size_t len, size_t full, struct err *err);

/* The header block of a part is complete. */
static int scan_end_head(struct scan *scan, struct err *err)
{
    scan->in_head = false;
    if (scan_is_message(scan)) {
        if (scan_push(scan, NULL, false, err) != 0)
            return -1;
        return scan_begin_part(scan, err);
    }
    if (strncasecmp(scan->type.data, "multipart/", strlen("multipart/")) != 0)
        return 0;
    bool split = false;
    char *boundary = scan_boundary(scan->type.data, &split);
    if (split) {
        free(boundary);
        return err_set(err, ERR_PERMANENT, "cannot read mail: encoded boundary");
    }
    if (boundary == NULL)
        return 0;
    bool digest = strncasecmp(scan->type.data, "multipart/digest", 16) == 0;
    return scan_push(scan, boundary, digest, err);
}

/* Keeps the value of a Content-Type field as written, unfolded. */
static void scan_note_type(struct scan *scan, const char *field, size_t len)
{
    for (size_t i = strlen("Content-Type:"); i < len; i++) {
        bool blank = field[i] == ' ' || field[i] == '\t';
        if (field[i] != '\n' && (!blank || scan->type.len > 0))
            buf_add_char(&scan->type, field[i]);
    }
}

/* Appends a field. Of several Content-Type fields the first alone: programs differ in which of them
 * they believe. */
static void scan_end_field(struct scan *scan)
{
    const char *field = scan->field.data;
    size_t colon = 0;
    size_t name = mail_field_name(field, scan->field.len, &colon);
    bool type = name == strlen("Content-Type") && strncasecmp(field, "Content-Type", name) == 0;
    if (scan->field.len > 0 && (!type || scan->type.len == 0)) {
        size_t start = scan->out->len;
        mail_field_add(scan->out, field, scan->field.len);
        if (type)
            scan_note_type(scan, scan->out->data + start, scan->out->len - start);
    }
    buf_clear(&scan->field);
}

static int scan_head_line(struct scan *scan, const char *line, size_t len, size_t full,
                          struct err *err)
{
    scan->head_bytes += len;
    if (scan->head_bytes > MAIL_HEADER_BYTES_MAX)
        return err_set(err, ERR_PERMANENT,
                       "cannot read mail: header of a part longer than %d bytes",
                       MAIL_HEADER_BYTES_MAX);
    bool folded = len > 0 && (line[0] == ' ' || line[0] == '\t') && scan->field.len > 0;
    if (!folded)
        scan_end_field(scan);
    if (folded || mail_field_name(line, len, NULL) > 0) {
        buf_add(&scan->field, line, len);
        buf_add_char(&scan->field, '\n');
        return 0;
    }
    bool first = scan->head_bytes == len;
    if (len > 0 && scan->type.len == 0 && !first)
        return 0; /* garbage between fields: left out */
    buf_add_char(scan->out, '\n');
    if (scan_end_head(scan, err) != 0)
        return -1;
    if (len == 0)
        return 0;
    /* The empty line was lost. */
    return scan_line(scan, line, len, full, err);
}

/* The level whose boundary the line is, or MAIL_DEPTH_MAX; *closes: the last one of its level. */
static size_t scan_match(const struct scan *scan, const char *line, size_t len, bool *closes)
{
    if (len < 2 || line[0] != '-' || line[1] != '-')
        return MAIL_DEPTH_MAX;
    for (size_t i = scan->depth; i > 0; i--) {
        const char *boundary = scan->level[i - 1].boundary;
        if (boundary == NULL)
            continue;
        size_t n = strlen(boundary) + 2;
        if (len < n || memcmp(line + 2, boundary, n - 2) != 0)
            continue;
        *closes = len >= n + 2 && memcmp(line + n, "--", 2) == 0;
        n += *closes ? 2 : 0;
        while (n < len && (line[n] == ' ' || line[n] == '\t'))
            n++;
        if (n == len)
            return i - 1;
    }
    return MAIL_DEPTH_MAX;
}

static int scan_line(struct scan *scan, const char *line, size_t len, size_t full, struct err *err)
{
    bool closes = false;
    size_t level = scan_match(scan, line, len, &closes);
    if (level < MAIL_DEPTH_MAX) {
        scan_end_field(scan);
        scan_pop_to(scan, closes ? level : level + 1);
        scan->in_head = false;
        buf_add(scan->out, line, full);
        return closes ? 0 : scan_begin_part(scan, err);
    }
    if (scan->in_head)
        return scan_head_line(scan, line, len, full, err);
    buf_add(scan->out, line, full);
    return 0;
}

static int scan_lines(struct scan *scan, const char *at, size_t len, struct err *err)
{
    const char *end = at + len;
    int result = 0;
    while (result == 0 && at < end) {
        const char *newline = memchr(at, '\n', (size_t)(end - at));
        size_t full = newline != NULL ? (size_t)(newline - at) + 1 : (size_t)(end - at);
        size_t line_len = full - (newline != NULL);
        if (line_len > 0 && at[line_len - 1] == '\r')
            line_len--;
        result = scan_line(scan, at, line_len, full, err);
        at += full;
    }
    return result;
}

int mail_scan(const struct mail_raw *raw, struct buf *out, struct err *err)
{
    struct scan scan = {.type = BUF_INIT(MAIL_FIELD_BYTES_MAX),
                        .field = BUF_INIT(2 * MAIL_HEADER_BYTES_MAX),
                        .out = out};
    int result = scan_begin_part(&scan, err);
    if (result == 0)
        result = scan_lines(&scan, raw->head.data, raw->head.len, err);
    if (result == 0)
        result = scan_line(&scan, "\n", 0, 1, err);
    if (result == 0)
        result = scan_lines(&scan, raw->body, raw->body_len, err);
    scan_end_field(&scan);
    scan_pop_to(&scan, 0);
    buf_release(&scan.type);
    buf_release(&scan.field);
    return result;
}
