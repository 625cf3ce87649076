/* SPDX-License-Identifier: Apache-2.0 */
#include "config/file.h"

#include <errno.h>
#include <fcntl.h>
#include <ini.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <unistr.h>

#include "config/config.h"
#include "normalize/mem.h"

/* The state of one reading: inih asks for line after line and calls back for each key. */
struct config_reading {
    struct config_file *file;
    struct mistakes *mistakes;
    const char *rest; /* what of the text is still to come */
    size_t rest_len;
    int line;
    bool in_section; /* false before the first head */
    bool skipping;   /* below a head that could not be read */
};

static const char config_blanks[] = " \t\r\f\v";

static bool config_is_blank(char c)
{
    return c != '\0' && strchr(config_blanks, c) != NULL;
}

/* --- The bytes --- */

static int config_slurp(int fd, struct buf *out)
{
    char chunk[8192];
    ssize_t got = 0;
    do {
        got = read(fd, chunk, sizeof chunk);
        if (got > 0)
            buf_add(out, chunk, (size_t)got);
    } while ((got > 0 && !out->overflow) || (got < 0 && errno == EINTR));
    return got < 0 ? -1 : 0;
}

static void config_check_utf8(const struct buf *text, struct mistakes *mistakes)
{
    const uint8_t *bad = u8_check((const uint8_t *)text->data, text->len);
    int line = 1;
    for (const char *p = text->data; bad != NULL && p < (const char *)bad; p++)
        line += *p == '\n';
    if (bad != NULL)
        mistake_add(mistakes, line, "holds bytes that are not UTF-8, expected UTF-8 text");
}

/* 0 when *text is worth parsing. */
static int config_file_bytes(const char *path, struct buf *text, struct mistakes *mistakes)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    int result = fd < 0 ? -1 : config_slurp(fd, text);
    if (result != 0)
        mistake_add(mistakes, 0, "cannot be read: %s", strerror(errno));
    if (fd >= 0)
        close(fd);
    if (result == 0 && text->overflow) {
        mistake_add(mistakes, 0, "is too long, expected at most %d bytes", CONFIG_FILE_MAX);
        return -1;
    }
    if (result == 0)
        config_check_utf8(text, mistakes);
    return result;
}

/* --- Heads --- */

static void config_head_add(struct config_reading *reading, const char *word, size_t word_len,
                            const char *title, size_t title_len)
{
    struct config_file *file = reading->file;
    size_t n = file->head_count++;
    file->heads = mem_realloc(file->heads, file->head_count, sizeof *file->heads);
    file->heads[n] = (struct config_head){
        .word = mem_strndup(word, word_len),
        .title = title_len == 0 ? NULL : mem_strndup(title, title_len),
        .line = reading->line,
        .first = file->entry_count,
    };
}

/* Whether only a comment follows the bracket that ends a head. */
static bool config_head_ends(const char *after, const char *line_end)
{
    after += strspn(after, config_blanks);
    return after >= line_end || *after == ';' || *after == '#';
}

/* line: "[word title] ; comment", without blanks around it. Always false: inih need not see it. */
static bool config_head_read(struct config_reading *reading, const char *line, size_t len)
{
    const char *end = memchr(line, ']', len);
    const char *word = line + 1 + strspn(line + 1, config_blanks);
    const char *problem = NULL;
    if (end == NULL)
        problem = "']' is missing";
    else if (word >= end)
        problem = "the section has no name";
    else if (!config_head_ends(end + 1, line + len))
        problem = "something follows [section] on its line";
    reading->in_section = true;
    reading->skipping = problem != NULL;
    if (problem != NULL) {
        mistake_add(reading->mistakes, reading->line, "%s, expected [section] or [section name]",
                    problem);
        return false;
    }
    while (config_is_blank(end[-1]))
        end--;
    const char *stop = word;
    while (stop < end && !config_is_blank(*stop))
        stop++;
    const char *title = stop;
    while (title < end && config_is_blank(*title))
        title++;
    config_head_add(reading, word, (size_t)(stop - word), title, (size_t)(end - title));
    return false;
}

/* --- Lines --- */

