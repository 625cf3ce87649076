/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Mail: one raw message (RFC 5322, RFC 2045-2049, 2231, 3676, 3834, 3464) to one draft, by GMime 3.
 * Worker only. Facts it reads from the inbound: "own_address" (comma separated addresses of ours:
 * mail from them is a loop, their "+tag" is a reply token), "own_domain" (right side of our own
 * Message-IDs).
 */
#ifndef KANAL_NORMALIZE_MAIL_H
#define KANAL_NORMALIZE_MAIL_H

#include "normalize/normalize.h"

enum {
    MAIL_BYTES_MAX = 25 * 1024 * 1024,
    MAIL_DEPTH_MAX = 20, /* nested multiparts and message/rfc822 */
    MAIL_PARTS_MAX = 200,
    MAIL_HEADER_BYTES_MAX = 256 * 1024,
};

/* Loads charsets and GMime's tables; call once per process, before any sandbox: mail_parse() opens
 * no file after it, whatever the mail says. */
void mail_start(void);

/* A draft_parser. Broken mail is still mail: it fails (ERR_PERMANENT) only beyond the limits above,
 * or when there is neither a header nor any text. */
draft_parser mail_parse;

#endif
