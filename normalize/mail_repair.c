/* SPDX-License-Identifier: Apache-2.0 */
/* The first half of mail_scan.h: what counts as a header block, and where it ends. */
#include "normalize/mail_scan.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "normalize/mail.h"
#include "normalize/mail_field.h"

/* Names that tell a header from text that happens to hold colons. "X-..." does as well. */
static const char *const mail_names[] = {
    "ARC-Seal",
    "Authentication-Results",
    "Auto-Submitted",
    "Bcc",
    "Cc",
    "Comments",
    "Content-Disposition",
    "Content-ID",
    "Content-Language",
    "Content-Transfer-Encoding",
    "Content-Type",
    "Date",
    "Delivered-To",
    "DKIM-Signature",
    "Envelope-To",
    "From",
    "Importance",
    "In-Reply-To",
    "List-Id",
    "List-Unsubscribe",
    "Message-ID",
    "MIME-Version",
    "Precedence",
    "Received",
    "Received-SPF",
    "References",
    "Reply-To",
    "Return-Path",
    "Sender",
    "Subject",
    "Thread-Index",
    "Thread-Topic",
    "To",
    "User-Agent",
};

struct mail_line {
    const char *text;
    size_t len;  /* without the line end */
    size_t full; /* with it */
};

static struct mail_line mail_line(const char *at, const char *end)
{
    const char *newline = memchr(at, '\n', (size_t)(end - at));
    struct mail_line line = {.text = at};
    line.full = newline != NULL ? (size_t)(newline - at) + 1 : (size_t)(end - at);
    line.len = line.full - (newline != NULL);
    if (line.len > 0 && at[line.len - 1] == '\r')
        line.len--;
    return line;
}

static bool mail_is_folded(const struct mail_line *line)
{
    return line->len > 0 && (line->text[0] == ' ' || line->text[0] == '\t');
}

static bool mail_is_field(const struct mail_line *line)
{
    return mail_field_name(line->text, line->len, NULL) > 0;
}

static bool mail_is_known(const struct mail_line *line)
{
    size_t n = mail_field_name(line->text, line->len, NULL);
    if (n > 2 && strncasecmp(line->text, "X-", 2) == 0)
        return true;
    for (size_t i = 0; i < sizeof mail_names / sizeof mail_names[0]; i++) {
        if (strlen(mail_names[i]) == n && strncasecmp(line->text, mail_names[i], n) == 0)
            return true;
    }
    return false;
}

/* Mailbox formats and careless exports put these before the first field. */
static const char *mail_skip_front(const char *at, const char *end)
{
    while (at < end) {
        struct mail_line line = mail_line(at, end);
        bool postmark = (line.len > 5 && memcmp(line.text, "From ", 5) == 0) ||
                        (line.len > 6 && memcmp(line.text, ">From ", 6) == 0);
        if (line.len > 0 && !postmark)
            break;
        at += line.full;
    }
    return at;
}

/*
 * Where the header block ends: at the empty line, or before the first line that is no field when no
 * known field comes after it any more (the empty line was lost). at itself when there is no known
 * field at all: then there is no header.
 */
static const char *mail_head_end(const char *at, const char *end)
{
    const char *last = at; /* behind the last known field, as folded */
    const char *stop = NULL;
    bool in_known = false;
    const char *line_at = at;
    while (line_at < end) {
        struct mail_line line = mail_line(line_at, end);
        if (line.len == 0)
            break;
        if (!mail_is_folded(&line))
            in_known = mail_is_known(&line);
        line_at += line.full;
        if (in_known) {
            last = line_at;
            stop = NULL;
        } else if (stop == NULL && !mail_is_folded(&line) && !mail_is_field(&line)) {
            stop = line.text;
        }
    }
    if (last == at)
        return at;
    return stop != NULL ? stop : line_at;
}

/* The fields of the block. What is no field, and what is folded below it, is left out. */
static void mail_add_fields(struct buf *out, const char *at, const char *end)
{
    bool keep = false;
    while (at < end) {
        struct mail_line line = mail_line(at, end);
        if (!mail_is_folded(&line))
            keep = mail_is_field(&line);
        at += line.full;
        if (!keep || line.len == 0)
            continue;
        buf_add(out, line.text, line.len);
        buf_add_char(out, '\n');
    }
}

int mail_repair(const char *data, size_t len, struct mail_raw *out, struct err *err)
{
    const char *end = data + len;
    const char *head = mail_skip_front(data, end);
    const char *head_end = mail_head_end(head, end);
    *out = (struct mail_raw){.head = BUF_INIT(MAIL_HEADER_BYTES_MAX + 1), .body = data};
    if (head_end - head > MAIL_HEADER_BYTES_MAX)
        return err_set(err, ERR_PERMANENT, "cannot read mail: header longer than %d bytes",
                       MAIL_HEADER_BYTES_MAX);
    mail_add_fields(&out->head, head, head_end);
    if (head_end > head) { /* else there is no header: all of it is text */
        struct mail_line blank = mail_line(head_end, end);
        out->body = head_end + (blank.len == 0 ? blank.full : 0);
    }
    out->body_len = (size_t)(end - out->body);
    return 0;
}

void mail_raw_release(struct mail_raw *raw)
{
    buf_release(&raw->head);
}
