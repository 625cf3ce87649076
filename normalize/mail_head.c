/* SPDX-License-Identifier: Apache-2.0 */
#include "normalize/mail_head.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "normalize/buf.h"
#include "normalize/mail_address.h"
#include "normalize/mail_automatic.h"
#include "normalize/mem.h"
#include "normalize/text.h"

enum {
    MAIL_ID_MAX = 512,  /* bytes of a message id; RFC 5322 lines end at 998, real ones at 250 */
    MAIL_TAG_MAX = 64,  /* bytes of a "+tag" */
    MAIL_IDS_MAX = 200, /* of one References field looked at */
};

/* --- Reading fields --- */

static const char *mail_value(GMimeMessage *message, const char *name)
{
    return g_mime_object_get_header(GMIME_OBJECT(message), name);
}

/* Reads on to the end of one id or of the text. */
static void mail_scan_id(const char **at, struct buf *id)
{
    bool bracketed = false;
    while (**at != '\0') {
        char c = *(*at)++;
        if (c == '<') {
            buf_clear(id); /* what came before is a comment or a phrase */
            bracketed = true;
        } else if (c == '>' || (!bracketed && strchr(" \t\r\n,;", c) != NULL)) {
            return;
        } else if ((unsigned char)c > ' ' && c != 0x7f) {
            buf_add_char(id, c);
        }
    }
}

/* The next message id of *at, a Message-ID, In-Reply-To or References value: without <> and the
 * blanks of folding (free() it); *at moves behind it. NULL: no more. */
static char *mail_head_id(const char **at)
{
    struct buf id = BUF_INIT(MAIL_ID_MAX);
    bool found = false;
    while (!found && **at != '\0') {
        buf_clear(&id);
        mail_scan_id(at, &id);
        const char *sign = memchr(id.data, '@', id.len);
        found = !id.overflow && sign != NULL && sign != id.data && sign[1] != '\0' &&
                text_is_utf8(id.data, id.len);
    }
    char *result = found ? mem_strndup(id.data, id.len) : NULL;
    buf_release(&id);
    return result;
}

/* --- Who --- */

struct mail_sender {
    const struct mail_own *own;
    char *address; /* the first that can be answered */
    char *name;    /* of the first mailbox */
    bool ours;     /* one of the mailboxes is ours */
    bool daemon;   /* one is a mail system's */
    bool seen;
};

static bool mail_take_sender(void *context, InternetAddressMailbox *mailbox)
{
    struct mail_sender *sender = context;
    const char *name = internet_address_get_name(INTERNET_ADDRESS(mailbox));
    if (!sender->seen && name != NULL)
        sender->name = text_clean_line(name, strlen(name));
    sender->seen = true;
    char *address = mail_address(mailbox);
    if (address == NULL)
        return true;
    if (mail_own_is(sender->own, address, NULL))
        sender->ours = true;
    else if (sender->address == NULL && !mail_address_is_deaf(address))
        sender->address = mem_strdup(address);
    sender->daemon = sender->daemon || mail_address_is_daemon(address);
    free(address);
    return true;
}

static struct mail_sender mail_sender(InternetAddressList *list, const struct mail_own *own)
{
    struct mail_sender sender = {.own = own};
    mail_each_mailbox(list, mail_take_sender, &sender);
    return sender;
}

static void mail_sender_release(struct mail_sender *sender)
{
    free(sender->address);
    free(sender->name);
}

static char *mail_swap(char **from)
{
    char *text = *from;
    *from = NULL;
    return text;
}

/* Answers go to Reply-To when one can be sent there, else to From, else to Sender. */
static void mail_read_reporter(GMimeMessage *message, struct mail_sender *from,
                               const struct mail_own *own, struct reporter *reporter)
{
    struct mail_sender reply = mail_sender(g_mime_message_get_reply_to(message), own);
    struct mail_sender sender = mail_sender(g_mime_message_get_sender(message), own);
    struct mail_sender *choice[] = {&reply, from, &sender};
    for (size_t i = 0; i < 3 && reporter->address == NULL; i++)
        reporter->address = mail_swap(&choice[i]->address);
    if (reporter->address != NULL)
        reporter->address_kind = mem_strdup("email");
    reporter->name = mail_swap(from->name != NULL ? &from->name : &reply.name);
    const char *at = mail_value(message, "Message-ID");
    if (at != NULL)
        reporter->reply_ref = mail_head_id(&at);
    mail_sender_release(&reply);
    mail_sender_release(&sender);
}

