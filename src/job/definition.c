/* The happy path: the text becomes a tree (node.h), the tree's own fields are read here,
 * parameters get their values (parameter.c), and then the steps (step.c) their settings, with
 * the values filled in. The first thing that is wrong ends it. */
#include "job/definition.h"

#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "base/mem.h"
#include "job/filler.h"
#include "job/node.h"
#include "job/parameter.h"
#include "job/schedule.h"
#include "job/secret.h"
#include "job/step.h"
#include "job/webhook.h"

enum { DEFINITION_ID_MAX = 64, DEFINITION_NAME_MAX = 200, DEFINITION_TAG_MAX = 64 };

#define AUTO_DEFINITION AUTO(definition_clear) struct definition

const char *const failure_action_names[] = {"continue", "stop_all", "mark_warning", NULL};

void definition_free(struct definition *d)
{
    if (!d)
        return;
    free(d->id);
    free(d->name);
    free(d->description);
    free(d->source);
    free(d->pool);
    schedule_free(d->schedule);
    for (int i = 0; i < d->tag_count; i++)
        free(d->tags[i]);
    free(d->tags);
    for (int i = 0; i < d->warning_count; i++)
        free(d->warnings[i]);
    free(d->warnings);
    parameters_free(d);
    secrets_free(d);
    webhooks_free(d);
    steps_free(d);
    free(d);
}

static void definition_clear(struct definition **d)
{
    definition_free(*d);
}

static int id_read(const struct node *root, char **ret_id, struct err *e)
{
    static const char what[] = "lower-case letters, digits and '-'";
    const struct node *n = NULL;
    int r = node_need(root, "id", what, &n, e);
    if (r < 0)
        return r;
    if (n->kind != NODE_SCALAR)
        return node_fail_expected(n, what, e);
    size_t length = strspn(n->text, "abcdefghijklmnopqrstuvwxyz0123456789-");
    if (length == 0 || n->text[length])
        return node_fail_expected(n, what, e);
    if (n->text[0] == '-') /* it would look like an option to the command line */
        return node_fail(n, e, "expected a letter or a digit first, found '-'");
    if (length > DEFINITION_ID_MAX)
        return node_fail(n, e, "expected at most %d characters, found %zu", DEFINITION_ID_MAX,
                         length);
    *ret_id = mem_strdup(n->text);
    return 0;
}

static int tags_read(const struct node *list, struct definition *d, struct err *e)
{
    int r = node_check_list(list, e);
    if (r < 0)
        return r;
    d->tags = mem_alloc((size_t)list->count * sizeof(*d->tags));
    NODE_EACH (list, n) {
        const char *tag = "";
        r = node_line(n, DEFINITION_TAG_MAX, &tag, e);
        if (r < 0)
            return r;
        d->tags[d->tag_count++] = mem_strdup(tag);
    }
    return 0;
}

static int tolerance_read(const struct node *n, struct definition *d, struct err *e)
{
    static const char *const keys[] = {"max_child_failures", "failure_action", NULL};
    int r = node_check_map(n, keys, e), action = FAILURE_CONTINUE;
    int64_t failures = -1;
    const struct node *part = node_get(n, "max_child_failures");
    if (r >= 0 && part)
        r = node_int(part, 0, INT32_MAX, &failures, e);
    part = node_get(n, "failure_action");
    if (r >= 0 && part)
        r = node_choice(part, failure_action_names, &action, e);
    d->max_child_failures = (int)failures;
    d->failure_action = (enum failure_action)action;
    return r;
}

/* Nobody is there to give a value when it is due. */
static int schedule_check_parameters(const struct node *n, const struct definition *d,
                                     struct err *e)
{
    for (int i = 0; i < d->parameter_count; i++)
        if (d->parameters[i].required)
            return node_fail(n, e, "parameter '%s' has no default, so nothing can be started",
                             d->parameters[i].name);
    return 0;
}

void definition_warn(struct definition *d, const struct node *n, const char *remark)
{
    char path[256];
    size_t size = (size_t)(d->warning_count + 1) * sizeof(*d->warnings);
    d->warnings = mem_resize(d->warnings, size);
    d->warnings[d->warning_count++] =
        mem_printf("%s: %s", node_path(n, path, sizeof(path)), remark);
}

/* After the parameters. */
static int schedule_take(const struct node *n, struct definition *d, struct err *e)
{
    int r = n ? schedule_read(n, &d->schedule, e) : 0;
    if (r < 0 || !n)
        return r;
    const char *remark = cron_remark(&d->schedule->cron);
    if (remark)
        definition_warn(d, n, remark);
    return schedule_check_parameters(n, d, e);
}

/* A definition may be looked at where no server is: then any pool is fine. */
static int pool_read(const struct node *n, const struct pool_limits *pools,
                     struct definition *d, struct err *e)
{
    char names[ERR_TEXT_MAX / 2];
    const char *name = "";
    int r = node_line(n, POOL_NAME_MAX, &name, e);
    if (r < 0)
        return r;
    if (pools && !pools->count)
        return node_fail(n, e, "there is no pool '%s': this server has none", name);
    if (pools && !pool_find(pools, name))
        return node_fail(n, e, "there is no pool '%s', only %s", name,
                         pools_list(pools, names, sizeof(names)));
    d->pool = mem_strdup(name);
    return 0;
}

