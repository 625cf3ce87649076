/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `kanal core`: the reference ticket store as a process of its own. It ends at SIGTERM, or, started
 * by the gateway, when the gateway's end of the inherited socket closes.
 */
#include "gateway/core/core_main.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <poll.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "gateway/core/core.h"
#include "gateway/page.h"
#include "gateway/process.h"
#include "normalize/mem.h"

enum {
    EXIT_USAGE = 2,
    CORE_THREADS = 6, /* up to three may be hashing a password */
    CORE_CONNECTIONS_MAX = 500,
    CORE_SECRET_MIN = 16,
    CORE_SECRET_MAX = 1024,
    PATH_BYTES_MAX = 4096,
    /* Evaluated logins: per address (an office behind one), and per account by all addresses. */
    ADDRESS_LOGINS = 30,
    ADDRESS_WINDOW_MS = 60 * 1000,
    ACCOUNT_LOGINS = 1200,
    ACCOUNT_WINDOW_MS = 3600 * 1000,
    LOGIN_SLOTS = 8192,
};

static const char usage[] =
    "usage: kanal core --listen ADDRESS --state DIR --secret-file FILE\n"
    "       kanal core user add|passwd|disable|list ... (kanal core user --help)\n"
    "The reference core: tickets by the HTTP contract, and pages for officers.\n"
    "  --listen ADDRESS        127.0.0.1:8090, [::1]:8090 or unix:/path\n"
    "  --state DIR             where core.db lies\n"
    "  --secret-file FILE      the secret requests are signed with, in its first line\n"
    "  --trusted-proxy ADDRESS believe X-Forwarded-For and -Proto from there\n"
    "  --lifeline FD           end when the other end of this socket closes\n";

static const struct http_route routes[] = {
    {"POST", "/tickets", core_post_ticket, CORE_TICKET_BYTES_MAX},
    {"POST", "/tickets/*", core_post_update, CORE_UPDATE_BYTES_MAX},
    {"GET", "/updates", core_get_updates, 0},
    {"POST", "/accounts", core_post_accounts, CORE_FORM_BYTES_MAX},
    {"GET", "/", core_get_list, 0},
    {"GET", "/t/*", core_get_ticket, 0},
    {"POST", "/t/*", core_post_state, CORE_FORM_BYTES_MAX},
    {"GET", "/photo/*", core_get_photo, 0},
    {"GET", "/login", core_get_login, 0},
    {"POST", "/login", core_post_login, CORE_FORM_BYTES_MAX},
    {"POST", "/logout", core_post_logout, CORE_FORM_BYTES_MAX},
    {"GET", "/password", core_get_password, 0},
    {"POST", "/password", core_post_password, CORE_FORM_BYTES_MAX},
    {"GET", "/static/*", core_get_static, 0},
    {.method = NULL},
};

char *core_read_secret(const char *path, struct err *err)
{
    char line[CORE_SECRET_MAX + 2];
    FILE *file = fopen(path, "re");
    char *secret = NULL;
    size_t len;

    if (file == NULL) {
        err_set(err, ERR_CONFIG, "cannot read '%s': %s", path, strerror(errno));
        return NULL;
    }
    if (fgets(line, sizeof(line), file) == NULL)
        line[0] = '\0';
    fclose(file);
    len = strcspn(line, "\r\n");
    if (len < CORE_SECRET_MIN || len > CORE_SECRET_MAX)
        err_set(err, ERR_CONFIG, "cannot use the secret in '%s': it needs %d to %d characters",
                path, CORE_SECRET_MIN, CORE_SECRET_MAX);
    else
        secret = mem_strndup(line, len);
    sodium_memzero(line, sizeof(line));
    return secret;
}