/* Whether inih may see the line; heads are taken here, and what is nothing becomes a mistake. */
static bool config_line_is_entry(struct config_reading *reading, const char *line, size_t len)
{
    const char *problem = NULL;
    if (memchr(line, '\0', len) != NULL)
        problem = "holds a NUL byte";
    else if (len == 0 || *line == '#' || *line == ';')
        return false;
    else if (len > CONFIG_LINE_MAX)
        problem = "the line is too long";
    else if (*line == '[')
        return config_head_read(reading, line, len);
    else if (memchr(line, '=', len) == NULL && memchr(line, ':', len) == NULL)
        problem = "is neither a section nor a key";
    if (problem != NULL)
        mistake_add(reading->mistakes, reading->line,
                    "%s, expected [section], key = value or a # comment on at most %d bytes",
                    problem, CONFIG_LINE_MAX);
    return problem == NULL;
}

/* inih's fgets: one line, never indented (inih would join it to the one before). */
static char *config_line_next(char *out, int size, void *context)
{
    struct config_reading *reading = context;
    if (reading->rest_len == 0)
        return NULL;
    const char *line = reading->rest;
    const char *newline = memchr(line, '\n', reading->rest_len);
    size_t len = newline == NULL ? reading->rest_len : (size_t)(newline - line);
    size_t taken = newline == NULL ? len : len + 1;
    reading->rest += taken;
    reading->rest_len -= taken;
    reading->line++;
    for (; len > 0 && config_is_blank(line[len - 1]); len--)
        continue;
    for (; len > 0 && config_is_blank(*line); len--)
        line++;
    if (!config_line_is_entry(reading, line, len))
        len = 0;
    snprintf(out, (size_t)size, "%.*s\n", (int)len, line);
    return out;
}

/* inih's handler: its section is ignored, because it cuts long names. */
static int config_entry_take(void *context, const char *section, const char *key, const char *value)
{
    (void)section;
    struct config_reading *reading = context;
    if (reading->skipping)
        return 1;
    if (!reading->in_section) {
        mistake_add(reading->mistakes, reading->line,
                    "a key stands before the first section, expected [section] above it");
        return 1;
    }
    if (*key == '\0' || strstr(value, " #") != NULL || *value == '#') {
        mistake_add(reading->mistakes, reading->line, "%s",
                    *key == '\0' ? "a value has no key, expected key = value"
                                 : "'#' stands behind a value, expected comments on lines of "
                                   "their own, or behind ' ;'");
        return 1;
    }
    struct config_file *file = reading->file;
    size_t n = file->entry_count++;
    file->entries = mem_realloc(file->entries, file->entry_count, sizeof *file->entries);
    file->entries[n] = (struct config_entry){
        .key = mem_strdup(key), .value = mem_strdup(value), .line = reading->line};
    file->heads[file->head_count - 1].count++;
    return 1;
}

static void config_file_parse(struct config_reading *reading)
{
    static const char mark[] = "\xef\xbb\xbf";
    size_t mark_len = sizeof mark - 1;
    if (reading->rest_len >= mark_len && memcmp(reading->rest, mark, mark_len) == 0) {
        reading->rest += mark_len;
        reading->rest_len -= mark_len;
    }
    ini_use_stack = false;
    ini_initial_alloc = CONFIG_LINE_MAX + 3;
    int bad_line = ini_parse_stream(config_line_next, reading, config_entry_take, reading);
    if (bad_line != 0)
        mistake_add(reading->mistakes, bad_line > 0 ? bad_line : 0,
                    "cannot be understood, expected key = value");
}

void config_file_read(const char *path, struct config_file *out, struct mistakes *mistakes)
{
    *out = (struct config_file){0};
    struct buf text = BUF_INIT(CONFIG_FILE_MAX);
    if (config_file_bytes(path, &text, mistakes) == 0) {
        struct config_reading reading = {
            .file = out, .mistakes = mistakes, .rest = text.data, .rest_len = text.len};
        config_file_parse(&reading);
    }
    buf_wipe(&text);
}

void config_file_release(struct config_file *file)
{
    for (size_t n = 0; n < file->head_count; n++) {
        free(file->heads[n].word);
        free(file->heads[n].title);
    }
    for (size_t n = 0; n < file->entry_count; n++) {
        free(file->entries[n].key);
        free(file->entries[n].value);
    }
    free(file->heads);
    free(file->entries);
    *file = (struct config_file){0};
}
