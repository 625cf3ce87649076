/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Small readers for the server's own pages: percent-encoding, urlencoded fields, cookies. Pure
 * functions of their bytes. Sources: RFC 3986 section 2.1, WHATWG URL (urlencoded), RFC 6265.
 */
#include "gateway/http.h"

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

int http_decode(const char *text, size_t len, bool plus, struct buf *out)
{
    for (size_t i = 0; i < len; i++) {
        int high, low;

        if (text[i] != '%') {
            buf_add_char(out, plus && text[i] == '+' ? ' ' : text[i]);
            continue;
        }
        if (len - i < 3)
            return -1;
        high = hex_digit(text[i + 1]);
        low = hex_digit(text[i + 2]);
        if (high < 0 || low < 0 || high + low == 0)
            return -1;
        buf_add_char(out, (char)(high * 16 + low));
        i += 2;
    }
    return 0;
}

int http_form_field(const char *body, size_t len, const char *name, struct buf *out)
{
    const char *end = body + len;
    size_t name_len = strlen(name);

    while (body < end) {
        const char *stop = memchr(body, '&', (size_t)(end - body));
        size_t pair = stop == NULL ? (size_t)(end - body) : (size_t)(stop - body);

        if (pair > name_len && body[name_len] == '=' && memcmp(body, name, name_len) == 0) {
            buf_clear(out);
            if (http_decode(body + name_len + 1, pair - name_len - 1, true, out) != 0 ||
                out->overflow || memchr(out->data, '\0', out->len) != NULL)
                return -1;
            return 1;
        }
        body += pair + 1;
    }
    return 0;
}

int http_cookie(const struct http_request *request, const char *name, struct buf *out)
{
    const char *cookies = request->header(request, "Cookie");
    size_t name_len = strlen(name);

    while (cookies != NULL && *cookies != '\0') {
        size_t len = strcspn(cookies, ";");

        if (len > name_len && cookies[name_len] == '=' && memcmp(cookies, name, name_len) == 0) {
            buf_clear(out);
            buf_add(out, cookies + name_len + 1, len - name_len - 1);
            return out->overflow ? 0 : 1;
        }
        cookies += len;
        cookies += strspn(cookies, "; ");
    }
    return 0;
}
