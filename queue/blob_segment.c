/* SPDX-License-Identifier: Apache-2.0 */
#include "queue/blob_segment.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include <sodium.h>

#include "normalize/mem.h"

enum {
    BLOB_MAGIC = 0x4b424c31, /* "KBL1" */
    BLOB_NAME_SIZE = 32,
    BLOB_ZEROS_SIZE = 64 * 1024,
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
    *segments = (struct blob_segments){.folder = -1, .file = -1};
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

static int blob_write_all(int file, struct iovec *parts, int count, off_t offset)
{
    while (count > 0) {
        ssize_t done = pwritev(file, parts, count, offset);
        if (done < 0 && errno == EINTR)
            continue;
        if (done <= 0)
            return -1;
        offset += done;
        for (; count > 0 && (size_t)done >= parts->iov_len; parts++, count--)
            done -= (ssize_t)parts->iov_len;
        if (count > 0) {
            parts->iov_base = (char *)parts->iov_base + done;
            parts->iov_len -= (size_t)done;
        }
    }
    return 0;
}

static void blob_header(unsigned char header[static BLOB_HEADER_SIZE],
                        const struct blob_place *place)
{
    const uint64_t start = (uint64_t)BLOB_MAGIC << 32 | (uint32_t)place->length;
    for (int i = 0; i < 8; i++)
        header[i] = (unsigned char)(start >> (56 - 8 * i));
    memcpy(header + 8, place->checksum, BLOB_CHECKSUM_SIZE);
}

static void blob_checksum(unsigned char checksum[static BLOB_CHECKSUM_SIZE], const void *data,
                          size_t len)
{
    crypto_generichash(checksum, BLOB_CHECKSUM_SIZE, data, len, NULL, 0);
}

int blob_segment_append(struct blob_segments *segments, const void *data, size_t len,
                        struct blob_place *place, struct err *err)
{
    int64_t total = (int64_t)len + BLOB_HEADER_SIZE;
    if (blob_segments_ready(segments, total, err) < 0)
        return -1;
    *place = (struct blob_place){
        .segment = segments->current, .offset = segments->end, .length = (int64_t)len};
    blob_checksum(place->checksum, data, len);
    unsigned char header[BLOB_HEADER_SIZE];
    blob_header(header, place);
    union {
        const void *in;
        void *out;
    } bytes = {.in = data}; /* pwritev() reads only; its struct cannot say so */
    struct iovec parts[] = {{header, sizeof header}, {bytes.out, len}};
    segments->file_dirty = true;
    if (blob_write_all(segments->file, parts, len > 0 ? 2 : 1, segments->end) < 0)
        return blob_fail(err, ERR_TRANSIENT, "write to");
    segments->end += total;
    return 0;
}

int blob_segments_sync(struct blob_segments *segments, struct err *err)
{
    if (segments->file_dirty && fdatasync(segments->file) < 0)
        return blob_fail(err, ERR_PERMANENT, "sync");
    if (segments->folder_dirty && fsync(segments->folder) < 0)
        return blob_fail(err, ERR_PERMANENT, "sync the folder of");
    segments->file_dirty = false;
    segments->folder_dirty = false;
    return 0;
}

/* 1; 0: the file ends before len bytes; -1. */
static int blob_read_all(int file, unsigned char *bytes, size_t len, off_t offset)
{
    size_t have = 0;
    while (have < len) {
        ssize_t got = pread(file, bytes + have, len - have, offset + (off_t)have);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return got == 0 ? 0 : -1;
        have += (size_t)got;
    }
    return 1;
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
    unsigned char checksum[BLOB_CHECKSUM_SIZE];
    blob_header(header, place);
    blob_checksum(checksum, bytes + BLOB_HEADER_SIZE, (size_t)place->length);
    return memcmp(bytes, header, sizeof header) == 0 &&
           memcmp(checksum, place->checksum, sizeof checksum) == 0;
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
    int rc = blob_read_all(file, bytes, total, place->offset);
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

static int blob_write_zeros(int file, off_t offset, int64_t length)
{
    static const char zeros[BLOB_ZEROS_SIZE];
    while (length > 0) {
        size_t part = length < BLOB_ZEROS_SIZE ? (size_t)length : BLOB_ZEROS_SIZE;
        ssize_t done = pwrite(file, zeros, part, offset);
        if (done < 0 && errno == EINTR)
            continue;
        if (done <= 0)
            return -1;
        offset += done;
        length -= done;
    }
    return 0;
}

static int blob_punch(int file, const struct blob_range *range)
{
    if (fallocate(file, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, range->offset, range->length) ==
        0)
        return 0;
    if (errno != EOPNOTSUPP && errno != ENOSYS)
        return -1;
    return blob_write_zeros(file, range->offset, range->length);
}

static int blob_file_remove(struct blob_segments *segments, int64_t segment)
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
static int blob_file_erase(struct blob_segments *segments, const struct blob_range *ranges,
                           size_t n)
{
    if (ranges->length == 0)
        return blob_file_remove(segments, ranges->segment);
    int file = blob_segment_file(segments, ranges->segment, O_RDWR);
    if (file < 0)
        return errno == ENOENT ? 0 : -1;
    int rc = 0;
    for (size_t i = 0; i < n && rc == 0; i++)
        rc = blob_punch(file, &ranges[i]);
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
        if (blob_file_erase(segments, &ranges[i], next - i) < 0)
            return blob_fail(err, ERR_PERMANENT, "erase in");
    }
    return 0;
}
