/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "config/config.h"

struct http {
    char *address;
    int64_t connections;
    struct secret key;
};

static const struct option_spec http_options[] = {
    {.name = "address",
     .type = OPTION_STRING,
     .offset = offsetof(struct http, address),
     .fallback = "127.0.0.1:8080",
     .help = "where it listens"},
    {.name = "connections",
     .type = OPTION_INT,
     .offset = offsetof(struct http, connections),
     .fallback = "100",
     .min = 1,
     .max = 1000,
     .help = "how many at once"},
    {.name = "key",
     .type = OPTION_SECRET,
     .offset = offsetof(struct http, key),
     .help = "the signing key"},
    {0},
};

struct mail {
    char *host, *folder;
};

static const struct option_spec mail_options[] = {
    {.name = "host",
     .type = OPTION_STRING,
     .offset = offsetof(struct mail, host),
     .required = true,
     .help = "the mail server"},
    {.name = "folder",
     .type = OPTION_PATH,
     .offset = offsetof(struct mail, folder),
     .help = "where mails are kept"},
    {0},
};

static const struct option_spec nothing[] = {{0}};

static const struct option_spec *variant(const char *type, size_t *size)
{
    *size = sizeof(struct mail);
    if (strcmp(type, "mail") == 0)
        return mail_options;
    return strcmp(type, "none") == 0 ? nothing : NULL;
}

static void variant_names(struct buf *out)
{
    buf_add_text(out, "mail, none");
}

static const struct config_kind kinds[] = {
    {.section = "http",
     .options = http_options,
     .settings_size = sizeof(struct http),
     .help = "The listener."},
    {.section = "channel",
     .named = true,
     .variant = variant,
     .variant_names = variant_names,
     .help = "One channel."},
    {0},
};

static char path[] = "/tmp/kanal-config-XXXXXX";

static void write_file(const char *bytes, size_t len)
{
    int fd = open(path, O_WRONLY | O_TRUNC | O_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, bytes, len), len);
    close(fd);
}

static int path_make(void **state)
{
    (void)state;
    int fd = mkstemp(path);
    close(fd);
    return fd < 0 ? -1 : 0;
}

static int path_remove(void **state)
{
    (void)state;
    return unlink(path);
}

/* Loads bytes; the mistakes without the path in front, or "" when there are none. */
static const char *load(const char *bytes, size_t len, struct config *config, struct buf *mistakes)
{
    write_file(bytes, len);
    struct buf raw = BUF_INIT(1024 * 1024);
    struct err err = ERR_INIT;
    int result = config_load(path, kinds, config, &raw, &err);
    assert_int_equal(result == 0, raw.len == 0);
    assert_int_equal(err.kind, result == 0 ? ERR_NONE : ERR_CONFIG);
    for (const char *line = raw.data; *line != '\0';) {
        size_t line_len = strcspn(line, "\n") + 1;
        assert_memory_equal(line, path, strlen(path));
        buf_add(mistakes, line + strlen(path) + 1, line_len - strlen(path) - 1);
        line += line_len;
    }
    buf_release(&raw);
    return mistakes->data;
}

static void an_absent_file_gives_the_defaults(void **state)
{
    (void)state;
    struct config config;
    struct buf mistakes = BUF_INIT(1000);
    struct err err = ERR_INIT;
    assert_int_equal(config_load(NULL, kinds, &config, &mistakes, &err), 0);
    assert_int_equal(config.section_count, 1);
    assert_int_equal(config.sections[0].line, 0);
    const struct http *http = config_settings(&config, "http");
    assert_string_equal(http->address, "127.0.0.1:8080");
    assert_int_equal(http->connections, 100);
    config_release(&config);
    assert_int_equal(config.section_count, 0);
}

