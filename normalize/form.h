/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The web form and its JSON twin: application/x-www-form-urlencoded, multipart/form-data (RFC 7578)
 * and application/json to one draft. Worker only. Facts: "content_type" as received (needed);
 * "categories": comma separated codes that may be chosen; "story_min": characters the story needs.
 * A refused form gives a draft with problems and all that was typed.
 */
#ifndef KANAL_NORMALIZE_FORM_H
#define KANAL_NORMALIZE_FORM_H

#include "normalize/normalize.h"

enum {
    FORM_STORY_MIN = 150,       /* characters; JakLapor's own rule */
    FORM_STORY_MAX = 20 * 1000, /* characters */
    FORM_LINE_MAX = 1000,       /* characters: location, name, contact */
    FORM_PHOTOS_MAX = 5,
    FORM_PHOTO_BYTES_MAX = 6 * 1024 * 1024,
    FORM_FIELDS_MAX = 64,
    FORM_KEY_MAX = 200, /* client_key, bytes */
};

/* Draws what the JSON parser's tables are seeded with; call once per process, before any sandbox.
 */
void form_start(void);

/* A draft_parser. ERR_PERMANENT never: what is not a form is a draft with a "malformed" problem. */
draft_parser form_parse;

#endif
