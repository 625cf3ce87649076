/* SPDX-License-Identifier: Apache-2.0 */
#include "normalize/wire.h"

#include <assert.h>
#include <math.h>

#include "normalize/mem.h"
#include "normalize/text.h"

enum { WIRE_HEAD = 8 };

/* Members are copied in and out by these sizes. */
_Static_assert(sizeof(size_t) == 8 && sizeof(double) == 8 && sizeof(enum wire_type) == 4 &&
                   sizeof(bool) == 1,
               "the wire carries u32, u64 and bytes");

/* --- Encoding --- */

static void wire_encode_head(struct buf *out, size_t tag, size_t len)
{
    buf_add_u32(out, (uint32_t)tag);
    buf_add_u32(out, (uint32_t)len);
}

static void wire_encode_bytes(struct buf *out, size_t tag, const char *bytes, size_t len)
{
    if (bytes == NULL)
        return;
    wire_encode_head(out, tag, len);
    buf_add(out, bytes, len);
}

static void wire_encode_u32(struct buf *out, size_t tag, const void *member)
{
    uint32_t value;
    memcpy(&value, member, sizeof value);
    wire_encode_head(out, tag, sizeof value);
    buf_add_u32(out, value);
}

static void wire_encode_u64(struct buf *out, size_t tag, const void *member)
{
    uint64_t value;
    memcpy(&value, member, sizeof value);
    wire_encode_head(out, tag, sizeof value);
    buf_add_u64(out, value);
}

static size_t wire_length(const struct wire_field *field, const char *object)
{
    size_t length;
    memcpy(&length, object + field->length_offset, sizeof length);
    return length;
}

/* Writes over the four bytes at pos. */
static void wire_patch_u32(struct buf *out, size_t pos, size_t value)
{
    for (int i = 0; i < 4; i++)
        out->data[pos + (size_t)i] = (char)(value >> (24 - 8 * i) & 0xff);
}

static void wire_encode_list(const struct wire_field *field, size_t tag, const char *object,
                             struct buf *out)
{
    const char *place = object + field->offset, *items = place;
    if (field->grows)
        memcpy(&items, place, sizeof items);
    size_t count = wire_length(field, object);
    for (size_t i = 0; i < count && !out->overflow; i++) {
        size_t start = out->len;
        wire_encode_head(out, tag, 0);
        wire_encode(field->items, items + i * field->items->size, out);
        if (!out->overflow)
            wire_patch_u32(out, start + 4, out->len - start - WIRE_HEAD);
    }
}

static void wire_encode_field(const struct wire_field *field, size_t tag, const char *object,
                              struct buf *out)
{
    const char *member = object + field->offset;
    const char *text;
    switch (field->type) {
    case WIRE_TEXT:
    case WIRE_LINE:
    case WIRE_WORD:
    case WIRE_OPAQUE:
        memcpy(&text, member, sizeof text);
        wire_encode_bytes(out, tag, text, text == NULL ? 0 : strlen(text));
        break;
    case WIRE_BYTES:
        memcpy(&text, member, sizeof text);
        wire_encode_bytes(out, tag, text, wire_length(field, object));
        break;
    case WIRE_BOOL:
        wire_encode_bytes(out, tag, member, 1);
        break;
    case WIRE_ENUM:
    case WIRE_U32:
        wire_encode_u32(out, tag, member);
        break;
    case WIRE_SIZE:
    case WIRE_TIME:
    case WIRE_REAL:
        wire_encode_u64(out, tag, member);
        break;
    case WIRE_LIST:
        wire_encode_list(field, tag, object, out);
        break;
    }
}

void wire_encode(const struct wire_table *table, const void *object, struct buf *out)
{
    for (size_t i = 0; i < table->count; i++)
        wire_encode_field(&table->fields[i], i, object, out);
}

/* --- What texts may hold --- */

/* C1 controls (U+0080..9F), line separators, bidi embeddings and overrides (U+2028..2E), bidi
 * isolates (U+2066..69): what text_clean() never leaves in. */
static bool wire_is_unclean(const unsigned char *at, size_t left)
{
    if (left >= 2 && at[0] == 0xc2)
        return at[1] < 0xa0;
    if (left < 3 || at[0] != 0xe2)
        return false;
    return (at[1] == 0x80 && at[2] >= 0xa8 && at[2] <= 0xae) ||
           (at[1] == 0x81 && at[2] >= 0xa6 && at[2] <= 0xa9);
}

/* Whether text holds only what WIRE_TEXT (lines true) or WIRE_LINE may hold. */
static bool wire_is_clean(const char *text, size_t len, bool lines)
{
    if (len == 0 || !text_is_utf8(text, len))
        return false;
    const unsigned char *bytes = (const unsigned char *)text;
    for (size_t i = 0; i < len; i++) {
        bool control = bytes[i] < 0x20 || bytes[i] == 0x7f;
        if (control && !(lines && (bytes[i] == '\n' || bytes[i] == '\t')))
            return false;
        if (bytes[i] >= 0x80 && wire_is_unclean(bytes + i, len - i))
            return false;
    }
    return true;
}

bool wire_is_word(const char *text, size_t len, size_t max)
{
    if (len == 0 || len > max)
        return false;
    for (size_t i = 0; i < len; i++) {
        if (text[i] <= ' ' || text[i] > '~')
            return false;
    }
    return true;
}

