/* SPDX-License-Identifier: Apache-2.0 */
#include "normalize/multipart.h"

#include <string.h>
#include <strings.h>

#include "normalize/buf.h"
#include "normalize/mem.h"

/* --- Header parameters --- */

static bool multipart_is_blank(char c)
{
    return c == ' ' || c == '\t';
}

/*
 * Reads a parameter's value at text into *out: a token, or a quoted string in which only \" is an
 * escape: browsers put file paths there whose backslashes mean themselves. Gives what follows.
 */
static const char *multipart_parameter_value(const char *text, struct buf *out)
{
    if (*text != '"') {
        size_t len = strcspn(text, "; \t");
        buf_add(out, text, len);
        return text + len;
    }
    for (text++; *text != '\0' && *text != '"'; text++) {
        if (text[0] == '\\' && text[1] == '"')
            text++;
        buf_add_char(out, *text);
    }
    return *text == '"' ? text + 1 : text;
}

/* Gives the value of the parameter called name in "type; a=b; c=\"d\"", or NULL. */
static char *multipart_parameter(const char *header, const char *name)
{
    size_t name_len = strlen(name);
    const char *at = header + strcspn(header, ";");
    char *found = NULL;
    while (*at == ';' && found == NULL) {
        struct buf value = BUF_INIT(MULTIPART_HEADERS_MAX);
        at++;
        while (multipart_is_blank(*at))
            at++;
        size_t len = strcspn(at, "=; \t");
        bool wanted = len == name_len && strncasecmp(at, name, len) == 0;
        at += len;
        while (multipart_is_blank(*at))
            at++;
        if (*at == '=') {
            at++;
            while (multipart_is_blank(*at))
                at++;
            at = multipart_parameter_value(at, &value);
            if (wanted)
                found = buf_detach(&value, NULL);
        }
        at += strcspn(at, ";");
        buf_release(&value);
    }
    return found;
}

/* Undoes, in place, what browsers escape in field and file names (HTML standard, "escape a
 * multipart/form-data name"). */
static char *multipart_unescape(char *name)
{
    static const struct {
        const char *escape;
        char byte;
    } escapes[] = {{"%22", '"'}, {"%0D", '\r'}, {"%0A", '\n'}};
    char *out = name;
    if (name == NULL)
        return NULL;
    for (const char *at = name; *at != '\0'; out++) {
        size_t i = 0;
        while (i < 3 && strncasecmp(at, escapes[i].escape, 3) != 0)
            i++;
        *out = i < 3 ? escapes[i].byte : *at;
        at += i < 3 ? 3 : 1;
    }
    *out = '\0';
    return name;
}

/* --- Delimiters --- */

static const char *multipart_find(const struct multipart *multipart, const char *from,
                                  const char *what)
{
    size_t left = multipart->len - (size_t)(from - multipart->data);
    return memmem(from, left, what, strlen(what));
}

enum multipart_delimiter { MULTIPART_NO_DELIMITER, MULTIPART_OPENS, MULTIPART_CLOSES };

/* What the delimiter at from is, and in *after what follows its line. */
static enum multipart_delimiter multipart_delimiter_at(const struct multipart *multipart,
                                                       const char *from, const char **after)
{
    const char *end = multipart->data + multipart->len;
    const char *at = from;
    if (end - at >= 2 && at[0] == '-' && at[1] == '-') {
        *after = end;
        return MULTIPART_CLOSES;
    }
    while (at < end && multipart_is_blank(*at))
        at++;
    if (end - at < 2 || at[0] != '\r' || at[1] != '\n')
        return MULTIPART_NO_DELIMITER; /* it only begins like one */
    *after = at + 2;
    return MULTIPART_OPENS;
}

/* Finds the next delimiter from from on; *start: where it begins. */
static enum multipart_delimiter multipart_delimiter_find(const struct multipart *multipart,
                                                         const char *from, const char **start,
                                                         const char **after)
{
    size_t size = strlen(multipart->delimiter);
    for (;;) {
        *start = multipart_find(multipart, from, multipart->delimiter);
        if (*start == NULL)
            return MULTIPART_NO_DELIMITER;
        enum multipart_delimiter kind = multipart_delimiter_at(multipart, *start + size, after);
        if (kind != MULTIPART_NO_DELIMITER)
            return kind;
        from = *start + size;
    }
}

int multipart_start(struct multipart *multipart, const char *content_type, const char *data,
                    size_t len)
{
    char *boundary = multipart_parameter(content_type, "boundary");
    size_t size = boundary == NULL ? 0 : strlen(boundary);
    *multipart = (struct multipart){.data = data, .len = len};
    if (size > 0 && size <= MULTIPART_BOUNDARY_MAX)
        snprintf(multipart->delimiter, sizeof multipart->delimiter, "\r\n--%s", boundary);
    free(boundary);
    if (multipart->delimiter[0] == '\0')
        return -1;
    /* The first one has no line end before it when there is no preamble. */
    const char *start, *after;
    const char *first = multipart->delimiter + 2;
    enum multipart_delimiter kind;
    if (len >= size + 2 && memcmp(data, first, size + 2) == 0)
        kind = multipart_delimiter_at(multipart, data + size + 2, &after);
    else
        kind = multipart_delimiter_find(multipart, data, &start, &after);
    if (kind == MULTIPART_NO_DELIMITER)
        return -1;
    multipart->closed = kind == MULTIPART_CLOSES;
    multipart->pos = (size_t)(after - data);
    return 0;
}

/* --- Parts --- */

/* Takes name and file name from the part's first Content-Disposition; false when there is no name.
 */
static bool multipart_part_headers(const char *headers, size_t len, struct multipart_part *part)
{
    static const char wanted[] = "content-disposition:";
    char *text = mem_strndup(headers, len);
    bool seen = false;
    for (char *line = text; line != NULL;) {
        char *end = strstr(line, "\r\n");
        if (end != NULL)
            *end = '\0';
        if (!seen && strncasecmp(line, wanted, sizeof wanted - 1) == 0) {
            seen = true;
            part->name = multipart_unescape(multipart_parameter(line, "name"));
            part->filename = multipart_unescape(multipart_parameter(line, "filename"));
        }
        line = end == NULL ? NULL : end + 2;
    }
    free(text);
    return part->name != NULL;
}

int multipart_next(struct multipart *multipart, struct multipart_part *part)
{
    *part = (struct multipart_part){0};
    if (multipart->closed)
        return 0;
    const char *headers = multipart->data + multipart->pos;
    const char *blank = multipart_find(multipart, headers, "\r\n\r\n");
    if (blank == NULL || blank - headers > MULTIPART_HEADERS_MAX || headers[0] == '\r')
        return -1;
    const char *end, *after;
    /* An empty part's delimiter shares its line end with the blank line. */
    enum multipart_delimiter kind = multipart_delimiter_find(multipart, blank + 2, &end, &after);
    if (kind == MULTIPART_NO_DELIMITER ||
        !multipart_part_headers(headers, (size_t)(blank - headers), part))
        return -1;
    part->data = blank + 4;
    part->len = end > part->data ? (size_t)(end - part->data) : 0;
    multipart->closed = kind == MULTIPART_CLOSES;
    multipart->pos = (size_t)(after - multipart->data);
    return 1;
}

void multipart_part_release(struct multipart_part *part)
{
    free(part->name);
    free(part->filename);
    *part = (struct multipart_part){0};
}
