/* SPDX-License-Identifier: Apache-2.0 */
/* `kanal help-config`: the references that are generated from the tables themselves. */
#include <getopt.h>
#include <stdio.h>

#include "gateway/command.h"
#include "gateway/log.h"
#include "gateway/metrics.h"

enum { HELP_CONFIG_MAX = 1024 * 1024 };

static const char usage[] = "usage: kanal help-config [--events | --metrics]\n"
                            "\n"
                            "Prints every option of the configuration with its type, default and "
                            "meaning, as a file to start\n"
                            "from.\n"
                            "\n"
                            "      --events   every event of the log instead\n"
                            "      --metrics  every metric of the admin listener instead\n"
                            "  -h, --help     this text\n";

static void help_events(struct buf *out)
{
#define HELP_EVENT(id, name, level, help) buf_addf(out, "%-18s %-5s  %s\n", name, level, help);
    LOG_EVENTS(HELP_EVENT)
#undef HELP_EVENT
}

static void help_metrics(struct buf *out)
{
#define HELP_METRIC(id, name, type, per_channel, help)                                             \
    buf_addf(out, "%-34s %s%s  %s\n", name, type, per_channel ? " per channel" : "            ",   \
             help);
    METRICS(HELP_METRIC)
#undef HELP_METRIC
}

/* What the options ask for; NULL and *status when there is nothing to print. */
static void (*help_choose(int argc, char **argv, int *status))(struct buf *)
{
    static const struct option options[] = {
        {"events", no_argument, NULL, 'e'},
        {"metrics", no_argument, NULL, 'm'},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
    };
    void (*chosen)(struct buf *) = settings_help;
    int option;
    while ((option = getopt_long(argc, argv, "h", options, NULL)) != -1) {
        if (option == 'e')
            chosen = help_events;
        else if (option == 'm')
            chosen = help_metrics;
        else {
            *status = option == 'h' ? COMMAND_DONE : COMMAND_USAGE;
            fputs(usage, option == 'h' ? stdout : stderr);
            return NULL;
        }
    }
    if (optind == argc)
        return chosen;
    fputs(usage, stderr);
    *status = COMMAND_USAGE;
    return NULL;
}

int command_help_config(int argc, char **argv)
{
    int status = COMMAND_DONE;
    void (*print)(struct buf *) = help_choose(argc, argv, &status);
    if (print == NULL)
        return status;
    struct buf out = BUF_INIT(HELP_CONFIG_MAX);
    print(&out);
    if (fputs(out.data, stdout) < 0)
        status = COMMAND_REFUSED;
    buf_release(&out);
    return status;
}
