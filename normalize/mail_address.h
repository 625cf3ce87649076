/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Addresses in mail: which of them can be answered, which are our own, and the tag behind "+".
 * RFC 5321 section 4.1.2 without quoted local parts and address literals: nobody answers those.
 * Pure; GMime's address lists are only read.
 */
#ifndef KANAL_NORMALIZE_MAIL_ADDRESS_H
#define KANAL_NORMALIZE_MAIL_ADDRESS_H

#include <stdbool.h>
#include <stddef.h>

#include <gmime/gmime.h>

#include "normalize/inbound.h"

enum { MAIL_OWN_MAX = 16, MAIL_ADDRESS_MAX = 254 };

/* The addresses of the channel. */
struct mail_own {
    char *address[MAIL_OWN_MAX]; /* normalized, without tag */
    size_t count;
    const char *domain; /* of our Message-IDs; borrowed from the inbound; NULL unknown */
};

/* Reads the facts "own_address" and "own_domain" of in, which must outlive *own. */
void mail_own_init(struct mail_own *own, const struct inbound *in);
void mail_own_release(struct mail_own *own);

/* Gives address with local part and domain in lower case, an international domain in its ASCII
 * form; NULL when no answer can be sent there by syntax. */
char *mail_address(InternetAddressMailbox *mailbox);

/* The same for an address alone, as typed into a form; NULL stays NULL. */
char *mail_address_check(const char *address);

/* Whether address (as mail_address() gives it) is ours, with or without a tag. *tag (may be NULL):
 * a copy of what follows "+" or NULL. */
bool mail_own_is(const struct mail_own *own, const char *address, char **tag);

/* Whether the local part says that nobody reads what is sent there. */
bool mail_address_is_deaf(const char *address);

/* Whether the local part is a mail system's ("mailer-daemon"). */
bool mail_address_is_daemon(const char *address);

/* Calls visit for every mailbox of list (which may be NULL), members of groups included, until it
 * returns false. */
typedef bool mail_visit(void *context, InternetAddressMailbox *mailbox);
void mail_each_mailbox(InternetAddressList *list, mail_visit *visit, void *context);

#endif