/* How many of its jobs run, and which first. */
static int turn_read(const struct node *root, const struct pool_limits *pools,
                     struct definition *d, struct err *e)
{
    const struct node *running = node_get(root, "max_running"), *pool = node_get(root, "pool"),
                      *priority = node_get(root, "priority");
    int64_t number = 0;
    int r = running ? node_int(running, 1, INT32_MAX, &number, e) : 0;
    d->max_running = (int)number;
    number = 0;
    if (r >= 0 && pool)
        r = pool_read(pool, pools, d, e);
    if (r >= 0 && priority)
        r = node_int(priority, PRIORITY_MIN, PRIORITY_MAX, &number, e);
    d->priority = (int)number;
    return r;
}

/* id, name and description. */
static int head_read(const struct node *root, struct definition *d, struct err *e)
{
    const struct node *name = NULL, *description = node_get(root, "description");
    const char *text = "";
    int r = id_read(root, &d->id, e);
    if (r >= 0)
        r = node_need(root, "name", "text", &name, e);
    if (r >= 0)
        r = node_line(name, DEFINITION_NAME_MAX, &text, e);
    if (r < 0)
        return r;
    d->name = mem_strdup(text);
    text = "";
    r = description ? node_text(description, &text, e) : 0;
    d->description = mem_strdup(text);
    return r;
}

static int policy_read(const struct node *root, struct definition *d, struct err *e)
{
    const struct node *timeout = node_get(root, "timeout"),
                      *enabled = node_get(root, "enabled"), *tags = node_get(root, "tags"),
                      *tolerance = node_get(root, "error_tolerance"),
                      *keep = node_get(root, "keep");
    int r = 0;
    d->enabled = true;
    d->max_child_failures = -1;
    if (timeout)
        r = node_duration(timeout, 0, 0, &d->timeout_ms, e);
    if (r >= 0 && enabled)
        r = node_bool(enabled, &d->enabled, e);
    if (r >= 0 && tags)
        r = tags_read(tags, d, e);
    if (r >= 0 && tolerance)
        r = tolerance_read(tolerance, d, e);
    if (r >= 0 && keep)
        r = keep_read(keep, &d->keep, e);
    return r;
}

static int root_read(const struct definition_input *in, const struct node *root,
                     struct definition *d, struct err *e)
{
    static const char *const keys[] = {"id",
                                       "name",
                                       "description",
                                       "schedule",
                                       "timeout",
                                       "enabled",
                                       "tags",
                                       "parameters",
                                       "secrets",
                                       "webhooks",
                                       "error_tolerance",
                                       "max_running",
                                       "keep",
                                       "pool",
                                       "priority",
                                       "steps",
                                       NULL};
    const struct node *steps = NULL;
    int r = node_check_map(root, keys, e);
    if (r >= 0)
        r = head_read(root, d, e);
    if (r >= 0)
        r = policy_read(root, d, e);
    if (r >= 0)
        r = turn_read(root, in->pools, d, e);
    if (r >= 0)
        r = parameters_read(node_get(root, "parameters"), d, e);
    if (r >= 0)
        r = secrets_read(node_get(root, "secrets"), d, e);
    if (r >= 0)
        r = webhooks_read(node_get(root, "webhooks"), d, e);
    if (r >= 0)
        r = schedule_take(node_get(root, "schedule"), d, e);
    if (r >= 0)
        r = node_need(root, "steps", "a list with at least one step", &steps, e);
    if (r >= 0)
        r = parameters_give(d, in, e);
    if (r < 0)
        return r;
    struct filler filler = {.parameters = d->parameters,
                            .count = d->parameter_count,
                            .max_bytes = LIMIT_DEFINITION_BYTES,
                            .secrets = d->secrets,
                            .secret_count = d->secret_count,
                            .warned = d};
    r = steps_read(steps, in->schemas, &filler, d, e);
    filler_done(&filler);
    return r;
}

int definition_parse(const struct definition_input *in, struct definition **ret_definition,
                     struct err *e)
{
    if (in->text.n > LIMIT_DEFINITION_BYTES)
        return fail(e, E_TOOBIG, "%s: a definition may have at most %d bytes, this one has %zu",
                    in->origin, LIMIT_DEFINITION_BYTES, in->text.n);
    AUTO_NODE_TREE tree = NODE_TREE_OF(in->origin);
    bool is_json = in->format == DEFINITION_JSON;
    int r = is_json ? node_read_json(&tree, in->text, e) : node_read_yaml(&tree, in->text, e);
    if (r < 0)
        return r;
    AUTO_DEFINITION *d = mem_alloc(sizeof(*d));
    d->source = mem_copy(in->text.p, in->text.n);
    d->is_json = is_json;
    r = root_read(in, tree.root, d, e);
    if (r < 0)
        return r;
    *ret_definition = TAKE(d);
    return 0;
}
