/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <fcntl.h>
#include <unistd.h>

#include "adapters/adapter.h"
#include "gateway/settings.h"

/* --- Two adapters of our own instead of the real table --- */

struct mail {
    char *host;
};

static const struct option_spec mail_options[] = {
    {.name = "host",
     .type = OPTION_STRING,
     .offset = offsetof(struct mail, host),
     .required = true,
     .help = "the mail server"},
    {0},
};

static int mail_check(const void *settings, struct err *err)
{
    const struct mail *mail = settings;
    if (strcmp(mail->host, "bad") == 0)
        return err_set(err, ERR_CONFIG, "host: is bad, expected a good one");
    return 0;
}

static const struct option_spec form_options[] = {{0}};

static const struct adapter mail = {.name = "mail",
                                    .options = mail_options,
                                    .settings_size = sizeof(struct mail),
                                    .check = mail_check};
static const struct adapter form = {.name = "web_form", .options = form_options};

const struct adapter *const adapters[] = {&mail, &form, NULL};

const struct adapter *adapter_find(const char *type)
{
    for (size_t n = 0; adapters[n] != NULL; n++) {
        if (strcmp(adapters[n]->name, type) == 0)
            return adapters[n];
    }
    return NULL;
}

/* --- A folder with a configuration, a key and a certificate --- */

static char folder[] = "/tmp/kanal-settings-XXXXXX";
static char path[64];

