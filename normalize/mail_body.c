/* SPDX-License-Identifier: Apache-2.0 */
#include "normalize/mail_body.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "normalize/buf.h"
#include "normalize/charset.h"
#include "normalize/flowed.h"
#include "normalize/html.h"
#include "normalize/mail.h"
#include "normalize/mem.h"
#include "normalize/text.h"

enum {
    BODY_PART_BYTES_MAX = HTML_BYTES_MAX, /* of one text part converted */
    BODY_META_BYTES = 2048,               /* of a page searched for its charset */
    BODY_LABEL_MAX = 40,
};

struct mail_body {
    struct draft *draft;
    struct buf text;
    size_t parts;
    GMimeMessage *nested; /* the first forwarded mail; borrowed */
    struct err *err;
};

/* --- One part --- */

static bool body_is(GMimeObject *part, const char *type, const char *subtype)
{
    GMimeContentType *declared = g_mime_object_get_content_type(part);
    return declared != NULL && g_mime_content_type_is_type(declared, type, subtype);
}

/* Decoded bytes of a part; gives them. */
static char *body_decode(GMimeObject *part, size_t *len)
{
    GByteArray *bytes = g_byte_array_new();
    GMimeStream *stream = g_mime_stream_mem_new_with_byte_array(bytes);
    g_mime_stream_mem_set_owner(GMIME_STREAM_MEM(stream), FALSE);
    if (GMIME_IS_PART(part)) {
        GMimeDataWrapper *content = g_mime_part_get_content(GMIME_PART(part));
        if (content != NULL)
            g_mime_data_wrapper_write_to_stream(content, stream);
    } else if (GMIME_IS_MESSAGE_PART(part)) {
        GMimeMessage *message = g_mime_message_part_get_message(GMIME_MESSAGE_PART(part));
        if (message != NULL)
            g_mime_object_write_to_stream(GMIME_OBJECT(message), NULL, stream);
    }
    g_object_unref(stream);
    *len = bytes->len;
    char *data = mem_strndup(bytes->data, bytes->len);
    g_byte_array_free(bytes, TRUE);
    return data;
}

static char *body_name(GMimeObject *part)
{
    const char *name = g_mime_object_get_content_disposition_parameter(part, "filename");
    if (name == NULL)
        name = g_mime_object_get_content_type_parameter(part, "name");
    return name != NULL ? text_clean_line(name, strlen(name)) : NULL;
}

static void body_attach(struct mail_body *body, GMimeObject *part)
{
    GMimeContentType *declared = g_mime_object_get_content_type(part);
    char *type = declared != NULL ? g_mime_content_type_get_mime_type(declared) : NULL;
    char *media_type = mem_strdup(type != NULL ? type : "application/octet-stream");
    char *name = body_name(part);
    size_t len;
    char *data = body_decode(part, &len);
    text_ascii_lower(media_type);
    if (strcmp(media_type, "application/ms-tnef") == 0 ||
        strcmp(media_type, "application/vnd.ms-tnef") == 0 ||
        (name != NULL && strcasecmp(name, "winmail.dat") == 0))
        draft_warn(body->draft, "tnef");
    draft_attach(body->draft, name, media_type, data, len); /* as many fit as parts may be */
    free(name);
    free(media_type);
    g_free(type);
}

/* --- Text --- */

/* The charset a page declares in itself; written to label. */
static const char *body_page_charset(const char *page, size_t len, char label[BODY_LABEL_MAX])
{
    static const char word[] = "charset=";
    char *head = mem_strndup(page, len < BODY_META_BYTES ? len : BODY_META_BYTES);
    const char *at = strcasestr(head, word);
    size_t n = 0;
    if (at != NULL) {
        at += sizeof word - 1;
        at += strspn(at, "\"' ");
        n = strcspn(at, "\"' ;>/");
        n = n < BODY_LABEL_MAX ? n : 0;
        memcpy(label, at, n);
    }
    label[n] = '\0';
    free(head);
    return n > 0 ? label : NULL;
}

