/* SPDX-License-Identifier: Apache-2.0 */
/* The tables of the fixed sections, and the channels' from the adapters. */
#include "gateway/settings.h"

#include <stdint.h>
#include <string.h>

#include "adapters/adapter.h"
#include "gateway/settings_check.h"

#define OF(type, field) offsetof(struct type, field)

static const struct option_spec gateway_options[] = {
    {.name = "state",
     .type = OPTION_PATH,
     .offset = OF(gateway_settings, state),
     .fallback = "state",
     .help = "folder of everything Kanal keeps: queue, keys, vault; by default below the folder it "
             "is started in; --state on the command line wins"},
    {.name = "engine",
     .type = OPTION_CHOICE,
     .offset = OF(gateway_settings, engine),
     .fallback = "sqlite",
     .choices = "sqlite memory",
     .help = "where reports wait; memory keeps nothing over a restart and is for trials only"},
    {.name = "workers",
     .type = OPTION_INT,
     .offset = OF(gateway_settings, workers),
     .fallback = "0",
     .min = 0,
     .max = 256,
     .help = "sandboxed processes that read messages; 0: one per processor"},
    {.name = "queue_max",
     .type = OPTION_INT,
     .offset = OF(gateway_settings, queue_max),
     .fallback = "1000",
     .min = 1,
     .max = 1000000,
     .help = "messages that may wait for a worker; beyond that channels wait and forms are asked "
             "to try again"},
    {.name = "queue_bytes",
     .type = OPTION_BYTES,
     .offset = OF(gateway_settings, queue_bytes),
     .fallback = "256MiB",
     .min = INBOUND_RAW_MAX,
     .max = 1024LL * 1024 * 1024 * 1024,
     .help = "memory these messages may take; at least one message of 42 MiB"},
    {0},
};

static const struct option_spec http_options[] = {
    {.name = "public",
     .type = OPTION_STRING,
     .offset = OF(http_settings, public_address),
     .fallback = "127.0.0.1:8080",
     .help = "where citizens' pages, the JSON interface and webhooks are served: ADDRESS:PORT, "
             "[ADDRESS]:PORT or unix:/path"},
    {.name = "staff",
     .type = OPTION_STRING,
     .offset = OF(http_settings, staff_address),
     .fallback = "127.0.0.1:8081",
     .help = "where officers' pages are served; never the internet"},
    {.name = "admin",
     .type = OPTION_STRING,
     .offset = OF(http_settings, admin_address),
     .fallback = "127.0.0.1:8082",
     .help = "where /healthz, /readyz and /metrics are served; never the internet"},
    {.name = "public_url",
     .type = OPTION_URL,
     .offset = OF(http_settings, public_url),
     .help = "what citizens reach the public listener by; links in notices begin with it; by "
             "default the public listener's own address"},
    {.name = "tls_certificate",
     .type = OPTION_PATH,
     .offset = OF(http_settings, tls_certificate),
     .help = "certificate chain (PEM file) when the public listener speaks TLS itself"},
    {.name = "tls_key",
     .type = OPTION_PATH,
     .offset = OF(http_settings, tls_key),
     .help = "private key (PEM file) of tls_certificate"},
    {.name = "proxy",
     .type = OPTION_STRING,
     .offset = OF(http_settings, proxy),
     .help = "IP address of the reverse proxy in front: only its X-Forwarded-For and "
             "X-Forwarded-Proto are believed"},
    {.name = "connections",
     .type = OPTION_INT,
     .offset = OF(http_settings, connections),
     .fallback = "10000",
     .min = 10,
     .max = 1000000,
     .help = "open connections per listener"},
    {.name = "connections_per_address",
     .type = OPTION_INT,
     .offset = OF(http_settings, connections_per_address),
     .fallback = "200",
     .min = 1,
     .max = 1000000,
     .help = "open connections of one address; mobile networks put thousands of people behind one"},
    {.name = "threads",
     .type = OPTION_INT,
     .offset = OF(http_settings, threads),
     .fallback = "0",
     .min = 0,
     .max = 256,
     .help = "threads of the public listener; 0: one per processor"},
    {0},
};