static bool wire_text_fits(const struct wire_field *field, const char *bytes, size_t len)
{
    switch (field->type) {
    case WIRE_WORD:
        return wire_is_word(bytes, len, field->max);
    case WIRE_OPAQUE:
        return len <= field->max && memchr(bytes, '\0', len) == NULL;
    case WIRE_BYTES:
        return len <= field->max;
    default:
        return len <= field->max && wire_is_clean(bytes, len, field->type == WIRE_TEXT);
    }
}

/* --- Decoding --- */

static uint64_t wire_read_integer(const unsigned char *bytes, size_t len)
{
    uint64_t value = 0;
    for (size_t i = 0; i < len; i++)
        value = value << 8 | bytes[i];
    return value;
}

static bool wire_decode_text(const struct wire_field *field, const char *bytes, size_t len,
                             char *object)
{
    if (!wire_text_fits(field, bytes, len))
        return false;
    if (field->type == WIRE_BYTES && wire_length(field, object) != len)
        return false;
    char *copy = mem_strndup(bytes, len);
    memcpy(object + field->offset, &copy, sizeof copy);
    return true;
}

static bool wire_decode_u32(const struct wire_field *field, const char *bytes, size_t len,
                            char *member)
{
    if (len != 4)
        return false;
    uint32_t value = (uint32_t)wire_read_integer((const unsigned char *)bytes, len);
    if (value > field->max)
        return false;
    memcpy(member, &value, sizeof value);
    return true;
}

static bool wire_decode_u64(const struct wire_field *field, const char *bytes, size_t len,
                            char *member)
{
    if (len != 8)
        return false;
    uint64_t value = wire_read_integer((const unsigned char *)bytes, len);
    double real;
    memcpy(&real, &value, sizeof real);
    /* Negative times are beyond any max, seen as unsigned values. */
    bool fits = field->type == WIRE_REAL ? isfinite(real) && fabs(real) <= (double)field->max
                                         : value <= field->max;
    if (fits)
        memcpy(member, &value, sizeof value);
    return fits;
}

/* The place of one more item, zeroed; NULL when the list is full. */
static char *wire_list_grow(const struct wire_field *field, char *object)
{
    size_t count = wire_length(field, object);
    if (count >= field->max)
        return NULL;
    char *items = object + field->offset;
    if (field->grows) {
        char *grown;
        memcpy(&grown, items, sizeof grown);
        /* Powers of two, so that a long list is not copied once per item. */
        if ((count & (count - 1)) == 0)
            grown = mem_realloc(grown, count == 0 ? 1 : 2 * count, field->items->size);
        memcpy(items, &grown, sizeof grown);
        items = grown;
    }
    size_t more = count + 1;
    memcpy(object + field->length_offset, &more, sizeof more);
    char *item = items + count * field->items->size;
    memset(item, 0, field->items->size);
    return item;
}

static int wire_decode_field(const struct wire_field *field, const char *bytes, size_t len,
                             char *object, struct err *err)
{
    bool fits = false;
    char *item;
    switch (field->type) {
    case WIRE_TEXT:
    case WIRE_LINE:
    case WIRE_WORD:
    case WIRE_OPAQUE:
    case WIRE_BYTES:
        fits = wire_decode_text(field, bytes, len, object);
        break;
    case WIRE_BOOL:
        fits = len == 1 && (bytes[0] == 0 || bytes[0] == 1);
        object[field->offset] = fits ? bytes[0] : 0;
        break;
    case WIRE_ENUM:
    case WIRE_U32:
        fits = wire_decode_u32(field, bytes, len, object + field->offset);
        break;
    case WIRE_SIZE:
    case WIRE_TIME:
    case WIRE_REAL:
        fits = wire_decode_u64(field, bytes, len, object + field->offset);
        break;
    case WIRE_LIST:
        item = wire_list_grow(field, object);
        fits = item != NULL;
        if (fits && wire_decode(field->items, bytes, len, item, err) != 0)
            return -1;
        break;
    }
    return fits ? 0 : err_set(err, ERR_PERMANENT, "cannot decode '%s': bad value", field->name);
}

static int wire_check_required(const struct wire_table *table, uint64_t seen, struct err *err)
{
    for (size_t i = 0; i < table->count; i++) {
        if (table->fields[i].required && (seen >> i & 1) == 0)
            return err_set(err, ERR_PERMANENT, "cannot decode '%s': it is missing",
                           table->fields[i].name);
    }
    return 0;
}

int wire_decode(const struct wire_table *table, const void *data, size_t len, void *object,
                struct err *err)
{
    assert(table->count <= WIRE_FIELDS_MAX);
    const char *bytes = data;
    size_t pos = 0;
    size_t least = 0; /* the smallest tag that may come */
    uint64_t seen = 0;
    while (pos < len) {
        if (len - pos < WIRE_HEAD)
            return err_set(err, ERR_PERMANENT, "cannot decode record: cut short");
        uint64_t tag = wire_read_integer((const unsigned char *)bytes + pos, 4);
        uint64_t size = wire_read_integer((const unsigned char *)bytes + pos + 4, 4);
        pos += WIRE_HEAD;
        if (tag >= table->count || tag < least || size > len - pos)
            return err_set(err, ERR_PERMANENT, "cannot decode record: bad field head");
        const struct wire_field *field = &table->fields[tag];
        if (wire_decode_field(field, bytes + pos, size, object, err) != 0)
            return -1;
        least = field->type == WIRE_LIST ? tag : tag + 1;
        seen |= UINT64_C(1) << tag;
        pos += size;
    }
    return wire_check_required(table, seen, err);
}
