/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Phone numbers as people write them to E.164: "0812-0000-0000", "62 812...", "+62 (0)812...".
 * Numbers without a country are Indonesian. Only the shape is checked, not whether the prefix is
 * assigned. Pure.
 */
#ifndef KANAL_NORMALIZE_PHONE_H
#define KANAL_NORMALIZE_PHONE_H

enum {
    PHONE_DIGITS_MAX = 15,             /* E.164 */
    PHONE_SIZE = PHONE_DIGITS_MAX + 2, /* with "+" and the NUL */
};

/* Writes "+6281200000000". 0, or -1 when text is no phone number. */
int phone_parse(const char *text, char phone[static PHONE_SIZE]);

#endif
