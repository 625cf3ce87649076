/* SPDX-License-Identifier: Apache-2.0 */
/* `kanal channels` and `kanal audit`: is every channel alive, and who opened what. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/command.h"
#include "gateway/process.h"
#include "gateway/vault.h"

static const char channels_usage[] =
    "usage: kanal channels [-c FILE] [--state DIR] [--json]\n"
    "Prints the health of every configured channel: state, last success, last message, how many\n"
    "messages wait upstream (lag), next try and why it fails. At most five seconds old; state\n"
    "'down': the gateway does not run, the rest is what it last knew.\n";

static const char audit_usage[] =
    "usage: kanal audit [-c FILE] [--state DIR] [--json]\n"
    "Prints every opening of sealed data and checks that no entry was changed or removed.\n"
    "Exit status 1: the chain is broken.\n";

/* "3m ago", "in 40s", "-": what a person wants to know of a moment. */
static void channels_ago(int64_t then_ms, int64_t now_ms, char text[static 24])
{
    static const struct {
        int64_t seconds;
        char unit;
    } units[] = {{86400, 'd'}, {3600, 'h'}, {60, 'm'}, {1, 's'}};
    int64_t seconds = (then_ms > now_ms ? then_ms - now_ms : now_ms - then_ms) / 1000;
    if (then_ms == 0) {
        snprintf(text, 24, "-");
        return;
    }
    size_t i = 0;
    while (i < 3 && seconds < units[i].seconds)
        i++;
    snprintf(text, 24, then_ms > now_ms ? "in %" PRId64 "%c" : "%" PRId64 "%c ago",
             seconds / units[i].seconds, units[i].unit);
}

static int64_t channels_number(const json_t *health, const char *name)
{
    return json_integer_value(json_object_get(health, name));
}

static const char *channels_text(const json_t *health, const char *name, const char *missing)
{
    const char *text = json_string_value(json_object_get(health, name));
    return text != NULL ? text : missing;
}

static void channels_print(const char *id, const char *type, const json_t *health, bool runs)
{
    int64_t now_ms = clock_wall_ms();
    char success[24], message[24], next[24], lag[24] = "-";
    channels_ago(channels_number(health, "last_success_ms"), now_ms, success);
    channels_ago(channels_number(health, "last_message_ms"), now_ms, message);
    channels_ago(runs ? channels_number(health, "next_try_ms") : 0, now_ms, next);
    if (health != NULL && channels_number(health, "lag") >= 0)
        snprintf(lag, sizeof lag, "%" PRId64, channels_number(health, "lag"));
    printf("%-20s %-10s %-8s %-12s %-12s %6s %8" PRId64 " %8" PRId64 " %-8s %s\n", id, type,
           runs ? channels_text(health, "state", "unknown") : "down", success, message, lag,
           channels_number(health, "accepted"), channels_number(health, "quarantined"), next,
           channels_text(health, "why", ""));
}

static int channels_one(struct command *command, const struct config_section *section, bool runs)
{
    struct buf text = BUF_INIT(QUEUE_TEXT_MAX);
    struct err err = ERR_INIT;
    if (queue_health_get(command->queue, section->name, &text, &err) < 0) {
        buf_release(&text);
        return command_fail("cannot read the channels' health", &err);
    }
    json_t *health = json_loadb(text.data, text.len, 0, NULL);
    if (command->json) {
        json_t *model = health != NULL ? json_incref(health) : json_object();
        json_object_set_new(model, "channel", json_string(section->name));
        json_object_set_new(model, "type", json_string(section->type));
        json_object_set_new(model, "running", json_boolean(runs));
        char *line = json_dumps(model, JSON_COMPACT);
        puts(line);
        free(line);
        json_decref(model);
    } else {
        channels_print(section->name, section->type, health, runs);
    }
    json_decref(health);
    buf_release(&text);
    return COMMAND_DONE;
}

int command_channels(int argc, char **argv)
{
    struct command command;
    int status = command_start(&command, channels_usage, argc, argv);
    if (status == -1 && command.argument_count != 0)
        status = command_usage(&command);
    if (status == -1)
        status = command_open(&command);
    if (status == -1) {
        bool runs = command_gateway_runs(&command);
        status = COMMAND_DONE;
        if (!command.json)
            printf("%-20s %-10s %-8s %-12s %-12s %6s %8s %8s %-8s %s\n", "CHANNEL", "TYPE", "STATE",
                   "SUCCESS", "MESSAGE", "LAG", "ACCEPTED", "QUARANT.", "NEXT", "WHY");
        const struct config_section *section;
        size_t n = 0;
        while (status == COMMAND_DONE &&
               (section = settings_channel_next(&command.config, &n)) != NULL)
            status = channels_one(&command, section, runs);
    }
    command_end(&command);
    return status;
}

int command_audit(int argc, char **argv)
{
    struct command command;
    int status = command_start(&command, audit_usage, argc, argv);
    if (status == -1 && command.argument_count != 0)
        status = command_usage(&command);
    if (status == -1) {
        struct buf dir = BUF_INIT(4096);
        buf_addf(&dir, "%s/vault", command.state);
        status = vault_audit_print(dir.data, command.json);
        buf_release(&dir);
    }
    command_end(&command);
    return status;
}
