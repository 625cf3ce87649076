/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/listeners.h"

#include <errno.h>
#include <gnutls/gnutls.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "config/secret.h"
#include "gateway/admin.h"
#include "gateway/http.h"
#include "gateway/page.h"
#include "gateway/proxy.h"
#include "gateway/services.h"
#include "gateway/updates.h"
#include "gateway/webhook.h"
#include "normalize/mem.h"

enum {
    LISTENERS_ROUTES_MAX = 32,
    LISTENERS_PATH_MAX = 4096,
    LISTENERS_PEM_MAX = 256 * 1024, /* a certificate and a long chain */
    WEBHOOK_BODY_MAX = 1024 * 1024,
    UPDATES_BODY_MAX = 8 * 1024 * 1024,
    LISTENERS_INSIDE_CONNECTIONS = 1000, /* staff, admin, control */
};

struct listeners {
    struct services services;
    struct proxy *proxy;
    struct http_route public_routes[LISTENERS_ROUTES_MAX];
    struct http_server *servers[4];
    size_t server_count;
    char *control_address;
    char *certificate; /* PEM contents */
    struct secret key;
};

/* The site's context is the services; behind them is the gateway. */
static void listeners_webhook(void *context, struct http_exchange *exchange)
{
    webhook_route(((struct services *)context)->gateway, exchange);
}

static void listeners_updates(void *context, struct http_exchange *exchange)
{
    updates_receive(((struct services *)context)->gateway, exchange);
}

static const struct http_route listeners_more_routes[] = {
    {.method = "GET", .path = "/c/*", .handler = listeners_webhook},
    {.method = "POST", .path = "/c/*", .handler = listeners_webhook, .body_max = WEBHOOK_BODY_MAX},
    {.method = "POST",
     .path = "/core/updates",
     .handler = listeners_updates,
     .body_max = UPDATES_BODY_MAX},
    {.method = NULL},
};

static size_t listeners_copy_routes(struct http_route *to, size_t n, const struct http_route *from)
{
    for (; from->method != NULL && n < LISTENERS_ROUTES_MAX - 1; from++)
        to[n++] = *from;
    return n;
}

/* The key is a secret like any other: a file that others may read is refused. */
static int listeners_read_key(const char *path, struct secret *out, struct err *err)
{
    struct buf source = BUF_INIT(LISTENERS_PATH_MAX);
    buf_addf(&source, "file:%s", path);
    int result = secret_read(source.data, NULL, out, err);
    buf_release(&source);
    return result;
}

/* The certificate and its chain are for everybody. */
static int listeners_read_certificate(const char *path, char **out, struct err *err)
{
    char block[4096];
    struct buf text = BUF_INIT(LISTENERS_PEM_MAX);
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return err_set(err, ERR_CONFIG, "cannot open '%s': %s", path, strerror(errno));
    size_t n;
    while ((n = fread(block, 1, sizeof block, file)) > 0)
        buf_add(&text, block, n);
    fclose(file);
    *out = buf_detach(&text, NULL);
    return 0;
}

/* What is wrong with an address is told by the option that holds it. */
static int listeners_fail(const char *name, const struct err *cause, struct err *err)
{
    return err_set(err, cause->kind, "http.%s: %s", name, cause->text);
}

static int listeners_add(struct listeners *listeners, const struct http_listener *listener,
                         struct err *err)
{
    struct err cause = ERR_INIT;
    if (http_server_start(listener, &listeners->servers[listeners->server_count], &cause) != 0)
        return listeners_fail(listener->name, &cause, err);
    listeners->server_count++;
    return 0;
}

/* A renewal written by half is met here, not by the listener that would no longer start. */
static int listeners_check_pair(const struct http_settings *next, struct err *err)
{
    gnutls_certificate_credentials_t pair;
    if (next->tls_certificate == NULL)
        return 0;
    if (gnutls_certificate_allocate_credentials(&pair) < 0)
        abort();
    int code = gnutls_certificate_set_x509_key_file(pair, next->tls_certificate, next->tls_key,
                                                    GNUTLS_X509_FMT_PEM);
    gnutls_certificate_free_credentials(pair);
    if (code >= 0)
        return 0;
    return err_set(err, ERR_CONFIG,
                   "http.tls_certificate: does not fit tls_key, expected a pair of PEM files");
}