static const struct option_spec core_options[] = {
    {.name = "kind",
     .type = OPTION_CHOICE,
     .offset = OF(core_settings, kind),
     .fallback = "embedded",
     .choices = "embedded http",
     .help = "the ticket store: embedded starts Kanal's own, http is the city's"},
    {.name = "url",
     .type = OPTION_URL,
     .offset = OF(core_settings, url),
     .help = "where a core of kind http takes tickets"},
    {.name = "secret",
     .type = OPTION_SECRET,
     .offset = OF(core_settings, secret),
     .help = "shared with a core of kind http; signs tickets and updates"},
    {.name = "poll",
     .type = OPTION_SECONDS,
     .offset = OF(core_settings, poll),
     .fallback = "10s",
     .min = 1,
     .max = 86400,
     .help = "time between two questions for updates"},
    {0},
};

static const struct option_spec city_options[] = {
    {.name = "name",
     .type = OPTION_STRING,
     .offset = OF(city_settings, name),
     .fallback = "DKI Jakarta",
     .help = "as pages and notices call it"},
    {.name = "emergency",
     .type = OPTION_STRING,
     .offset = OF(city_settings, emergency),
     .fallback = "112",
     .help = "telephone number pages and notices give for emergencies"},
    {.name = "utc_offset",
     .type = OPTION_INT,
     .offset = OF(city_settings, utc_offset_minutes),
     .fallback = "420",
     .min = -720,
     .max = 840,
     .help = "minutes local time is ahead of UTC: 420 WIB, 480 WITA, 540 WIT"},
    {.name = "templates",
     .type = OPTION_PATH,
     .offset = OF(city_settings, templates),
     .help = "folder of notice texts that replace the built-in ones, e.g. ack.id.txt"},
    {0},
};

static const struct option_spec notices_options[] = {
    {.name = "ack_per_address",
     .type = OPTION_INT,
     .offset = OF(notices_settings, ack_per_address),
     .fallback = "10",
     .min = 0,
     .max = 100000,
     .help = "acknowledgements one address gets within ack_window; beyond that reports are still "
             "taken, in silence"},
    {.name = "ack_window",
     .type = OPTION_SECONDS,
     .offset = OF(notices_settings, ack_window),
     .fallback = "1h",
     .min = 1,
     .max = 30 * 86400,
     .help = "the window of ack_per_address"},
    {0},
};

static const struct option_spec keys_options[] = {
    {.name = "key",
     .type = OPTION_SECRET,
     .offset = OF(keys_settings, key),
     .help = "the gateway's key, 64 hexadecimal digits; without it STATE/gateway.key, made at the "
             "first start"},
    {0},
};

static const struct option_spec *channel_variant(const char *type, size_t *settings_size)
{
    const struct adapter *adapter = adapter_find(type);
    if (adapter == NULL)
        return NULL;
    *settings_size = adapter->settings_size;
    return adapter->options;
}

static void channel_names(struct buf *out)
{
    for (const struct adapter *const *adapter = adapters; *adapter != NULL; adapter++)
        buf_addf(out, "%s%s", out->len == 0 ? "" : ", ", (*adapter)->name);
}

