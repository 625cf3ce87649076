/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Why a form or an API call was refused, field by field. A problem is a field name and a code; the
 * page turns the code into a sentence in the reader's language (config/jakarta/strings.*.json has
 * "problem.<code>").
 */
#ifndef KANAL_NORMALIZE_PROBLEM_H
#define KANAL_NORMALIZE_PROBLEM_H

#define PROBLEM_REQUIRED      "required"  /* must not be empty */
#define PROBLEM_TOO_SHORT     "too_short" /* the story has fewer than 150 characters */
#define PROBLEM_TOO_LONG      "too_long"
#define PROBLEM_NOT_UTF8      "not_utf8"
#define PROBLEM_UNKNOWN_VALUE "unknown_value" /* not one of the choices */
#define PROBLEM_UNKNOWN_FIELD "unknown_field"
#define PROBLEM_WRONG_TYPE    "wrong_type"   /* a number where text belongs, broken base64 */
#define PROBLEM_OUT_OF_RANGE  "out_of_range" /* coordinates, dates */
#define PROBLEM_TOO_MANY      "too_many"     /* more than five photos */
#define PROBLEM_NOT_A_PHOTO   "not_a_photo"  /* not JPEG, PNG, WebP or HEIC */
#define PROBLEM_TOO_LARGE     "too_large"
#define PROBLEM_MALFORMED     "malformed"  /* the whole body: field "body" */
#define PROBLEM_REUSED_KEY    "reused_key" /* client_key belongs to another report */

#endif
