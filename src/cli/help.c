/* tailrace help [COMMAND]: everything it prints comes from the tables of the commands. */
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "cli/arguments.h"
#include "cli/cli.h"

const struct command *command_find(const char *name)
{
    for (const struct command *const *c = commands; *c; c++)
        if (strcmp((*c)->name, name) == 0)
            return *c;
    return NULL;
}

void command_help_all(void)
{
    printf("tailrace: a job server whose logs are live\n\n"
           "usage: tailrace COMMAND [OPTIONS] [ARGUMENTS]\n\n");
    for (const struct command *const *c = commands; *c; c++)
        printf("  %-12s %s\n", (*c)->name, (*c)->summary);
    printf("\n`tailrace help COMMAND` says more about one of them.\n"
           "The first steps: `tailrace serve` in one terminal, then in another\n"
           "`tailrace definitions` and `tailrace run DEFINITION --follow`.\n");
}

static void option_print(const struct option *o)
{
    AUTO_FREE char *left = mem_printf("%s%c%s--%s%s%s", o->letter ? "-" : "",
                                      o->letter ? o->letter : ' ', o->letter ? ", " : "   ",
                                      o->name, o->value ? " " : "", o->value ? o->value : "");
    printf("  %-28s %s", left, o->help);
    if (o->environment)
        printf(" [%s]", o->environment);
    if (o->fallback)
        printf(" (default: %s)", o->fallback);
    printf("\n");
}

void command_help(const struct command *c)
{
    bool has_options = c->options && c->options->name;
    printf("%s\n\nusage: tailrace %s%s%s%s\n", c->summary, c->name,
           has_options ? " [OPTIONS]" : "", *c->arguments ? " " : "", c->arguments);
    if (has_options)
        printf("\n");
    for (const struct option *o = c->options; o && o->name; o++)
        option_print(o);
    if (c->help)
        printf("\n%s\n", c->help);
}

static int help_run(const struct arguments *a, struct err *e)
{
    if (a->value_count == 0) {
        command_help_all();
        return 0;
    }
    const struct command *c = command_find(a->values[0]);
    if (!c)
        return fail(e, E_NOTFOUND, "help: there is no command '%s'", a->values[0]);
    command_help(c);
    return 0;
}

const struct command help_command = {
    .name = "help",
    .arguments = "[COMMAND]",
    .summary = "say what the program or a command does",
    .values_max = 1,
    .run = help_run,
};
