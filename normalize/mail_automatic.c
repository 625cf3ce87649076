/* SPDX-License-Identifier: Apache-2.0 */
#include "normalize/mail_automatic.h"

#include <string.h>
#include <strings.h>

#include "normalize/buf.h"

enum { MAIL_TOKEN_LEN = 28 }; /* symbols our own Message-IDs begin with */

static const char *mail_value(GMimeMessage *message, const char *name)
{
    return g_mime_object_get_header(GMIME_OBJECT(message), name);
}

/* Fields that mark automatic mail. words: any of them, comma separated, as a whole word of the
 * value; NULL: the field itself, unless it says "no". The first that fits decides. */
static const struct {
    const char *name, *words;
    enum draft_automatic is;
} mail_marks[] = {
    {"X-Failed-Recipients", NULL, DRAFT_BOUNCE},
    {"Auto-Submitted", NULL, DRAFT_AUTO_REPLY},
    {"X-Autoreply", NULL, DRAFT_AUTO_REPLY},
    {"X-Auto-Reply", NULL, DRAFT_AUTO_REPLY},
    {"X-Autorespond", NULL, DRAFT_AUTO_REPLY},
    {"X-Autoresponse", NULL, DRAFT_AUTO_REPLY},
    {"X-Mail-Autoreply", NULL, DRAFT_AUTO_REPLY},
    {"X-Auto-Response-Suppress", "all,oof,autoreply", DRAFT_AUTO_REPLY},
    {"Precedence", "auto_reply", DRAFT_AUTO_REPLY},
    {"List-Id", NULL, DRAFT_LIST_MAIL},
    {"List-Post", NULL, DRAFT_LIST_MAIL},
    {"List-Unsubscribe", NULL, DRAFT_LIST_MAIL},
    {"Precedence", "bulk,junk,list", DRAFT_LIST_MAIL},
};

/* Subjects of programs that mark their mail in no other way. */
static const struct {
    const char *begin;
    bool daemon_only; /* a person may write this too: only when a mail system sent it */
    enum draft_automatic is;
} mail_subjects[] = {
    {"automatic reply:", false, DRAFT_AUTO_REPLY},
    {"auto reply:", false, DRAFT_AUTO_REPLY},
    {"auto-reply:", false, DRAFT_AUTO_REPLY},
    {"autoreply:", false, DRAFT_AUTO_REPLY},
    {"automatic response:", false, DRAFT_AUTO_REPLY},
    {"out of office:", false, DRAFT_AUTO_REPLY},
    {"out of the office:", false, DRAFT_AUTO_REPLY},
    {"balasan otomatis:", false, DRAFT_AUTO_REPLY},
    {"jawaban otomatis:", false, DRAFT_AUTO_REPLY},
    {"", true, DRAFT_BOUNCE},
};

static bool mail_has_word(const char *value, const char *words)
{
    while (*words != '\0') {
        size_t len = strcspn(words, ",");
        for (const char *at = value; *at != '\0';) {
            at += strspn(at, " \t,;");
            size_t word = strcspn(at, " \t,;");
            if (word == len && strncasecmp(at, words, len) == 0)
                return true;
            at += word;
        }
        words += len + (words[len] == ',');
    }
    return false;
}

/* Our own address may be a list that the city's mail system keeps: its marks are no news. */
static bool mail_is_own_list(GMimeMessage *message, const struct mail_own *own)
{
    const char *id = mail_value(message, "List-Id");
    const char *post = mail_value(message, "List-Post");
    for (size_t i = 0; i < own->count; i++) {
        if (post != NULL && strcasestr(post, own->address[i]) != NULL)
            return true;
        struct buf name = BUF_INIT(MAIL_ADDRESS_MAX + 2);
        buf_addf(&name, "<%s", own->address[i]);
        char *at = strrchr(name.data, '@');
        if (at != NULL)
            *at = '.'; /* RFC 2919: <aduan.example.org> */
        bool same = id != NULL && at != NULL && strcasestr(id, name.data) != NULL;
        buf_release(&name);
        if (same)
            return true;
    }
    return false;
}

static enum draft_automatic mail_by_marks(GMimeMessage *message, const struct mail_own *own)
{
    for (size_t i = 0; i < sizeof mail_marks / sizeof mail_marks[0]; i++) {
        const char *value = mail_value(message, mail_marks[i].name);
        if (value == NULL)
            continue;
        bool fits = mail_marks[i].words != NULL
                        ? mail_has_word(value, mail_marks[i].words)
                        : value[strspn(value, " \t")] != '\0' && !mail_has_word(value, "no");
        if (fits && (mail_marks[i].is != DRAFT_LIST_MAIL || !mail_is_own_list(message, own)))
            return mail_marks[i].is;
    }
    return DRAFT_BY_A_PERSON;
}

static enum draft_automatic mail_by_report(GMimeMessage *message)
{
    GMimeObject *part = g_mime_message_get_mime_part(message);
    GMimeContentType *type = part != NULL ? g_mime_object_get_content_type(part) : NULL;
    if (type == NULL || !g_mime_content_type_is_type(type, "multipart", "report"))
        return DRAFT_BY_A_PERSON;
    const char *report = g_mime_content_type_get_parameter(type, "report-type");
    bool receipt = report != NULL && strcasecmp(report, "disposition-notification") == 0;
    return receipt ? DRAFT_AUTO_REPLY : DRAFT_BOUNCE;
}

static enum draft_automatic mail_by_subject(const char *subject, bool daemon)
{
    for (size_t i = 0; subject != NULL && i < sizeof mail_subjects / sizeof mail_subjects[0]; i++) {
        const char *begin = mail_subjects[i].begin;
        if (strncasecmp(subject, begin, strlen(begin)) == 0 &&
            (daemon || !mail_subjects[i].daemon_only))
            return mail_subjects[i].is;
    }
    return DRAFT_BY_A_PERSON;
}

/* <TOKEN.KEY@own-domain>, or a loop mark with one of our addresses in it. */
static bool mail_is_own(GMimeMessage *message, const struct mail_own *own, const char *id)
{
    const char *loop = mail_value(message, "X-Loop");
    for (size_t i = 0; loop != NULL && i < own->count; i++) {
        if (strcasestr(loop, own->address[i]) != NULL)
            return true;
    }
    const char *domain = id != NULL ? strrchr(id, '@') : NULL;
    if (own->domain == NULL || domain == NULL || strcasecmp(domain + 1, own->domain) != 0)
        return false;
    size_t token = strspn(id, "0123456789abcdefghjkmnpqrstvwxyzABCDEFGHJKMNPQRSTVWXYZ");
    return token == MAIL_TOKEN_LEN && id[token] == '.';
}

static bool mail_has_null_sender(GMimeMessage *message)
{
    const char *path = mail_value(message, "Return-Path");
    return path != NULL && strspn(path, "<> \t") == strlen(path) && strchr(path, '<') != NULL;
}

enum draft_automatic mail_automatic(GMimeMessage *message, const struct mail_own *own, bool daemon,
                                    const struct draft *draft)
{
    if (mail_is_own(message, own, draft->reporter.reply_ref))
        return DRAFT_OWN_MAIL;
    enum draft_automatic found = mail_by_report(message);
    if (found == DRAFT_BY_A_PERSON)
        found = mail_by_subject(draft->subject, daemon);
    if (found == DRAFT_BY_A_PERSON)
        found = mail_by_marks(message, own);
    if (found == DRAFT_BY_A_PERSON && mail_has_null_sender(message))
        found = DRAFT_AUTO_REPLY;
    return found;
}
