/* SPDX-License-Identifier: Apache-2.0 */
/* `kanal check`: everything that can be said about a configuration without starting anything. */
#include <stdio.h>

#include "gateway/command.h"

static const char usage[] =
    "usage: kanal check [-c FILE]\n"
    "\n"
    "Checks a configuration and prints OK, or every mistake in it as file:line: section.key: what "
    "is\n"
    "wrong, what is expected. Reads the secrets it names; opens no channel and no state.\n"
    "\n"
    "  -c, --config FILE  the configuration; without it, the defaults are checked\n"
    "  -h, --help         this text\n"
    "\n"
    "Exit status: 0 OK, 2 mistakes.\n";

int command_check(int argc, char **argv)
{
    struct command command;
    int status = command_start(&command, usage, argc, argv);
    if (status == -1 && command.argument_count > 0)
        status = command_usage(&command);
    if (status == -1)
        status = puts("OK") < 0 ? COMMAND_REFUSED : COMMAND_DONE;
    command_end(&command);
    return status;
}
