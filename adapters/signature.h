/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Signed requests by the Standard Webhooks scheme: HMAC-SHA256 over "id.timestamp.body", headers
 * webhook-id, webhook-timestamp (Unix seconds), webhook-signature ("v1,<base64>", several separated
 * by spaces). The key is what "whsec_" + base64 names, or the raw bytes of any other secret.
 */
#ifndef KANAL_ADAPTERS_SIGNATURE_H
#define KANAL_ADAPTERS_SIGNATURE_H

#include <stddef.h>
#include <stdint.h>

#include "normalize/buf.h"
#include "normalize/err.h"

enum { SIGNATURE_TOLERANCE_S = 300 };

/* Appends "v1,<base64>" to *out. */
void signature_make(const char *secret, const char *id, int64_t timestamp_s, const void *body,
                    size_t len, struct buf *out);

/* 0 when any v1 entry of header fits (compared in constant time) and timestamp is within the
 * tolerance of now_s; else -1 ERR_PERMANENT. NULL header, id or timestamp: refused. */
int signature_check(const char *secret, const char *id, const char *timestamp, const char *header,
                    const void *body, size_t len, int64_t now_s, struct err *err);

#endif
