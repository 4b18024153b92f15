/* command.h: a command of the program, as a table entry.
 *
 * Each command is one file that ends with its entry; main.c lists them. Parsing, `--help`, the
 * usage line and the messages for wrong options all come from the entry.
 *
 * run() returns the exit status (>= 0), or E_* with a sentence that main() prints on stderr and
 * turns into an exit status with err_exit_status(). Thread: main. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

struct option {
    const char *name;        /* long form without dashes: "follow"; NULL ends a table */
    char letter;             /* short form, or 0 */
    bool many;               /* may be given several times */
    const char *value;       /* name of its value in the help ("URL"); NULL: a switch */
    const char *environment; /* variable that is looked at when it is not given, or NULL */
    const char *fallback;    /* value when neither is there, or NULL */
    const char *help;        /* one line */
};

struct arguments;

struct command {
    const char *name;
    const char *arguments; /* for the usage line: "JOB", "FILE..." or "" */
    const char *summary;   /* one line */
    const char *help;      /* further paragraphs after the options, or NULL */
    const char *examples;  /* command lines to copy, a line each */
    const struct option *options;
    int values_min, values_max; /* how many arguments that are no options; max -1: any */
    int (*run)(const struct arguments *a, struct err *e);
};

/* What every command has that asks a server. */
#define COMMAND_SERVER_OPTION                                                                  \
    {                                                                                          \
        .name = "server", .value = "URL", .environment = "TAILRACE_URL",                       \
        .fallback = "http://127.0.0.1:8085", .help = "the server to ask"                       \
    }

/* All commands, NULL at the end (main.c). */
extern const struct command *const commands[];
const struct command *command_find(const char *name);         /* or NULL */
CHECKED int command_unknown(const char *word, struct err *e); /* E_INVAL, and the nearest one */

/* Prints the overview, or the help of one command, on stdout. */
void command_help_all(void);
void command_help(const struct command *c);

/* Exit statuses of their own, besides those of err.h. */
enum {
    EXIT_JOB_FAILED = 1,
    EXIT_JOB_CANCELLED = 3,
    EXIT_INTERRUPTED = 130,
};
