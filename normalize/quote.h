/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What somebody wrote themselves, without the messages they answered and without the signature:
 * lines marked "> ", the line that introduces them ("On ... wrote:", "Pada ... menulis:", also
 * broken over several lines), "-----Original Message-----", Outlook's block of From/Sent/To/Subject
 * lines, "-- " and what follows. Answers between quoted lines stay, and so does a forwarded
 * message: it is what the sender wants to show. A view only: the caller keeps the full text.
 * Pure and thread-safe.
 */
#ifndef KANAL_NORMALIZE_QUOTE_H
#define KANAL_NORMALIZE_QUOTE_H

/* Gives the own words of text (free() it), which is clean (text.h). When nothing would remain, the
 * whole text. */
char *quote_cut(const char *text);

#endif
