/* tailrace show JOB */
#include <stdio.h>

#include "base/mem.h"
#include "cli/arguments.h"
#include "cli/cli.h"
#include "cli/client.h"
#include "cli/terminal.h"

static void fact_print(struct terminal *t, const char *what, const char *text)
{
    if (!*text)
        return;
    buf_printf(&t->out, "%s%-11s%s ", terminal_dim(t), what, terminal_plain(t));
    terminal_text(t, &t->out, str_of(text));
    buf_add_byte(&t->out, '\n');
}

/* The tree is a fold of events and has no positions: `position` was asked for apart. */
static void wait_print(struct terminal *t, const json_t *tree, long long position)
{
    const char *what = client_text(tree, "waits_for");
    AUTO_FREE char *text = mem_printf("%s, number %lld in line", what, position);
    fact_print(t, "waits for", position ? text : what);
}

static void job_print(struct terminal *t, const json_t *tree, long long position)
{
    char time[TERMINAL_TIME_MAX], took[TERMINAL_TIME_MAX];
    const char *status = client_text(tree, "status");
    terminal_text(t, &t->out, str_of(client_text(tree, "job_name")));
    buf_printf(&t->out, "  %s%s%s\n", terminal_state_colour(t, status), status,
               terminal_plain(t));
    fact_print(t, "job", client_text(tree, "job_id"));
    fact_print(t, "definition", client_text(tree, "definition_id"));
    fact_print(t, "by", client_text(tree, "started_by"));
    wait_print(t, tree, position);
    fact_print(t, "created", terminal_time(client_text(tree, "created_at"), time));
    fact_print(t, "started", terminal_time(client_text(tree, "started_at"), time));
    fact_print(t, "ended", terminal_time(client_text(tree, "completed_at"), time));
    if (json_is_integer(json_object_get(tree, "duration_ms")))
        fact_print(t, "took", terminal_duration(client_int(tree, "duration_ms"), took));
    fact_print(t, "error", client_text(tree, "error"));
    fact_print(t, "cause", client_text(tree, "cause"));
    buf_add_byte(&t->out, '\n');
}

static void step_add(struct table *table, const json_t *step)
{
    const json_t *tasks = json_object_get(step, "child_summary");
    char took[TERMINAL_TIME_MAX] = "";
    long long done = (long long)(client_int(tasks, "completed") + client_int(tasks, "failed") +
                                 client_int(tasks, "cancelled"));
    AUTO_FREE char *progress =
        mem_printf("%lld/%lld", done, (long long)client_int(tasks, "total"));
    AUTO_FREE char *failed = mem_printf("%lld", (long long)client_int(tasks, "failed"));
    AUTO_FREE char *lines = mem_printf("%lld", (long long)client_int(step, "total_logs"));
    const char *note = client_text(step, "cause");
    note = *note ? note : client_text(step, "progress_text");
    if (json_is_integer(json_object_get(step, "duration_ms")))
        (void)terminal_duration(client_int(step, "duration_ms"), took);
    const char *cells[] = {client_text(step, "name"),
                           client_text(step, "type"),
                           client_text(step, "status"),
                           progress,
                           failed,
                           lines,
                           took,
                           note};
    for (size_t i = 0; i < ARRAY_LEN(cells); i++)
        table_add(table, cells[i]);
}

/* Of a value its first line: --json has all of it. */
static void outputs_add(struct table *table, json_t *step)
{
    json_t *value;
    const char *name;
    json_object_foreach(json_object_get(step, "outputs"), name, value)
    {
        struct str rest = str_of(json_string_value(value)), line = str_cut(&rest, '\n');
        AUTO_FREE char *text = mem_printf("%.*s%s", STR_ARG(line), rest.n ? " …" : "");
        table_add(table, client_text(step, "name"));
        table_add(table, name);
        table_add(table, text);
    }
}

static void outputs_print(struct terminal *t, const json_t *steps)
{
    struct table table;
    size_t count = 0;
    for (size_t i = 0; i < json_array_size(steps); i++)
        count += json_object_size(json_object_get(json_array_get(steps, i), "outputs"));
    if (!count)
        return;
    buf_add_byte(&t->out, '\n');
    table_init(&table, (const char *const[]){"STEP", "OUTPUT", "VALUE", NULL});
    for (size_t i = 0; i < json_array_size(steps); i++)
        outputs_add(&table, json_array_get(steps, i));
    table_print(&table, t, SIZE_MAX); /* no column is a state */
}

static void tree_print(const json_t *tree, long long position)
{
    struct terminal t;
    struct table table;
    terminal_init(&t);
    job_print(&t, tree, position);
    table_init(&table, (const char *const[]){"STEP", "TYPE", "STATUS", "TASKS", "FAILED",
                                             "LINES", "TOOK", "NOTE", NULL});
    const json_t *steps = json_object_get(tree, "steps");
    for (size_t i = 0; i < json_array_size(steps); i++)
        step_add(&table, json_array_get(steps, i));
    table_print(&table, &t, 2);
    outputs_print(&t, steps);
    terminal_done(&t);
}

/* Nobody's error: the job may have been deleted meanwhile. */
static long long position_find(struct client *c, const json_t *tree)
{
    struct err e;
    AUTO_JSON *job = NULL;
    AUTO_FREE char *path = mem_printf("/api/jobs/%s", client_text(tree, "job_id"));
    if (!*client_text(tree, "waits_for") || client_get(c, path, 0, &job, &e) < 0)
        return 0;
    return (long long)client_int(job, "position");
}

static int show_run(const struct arguments *a, struct err *e)
{
    struct client c;
    AUTO_FREE char *id = NULL;
    AUTO_JSON *tree = NULL;
    long long position = 0;
    int r = client_open(&c, arguments_text(a, "server"), e);
    if (r < 0)
        return r;
    r = client_find_job(&c, a->values[0], &id, e);
    if (r >= 0) {
        AUTO_FREE char *path = mem_printf("/api/jobs/%s/tree", id);
        r = client_get(&c, path, 0, &tree, e);
    }
    if (r >= 0)
        position = position_find(&c, tree);
    client_close(&c);
    if (r < 0)
        return r;
    if (arguments_have(a, "json"))
        (void)json_dumpf(tree, stdout, JSON_INDENT(2)), (void)putchar('\n');
    else
        tree_print(tree, position);
    return 0;
}

static const struct option show_options[] = {
    {.name = "json", .help = "all that the server tells, as JSON"},
    COMMAND_SERVER_OPTION,
    {0},
};

const struct command show_command = {
    .name = "show",
    .arguments = "JOB",
    .summary = "say how a job and its steps are",
    .help = "JOB is an id, the first 8 or more characters of one, or 'latest'.",
    .examples = "show latest\n"
                "show 01a22014 --json",
    .options = show_options,
    .values_min = 1,
    .values_max = 1,
    .run = show_run,
};
