/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A growing byte buffer. Invariants: data is never NULL and always NUL-terminated; the bytes may
 * hold NULs; len never exceeds max. Once an append would pass max, overflow is set and stays set,
 * and nothing more is appended: code appends freely and checks once, at the end.
 */
#ifndef KANAL_NORMALIZE_BUF_H
#define KANAL_NORMALIZE_BUF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct buf {
    char *data;
    size_t len;
    size_t cap; /* 0: data is not ours to free */
    size_t max;
    bool overflow;
};

extern char buf_empty[1];

/* A buffer of at most max_bytes; needs buf_release(). */
#define BUF_INIT(max_bytes)                                                                        \
    {                                                                                              \
        .data = buf_empty, .max = (max_bytes)                                                      \
    }

/* Same as BUF_INIT for memory that is there already. */
void buf_init(struct buf *buf, size_t max);

/* Frees the bytes; buf is empty and usable again, with the same max. Safe to call twice. */
void buf_release(struct buf *buf);

/* Wipes the bytes, then frees them. For secrets and identities. */
void buf_wipe(struct buf *buf);

/* Empties buf, clears overflow, keeps the memory. */
void buf_clear(struct buf *buf);

/* Appends len bytes (data may be NULL when len is 0). */
void buf_add(struct buf *buf, const void *data, size_t len);

/* Appends a string; NULL appends nothing. */
void buf_add_text(struct buf *buf, const char *text);

/* Appends one byte. */
void buf_add_char(struct buf *buf, char byte);

/* Appends formatted text. */
__attribute__((format(printf, 2, 3))) void buf_addf(struct buf *buf, const char *format, ...);

/* Appends big-endian integers: the wire form of all our own frames. */
void buf_add_u32(struct buf *buf, uint32_t value);
void buf_add_u64(struct buf *buf, uint64_t value);

/* Shortens to len bytes; no effect when it is shorter already. */
void buf_truncate(struct buf *buf, size_t len);

/* Gives the bytes (free with free()) and leaves buf empty; *len may be NULL. */
char *buf_detach(struct buf *buf, size_t *len);

#endif
