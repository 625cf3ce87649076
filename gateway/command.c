/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/command.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "adapters/http_client.h"
#include "gateway/process.h"

enum { COMMAND_ANSWER_MAX = 64 * 1024 };

int command_usage(const struct command *command)
{
    fputs(command->usage, stderr);
    return COMMAND_USAGE;
}

int command_fail(const char *what, const struct err *err)
{
    fprintf(stderr, "kanal: %s: %s\n", what, err->text);
    if (err->kind == ERR_TRANSIENT)
        return COMMAND_AGAIN;
    return err->kind == ERR_CONFIG ? COMMAND_USAGE : COMMAND_REFUSED;
}

int command_start(struct command *command, const char *usage, int argc, char **argv)
{
    static const struct option options[] = {
        {"config", required_argument, NULL, 'c'},
        {"state", required_argument, NULL, 's'},
        {"json", no_argument, NULL, 'j'},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
    };
    *command = (struct command){.usage = usage};
    int option;
    while ((option = getopt_long(argc, argv, "c:h", options, NULL)) != -1) {
        if (option == 'c')
            command->config_path = optarg;
        else if (option == 's')
            command->state = optarg;
        else if (option == 'j')
            command->json = true;
        else if (option == 'h')
            return fputs(usage, stdout) < 0 ? COMMAND_REFUSED : COMMAND_DONE;
        else
            return command_usage(command);
    }
    command->arguments = argv + optind;
    command->argument_count = argc - optind;
    struct buf mistakes = BUF_INIT(SETTINGS_MISTAKES_MAX);
    struct err err = ERR_INIT;
    int status = -1;
    if (settings_load(command->config_path, &command->config, &mistakes, &err) != 0) {
        fputs(mistakes.len > 0 ? mistakes.data : err.text, stderr);
        status = COMMAND_USAGE;
    } else if (command->state == NULL) {
        command->state = settings_gateway(&command->config)->state;
    }
    buf_release(&mistakes);
    return status;
}

int command_open(struct command *command)
{
    const struct keys_settings *keys = settings_keys(&command->config);
    const struct gateway_settings *settings = settings_gateway(&command->config);
    struct buf path = BUF_INIT(4096);
    struct err err = ERR_INIT;
    bool created;
    buf_addf(&path, "%s/gateway.key", command->state);
    int result = seal_open(&keys->key, path.data, false, &created, &command->seal, &err);
    buf_clear(&path);
    buf_addf(&path, "%s/queue", command->state);
    const struct queue_options options = {.path = path.data, .read_only = true};
    if (result == 0)
        result = queue_open(settings->engine, &options, clock_wall_ms(), &command->queue, &err);
    buf_release(&path);
    return result == 0 ? -1 : command_fail("cannot open the state", &err);
}

void command_end(struct command *command)
{
    queue_close(command->queue);
    seal_close(command->seal);
    config_release(&command->config);
}

bool command_id(const struct command *command, int i, char id[static REPORT_ID_SIZE])
{
    if (i >= command->argument_count ||
        report_id_parse(command->arguments[i], strlen(command->arguments[i]), id) != 0) {
        fputs("kanal: a report ID is expected, such as 7KQ3-MXP9-T2FC\n", stderr);
        return false;
    }
    return true;
}

bool command_gateway_runs(const struct command *command)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int len =
        snprintf(address.sun_path, sizeof address.sun_path, "%s/control.sock", command->state);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool runs = fd >= 0 && len < (int)sizeof address.sun_path &&
                connect(fd, (const struct sockaddr *)&address, sizeof address) == 0;
    if (fd >= 0)
        close(fd);
    return runs;
}

static int command_answered(const struct http_client_answer *answer)
{
    if (answer->status == 200)
        return COMMAND_DONE;
    json_t *model = json_loadb(answer->body.data, answer->body.len, 0, NULL);
    const char *why = json_string_value(json_object_get(model, "error"));
    fprintf(stderr, "kanal: %s\n", why != NULL ? why : "refused");
    json_decref(model);
    return answer->status == 503 ? COMMAND_AGAIN : COMMAND_REFUSED;
}

int command_control(struct command *command, const char *path, json_t *body)
{
    struct buf url = BUF_INIT(4096), socket = BUF_INIT(4096);
    char *text = json_dumps(body, JSON_COMPACT);
    json_decref(body);
    buf_addf(&url, "http://gateway%s", path);
    buf_addf(&socket, "%s/control.sock", command->state);
    static const char *const headers[] = {"Content-Type: application/json", NULL};
    const struct http_client_request request = {
        .url = url.data,
        .unix_socket = socket.data,
        .headers = headers,
        .body = text,
        .body_len = strlen(text),
        .answer_max = COMMAND_ANSWER_MAX,
    };
    struct http_client *client = http_client_create();
    struct http_client_answer answer;
    struct err err = ERR_INIT;
    int status = COMMAND_DONE;
    if (http_client_call(client, &request, &answer, &err) != 0) {
        fputs("kanal: the gateway does not run (its control socket does not answer)\n", stderr);
        status = COMMAND_AGAIN;
    } else {
        status = command_answered(&answer);
        http_client_answer_release(&answer);
    }
    http_client_free(client);
    free(text);
    buf_release(&url);
    buf_release(&socket);
    return status;
}
