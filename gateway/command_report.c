/* SPDX-License-Identifier: Apache-2.0 */
/* `kanal report` and `kanal track`: one report as the queue holds it, without the reporter. */
#include <stdio.h>
#include <stdlib.h>

#include "gateway/command.h"
#include "gateway/gateway.h"

static const char report_usage[] =
    "usage: kanal report [-c FILE] [--state DIR] ID\n"
    "Prints one report as canonical JSON (kanal.report/1). The reporter is not in it.\n";

static const char track_usage[] =
    "usage: kanal track [-c FILE] [--state DIR] [--json] ID\n"
    "Prints what the tracking page shows for a report ID: its state and timeline.\n";

static int report_print(struct command *command, const char *id)
{
    struct queue_report report;
    struct err err = ERR_INIT;
    int found = queue_report_get(command->queue, id, &report, &err);
    if (found < 0)
        return command_fail("cannot read the report", &err);
    if (found == 0) {
        fputs("kanal: no report has that ID\n", stderr);
        return COMMAND_REFUSED;
    }
    int status = COMMAND_DONE;
    struct buf body = BUF_INIT(QUEUE_BODY_MAX);
    if (report.kind == QUEUE_QUARANTINE) {
        fprintf(stderr, "kanal: the message waits in quarantine: %s\n", report.reason);
        status = COMMAND_REFUSED;
    } else if (seal_load(command->seal, id, "body", report.body.data, report.body.len, &body,
                         &err) != 0) {
        status = command_fail("cannot open the report", &err);
    } else {
        puts(body.data);
    }
    buf_wipe(&body);
    queue_report_release(&report);
    return status;
}

int command_report(int argc, char **argv)
{
    struct command command;
    char id[REPORT_ID_SIZE];
    int status = command_start(&command, report_usage, argc, argv);
    if (status == -1 && command.argument_count != 1)
        status = command_usage(&command);
    if (status == -1 && !command_id(&command, 0, id))
        status = COMMAND_USAGE;
    if (status == -1)
        status = command_open(&command);
    if (status == -1)
        status = report_print(&command, id);
    command_end(&command);
    return status;
}

static json_t *track_json(const struct queue_timeline_item *item)
{
    char day[DAY_TEXT_SIZE];
    gateway_day_text(item->day, day);
    return json_pack("{s:s, s:s, s:s?, s:s?}", "day", day, "state", item->state, "agency",
                     item->agency[0] != '\0' ? item->agency : NULL, "answer", item->answer);
}

static void track_print(const struct command *command, const char *id,
                        const struct queue_timeline_item *items, size_t n)
{
    char shown[REPORT_ID_SHOWN_SIZE];
    report_id_show(id, shown);
    const char *state = n > 0 ? items[n - 1].state : "Menunggu";
    if (!command->json) {
        printf("%s  %s\n", shown, state);
        for (size_t i = 0; i < n; i++) {
            char day[DAY_TEXT_SIZE];
            gateway_day_text(items[i].day, day);
            printf("%s  %-17s %s  %s\n", day, items[i].state, items[i].agency,
                   items[i].answer != NULL ? items[i].answer : "");
        }
        return;
    }
    json_t *timeline = json_array();
    for (size_t i = 0; i < n; i++)
        json_array_append_new(timeline, track_json(&items[i]));
    json_t *model = json_pack("{s:s, s:s, s:o}", "id", shown, "state", state, "timeline", timeline);
    char *text = json_dumps(model, JSON_COMPACT);
    puts(text);
    free(text);
    json_decref(model);
}

static int track_run(struct command *command, const char *id)
{
    struct queue_report report;
    struct queue_timeline_item *items = NULL;
    size_t n = 0;
    struct err err = ERR_INIT;
    int found = queue_report_get(command->queue, id, &report, &err);
    if (found == 1) {
        queue_report_release(&report);
        found = queue_timeline(command->queue, id, &items, &n, &err) == 0 ? 1 : -1;
    }
    if (found < 0)
        return command_fail("cannot read the report", &err);
    if (found == 0) {
        fputs("kanal: no report has that ID\n", stderr);
        return COMMAND_REFUSED;
    }
    track_print(command, id, items, n);
    queue_timeline_free(items, n);
    return COMMAND_DONE;
}

int command_track(int argc, char **argv)
{
    struct command command;
    char id[REPORT_ID_SIZE];
    int status = command_start(&command, track_usage, argc, argv);
    if (status == -1 && command.argument_count != 1)
        status = command_usage(&command);
    if (status == -1 && !command_id(&command, 0, id))
        status = COMMAND_USAGE;
    if (status == -1)
        status = command_open(&command);
    if (status == -1)
        status = track_run(&command, id);
    command_end(&command);
    return status;
}
