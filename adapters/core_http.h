/* SPDX-License-Identifier: Apache-2.0 */
/* The settings of a core reached by the HTTP contract: for who starts one of our own. */
#ifndef KANAL_ADAPTERS_CORE_HTTP_H
#define KANAL_ADAPTERS_CORE_HTTP_H

#include "config/option.h"

struct core_http_settings {
    char *url;         /* without a slash at its end */
    char *unix_socket; /* path to connect to instead of the URL's host; NULL */
    char *ca_file;     /* NULL: the system's trust */
    struct secret secret;
};

#endif
