/* SPDX-License-Identifier: Apache-2.0 */
#include "normalize/mail.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <gmime/gmime.h>
#include <libxml/parser.h>

#include "normalize/buf.h"
#include "normalize/charset.h"
#include "normalize/mail_body.h"
#include "normalize/mail_head.h"
#include "normalize/mail_scan.h"
#include "normalize/mem.h"

void mail_start(void)
{
    charset_start();
    xmlInitParser();
    g_mime_init();
}

/* Takes mail's bytes; the message reads its parts from them as long as it lives. */
static GMimeMessage *mail_parse_mime(struct buf *mail)
{
    static const char *fallback[] = {"utf-8", "windows-1252", NULL};
    size_t len = mail->len;
    GByteArray *bytes = g_byte_array_new_take((guint8 *)buf_detach(mail, NULL), len);
    GMimeStream *stream = g_mime_stream_mem_new_with_byte_array(bytes);
    GMimeParser *parser = g_mime_parser_new_with_stream(stream);
    GMimeParserOptions *options = g_mime_parser_options_new();
    g_mime_parser_options_set_fallback_charsets(options, fallback);
    g_mime_parser_options_set_allow_addresses_without_domain(options, TRUE);
    GMimeMessage *message = g_mime_parser_construct_message(parser, options);
    g_mime_parser_options_free(options);
    g_object_unref(parser);
    g_object_unref(stream);
    return message;
}

/* The body as every delivery of it has it: LF line ends, no empty lines at its end. */
static void mail_hash_body(GChecksum *hash, const char *body, size_t len)
{
    while (len > 0 && strchr(" \t\r\n", body[len - 1]) != NULL)
        len--;
    while (len > 0) {
        const char *end = memchr(body, '\r', len);
        size_t n = end != NULL ? (size_t)(end - body) : len;
        g_checksum_update(hash, (const guchar *)body, (gssize)n);
        n += end != NULL;
        body += n;
        len -= n;
    }
}

static void mail_hash_field(GChecksum *hash, GMimeMessage *message, const char *name)
{
    const char *value = g_mime_object_get_header(GMIME_OBJECT(message), name);
    if (value != NULL)
        g_checksum_update(hash, (const guchar *)value, -1);
    g_checksum_update(hash, (const guchar *)"", 1); /* the NUL ends the field */
}

/*
 * The same mail comes by different ways with different Received, Delivered-To and authentication
 * fields; two mails may bear one Message-ID. So: Message-ID and body, or the fields that a sender's
 * program writes anew for each mail. A hash, because ids hold addresses.
 */
static char *mail_native_id(GMimeMessage *message, const char *id, const char *body, size_t len)
{
    static const char *const names[] = {"From", "Date", "Subject"};
    GChecksum *hash = g_checksum_new(G_CHECKSUM_SHA256);
    if (id != NULL) {
        g_checksum_update(hash, (const guchar *)id, -1);
        g_checksum_update(hash, (const guchar *)"", 1);
    } else {
        for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
            mail_hash_field(hash, message, names[i]);
    }
    mail_hash_body(hash, body, len);
    char *native_id = mem_strdup(g_checksum_get_string(hash));
    g_checksum_free(hash);
    return native_id;
}

static bool mail_is_empty(const struct mail_raw *raw, const struct draft *draft)
{
    return raw->head.len == 0 && draft->text == NULL && draft->attachment_count == 0;
}

static int mail_read(const struct inbound *in, const struct mail_raw *raw, struct draft *draft,
                     struct err *err)
{
    /* Header fields may grow: bad bytes become U+FFFD, encoded words are written anew. */
    struct buf mail = BUF_INIT((size_t)4 * MAIL_BYTES_MAX);
    int result = mail_scan(raw, &mail, err);
    GMimeMessage *message = result == 0 ? mail_parse_mime(&mail) : NULL;
    buf_release(&mail);
    if (result == 0 && message == NULL)
        result = err_set(err, ERR_PERMANENT, "cannot read mail: no message in it");
    if (result == 0) {
        mail_head_read(message, in, draft);
        draft->native_id =
            mail_native_id(message, draft->reporter.reply_ref, raw->body, raw->body_len);
        result = mail_body_read(message, draft, err);
    }
    if (result == 0 && mail_is_empty(raw, draft))
        result = err_set(err, ERR_PERMANENT, "cannot read mail: it is empty");
    if (message != NULL)
        g_object_unref(message);
    return result;
}

int mail_parse(const struct inbound *in, draft_sink *sink, void *context, struct err *err)
{
    if (in->raw_len > MAIL_BYTES_MAX)
        return err_set(err, ERR_PERMANENT, "cannot read mail: larger than %d bytes",
                       MAIL_BYTES_MAX);
    struct mail_raw raw;
    struct draft draft;
    draft_init(&draft);
    int result = mail_repair(in->raw != NULL ? in->raw : "", in->raw_len, &raw, err);
    if (result == 0)
        result = mail_read(in, &raw, &draft, err);
    if (result == 0)
        result = sink(context, &draft, err);
    draft_release(&draft);
    mail_raw_release(&raw);
    return result;
}
