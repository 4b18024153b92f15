/* arguments.h: what was written behind a command, read by its option table.
 *
 * Long options take "--name value" or "--name=value", short ones "-p value" or "-pvalue"; "--"
 * ends the options. Options and other arguments may be mixed. Asking for a name that the table
 * does not have aborts. Texts are argv's (or the environment's) and live as long.
 * Thread: main. */
#pragma once

#include "cli/command.h"

struct arguments {
    const struct command *command;
    const char **values; /* what is no option, in order */
    int value_count;
    bool help; /* --help or -h was there; nothing else was checked */
    struct argument_given {
        const struct option *option;
        const char *value; /* NULL for a switch */
    } * given;
    int given_count;
};

/* argv[0] is the command's name. E_INVAL with a sentence: unknown option (and the nearest right
 * one), missing or superfluous value, too few or too many arguments. arguments_done() frees
 * what is in *a, after an error too. */
CHECKED int arguments_parse(const struct command *c, int argc, char **argv, struct arguments *a,
                            struct err *e);
void arguments_done(struct arguments *a);

bool arguments_have(const struct arguments *a, const char *name); /* written by the user? */

/* What was written (the last one), else the environment, else the fallback, else NULL. An empty
 * variable counts as none. */
const char *arguments_text(const struct arguments *a, const char *name);

/* All values that were written for an option that may come several times. */
int arguments_count(const struct arguments *a, const char *name);
const char *arguments_item(const struct arguments *a, const char *name, int i);

/* A number in [min, max]; E_INVAL names the option. The fallback must be a number. */
CHECKED int arguments_int(const struct arguments *a, const char *name, int64_t min, int64_t max,
                          int64_t *ret_value, struct err *e);
