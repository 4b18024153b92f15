/* tailrace definitions */
#include <stdio.h>

#include "base/mem.h"
#include "cli/arguments.h"
#include "cli/cli.h"
#include "cli/next_run.h"

static void definitions_print(const json_t *definitions)
{
    struct terminal t;
    struct table table;
    terminal_init(&t);
    table_init(&table, (const char *const[]){"DEFINITION", "STEPS", "NEXT RUN", "NAME", NULL});
    for (size_t i = 0; i < json_array_size(definitions); i++) {
        const json_t *d = json_array_get(definitions, i);
        char time[TERMINAL_TIME_MAX];
        AUTO_FREE char *steps = mem_printf("%zu", json_array_size(json_object_get(d, "steps")));
        table_add(&table, client_text(d, "id"));
        table_add(&table, steps);
        table_add(&table, definition_next_run(d, time));
        table_add(&table, client_text(d, "name"));
    }
    table_print(&table, &t, SIZE_MAX);
    terminal_done(&t);
}

/* All pages into `all`. */
static int definitions_get(struct client *c, json_t *all, struct err *e)
{
    enum { PAGE_ROWS = 1000 };
    for (size_t got = PAGE_ROWS; got == PAGE_ROWS;) {
        AUTO_JSON *reply = NULL;
        AUTO_FREE char *path = mem_printf("/api/job-definitions?limit=%d&offset=%zu", PAGE_ROWS,
                                          json_array_size(all));
        int r = client_get(c, path, 0, &reply, e);
        if (r < 0)
            return r;
        json_t *page = json_object_get(reply, "job_definitions");
        got = json_array_size(page);
        (void)json_array_extend(all, page);
    }
    return 0;
}

static int definitions_run(const struct arguments *a, struct err *e)
{
    struct client c;
    AUTO_JSON *all = json_array();
    int r = client_open(&c, arguments_text(a, "server"), e);
    if (r < 0)
        return r;
    r = definitions_get(&c, all, e);
    client_close(&c);
    if (r < 0)
        return r;
    if (!arguments_have(a, "json"))
        definitions_print(all);
    else
        for (size_t i = 0; i < json_array_size(all); i++)
            (void)json_dumpf(json_array_get(all, i), stdout, JSON_COMPACT), (void)putchar('\n');
    return 0;
}

static const struct option definitions_options[] = {
    {.name = "json", .help = "one JSON object a line"},
    COMMAND_SERVER_OPTION,
    {0},
};

const struct command definitions_command = {
    .name = "definitions",
    .arguments = "",
    .summary = "list what can be run",
    .examples = "definitions\n"
                "definitions --json --server http://jobs.example.org:8085",
    .options = definitions_options,
    .run = definitions_run,
};
