/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a mail's header says about who wrote it, what it answers and whether a person wrote it at
 * all. RFC 5322, 3834 (automatic answers), 3464 (bounces), 2919 and 2369 (lists). Claims only: the
 * gateway verifies tokens and message ids.
 */
#ifndef KANAL_NORMALIZE_MAIL_HEAD_H
#define KANAL_NORMALIZE_MAIL_HEAD_H

#include <gmime/gmime.h>

#include "normalize/draft.h"
#include "normalize/inbound.h"

/* Fills subject, reporter, references, automatic and cut_quotes. */
void mail_head_read(GMimeMessage *message, const struct inbound *in, struct draft *draft);

#endif