int listeners_check(const struct http_settings *now, const struct http_settings *next,
                    struct err *err)
{
    const struct {
        const char *name, *now, *next;
    } addresses[] = {
        {"public", now->public_address, next->public_address},
        {"staff", now->staff_address, next->staff_address},
        {"admin", now->admin_address, next->admin_address},
    };
    for (size_t i = 0; i < sizeof addresses / sizeof *addresses; i++) {
        struct err cause = ERR_INIT;
        if (strcmp(addresses[i].now, addresses[i].next) != 0 &&
            http_address_free(addresses[i].next, &cause) != 0)
            return listeners_fail(addresses[i].name, &cause, err);
    }
    return listeners_check_pair(next, err);
}

static int listeners_public(struct listeners *listeners, struct gateway *gateway, struct err *err)
{
    const struct http_settings *http = gateway->http;
    size_t n = listeners_copy_routes(listeners->public_routes, 0, site_routes);
    listeners_copy_routes(listeners->public_routes, n, listeners_more_routes);
    if (http->tls_certificate != NULL &&
        (listeners_read_certificate(http->tls_certificate, &listeners->certificate, err) != 0 ||
         listeners_read_key(http->tls_key, &listeners->key, err) != 0))
        return -1;
    const struct http_listener listener = {
        .name = "public",
        .address = http->public_address,
        .routes = listeners->public_routes,
        .context = &listeners->services,
        .threads =
            http->threads > 0 ? (unsigned)http->threads : (unsigned)sysconf(_SC_NPROCESSORS_ONLN),
        .connections_max = (unsigned)http->connections,
        .per_address_max = (unsigned)http->connections_per_address,
        .tls_certificate = listeners->certificate,
        .tls_key = listeners->key.data,
        .trusted_proxy = http->proxy,
        .render = page_http_render,
    };
    return listeners_add(listeners, &listener, err);
}

static int listeners_inside(struct listeners *listeners, const char *name, const char *address,
                            const struct http_route *routes, void *context, const char *proxy,
                            struct err *err)
{
    const struct http_listener listener = {
        .name = name,
        .address = address,
        .routes = routes,
        .context = context,
        .threads = 1,
        .connections_max = LISTENERS_INSIDE_CONNECTIONS,
        .trusted_proxy = proxy,
        .render = page_http_render,
    };
    return listeners_add(listeners, &listener, err);
}

int listeners_start(struct gateway *gateway, const struct core_process *core,
                    struct listeners **out, struct err *err)
{
    struct listeners *listeners = *out = mem_calloc(1, sizeof *listeners);
    const struct http_settings *http = gateway->http;
    services_init(&listeners->services, gateway);
    struct buf path = BUF_INIT(LISTENERS_PATH_MAX);
    buf_addf(&path, "unix:%s/control.sock", gateway->state);
    listeners->control_address = buf_detach(&path, NULL);
    if (core != NULL && (proxy_start(core_process_socket(core), &listeners->proxy, err) != 0 ||
                         listeners_inside(listeners, "staff", http->staff_address, proxy_routes,
                                          listeners->proxy, http->proxy, err) != 0))
        return -1;
    if (listeners_inside(listeners, "control", listeners->control_address, control_routes, gateway,
                         NULL, err) != 0 ||
        listeners_public(listeners, gateway, err) != 0)
        return -1;
    /* Last: whoever finds us ready finds all of us. */
    return listeners_inside(listeners, "admin", http->admin_address, admin_routes, gateway, NULL,
                            err);
}

void listeners_drain(struct listeners *listeners)
{
    for (size_t i = 0; listeners != NULL && i < listeners->server_count; i++)
        http_server_drain(listeners->servers[i]);
}

size_t listeners_busy(const struct listeners *listeners)
{
    size_t busy = 0;
    for (size_t i = 0; listeners != NULL && i < listeners->server_count; i++)
        busy += http_server_busy(listeners->servers[i]);
    return busy;
}

void listeners_cancel(struct listeners *listeners)
{
    if (listeners != NULL)
        proxy_cancel(listeners->proxy);
}

static void listeners_end(struct http_server *server, struct buf *kept)
{
    if (kept == NULL)
        http_server_stop(server);
    else
        http_server_hand_over(server, kept);
}

void listeners_stop(struct listeners *listeners, struct buf *kept)
{
    if (listeners == NULL)
        return;
    while (listeners->server_count > 0)
        listeners_end(listeners->servers[--listeners->server_count], kept);
    proxy_stop(listeners->proxy);
    services_release(&listeners->services);
    free(listeners->certificate);
    secret_release(&listeners->key);
    free(listeners->control_address);
    free(listeners);
}
