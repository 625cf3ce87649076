/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From a parsed header block to a request, or to the status it is refused with. libmicrohttpd
 * 0.9.75 accepts bare line feeds, obsolete folding and repeated framing headers; each of them can
 * make a proxy in front of us see other requests than we do, so each is refused here. Sources: RFC
 * 9110 sections 5 and 12, RFC 9112 sections 2.2, 5.2, 6.3 and 11.2.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <strings.h>

#include "gateway/http_private.h"
#include "gateway/process.h"

/* Headers that must not come twice: two readers might believe different ones. */
static const char *const single_headers[] = {
    MHD_HTTP_HEADER_HOST,
    MHD_HTTP_HEADER_CONTENT_LENGTH,
    MHD_HTTP_HEADER_TRANSFER_ENCODING,
    MHD_HTTP_HEADER_CONTENT_TYPE,
    MHD_HTTP_HEADER_AUTHORIZATION,
    MHD_HTTP_HEADER_ORIGIN,
    MHD_HTTP_HEADER_COOKIE,
    "Idempotency-Key",
    "webhook-id",
    "webhook-timestamp",
    "webhook-signature",
};

enum { SINGLE_HEADERS = sizeof(single_headers) / sizeof(single_headers[0]) };

struct scan {
    const char *end; /* where the text before the next header ended, in the receive buffer */
    size_t bytes;
    bool bad;
    const char *single[SINGLE_HEADERS];
    const char *forwarded_for, *forwarded_proto; /* the last of several */
};

static bool is_token(const char *text)
{
    static const char symbols[] = "!#$%&'*+-.^_`|~";

    if (*text == '\0')
        return false;
    for (; *text != '\0'; text++) {
        bool letter = (*text >= 'a' && *text <= 'z') || (*text >= 'A' && *text <= 'Z');

        if (!letter && !(*text >= '0' && *text <= '9') && strchr(symbols, *text) == NULL)
            return false;
    }
    return true;
}

/* No control characters but TAB. */
static bool is_value(const char *text)
{
    for (; *text != '\0'; text++)
        if (((unsigned char)*text < ' ' && *text != '\t') || *text == 0x7f)
            return false;
    return true;
}

/*
 * Whether key follows what came before by exactly one CRLF. libmicrohttpd before 1.0 parses in
 * place and turns line ends into NULs, so the distance tells: 1 is a bare LF, and a folded or cut
 * line is somewhere else altogether. Later versions refuse these themselves.
 */
static bool is_next_line(const char *end, const char *key)
{
#if MHD_VERSION < 0x01000000
    return (uintptr_t)key - (uintptr_t)end == 2;
#else
    (void)end;
    (void)key;
    return true;
#endif
}

static enum MHD_Result scan_header(void *context, enum MHD_ValueKind kind, const char *key,
                                   const char *value)
{
    struct scan *scan = context;

    (void)kind;
    if (value == NULL || !is_next_line(scan->end, key) || !is_token(key) || !is_value(value)) {
        scan->bad = true;
        return MHD_NO;
    }
    scan->end = value + strlen(value);
    scan->bytes += strlen(key) + strlen(value) + strlen(": \r\n");
    for (size_t i = 0; i < SINGLE_HEADERS; i++) {
        if (strcasecmp(key, single_headers[i]) != 0)
            continue;
        scan->bad = scan->bad || scan->single[i] != NULL;
        scan->single[i] = value;
    }
    if (strcasecmp(key, "X-Forwarded-For") == 0)
        scan->forwarded_for = value;
    else if (strcasecmp(key, "X-Forwarded-Proto") == 0)
        scan->forwarded_proto = value;
    return scan->bad ? MHD_NO : MHD_YES;
}

/*
 * Whether the last line ends where its value does. A NUL within the value would hide the rest of it
 * from us, but not from a proxy; before 1.0 the bytes of a line's end have become NULs.
 */
static bool is_last_line(const char *end)
{
#if MHD_VERSION < 0x01000000
    return end[1] == '\0';
#else
    (void)end;
    return true;
#endif
}

/* The framing of the body must be beyond doubt. */
static int check_framing(const struct scan *scan, const char *version)
{
    const char *host = scan->single[0], *length = scan->single[1], *encoding = scan->single[2];
    bool old = strcmp(version, MHD_HTTP_VERSION_1_0) == 0;

    if (host == NULL && !old)
        return MHD_HTTP_BAD_REQUEST;
    if (encoding != NULL && (old || length != NULL || strcasecmp(encoding, "chunked") != 0))
        return MHD_HTTP_BAD_REQUEST;
    if (length != NULL && (*length == '\0' || length[strspn(length, "0123456789")] != '\0'))
        return MHD_HTTP_BAD_REQUEST;
    return 0;
}

/*
 * How much a client wants name, by an Accept or Accept-Language header: more is better, and of
 * equals the earlier; 0 not at all. For languages a region ("en-GB") counts as its language.
 */
