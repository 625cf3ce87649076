/* SPDX-License-Identifier: Apache-2.0 */
#include "normalize/mail_address.h"

#include <string.h>
#include <strings.h>

#include "normalize/buf.h"
#include "normalize/mem.h"
#include "normalize/text.h"

enum { MAIL_LOCAL_MAX = 64, MAIL_LABEL_MAX = 63, MAIL_GROUP_DEPTH = 4 };

static bool mail_is_alnum(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

static bool mail_is_local(const char *text, size_t len)
{
    if (len == 0 || len > MAIL_LOCAL_MAX || text[0] == '.' || text[len - 1] == '.')
        return false;
    for (size_t i = 0; i < len; i++) {
        if (text[i] == '.' && text[i + 1] == '.')
            return false;
        if (!mail_is_alnum(text[i]) && strchr("!#$%&'*+-/=?^_`{|}~.", text[i]) == NULL)
            return false;
    }
    return true;
}

static bool mail_is_domain(const char *text)
{
    if (strchr(text, '.') == NULL && strcasecmp(text, "localhost") != 0)
        return false; /* a host in the sender's own network; "localhost" serves tests */
    size_t label = 0;
    for (const char *at = text;; at++) {
        if (*at == '.' || *at == '\0') {
            if (label == 0 || label > MAIL_LABEL_MAX || at[-1] == '-')
                return false;
            label = 0;
            if (*at == '\0')
                return true;
        } else {
            if (!mail_is_alnum(*at) && (*at != '-' || label == 0))
                return false;
            label++;
        }
    }
}

char *mail_address_check(const char *address)
{
    const char *at = address != NULL ? strrchr(address, '@') : NULL;
    if (at == NULL || strlen(address) > MAIL_ADDRESS_MAX ||
        !mail_is_local(address, (size_t)(at - address)) || !mail_is_domain(at + 1))
        return NULL;
    return text_ascii_lower(mem_strdup(address));
}

char *mail_address(InternetAddressMailbox *mailbox)
{
    char *address = mail_address_check(internet_address_mailbox_get_addr(mailbox));
    if (address == NULL)
        address = mail_address_check(internet_address_mailbox_get_idn_addr(mailbox));
    return address;
}

void mail_own_init(struct mail_own *own, const struct inbound *in)
{
    *own = (struct mail_own){.domain = inbound_fact(in, "own_domain")};
    const char *rest = inbound_fact(in, "own_address");
    const char *word;
    size_t len;
    while (rest != NULL && own->count < MAIL_OWN_MAX && text_list_next(&rest, &word, &len)) {
        char *copy = mem_strndup(word, len);
        char *address = mail_address_check(copy);
        if (address != NULL)
            own->address[own->count++] = address;
        free(copy);
    }
}

void mail_own_release(struct mail_own *own)
{
    for (size_t i = 0; i < own->count; i++)
        free(own->address[i]);
    own->count = 0;
}

bool mail_own_is(const struct mail_own *own, const char *address, char **tag)
{
    for (size_t i = 0; i < own->count; i++) {
        const char *ours = own->address[i];
        size_t local = strcspn(ours, "@");
        const char *domain = strrchr(address, '@');
        if (strncmp(address, ours, local) != 0 || strcmp(domain, ours + local) != 0)
            continue;
        if (address[local] != '@' && address[local] != '+')
            continue;
        if (tag != NULL)
            *tag = address[local] == '+'
                       ? mem_strndup(address + local + 1, (size_t)(domain - address) - local - 1)
                       : NULL;
        return true;
    }
    return false;
}

/* Words are compared from the left up to a separator, at the right where they begin with "-". */
static bool mail_local_is(const char *address, const char *const *words, size_t count)
{
    size_t local = strcspn(address, "@+");
    for (size_t i = 0; i < count; i++) {
        size_t len = strlen(words[i]);
        if (len > local)
            continue;
        bool tail = words[i][0] == '-';
        if (strncmp(tail ? address + local - len : address, words[i], len) == 0 &&
            (tail || len == local || words[i][len - 1] == '-'))
            return true;
    }
    return false;
}

bool mail_address_is_daemon(const char *address)
{
    static const char *const words[] = {"mailer-daemon", "postmaster", "mail-daemon",
                                        "mailerdaemon"};
    return mail_local_is(address, words, sizeof words / sizeof words[0]);
}

bool mail_address_is_deaf(const char *address)
{
    static const char *const words[] = {
        "no-reply", "noreply",   "no_reply",     "do-not-reply", "donotreply", "do_not_reply",
        "noreply-", "no-reply-", "jangan-balas", "nobody",       "owner-",     "bounce",
        "bounces",  "-noreply",  "-no-reply",    "-request",     "-bounces",   "-bounce",
    };
    return mail_address_is_daemon(address) ||
           mail_local_is(address, words, sizeof words / sizeof words[0]);
}

static bool mail_visit_list(InternetAddressList *list, mail_visit *visit, void *context, int depth)
{
    int count = list != NULL ? internet_address_list_length(list) : 0;
    for (int i = 0; i < count; i++) {
        InternetAddress *address = internet_address_list_get_address(list, i);
        if (INTERNET_ADDRESS_IS_MAILBOX(address)) {
            if (!visit(context, INTERNET_ADDRESS_MAILBOX(address)))
                return false;
        } else if (INTERNET_ADDRESS_IS_GROUP(address) && depth < MAIL_GROUP_DEPTH) {
            InternetAddressList *members =
                internet_address_group_get_members(INTERNET_ADDRESS_GROUP(address));
            if (!mail_visit_list(members, visit, context, depth + 1))
                return false;
        }
    }
    return true;
}

void mail_each_mailbox(InternetAddressList *list, mail_visit *visit, void *context)
{
    mail_visit_list(list, visit, context, 0);
}
