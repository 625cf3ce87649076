/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The flat record a worker returns: a list of (tag, length, bytes), nothing nested deeper than one
 * list item. The gateway does not trust the worker, so decoding checks every field: known tag, at
 * most once or counted, length limit, valid UTF-8 without control characters, enum in range,
 * finite numbers in range, ordered offsets. One table describes all fields for both directions.
 */
#ifndef KANAL_NORMALIZE_RECORD_WIRE_H
#define KANAL_NORMALIZE_RECORD_WIRE_H

#include "normalize/buf.h"
#include "normalize/err.h"
#include "normalize/inbound.h"
#include "normalize/report.h"

/* The attachments of one inbound, and 8 MiB for its texts and lists. */
enum { RECORD_WIRE_MAX = INBOUND_RAW_MAX + 8 * 1024 * 1024 };

/* Appends the wire form of record, attachments' bytes included. */
void record_encode(const struct record *record, struct buf *out);

/* Reads and checks a wire form into *record (initialised; release it also on failure).
 * -1 ERR_PERMANENT names the field that is wrong, never its content. */
int record_decode(const void *data, size_t len, struct record *record, struct err *err);

/* The same for the other direction: gateway to worker. */
void inbound_encode(const struct inbound *in, struct buf *out);
int inbound_decode(const void *data, size_t len, struct inbound *in, struct err *err);

/* Says of the record which channel and time its message came by. Whoever decoded it knows that
 * better than the worker does. */
void record_set_origin(struct record *record, const struct inbound *in);

#endif
