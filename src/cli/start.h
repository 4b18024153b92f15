/* start.h: a command that starts a job and perhaps follows it: run, rerun. Thread: main. */
#pragma once

#include "cli/arguments.h"
#include "cli/client.h"

/* Posts how the job is wanted to `path` (of a rerun also from_failed), says which job that
 * started, and with
 * --follow shows it until it ends. Returns the exit status. */
CHECKED int start_job(struct client *c, const struct arguments *a, const char *path,
                      bool from_failed, struct err *e);

#define START_OPTIONS(parameter_help)                                                          \
    {.name = "parameter",                                                                      \
     .letter = 'p',                                                                            \
     .many = true,                                                                             \
     .value = "NAME=VALUE",                                                                    \
     .help = parameter_help},                                                                  \
        {.name = "priority",                                                                   \
         .letter = 'P',                                                                        \
         .value = "N",                                                                         \
         .help = "-100 to 100, the highest begins first; default: the definition's"},          \
        {.name = "follow", .letter = 'f', .help = "show its lines until it ends"},             \
        {.name = "json", .help = "print events (without --follow: the answer) as JSON lines"}, \
        COMMAND_SERVER_OPTION

#define START_HELP                                                                             \
    "Without --follow it prints the id of the job and returns. With --follow the exit\n"       \
    "status is the job's outcome: 0 completed, 1 failed, 3 cancelled. Ctrl-C leaves the\n"     \
    "job running (status 130); a restart of the server is waited for."
