/* SPDX-License-Identifier: Apache-2.0 */
#include "queue/blob_file.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

enum { BLOB_ZEROS_SIZE = 64 * 1024 };

int blob_file_write(int file, struct iovec *parts, int count, off_t offset)
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

int blob_file_read(int file, unsigned char *bytes, size_t len, off_t offset)
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

static int blob_write_zeros(int file, off_t offset, off_t length)
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

int blob_file_zero(int file, off_t offset, off_t length)
{
    if (fallocate(file, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, offset, length) == 0)
        return 0;
    if (errno != EOPNOTSUPP && errno != ENOSYS)
        return -1;
    return blob_write_zeros(file, offset, length);
}
