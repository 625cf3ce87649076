/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Frames between the gateway and its roles: u32 magic, u32 type, u32 length (big-endian), bytes.
 * Neither side trusts the other: a wrong magic or a length beyond the caller's limit ends the
 * conversation before a byte of the body is read.
 */
#ifndef KANAL_GATEWAY_FRAME_H
#define KANAL_GATEWAY_FRAME_H

#include <stddef.h>
#include <stdint.h>

#include "normalize/buf.h"
#include "normalize/err.h"

enum {
    FRAME_HEADER_SIZE = 12,
    FRAME_READ_AHEAD = 16 * 1024, /* small frames come in one system call */
};

/* One received frame; data is owned and NUL-terminated. */
struct frame {
    uint32_t type;
    char *data;
    size_t len;
};

/* The reading end of a socket, with what was read ahead. Plain memory; borrows fd. */
struct frame_reader {
    int fd;
    size_t start, end;
    char bytes[FRAME_READ_AHEAD];
};

void frame_reader_init(struct frame_reader *reader, int fd);

/* Reads one frame of at most max bytes into *frame (frame_release() it when 0). 0; 1 the other end
 * closed between frames; -1 ERR_TRANSIENT (timed out, closed within a frame) or ERR_PERMANENT (not
 * a frame of ours, or too long). deadline_ms: CLOCK_MONOTONIC. */
int frame_read(struct frame_reader *reader, size_t max, int64_t deadline_ms, struct frame *frame,
               struct err *err);

/* Wipes and frees the body; safe to call twice. */
void frame_release(struct frame *frame);

/* Sends one frame. 0 or -1 ERR_TRANSIENT. */
int frame_write(int fd, uint32_t type, const void *data, size_t len, int64_t deadline_ms,
                struct err *err);

/* Builds frames in a buffer, to send several at once: begin, append the body, end. begin gives what
 * end needs. */
size_t frame_begin(struct buf *out);
void frame_end(struct buf *out, size_t begun, uint32_t type);

#endif
