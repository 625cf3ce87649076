/* SPDX-License-Identifier: Apache-2.0 */
/* `kanal report` and `kanal track`: one report as the queue holds it, without the reporter. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/command.h"
#include "gateway/gateway.h"
#include "normalize/mem.h"

static const char report_usage[] =
    "usage: kanal report [-c FILE] [--state DIR] ID\n"
    "Prints one report as canonical JSON (kanal.report/1). The reporter is not in it.\n";

static const char track_usage[] =
    "usage: kanal track [-c FILE] [--state DIR] [--json] ID\n"
    "Prints what the tracking page shows for a report ID: its state and timeline.\n";

/* What is done with a report that is there. Returns the exit status. */
typedef int report_action(struct command *command, const struct queue_report *report);

/* Reads the one ID of the command line and does action with its report. */
static int report_run(const char *usage, int argc, char **argv, report_action *action)
{
    struct command command;
    struct queue_report report;
    struct err err = ERR_INIT;
    char id[REPORT_ID_SIZE];
    int status = command_start(&command, usage, argc, argv);
    if (status == -1 && command.argument_count != 1)
        status = command_usage(&command);
    if (status == -1 && !command_id(&command, 0, id))
        status = COMMAND_USAGE;
    if (status == -1)
        status = command_open(&command);
    if (status == -1) {
        int found = queue_report_get(command.queue, id, &report, &err);
        if (found == 1) {
            status = action(&command, &report);
            queue_report_release(&report);
        } else if (found == 0) {
            fputs("kanal: no report has that ID\n", stderr);
            status = COMMAND_REFUSED;
        } else {
            status = command_fail("cannot read the report", &err);
        }
    }
    command_end(&command);
    return status;
}

static int report_print(struct command *command, const struct queue_report *report)
{
    int status = COMMAND_DONE;
    struct err err = ERR_INIT;
    struct buf body = BUF_INIT(QUEUE_BODY_MAX);
    if (report->kind == QUEUE_QUARANTINE) {
        fprintf(stderr, "kanal: the message waits in quarantine: %s\n", report->reason);
        status = COMMAND_REFUSED;
    } else if (seal_load(command->seal, report->id, "body", report->body.data, report->body.len,
                         &body, &err) != 0) {
        status = command_fail("cannot open the report", &err);
    } else {
        puts(body.data);
    }
    buf_wipe(&body);
    return status;
}

int command_report(int argc, char **argv)
{
    return report_run(report_usage, argc, argv, report_print);
}

static void track_print_json(const char *shown, const struct queue_timeline_item *items, size_t n)
{
    json_t *timeline = json_array();
    for (size_t i = 0; i < n; i++) {
        char day[DAY_TEXT_SIZE];
        gateway_day_text(items[i].day, day);
        json_array_append_new(
            timeline, json_pack("{s:s, s:s, s:s?, s:s?}", "day", day, "state", items[i].state,
                                "agency", items[i].agency[0] != '\0' ? items[i].agency : NULL,
                                "answer", items[i].answer));
    }
    json_t *model = json_pack("{s:s, s:s, s:o}", "id", shown, "state", items[n - 1].state,
                              "timeline", timeline);
    char *text = json_dumps(model, JSON_COMPACT);
    puts(text);
    free(text);
    json_decref(model);
}

static void track_print_text(const char *shown, const struct queue_timeline_item *items, size_t n)
{
    printf("%s  %s\n", shown, items[n - 1].state);
    for (size_t i = 0; i < n; i++) {
        char day[DAY_TEXT_SIZE];
        gateway_day_text(items[i].day, day);
        printf("%s  %-17s %s  %s\n", day, items[i].state, items[i].agency,
               items[i].answer != NULL ? items[i].answer : "");
    }
}

/* As the tracking page has it: the day of receipt opens the timeline. */
static int track_run(struct command *command, const struct queue_report *report)
{
    struct queue_timeline_item *changes = NULL;
    size_t n = 0;
    struct err err = ERR_INIT;
    if (queue_timeline(command->queue, report->id, &changes, &n, &err) != 0)
        return command_fail("cannot read the report", &err);
    struct queue_timeline_item *items = mem_calloc(n + 1, sizeof *items);
    items[0] = (struct queue_timeline_item){.day = report->received_day, .state = STATE_RECEIVED};
    if (n > 0)
        memcpy(items + 1, changes, n * sizeof *items);
    char shown[REPORT_ID_SHOWN_SIZE];
    report_id_show(report->id, shown);
    if (command->json)
        track_print_json(shown, items, n + 1);
    else
        track_print_text(shown, items, n + 1);
    free(items);
    queue_timeline_free(changes, n);
    return COMMAND_DONE;
}

int command_track(int argc, char **argv)
{
    return report_run(track_usage, argc, argv, track_run);
}
