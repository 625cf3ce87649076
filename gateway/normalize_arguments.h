/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What `kanal normalize` is asked to do. Strings are borrowed from argv.
 */
#ifndef KANAL_GATEWAY_NORMALIZE_ARGUMENTS_H
#define KANAL_GATEWAY_NORMALIZE_ARGUMENTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "adapters/adapter.h"

struct normalize_arguments {
    const struct adapter *adapter; /* NULL: lines */
    const char *channel_id;        /* NULL: not said */
    int64_t received_ms;           /* the caller's default when not said */
    struct inbound_fact facts[INBOUND_FACTS_MAX];
    size_t fact_count;
    const char *file; /* "-": stdin */
    bool lines;
};

/* Reads and checks argv. -1: go on; otherwise the exit status, with the reason on stderr (or the
 * help on stdout). */
int normalize_arguments_read(int argc, char **argv, struct normalize_arguments *arguments);

#endif
