/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/normalize_arguments.h"

#include <ctype.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "gateway/command.h"
#include "normalize/mem.h"

static const char normalize_usage[] =
    "usage: kanal normalize --type TYPE [--option KEY=VALUE]... [FILE]\n"
    "       kanal normalize --lines [FILE]\n"
    "\n"
    "Shows what becomes of a recorded message: reads one raw input (a mail, the body of a webhook "
    "or\n"
    "form) from FILE or stdin and prints one line of JSON for each message in it, the reporter's\n"
    "identity included. Needs no configuration and stores nothing.\n"
    "\n"
    "  -t, --type TYPE         the kind of channel: email, web_form, ...\n"
    "  -o, --option KEY=VALUE  an option of that channel, or a fact of the transport\n"
    "                          (content_type, own_address, own_domain)\n"
    "  -l, --lines             the input is lines of {\"channel\": KIND, \"raw_text\": TEXT}; "
    "prints\n"
    "                          one object a line\n"
    "      --channel-id ID     the channel's id in the report (default: the type or kind)\n"
    "      --received TIME     time of receipt, 2026-11-21T10:03:27+07:00 (default: now)\n"
    "      --json              for symmetry: the output is always JSON\n"
    "  -h, --help              this text\n"
    "\n"
    "Exit status: 0 done (also when there is no message in it), 1 not of that type or refused, 2\n"
    "wrong usage, 75 try again.\n";

/* Facts of the transport that are no option of any channel. */
static const char *const normalize_facts[] = {"content_type", "own_address", "own_domain"};

static int normalize_wrong(const char *what, const char *value)
{
    fprintf(stderr, "kanal: %s '%s'\n", what, value);
    return COMMAND_USAGE;
}

static int normalize_type(const char *type, struct normalize_arguments *arguments)
{
    arguments->adapter = adapter_find(type);
    if (arguments->adapter != NULL && arguments->adapter->parse != NULL)
        return -1;
    fprintf(stderr, "kanal: there is no type '%s', expected one of", type);
    for (size_t i = 0; adapters[i] != NULL; i++) {
        if (adapters[i]->parse != NULL)
            fprintf(stderr, " %s", adapters[i]->name);
    }
    fputc('\n', stderr);
    return COMMAND_USAGE;
}

/* Reads count digits at *at, which must be followed by end ('\0': anything). -1: not so. */
static int normalize_digits(const char **at, int count, char end)
{
    int value = 0;
    for (; count > 0; count--, (*at)++) {
        if (!isdigit((unsigned char)**at))
            return -1;
        value = value * 10 + (**at - '0');
    }
    if (end != '\0' && *(*at)++ != end)
        return -1;
    return value;
}

/* "Z", "+07:00", "-03:30" as seconds; false when it is none. */
static bool normalize_zone(const char *at, int *offset_s)
{
    *offset_s = 0;
    if (strcmp(at, "Z") == 0)
        return true;
    int sign = *at == '-' ? -1 : 1;
    if (*at != '+' && *at != '-')
        return false;
    at++;
    int hours = normalize_digits(&at, 2, ':');
    int minutes = hours < 0 ? -1 : normalize_digits(&at, 2, '\0');
    *offset_s = sign * (hours * 3600 + minutes * 60);
    return minutes >= 0 && minutes < 60 && hours < 24 && *at == '\0';
}

/* RFC 3339, whole seconds. */
static int normalize_time(const char *text, int64_t *ms)
{
    const char *at = text;
    struct tm parts = {.tm_isdst = 0};
    int offset_s = 0;
    parts.tm_year = normalize_digits(&at, 4, '-') - 1900;
    parts.tm_mon = normalize_digits(&at, 2, '-') - 1;
    parts.tm_mday = normalize_digits(&at, 2, 'T');
    parts.tm_hour = normalize_digits(&at, 2, ':');
    parts.tm_min = normalize_digits(&at, 2, ':');
    parts.tm_sec = normalize_digits(&at, 2, '\0');
    struct tm given = parts;
    bool right = parts.tm_year >= 70 && parts.tm_hour >= 0 && parts.tm_min >= 0 &&
                 parts.tm_sec >= 0 && normalize_zone(at, &offset_s);
    time_t seconds = right ? timegm(&parts) : 0;
    /* timegm() turns 31 February into 3 March; we do not. */
    right = right && parts.tm_mon == given.tm_mon && parts.tm_mday == given.tm_mday &&
            parts.tm_hour == given.tm_hour && parts.tm_min == given.tm_min;
    *ms = ((int64_t)seconds - offset_s) * 1000;
    return right ? -1
                 : normalize_wrong("expected a time like 2026-11-21T10:03:27+07:00, got", text);
}