static int preference(const char *header, const char *name, bool language)
{
    size_t len = strlen(name);

    for (int position = 63; header != NULL && *header != '\0'; position -= position > 0) {
        const char *end = strchrnul(header, ',');
        const char *q;
        char next;

        header += strspn(header, " \t");
        next = header + len <= end ? header[len] : 'x';
        if (header + len <= end && strncasecmp(header, name, len) == 0 &&
            (header + len == end || strchr(language ? "; \t-" : "; \t", next) != NULL)) {
            q = memmem(header, (size_t)(end - header), "q=", 2);
            return (q == NULL ? 1000 : (int)(strtod(q + 2, NULL) * 1000)) * 64 + position;
        }
        header = *end == '\0' ? end : end + 1;
    }
    return 0;
}

static bool is_json(const char *content_type)
{
    static const char json[] = "application/json";
    size_t len = strlen(json);

    return strncasecmp(content_type, json, len) == 0 && strchr("; \t", content_type[len]) != NULL;
}

/* The last hop of X-Forwarded-For, which the trusted proxy itself has seen. */
static void take_forwarded_for(struct http_exchange *exchange, const char *value)
{
    union {
        struct sockaddr any;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
    } address = {.any = {.sa_family = AF_UNSPEC}};
    const char *comma = strrchr(value, ',');
    char text[INET6_ADDRSTRLEN];
    const char *hop = comma == NULL ? value : comma + 1;

    hop += strspn(hop, " \t");
    snprintf(text, sizeof(text), "%.*s", (int)strcspn(hop, " \t"), hop);
    if (inet_pton(AF_INET, text, &address.v4.sin_addr) == 1)
        address.v4.sin_family = AF_INET;
    else if (inet_pton(AF_INET6, text, &address.v6.sin6_addr) == 1)
        address.v6.sin6_family = AF_INET6;
    else
        return;
    http_peer_text(&address.any, false, exchange->client);
}

/* Any header, for handlers. */
static const char *find_header(const struct http_request *request, const char *name)
{
    const struct http_exchange *exchange = request->connection;

    return MHD_lookup_connection_value(exchange->mhd, MHD_HEADER_KIND, name);
}

static void fill(struct http_exchange *exchange, const struct scan *scan)
{
    struct http_request *request = &exchange->request;
    const char *type = scan->single[3];
    const char *accept = MHD_lookup_connection_value(exchange->mhd, MHD_HEADER_KIND, "Accept");
    const char *languages =
        MHD_lookup_connection_value(exchange->mhd, MHD_HEADER_KIND, "Accept-Language");

    request->connection = exchange;
    request->header = find_header;
    request->received_ms = clock_wall_ms();
    request->content_type = type == NULL ? "" : type;
    request->language =
        preference(languages, "en", true) > preference(languages, "id", true) ? "en" : "id";
    request->wants_json =
        is_json(request->content_type) ||
        preference(accept, "application/json", false) > preference(accept, "text/html", false);
    request->secure = exchange->server->listener.tls_key != NULL;
    memcpy(exchange->client, exchange->connection->client, sizeof(exchange->client));
    if (!exchange->connection->trusted)
        return;
    if (scan->forwarded_for != NULL)
        take_forwarded_for(exchange, scan->forwarded_for);
    if (scan->forwarded_proto != NULL)
        request->secure = strcasecmp(scan->forwarded_proto, "https") == 0;
}

int http_request_read(struct http_exchange *exchange, const char *version)
{
    struct scan scan = {.end = version + strlen(version), .bytes = exchange->target.len};
    int status;

    if (strcmp(version, MHD_HTTP_VERSION_1_1) != 0 && strcmp(version, MHD_HTTP_VERSION_1_0) != 0)
        return MHD_HTTP_HTTP_VERSION_NOT_SUPPORTED;
    MHD_get_connection_values(exchange->mhd, MHD_HEADER_KIND, scan_header, &scan);
    fill(exchange, &scan);
    if (scan.bad || !is_last_line(scan.end))
        return MHD_HTTP_BAD_REQUEST;
    status = check_framing(&scan, version);
    if (status != 0)
        return status;
    return scan.bytes > HTTP_HEADER_BYTES_MAX ? MHD_HTTP_REQUEST_HEADER_FIELDS_TOO_LARGE : 0;
}

/* Whether "." or ".." is a whole segment: no client of ours needs it, and who passes the path on
 * (the officers' proxy) might resolve it into one that was refused here. */
static bool has_dot_segment(const char *path)
{
    for (const char *at = strchr(path, '/'); at != NULL; at = strchr(at + 1, '/')) {
        size_t len = strcspn(at + 1, "/");

        if (len > 0 && len <= 2 && strspn(at + 1, ".") >= len)
            return true;
    }
    return false;
}

int http_request_target(struct http_exchange *exchange)
{
    char *target = exchange->target.data;
    char *question = strchr(target, '?');
    size_t path_len = question == NULL ? strlen(target) : (size_t)(question - target);

    exchange->request.query = question == NULL ? "" : question + 1;
    if (target[0] != '/' || exchange->target.overflow)
        return MHD_HTTP_BAD_REQUEST;
    if (http_decode(target, path_len, false, &exchange->path) != 0 ||
        !is_value(exchange->path.data) || exchange->path.overflow ||
        has_dot_segment(exchange->path.data))
        return MHD_HTTP_BAD_REQUEST;
    exchange->request.path = exchange->path.data;
    return 0;
}
