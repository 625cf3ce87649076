/* SPDX-License-Identifier: Apache-2.0 */
#include "adapters/email_compose.h"

#include <ctype.h>
#include <sodium.h>
#include <stdbool.h>
#include <string.h>
#include <time.h>

#include "adapters/email_settings.h"

enum {
    COMPOSE_WORD_BYTES = 42, /* of text in one encoded word: 12 + 56 characters, folded at 78 */
    COMPOSE_PLAIN_MAX = 60,  /* longer ASCII is encoded too: that folds it */
    COMPOSE_LINE_MAX = 76,   /* RFC 2045, 6.7 */
    COMPOSE_MESSAGE_ID_MAX = 250,
    COMPOSE_KEY_MAX = 80,
};

/* Whether a value may stand in a header line at all. */
static bool compose_is_one_line(const char *value)
{
    return value == NULL || strpbrk(value, "\r\n") == NULL;
}

static bool compose_is_printable(const char *value)
{
    for (; *value != '\0'; value++) {
        if (*value < 0x20 || *value > 0x7e)
            return false;
    }
    return true;
}

/* Length of the UTF-8 character at text, of broken bytes 1: a word never splits a character. */
static size_t compose_character_len(const char *text)
{
    size_t len = 1;
    if (((unsigned char)text[0] & 0xc0) == 0xc0) {
        while (len < 4 && ((unsigned char)text[len] & 0xc0) == 0x80)
            len++;
    }
    return len;
}

static void compose_add_encoded_word(const char *text, size_t len, struct buf *out)
{
    char base64[sodium_base64_ENCODED_LEN(COMPOSE_WORD_BYTES + 4, sodium_base64_VARIANT_ORIGINAL)];
    sodium_bin2base64(base64, sizeof base64, (const unsigned char *)text, len,
                      sodium_base64_VARIANT_ORIGINAL);
    buf_addf(out, "=?UTF-8?B?%s?=", base64);
}

/* RFC 2047 encoded words, one a line. */
static void compose_add_encoded(const char *text, struct buf *out)
{
    while (*text != '\0') {
        size_t len = 0;
        while (text[len] != '\0' && len + compose_character_len(text + len) <= COMPOSE_WORD_BYTES)
            len += compose_character_len(text + len);
        compose_add_encoded_word(text, len, out);
        text += len;
        if (*text != '\0')
            buf_add_text(out, "\r\n ");
    }
}

/* Text that reads as it stands: "=?" would be taken for an encoded word. */
static bool compose_is_plain(const char *text)
{
    return compose_is_printable(text) && strlen(text) <= COMPOSE_PLAIN_MAX &&
           strstr(text, "=?") == NULL;
}

static void compose_add_subject(const char *subject, struct buf *out)
{
    if (subject == NULL)
        return;
    buf_add_text(out, "Subject: ");
    if (compose_is_plain(subject))
        buf_add_text(out, subject);
    else
        compose_add_encoded(subject, out);
    buf_add_text(out, "\r\n");
}

static void compose_add_from(const struct email_letter *letter, struct buf *out)
{
    const char *name = letter->name;
    buf_add_text(out, "From: ");
    if (name == NULL || name[0] == '\0') {
        buf_add_text(out, letter->address);
    } else if (compose_is_plain(name)) {
        buf_add_char(out, '"');
        for (; *name != '\0'; name++) {
            if (*name == '"' || *name == '\\')
                buf_add_char(out, '\\');
            buf_add_char(out, *name);
        }
        buf_addf(out, "\"\r\n <%s>", letter->address);
    } else {
        compose_add_encoded(name, out);
        buf_addf(out, "\r\n <%s>", letter->address);
    }
    buf_add_text(out, "\r\n");
}

static void compose_add_date(int64_t wall_ms, struct buf *out)
{
    static const char days[7][4] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
    static const char months[12][4] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                       "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    time_t seconds = (time_t)(wall_ms / 1000);
    struct tm tm;
    gmtime_r(&seconds, &tm);
    buf_addf(out, "Date: %s, %d %s %d %02d:%02d:%02d +0000\r\n", days[tm.tm_wday], tm.tm_mday,
             months[tm.tm_mon], tm.tm_year + 1900, tm.tm_hour, tm.tm_min, tm.tm_sec);
}