/* Splits "key=value" in place into a fact. */
static int normalize_fact(char *text, struct normalize_arguments *arguments)
{
    char *equals = strchr(text, '=');
    if (equals == NULL || equals == text || arguments->fact_count == INBOUND_FACTS_MAX)
        return normalize_wrong("expected KEY=VALUE, got", text);
    *equals = '\0';
    arguments->facts[arguments->fact_count++] =
        (struct inbound_fact){.key = text, .value = equals + 1};
    return -1;
}

/* Checks a fact as the channel's option it is; facts of the transport are free. */
static int normalize_check_fact(const struct adapter *adapter, const struct inbound_fact *fact)
{
    const struct option_spec *spec =
        adapter->options == NULL ? NULL : option_find(adapter->options, fact->key);
    for (size_t i = 0; spec == NULL && i < sizeof normalize_facts / sizeof normalize_facts[0];
         i++) {
        if (strcmp(fact->key, normalize_facts[i]) == 0)
            return -1;
    }
    if (spec == NULL)
        return normalize_wrong("that type has no option", fact->key);
    void *settings = mem_calloc(1, adapter->settings_size);
    struct err err = ERR_INIT;
    int result = option_set(spec, settings, fact->value, NULL, &err);
    option_release(adapter->options, settings);
    free(settings);
    if (result == 0)
        return -1;
    fprintf(stderr, "kanal: option %s: %s\n", fact->key, err.text);
    return COMMAND_USAGE;
}

static int normalize_check(const char *type, struct normalize_arguments *arguments)
{
    if (arguments->lines == (type != NULL)) {
        fputs("kanal: expected either --type or --lines\n", stderr);
        return COMMAND_USAGE;
    }
    int status = type == NULL ? -1 : normalize_type(type, arguments);
    for (size_t i = 0; status == -1 && i < arguments->fact_count; i++)
        status = arguments->lines
                     ? normalize_wrong("--lines takes no option", arguments->facts[i].key)
                     : normalize_check_fact(arguments->adapter, &arguments->facts[i]);
    return status;
}

int normalize_arguments_read(int argc, char **argv, struct normalize_arguments *arguments)
{
    static const struct option options[] = {
        {"type", required_argument, NULL, 't'},     {"option", required_argument, NULL, 'o'},
        {"lines", no_argument, NULL, 'l'},          {"channel-id", required_argument, NULL, 'i'},
        {"received", required_argument, NULL, 'r'}, {"json", no_argument, NULL, 'j'},
        {"help", no_argument, NULL, 'h'},           {NULL, 0, NULL, 0},
    };
    const char *type = NULL;
    int status = -1, option;
    while (status == -1 && (option = getopt_long(argc, argv, "t:o:lh", options, NULL)) != -1) {
        if (option == 't')
            type = optarg;
        else if (option == 'o')
            status = normalize_fact(optarg, arguments);
        else if (option == 'l')
            arguments->lines = true;
        else if (option == 'i')
            arguments->channel_id = optarg;
        else if (option == 'r')
            status = normalize_time(optarg, &arguments->received_ms);
        else if (option == 'h')
            return fputs(normalize_usage, stdout) < 0 ? COMMAND_REFUSED : COMMAND_DONE;
        else if (option != 'j')
            status = (fputs(normalize_usage, stderr), COMMAND_USAGE);
    }
    if (status == -1 && argc - optind > 1)
        status = normalize_wrong("expected one file, got also", argv[optind + 1]);
    arguments->file = argc > optind ? argv[optind] : "-";
    return status == -1 ? normalize_check(type, arguments) : status;
}
