/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every tests/data/mail/NAME.eml against NAME.txt, which tells what the draft must hold. With
 * KANAL_GOLDEN set in the environment the .txt files are written instead: read them before you
 * commit them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "normalize/buf.h"
#include "normalize/mail.h"
#include "normalize/mem.h"
#include "normalize/quote.h"
#include "normalize/text.h"

enum { MAILS_MIN = 40, MAILS_MAX = 500 };

static const char *const automatic_names[] = {
    "person", "auto-reply", "bounce", "list-mail", "own-mail",
};
static const char *const reference_names[] = {"token", "message-id", "report-id"};

static struct buf file_read(const char *path)
{
    struct buf file = BUF_INIT(64 * 1024 * 1024);
    FILE *stream = fopen(path, "rb");
    char chunk[4096];
    size_t n = 0;
    while (stream != NULL && (n = fread(chunk, 1, sizeof chunk, stream)) > 0)
        buf_add(&file, chunk, n);
    if (stream != NULL)
        (void)fclose(stream);
    return file;
}

static void inbound_make(struct inbound *in, const char *raw, size_t len)
{
    inbound_init(in, "email-pusat", "email", "email", 1795258999000, mem_strndup(raw, len), len);
    inbound_fact_add(in, "own_address", "aduan@example.org, Lapor@Example.ORG");
    inbound_fact_add(in, "own_domain", "kanal.example.org");
}

/* --- A draft as lines --- */

static void dump_line(struct buf *out, const char *name, const char *value)
{
    if (value != NULL)
        buf_addf(out, "%s: %s\n", name, value);
}

static void dump_text(struct buf *out, const struct draft *draft)
{
    char *text = draft->text != NULL ? text_clean(draft->text, strlen(draft->text)) : NULL;
    char *own = text != NULL && draft->cut_quotes ? quote_cut(text) : NULL;
    if (text != NULL)
        buf_addf(out, "--- text\n%s\n", text);
    if (own != NULL && strcmp(own, text) != 0)
        buf_addf(out, "--- own\n%s\n", own);
    free(own);
    free(text);
}

static int dump(void *context, struct draft *draft, struct err *err)
{
    (void)err;
    struct buf *out = context;
    dump_line(out, "subject", draft->subject);
    dump_line(out, "written by", automatic_names[draft->automatic]);
    dump_line(out, "name", draft->reporter.name);
    dump_line(out, "address kind", draft->reporter.address_kind);
    dump_line(out, "address", draft->reporter.address);
    dump_line(out, "reply ref", draft->reporter.reply_ref);
    if (!draft->cut_quotes)
        buf_add_text(out, "quotes stay\n");
    for (size_t i = 0; i < draft->reference_count; i++)
        dump_line(out, reference_names[draft->references[i].kind], draft->references[i].value);
    for (size_t i = 0; i < draft->attachment_count; i++) {
        const struct draft_attachment *attachment = &draft->attachments[i];
        buf_addf(out, "attachment: %s, %s, %zu bytes\n",
                 attachment->name != NULL ? attachment->name : "(no name)", attachment->media_type,
                 attachment->len);
    }
    for (size_t i = 0; i < draft->warning_count; i++)
        dump_line(out, "warning", draft->warnings[i]);
    dump_text(out, draft);
    return 0;
}

static struct buf parse_and_dump(const char *raw, size_t len)
{
    struct buf out = BUF_INIT(64 * 1024 * 1024);
    struct err err = ERR_INIT;
    struct inbound in;
    inbound_make(&in, raw, len);
    if (mail_parse(&in, dump, &out, &err) != 0)
        buf_addf(&out, "error: %s\n", err.text);
    inbound_release(&in);
    return out;
}

/* --- The collection --- */

static size_t list_mails(char *names[MAILS_MAX])
{
    struct dirent **entries = NULL;
    int count = scandir(TEST_DATA "/mail", &entries, NULL, alphasort);
    size_t n = 0;
    for (int i = 0; i < count; i++) {
        char *end = strstr(entries[i]->d_name, ".eml");
        if (end != NULL && end[4] == '\0' && n < MAILS_MAX)
            names[n++] = mem_strndup(entries[i]->d_name, (size_t)(end - entries[i]->d_name));
        free(entries[i]);
    }
    free(entries);
    return n;
}