/* One process per folder. */
static int take_lock(struct core *core, struct err *err)
{
    struct buf path = BUF_INIT(PATH_BYTES_MAX);

    buf_addf(&path, "%s/core.lock", core->folder);
    core->lock_file = open(path.data, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    buf_release(&path);
    if (core->lock_file < 0)
        return err_set(err, ERR_CONFIG, "cannot open the lock in '%s': %s", core->folder,
                       strerror(errno));
    if (flock(core->lock_file, LOCK_EX | LOCK_NB) != 0)
        return err_set(err, ERR_CONFIG, "cannot use '%s': another core does", core->folder);
    return 0;
}

int core_open(struct core *core, const char *folder, struct err *err)
{
    core->folder = mem_strdup(folder);
    core->lock_file = -1;
    pthread_mutex_init(&core->lock, NULL);
    pthread_mutex_init(&core->password_lock, NULL);
    if (sodium_init() < 0)
        return err_set(err, ERR_CONFIG, "cannot start libsodium");
    if (mkdir(folder, 0700) != 0 && errno != EEXIST)
        return err_set(err, ERR_CONFIG, "cannot make '%s': %s", folder, strerror(errno));
    if (take_lock(core, err) != 0)
        return -1;
    crypto_shorthash_keygen(core->rate_key);
    core->throttle = core_throttle_new();
    core->address_logins = limiter_new(ADDRESS_LOGINS, ADDRESS_WINDOW_MS, LOGIN_SLOTS);
    core->account_logins = limiter_new(ACCOUNT_LOGINS, ACCOUNT_WINDOW_MS, LOGIN_SLOTS);
    return core_db_open(core, err);
}

void core_close(struct core *core)
{
    core_db_close(core);
    core_throttle_free(core->throttle);
    limiter_free(core->address_logins);
    limiter_free(core->account_logins);
    if (core->lock_file >= 0)
        close(core->lock_file);
    if (core->secret != NULL)
        sodium_memzero(core->secret, strlen(core->secret));
    free(core->secret);
    free(core->folder);
    pthread_mutex_destroy(&core->lock);
    pthread_mutex_destroy(&core->password_lock);
}

struct core_options {
    const char *listen, *state, *secret_file, *trusted_proxy;
    int lifeline; /* -1: none */
};

/* -1: go on; otherwise the exit status. */
static int read_options(int argc, char **argv, struct core_options *out)
{
    static const struct option options[] = {
        {"listen", required_argument, NULL, 'l'},
        {"state", required_argument, NULL, 's'},
        {"secret-file", required_argument, NULL, 'f'},
        {"trusted-proxy", required_argument, NULL, 'p'},
        {"lifeline", required_argument, NULL, 'n'},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
    };
    int option;

    optind = 1;
    while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
        switch (option) {
        case 'l':
            out->listen = optarg;
            break;
        case 's':
            out->state = optarg;
            break;
        case 'f':
            out->secret_file = optarg;
            break;
        case 'p':
            out->trusted_proxy = optarg;
            break;
        case 'n':
            out->lifeline = (int)strtol(optarg, NULL, 10);
            break;
        case 'h':
            fputs(usage, stdout);
            return EXIT_SUCCESS;
        default:
            fputs(usage, stderr);
            return EXIT_USAGE;
        }
    }
    if (out->listen == NULL || out->state == NULL || out->secret_file == NULL || optind < argc) {
        fputs(usage, stderr);
        return EXIT_USAGE;
    }
    return -1;
}

/* Returns at a signal that asks for the end, or when the lifeline's other end is gone. */
static void wait_for_end(int signals, int lifeline)
{
    struct pollfd waits[2] = {{.fd = signals, .events = POLLIN},
                              {.fd = lifeline, .events = POLLIN}};
    char byte;

    for (;;) {
        if (poll(waits, 2, -1) < 0)
            continue;
        if (waits[0].revents != 0)
            return;
        if (waits[1].revents != 0 && read(lifeline, &byte, 1) <= 0)
            return;
    }
}

static int serve(struct core *core, const struct core_options *options, struct err *err)
{
    const struct http_listener listener = {
        .name = "core",
        .address = options->listen,
        .routes = routes,
        .context = core,
        .threads = CORE_THREADS,
        .connections_max = CORE_CONNECTIONS_MAX,
        .trusted_proxy = options->trusted_proxy == NULL && strncmp(options->listen, "unix:", 5) == 0
                             ? "unix"
                             : options->trusted_proxy,
        .render = page_http_render,
    };
    struct http_server *server;
    sigset_t signals;
    int signal_fd;

    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    pthread_sigmask(SIG_BLOCK, &signals, NULL); /* before any thread is started */
    signal_fd = signalfd(-1, &signals, SFD_CLOEXEC);
    if (http_server_start(&listener, &server, err) != 0) {
        close(signal_fd);
        return -1;
    }
    wait_for_end(signal_fd, options->lifeline);
    http_server_stop(server);
    close(signal_fd);
    return 0;
}

int core_main(int argc, char **argv)
{
    struct core_options options = {.lifeline = -1};
    struct core core = {.db = NULL};
    struct err err = ERR_INIT;
    int status, result = -1;

    if (argc > 1 && strcmp(argv[1], "user") == 0)
        return core_users_main(argc - 1, argv + 1);
    status = read_options(argc, argv, &options);
    if (status >= 0)
        return status;
    if (options.lifeline >= 0)
        process_begin_role("kanal-core");
    signal(SIGPIPE, SIG_IGN);
    if (core_open(&core, options.state, &err) == 0 && page_start(&err) == 0)
        core.secret = core_read_secret(options.secret_file, &err);
    if (core.secret != NULL && core_account_first(&core, &err) == 0)
        result = serve(&core, &options, &err);
    if (result != 0)
        fprintf(stderr, "kanal core: %s\n", err.text);
    page_stop();
    core_close(&core);
    return result == 0 ? EXIT_SUCCESS : EXIT_USAGE;
}
