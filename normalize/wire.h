/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Flat records by table: a struct is written as (u32 tag, u32 length, bytes) per field, a tag being
 * the field's place in its table. One table serves both directions. Decoding trusts nothing: tags
 * known, ascending and never repeated but for lists, lengths and values within the table's limits,
 * texts valid UTF-8 without controls or bidi controls; so one value has exactly one wire form.
 */
#ifndef KANAL_NORMALIZE_WIRE_H
#define KANAL_NORMALIZE_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "normalize/buf.h"
#include "normalize/err.h"

/* What a member is, and what its bytes may be. Text members are char *, NULL when not on the wire.
 */
enum wire_type {
    WIRE_TEXT,   /* clean text with LF and TAB, not empty */
    WIRE_LINE,   /* clean text of one line, not empty */
    WIRE_WORD,   /* visible ASCII, not empty */
    WIRE_OPAQUE, /* any bytes but NUL, may be empty */
    WIRE_BYTES, /* char *, any bytes, as many as the WIRE_SIZE field before it at length_offset says
                 */
    WIRE_BOOL,  /* bool */
    WIRE_ENUM,  /* an enum whose largest value is max */
    WIRE_U32,   /* uint32_t up to max */
    WIRE_SIZE,  /* size_t up to max */
    WIRE_TIME,  /* int64_t, milliseconds, from 0 up to max */
    WIRE_REAL,  /* double, finite, -max to max */
    WIRE_LIST,  /* up to max structs by items, and a size_t at length_offset */
};

enum { WIRE_FIELDS_MAX = 64 }; /* of one table: what was seen is a bit set */

struct wire_table;

struct wire_field {
    const char *name;
    enum wire_type type;
    size_t offset;
    size_t length_offset;
    uint64_t max; /* bytes of a text, value, or count, by type */
    bool required;
    bool grows; /* WIRE_LIST: the member is a pointer to malloc'ed items, not an array */
    const struct wire_table *items; /* WIRE_LIST; its table holds no lists */
};

struct wire_table {
    size_t size; /* of the struct */
    size_t count;
    const struct wire_field *fields;
};

/* Appends the fields of object. What the table's limits forbid must not be in it. */
void wire_encode(const struct wire_table *table, const void *object, struct buf *out);

/* Reads fields into object (zeroed; the caller releases it also on failure). -1 ERR_PERMANENT names
 * the field, never its content. */
int wire_decode(const struct wire_table *table, const void *data, size_t len, void *object,
                struct err *err);

/* Whether text is a WIRE_WORD of at most max bytes. */
bool wire_is_word(const char *text, size_t len, size_t max);

#endif