static char *body_page(struct mail_body *body, const char *page)
{
    bool flattened = false;
    char *text = html_to_text(page, &flattened);
    if (flattened)
        draft_warn(body->draft, "html_flattened");
    return text;
}

static char *body_lines(GMimeObject *part, char *text)
{
    const char *format = g_mime_object_get_content_type_parameter(part, "format");
    const char *delsp = g_mime_object_get_content_type_parameter(part, "delsp");
    if (format == NULL || strcasecmp(format, "flowed") != 0)
        return text;
    char *lines = flowed_decode(text, delsp != NULL && strcasecmp(delsp, "yes") == 0);
    free(text);
    return lines;
}

/* The text of a text/plain or text/html part; gives it. */
static char *body_text(struct mail_body *body, GMimeObject *part)
{
    size_t len;
    char *data = body_decode(part, &len);
    if (len > BODY_PART_BYTES_MAX) {
        len = BODY_PART_BYTES_MAX;
        draft_warn(body->draft, "text_truncated");
    }
    bool is_page = body_is(part, "text", "html");
    char meta[BODY_LABEL_MAX];
    const char *label = g_mime_object_get_content_type_parameter(part, "charset");
    if (is_page && charset_find(label) == NULL)
        label = body_page_charset(data, len, meta);
    bool guessed = false;
    char *text = charset_to_utf8(data, len, label, &guessed);
    if (guessed)
        draft_warn(body->draft, "charset_guessed");
    free(data);
    if (!is_page)
        return body_lines(part, text);
    char *page = body_page(body, text);
    free(text);
    return page;
}

static bool body_is_blank(const char *text)
{
    char *clean = text_clean_line(text, strlen(text));
    bool blank = clean == NULL;
    free(clean);
    return blank;
}

static void body_add(struct mail_body *body, const char *text)
{
    if (body_is_blank(text))
        return;
    if (body->text.len > 0)
        buf_add_text(&body->text, "\n\n");
    size_t room = body->text.max - body->text.len;
    if (strlen(text) <= room) {
        buf_add_text(&body->text, text);
        return;
    }
    char *cut = mem_strdup(text);
    text_truncate(cut, room);
    buf_add_text(&body->text, cut);
    free(cut);
    draft_warn(body->draft, "text_truncated");
}

/* "Content-Type: text" and worse; GMime takes it for a file. */
static bool body_is_untyped(GMimeObject *part)
{
    const char *type = g_mime_object_get_header(part, "Content-Type");
    return type != NULL && memchr(type, '/', strcspn(type, ";")) == NULL;
}

/* Whether a leaf is part of what the mail says, not something sent along. */
static bool body_is_text(GMimeObject *part)
{
    if (!GMIME_IS_PART(part) || (!body_is(part, "text", "plain") &&
                                 !body_is(part, "text", "html") && !body_is_untyped(part)))
        return false;
    const char *disposition = g_mime_object_get_disposition(part);
    if (disposition == NULL) /* some programs name the mail's own text, too */
        return true;
    return strcasecmp(disposition, "attachment") != 0 &&
           g_mime_object_get_content_disposition_parameter(part, "filename") == NULL &&
           g_mime_object_get_content_type_parameter(part, "name") == NULL;
}

/* --- The tree --- */

static int body_walk(struct mail_body *body, GMimeObject *part, int depth, bool say);

/* The first text leaf of the subtype below part, or NULL. Bounded by the depth limit. */
static GMimeObject *body_find(GMimeObject *part, const char *subtype, int depth)
{
    if (part == NULL || depth > MAIL_DEPTH_MAX)
        return NULL;
    if (!GMIME_IS_MULTIPART(part))
        return body_is_text(part) && body_is(part, "text", subtype) ? part : NULL;
    int count = g_mime_multipart_get_count(GMIME_MULTIPART(part));
    for (int i = 0; i < count; i++) {
        GMimeObject *child = g_mime_multipart_get_part(GMIME_MULTIPART(part), i);
        GMimeObject *found = body_find(child, subtype, depth + 1);
        if (found != NULL)
            return found;
    }
    return NULL;
}

