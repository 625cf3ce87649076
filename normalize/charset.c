/* SPDX-License-Identifier: Apache-2.0 */
#include "normalize/charset.h"

#include <iconv.h>
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <uchardet.h>

#include "normalize/buf.h"
#include "normalize/mem.h"
#include "normalize/text.h"

enum {
    CHARSET_LABEL_MAX = 64,
    CHARSET_CHUNK = 4096,
    CHARSET_GUESS_BYTES = 64 * 1024, /* what uchardet is shown; more does not make it surer */
    CHARSET_GUESS_MIN = 6,           /* bytes beyond ASCII below which any guess is a lottery */
};

#define CHARSET_UTF8     "UTF-8"
#define CHARSET_FALLBACK "WINDOWS-1252"

/* Labels reduced to letters and digits, and what iconv is asked for. Where senders say the subset
 * and mean the superset (WHATWG Encoding Standard, labels), it is the superset. */
static const struct {
    const char *label, *name;
} charset_labels[] = {
    {"utf8", CHARSET_UTF8},
    {"utf8mb4", CHARSET_UTF8},
    {"unicode11utf8", CHARSET_UTF8},
    {"utf16", "UTF-16"},
    {"utf16le", "UTF-16LE"},
    {"utf16be", "UTF-16BE"},
    {"ucs2", "UTF-16"},
    {"iso10646ucs2", "UTF-16"},
    {"utf32", "UTF-32"},
    {"utf7", "UTF-7"},
    {"unicode11utf7", "UTF-7"},
    {"usascii", "ASCII"},
    {"ascii", "ASCII"},
    {"us", "ASCII"},
    {"ansix341968", "ASCII"},
    {"iso646us", "ASCII"},
    {"windows1252", CHARSET_FALLBACK},
    {"cp1252", CHARSET_FALLBACK},
    {"1252", CHARSET_FALLBACK},
    {"xansi", CHARSET_FALLBACK},
    {"ansi", CHARSET_FALLBACK},
    {"iso88591", CHARSET_FALLBACK},
    {"88591", CHARSET_FALLBACK},
    {"latin1", CHARSET_FALLBACK},
    {"l1", CHARSET_FALLBACK},
    {"cp819", CHARSET_FALLBACK},
    {"iso88592", "ISO-8859-2"},
    {"latin2", "ISO-8859-2"},
    {"iso88593", "ISO-8859-3"},
    {"iso88594", "ISO-8859-4"},
    {"iso88595", "ISO-8859-5"},
    {"iso88596", "ISO-8859-6"},
    {"iso88597", "ISO-8859-7"},
    {"iso88598", "ISO-8859-8"},
    {"iso88598i", "ISO-8859-8"},
    {"iso88598e", "ISO-8859-8"},
    {"iso88599", "WINDOWS-1254"},
    {"latin5", "WINDOWS-1254"},
    {"iso885910", "ISO-8859-10"},
    {"iso885911", "CP874"},
    {"iso885913", "ISO-8859-13"},
    {"iso885914", "ISO-8859-14"},
    {"iso885915", "ISO-8859-15"},
    {"latin9", "ISO-8859-15"},
    {"iso885916", "ISO-8859-16"},
    {"windows1250", "WINDOWS-1250"},
    {"cp1250", "WINDOWS-1250"},
    {"windows1251", "WINDOWS-1251"},
    {"cp1251", "WINDOWS-1251"},
    {"windows1253", "WINDOWS-1253"},
    {"cp1253", "WINDOWS-1253"},
    {"windows1254", "WINDOWS-1254"},
    {"cp1254", "WINDOWS-1254"},
    {"windows1255", "WINDOWS-1255"},
    {"cp1255", "WINDOWS-1255"},
    {"windows1256", "WINDOWS-1256"},
    {"cp1256", "WINDOWS-1256"},
    {"windows1257", "WINDOWS-1257"},
    {"cp1257", "WINDOWS-1257"},
    {"windows1258", "WINDOWS-1258"},
    {"cp1258", "WINDOWS-1258"},
    {"windows874", "CP874"},
    {"cp874", "CP874"},
    {"tis620", "CP874"},
    {"koi8r", "KOI8-R"},
    {"koi8u", "KOI8-U"},
    {"koi8", "KOI8-R"},
    {"cp437", "CP437"},
    {"ibm437", "CP437"},
    {"cp850", "CP850"},
    {"ibm850", "CP850"},
    {"cp852", "CP852"},
    {"ibm852", "CP852"},
    {"cp855", "CP855"},
    {"ibm855", "CP855"},
    {"cp866", "CP866"},
    {"ibm866", "CP866"},
    {"macintosh", "MACINTOSH"},
    {"xmacroman", "MACINTOSH"},
    {"macroman", "MACINTOSH"},
    {"maccyrillic", "MAC-CYRILLIC"},
    {"xmaccyrillic", "MAC-CYRILLIC"},
    {"gb2312", "GB18030"},
    {"gb231280", "GB18030"},
    {"gbk", "GB18030"},
    {"cp936", "GB18030"},
    {"euccn", "GB18030"},
    {"gb18030", "GB18030"},
    {"xgbk", "GB18030"},
    {"chinese", "GB18030"},
    {"big5", "BIG5-HKSCS"},
    {"big5hkscs", "BIG5-HKSCS"},
    {"cnbig5", "BIG5-HKSCS"},
    {"cp950", "BIG5-HKSCS"},
    {"euctw", "EUC-TW"},
    {"shiftjis", "CP932"},
    {"sjis", "CP932"},
    {"xsjis", "CP932"},
    {"mskanji", "CP932"},
    {"windows31j", "CP932"},
    {"cp932", "CP932"},
    {"eucjp", "EUC-JP"},
    {"xeucjp", "EUC-JP"},
    {"iso2022jp", "ISO-2022-JP"},
    {"iso2022kr", "ISO-2022-KR"},
    {"euckr", "CP949"},
    {"ksc5601", "CP949"},
    {"ksc56011987", "CP949"},
    {"ksc56011989", "CP949"},
    {"windows949", "CP949"},
    {"cp949", "CP949"},
    {"uhc", "CP949"},
    {"johab", "JOHAB"},
    {"tcvn", "TCVN"},
    {"viscii", "VISCII"},
};

