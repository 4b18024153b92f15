/* tailrace run DEFINITION */
#include "base/mem.h"
#include "cli/cli.h"
#include "cli/start.h"

static int run_run(const struct arguments *a, struct err *e)
{
    struct client c;
    int r = client_open(&c, arguments_text(a, "server"), e);
    if (r < 0)
        return r;
    AUTO_FREE char *definition = client_escape(a->values[0]);
    AUTO_FREE char *path = mem_printf("/api/job-definitions/%s/execute", definition);
    r = start_job(&c, a, path, false, e);
    client_close(&c);
    return r;
}

static const struct option run_options[] = {
    START_OPTIONS("a parameter of the definition; several times"),
    {0},
};

const struct command run_command = {
    .name = "run",
    .arguments = "DEFINITION",
    .summary = "run a job definition",
    .help = START_HELP,
    .examples = "run hello --follow\n"
                "run hello -p who=you -p times=2\n"
                "run hello --priority 10",
    .options = run_options,
    .values_min = 1,
    .values_max = 1,
    .run = run_run,
};
