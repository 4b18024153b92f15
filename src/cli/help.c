/* tailrace help [COMMAND]: everything it prints comes from the tables of the commands. */
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/text.h"
#include "cli/arguments.h"
#include "cli/cli.h"

const struct command *command_find(const char *name)
{
    for (const struct command *const *c = commands; *c; c++)
        if (strcmp((*c)->name, name) == 0)
            return *c;
    return NULL;
}

int command_unknown(const char *word, struct err *e)
{
    const char *names[64] = {NULL};
    for (size_t i = 0; commands[i]; i++) {
        ASSERT(i + 1 < ARRAY_LEN(names));
        names[i] = commands[i]->name;
    }
    const char *nearest = text_nearest(word, names);
    if (nearest)
        return fail(e, E_INVAL, "there is no command '%s'; did you mean '%s'?", word, nearest);
    return fail(e, E_INVAL, "there is no command '%s'; `tailrace help` lists them", word);
}

void command_help_all(void)
{
    printf("tailrace: a job server whose logs are live\n\n"
           "usage: tailrace COMMAND [OPTIONS] [ARGUMENTS]\n\n");
    for (const struct command *const *c = commands; *c; c++)
        printf("  %-12s %s\n", (*c)->name, (*c)->summary);
    printf("\n`tailrace help COMMAND` says more about one of them.\n"
           "The first steps: `tailrace serve` in one terminal, then in another\n"
           "`tailrace definitions` and `tailrace run DEFINITION --follow`.\n\n"
           "exit status: 0 done, or the job completed; 1 the job failed; 2 wrong input;\n"
           "3 the job was cancelled, or not allowed; 4 no such thing; 5 not in this state;\n"
           "6 busy, or a limit; 7 disk or data; 8 the server does not answer; 130 Ctrl-C\n");
}

static const struct option help_option = {.name = "help", .letter = 'h', .help = "print this"};

static void option_print(const struct option *o)
{
    AUTO_FREE char *left = mem_printf("%s%c%s--%s%s%s", o->letter ? "-" : "",
                                      o->letter ? o->letter : ' ', o->letter ? ", " : "   ",
                                      o->name, o->value ? " " : "", o->value ? o->value : "");
    printf("  %-28s %s", left, o->help);
    if (o->fallback)
        printf(" (default %s)", o->fallback);
    if (o->environment)
        printf(" [%s]", o->environment);
    printf("\n");
}

static void examples_print(const char *line)
{
    printf("\nexamples:\n");
    while (line) {
        const char *end = strchr(line, '\n');
        printf("  tailrace %.*s\n", (int)(end ? end - line : (ptrdiff_t)strlen(line)), line);
        line = end ? end + 1 : NULL;
    }
}

void command_help(const struct command *c)
{
    bool has_options = c->options && c->options->name;
    printf("%s\n\nusage: tailrace %s%s%s%s\n\n", c->summary, c->name,
           has_options ? " [OPTIONS]" : "", *c->arguments ? " " : "", c->arguments);
    for (const struct option *o = c->options; o && o->name; o++)
        option_print(o);
    option_print(&help_option);
    if (c->help)
        printf("\n%s\n", c->help);
    if (c->examples)
        examples_print(c->examples);
}

static int help_run(const struct arguments *a, struct err *e)
{
    if (a->value_count == 0) {
        command_help_all();
        return 0;
    }
    const struct command *c = command_find(a->values[0]);
    if (!c)
        return command_unknown(a->values[0], e);
    command_help(c);
    return 0;
}

const struct command help_command = {
    .name = "help",
    .arguments = "[COMMAND]",
    .summary = "say what the program or a command does",
    .examples = "help run",
    .values_max = 1,
    .run = help_run,
};
