/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `kanal core user`: officers' accounts from the command line. While the core runs, the running
 * process does the work (its database has one connection and one writer); else this one does.
 */
#include <getopt.h>
#include <time.h>
#include <unistd.h>

#include "adapters/http_client.h"
#include "adapters/signature.h"
#include "gateway/core/core.h"
#include "gateway/settings.h"
#include "normalize/mem.h"
#include "normalize/report.h"

enum { EXIT_DONE = 0, EXIT_REFUSED = 1, EXIT_USAGE = 2, EXIT_AGAIN = 75, ANSWER_MAX = 1024 * 1024 };

static const char usage[] =
    "usage: kanal core user add NAME [--agency TEXT]\n"
    "       kanal core user passwd NAME\n"
    "       kanal core user disable NAME\n"
    "       kanal core user list\n"
    "Officers' accounts of the reference core. add and passwd print the new password, once; the\n"
    "officer changes it on the page. passwd also enables a disabled account.\n"
    "  -c FILE              the gateway's configuration, which names its state folder\n"
    "  --state DIR          the gateway's state folder, or the core's own (wins over -c)\n"
    "  --listen ADDRESS     where a core of its own listens, if not on its socket in DIR\n"
    "  --secret-file FILE   its secret, if not in DIR\n"
    "  --json               print one JSON object\n";

struct users_command {
    const char *config_path, *state, *listen, *secret_file, *agency;
    bool json;
};

static json_t *with_password(int result, const struct buf *password)
{
    return result == 0 ? json_pack("{s:s}", "password", password->data) : NULL;
}

json_t *core_accounts_do(struct core *core, const json_t *order, struct err *err)
{
    const char *verb = json_string_value(json_object_get(order, "do"));
    const char *name = json_string_value(json_object_get(order, "name"));
    const char *agency = json_string_value(json_object_get(order, "agency"));
    struct buf password = BUF_INIT(100);
    json_t *done = NULL;

    if (verb != NULL && strcmp(verb, "list") == 0)
        return json_pack("{s:o}", "accounts", core_account_list(core));
    if (verb == NULL || name == NULL)
        err_set(err, ERR_PERMANENT, "cannot do that: no verb or name");
    else if (agency != NULL && strlen(agency) > CORE_AGENCY_MAX)
        err_set(err, ERR_PERMANENT, "cannot do that: the agency is too long");
    else if (strcmp(verb, "add") == 0)
        done = with_password(core_account_add(core, name, agency, &password, err), &password);
    else if (strcmp(verb, "passwd") == 0)
        done = with_password(core_account_reset(core, name, &password, err), &password);
    else if (strcmp(verb, "disable") == 0)
        done = core_account_disable(core, name, err) == 0 ? json_object() : NULL;
    else
        err_set(err, ERR_PERMANENT, "cannot do that: unknown verb");
    buf_wipe(&password);
    return done;
}

/* The core's folder: DIR itself, or DIR/core of a gateway's state. */
static void find_folder(const char *state, struct buf *folder)
{
    buf_addf(folder, "%s/core.db", state);
    if (access(folder->data, F_OK) == 0) {
        buf_truncate(folder, strlen(state));
        return;
    }
    buf_clear(folder);
    buf_addf(folder, "%s/core", state);
}

/* Asks the running core. Its refusals come as {"errors": [{"message"}]}. */
static json_t *ask(const struct users_command *command, const char *folder, const char *order,
                   struct err *err)
{
    struct buf url = BUF_INIT(4096), path = BUF_INIT(4096), signature = BUF_INIT(256),
               timestamp = BUF_INIT(64);
    const char *headers[] = {"webhook-id: accounts", NULL, NULL, NULL};
    struct http_client_request request = {.headers = headers, .answer_max = ANSWER_MAX};
    struct http_client *client = http_client_create();
    struct http_client_answer answer;
    json_t *done = NULL, *errors;
    char *secret;
    int64_t now_s = time(NULL);

    buf_addf(&path, "%s/secret", folder);
    secret = core_read_secret(command->secret_file == NULL ? path.data : command->secret_file, err);
    if (secret == NULL)
        goto out;
    buf_clear(&path);
    if (command->listen == NULL)
        buf_addf(&path, "%s/core.sock", folder);
    else if (strncmp(command->listen, "unix:", 5) == 0)
        buf_add_text(&path, command->listen + 5);
    buf_addf(&url, "http://%s/accounts", path.len > 0 ? "core" : command->listen);
    buf_add_text(&signature, "webhook-signature: ");
    signature_make(secret, "accounts", now_s, order, strlen(order), &signature);
    buf_addf(&timestamp, "webhook-timestamp: %lld", (long long)now_s);
    headers[1] = timestamp.data;
    headers[2] = signature.data;
    request.url = url.data;
    request.unix_socket = path.len > 0 ? path.data : NULL;
    request.body = order;
    request.body_len = strlen(order);
    if (http_client_call(client, &request, &answer, err) != 0)
        goto out;
    done = json_loadb(answer.body.data, answer.body.len, 0, NULL);
    errors = json_object_get(done, "errors");
    if (answer.status != 200) {
        const char *message =
            json_string_value(json_object_get(json_array_get(errors, 0), "message"));

        err_set(err, ERR_PERMANENT, "%s", message == NULL ? "the core refused" : message);
        json_decref(done);
        done = NULL;
    }
    http_client_answer_release(&answer);
out:
    if (secret != NULL)
        sodium_memzero(secret, strlen(secret));
    free(secret);
    http_client_free(client);
    buf_release(&url);
    buf_release(&path);
    buf_release(&signature);
    buf_release(&timestamp);
    return done;
}

