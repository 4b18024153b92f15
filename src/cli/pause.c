/* tailrace pause DEFINITION, tailrace resume DEFINITION */
#include <stdio.h>

#include "base/mem.h"
#include "cli/arguments.h"
#include "cli/cli.h"
#include "cli/next_run.h"

/* The command's name is the route's. */
static int pause_run(const struct arguments *a, struct err *e)
{
    struct client c;
    AUTO_JSON *body = json_object(), *reply = NULL;
    int r = client_open(&c, arguments_text(a, "server"), e);
    if (r < 0)
        return r;
    AUTO_FREE char *definition = client_escape(a->values[0]);
    AUTO_FREE char *path =
        mem_printf("/api/job-definitions/%s/%s", definition, a->command->name);
    r = client_post(&c, path, body, &reply, e);
    client_close(&c);
    if (r < 0)
        return r;
    char time[TERMINAL_TIME_MAX];
    bool runs = json_array_size(json_object_get(reply, "next_runs")) > 0;
    printf("%s: %s%s\n", a->values[0], runs ? "next run " : "",
           definition_next_run(reply, time));
    return 0;
}

static const struct option pause_options[] = {COMMAND_SERVER_OPTION, {0}};

const struct command pause_command = {
    .name = "pause",
    .arguments = "DEFINITION",
    .summary = "stop a schedule for a while",
    .help = "Its jobs start by hand only until `tailrace resume`, also after a restart. A job "
            "that\n"
            "runs is not touched. A definition without a schedule is an error (status 5).",
    .examples = "pause every-night",
    .options = pause_options,
    .values_min = 1,
    .values_max = 1,
    .run = pause_run,
};

const struct command resume_command = {
    .name = "resume",
    .arguments = "DEFINITION",
    .summary = "let a paused schedule go on",
    .help = "Times that passed meanwhile have no jobs.",
    .examples = "resume every-night",
    .options = pause_options,
    .values_min = 1,
    .values_max = 1,
    .run = pause_run,
};
