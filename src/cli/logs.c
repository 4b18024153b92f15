/* tailrace logs JOB */
#include "base/mem.h"
#include "cli/arguments.h"
#include "cli/cli.h"
#include "cli/client.h"
#include "cli/view.h"

static int level_check(const char *level, struct err *e)
{
    enum event_level l;
    if (level && !event_level_parse(str_of(level), &l))
        return fail(e, E_INVAL, "logs: --level is '%s', expected debug, info, warn or error",
                    level);
    return 0;
}

static int logs_run(const struct arguments *a, struct err *e)
{
    struct client c;
    AUTO_FREE char *id = NULL;
    int r = level_check(arguments_text(a, "level"), e);
    if (r >= 0)
        r = client_open(&c, arguments_text(a, "server"), e);
    if (r < 0)
        return r;
    r = client_find_job(&c, a->values[0], &id, e);
    if (r >= 0) {
        struct view_request q = {
            .job_id = id,
            .since = arguments_text(a, "since"),
            .step = arguments_text(a, "step"),
            .min_level = arguments_text(a, "level"),
            .follow = arguments_have(a, "follow"),
            .json = arguments_have(a, "json"),
        };
        r = view_job(&c, &q, e);
    }
    client_close(&c);
    return r;
}

static const struct option logs_options[] = {
    {.name = "follow", .letter = 'f', .help = "go on until the job ends"},
    {.name = "step", .value = "NAME", .help = "only this step's lines"},
    {.name = "level", .value = "LEVEL", .help = "debug, info, warn or error: it and above"},
    {.name = "since", .value = "CURSOR", .help = "only what came after this cursor"},
    {.name = "json", .help = "print events as JSON lines"},
    COMMAND_SERVER_OPTION,
    {0},
};

const struct command logs_command = {
    .name = "logs",
    .arguments = "JOB",
    .summary = "print the lines of a job",
    .help = "JOB is an id, the first 8 or more characters of one, or 'latest'. Each line is\n"
            "STEP NUMBER LEVEL TEXT, in the order in which they were written; 'job' stands for "
            "the\n"
            "job itself. With --follow the exit status is the job's outcome: 0 completed, 1 "
            "failed,\n"
            "3 cancelled; 130 after Ctrl-C.",
    .examples = "logs latest\n"
                "logs latest --follow --step crawl\n"
                "logs 01a22014 --level warn",
    .options = logs_options,
    .values_min = 1,
    .values_max = 1,
    .run = logs_run,
};
