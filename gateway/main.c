/* SPDX-License-Identifier: Apache-2.0 */
/* The binary: one table of commands. Roles that the gateway starts itself are commands without
 * help. */
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include "config/suggest.h"
#include "gateway/command.h"
#include "gateway/core/core_main.h"
#include "gateway/serve.h"

static const struct {
    const char *name;
    int (*run)(int argc, char **argv); /* argv[0] is the command's name */
    const char *help;                  /* NULL: not for people */
} commands[] = {
    {"serve", command_serve, "serve the whole gateway"},
    {"check", command_check, "check a configuration"},
    {"help-config", command_help_config, "print every option, event and metric"},
    {"normalize", command_normalize, "show what becomes of a recorded message"},
    {"channels", command_channels, "show the health of every channel"},
    {"report", command_report, "print one report"},
    {"track", command_track, "print what tracking shows of a report"},
    {"queue", command_queue, "show work in flight, try again what was given up"},
    {"quarantine", command_quarantine, "show and replay what was not understood"},
    {"audit", command_audit, "show who opened what in the vault, check the log"},
    {"core", core_main, "the reference ticket store; `kanal core user` keeps its accounts"},
    {"vault", command_vault, NULL},
    {"normalize-worker", command_worker, NULL},
};

enum { COMMAND_COUNT = sizeof commands / sizeof commands[0] };

static void print_help(FILE *out)
{
    fputs("usage: kanal COMMAND [OPTION ...]\n"
          "       kanal COMMAND --help\n"
          "       kanal --version\n"
          "\n"
          "Takes in citizens' complaints from every channel and forwards them as private reports.\n"
          "\n",
          out);
    for (size_t n = 0; n < COMMAND_COUNT; n++) {
        if (commands[n].help != NULL)
            fprintf(out, "  %-12s %s\n", commands[n].name, commands[n].help);
    }
}

static int refuse(const char *name)
{
    const char *meant = NULL;
    size_t best = SUGGEST_NONE;
    for (size_t n = 0; n < COMMAND_COUNT; n++) {
        if (commands[n].help != NULL && suggest_closer(name, commands[n].name, &best))
            meant = commands[n].name;
    }
    fprintf(stderr, "kanal: '%s' is no command", name);
    if (meant != NULL)
        fprintf(stderr, " (did you mean '%s'?)", meant);
    fputs(", expected one that `kanal --help` shows\n", stderr);
    return COMMAND_USAGE;
}

static int run(int argc, char **argv)
{
    if (argc < 2) {
        print_help(stderr);
        return COMMAND_USAGE;
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0) {
        print_help(stdout);
        return COMMAND_DONE;
    }
    if (strcmp(argv[1], "--version") == 0)
        return puts("kanal " KANAL_VERSION) < 0 ? COMMAND_REFUSED : COMMAND_DONE;
    for (size_t n = 0; n < COMMAND_COUNT; n++) {
        if (strcmp(argv[1], commands[n].name) == 0)
            return commands[n].run(argc - 1, argv + 1);
    }
    return refuse(argv[1]);
}

/* Citizens' words, addresses and keys pass through the memory of every command: none of it goes
 * into a core dump, nor to whoever else runs as the same user. */
static void forbid_dumps(void)
{
    setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
    prctl(PR_SET_DUMPABLE, 0);
}

int main(int argc, char **argv)
{
    forbid_dumps();
    int status = run(argc, argv);
    if (fflush(stdout) != 0 && status == COMMAND_DONE)
        status = COMMAND_REFUSED; /* what was asked for did not reach its reader */
    return status;
}
