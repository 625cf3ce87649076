/* SPDX-License-Identifier: Apache-2.0 */
/* Writing the log is in the vault's hands; reading it (vault_audit_print) is anyone's who may. */
#include "gateway/vault_audit.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <jansson.h>
#include <sodium.h>
#include <stdbool.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "gateway/process.h"
#include "gateway/vault.h"
#include "normalize/buf.h"
#include "normalize/mem.h"

enum {
    AUDIT_LINE_MAX = 1024,
    AUDIT_TAIL_MAX =
        64 * 1024, /* a torn line is no longer than a line; a power cut may leave more */
    AUDIT_PATH_MAX = 4096,
    AUDIT_HEX_LEN = 2 * VAULT_AUDIT_HASH_SIZE,
    AUDIT_LOCK_STEP_MS = 20,
};

static const char audit_tail[] = ",\"hash\":\"";

/* A line taken apart: what is hashed is its first body_len bytes. */
struct audit_line {
    uint64_t n;
    size_t body_len;
    unsigned char hash[VAULT_AUDIT_HASH_SIZE];
};

bool vault_audit_word(const char *text)
{
    size_t len = strnlen(text, VAULT_AUDIT_REASON_MAX + 1);
    if (len == 0 || len > VAULT_AUDIT_REASON_MAX)
        return false;
    for (; *text != '\0'; text++) {
        if (!isalnum((unsigned char)*text) && strchr("._:-", *text) == NULL)
            return false;
    }
    return true;
}

/* Reads a line without its line end; false when it is no entry. */
static bool audit_line_parse(const char *text, size_t len, struct audit_line *line)
{
    const size_t tail_len = sizeof audit_tail - 1;
    const size_t end_len = tail_len + AUDIT_HEX_LEN + 2;
    size_t bytes = 0;
    char *stop;
    if (len < end_len + 6 || len > AUDIT_LINE_MAX || memcmp(text, "{\"n\":", 5) != 0)
        return false;
    line->n = strtoull(text + 5, &stop, 10);
    line->body_len = len - end_len;
    return *stop == ',' && memcmp(text + line->body_len, audit_tail, tail_len) == 0 &&
           memcmp(text + len - 2, "\"}", 2) == 0 &&
           sodium_hex2bin(line->hash, sizeof line->hash, text + line->body_len + tail_len,
                          AUDIT_HEX_LEN, NULL, &bytes, NULL) == 0 &&
           bytes == sizeof line->hash;
}

static void audit_hash(const unsigned char before[static VAULT_AUDIT_HASH_SIZE], const char *body,
                       size_t len, unsigned char hash[static VAULT_AUDIT_HASH_SIZE])
{
    crypto_generichash_state state;
    crypto_generichash_init(&state, NULL, 0, VAULT_AUDIT_HASH_SIZE);
    crypto_generichash_update(&state, before, VAULT_AUDIT_HASH_SIZE);
    crypto_generichash_update(&state, (const unsigned char *)body, len);
    crypto_generichash_final(&state, hash, VAULT_AUDIT_HASH_SIZE);
}

static void audit_add_time(struct buf *line, int64_t wall_ms)
{
    time_t seconds = (time_t)(wall_ms / 1000);
    struct tm utc;
    char text[32];
    gmtime_r(&seconds, &utc);
    strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &utc);
    buf_addf(line, ",\"time\":\"%s\"", text);
}

static void audit_add_word(struct buf *line, const char *key, const char *word)
{
    if (word == NULL)
        buf_addf(line, ",\"%s\":null", key);
    else
        buf_addf(line, ",\"%s\":\"%s\"", key, word);
}

/* One write of a whole line: what a crash leaves is a beginning of it. */
static int audit_write(int fd, const struct buf *line)
{
    ssize_t written;
    do
        written = write(fd, line->data, line->len);
    while (written < 0 && errno == EINTR);
    return written == (ssize_t)line->len && fdatasync(fd) == 0 ? 0 : -1;
}

int vault_audit_append(struct vault_audit *audit, const struct vault_audit_entry *entry,
                       int64_t wall_ms, struct err *err)
{
    unsigned char hash[VAULT_AUDIT_HASH_SIZE];
    char hex[AUDIT_HEX_LEN + 1];
    struct buf line = BUF_INIT(AUDIT_LINE_MAX);
    buf_addf(&line, "{\"n\":%" PRIu64, audit->n + 1);
    audit_add_time(&line, wall_ms);
    audit_add_word(&line, "purpose", entry->purpose);
    audit_add_word(&line, "field", entry->field);
    audit_add_word(&line, "reason", entry->reason);
    audit_add_word(&line, "report", entry->report);
    audit_hash(audit->head, line.data, line.len, hash);
    sodium_bin2hex(hex, sizeof hex, hash, sizeof hash);
    buf_addf(&line, "%s%s\"}\n", audit_tail, hex);
    int result = line.overflow ? -1 : audit_write(audit->fd, &line);
    buf_release(&line);
    if (result != 0)
        return err_set(err, ERR_TRANSIENT, "cannot write the audit log: %s", strerror(errno));
    audit->n++;
    memcpy(audit->head, hash, sizeof hash);
    return 0;
}

static int audit_lock(int fd)
{
    int64_t deadline_ms = clock_ms() + VAULT_AUDIT_LOCK_WAIT_MS;
    while (flock(fd, LOCK_EX | LOCK_NB) != 0) {
        if (errno != EWOULDBLOCK || clock_ms() >= deadline_ms)
            return -1;
        usleep(AUDIT_LOCK_STEP_MS * 1000);
    }
    return 0;
}