static void reads_a_whole_file(void **state)
{
    (void)state;
    static const char text[] = "\xef\xbb\xbf# Kanal\r\n"
                               "\r\n"
                               "  [channel   email-pusat ]  ; the first\r\n"
                               "   host = mail.example.org ; where it is\r\n"
                               "\ttype=mail\r\n"
                               "folder : sub/mails\r\n"
                               "[http]\r\n"
                               "; a comment\r\n"
                               "connections=7\r\n"
                               "address =\r\n"
                               "[channel 2]\n"
                               "type = none";
    struct config config;
    struct buf mistakes = BUF_INIT(1000);
    assert_string_equal(load(text, sizeof text - 1, &config, &mistakes), "");
    assert_int_equal(config.section_count, 3);
    assert_string_equal(config.sections[0].name, "email-pusat");
    assert_string_equal(config.sections[0].type, "mail");
    assert_int_equal(config.sections[0].line, 3);
    const struct mail *mail = config.sections[0].settings;
    assert_string_equal(mail->host, "mail.example.org");
    assert_string_equal(mail->folder, "/tmp/sub/mails");
    const struct http *http = config_settings(&config, "http");
    assert_null(http->address);
    assert_int_equal(http->connections, 7);
    assert_string_equal(config.sections[2].name, "2");
    assert_ptr_equal(config.sections[2].options, nothing);
    config_release(&config);
}

static void adds_a_section_at_its_defaults(void **state)
{
    (void)state;
    static const char text[] = "[channel taken]\ntype = none\n";
    struct config config;
    struct buf mistakes = BUF_INIT(1000);
    assert_string_equal(load(text, sizeof text - 1, &config, &mistakes), "");
    struct err err = ERR_INIT;
    assert_int_equal(config_add(&config, &kinds[1], "web", "none", &err), 0);
    assert_int_equal(config.section_count, 3);
    assert_string_equal(config.sections[2].name, "web");
    assert_string_equal(config.sections[2].type, "none");
    assert_int_equal(config.sections[2].line, 0);
    assert_int_equal(config_add(&config, &kinds[1], "taken", "none", &err), -1);
    assert_string_equal(err.text, "[channel taken] stands in the file with another type, expected "
                                  "another name for it");
    err_clear(&err);
    assert_int_equal(config_add(&config, &kinds[1], "fax", "fax", &err), -1);
    err_clear(&err);
    assert_int_equal(config_add(&config, &kinds[1], "mail", "mail", &err), -1);
    assert_string_equal(err.text, "[channel mail] needs 'host'");
    assert_int_equal(config.section_count, 3);
    config_release(&config);
}

/* Below the limit of a line, and with names as long as they may be: nothing is cut. */
static void long_lines_and_names_stay_whole(void **state)
{
    (void)state;
    char name[CONFIG_NAME_MAX + 1], value[3900];
    memset(name, 'n', sizeof name);
    memset(value, 'v', sizeof value);
    name[sizeof name - 1] = value[sizeof value - 1] = '\0';
    struct buf text = BUF_INIT(10000);
    buf_addf(&text, "[channel %s]\ntype=mail\nhost=%s\n", name, value);
    struct config config;
    struct buf mistakes = BUF_INIT(1000);
    assert_string_equal(load(text.data, text.len, &config, &mistakes), "");
    assert_string_equal(config.sections[0].name, name);
    assert_string_equal(((const struct mail *)config.sections[0].settings)->host, value);
    config_release(&config);
    buf_release(&text);
}

#define BAD(text, message)                                                                         \
    {                                                                                              \
        text, sizeof text - 1, message                                                             \
    }

