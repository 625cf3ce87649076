/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/settings_check.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "adapters/adapter.h"
#include "gateway/http.h"
#include "gateway/key_file.h"
#include "gateway/notice_text.h"
#include "gateway/settings.h"

/* One fixed section under check. */
struct checking {
    const char *section;
    int line;
    struct mistakes *mistakes;
};

static void check_add(const struct checking *checking, const char *key, const char *text)
{
    mistake_add(checking->mistakes, checking->line, "%s.%s: %s", checking->section, key, text);
}

static void check_address(const struct checking *checking, const char *key, const char *address)
{
    if (address == NULL || !http_address_fits(address))
        check_add(checking, key,
                  "is no address, expected ADDRESS:PORT, [ADDRESS]:PORT or unix:/path");
}

/* path: NULL is fine. */
static void check_readable(const struct checking *checking, const char *key, const char *path)
{
    if (path != NULL && access(path, R_OK) != 0)
        mistake_add(checking->mistakes, checking->line, "%s.%s: cannot be read: %s",
                    checking->section, key, strerror(errno));
}

static void check_http(const struct checking *checking, const void *settings)
{
    const struct http_settings *http = settings;
    check_address(checking, "public", http->public_address);
    check_address(checking, "staff", http->staff_address);
    check_address(checking, "admin", http->admin_address);
    if (http->public_url == NULL)
        check_add(checking, "public_url", "is missing, expected what citizens reach Kanal by");
    if (http->tls_certificate != NULL && http->tls_key == NULL)
        check_add(checking, "tls_key", "is missing, expected the key of tls_certificate");
    if (http->tls_key != NULL && http->tls_certificate == NULL)
        check_add(checking, "tls_certificate", "is missing, expected the certificate of tls_key");
    check_readable(checking, "tls_certificate", http->tls_certificate);
    check_readable(checking, "tls_key", http->tls_key);
    unsigned char address[sizeof(struct in6_addr)];
    if (http->proxy != NULL && inet_pton(AF_INET, http->proxy, address) != 1 &&
        inet_pton(AF_INET6, http->proxy, address) != 1)
        check_add(checking, "proxy", "is no IP address, expected one such as 127.0.0.1 or ::1");
}

static void check_core(const struct checking *checking, const void *settings)
{
    const struct core_settings *core = settings;
    bool http = strcmp(core->kind, "http") == 0;
    if (http && core->url == NULL)
        check_add(checking, "url", "is missing, expected where the core of kind http listens");
    if (http && core->secret.data == NULL)
        check_add(checking, "secret", "is missing, expected the secret shared with the core");
    if (!http && core->url != NULL)
        check_add(checking, "url", "is set, expected kind = http with it");
}

static void check_city(const struct checking *checking, const void *settings)
{
    const struct city_settings *city = settings;
    if (city->name == NULL)
        check_add(checking, "name", "is empty, expected the city's name");
    if (city->emergency == NULL)
        check_add(checking, "emergency", "is empty, expected a telephone number");
    if (city->templates == NULL)
        return;
    check_readable(checking, "templates", city->templates);
    struct notice_texts *texts = NULL;
    struct err err = ERR_INIT;
    if (notice_texts_load(city->templates, &texts, &err) != 0)
        check_add(checking, "templates", err.text);
    notice_texts_free(texts);
}

static void check_keys(const struct checking *checking, const void *settings)
{
    const struct secret *secret = &((const struct keys_settings *)settings)->key;
    unsigned char key[KEY_SIZE];
    if (secret->data != NULL && key_parse(secret->data, secret->len, key) != 0)
        check_add(checking, "key", "is no key, expected 64 hexadecimal digits");
    explicit_bzero(key, sizeof key);
}

static void check_gateway(const struct checking *checking, const void *settings)
{
    const struct gateway_settings *gateway = settings;
    if (gateway->state == NULL)
        check_add(checking, "state", "is empty, expected a folder");
}

static void check_channel(const struct config_section *section, struct mistakes *mistakes)
{
    const struct adapter *adapter = adapter_find(section->type);
    struct err err = ERR_INIT;
    if (adapter->check != NULL && adapter->check(section->settings, &err) != 0)
        mistake_add(mistakes, section->line, "channel %s.%s", section->name, err.text);
}

static const struct {
    const char *section;
    void (*check)(const struct checking *checking, const void *settings);
} checks[] = {
    {"gateway", check_gateway}, {"http", check_http}, {"core", check_core},
    {"city", check_city},       {"keys", check_keys},
};

void settings_check(const struct config *config, struct mistakes *mistakes)
{
    for (size_t n = 0; n < sizeof checks / sizeof checks[0]; n++) {
        const struct config_section *section = config_section(config, checks[n].section);
        const struct checking checking = {checks[n].section, section->line, mistakes};
        checks[n].check(&checking, section->settings);
    }
    const struct config_section *channel;
    for (size_t n = 0; (channel = settings_channel_next(config, &n)) != NULL;)
        check_channel(channel, mistakes);
}
