/* tailrace jobs */
#include <stdio.h>

#include "base/clock.h"
#include "base/limits.h"
#include "base/mem.h"
#include "cli/arguments.h"
#include "cli/cli.h"
#include "cli/client.h"
#include "cli/terminal.h"

static int64_t job_duration_ms(const json_t *job)
{
    int64_t began, ended = clock_wall_us();
    if (!clock_parse(str_of(client_text(job, "started_at")), &began))
        return -1;
    (void)clock_parse(str_of(client_text(job, "completed_at")), &ended);
    return MAX(ended - began, 0) / 1000;
}

static void jobs_print(const json_t *jobs)
{
    struct terminal t;
    struct table table;
    terminal_init(&t);
    table_init(&table, (const char *const[]){"JOB", "STATUS", "STARTED", "TOOK", "NAME", NULL});
    for (size_t i = 0; i < json_array_size(jobs); i++) {
        const json_t *job = json_array_get(jobs, i);
        char time[TERMINAL_TIME_MAX], took[TERMINAL_TIME_MAX] = "";
        int64_t ms = job_duration_ms(job);
        table_add(&table, client_text(job, "id"));
        table_add(&table, client_text(job, "status"));
        table_add(&table, terminal_time(client_text(job, "started_at"), time));
        table_add(&table, ms < 0 ? "" : terminal_duration(ms, took));
        table_add(&table, client_text(job, "name"));
    }
    table_print(&table, &t, 1);
    terminal_done(&t);
}

static int jobs_get(struct client *c, const struct arguments *a, json_t **ret_reply,
                    struct err *e)
{
    const char *status = arguments_text(a, "status");
    enum job_state state;
    int64_t limit;
    int r = arguments_int(a, "limit", 1, LIMIT_PAGE_ROWS, &limit, e);
    if (r < 0)
        return r;
    if (status && !job_state_parse(str_of(status), &state))
        return fail(e, E_INVAL,
                    "jobs: --status is '%s', expected pending, running, completed, failed or "
                    "cancelled",
                    status);
    AUTO_FREE char *path = mem_printf("/api/jobs?limit=%lld%s%s", (long long)limit,
                                      status ? "&status=" : "", status ? status : "");
    return client_get(c, path, 0, ret_reply, e);
}

static int jobs_run(const struct arguments *a, struct err *e)
{
    struct client c;
    AUTO_JSON *reply = NULL;
    int r = client_open(&c, arguments_text(a, "server"), e);
    if (r < 0)
        return r;
    r = jobs_get(&c, a, &reply, e);
    client_close(&c);
    if (r < 0)
        return r;
    const json_t *jobs = json_object_get(reply, "jobs");
    if (!arguments_have(a, "json"))
        jobs_print(jobs);
    else
        for (size_t i = 0; i < json_array_size(jobs); i++)
            (void)json_dumpf(json_array_get(jobs, i), stdout, JSON_COMPACT),
                (void)putchar('\n');
    return 0;
}

static const struct option jobs_options[] = {
    {.name = "status", .value = "STATUS", .help = "only those that are pending, running, ..."},
    {.name = "limit", .value = "N", .fallback = "20", .help = "the newest N"},
    {.name = "json", .help = "one JSON object a line"},
    COMMAND_SERVER_OPTION,
    {0},
};

const struct command jobs_command = {
    .name = "jobs",
    .arguments = "",
    .summary = "list jobs, the newest first",
    .examples = "jobs --status failed\n"
                "jobs --limit 5 --json",
    .options = jobs_options,
    .run = jobs_run,
};