/* Finds the last whole line in the tail of the file: *whole is where it ends in the file. */
static int audit_find_end(struct vault_audit *audit, off_t size, off_t *whole)
{
    char *tail = mem_realloc(NULL, AUDIT_TAIL_MAX, 1);
    off_t from = size > AUDIT_TAIL_MAX ? size - AUDIT_TAIL_MAX : 0;
    ssize_t len = pread(audit->fd, tail, AUDIT_TAIL_MAX, from);
    const char *end = len <= 0 ? NULL : memrchr(tail, '\n', (size_t)len);
    struct audit_line line;
    int result = -1;
    *whole = 0;
    if (end != NULL) {
        const char *before = memrchr(tail, '\n', (size_t)(end - tail));
        const char *start = before == NULL ? tail : before + 1;
        if (audit_line_parse(start, (size_t)(end - start), &line)) {
            audit->n = line.n;
            memcpy(audit->head, line.hash, sizeof line.hash);
            *whole = from + (end - tail) + 1;
            result = 0;
        }
    } else if (len >= 0 && from == 0 && len < AUDIT_LINE_MAX) {
        result = 0; /* nothing yet, or a first line cut short */
    }
    free(tail);
    return result;
}

static int audit_recover(struct vault_audit *audit, int64_t wall_ms, struct err *err)
{
    struct stat facts;
    off_t whole;
    if (fstat(audit->fd, &facts) != 0 || audit_find_end(audit, facts.st_size, &whole) != 0)
        return err_set(err, ERR_CONFIG, "the audit log is damaged: its last line is no entry");
    if (whole == facts.st_size)
        return 0;
    char reason[64];
    snprintf(reason, sizeof reason, "torn:%lld", (long long)(facts.st_size - whole));
    if (ftruncate(audit->fd, whole) != 0)
        return err_set(err, ERR_CONFIG, "cannot repair the audit log: %s", strerror(errno));
    return vault_audit_append(
        audit, &(struct vault_audit_entry){.purpose = "recovered", .reason = reason}, wall_ms, err);
}

static void audit_path(const char *dir, struct buf *path)
{
    buf_addf(path, "%s/audit.log", dir);
}

/* A new file is only there once its folder is synced. */
static int audit_sync_folder(const char *dir)
{
    int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int result = fd >= 0 && fsync(fd) == 0 ? 0 : -1;
    if (fd >= 0)
        close(fd);
    return result;
}

int vault_audit_open(const char *dir, int64_t wall_ms, struct vault_audit *audit, struct err *err)
{
    struct buf path = BUF_INIT(AUDIT_PATH_MAX);
    *audit = (struct vault_audit){.fd = -1};
    audit_path(dir, &path);
    audit->fd = open(path.data, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600);
    int result = audit->fd < 0 ? -1 : 0;
    if (result == 0)
        result = audit_sync_folder(dir);
    if (result != 0)
        err_set(err, ERR_CONFIG, "cannot open '%s': %s", path.data, strerror(errno));
    if (result == 0 && audit_lock(audit->fd) != 0)
        result = err_set(err, ERR_CONFIG, "another vault holds '%s'", path.data);
    if (result == 0)
        result = audit_recover(audit, wall_ms, err);
    if (result != 0)
        vault_audit_close(audit);
    buf_release(&path);
    return result;
}

void vault_audit_close(struct vault_audit *audit)
{
    if (audit->fd >= 0)
        close(audit->fd);
    audit->fd = -1;
}

static void audit_print_line(const char *text, size_t len, bool json)
{
    static const char *const keys[] = {"time", "purpose", "field", "reason", "report"};
    if (json) {
        printf("%.*s\n", (int)len, text);
        return;
    }
    json_t *entry = json_loadb(text, len, 0, NULL);
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        const char *word = json_string_value(json_object_get(entry, keys[i]));
        printf("%s%s", i == 0 ? "" : "  ", word == NULL ? "-" : word);
    }
    printf("\n");
    json_decref(entry);
}

/* Whether a line is the next one of the chain; moves *n and head on. */
static bool audit_line_follows(const char *text, size_t len, uint64_t *n,
                               unsigned char head[static VAULT_AUDIT_HASH_SIZE])
{
    struct audit_line line;
    if (!audit_line_parse(text, len, &line) || line.n != ++*n)
        return false;
    audit_hash(head, text, line.body_len, head);
    return sodium_memcmp(head, line.hash, VAULT_AUDIT_HASH_SIZE) == 0;
}

/* 0 whole, 1 broken, and which line. An end cut short is no break: the next start mends it. */
static int audit_print_file(FILE *file, bool json)
{
    unsigned char head[VAULT_AUDIT_HASH_SIZE] = {0};
    char *text = NULL;
    size_t size = 0;
    ssize_t len;
    uint64_t n = 0, number = 0;
    const char *wrong = NULL;
    int result = 0;
    while (wrong == NULL && (len = getline(&text, &size, file)) > 0) {
        number++;
        result =
            text[len - 1] != '\n' || audit_line_follows(text, (size_t)len - 1, &n, head) ? 0 : 1;
        if (text[len - 1] != '\n')
            wrong = "not finished (a crash, or just being written)";
        else if (result != 0)
            wrong = "the chain is broken";
        else
            audit_print_line(text, (size_t)len - 1, json);
    }
    if (wrong != NULL)
        fprintf(stderr, "audit.log:%" PRIu64 ": %s\n", number, wrong);
    free(text);
    return result;
}

int vault_audit_print(const char *dir, bool json)
{
    struct buf path = BUF_INIT(AUDIT_PATH_MAX);
    audit_path(dir, &path);
    FILE *file = fopen(path.data, "re");
    int result = 1;
    if (file == NULL)
        fprintf(stderr, "cannot open '%s': %s\n", path.data, strerror(errno));
    else
        result = audit_print_file(file, json);
    if (file != NULL)
        fclose(file);
    buf_release(&path);
    return result;
}