static struct buf mail_path(const char *name, const char *ending)
{
    struct buf path = BUF_INIT(1024);
    buf_addf(&path, "%s/mail/%s%s", TEST_DATA, name, ending);
    return path;
}

static void check_mail(const char *name)
{
    struct buf mail_file = mail_path(name, ".eml");
    struct buf golden_file = mail_path(name, ".txt");
    struct buf mail = file_read(mail_file.data);
    struct buf seen = parse_and_dump(mail.data, mail.len);
    if (getenv("KANAL_GOLDEN") != NULL) {
        FILE *stream = fopen(golden_file.data, "wb");
        assert_non_null(stream);
        (void)fwrite(seen.data, 1, seen.len, stream);
        (void)fclose(stream);
    }
    struct buf golden = file_read(golden_file.data);
    if (strcmp(seen.data, golden.data) != 0)
        print_error("%s:\n", name);
    assert_string_equal(seen.data, golden.data);
    buf_release(&golden);
    buf_release(&seen);
    buf_release(&mail);
    buf_release(&golden_file);
    buf_release(&mail_file);
}

static void reads_every_shape(void **state)
{
    (void)state;
    char *names[MAILS_MAX];
    size_t count = list_mails(names);
    assert_true(count >= MAILS_MIN);
    for (size_t i = 0; i < count; i++) {
        check_mail(names[i]);
        free(names[i]);
    }
}

/* --- What makes two mails the same --- */

static int take_native_id(void *context, struct draft *draft, struct err *err)
{
    (void)err;
    char **native_id = context;
    *native_id = mem_strdup(draft->native_id);
    return 0;
}

static char *native_id(const char *raw)
{
    char *id = NULL;
    struct err err = ERR_INIT;
    struct inbound in;
    inbound_make(&in, raw, strlen(raw));
    assert_int_equal(mail_parse(&in, take_native_id, &id, &err), 0);
    inbound_release(&in);
    return id;
}

#define HEAD "From: budi@example.com\nSubject: Jalan\nDate: Wed, 21 Nov 2026 18:03:20 +0700\n"

static void knows_the_same_mail_again(void **state)
{
    (void)state;
    static const struct {
        const char *one, *other;
        bool same;
    } pairs[] = {
        {HEAD "Message-ID: <a@example.com>\n\nisi\n", HEAD "Message-ID: <a@example.com>\n\nisi\n",
         true},
        {"Received: x\n" HEAD "Message-ID: <a@example.com>\n\nisi\nlagi\n",
         "From x y\r\nDelivered-To: aduan@example.org\r\nReceived: y\r\n" HEAD
         "Message-ID: <a@example.com>\r\n\r\nisi\r\nlagi\r\n\r\n",
         true},
        {HEAD "Message-ID: <a@example.com>\n\nisi\n", HEAD "Message-ID: <a@example.com>\n\nlain\n",
         false},
        {HEAD "Message-ID: <a@example.com>\n\nisi\n", HEAD "Message-ID: <b@example.com>\n\nisi\n",
         false},
        {HEAD "Message-ID: <a@example.com>\n\nisi\n", HEAD "\nisi\n", false},
        {"Received: x\n" HEAD "\nisi\n", HEAD "\nisi\r\n", true},
        {HEAD "\nisi\n", "To: x\n" HEAD "X-Lain: y\n\nisi\n", true},
        {"Subject: a\n\nisi\n", "Subject: b\n\nisi\n", false},
        {"From: a@example.com\n\nisi\n", "Subject: a@example.com\n\nisi\n", false},
    };
    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++) {
        char *one = native_id(pairs[i].one);
        char *other = native_id(pairs[i].other);
        assert_int_equal(strcmp(one, other) == 0, pairs[i].same);
        free(one);
        free(other);
    }
}

/* --- Limits --- */

