/* SPDX-License-Identifier: Apache-2.0 */
#include "queue/blob_segment.h"

#include <dirent.h>
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "normalize/mem.h"
#include "queue/blob_file.h"

enum {
    BLOB_MAGIC = 0x4b424c31, /* "KBL1" */
    BLOB_NAME_SIZE = 32,
};

static int blob_fail(struct err *err, enum err_kind kind, const char *verb)
{
    return err_set(err, kind, "cannot %s a blob segment: %s", verb, strerrordesc_np(errno));
}

static void blob_segment_name(char name[static BLOB_NAME_SIZE], int64_t segment)
{
    snprintf(name, BLOB_NAME_SIZE, "%08lld.seg", (long long)segment);
}

/* The number in a segment's file name, or -1. */
static int64_t blob_segment_number(const char *name)
{
    char *end = NULL;
    errno = 0;
    long long number = strtoll(name, &end, 10);
    return errno == 0 && end >= name + 8 && number > 0 && strcmp(end, ".seg") == 0 ? number : -1;
}

static int blob_segment_file(const struct blob_segments *segments, int64_t segment, int flags)
{
    char name[BLOB_NAME_SIZE];
    blob_segment_name(name, segment);
    return openat(segments->folder, name, flags | O_CLOEXEC | O_NOFOLLOW, 0600);
}

int blob_segments_open(struct blob_segments *segments, const char *path, bool make, struct err *err)
{
    *segments =
        (struct blob_segments){.folder = -1, .file = -1, .gathered = BUF_INIT(BLOB_GATHER_MAX)};
    if (make && mkdir(path, 0700) < 0 && errno != EEXIST)
        return blob_fail(err, ERR_TRANSIENT, "make the folder of");
    segments->folder = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return segments->folder < 0 ? blob_fail(err, ERR_CONFIG, "open the folder of") : 0;
}

static void blob_segments_drop_file(struct blob_segments *segments)
{
    if (segments->file >= 0)
        close(segments->file);
    segments->file = -1;
}

void blob_segments_close(struct blob_segments *segments)
{
    blob_segments_drop_file(segments);
    buf_release(&segments->gathered);
    if (segments->folder >= 0)
        close(segments->folder);
    segments->folder = -1;
}

