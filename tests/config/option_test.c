/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "config/option.h"
#include "config/secret.h"
#include "config/suggest.h"

struct sample {
    char *text, *path, *url, *choice;
    int64_t number, wait_s, size;
    bool flag;
    struct secret secret;
};

static const struct option_spec options[] = {
    {.name = "text",
     .type = OPTION_STRING,
     .offset = offsetof(struct sample, text),
     .fallback = "Jakarta",
     .help = "a name"},
    {.name = "path",
     .type = OPTION_PATH,
     .offset = offsetof(struct sample, path),
     .help = "a folder"},
    {.name = "url",
     .type = OPTION_URL,
     .offset = offsetof(struct sample, url),
     .help = "where the core listens"},
    {.name = "choice",
     .type = OPTION_CHOICE,
     .offset = offsetof(struct sample, choice),
     .fallback = "sqlite",
     .choices = "sqlite memory",
     .help = "where reports wait"},
    {.name = "number",
     .type = OPTION_INT,
     .offset = offsetof(struct sample, number),
     .fallback = "8",
     .min = -5,
     .max = 100,
     .help = "how many"},
    {.name = "wait",
     .type = OPTION_SECONDS,
     .offset = offsetof(struct sample, wait_s),
     .fallback = "2m",
     .help = "how long"},
    {.name = "size",
     .type = OPTION_BYTES,
     .offset = offsetof(struct sample, size),
     .fallback = "1KiB",
     .min = 1,
     .max = 2147483648,
     .help = "how large"},
    {.name = "flag",
     .type = OPTION_BOOL,
     .offset = offsetof(struct sample, flag),
     .help = "whether"},
    {.name = "secret",
     .type = OPTION_SECRET,
     .offset = offsetof(struct sample, secret),
     .required = true,
     .help = "the password"},
    {0},
};

static const struct {
    const char *option, *text;
    int64_t value;
} good_numbers[] = {
    {"number", "0", 0},           {"number", "-5", -5},     {"number", "100", 100},
    {"wait", "90", 90},           {"wait", "90s", 90},      {"wait", "15m", 900},
    {"wait", "2h", 7200},         {"wait", "5d", 432000},   {"wait", "0", 0},
    {"size", "512", 512},         {"size", "64KiB", 65536}, {"size", "25mib", 26214400},
    {"size", "2GiB", 2147483648},
};

static int64_t number_of(const struct sample *sample, const char *option)
{
    const struct option_spec *spec = option_find(options, option);
    return *(const int64_t *)(const void *)((const char *)sample + spec->offset);
}

static void reads_numbers(void **state)
{
    (void)state;
    for (size_t n = 0; n < sizeof good_numbers / sizeof good_numbers[0]; n++) {
        struct sample sample = {.number = -77, .wait_s = -77, .size = -77};
        struct err err = ERR_INIT;
        assert_int_equal(option_set(option_find(options, good_numbers[n].option), &sample,
                                    good_numbers[n].text, NULL, &err),
                         0);
        assert_int_equal(number_of(&sample, good_numbers[n].option), good_numbers[n].value);
    }
}

static const struct {
    const char *text;
    bool value;
} good_flags[] = {{"yes", true}, {"TRUE", true}, {"on", true},     {"1", true},
                  {"No", false}, {"off", false}, {"false", false}, {"0", false}};

static void reads_flags(void **state)
{
    (void)state;
    for (size_t n = 0; n < sizeof good_flags / sizeof good_flags[0]; n++) {
        struct sample sample = {.flag = !good_flags[n].value};
        struct err err = ERR_INIT;
        assert_int_equal(
            option_set(option_find(options, "flag"), &sample, good_flags[n].text, NULL, &err), 0);
        assert_int_equal(sample.flag, good_flags[n].value);
    }
}

static const struct {
    const char *option, *text, *folder, *value;
} good_texts[] = {
    {"text", "Kota Lain", "/etc/kanal", "Kota Lain"},
    {"text", "", NULL, NULL},
    {"path", "state", "/etc/kanal", "/etc/kanal/state"},
    {"path", "state", NULL, "state"},
    {"path", "/var/lib/kanal", "/etc/kanal", "/var/lib/kanal"},
    {"path", "", "/etc/kanal", NULL},
    {"url", "https://example.org", NULL, "https://example.org"},
    {"url", "HTTP://127.0.0.1:8080/a?b=c", NULL, "HTTP://127.0.0.1:8080/a?b=c"},
    {"url", "http://[::1]:8080/", NULL, "http://[::1]:8080/"},
    {"url", "http://[::1]", NULL, "http://[::1]"},
    {"url", "http://localhost:65535", NULL, "http://localhost:65535"},
    {"url", "", NULL, NULL},
    {"choice", "memory", NULL, "memory"},
};