static const char *failure(const struct buf *mail)
{
    static char text[sizeof(struct err)];
    struct err err = ERR_INIT;
    struct buf out = BUF_INIT(64 * 1024 * 1024);
    struct inbound in;
    inbound_make(&in, mail->data, mail->len);
    int rc = mail_parse(&in, dump, &out, &err);
    assert_int_equal(err.kind, rc == 0 ? ERR_NONE : ERR_PERMANENT);
    (void)snprintf(text, sizeof text, "%s", err.text);
    inbound_release(&in);
    buf_release(&out);
    return rc == 0 ? NULL : text;
}

static void add_times(struct buf *mail, size_t times, const char *text)
{
    for (size_t i = 0; i < times; i++)
        buf_add_text(mail, text);
}

static void add_nested(struct buf *mail, size_t depth)
{
    buf_add_text(mail, "From: a@example.com\n");
    for (size_t i = 0; i < depth; i++)
        buf_addf(mail, "Content-Type: multipart/mixed; boundary=b%zu\n\n--b%zu\n", i, i);
    buf_add_text(mail, "\njalan rusak\n");
}

static void add_messages(struct buf *mail, size_t depth)
{
    buf_add_text(mail, "From: a@example.com\n");
    add_times(mail, depth, "Content-Type: message/rfc822\n\n");
    buf_add_text(mail, "\njalan rusak\n");
}

static void add_parts(struct buf *mail, size_t parts)
{
    buf_add_text(mail, "From: a@example.com\nContent-Type: multipart/mixed; boundary=b\n\n");
    add_times(mail, parts, "--b\n\nx\n");
}

static void add_header_lines(struct buf *mail, size_t lines)
{
    buf_add_text(mail, "From: a@example.com\n");
    add_times(mail, lines, "X: y\n");
    buf_add_text(mail, "\njalan rusak\n");
}

static void add_part_header_lines(struct buf *mail, size_t lines)
{
    buf_add_text(mail, "From: a@example.com\nContent-Type: multipart/mixed; boundary=b\n\n--b\n");
    add_times(mail, lines, "X: y\n");
    buf_add_text(mail, "\njalan rusak\n");
}

static void add_bytes(struct buf *mail, size_t bytes)
{
    buf_add_text(mail, "From: a@example.com\n\n");
    char *body = mem_calloc(bytes, 1);
    memset(body, 'a', bytes);
    buf_add(mail, body, bytes);
    free(body);
}

static void add_digests(struct buf *mail, size_t depth)
{
    buf_add_text(mail, "From: a@example.com\n");
    for (size_t i = 0; i < depth; i++)
        buf_addf(mail, "Content-Type: multipart/digest; boundary=b%zu\n\n--b%zu\n\n", i, i);
    buf_add_text(mail, "\njalan rusak\n");
}

static void refuses_what_is_beyond_the_limits(void **state)
{
    (void)state;
    static const struct {
        void (*make)(struct buf *mail, size_t n);
        size_t good, bad; /* just within, far beyond */
        const char *why;
    } limits[] = {
        {add_nested, MAIL_DEPTH_MAX, 10 * 1000, "nested"},
        {add_nested, MAIL_DEPTH_MAX, MAIL_DEPTH_MAX + 1, "nested"},
        {add_messages, MAIL_DEPTH_MAX, 100 * 1000, "nested"},
        {add_messages, MAIL_DEPTH_MAX, MAIL_DEPTH_MAX + 1, "nested"},
        {add_digests, MAIL_DEPTH_MAX / 2, MAIL_DEPTH_MAX, "nested"},
        {add_parts, MAIL_PARTS_MAX - 1, MAIL_PARTS_MAX, "parts"},
        {add_parts, 10, 1000 * 1000, "parts"},
        {add_header_lines, 50 * 1000, 100 * 1000, "header"},
        {add_part_header_lines, 50 * 1000, 100 * 1000, "header"},
        {add_bytes, 1000 * 1000, MAIL_BYTES_MAX, "larger"},
    };
    for (size_t i = 0; i < sizeof limits / sizeof limits[0]; i++) {
        struct buf mail = BUF_INIT(64 * 1024 * 1024);
        limits[i].make(&mail, limits[i].good);
        assert_null(failure(&mail));
        buf_clear(&mail);
        limits[i].make(&mail, limits[i].bad);
        const char *why = failure(&mail);
        assert_non_null(why);
        assert_non_null(strstr(why, limits[i].why));
        buf_release(&mail);
    }
}