/* --- What it answers --- */

static bool mail_is_tag(const char *tag)
{
    size_t len = strspn(tag, "abcdefghijklmnopqrstuvwxyz0123456789-_.");
    return len > 0 && len <= MAIL_TAG_MAX && tag[len] == '\0';
}

struct mail_recipients {
    const struct mail_own *own;
    struct draft *draft;
};

static bool mail_take_recipient(void *context, InternetAddressMailbox *mailbox)
{
    struct mail_recipients *recipients = context;
    char *address = mail_address(mailbox);
    char *tag = NULL;
    if (address != NULL && mail_own_is(recipients->own, address, &tag) && tag != NULL &&
        mail_is_tag(tag))
        draft_refer(recipients->draft, REFERENCE_TOKEN, tag);
    free(tag);
    free(address);
    return true;
}

static void mail_read_tokens(GMimeMessage *message, const struct mail_own *own, struct draft *draft)
{
    static const char *const names[] = {
        "To", "Cc", "Delivered-To", "X-Original-To", "Envelope-To", "X-Envelope-To", "Resent-To",
    };
    struct mail_recipients recipients = {.own = own, .draft = draft};
    GMimeHeaderList *headers = g_mime_object_get_header_list(GMIME_OBJECT(message));
    int count = g_mime_header_list_get_count(headers);
    for (int i = 0; i < count; i++) {
        GMimeHeader *header = g_mime_header_list_get_header_at(headers, i);
        for (size_t k = 0; k < sizeof names / sizeof names[0]; k++) {
            if (strcasecmp(g_mime_header_get_name(header), names[k]) != 0)
                continue;
            InternetAddressList *list =
                internet_address_list_parse(NULL, g_mime_header_get_raw_value(header));
            mail_each_mailbox(list, mail_take_recipient, &recipients);
            if (list != NULL)
                g_object_unref(list);
        }
    }
}

/* In-Reply-To names the nearest; References ends with it. */
static void mail_read_ids(GMimeMessage *message, struct draft *draft)
{
    static const char *const names[] = {"In-Reply-To", "References"};
    char *ids[MAIL_IDS_MAX];
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        const char *at = mail_value(message, names[i]);
        size_t count = 0;
        while (at != NULL && count < MAIL_IDS_MAX && (ids[count] = mail_head_id(&at)) != NULL)
            count++;
        while (count > 0) {
            draft_refer(draft, REFERENCE_MESSAGE_ID, ids[--count]);
            free(ids[count]);
        }
    }
}

/* Who forwards a message shows it to us: then it is no quotation. */
static bool mail_is_forward(const char *subject)
{
    static const char *const begins[] = {"fw:", "fwd:", "fw :", "terusan:", "trs:", "diteruskan:"};
    for (size_t i = 0; subject != NULL && i < sizeof begins / sizeof begins[0]; i++) {
        if (strncasecmp(subject, begins[i], strlen(begins[i])) == 0)
            return true;
    }
    return false;
}

void mail_head_read(GMimeMessage *message, const struct inbound *in, struct draft *draft)
{
    struct mail_own own;
    mail_own_init(&own, in);
    const char *subject = g_mime_message_get_subject(message);
    if (subject != NULL)
        draft->subject = text_clean_line(subject, strlen(subject));
    draft->cut_quotes = !mail_is_forward(draft->subject);
    struct mail_sender from = mail_sender(g_mime_message_get_from(message), &own);
    mail_read_reporter(message, &from, &own, &draft->reporter);
    draft->automatic =
        from.ours ? DRAFT_OWN_MAIL : mail_automatic(message, &own, from.daemon, draft);
    mail_read_tokens(message, &own, draft);
    mail_read_ids(message, draft);
    mail_sender_release(&from);
    mail_own_release(&own);
}