/* One of the versions is the text: plain unless it is blank. */
static void body_choose(struct mail_body *body, GMimeObject *alternative, int depth)
{
    static const char *const subtypes[] = {"plain", "html"};
    bool found = false;
    for (size_t i = 0; i < sizeof subtypes / sizeof subtypes[0] && !found; i++) {
        GMimeObject *part = body_find(alternative, subtypes[i], depth);
        char *text = part != NULL ? body_text(body, part) : NULL;
        found = text != NULL && !body_is_blank(text);
        if (found)
            body_add(body, text);
        free(text);
    }
}

/* A signature over the mail says nothing to the city. */
static bool body_is_seal(GMimeObject *part)
{
    return body_is(part, "application", "pgp-signature") ||
           body_is(part, "application", "pkcs7-signature") ||
           body_is(part, "application", "x-pkcs7-signature");
}

static int body_walk_multipart(struct mail_body *body, GMimeObject *part, int depth, bool say)
{
    GMimeMultipart *multipart = GMIME_MULTIPART(part);
    int count = g_mime_multipart_get_count(multipart);
    if (count == 0) { /* no boundary, or none that occurs: all of it is the preface */
        const char *preface = g_mime_multipart_get_prologue(multipart);
        bool guessed = false;
        char *text = say && preface != NULL
                         ? charset_to_utf8(preface, strlen(preface), NULL, &guessed)
                         : NULL;
        if (text != NULL)
            body_add(body, text);
        free(text);
    }
    bool chosen = say && body_is(part, "multipart", "alternative");
    if (chosen)
        body_choose(body, part, depth);
    bool report = body_is(part, "multipart", "report");
    for (int i = 0; i < count; i++) {
        /* Behind a report's words come tables for programs and the mail it is about. */
        if (report && i > 0)
            break;
        GMimeObject *child = g_mime_multipart_get_part(multipart, i);
        if (body_walk(body, child, depth + 1, say && !chosen) != 0)
            return -1;
    }
    return 0;
}

static int body_walk(struct mail_body *body, GMimeObject *part, int depth, bool say)
{
    if (depth > MAIL_DEPTH_MAX)
        return err_set(body->err, ERR_PERMANENT, "cannot read mail: nested deeper than %d",
                       MAIL_DEPTH_MAX);
    if (++body->parts > MAIL_PARTS_MAX)
        return err_set(body->err, ERR_PERMANENT, "cannot read mail: more than %d parts",
                       MAIL_PARTS_MAX);
    if (GMIME_IS_MULTIPART(part))
        return body_walk_multipart(body, part, depth, say);
    if (body_is_text(part)) {
        char *text = say ? body_text(body, part) : NULL;
        if (text != NULL)
            body_add(body, text);
        free(text);
        return 0;
    }
    if (GMIME_IS_MESSAGE_PART(part) && body->nested == NULL)
        body->nested = g_mime_message_part_get_message(GMIME_MESSAGE_PART(part));
    if (!body_is_seal(part))
        body_attach(body, part);
    return 0;
}

int mail_body_read(GMimeMessage *message, struct draft *draft, struct err *err)
{
    struct mail_body body = {.draft = draft, .text = BUF_INIT(DRAFT_TEXT_MAX), .err = err};
    int result = 0;
    /* Each round reads one mail; the next is the one it forwards, while there is no text. */
    for (int depth = 0; result == 0 && message != NULL && body.text.len == 0; depth++) {
        GMimeObject *part = g_mime_message_get_mime_part(message);
        body.nested = NULL;
        if (part != NULL)
            result = body_walk(&body, part, depth, true);
        message = body.nested;
    }
    if (body.text.len > 0)
        draft->text = buf_detach(&body.text, NULL);
    buf_release(&body.text);
    return result;
}
