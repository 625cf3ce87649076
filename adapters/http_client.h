/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One HTTP request and its answer, by libcurl: http and https only, certificates verified, no
 * redirects, no proxies or .netrc from the environment, every wait and every size bounded. What a
 * status code means is the caller's business. Blocking. A client keeps its connection open between
 * calls and is used by one thread at a time.
 */
#ifndef KANAL_ADAPTERS_HTTP_CLIENT_H
#define KANAL_ADAPTERS_HTTP_CLIENT_H

#include <stddef.h>

#include "normalize/buf.h"
#include "normalize/err.h"

enum {
    HTTP_CLIENT_HEADER_BYTES_MAX = 64 * 1024, /* of one answer, all headers */
    HTTP_CLIENT_CONNECT_S = 10,
    HTTP_CLIENT_TOTAL_S = 60,
};

struct http_client;

/* What is asked. Everything is borrowed; zero or NULL means the default. */
struct http_client_request {
    const char *method;         /* default: POST with a body, else GET */
    const char *url;            /* required */
    const char *unix_socket;    /* path of a socket to connect to instead of the URL's host */
    const char *ca_file;        /* PEM; default: the system's trust */
    const char *const *headers; /* "Name: value" lines, NULL-terminated */
    const void *body;
    size_t body_len;
    size_t answer_max; /* bytes of the answer's body; required */
    long connect_s;    /* default HTTP_CLIENT_CONNECT_S */
    long total_s;      /* default HTTP_CLIENT_TOTAL_S */
};

/* What came back. */
struct http_client_answer {
    long status;
    int retry_after_s;  /* of Retry-After (seconds or date); 0: none */
    struct buf headers; /* of the final answer, as received; read by http_client_header() */
    struct buf body;
};

/* Gives a client; http_client_free() it. */
struct http_client *http_client_create(void);
void http_client_free(struct http_client *client);

/* The call under way ends within about a second, and every later one at once: ERR_TRANSIENT. For
 * good; from any thread. */
void http_client_cancel(struct http_client *client);

/*
 * Sends request and waits for the answer. 0: *answer is filled, whatever its status;
 * http_client_answer_release() it (which wipes it: it may hold a token). -1: *answer needs no
 * release; ERR_TRANSIENT: no or half an answer, or a certificate that was refused; ERR_PERMANENT:
 * an answer beyond answer_max; ERR_CONFIG: an unusable URL, header or ca_file.
 */
int http_client_call(struct http_client *client, const struct http_client_request *request,
                     struct http_client_answer *answer, struct err *err);

void http_client_answer_release(struct http_client_answer *answer);

/* Appends the value of the first header of that name (any case), trimmed, to *out: 1 found, 0 not.
 */
int http_client_header(const struct http_client_answer *answer, const char *name, struct buf *out);

#endif
