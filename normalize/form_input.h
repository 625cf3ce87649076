/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What somebody filled in, before it is judged: one text per field, whichever of the three
 * encodings it came by, and the photos. Problems with single fields are noted in the draft as they
 * are met. Internal to form*.c.
 */
#ifndef KANAL_NORMALIZE_FORM_INPUT_H
#define KANAL_NORMALIZE_FORM_INPUT_H

#include <stdbool.h>
#include <stddef.h>

#include "normalize/draft.h"
#include "normalize/inbound.h"

enum form_field {
    FORM_FIELD_STORY,
    FORM_FIELD_LOCATION,
    FORM_FIELD_ADDITIONAL,
    FORM_FIELD_CATEGORY,
    FORM_FIELD_DATE,
    FORM_FIELD_VISIBILITY,
    FORM_FIELD_LAT,
    FORM_FIELD_LON,
    FORM_FIELD_NAME,
    FORM_FIELD_CONTACT,
    FORM_FIELD_NO_REPLY,
    FORM_FIELD_CLIENT_KEY,
    FORM_FIELD_COUNT, /* also: none of them */
};

struct form_photo {
    char *name;
    char *data;
    size_t len;
};

struct form_input {
    char *texts[FORM_FIELD_COUNT]; /* clean; NULL absent */
    struct form_photo *photos;
    size_t photo_count;
    bool json;
};

/* Frees all that was kept. */
void form_input_release(struct form_input *input);

/* The field called name, or FIELD_COUNT. */
enum form_field form_field_find(const char *name, size_t len);

/* Its name, as problems tell it; static. */
const char *form_field_name(enum form_field field);

/* Cleans and keeps what was filled in; the first value counts, empty ones do not. Notes texts that
 * are no UTF-8 or too long. */
void form_input_set(struct form_input *input, enum form_field field, const char *data, size_t len,
                    struct draft *draft);

/* Keeps the photo sent as number index (takes data), noting why it is none; beyond FORM_PHOTOS_MAX
 * that there are too many. */
void form_input_photo(struct form_input *input, size_t index, const char *name, char *data,
                      size_t len, struct draft *draft);

/* Each reads one encoding; fields of HTML forms that we do not know are passed over, those of JSON
 * are problems. -1: malformed as a whole. */
int form_read_urlencoded(const struct inbound *in, struct form_input *input, struct draft *draft);
int form_read_multipart(const struct inbound *in, const char *content_type,
                        struct form_input *input, struct draft *draft);
int form_read_json(const struct inbound *in, struct form_input *input, struct draft *draft);

#endif
