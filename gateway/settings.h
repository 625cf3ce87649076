/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The settings of the whole: the fixed sections of the configuration and the channels. Loading
 * checks everything that can be checked without starting anything; what is loaded never changes, a
 * reload makes another one.
 */
#ifndef KANAL_GATEWAY_SETTINGS_H
#define KANAL_GATEWAY_SETTINGS_H

#include "config/config.h"
#include "normalize/buf.h"
#include "normalize/err.h"

enum { SETTINGS_MISTAKES_MAX = 256 * 1024 };

/* [gateway] */
struct gateway_settings {
    char *state;     /* folder */
    char *engine;    /* "sqlite", "memory" */
    int64_t workers; /* 0: one per processor */
    int64_t queue_max, queue_bytes;
};

/* [http] */
struct http_settings {
    char *public_address, *staff_address, *admin_address;
    char *public_url;                                      /* without a slash at its end */
    char *tls_certificate, *tls_key;                       /* paths of PEM files; both or none */
    char *proxy;                                           /* IP address, or NULL */
    int64_t connections, connections_per_address, threads; /* threads 0: one per processor */
};

/* [core] */
struct core_settings {
    char *kind; /* "embedded", "http" */
    char *url;  /* http only */
    struct secret secret;
    int64_t poll; /* seconds */
};

/* [city] */
struct city_settings {
    char *name;
    char *emergency;            /* telephone number */
    int64_t utc_offset_minutes; /* fixed: no daylight saving */
    char *templates;            /* folder, or NULL: those built in */
};

/* [notices] */
struct notices_settings {
    int64_t ack_per_address;
    int64_t ack_window; /* seconds */
};

/* [keys] */
struct keys_settings {
    struct secret key;
};

/*
 * Loads path (NULL: all defaults). 0: *out is complete, config_release() it. -1: *out is empty, all
 * mistakes stand in *mistakes, one a line, and err holds the first. A channel "web" for the form is
 * added when no channel is one. Reads secrets and templates; opens no channel.
 */
int settings_load(const char *path, struct config *out, struct buf *mistakes, struct err *err);

const struct gateway_settings *settings_gateway(const struct config *config);
const struct http_settings *settings_http(const struct config *config);
const struct core_settings *settings_core(const struct config *config);
const struct city_settings *settings_city(const struct config *config);
const struct notices_settings *settings_notices(const struct config *config);
const struct keys_settings *settings_keys(const struct config *config);

/* The next channel section behind *n (start with 0), or NULL: its name, type and settings. */
const struct config_section *settings_channel_next(const struct config *config, size_t *n);

/* Appends the reference of every option there is. */
void settings_help(struct buf *out);

#endif