static const char *text_of(const struct sample *sample, const char *option)
{
    const struct option_spec *spec = option_find(options, option);
    return *(char *const *)(const void *)((const char *)sample + spec->offset);
}

static void reads_texts(void **state)
{
    (void)state;
    for (size_t n = 0; n < sizeof good_texts / sizeof good_texts[0]; n++) {
        struct sample sample = {0};
        struct err err = ERR_INIT;
        assert_int_equal(option_defaults(options, &sample, &err), 0);
        assert_int_equal(option_set(option_find(options, good_texts[n].option), &sample,
                                    good_texts[n].text, good_texts[n].folder, &err),
                         0);
        const char *text = text_of(&sample, good_texts[n].option);
        if (good_texts[n].value == NULL)
            assert_null(text);
        else
            assert_string_equal(text, good_texts[n].value);
        option_release(options, &sample);
    }
}

static const struct {
    const char *option, *text, *message;
} bad[] = {
    {"number", "", "cannot be read, expected a whole number, from -5 to 100"},
    {"number", "5x", "cannot be read, expected a whole number, from -5 to 100"},
    {"number", " 5", "cannot be read, expected a whole number, from -5 to 100"},
    {"number", "+5", "cannot be read, expected a whole number, from -5 to 100"},
    {"number", "0x10", "cannot be read, expected a whole number, from -5 to 100"},
    {"number", "99999999999999999999", "cannot be read, expected a whole number, from -5 to 100"},
    {"number", "101", "is out of range, expected a whole number, from -5 to 100"},
    {"number", "-6", "is out of range, expected a whole number, from -5 to 100"},
    {"wait", "10w", "cannot be read, expected a time such as 90, 30s, 15m, 2h or 5d"},
    {"wait", "1h30m", "cannot be read, expected a time such as 90, 30s, 15m, 2h or 5d"},
    {"wait", "-1", "is out of range, expected a time such as 90, 30s, 15m, 2h or 5d"},
    {"wait", "9223372036854775807d",
     "cannot be read, expected a time such as 90, 30s, 15m, 2h or 5d"},
    {"size", "0",
     "is out of range, expected a size such as 512, 64KiB, 25MiB or 1GiB, from 1 to "
     "2147483648"},
    {"size", "64KB",
     "cannot be read, expected a size such as 512, 64KiB, 25MiB or 1GiB, from 1 "
     "to 2147483648"},
    {"flag", "ya", "is neither, expected yes or no"},
    {"flag", "", "is neither, expected yes or no"},
    {"choice", "", "is unknown, expected one of sqlite memory"},
    {"choice", "sqlit", "is unknown (did you mean sqlite?), expected one of sqlite memory"},
    {"choice", "postgres", "is unknown, expected one of sqlite memory"},
    {"url", "ftp://example.org",
     "does not begin with http:// or https://, expected a URL such as https://example.org/path"},
    {"url", "https://", "has no valid host, expected a URL such as https://example.org/path"},
    {"url", "https:///x", "has no valid host, expected a URL such as https://example.org/path"},
    {"url", "http://[", "has no valid host, expected a URL such as https://example.org/path"},
    {"url", "http://:80", "has no valid host, expected a URL such as https://example.org/path"},
    {"url", "http://a%41/", "has no valid host, expected a URL such as https://example.org/path"},
    {"url", "https://user@example.org",
     "has a user in front of the host, expected a URL such as https://example.org/path"},
    {"url", "https://example.org/#x",
     "has a fragment, expected a URL such as https://example.org/path"},
    {"url", "https://example.org:0/",
     "has no valid port, expected a URL such as https://example.org/path"},
    {"url", "https://example.org:65536",
     "has no valid port, expected a URL such as https://example.org/path"},
    {"url", "https://[::1]8080",
     "has no valid port, expected a URL such as https://example.org/path"},
    {"url", "https://example.org/a b",
     "holds characters no URL may hold, or too many, expected a URL such as "
     "https://example.org/path"},
};