static void refuses_nothing_at_all(void **state)
{
    (void)state;
    static const char *const empty[] = {"", "\r\n", "\n\n \t\n"};
    for (size_t i = 0; i < sizeof empty / sizeof empty[0]; i++) {
        struct buf mail = BUF_INIT(100);
        buf_add_text(&mail, empty[i]);
        assert_non_null(failure(&mail));
        buf_release(&mail);
    }
}

/* Fields that parsers have been brought down with. */
static void survives_hostile_fields(void **state)
{
    (void)state;
    static const struct {
        const char *head, *unit, *tail;
    } fields[] = {
        {"To: ", "a:", ";"},
        {"To: ", "(", ""},
        {"To: ", "<", ""},
        {"From: ", "\"a\\", "\""},
        {"From: ", "a@b,", ""},
        {"Cc: ", "=?utf-8?q?", ""},
        {"Subject: ", "=?utf-8?q?a?= ", ""},
        {"Subject: ", "=?=?", ""},
        {"Subject: =?utf-8?b?", "=?", "?="},
        {"References: ", "<", ""},
        {"References: ", "<a@b>", ""},
        {"References: ", "a@b ", ""},
        {"References: ", "a> ", ""},
        {"Date: ", "(", ""},
        {"Date: ", "1 ", ""},
        {"Message-ID: ", "@", ""},
        {"Received: ", ";", ""},
        {"Content-Type: text/plain; ", "a*0=b;", ""},
        {"Content-Type: text/plain; ", "a=b;", ""},
        {"Content-Type: text/plain; ", "\\\"", ""},
        {"Content-Type: ", "(", ""},
        {"Content-Disposition: attachment; ", "filename*0*=a'b'%;", ""},
        {"Content-Disposition: attachment; filename=\"", "=?utf-8?q?", "\""},
        {"Content-Transfer-Encoding: ", "x", ""},
    };
    for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++) {
        for (int in_part = 0; in_part <= 1; in_part++) {
            struct buf mail = BUF_INIT(1024 * 1024);
            buf_add_text(&mail, "X-Awal: x\n");
            if (in_part)
                buf_add_text(&mail, "Content-Type: multipart/mixed; boundary=b\n\n--b\n");
            buf_add_text(&mail, fields[i].head);
            while (mail.len < 30 * 1000)
                buf_add_text(&mail, fields[i].unit);
            buf_addf(&mail, "%s\n\njalan rusak\n", fields[i].tail);
            (void)failure(&mail);
            buf_release(&mail);
        }
    }
}

/* --- In a sandbox --- */

/* From here on opening a file kills the process. */
static void forbid_files(void)
{
    static const struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_openat, 1, 0),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
    };
    struct sock_filter copy[sizeof code / sizeof code[0]];
    memcpy(copy, code, sizeof copy);
    struct sock_fprog program = {.len = sizeof copy / sizeof copy[0], .filter = copy};
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
        prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program, 0, 0) != 0)
        _exit(2);
}

static void opens_no_file_once_started(void **state)
{
    (void)state;
    char *names[MAILS_MAX];
    struct buf mails[MAILS_MAX];
    size_t count = list_mails(names);
    for (size_t i = 0; i < count; i++) {
        struct buf path = mail_path(names[i], ".eml");
        mails[i] = file_read(path.data);
        buf_release(&path);
    }
    pid_t child = fork();
    if (child == 0) {
        forbid_files();
        for (size_t i = 0; i < count; i++) {
            struct buf out = parse_and_dump(mails[i].data, mails[i].len);
            buf_release(&out);
        }
        _exit(0);
    }
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    for (size_t i = 0; i < count; i++) {
        buf_release(&mails[i]);
        free(names[i]);
    }
    assert_int_equal(status, 0);
}

int main(void)
{
    mail_start();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(opens_no_file_once_started),
        cmocka_unit_test(reads_every_shape),
        cmocka_unit_test(knows_the_same_mail_again),
        cmocka_unit_test(refuses_what_is_beyond_the_limits),
        cmocka_unit_test(refuses_nothing_at_all),
        cmocka_unit_test(survives_hostile_fields),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
