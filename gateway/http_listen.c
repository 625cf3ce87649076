/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Listening sockets. libmicrohttpd binds none itself: it knows no unix sockets, and its errors do
 * not say which address is taken. Sources: ip(7), ipv6(7), unix(7).
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "gateway/http_private.h"
#include "normalize/mem.h"

enum { LISTEN_BACKLOG = 1024 };

static const char unix_prefix[] = "unix:";

/* What a predecessor left: lines "DESCRIPTOR ADDRESS". Set before and after the servers start. */
static const char *inherited;

union address {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
    struct sockaddr_un local;
};

/* 1..5 digits up to 65535; 0 asks the kernel for a free port. */
static int parse_port(const char *text, in_port_t *port)
{
    char *end;
    unsigned long value;

    if (*text < '0' || *text > '9')
        return -1;
    value = strtoul(text, &end, 10);
    if (*end != '\0' || value > 65535)
        return -1;
    *port = htons((in_port_t)value);
    return 0;
}

static socklen_t parse_unix(const char *path, union address *out)
{
    size_t len = strlen(path);

    if (path[0] != '/' || len >= sizeof(out->local.sun_path))
        return 0;
    out->local.sun_family = AF_UNIX;
    memcpy(out->local.sun_path, path, len + 1);
    return sizeof(out->local);
}

/* The length of the address in *out, 0 when text is none. */
static socklen_t parse(const char *text, union address *out)
{
    const char *colon = strrchr(text, ':');
    char host[INET6_ADDRSTRLEN + 2] = "";
    size_t len;

    memset(out, 0, sizeof(*out));
    if (strncmp(text, unix_prefix, strlen(unix_prefix)) == 0)
        return parse_unix(text + strlen(unix_prefix), out);
    if (colon == NULL || (size_t)(colon - text) >= sizeof(host))
        return 0;
    len = (size_t)(colon - text);
    memcpy(host, text, len);
    if (len > 2 && host[0] == '[' && host[len - 1] == ']') {
        host[len - 1] = '\0';
        out->v6.sin6_family = AF_INET6;
        if (inet_pton(AF_INET6, host + 1, &out->v6.sin6_addr) != 1 ||
            parse_port(colon + 1, &out->v6.sin6_port) != 0)
            return 0;
        return sizeof(out->v6);
    }
    out->v4.sin_family = AF_INET;
    if (inet_pton(AF_INET, host, &out->v4.sin_addr) != 1 ||
        parse_port(colon + 1, &out->v4.sin_port) != 0)
        return 0;
    return sizeof(out->v4);
}

/* A socket file nobody listens on any more is left from a killed process: it may go. */
static void remove_stale(const union address *address, socklen_t len)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd < 0)
        return;
    if (connect(fd, &address->any, len) != 0 && errno == ECONNREFUSED)
        unlink(address->local.sun_path);
    close(fd);
}

static int prepare(int fd, const union address *address, socklen_t len)
{
    int on = 1;

    if (address->any.sa_family == AF_UNIX) {
        remove_stale(address, len);
        return fchmod(fd, 0600); /* before bind: the file never has another mode */
    }
    if (address->any.sa_family == AF_INET6 &&
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on)) != 0)
        return -1;
    return setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
}

bool http_address_fits(const char *text)
{
    union address address;
    return parse(text, &address) != 0;
}

/* The next line of what was inherited: its address (len bytes) and descriptor; NULL at the end. */
static const char *next_inherited(const char **at, size_t *len, int *fd)
{
    char *address;
    const char *line = *at;

    if (line == NULL || *line == '\0')
        return NULL;
    *fd = (int)strtol(line, &address, 10);
    address += *address == ' ';
    *len = strcspn(address, "\n");
    *at = address + *len + (address[*len] == '\n');
    return address;
}

/* A descriptor that is not closed by exec() is one that nobody has taken. */
static bool is_left(int fd)
{
    int flags = fcntl(fd, F_GETFD), listens = 0;
    socklen_t len = sizeof(listens);

    return flags >= 0 && (flags & FD_CLOEXEC) == 0 &&
           getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &len) == 0 && listens != 0;
}

static int take_inherited(const char *text)
{
    const char *at = inherited, *address;
    size_t len;
    int fd;

    while ((address = next_inherited(&at, &len, &fd)) != NULL) {
        if (strlen(text) == len && strncmp(address, text, len) == 0 && is_left(fd)) {
            fcntl(fd, F_SETFD, FD_CLOEXEC);
            return fd;
        }
    }
    return -1;
}

void http_inherit(const char *kept)
{
    const char *at = inherited, *address;
    size_t len;
    int fd;

    while ((address = next_inherited(&at, &len, &fd)) != NULL) {
        char *text = mem_strndup(address, len);

        if (is_left(fd)) {
            close(fd);
            http_unlisten(text);
        }
        free(text);
    }
    inherited = kept;
}

void http_keep(const char *address, int fd, struct buf *kept)
{
    fcntl(fd, F_SETFD, 0);
    buf_addf(kept, "%d %s\n", fd, address);
}

int http_address_free(const char *address, struct err *err)
{
    int fd = http_listen(address, err);

    if (fd < 0)
        return -1;
    close(fd);
    http_unlisten(address);
    return 0;
}

int http_listen(const char *text, struct err *err)
{
    union address address;
    socklen_t len = parse(text, &address);
    int fd = take_inherited(text);

    if (fd >= 0)
        return fd;
    if (len == 0)
        return err_set(err, ERR_CONFIG,
                       "cannot listen on '%s': not ADDRESS:PORT, [ADDRESS]:PORT or unix:/path",
                       text);
    fd = socket(address.any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return err_set(err, ERR_CONFIG, "cannot listen on '%s': %s", text, strerror(errno));
    if (prepare(fd, &address, len) != 0 || bind(fd, &address.any, len) != 0 ||
        listen(fd, LISTEN_BACKLOG) != 0) {
        err_set(err, ERR_CONFIG, "cannot listen on '%s': %s", text, strerror(errno));
        close(fd);
        return -1;
    }
    return fd;
}

void http_unlisten(const char *text)
{
    if (strncmp(text, unix_prefix, strlen(unix_prefix)) == 0)
        unlink(text + strlen(unix_prefix));
}