static void refuses_and_changes_nothing(void **state)
{
    (void)state;
    for (size_t n = 0; n < sizeof bad / sizeof bad[0]; n++) {
        struct sample sample = {0};
        struct err err = ERR_INIT;
        assert_int_equal(option_defaults(options, &sample, &err), 0);
        assert_int_equal(
            option_set(option_find(options, bad[n].option), &sample, bad[n].text, NULL, &err), -1);
        assert_int_equal(err.kind, ERR_CONFIG);
        assert_string_equal(err.text, bad[n].message);
        assert_string_equal(sample.choice, "sqlite");
        assert_int_equal(sample.number, 8);
        assert_int_equal(sample.wait_s, 120);
        assert_int_equal(sample.size, 1024);
        assert_null(sample.url);
        option_release(options, &sample);
    }
}

/* --- Secrets --- */

static char folder[] = "/tmp/kanal-option-XXXXXX";

static int folder_make(void **state)
{
    (void)state;
    return mkdtemp(folder) == NULL ? -1 : 0;
}

static int folder_remove(void **state)
{
    (void)state;
    char path[64];
    snprintf(path, sizeof path, "%s/secret", folder);
    unlink(path);
    return rmdir(folder);
}

static void write_secret(const void *data, size_t len, mode_t mode)
{
    char path[64];
    snprintf(path, sizeof path, "%s/secret", folder);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, data, len), len);
    assert_int_equal(fchmod(fd, mode), 0);
    close(fd);
}

static const struct {
    const char *bytes;
    size_t len;
    mode_t mode;
    const char *value;   /* NULL: refused */
    const char *message; /* how the refusal begins */
} secret_files[] = {
    {"geheim", 6, 0600, "geheim", NULL},
    {"geheim\n", 7, 0400, "geheim", NULL},
    {"geheim\r\n", 8, 0640, "geheim", NULL},
    {"two\nlines\n\n", 11, 0600, "two\nlines\n", NULL},
    {"geheim", 6, 0644, NULL, "the secret's file is open to others (mode 644), expected"},
    {"geheim", 6, 0602, NULL, "the secret's file is open to others (mode 602), expected"},
    {"geheim", 6, 0620, NULL, "the secret's file is open to others (mode 620), expected"},
    {"", 0, 0600, NULL, "the secret is empty"},
    {"\n", 1, 0600, NULL, "the secret is empty"},
    {"ge\0heim", 7, 0600, NULL, "the secret holds a NUL byte"},
};

static void reads_secret_files(void **state)
{
    (void)state;
    for (size_t n = 0; n < sizeof secret_files / sizeof secret_files[0]; n++) {
        write_secret(secret_files[n].bytes, secret_files[n].len, secret_files[n].mode);
        struct secret secret = {0};
        struct err err = ERR_INIT;
        int result = secret_read("file:secret", folder, &secret, &err);
        if (secret_files[n].value != NULL) {
            assert_int_equal(result, 0);
            assert_string_equal(secret.data, secret_files[n].value);
            assert_int_equal(secret.len, strlen(secret_files[n].value));
        } else {
            assert_int_equal(result, -1);
            assert_null(secret.data);
            assert_memory_equal(err.text, secret_files[n].message, strlen(secret_files[n].message));
        }
        secret_release(&secret);
    }
}

static void reads_at_most_64_kib(void **state)
{
    (void)state;
    static char data[SECRET_LEN_MAX + 1];
    memset(data, 'x', sizeof data);
    struct secret secret = {0};
    struct err err = ERR_INIT;
    write_secret(data, SECRET_LEN_MAX, 0600);
    assert_int_equal(secret_read("file:secret", folder, &secret, &err), 0);
    assert_int_equal(secret.len, SECRET_LEN_MAX);
    write_secret(data, sizeof data, 0600);
    assert_int_equal(secret_read("file:secret", folder, &secret, &err), -1);
    assert_string_equal(err.text, "the secret is too long, expected at most 65536 bytes");
    assert_null(secret.data);
}