static int blob_segments_sweep(struct blob_segments *segments,
                               bool (*alive)(void *context, int64_t segment), void *context,
                               struct err *err)
{
    int copy = openat(segments->folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *folder = copy < 0 ? NULL : fdopendir(copy);
    if (folder == NULL) {
        blob_fail(err, ERR_TRANSIENT, "list");
        if (copy >= 0)
            close(copy);
        return -1;
    }
    int rc = 0;
    for (struct dirent *item = readdir(folder); item != NULL && rc == 0; item = readdir(folder)) {
        int64_t segment = blob_segment_number(item->d_name);
        if (segment < 0 || segment == segments->current || alive(context, segment))
            continue;
        if (unlinkat(segments->folder, item->d_name, 0) < 0)
            rc = blob_fail(err, ERR_TRANSIENT, "remove");
    }
    closedir(folder);
    return rc;
}

int blob_segments_recover(struct blob_segments *segments, int64_t current, int64_t end,
                          bool (*alive)(void *context, int64_t segment), void *context,
                          struct err *err)
{
    segments->current = current;
    segments->end = end;
    if (blob_segments_sweep(segments, alive, context, err) < 0)
        return -1;
    int file = blob_segment_file(segments, current, O_RDWR);
    if (file < 0)
        return errno == ENOENT ? 0 : blob_fail(err, ERR_TRANSIENT, "open");
    struct stat stat;
    int rc = 0;
    if (fstat(file, &stat) < 0 || (stat.st_size > end && ftruncate(file, end) < 0) ||
        fsync(file) < 0 || fsync(segments->folder) < 0)
        rc = blob_fail(err, ERR_TRANSIENT, "cut off the rest of");
    close(file);
    return rc;
}

void blob_segments_mark(struct blob_segments *segments)
{
    segments->mark_current = segments->current;
    segments->mark_end = segments->end;
}

void blob_segments_rewind(struct blob_segments *segments)
{
    if (segments->current != segments->mark_current)
        blob_segments_drop_file(segments);
    segments->current = segments->mark_current;
    segments->end = segments->mark_end;
    segments->file_dirty = false;
    buf_clear(&segments->gathered);
}

/* Opens the segment that len more bytes go to: the current one, or the next when it is full. */
static int blob_segments_ready(struct blob_segments *segments, int64_t len, struct err *err)
{
    if (segments->end > 0 && segments->end + len > BLOB_SEGMENT_MAX) {
        if (blob_segments_sync(segments, err) < 0)
            return -1;
        blob_segments_drop_file(segments);
        segments->current++;
        segments->end = 0;
    }
    if (segments->file >= 0)
        return 0;
    segments->file = blob_segment_file(segments, segments->current,
                                       O_RDWR | O_CREAT | (segments->end == 0 ? O_TRUNC : 0));
    if (segments->file < 0)
        return blob_fail(err, ERR_TRANSIENT, "open");
    segments->folder_dirty = true;
    return 0;
}

static void blob_header(unsigned char header[static BLOB_HEADER_SIZE],
                        const struct blob_place *place)
{
    const uint64_t start = (uint64_t)BLOB_MAGIC << 32 | (uint32_t)place->length;
    for (int i = 0; i < 8; i++) {
        header[i] = (unsigned char)(start >> (56 - 8 * i));
        header[8 + i] = (unsigned char)(place->checksum >> (56 - 8 * i));
    }
}

/* The checksum SQLite keeps of its log (sqlite.org/fileformat2.html#checksum_algorithm), over the
 * bytes padded with zeros; the header's length tells padding from content. */
static uint64_t blob_checksum(const void *data, size_t len)
{
    const unsigned char *at = data;
    uint32_t words[2] = {0, 0};
    uint32_t s1 = 0;
    uint32_t s2 = 0;
    size_t left = len;
    for (; left >= sizeof words; left -= sizeof words, at += sizeof words) {
        memcpy(words, at, sizeof words);
        s1 += le32toh(words[0]) + s2;
        s2 += le32toh(words[1]) + s1;
    }
    words[0] = words[1] = 0;
    if (left > 0)
        memcpy(words, at, left);
    s1 += le32toh(words[0]) + s2;
    s2 += le32toh(words[1]) + s1;
    return (uint64_t)s1 << 32 | s2;
}

/* Puts what was gathered into the file; it ends where the next write begins. */
static int blob_segments_flush(struct blob_segments *segments, struct err *err)
{
    struct buf *gathered = &segments->gathered;
    if (gathered->len == 0)
        return 0;
    struct iovec bytes = {gathered->data, gathered->len};
    segments->file_dirty = true;
    if (blob_file_write(segments->file, &bytes, 1, segments->end - (int64_t)gathered->len) < 0)
        return blob_fail(err, ERR_TRANSIENT, "write to");
    buf_clear(gathered);
    return 0;
}

/* Writes one blob by itself, behind everything gathered. */
static int blob_segments_write(struct blob_segments *segments, unsigned char *header,
                               const void *data, size_t len, struct err *err)
{
    union {
        const void *in;
        void *out;
    } bytes = {.in = data}; /* pwritev() only reads; its struct cannot say so */
    struct iovec parts[] = {{header, BLOB_HEADER_SIZE}, {bytes.out, len}};
    if (blob_segments_flush(segments, err) < 0)
        return -1;
    segments->file_dirty = true;
    return blob_file_write(segments->file, parts, 2, segments->end) < 0
               ? blob_fail(err, ERR_TRANSIENT, "write to")
               : 0;
}

static int blob_segments_gather(struct blob_segments *segments, const unsigned char *header,
                                const void *data, size_t len, struct err *err)
{
    if (segments->gathered.len + BLOB_HEADER_SIZE + len > BLOB_GATHER_MAX &&
        blob_segments_flush(segments, err) < 0)
        return -1;
    buf_add(&segments->gathered, header, BLOB_HEADER_SIZE);
    buf_add(&segments->gathered, data, len);
    return 0;
}

int blob_segment_append(struct blob_segments *segments, const void *data, size_t len,
                        struct blob_place *place, struct err *err)
{
    unsigned char header[BLOB_HEADER_SIZE];
    const size_t total = sizeof header + len;
    if (blob_segments_ready(segments, (int64_t)total, err) < 0)
        return -1;
    *place = (struct blob_place){.segment = segments->current,
                                 .offset = segments->end,
                                 .length = (int64_t)len,
                                 .checksum = blob_checksum(data, len)};
    blob_header(header, place);
    int rc = total <= BLOB_GATHER_MAX ? blob_segments_gather(segments, header, data, len, err)
                                      : blob_segments_write(segments, header, data, len, err);
    if (rc == 0)
        segments->end += (int64_t)total;
    return rc;
}

int blob_segments_sync(struct blob_segments *segments, struct err *err)
{
    if (blob_segments_flush(segments, err) < 0)
        return -1;
    if (segments->file_dirty && fdatasync(segments->file) < 0)
        return blob_fail(err, ERR_PERMANENT, "sync");
    if (segments->folder_dirty && fsync(segments->folder) < 0)
        return blob_fail(err, ERR_PERMANENT, "sync the folder of");
    segments->file_dirty = false;
    segments->folder_dirty = false;
    return 0;
}

/* A damaged database may name any place. */
static bool blob_place_possible(const struct blob_place *place)
{
    return place->segment > 0 && place->offset >= 0 && place->length >= 0 &&
           place->length <= BLOB_SEGMENT_MAX;
}

static bool blob_intact(const unsigned char *bytes, const struct blob_place *place)
{
    unsigned char header[BLOB_HEADER_SIZE];
    blob_header(header, place);
    return memcmp(bytes, header, sizeof header) == 0 &&
           blob_checksum(bytes + BLOB_HEADER_SIZE, (size_t)place->length) == place->checksum;
}

int blob_segment_read(const struct blob_segments *segments, const struct blob_place *place,
                      struct buf *out, struct err *err)
{
    if (!blob_place_possible(place))
        return 0;
    int file = blob_segment_file(segments, place->segment, O_RDONLY);
    if (file < 0)
        return errno == ENOENT ? 0 : blob_fail(err, ERR_TRANSIENT, "open");
    size_t total = (size_t)place->length + BLOB_HEADER_SIZE;
    unsigned char *bytes = mem_calloc(total, 1);
    int rc = blob_file_read(file, bytes, total, place->offset);
    if (rc < 0)
        rc = blob_fail(err, ERR_TRANSIENT, "read");
    else if (rc == 1 && !blob_intact(bytes, place))
        rc = 0;
    if (rc == 1)
        buf_add(out, bytes + BLOB_HEADER_SIZE, (size_t)place->length);
    if (rc == 1 && out->overflow)
        rc = err_set(err, ERR_CONFIG, "a blob is larger than the buffer for it");
    free(bytes);
    close(file);
    return rc;
}

static int blob_segment_remove(struct blob_segments *segments, int64_t segment)
{
    char name[BLOB_NAME_SIZE];
    blob_segment_name(name, segment);
    if (segment == segments->current) {
        blob_segments_drop_file(segments);
        segments->current++;
        segments->end = 0;
    }
    if (unlinkat(segments->folder, name, 0) < 0 && errno != ENOENT)
        return -1;
    return fsync(segments->folder);
}

/* Erases the ranges at the start of the list that lie in one file, with one sync. */
static int blob_segment_zero(struct blob_segments *segments, const struct blob_range *ranges,
                             size_t n)
{
    if (ranges->length == 0)
        return blob_segment_remove(segments, ranges->segment);
    int file = blob_segment_file(segments, ranges->segment, O_RDWR);
    if (file < 0)
        return errno == ENOENT ? 0 : -1;
    int rc = 0;
    for (size_t i = 0; i < n && rc == 0; i++)
        rc = blob_file_zero(file, ranges[i].offset, ranges[i].length);
    if (rc == 0)
        rc = fsync(file);
    close(file);
    return rc;
}

int blob_segments_erase(struct blob_segments *segments, const struct blob_range *ranges, size_t n,
                        struct err *err)
{
    for (size_t i = 0, next; i < n; i = next) {
        next = i + 1;
        while (next < n && ranges[next].segment == ranges[i].segment && ranges[i].length > 0 &&
               ranges[next].length > 0)
            next++;
        if (blob_segment_zero(segments, &ranges[i], next - i) < 0)
            return blob_fail(err, ERR_PERMANENT, "erase in");
    }
    return 0;
}
