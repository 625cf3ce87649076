/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which report a message belongs to. Believed, in this order: the signed token of a reply address;
 * one of our own signed Message-IDs among the references; a report ID in the text when the same
 * reporter wrote that report. Anything else is a new report: an ID alone never joins one.
 */
#ifndef KANAL_GATEWAY_THREAD_H
#define KANAL_GATEWAY_THREAD_H

#include "gateway/gateway.h"
#include "normalize/report.h"

/* 1: parent and *matched_by (static) are set; 0: a new report; -1 ERR_TRANSIENT. reporter_index may
 * be NULL. */
int thread_find(struct gateway *gateway, const struct record *record,
                const unsigned char *reporter_index, char parent[static REPORT_ID_SIZE],
                const char **matched_by, struct err *err);

/* The report at the root of id: itself, or its parent when it is a follow-up. 1, 0 not there, -1.
 */
int thread_root(struct gateway *gateway, const char *id, const unsigned char *reporter_index,
                char root[static REPORT_ID_SIZE], struct err *err);

#endif