enum { CHARSET_LABELS = sizeof charset_labels / sizeof charset_labels[0] };

void charset_start(void)
{
    /* Held until the process ends: a converter that is in use stays in memory. */
    static iconv_t held[CHARSET_LABELS];
    if (held[0] != NULL)
        return;
    for (size_t i = 0; i < CHARSET_LABELS; i++)
        held[i] = iconv_open(CHARSET_UTF8, charset_labels[i].name);
}

const char *charset_find(const char *label)
{
    char word[CHARSET_LABEL_MAX];
    size_t n = 0;
    for (; label != NULL && *label != '\0' && *label != '/'; label++) {
        char c = (char)(*label >= 'A' && *label <= 'Z' ? *label - 'A' + 'a' : *label);
        if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9')))
            continue;
        if (n == sizeof word - 1)
            return NULL;
        word[n++] = c;
    }
    word[n] = '\0';
    for (size_t i = 0; i < CHARSET_LABELS; i++) {
        if (strcmp(charset_labels[i].label, word) == 0)
            return charset_labels[i].name;
    }
    return NULL;
}

/* How well bytes fitted a charset. */
struct charset_fit {
    size_t good; /* bytes of UTF-8 beyond ASCII that came out */
    size_t bad;  /* places that meant nothing, each now U+FFFD */
};

static void charset_add(struct buf *out, const char *data, size_t len, struct charset_fit *fit)
{
    for (size_t i = 0; i < len; i++)
        fit->good += (unsigned char)data[i] > 0x7f;
    while (len > 0) {
        const char *nul = memchr(data, '\0', len);
        size_t n = nul != NULL ? (size_t)(nul - data) : len;
        buf_add(out, data, n);
        n += nul != NULL;
        data += n;
        len -= n;
    }
}

