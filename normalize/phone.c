/* SPDX-License-Identifier: Apache-2.0 */
#include "normalize/phone.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

enum {
    DIGITS_TYPED_MAX = 20,
    DIGITS_MIN = 8,    /* of any country's number with its code */
    NATIONAL_MIN = 7,  /* behind +62: area code and a short landline number */
    NATIONAL_MAX = 12, /* mobile numbers */
};

/* Collects the digits of text; false when there is anything else but what groups digits. */
static bool phone_digits(const char *text, char digits[static DIGITS_TYPED_MAX + 1])
{
    size_t count = 0;
    for (; *text != '\0'; text++) {
        if (strchr(" -./()", *text) != NULL)
            continue;
        if (*text < '0' || *text > '9' || count == DIGITS_TYPED_MAX)
            return false;
        digits[count++] = *text;
    }
    digits[count] = '\0';
    return true;
}

/* What follows "+62", or NULL when the number names another country. */
static const char *phone_national(const char *digits, bool international)
{
    if (international) {
        if (strncmp(digits, "62", 2) != 0)
            return NULL;
        digits += 2;
        return digits[0] == '0' ? digits + 1 : digits; /* "+62 (0)812" */
    }
    if (strncmp(digits, "62", 2) == 0)
        return digits + 2;
    return digits[0] == '0' ? digits + 1 : digits;
}

int phone_parse(const char *text, char phone[static PHONE_SIZE])
{
    char typed[DIGITS_TYPED_MAX + 1] = "";
    while (*text == ' ' || *text == '(')
        text++;
    bool international = *text == '+';
    if (!phone_digits(text + (international ? 1 : 0), typed))
        return -1;
    const char *digits = typed;
    if (!international && strncmp(digits, "00", 2) == 0) {
        international = true;
        digits += 2;
    }
    const char *national = phone_national(digits, international);
    const char *country = national == NULL ? "" : "62";
    const char *rest = national == NULL ? digits : national;
    size_t len = strlen(rest);
    size_t least = national == NULL ? DIGITS_MIN : NATIONAL_MIN;
    size_t most = national == NULL ? PHONE_DIGITS_MAX : NATIONAL_MAX;
    if (len < least || len > most || rest[0] == '0')
        return -1;
    /* Without a trunk zero or a country only mobile numbers are unmistakable. */
    if (!international && national == digits && national[0] != '8')
        return -1;
    snprintf(phone, PHONE_SIZE, "+%s%.*s", country, (int)len, rest);
    return 0;
}
