/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Append-only files that hold large pieces, beside a database that knows where each lies: a blob
 * exists because a row names its place, not because its bytes are in a file. What lies behind the
 * end the database knows is dead space, overwritten or cut off at the next start. Each blob is a
 * header (magic, length, checksum) and its bytes. The checksum finds damage; whoever encrypted the
 * bytes finds forgery.
 * Small blobs gather in memory and reach the file in one write, at the latest with the sync.
 * One writer; blob_segment_read() from any thread and process.
 */
#ifndef KANAL_QUEUE_BLOB_SEGMENT_H
#define KANAL_QUEUE_BLOB_SEGMENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "normalize/buf.h"
#include "normalize/err.h"

enum {
    BLOB_HEADER_SIZE = 16,
    BLOB_SEGMENT_MAX = 256 * 1024 * 1024, /* a file is freed whole when nothing in it is alive */
    BLOB_GATHER_MAX = 512 * 1024,         /* larger ones are written by themselves */
};

/* Where a blob lies; length is that of its bytes, the header comes before them at offset. */
struct blob_place {
    int64_t segment, offset, length;
    uint64_t checksum;
};

/* Bytes to be erased, header included; length 0: the whole file. */
struct blob_range {
    int64_t segment, offset, length;
};

struct blob_segments {
    int folder; /* -1: closed */
    int file;   /* the current segment, -1: not opened yet */
    int64_t current, end;
    int64_t mark_current, mark_end;
    bool file_dirty, folder_dirty;
    struct buf gathered; /* the bytes before end that are not in the file yet */
};

/* Opens the folder of segments, making it when make is set. */
int blob_segments_open(struct blob_segments *segments, const char *path, bool make,
                       struct err *err);
void blob_segments_close(struct blob_segments *segments);

/*
 * What a writer does first: appends will go behind end in segment current (the database's last);
 * the rest of that file is cut off and every file that alive(context, segment) denies is removed.
 */
int blob_segments_recover(struct blob_segments *segments, int64_t current, int64_t end,
                          bool (*alive)(void *context, int64_t segment), void *context,
                          struct err *err);

/* Remembers the end; blob_segments_rewind() returns to it and so forgets what came behind. */
void blob_segments_mark(struct blob_segments *segments);
void blob_segments_rewind(struct blob_segments *segments);

/* Appends a blob (not yet durable) and says where. ERR_TRANSIENT: disk full, I/O error. */
int blob_segment_append(struct blob_segments *segments, const void *data, size_t len,
                        struct blob_place *place, struct err *err);

/* Makes everything appended durable. ERR_PERMANENT: nobody knows what is on the disk. */
int blob_segments_sync(struct blob_segments *segments, struct err *err);

/* Appends the blob's bytes to *out. 1; 0: not there or not what the checksum says; -1. */
int blob_segment_read(const struct blob_segments *segments, const struct blob_place *place,
                      struct buf *out, struct err *err);

/* Takes n ranges off the disk, durably; a file that is gone already is fine. After the current
 * segment's file was erased appends go to a new one. ERR_PERMANENT: some may be left. */
int blob_segments_erase(struct blob_segments *segments, const struct blob_range *ranges, size_t n,
                        struct err *err);

#endif