static const struct {
    const char *text;
    size_t len;
    const char *mistakes;
} bad[] = {
    /* keys */
    BAD("[http]\nconections = 5\n",
        "2: http: 'conections' is no key of this section (did you mean 'connections'?), expected "
        "one that `kanal help-config` shows\n"),
    BAD("[http]\nport = 5\n",
        "2: http: 'port' is no key of this section, expected one that `kanal help-config` shows\n"),
    BAD("[http]\nhunter2 secret! = 5\n",
        "2: http: this is no key of this section, expected one that `kanal help-config` shows\n"),
    BAD("[http]\ntype = 5\n",
        "2: http: 'type' is no key of this section, expected one that `kanal help-config` shows\n"),
    BAD("[http]\nconnections = many\n",
        "2: http.connections: cannot be read, expected a whole number, from 1 to 1000\n"),
    BAD("[http]\nconnections = 5\n\nconnections = 6\n",
        "4: http.connections: is set on line 2 already, expected once\n"),
    BAD("[http]\nkey = hunter2\n",
        "2: http.key: a secret stands in the configuration itself, where too many can read it; "
        "expected file:PATH, env:NAME or credential:NAME\n"),
    BAD("[http]\naddress = x # no comment\n",
        "2: '#' stands behind a value, expected comments on lines of their own, or behind ' ;'\n"),
    BAD("[http]\n= x\n", "2: a value has no key, expected key = value\n"),
    BAD("connections = 5\n[http]\n",
        "1: a key stands before the first section, expected [section] above it\n"),
    BAD("[http]\nkey ; with = comment\n", "2: cannot be understood, expected key = value\n"),
    /* sections */
    BAD("[htp]\nconnections = 5\n",
        "1: 'htp' is no known section (did you mean 'http'?), expected one of [http] [channel "
        "NAME]\n"),
    BAD("[HTTP]\n", "1: 'HTTP' is no known section, expected one of [http] [channel NAME]\n"),
    BAD("[http main]\n", "1: [http] has a name, expected none\n"),
    BAD("[channel]\ntype=none\n", "1: [channel] has no name, expected [channel NAME]\n"),
    BAD("[channel Email]\ntype=none\n",
        "1: [channel] has a bad name, expected a letter or digit, then a-z, 0-9, - and _, at most "
        "64\n"),
    BAD("[channel a b]\ntype=none\n",
        "1: [channel] has a bad name, expected a letter or digit, then a-z, 0-9, - and _, at most "
        "64\n"),
    BAD("[http]\n[channel a]\ntype=none\n[http]\n",
        "4: this section stands on line 1 already, expected once\n"),
    BAD("[channel a]\ntype=none\n[channel a]\ntype=none\n",
        "3: this section stands on line 1 already, expected once\n"),
    BAD("[channel a]\nhost=x\n", "1: channel a.type: is missing, expected one of mail, none\n"),
    BAD("[channel a]\ntype=mial\n",
        "2: channel a.type: is unknown (did you mean 'mail'?), expected one of mail, none\n"),
    BAD("[channel a]\ntype=fax\n", "2: channel a.type: is unknown, expected one of mail, none\n"),
    BAD("[channel a]\ntype=none\ntype=none\n",
        "3: channel a.type: is set on line 2 already, expected once\n"),
    BAD("[channel a]\ntype=mail\n", "1: channel a.host: is missing, expected the mail server\n"),
    BAD("[channel a]\ntype=mail\nhost=\n",
        "1: channel a.host: is missing, expected the mail server\n"),
    /* lines */
    BAD("[http\nconnections = 0\n", "1: ']' is missing, expected [section] or [section name]\n"),
    BAD("[]\n", "1: the section has no name, expected [section] or [section name]\n"),
    BAD("[ \t]\n", "1: the section has no name, expected [section] or [section name]\n"),
    BAD("[http] connections = 5\n",
        "1: something follows [section] on its line, expected [section] or [section name]\n"),
    BAD("[http]\nconnections\n", "2: is neither a section nor a key, expected [section], key = "
                                 "value or a # comment on at most 4000 bytes\n"),
    BAD("[http]\naddress=a\0b\n",
        "2: holds a NUL byte, expected [section], key = value or a # comment on at most 4000 "
        "bytes\n"),
    BAD("[http]\naddress=caf\xe9\n", "2: holds bytes that are not UTF-8, expected UTF-8 text\n"),
    BAD("\xff\xfe[\0h\0t\0t\0p\0]\0", "1: holds bytes that are not UTF-8, expected UTF-8 text\n"
                                      "1: holds a NUL byte, expected [section], key = value or a "
                                      "# comment on at most 4000 bytes\n"),
    /* all of it, by line */
    BAD("[channel a]\ntype=mail\n[http]\nconnections=0\nfoo=1\n",
        "1: channel a.host: is missing, expected the mail server\n"
        "4: http.connections: is out of range, expected a whole number, from 1 to 1000\n"
        "5: http: 'foo' is no key of this section, expected one that `kanal help-config` shows\n"),
};

static void says_what_is_wrong_and_where(void **state)
{
    (void)state;
    for (size_t n = 0; n < sizeof bad / sizeof bad[0]; n++) {
        struct config config;
        struct buf mistakes = BUF_INIT(10000);
        assert_string_equal(load(bad[n].text, bad[n].len, &config, &mistakes), bad[n].mistakes);
        assert_int_equal(config.section_count, 0);
        assert_null(config.sections);
        buf_release(&mistakes);
    }
}

