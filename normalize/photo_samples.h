/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One tiny picture (a plain colour) per kind of photo we read, in base64: decoding them once before
 * the sandbox closes makes decoders and colour management load and open what they do late.
 */
#ifndef KANAL_NORMALIZE_PHOTO_SAMPLES_H
#define KANAL_NORMALIZE_PHOTO_SAMPLES_H

/* JPEG, PNG, WebP, HEIC; NULL-terminated. */
extern const char *const photo_samples[];

#endif