static void write_file(const char *name, const char *text)
{
    char full[64];
    snprintf(full, sizeof full, "%s/%s", folder, name);
    int fd = open(full, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    close(fd);
}

static int folder_make(void **state)
{
    (void)state;
    if (mkdtemp(folder) == NULL)
        return -1;
    snprintf(path, sizeof path, "%s/kanal.conf", folder);
    write_file("secret", "rahasia\n");
    write_file("key", "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f\n");
    write_file("cert.pem", "certificate\n");
    return 0;
}

static int folder_remove(void **state)
{
    (void)state;
    static const char *const names[] = {"kanal.conf", "secret", "key", "cert.pem"};
    for (size_t n = 0; n < sizeof names / sizeof names[0]; n++) {
        char full[64];
        snprintf(full, sizeof full, "%s/%s", folder, names[n]);
        unlink(full);
    }
    return rmdir(folder);
}

static void nothing_configured_is_a_working_gateway(void **state)
{
    (void)state;
    struct config config;
    struct buf mistakes = BUF_INIT(SETTINGS_MISTAKES_MAX);
    struct err err = ERR_INIT;
    assert_int_equal(settings_load(NULL, &config, &mistakes, &err), 0);
    assert_string_equal(settings_gateway(&config)->state, "state");
    assert_string_equal(settings_gateway(&config)->engine, "sqlite");
    assert_int_equal(settings_gateway(&config)->queue_bytes, 268435456);
    assert_string_equal(settings_http(&config)->public_address, "127.0.0.1:8080");
    assert_string_equal(settings_http(&config)->staff_address, "127.0.0.1:8081");
    assert_string_equal(settings_http(&config)->admin_address, "127.0.0.1:8082");
    assert_string_equal(settings_http(&config)->public_url, "http://127.0.0.1:8080");
    assert_string_equal(settings_core(&config)->kind, "embedded");
    assert_int_equal(settings_core(&config)->poll, 10);
    assert_int_equal(settings_city(&config)->utc_offset_minutes, 420);
    assert_string_equal(settings_city(&config)->emergency, "112");
    assert_int_equal(settings_notices(&config)->ack_window, 3600);
    assert_null(settings_keys(&config)->key.data);
    size_t n = 0;
    const struct config_section *channel = settings_channel_next(&config, &n);
    assert_string_equal(channel->name, "web");
    assert_string_equal(channel->type, "web_form");
    assert_null(settings_channel_next(&config, &n));
    config_release(&config);
}

static void reads_what_is_configured(void **state)
{
    (void)state;
    write_file("kanal.conf", "[gateway]\nstate = /var/lib/kanal\nqueue_max = 5\n"
                             "[http]\npublic_url = https://lapor.example.org/\nproxy = ::1\n"
                             "tls_certificate = cert.pem\ntls_key = key\n"
                             "public = unix:/run/kanal/public\n"
                             "[core]\nkind = http\nurl = https://core.example.org/api\n"
                             "secret = file:secret\n"
                             "[keys]\nkey = file:key\n"
                             "[channel email-pusat]\ntype = mail\nhost = mail.example.org\n"
                             "[channel formulir]\ntype = web_form\n");
    struct config config;
    struct buf mistakes = BUF_INIT(SETTINGS_MISTAKES_MAX);
    struct err err = ERR_INIT;
    settings_load(path, &config, &mistakes, &err);
    assert_string_equal(mistakes.data, "");
    assert_string_equal(settings_http(&config)->public_url, "https://lapor.example.org");
    assert_string_equal(settings_core(&config)->secret.data, "rahasia");
    assert_int_equal(settings_keys(&config)->key.len, 64);
    size_t n = 0;
    const struct config_section *channel = settings_channel_next(&config, &n);
    assert_string_equal(channel->name, "email-pusat");
    assert_string_equal(((const struct mail *)channel->settings)->host, "mail.example.org");
    assert_string_equal(settings_channel_next(&config, &n)->name, "formulir");
    assert_null(settings_channel_next(&config, &n));
    config_release(&config);
}

static const struct {
    const char *text, *mistakes; /* without the path in front */
} bad[] = {
    {"[http]\ntls_certificate = cert.pem\n",
     ":1: http.tls_key: is missing, expected the key of tls_certificate\n"},
    {"\n[http]\ntls_key = key\n",
     ":2: http.tls_certificate: is missing, expected the certificate of tls_key\n"},
    {"[http]\ntls_certificate = cert.pem\ntls_key = missing.pem\n",
     ":1: http.tls_key: cannot be read: No such file or directory\n"},
    {"[http]\npublic = 8080\n",
     ":1: http.public: is no address, expected ADDRESS:PORT, [ADDRESS]:PORT or unix:/path\n"},
    {"[http]\nstaff = localhost:8081\nadmin =\n",
     ":1: http.staff: is no address, expected ADDRESS:PORT, [ADDRESS]:PORT or unix:/path\n"
     ":1: http.admin: is no address, expected ADDRESS:PORT, [ADDRESS]:PORT or unix:/path\n"},
    {"[http]\nproxy = proxy.example.org\n",
     ":1: http.proxy: is no IP address, expected one such as 127.0.0.1 or ::1\n"},
    {"[http]\npublic = unix:/run/kanal/public\n",
     ":1: http.public_url: is missing, expected what citizens reach Kanal by\n"},
    {"[core]\nkind = http\n",
     ":1: core.url: is missing, expected where the core of kind http listens\n"
     ":1: core.secret: is missing, expected the secret shared with the core\n"},
    {"[core]\nurl = https://core.example.org\n",
     ":1: core.url: is set, expected kind = http with it\n"},
    {"[gateway]\nstate =\n", ":1: gateway.state: is empty, expected a folder\n"},
    {"[city]\nname =\nemergency =\n",
     ":1: city.name: is empty, expected the city's name\n"
     ":1: city.emergency: is empty, expected a telephone number\n"},
    {"[keys]\nkey = file:secret\n", ":1: keys.key: is no key, expected 64 hexadecimal digits\n"},
    {"[channel a]\ntype = mail\nhost = bad\n", ":1: channel a.host: is bad, expected a good one\n"},
    {"[channel a]\ntype = web-form\n",
     ":2: channel a.type: is unknown (did you mean 'web_form'?), expected one of mail, web_form\n"},
    {"[channel web]\ntype = mail\nhost = mail.example.org\n",
     ": [channel web] stands in the file with another type, expected another name for it\n"},
};

static void the_url_follows_the_address(void **state)
{
    static const char *const urls[][2] = {
        {"public = 127.0.0.1:18080\n", "http://127.0.0.1:18080"},
        {"public = 0.0.0.0:80\n", "http://127.0.0.1:80"},
        {"public = [::]:8443\ntls_certificate = cert.pem\ntls_key = key\n", "https://[::1]:8443"},
        {"public = 0.0.0.0:80\npublic_url = https://lapor.example.org\n",
         "https://lapor.example.org"},
    };
    (void)state;
    for (size_t n = 0; n < sizeof urls / sizeof urls[0]; n++) {
        struct config config;
        struct buf mistakes = BUF_INIT(SETTINGS_MISTAKES_MAX), text = BUF_INIT(1024);
        struct err err = ERR_INIT;
        buf_addf(&text, "[http]\n%s", urls[n][0]);
        write_file("kanal.conf", text.data);
        settings_load(path, &config, &mistakes, &err);
        assert_string_equal(mistakes.data, "");
        assert_string_equal(settings_http(&config)->public_url, urls[n][1]);
        config_release(&config);
        buf_release(&mistakes);
        buf_release(&text);
    }
}

static void says_what_does_not_fit_together(void **state)
{
    (void)state;
    for (size_t n = 0; n < sizeof bad / sizeof bad[0]; n++) {
        write_file("kanal.conf", bad[n].text);
        struct config config;
        struct buf mistakes = BUF_INIT(SETTINGS_MISTAKES_MAX), expected = BUF_INIT(4096);
        struct err err = ERR_INIT;
        assert_int_equal(settings_load(path, &config, &mistakes, &err), -1);
        assert_int_equal(err.kind, ERR_CONFIG);
        assert_int_equal(config.section_count, 0);
        for (const char *line = bad[n].mistakes; *line != '\0'; line = strchr(line, '\n') + 1)
            buf_addf(&expected, "%s%.*s\n", path, (int)strcspn(line, "\n"), line);
        assert_string_equal(mistakes.data, expected.data);
        buf_release(&mistakes);
        buf_release(&expected);
    }
}

static void the_reference_loads(void **state)
{
    (void)state;
    struct buf help = BUF_INIT(100000), mistakes = BUF_INIT(SETTINGS_MISTAKES_MAX);
    settings_help(&help);
    write_file("kanal.conf", help.data);
    struct config config;
    struct err err = ERR_INIT;
    settings_load(path, &config, &mistakes, &err);
    assert_string_equal(mistakes.data, "");
    assert_non_null(strstr(help.data, "\n#connections_per_address = 200\n"));
    config_release(&config);
    buf_release(&help);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_configured_is_a_working_gateway),
        cmocka_unit_test(reads_what_is_configured),
        cmocka_unit_test(the_url_follows_the_address),
        cmocka_unit_test(says_what_does_not_fit_together),
        cmocka_unit_test(the_reference_loads),
    };
    return cmocka_run_group_tests(tests, folder_make, folder_remove);
}