static void refuses_lines_beyond_the_limit(void **state)
{
    (void)state;
    struct buf text = BUF_INIT(10000);
    buf_add_text(&text, "[http]\naddress=");
    for (int n = 0; n < 4000; n++)
        buf_add_char(&text, 'x');
    buf_add_text(&text, "\nconnections=3\n");
    struct config config;
    struct buf mistakes = BUF_INIT(1000);
    assert_string_equal(load(text.data, text.len, &config, &mistakes),
                        "2: the line is too long, expected [section], key = value or a # comment "
                        "on at most 4000 bytes\n");
    buf_release(&text);
    buf_release(&mistakes);
}

static void refuses_too_much(void **state)
{
    (void)state;
    struct buf text = BUF_INIT(2 * CONFIG_FILE_MAX);
    for (int n = 0; n <= CONFIG_SECTIONS_MAX; n++)
        buf_addf(&text, "[channel c%d]\ntype=none\n", n);
    struct config config;
    struct buf mistakes = BUF_INIT(100000);
    assert_string_equal(load(text.data, text.len, &config, &mistakes),
                        "1001: there are too many sections, expected at most 500\n");
    buf_clear(&mistakes);
    while (text.len <= CONFIG_FILE_MAX)
        buf_add_text(&text, "# filled\n");
    assert_string_equal(load(text.data, text.len, &config, &mistakes),
                        " is too long, expected at most 1048576 bytes\n");
    buf_clear(&mistakes);
    buf_clear(&text);
    for (int n = 0; n < 1000; n++)
        buf_add_text(&text, "nothing\n");
    load(text.data, text.len, &config, &mistakes);
    assert_non_null(strstr(mistakes.data, "200: "));
    assert_null(strstr(mistakes.data, "201: "));
    buf_release(&text);
    buf_release(&mistakes);
}

static void an_unreadable_file_is_one_mistake(void **state)
{
    (void)state;
    static const struct {
        const char *path, *message;
    } unreadable[] = {
        {"/nowhere/kanal.conf", "/nowhere/kanal.conf: cannot be read: No such file or directory\n"},
        {"/tmp", "/tmp: cannot be read: Is a directory\n"},
    };
    for (size_t n = 0; n < sizeof unreadable / sizeof unreadable[0]; n++) {
        struct config config;
        struct buf mistakes = BUF_INIT(1000);
        struct err err = ERR_INIT;
        assert_int_equal(config_load(unreadable[n].path, kinds, &config, &mistakes, &err), -1);
        assert_string_equal(mistakes.data, unreadable[n].message);
        assert_memory_equal(err.text, unreadable[n].message, strlen(err.text));
        buf_release(&mistakes);
    }
}

static void help_is_a_configuration(void **state)
{
    (void)state;
    struct buf help = BUF_INIT(10000);
    config_help(kinds, &help);
    assert_non_null(strstr(help.data, "# The listener.\n[http]\n# where it listens (text)\n"
                                      "#address = 127.0.0.1:8080\n"));
    assert_non_null(strstr(help.data, "# One channel.\n\n#[channel NAME]\n#type = mail\n\n"
                                      "# the mail server (text; required)\n#host =\n"));
    assert_non_null(strstr(help.data, "\n#[channel NAME]\n#type = none\n"));
    struct config config;
    struct buf mistakes = BUF_INIT(1000);
    assert_string_equal(load(help.data, help.len, &config, &mistakes), "");
    config_release(&config);
    buf_release(&help);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_absent_file_gives_the_defaults),
        cmocka_unit_test(reads_a_whole_file),
        cmocka_unit_test(adds_a_section_at_its_defaults),
        cmocka_unit_test(long_lines_and_names_stay_whole),
        cmocka_unit_test(says_what_is_wrong_and_where),
        cmocka_unit_test(refuses_lines_beyond_the_limit),
        cmocka_unit_test(refuses_too_much),
        cmocka_unit_test(an_unreadable_file_is_one_mistake),
        cmocka_unit_test(help_is_a_configuration),
    };
    return cmocka_run_group_tests(tests, path_make, path_remove);
}
