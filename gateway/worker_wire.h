/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What worker_pool.c and worker.c say to each other, in frames. A worker says READY or FAILED once,
 * then answers: PARSE by any number of RECORDs and PARSED or NOT_PARSED; PHOTO by CLEAN, NO_PHOTO
 * or UNREADABLE.
 */
#ifndef KANAL_GATEWAY_WORKER_WIRE_H
#define KANAL_GATEWAY_WORKER_WIRE_H

#include "normalize/photo.h"
#include "normalize/record_wire.h"

enum worker_frame {
    WORKER_READY = 0x200,
    WORKER_FAILED, /* text: why it could not start */
    WORKER_PARSE,  /* inbound_encode() */
    WORKER_RECORD, /* record_encode() */
    WORKER_PARSED,
    WORKER_NOT_PARSED, /* text: why */
    WORKER_PHOTO,      /* the bytes as sent */
    WORKER_CLEAN,      /* u32 index of worker_photo_types, u32 width, u32 height, bytes */
    WORKER_NO_PHOTO,
    WORKER_UNREADABLE,
};

enum {
    WORKER_PARSE_MAX = INBOUND_RAW_MAX + 64 * 1024, /* raw and facts */
    WORKER_CLEAN_HEAD = 12,
    WORKER_TEXT_MAX = 200,
    WORKER_EXIT_MEMORY = 71, /* exit status: ran out of memory */
};

/* What a clean photo may be; NULL-terminated. */
extern const char *const worker_photo_types[];

#endif
