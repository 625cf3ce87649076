/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A file that holds one key: 32 bytes as 64 hex digits and a line end, mode 0600. It is made whole
 * or not at all, never overwritten, and refused when anyone but its owner may read or change it.
 */
#ifndef KANAL_GATEWAY_KEY_FILE_H
#define KANAL_GATEWAY_KEY_FILE_H

#include <stdbool.h>
#include <stddef.h>

#include "normalize/err.h"

enum { KEY_SIZE = 32 };

/* Reads path into key, or makes it of random bytes when it is not there and may_create; *created
 * tells. -1 ERR_CONFIG, key is wiped. */
int key_file_open(const char *path, bool may_create, unsigned char key[static KEY_SIZE],
                  bool *created, struct err *err);

/* Reads a key as text, 64 hex digits and at most white space behind them. 0 or -1. */
int key_parse(const char *text, size_t len, unsigned char key[static KEY_SIZE]);

#endif