/* Appends data converted from the charset name; 0, or -1 when there is no such converter. */
static int charset_convert(const char *name, const char *data, size_t len, struct buf *out,
                           struct charset_fit *fit)
{
    iconv_t converter = iconv_open(CHARSET_UTF8, name);
    if (converter == (iconv_t)-1)
        return -1;
    char *in = NULL;
    memcpy(&in, &data, sizeof in); /* iconv's parameter lacks const; it does not write there */
    size_t left = len;
    bool flushed = false;
    while (!flushed) {
        char chunk[CHARSET_CHUNK];
        char *to = chunk;
        size_t room = sizeof chunk;
        /* Behind the last byte, one more call gives what a stateful charset still holds. */
        flushed = left == 0;
        size_t rc = flushed ? iconv(converter, NULL, NULL, &to, &room)
                            : iconv(converter, &in, &left, &to, &room);
        charset_add(out, chunk, sizeof chunk - room, fit);
        if (rc != (size_t)-1 || errno == E2BIG || left == 0)
            continue;
        buf_add_text(out, "\xef\xbf\xbd");
        fit->bad++;
        size_t skipped = errno == EINVAL ? left : 1; /* EINVAL: the text ends inside a character */
        in += skipped;
        left -= skipped;
    }
    iconv_close(converter);
    return 0;
}

/* A label is believed while at most about one in eight characters beyond ASCII is broken: a cut or
 * damaged byte does not turn a text into another charset. */
static bool charset_fits(const struct charset_fit *fit)
{
    return fit->bad == 0 || fit->bad * 16 <= fit->good;
}

/* Any bytes are some UTF-16 or UTF-32; real ones hold zero bytes (blanks and line ends do). */
static bool charset_is_wide(const char *name)
{
    return strncmp(name, "UTF-16", 6) == 0 || strncmp(name, "UTF-32", 6) == 0;
}

static bool charset_try(const char *name, const char *data, size_t len, struct buf *out)
{
    struct charset_fit fit = {0};
    buf_clear(out);
    if (name == NULL || (charset_is_wide(name) && memchr(data, '\0', len) == NULL))
        return false;
    return charset_convert(name, data, len, out, &fit) == 0 && charset_fits(&fit) &&
           text_is_utf8(out->data, out->len);
}

static const char *charset_guess(const char *data, size_t len)
{
    size_t high = 0;
    for (size_t i = 0; i < len; i++)
        high += (unsigned char)data[i] > 0x7f;
    if (high < CHARSET_GUESS_MIN)
        return NULL;
    uchardet_t detector = uchardet_new();
    uchardet_handle_data(detector, data, len < CHARSET_GUESS_BYTES ? len : CHARSET_GUESS_BYTES);
    uchardet_data_end(detector);
    const char *name = charset_find(uchardet_get_charset(detector));
    uchardet_delete(detector);
    return name;
}

static bool charset_is_utf8(const char *data, size_t len, struct buf *out)
{
    struct charset_fit fit = {0};
    buf_clear(out);
    charset_add(out, data, len, &fit);
    return text_is_utf8(out->data, out->len);
}

char *charset_to_utf8(const char *data, size_t len, const char *label, bool *guessed)
{
    struct buf out = BUF_INIT(SIZE_MAX / 4);
    if (!charset_try(charset_find(label), data, len, &out) && !charset_is_utf8(data, len, &out)) {
        *guessed = true;
        if (!charset_try(charset_guess(data, len), data, len, &out)) {
            struct charset_fit fit = {0};
            buf_clear(&out);
            if (charset_convert(CHARSET_FALLBACK, data, len, &out, &fit) != 0)
                abort(); /* every C library we run on has it, and charset_start() loaded it */
        }
    }
    char *text = mem_strndup(out.data, out.len);
    buf_release(&out);
    return text;
}