#define FIXED(word, sentence)                                                                      \
    {                                                                                              \
        .section = #word, .options = word##_options,                                               \
        .settings_size = sizeof(struct word##_settings), .help = (sentence)                        \
    }

static const struct config_kind settings_kinds[] = {
    FIXED(gateway, "The gateway itself."),
    FIXED(http, "The listeners."),
    FIXED(core, "The ticket store reports are forwarded to."),
    FIXED(city, "The city Kanal answers for."),
    FIXED(notices, "Answers to citizens."),
    FIXED(keys, "The key of everything the gateway stores."),
    {.section = "channel",
     .named = true,
     .variant = channel_variant,
     .variant_names = channel_names,
     .help = "One channel each. NAME is part of how repeated messages are recognised: never rename "
             "a channel. Without any of type web_form there is [channel web]."},
    {0},
};

/* The form is there unless the file names another one. */
static int settings_add_form(struct config *config, struct err *err)
{
    static const char form[] = "web_form";
    const struct config_section *section;
    for (size_t n = 0; (section = settings_channel_next(config, &n)) != NULL;) {
        if (strcmp(section->type, form) == 0)
            return 0;
    }
    if (adapter_find(form) == NULL)
        return 0;
    const struct config_kind *kind = settings_kinds;
    while (!kind->named)
        kind++;
    return config_add(config, kind, "web", form, err);
}

/* What a browser on this machine calls an address that listens on all of them. */
static const char *settings_reachable(const char *address, const char **rest)
{
    static const char *const any[][2] = {{"0.0.0.0:", "127.0.0.1:"}, {"[::]:", "[::1]:"}};
    for (size_t n = 0; n < sizeof any / sizeof any[0]; n++) {
        if (strncmp(address, any[n][0], strlen(any[n][0])) == 0) {
            *rest = address + strlen(any[n][0]);
            return any[n][1];
        }
    }
    *rest = address;
    return "";
}

/* A socket's path is no URL: then there is none. */
static char *settings_own_url(const struct http_settings *http)
{
    struct buf url = BUF_INIT(1024);
    const char *rest, *host;
    if (http->public_address == NULL || strncmp(http->public_address, "unix:", 5) == 0)
        return NULL;
    host = settings_reachable(http->public_address, &rest);
    buf_addf(&url, "%s://%s%s", http->tls_certificate != NULL ? "https" : "http", host, rest);
    return buf_detach(&url, NULL);
}

/* Paths are appended to it, each with a slash of its own. */
static void settings_complete_url(struct http_settings *http)
{
    size_t len = http->public_url == NULL ? 0 : strlen(http->public_url);
    if (http->public_url == NULL)
        http->public_url = settings_own_url(http);
    else if (http->public_url[len - 1] == '/')
        http->public_url[len - 1] = '\0';
}

int settings_load(const char *path, struct config *out, struct buf *mistakes, struct err *err)
{
    if (config_load(path, settings_kinds, out, mistakes, err) != 0)
        return -1;
    /* The only change ever made to what was read: nobody else has it yet. */
    settings_complete_url((struct http_settings *)(uintptr_t)settings_http(out));
    struct err form_err = ERR_INIT;
    struct mistakes found = {0};
    if (settings_add_form(out, &form_err) != 0)
        mistake_add(&found, 0, "%s", form_err.text);
    settings_check(out, &found);
    int result = found.count == 0 ? 0 : -1;
    if (result != 0) {
        mistakes_write(&found, path == NULL ? "defaults" : path, mistakes, err);
        config_release(out);
    }
    mistakes_release(&found);
    return result;
}

const struct gateway_settings *settings_gateway(const struct config *config)
{
    return config_settings(config, "gateway");
}

const struct http_settings *settings_http(const struct config *config)
{
    return config_settings(config, "http");
}

const struct core_settings *settings_core(const struct config *config)
{
    return config_settings(config, "core");
}

const struct city_settings *settings_city(const struct config *config)
{
    return config_settings(config, "city");
}

const struct notices_settings *settings_notices(const struct config *config)
{
    return config_settings(config, "notices");
}

const struct keys_settings *settings_keys(const struct config *config)
{
    return config_settings(config, "keys");
}

const struct config_section *settings_channel_next(const struct config *config, size_t *n)
{
    while (*n < config->section_count) {
        const struct config_section *section = &config->sections[(*n)++];
        if (section->kind->variant == channel_variant)
            return section;
    }
    return NULL;
}

void settings_help(struct buf *out)
{
    config_help(settings_kinds, out);
}
