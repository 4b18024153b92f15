/* tailrace rerun JOB */
#include "base/mem.h"
#include "cli/cli.h"
#include "cli/start.h"

static int rerun_run(const struct arguments *a, struct err *e)
{
    struct client c;
    AUTO_FREE char *id = NULL;
    int r = client_open(&c, arguments_text(a, "server"), e);
    if (r < 0)
        return r;
    r = client_find_job(&c, a->values[0], &id, e);
    if (r >= 0) {
        AUTO_FREE char *path = mem_printf("/api/jobs/%s/rerun", id);
        r = start_job(&c, a, path, arguments_have(a, "from-failed"), e);
    }
    client_close(&c);
    return r;
}

static const struct option rerun_options[] = {
    {.name = "from-failed", .help = "take over the steps that completed"},
    START_OPTIONS("a parameter that is to be another one; several times"),
    {0},
};

const struct command rerun_command = {
    .name = "rerun",
    .arguments = "JOB",
    .summary = "run a job again, as it was",
    .help =
        "JOB is an id, the first 8 or more characters of one, or 'latest'. The definition is\n"
        "the one that the job was started with, whatever it is now; so are the parameters,\n"
        "but for those that are given.\n"
        "\n"
        "With --from-failed the steps that completed are taken over, with their outputs, and\n"
        "those that failed, were cancelled, or waited for such, run.\n"
        "\n" START_HELP,
    .examples = "rerun latest --follow\n"
                "rerun latest --from-failed -p pages=50",
    .options = rerun_options,
    .values_min = 1,
    .values_max = 1,
    .run = rerun_run,
};