static void reads_the_environment_and_credentials(void **state)
{
    (void)state;
    struct secret secret = {0};
    struct err err = ERR_INIT;
    setenv("KANAL_TEST_SECRET", "dari lingkungan", 1);
    assert_int_equal(secret_read("env:KANAL_TEST_SECRET", NULL, &secret, &err), 0);
    assert_string_equal(secret.data, "dari lingkungan");
    unsetenv("KANAL_TEST_SECRET");

    /* systemd's own files may be group-readable inside a folder nobody else enters */
    write_secret("kredensial\n", 11, 0444);
    setenv("CREDENTIALS_DIRECTORY", folder, 1);
    assert_int_equal(secret_read("credential:secret", "/nowhere", &secret, &err), 0);
    assert_string_equal(secret.data, "kredensial");
    assert_int_equal(secret_read("credential:../secret", NULL, &secret, &err), -1);
    unsetenv("CREDENTIALS_DIRECTORY");
    assert_int_equal(secret_read("", NULL, &secret, &err), 0);
    assert_null(secret.data);
}

static const struct {
    const char *source, *message;
} bad_sources[] = {
    {"hunter2", "a secret stands in the configuration itself"},
    {"File:secret", "a secret stands in the configuration itself"},
    {"file:", "file: is followed by no path"},
    {"file:missing", "cannot open the secret's file: No such file or directory"},
    {"file:/", "the secret is not in a regular file"},
    {"env:KANAL_TEST_UNSET", "the environment variable is not set"},
    {"env:", "the environment variable is not set"},
    {"credential:secret", "no credentials were passed by systemd"},
};

static void refuses_other_sources(void **state)
{
    (void)state;
    unsetenv("CREDENTIALS_DIRECTORY");
    for (size_t n = 0; n < sizeof bad_sources / sizeof bad_sources[0]; n++) {
        struct secret secret = {0};
        struct err err = ERR_INIT;
        assert_int_equal(secret_read(bad_sources[n].source, folder, &secret, &err), -1);
        assert_int_equal(err.kind, ERR_CONFIG);
        assert_memory_equal(err.text, bad_sources[n].message, strlen(bad_sources[n].message));
        assert_null(secret.data);
        assert_null(strstr(err.text, "hunter2"));
    }
}

/* --- Help and suggestions --- */

static void help_wraps_at_80_columns(void **state)
{
    (void)state;
    static const struct option_spec long_help[] = {
        {.name = "interval",
         .type = OPTION_SECONDS,
         .fallback = "30s",
         .min = 1,
         .max = 3600,
         .help =
             "time between two polls of a mailbox whose server does not offer to tell by itself"},
        {.name = "password", .type = OPTION_SECRET, .required = true, .help = "the password"},
        {0},
    };
    struct buf out = BUF_INIT(10000);
    option_help(long_help, &out);
    assert_string_equal(out.data,
                        "# time between two polls of a mailbox whose server does not offer to tell "
                        "by\n"
                        "# itself (time, 1 to 3600)\n"
                        "#interval = 30s\n"
                        "\n"
                        "# the password (secret: file:PATH, env:NAME or credential:NAME; "
                        "required)\n"
                        "#password =\n");
    buf_release(&out);
}

static const struct {
    const char *word, *candidate;
    bool close;
} pairs[] = {
    {"conections", "connections", true},
    {"connection", "connections", true},
    {"intervall", "interval", true},
    {"hots", "host", true},
    {"host", "host", true},
    {"port", "host", true},
    {"x", "port", false},
    {"", "port", false},
    {"folder", "password", false},
    {"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "port", false},
};

static void suggests_what_is_near(void **state)
{
    (void)state;
    for (size_t n = 0; n < sizeof pairs / sizeof pairs[0]; n++) {
        size_t best = SUGGEST_NONE;
        assert_int_equal(suggest_closer(pairs[n].word, pairs[n].candidate, &best), pairs[n].close);
    }
    size_t best = SUGGEST_NONE;
    assert_true(suggest_closer("prot", "port", &best));
    assert_false(suggest_closer("prot", "host", &best));
    assert_true(suggest_closer("prot", "prot", &best));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_numbers),
        cmocka_unit_test(reads_flags),
        cmocka_unit_test(reads_texts),
        cmocka_unit_test(refuses_and_changes_nothing),
        cmocka_unit_test(reads_secret_files),
        cmocka_unit_test(reads_at_most_64_kib),
        cmocka_unit_test(reads_the_environment_and_credentials),
        cmocka_unit_test(refuses_other_sources),
        cmocka_unit_test(help_wraps_at_80_columns),
        cmocka_unit_test(suggests_what_is_near),
    };
    return cmocka_run_group_tests(tests, folder_make, folder_remove);
}
