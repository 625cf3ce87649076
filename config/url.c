/* SPDX-License-Identifier: Apache-2.0 */
#include "config/url.h"

#include <ctype.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <strings.h>

enum { URL_LEN_MAX = 2000, URL_PORT_DIGITS_MAX = 5, URL_PORT_MAX = 65535 };

static const char *url_after_scheme(const char *text)
{
    static const char *const schemes[] = {"http://", "https://"};
    for (size_t n = 0; n < sizeof schemes / sizeof schemes[0]; n++) {
        size_t len = strlen(schemes[n]);
        if (strncasecmp(text, schemes[n], len) == 0)
            return text + len;
    }
    return NULL;
}

static bool url_is_plain(const char *text)
{
    for (; *text != '\0'; text++) {
        if (!isgraph((unsigned char)*text) || strchr("<>\"\\^`{|}", *text) != NULL)
            return false;
    }
    return true;
}

static bool url_port_fits(const char *digits, size_t len)
{
    if (len == 0 || len > URL_PORT_DIGITS_MAX)
        return false;
    int port = 0;
    for (size_t n = 0; n < len; n++) {
        if (!isdigit((unsigned char)digits[n]))
            return false;
        port = port * 10 + (digits[n] - '0');
    }
    return port > 0 && port <= URL_PORT_MAX;
}

/* The length of the host in front of an optional port: a bracketed address, or up to the colon. */
static size_t url_host_len(const char *authority, size_t len)
{
    const char *end = memchr(authority, *authority == '[' ? ']' : ':', len);
    if (*authority == '[')
        return end == NULL ? 0 : (size_t)(end - authority) + 1;
    return end == NULL ? len : (size_t)(end - authority);
}

static bool url_host_fits(const char *host, size_t len)
{
    bool bracketed = host[0] == '[';
    if (len == 0 || (bracketed && len < 4))
        return false;
    for (size_t n = bracketed ? 1 : 0; n < (bracketed ? len - 1 : len); n++) {
        char c = host[n];
        if (!(bracketed ? isxdigit((unsigned char)c) || c == ':' || c == '.'
                        : isalnum((unsigned char)c) || c == '-' || c == '.' || c == '_'))
            return false;
    }
    return true;
}

const char *url_problem(const char *text)
{
    const char *authority = url_after_scheme(text);
    if (authority == NULL)
        return "does not begin with http:// or https://";
    if (strlen(text) > URL_LEN_MAX || !url_is_plain(text))
        return "holds characters no URL may hold, or too many";
    if (strchr(authority, '#') != NULL)
        return "has a fragment";
    size_t len = strcspn(authority, "/?");
    if (memchr(authority, '@', len) != NULL)
        return "has a user in front of the host";
    size_t host_len = len == 0 ? 0 : url_host_len(authority, len);
    if (!url_host_fits(authority, host_len))
        return "has no valid host";
    if (host_len < len && (authority[host_len] != ':' ||
                           !url_port_fits(authority + host_len + 1, len - host_len - 1)))
        return "has no valid port";
    return NULL;
}
