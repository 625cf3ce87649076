/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Photos: decoded and encoded anew by libvips, so that nothing of the file as sent survives: no
 * EXIF, GPS, serial number, thumbnail, profile, comment or appended bytes. Upright, at most 2560
 * pixels a side; JPEG out (PNG stays PNG when it has transparency and is small). Worker only:
 * decoders are the largest attack surface we have.
 */
#ifndef KANAL_NORMALIZE_PHOTO_H
#define KANAL_NORMALIZE_PHOTO_H

#include <stddef.h>
#include <stdint.h>

#include "normalize/err.h"

enum {
    PHOTO_SIDE_MAX = 2560,               /* pixels; enough to read a number plate across a road */
    PHOTO_PIXELS_MAX = 50 * 1000 * 1000, /* as decoded; above the largest phone camera in common use
                                            at full size, below what 256 MiB can hold */
    PHOTO_BYTES_MAX = 25 * 1024 * 1024,
};

struct photo {
    char *data; /* owned */
    size_t len;
    const char *media_type; /* static: "image/jpeg" or "image/png" */
    uint32_t width, height;
};

/* Loads the decoders; call once per process, before any sandbox closes the file system. -1
 * ERR_CONFIG: one of the four kinds of photo cannot be decoded on this machine. */
int photo_start(struct err *err);

/* The media type by the first bytes ("image/jpeg", "image/png", "image/webp", "image/heic"),
 * static; NULL when it is none of the four. Never by name or declared type. */
const char *photo_sniff(const void *data, size_t len);

/* Decodes data and encodes it clean; gives *out (zeroed before), which photo_release() frees. -1
 * ERR_PERMANENT: not a photo, too large, or broken. */
int photo_clean(const void *data, size_t len, struct photo *out, struct err *err);

void photo_release(struct photo *photo);

#endif
