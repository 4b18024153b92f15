#include "cli/start.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "cli/cli.h"
#include "cli/view.h"

static int parameters_read(const struct arguments *a, bool from_failed, json_t **ret_body,
                           struct err *e)
{
    AUTO_JSON *body = json_object();
    json_t *parameters = json_object();
    (void)json_object_set_new(body, "parameters", parameters);
    (void)json_object_set_new(body, "by", json_string("command line"));
    if (from_failed)
        (void)json_object_set_new(body, "from_failed", json_true());
    for (int i = 0; i < arguments_count(a, "parameter"); i++) {
        const char *text = arguments_item(a, "parameter", i), *equals = strchr(text, '=');
        if (!equals || equals == text)
            return fail(e, E_INVAL, "%s: '%s' is no parameter, expected NAME=VALUE",
                        a->command->name, text);
        AUTO_FREE char *name = mem_copy(text, (size_t)(equals - text));
        if (json_object_set_new(parameters, name, json_string(equals + 1)) < 0)
            return fail(e, E_INVAL, "%s: the parameter %s is not valid UTF-8", a->command->name,
                        name);
    }
    *ret_body = TAKE(body);
    return 0;
}

static int priority_read(const struct arguments *a, json_t *body, struct err *e)
{
    int64_t priority;
    if (!arguments_have(a, "priority"))
        return 0;
    int r = arguments_int(a, "priority", -100, 100, &priority, e);
    if (r >= 0)
        (void)json_object_set_new(body, "priority", json_integer(priority));
    return r;
}

int start_job(struct client *c, const struct arguments *a, const char *path, bool from_failed,
              struct err *e)
{
    AUTO_JSON *body = NULL, *reply = NULL;
    bool follow = arguments_have(a, "follow"), json = arguments_have(a, "json");
    int r = parameters_read(a, from_failed, &body, e);
    if (r >= 0)
        r = priority_read(a, body, e);
    if (r >= 0)
        r = client_post(c, path, body, &reply, e);
    if (r < 0)
        return r;
    const char *id = client_text(reply, "job_id");
    if (follow) {
        struct view_request q = {.job_id = id, .follow = true, .json = json};
        fprintf(stderr, "tailrace: %s is job %s\n", client_text(reply, "job_name"), id);
        return view_job(c, &q, e);
    }
    if (json)
        (void)json_dumpf(reply, stdout, JSON_COMPACT), (void)putchar('\n');
    else
        printf("%s\n", id);
    return 0;
}