static json_t *perform(const struct users_command *command, const json_t *order, struct err *err)
{
    struct buf folder = BUF_INIT(4096);
    struct core core = {.db = NULL};
    struct err held = ERR_INIT;
    json_t *done = NULL;
    char *text = json_canonical(order);

    find_folder(command->state, &folder);
    if (command->listen != NULL || core_open(&core, folder.data, &held) != 0)
        done = ask(command, folder.data, text, err);
    else
        done = core_accounts_do(&core, order, err);
    if (command->listen == NULL)
        core_close(&core);
    free(text);
    buf_release(&folder);
    return done;
}

static void print(const struct users_command *command, const json_t *done)
{
    const json_t *accounts = json_object_get(done, "accounts");
    const char *password = json_string_value(json_object_get(done, "password"));
    size_t i;
    json_t *account;
    char *text;

    if (command->json) {
        text = json_canonical(done);
        puts(text);
        free(text);
        return;
    }
    if (password != NULL)
        printf("password: %s\n", password);
    json_array_foreach(accounts, i, account)
    {
        const char *agency = json_string_value(json_object_get(account, "agency"));

        printf("%s%s%s%s\n", json_string_value(json_object_get(account, "name")),
               agency == NULL ? "" : "\t", agency == NULL ? "" : agency,
               json_is_true(json_object_get(account, "disabled")) ? "\t(disabled)" : "");
    }
}

/* -1: go on; otherwise the exit status. */
static int read_options(int argc, char **argv, struct users_command *command)
{
    static const struct option options[] = {
        {"config", required_argument, NULL, 'c'}, {"state", required_argument, NULL, 's'},
        {"listen", required_argument, NULL, 'l'}, {"secret-file", required_argument, NULL, 'f'},
        {"agency", required_argument, NULL, 'a'}, {"json", no_argument, NULL, 'j'},
        {"help", no_argument, NULL, 'h'},         {NULL, 0, NULL, 0},
    };
    int option;

    optind = 1;
    while ((option = getopt_long(argc, argv, "c:h", options, NULL)) != -1) {
        switch (option) {
        case 'c':
            command->config_path = optarg;
            break;
        case 's':
            command->state = optarg;
            break;
        case 'l':
            command->listen = optarg;
            break;
        case 'f':
            command->secret_file = optarg;
            break;
        case 'a':
            command->agency = optarg;
            break;
        case 'j':
            command->json = true;
            break;
        case 'h':
            fputs(usage, stdout);
            return EXIT_DONE;
        default:
            fputs(usage, stderr);
            return EXIT_USAGE;
        }
    }
    return -1;
}

/* Without --state the configuration says where; its mistakes are printed. */
static int find_state(struct users_command *command, struct config *config)
{
    struct buf mistakes = BUF_INIT(SETTINGS_MISTAKES_MAX);
    struct err err = ERR_INIT;
    int status = -1;

    if (command->state == NULL && settings_load(command->config_path, config, &mistakes, &err) != 0)
        status = fputs(mistakes.data, stderr) < 0 ? EXIT_REFUSED : EXIT_USAGE;
    else if (command->state == NULL)
        command->state = settings_gateway(config)->state;
    buf_release(&mistakes);
    return status;
}

int core_users_main(int argc, char **argv)
{
    struct users_command command = {.state = NULL};
    struct config config = {.sections = NULL};
    struct err err = ERR_INIT;
    json_t *order, *done;
    int status = read_options(argc, argv, &command);

    if (status < 0)
        status = find_state(&command, &config);
    if (status >= 0)
        return status;
    if (argc - optind < 1 || argc - optind > 2) {
        fputs(usage, stderr);
        config_release(&config);
        return EXIT_USAGE;
    }
    order = json_pack("{s:s, s:s?, s:s?}", "do", argv[optind], "name",
                      argc - optind == 2 ? argv[optind + 1] : NULL, "agency", command.agency);
    done = perform(&command, order, &err);
    if (done == NULL) {
        fprintf(stderr, "kanal core user: %s\n", err.text);
        status = err.kind == ERR_TRANSIENT ? EXIT_AGAIN : EXIT_REFUSED;
    } else {
        print(&command, done);
        status = EXIT_DONE;
    }
    json_decref(order);
    json_decref(done);
    config_release(&config);
    return status;
}
