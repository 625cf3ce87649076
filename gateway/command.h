/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the commands that look into the queue share: options -c, --state, --json; the configuration;
 * the queue opened read-only beside a running gateway; its keys; the control socket.
 * Exit status of every command: 0 done, 1 refused or not found, 2 wrong usage or configuration,
 * 75 try again.
 */
#ifndef KANAL_GATEWAY_COMMAND_H
#define KANAL_GATEWAY_COMMAND_H

#include <jansson.h>
#include <stdbool.h>

#include "gateway/seal.h"
#include "gateway/settings.h"
#include "queue/queue.h"

enum {
    COMMAND_DONE = 0,
    COMMAND_REFUSED = 1,
    COMMAND_USAGE = 2,
    COMMAND_AGAIN = 75, /* EX_TEMPFAIL */
};

struct command {
    const char *usage;       /* whole help text, set by the command */
    const char *config_path; /* -c */
    const char *state;       /* --state, else the configuration's */
    bool json;               /* --json */
    char **arguments;        /* what is left */
    int argument_count;
    struct config config;
    struct queue *queue; /* after command_open() */
    struct seal *seal;
};

/* Reads the shared options. -1: go on; otherwise the exit status (also of --help). */
int command_start(struct command *command, const char *usage, int argc, char **argv);

/* Opens queue and keys. -1: go on; otherwise the exit status, with the reason on stderr. */
int command_open(struct command *command);

void command_end(struct command *command);

/* Whether a gateway serves this state now. */
bool command_gateway_runs(const struct command *command);

/* Asks the running gateway. Returns an exit status; prints the gateway's reason on stderr. Takes
 * body. */
int command_control(struct command *command, const char *path, json_t *body);

/* Prints usage to stderr and returns COMMAND_USAGE. */
int command_usage(const struct command *command);

/* Prints err and returns the exit status that fits its kind. */
int command_fail(const char *what, const struct err *err);

/* The report ID of argument i in stored form; false (and a message) when there is none. */
bool command_id(const struct command *command, int i, char id[static REPORT_ID_SIZE]);

/* The commands. */
int command_check(int argc, char **argv);
int command_help_config(int argc, char **argv);
int command_normalize(int argc, char **argv);
int command_report(int argc, char **argv);
int command_track(int argc, char **argv);
int command_queue(int argc, char **argv);
int command_quarantine(int argc, char **argv);
int command_channels(int argc, char **argv);
int command_audit(int argc, char **argv);

/* The roles the gateway starts. */
int command_vault(int argc, char **argv);
int command_worker(int argc, char **argv);

#endif