/* The key where it can stand in a Message-ID, else its hash: the same on every try either way. */
static void compose_add_key(const char *key, struct buf *out)
{
    unsigned char hash[16];
    char hex[2 * sizeof hash + 1];
    size_t len = strlen(key);
    if (len > 0 && len <= COMPOSE_KEY_MAX &&
        strspn(key, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_") == len) {
        buf_add_text(out, key);
        return;
    }
    crypto_generichash(hash, sizeof hash, (const unsigned char *)key, len, NULL, 0);
    sodium_bin2hex(hex, sizeof hex, hash, sizeof hash);
    buf_add_text(out, hex);
}

/* Finds a message id as RFC 5322 has it, with or without its brackets, that our own header may
 * repeat: *len is 0 when there is none. */
static const char *compose_message_id(const char *id, size_t *len)
{
    *len = id == NULL ? 0 : strlen(id);
    if (*len > 2 && id[0] == '<' && id[*len - 1] == '>') {
        id++;
        *len -= 2;
    }
    for (size_t i = 0; i < *len; i++) {
        if (id[i] <= 0x20 || id[i] > 0x7e || id[i] == '<' || id[i] == '>')
            *len = 0;
    }
    if (*len > COMPOSE_MESSAGE_ID_MAX || (*len > 0 && memchr(id, '@', *len) == NULL))
        *len = 0;
    return id;
}

static void compose_add_threading(const struct email_letter *letter, struct buf *out)
{
    const char *at = strchr(letter->address, '@');
    size_t len;
    const char *id = compose_message_id(letter->notice->in_reply_to, &len);
    buf_addf(out, "Message-ID: <%s.", letter->token);
    compose_add_key(letter->notice->key, out);
    buf_addf(out, "%s>\r\n", at);
    if (len > 0)
        buf_addf(out, "In-Reply-To: <%.*s>\r\nReferences: <%.*s>\r\n", (int)len, id, (int)len, id);
    buf_addf(out, "Reply-To: %.*s+%s%s\r\n", (int)(at - letter->address), letter->address,
             letter->token, at);
}

/* Quoted-printable, RFC 2045 6.7; a dot or "From " never starts a line. */
static void compose_add_body(const char *text, struct buf *out)
{
    size_t column = 0;
    for (const char *c = text; *c != '\0'; c++) {
        bool line_ends = c[1] == '\n' || c[1] == '\0' || (c[1] == '\r' && c[2] == '\n');
        bool encode = (unsigned char)*c > 126 || (*c < 0x20 && *c != '\t') || *c == '=' ||
                      ((*c == ' ' || *c == '\t') && line_ends) ||
                      (column == 0 && (*c == '.' || strncmp(c, "From ", 5) == 0));
        if (*c == '\r' && c[1] == '\n')
            continue;
        if (*c == '\n') {
            buf_add_text(out, "\r\n");
            column = 0;
            continue;
        }
        /* Room for the soft break's "=", unless the line ends here anyway. */
        if (column + (encode ? 3 : 1) > COMPOSE_LINE_MAX - 1) {
            buf_add_text(out, "=\r\n");
            column = 0;
        }
        if (encode)
            buf_addf(out, "=%02X", (unsigned)(unsigned char)*c);
        else
            buf_add_char(out, *c);
        column += encode ? 3 : 1;
    }
    if (column > 0)
        buf_add_text(out, "\r\n");
}

static int compose_check_values(const struct email_letter *letter, struct err *err)
{
    const struct notice *notice = letter->notice;
    if (notice->to == NULL || !email_address_is_sane(notice->to))
        return err_set(err, ERR_PERMANENT, "cannot send a mail: the address cannot be used");
    if (!compose_is_one_line(notice->subject) || !compose_is_one_line(letter->name))
        return err_set(err, ERR_PERMANENT, "cannot send a mail: a header value has a line break");
    return 0;
}

int email_compose(const struct email_letter *letter, struct buf *out, struct err *err)
{
    const struct notice *notice = letter->notice;
    bool answer = notice->kind == NOTICE_ACK;
    if (compose_check_values(letter, err) != 0)
        return -1;
    compose_add_from(letter, out);
    buf_addf(out, "To: %s\r\n", notice->to);
    compose_add_subject(notice->subject, out);
    compose_add_date(letter->wall_ms, out);
    compose_add_threading(letter, out);
    buf_addf(out, "Auto-Submitted: %s\r\n", answer ? "auto-replied" : "auto-generated");
    buf_add_text(out, "X-Auto-Response-Suppress: All\r\n");
    if (notice->language != NULL && strspn(notice->language, "abcdefghijklmnopqrstuvwxyz") == 2 &&
        notice->language[2] == '\0')
        buf_addf(out, "Content-Language: %s\r\n", notice->language);
    buf_add_text(out, "MIME-Version: 1.0\r\n"
                      "Content-Type: text/plain; charset=utf-8\r\n"
                      "Content-Transfer-Encoding: quoted-printable\r\n\r\n");
    compose_add_body(notice->text, out);
    if (out->overflow)
        return err_set(err, ERR_PERMANENT, "cannot send a mail: it is too large");
    return 0;
}
