/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/frame.h"

#include "gateway/process.h"
#include "normalize/mem.h"

enum {
    FRAME_MAGIC = 0x4b4e4c31, /* "KNL1" */
    FRAME_JOINED_MAX = 4096,  /* up to here one copy is cheaper than a second system call */
};

static void frame_put_u32(char *at, uint32_t value)
{
    at[0] = (char)(value >> 24);
    at[1] = (char)(value >> 16);
    at[2] = (char)(value >> 8);
    at[3] = (char)value;
}

static uint32_t frame_get_u32(const char *at)
{
    const unsigned char *bytes = (const unsigned char *)at;
    return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | bytes[3];
}

static void frame_put_header(char *at, uint32_t type, size_t len)
{
    frame_put_u32(at, FRAME_MAGIC);
    frame_put_u32(at + 4, type);
    frame_put_u32(at + 8, (uint32_t)len);
}

void frame_reader_init(struct frame_reader *reader, int fd)
{
    reader->fd = fd;
    reader->start = reader->end = 0;
}

/* Reads ahead until the header is there. 0, 1 closed, -1. */
static int frame_fill_header(struct frame_reader *reader, int64_t deadline_ms, struct err *err)
{
    while (reader->end - reader->start < FRAME_HEADER_SIZE) {
        if (reader->start > 0) {
            memmove(reader->bytes, reader->bytes + reader->start, reader->end - reader->start);
            reader->end -= reader->start;
            reader->start = 0;
        }
        ssize_t n = process_read_some(reader->fd, reader->bytes + reader->end,
                                      sizeof reader->bytes - reader->end, deadline_ms, err);
        if (n < 0)
            return -1;
        if (n == 0)
            return reader->end == 0 ? 1 : err_set(err, ERR_TRANSIENT, "a frame was cut short");
        reader->end += (size_t)n;
    }
    return 0;
}

static int frame_read_body(struct frame_reader *reader, char *data, size_t len, int64_t deadline_ms,
                           struct err *err)
{
    size_t ahead = reader->end - reader->start;
    if (ahead > len)
        ahead = len;
    memcpy(data, reader->bytes + reader->start, ahead);
    reader->start += ahead;
    if (process_read(reader->fd, data + ahead, len - ahead, deadline_ms, err) == 0)
        return 0;
    return err_set(err, ERR_TRANSIENT, "a frame was cut short");
}

int frame_read(struct frame_reader *reader, size_t max, int64_t deadline_ms, struct frame *frame,
               struct err *err)
{
    *frame = (struct frame){.data = NULL};
    int result = frame_fill_header(reader, deadline_ms, err);
    if (result != 0)
        return result;
    const char *header = reader->bytes + reader->start;
    frame->type = frame_get_u32(header + 4);
    frame->len = frame_get_u32(header + 8);
    if (frame_get_u32(header) != FRAME_MAGIC || frame->len > max)
        return err_set(err, ERR_PERMANENT, "not a frame, or one that is too long");
    reader->start += FRAME_HEADER_SIZE;
    frame->data = mem_realloc(NULL, frame->len + 1, 1);
    frame->data[frame->len] = '\0';
    if (frame_read_body(reader, frame->data, frame->len, deadline_ms, err) == 0)
        return 0;
    free(frame->data);
    *frame = (struct frame){.data = NULL};
    return -1;
}

void frame_release(struct frame *frame)
{
    if (frame->data != NULL)
        explicit_bzero(frame->data, frame->len);
    free(frame->data);
    *frame = (struct frame){.data = NULL};
}

int frame_write(int fd, uint32_t type, const void *data, size_t len, int64_t deadline_ms,
                struct err *err)
{
    char joined[FRAME_HEADER_SIZE + FRAME_JOINED_MAX];
    if (len > UINT32_MAX)
        return err_set(err, ERR_TRANSIENT, "a frame is too long");
    frame_put_header(joined, type, len);
    size_t with = len <= FRAME_JOINED_MAX ? len : 0;
    if (with > 0)
        memcpy(joined + FRAME_HEADER_SIZE, data, with);
    int result = process_write(fd, joined, FRAME_HEADER_SIZE + with, deadline_ms, err);
    explicit_bzero(joined, FRAME_HEADER_SIZE + with);
    if (result == 0 && with < len)
        result = process_write(fd, data, len, deadline_ms, err);
    return result;
}

size_t frame_begin(struct buf *out)
{
    static const char empty[FRAME_HEADER_SIZE] = {0};
    size_t begun = out->len;
    buf_add(out, empty, sizeof empty);
    return begun;
}

void frame_end(struct buf *out, size_t begun, uint32_t type)
{
    if (!out->overflow)
        frame_put_header(out->data + begun, type, out->len - begun - FRAME_HEADER_SIZE);
}
