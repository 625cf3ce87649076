/* SPDX-License-Identifier: Apache-2.0 */
/* `kanal queue` and `kanal quarantine`: work in flight, work given up, messages not understood. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/command.h"
#include "gateway/gateway.h"

static const char queue_usage[] =
    "usage: kanal queue [-c FILE] [--state DIR] [--json] [waiting|leased|buried]\n"
    "       kanal queue [-c FILE] [--state DIR] retry NUMBER\n"
    "Without a word: counts. With one: the rows in that state, oldest first.\n"
    "retry: a buried row is due again (the gateway must run).\n";

static const char quarantine_usage[] =
    "usage: kanal quarantine [-c FILE] [--state DIR] [--json] [list]\n"
    "       kanal quarantine [-c FILE] [--state DIR] replay ID\n"
    "list: messages that could not be normalized, and why.\n"
    "replay: has the vault open the original and normalizes it again (the gateway must run;\n"
    "an entry in the audit log).\n";

static const char *const topic_names[] = {
    [QUEUE_TO_CORE] = "core", [QUEUE_TO_REPORTER] = "reporter"};

static void print_json(json_t *value)
{
    char *text = json_dumps(value, JSON_COMPACT);
    puts(text);
    free(text);
    json_decref(value);
}

static int queue_counts(struct command *command)
{
    struct queue_stats stats;
    struct err err = ERR_INIT;
    if (queue_stats(command->queue, &stats, &err) != 0)
        return command_fail("cannot read the queue", &err);
    const struct {
        const char *name;
        int64_t value;
    } counts[] = {
        {"reports", stats.reports},
        {"followups", stats.followups},
        {"not_reports", stats.not_reports},
        {"quarantined", stats.quarantined},
        {"core_waiting", stats.waiting[QUEUE_TO_CORE]},
        {"core_leased", stats.leased[QUEUE_TO_CORE]},
        {"core_buried", stats.buried[QUEUE_TO_CORE]},
        {"reporter_waiting", stats.waiting[QUEUE_TO_REPORTER]},
        {"reporter_leased", stats.leased[QUEUE_TO_REPORTER]},
        {"reporter_buried", stats.buried[QUEUE_TO_REPORTER]},
    };
    json_t *model = json_object();
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
        json_object_set_new(model, counts[i].name, json_integer(counts[i].value));
        if (!command->json)
            printf("%-17s %" PRId64 "\n", counts[i].name, counts[i].value);
    }
    if (command->json)
        print_json(model);
    else
        json_decref(model);
    return COMMAND_DONE;
}

static void queue_print_row(const struct command *command, const struct queue_row *row)
{
    if (command->json)
        print_json(json_pack("{s:I, s:s, s:s, s:s, s:i, s:I, s:s}", "number", (json_int_t)row->id,
                             "report", row->report_id, "to", topic_names[row->topic], "kind",
                             row->kind, "attempts", row->attempts, "not_before_ms",
                             (json_int_t)row->not_before_ms, "reason", row->reason));
    else
        printf("%6" PRId64 "  %s  %-8s  %-7s  %3d tries  %s\n", row->id, row->report_id,
               topic_names[row->topic], row->kind, row->attempts, row->reason);
}

static int queue_print_rows(struct command *command, enum queue_row_state state)
{
    struct queue_row *rows = NULL;
    size_t n = 0;
    struct err err = ERR_INIT;
    int64_t after = 0;
    do {
        if (queue_rows(command->queue, state, after, &rows, &n, &err) != 0)
            return command_fail("cannot read the queue", &err);
        for (size_t i = 0; i < n; i++)
            queue_print_row(command, &rows[i]);
        if (n > 0)
            after = rows[n - 1].id;
        free(rows);
        rows = NULL;
    } while (n == QUEUE_LIST_MAX);
    return COMMAND_DONE;
}

static int queue_retry(struct command *command)
{
    char *end = NULL;
    long long number = command->argument_count == 2 ? strtoll(command->arguments[1], &end, 10) : 0;
    if (number <= 0 || *end != '\0')
        return command_usage(command);
    return command_control(command, "/queue/revive", json_pack("{s:I}", "id", (json_int_t)number));
}

static int queue_run(struct command *command)
{
    static const struct {
        const char *word;
        enum queue_row_state state;
    } words[] = {{"waiting", QUEUE_WAITING}, {"leased", QUEUE_LEASED}, {"buried", QUEUE_BURIED}};
    if (command->argument_count == 0)
        return queue_counts(command);
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (command->argument_count == 1 && strcmp(command->arguments[0], words[i].word) == 0)
            return queue_print_rows(command, words[i].state);
    if (strcmp(command->arguments[0], "retry") == 0)
        return queue_retry(command);
    return command_usage(command);
}

int command_queue(int argc, char **argv)
{
    struct command command;
    int status = command_start(&command, queue_usage, argc, argv);
    if (status == -1)
        status = command_open(&command);
    if (status == -1)
        status = queue_run(&command);
    command_end(&command);
    return status;
}

static int quarantine_print(struct command *command, const char *id)
{
    struct queue_report report;
    struct err err = ERR_INIT;
    int found = queue_report_get(command->queue, id, &report, &err);
    if (found != 1) /* 0: replayed meanwhile */
        return found < 0 ? command_fail("cannot read the quarantine", &err) : COMMAND_DONE;
    char day[DAY_TEXT_SIZE];
    gateway_day_text(report.received_day, day);
    if (command->json)
        print_json(json_pack("{s:s, s:s, s:s, s:s}", "id", report.id, "day", day, "channel",
                             report.channel_id, "reason", report.reason));
    else
        printf("%s  %s  %-20s  %s\n", report.id, day, report.channel_id, report.reason);
    queue_report_release(&report);
    return COMMAND_DONE;
}

static int quarantine_list(struct command *command)
{
    char last[REPORT_ID_SIZE] = "";
    char(*ids)[REPORT_ID_SIZE] = NULL;
    size_t n = 0;
    struct err err = ERR_INIT;
    int status = COMMAND_DONE;
    do {
        if (queue_ids(command->queue, QUEUE_QUARANTINE, last[0] != '\0' ? last : NULL, &ids, &n,
                      &err) != 0)
            return command_fail("cannot read the quarantine", &err);
        for (size_t i = 0; i < n && status == COMMAND_DONE; i++)
            status = quarantine_print(command, ids[i]);
        if (n > 0)
            memcpy(last, ids[n - 1], sizeof last);
        free(ids);
        ids = NULL;
    } while (n == QUEUE_LIST_MAX && status == COMMAND_DONE);
    return status;
}

int command_quarantine(int argc, char **argv)
{
    struct command command;
    char id[REPORT_ID_SIZE];
    int status = command_start(&command, quarantine_usage, argc, argv);
    if (status == -1)
        status = command_open(&command);
    if (status == -1) {
        const char *word = command.argument_count > 0 ? command.arguments[0] : "list";
        if (strcmp(word, "list") == 0 && command.argument_count <= 1)
            status = quarantine_list(&command);
        else if (strcmp(word, "replay") != 0 || command.argument_count != 2)
            status = command_usage(&command);
        else if (!command_id(&command, 1, id))
            status = COMMAND_USAGE;
        else
            status = command_control(&command, "/quarantine/replay", json_pack("{s:s}", "id", id));
    }
    command_end(&command);
    return status;
}
