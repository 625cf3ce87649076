/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One logfmt line per event. A value can end neither its field nor its line: whatever is not plain
 * printable ASCII leaves as \xNN. A log that cannot be written is given up, never waited for.
 */
#include "gateway/log.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <time.h>
#include <unistd.h>

#include "normalize/buf.h"

/* Below PIPE_BUF, so that lines of several threads and roles on one pipe stay whole. */
enum { LOG_LINE_MAX = 2048 };

struct log_event_entry {
    const char *name;
    const char *level;
};

#define LOG_ENTRY(id, name, level, help) [id] = {name, level},
static const struct log_event_entry log_entries[] = {LOG_EVENTS(LOG_ENTRY)};
#undef LOG_ENTRY

static bool log_value_is_bare(const char *value)
{
    if (*value == '\0')
        return false;
    for (; *value != '\0'; value++) {
        if (!isalnum((unsigned char)*value) && strchr("-_.:/", *value) == NULL)
            return false;
    }
    return true;
}

static void log_add_quoted(struct buf *line, const char *value)
{
    buf_add_char(line, '"');
    for (; *value != '\0'; value++) {
        unsigned char byte = (unsigned char)*value;
        if (byte == '"' || byte == '\\')
            buf_addf(line, "\\%c", byte);
        else if (byte < 0x20 || byte > 0x7e)
            buf_addf(line, "\\x%02x", byte);
        else
            buf_add_char(line, *value);
    }
    buf_add_char(line, '"');
}

static void log_add(struct buf *line, const char *key, const char *value)
{
    if (value == NULL)
        return;
    buf_addf(line, " %s=", key);
    if (log_value_is_bare(value))
        buf_add_text(line, value);
    else
        log_add_quoted(line, value);
}

static void log_add_time(struct buf *line)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    struct tm utc;
    gmtime_r(&now.tv_sec, &utc);
    char text[32];
    strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &utc);
    buf_addf(line, "time=%s", text);
}

static void log_write(enum log_event event, const char *channel, const char *word, int64_t count,
                      const struct err *err)
{
    struct buf line = BUF_INIT(LOG_LINE_MAX);
    log_add_time(&line);
    log_add(&line, "level", log_entries[event].level);
    log_add(&line, "event", log_entries[event].name);
    log_add(&line, "channel", channel);
    log_add(&line, "reason", word);
    if (count >= 0)
        buf_addf(&line, " count=%" PRId64, count);
    if (err != NULL && err->kind != ERR_NONE) {
        log_add(&line, "kind", err_kind_name(err->kind));
        log_add(&line, "msg", err->text);
    }
    buf_add_char(&line, '\n');
    while (write(STDERR_FILENO, line.data, line.len) < 0 && errno == EINTR)
        continue;
    buf_release(&line);
}

void log_event(enum log_event event, const char *channel, int64_t count, const struct err *err)
{
    log_write(event, channel, NULL, count, err);
}

void log_event_word(enum log_event event, const char *channel, const char *word,
                    const struct err *err)
{
    log_write(event, channel, word, -1, err);
}
