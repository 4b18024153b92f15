/* tailrace run DEFINITION */
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "cli/arguments.h"
#include "cli/cli.h"
#include "cli/client.h"
#include "cli/view.h"

static int parameters_read(const struct arguments *a, json_t **ret_body, struct err *e)
{
    AUTO_JSON *body = json_object();
    json_t *parameters = json_object();
    (void)json_object_set_new(body, "parameters", parameters);
    for (int i = 0; i < arguments_count(a, "parameter"); i++) {
        const char *text = arguments_item(a, "parameter", i), *equals = strchr(text, '=');
        if (!equals || equals == text)
            return fail(e, E_INVAL, "run: '%s' is no parameter, expected NAME=VALUE", text);
        AUTO_FREE char *name = mem_copy(text, (size_t)(equals - text));
        if (json_object_set_new(parameters, name, json_string(equals + 1)) < 0)
            return fail(e, E_INVAL, "run: the parameter %s is not valid UTF-8", name);
    }
    *ret_body = TAKE(body);
    return 0;
}

static int job_start(struct client *c, const struct arguments *a, char **ret_id, struct err *e)
{
    AUTO_JSON *body = NULL, *reply = NULL;
    int r = parameters_read(a, &body, e);
    if (r < 0)
        return r;
    AUTO_FREE char *definition = client_escape(a->values[0]);
    AUTO_FREE char *path = mem_printf("/api/job-definitions/%s/execute", definition);
    r = client_post(c, path, body, &reply, e);
    if (r < 0)
        return r;
    const char *id = client_text(reply, "job_id");
    if (!arguments_have(a, "follow") && arguments_have(a, "json"))
        (void)json_dumpf(reply, stdout, JSON_COMPACT), (void)putchar('\n');
    else if (!arguments_have(a, "follow"))
        printf("%s\n", id);
    else
        fprintf(stderr, "tailrace: %s is job %s\n", client_text(reply, "job_name"), id);
    *ret_id = mem_strdup(id);
    return 0;
}

static int run_run(const struct arguments *a, struct err *e)
{
    struct client c;
    AUTO_FREE char *id = NULL;
    int r = client_open(&c, arguments_text(a, "server"), e);
    if (r < 0)
        return r;
    r = job_start(&c, a, &id, e);
    if (r >= 0 && arguments_have(a, "follow")) {
        struct view_request q = {
            .job_id = id, .follow = true, .json = arguments_have(a, "json")};
        r = view_job(&c, &q, e);
    }
    client_close(&c);
    return r;
}

static const struct option run_options[] = {
    {.name = "parameter",
     .letter = 'p',
     .many = true,
     .value = "NAME=VALUE",
     .help = "a parameter of the definition; several times"},
    {.name = "follow", .letter = 'f', .help = "show its lines until it ends"},
    {.name = "json", .help = "print events (without --follow: the answer) as JSON lines"},
    COMMAND_SERVER_OPTION,
    {0},
};

const struct command run_command = {
    .name = "run",
    .arguments = "DEFINITION",
    .summary = "run a job definition",
    .help =
        "Without --follow it prints the id of the job and returns. With --follow the exit\n"
        "status is the job's outcome: 0 completed, 1 failed, 3 cancelled. Ctrl-C leaves the\n"
        "job running (status 130); a restart of the server is waited for.",
    .options = run_options,
    .values_min = 1,
    .values_max = 1,
    .run = run_run,
};
