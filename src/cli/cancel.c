/* tailrace cancel JOB */
#include <stdio.h>

#include "base/mem.h"
#include "cli/arguments.h"
#include "cli/cli.h"
#include "cli/client.h"

static int cancel_run(const struct arguments *a, struct err *e)
{
    struct client c;
    AUTO_FREE char *id = NULL;
    AUTO_JSON *body = json_object(), *reply = NULL;
    int r = client_open(&c, arguments_text(a, "server"), e);
    if (r < 0)
        return r;
    r = client_find_job(&c, a->values[0], &id, e);
    (void)json_object_set_new(body, "by", json_string("command line"));
    if (r >= 0) {
        AUTO_FREE char *path = mem_printf("/api/jobs/%s/cancel", id);
        r = client_post(&c, path, body, &reply, e);
    }
    client_close(&c);
    if (r >= 0)
        printf("%s: %s\n", id, client_text(reply, "message"));
    return r;
}

static const struct option cancel_options[] = {COMMAND_SERVER_OPTION, {0}};

const struct command cancel_command = {
    .name = "cancel",
    .arguments = "JOB",
    .summary = "stop a job",
    .help =
        "JOB is an id, the first 8 or more characters of one, or 'latest'. A job that is over\n"
        "already is an error (status 5).",
    .examples = "cancel latest\n"
                "cancel 01a22014",
    .options = cancel_options,
    .values_min = 1,
    .values_max = 1,
    .run = cancel_run,
};
