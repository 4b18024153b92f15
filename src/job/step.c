/* A step is read in the order of the text, but what it depends on may come later: so `depends`
 * is looked up when all names are known, and the order found after that. */
#include "job/step.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/limits.h"
#include "base/map.h"
#include "base/mem.h"
#include "job/condition.h"
#include "job/for_each.h"
#include "job/graph.h"

enum { STEP_NAME_MAX = 64, STEP_ATTEMPTS_MAX = 100, STEP_LINES_MIN = 10 };

#define AUTO_MAP AUTO(map_done) struct map

enum { RETRY_ATTEMPTS = 3, RETRY_BACKOFF_MS = 1000, RETRY_BACKOFF_MAX_MS = 5 * 60 * 1000 };

const char *const max_lines_names[] = {"cut", "fail", NULL};
const char *const on_error_names[] = {"fail", "continue", "retry", NULL};

void steps_free(struct definition *d)
{
    for (int i = 0; i < d->step_count; i++) {
        struct step_definition *s = &d->steps[i];
        free(s->name);
        free(s->type);
        free(s->description);
        free(s->depends);
        free(s->wanted);
        settings_free(s->for_each);
        settings_free(s->settings);
    }
    free(d->steps);
    free(d->order);
}

static int name_read(const struct node *step, char **ret_name, struct err *e)
{
    static const char what[] = "a name of letters, digits, '_' and '-'";
    const struct node *n = NULL;
    int r = node_need(step, "name", what, &n, e);
    if (r < 0)
        return r;
    if (n->kind != NODE_SCALAR)
        return node_fail_expected(n, what, e);
    size_t length = 0;
    while (text_is_alnum(n->text[length]) || n->text[length] == '_' || n->text[length] == '-')
        length++;
    if (length == 0 || n->text[length])
        return node_fail_expected(n, what, e);
    if (length > STEP_NAME_MAX)
        return node_fail(n, e, "expected at most %d characters, found %zu", STEP_NAME_MAX,
                         length);
    *ret_name = mem_strdup(n->text);
    return 0;
}

static int type_read(const struct node *step, const struct worker_schema *const *schemas,
                     struct step_definition *s, struct err *e)
{
    size_t count = 0;
    while (schemas[count])
        count++;
    AUTO_FREE const char **types = mem_alloc((count + 1) * sizeof(*types));
    for (size_t i = 0; i < count; i++)
        types[i] = schemas[i]->type;
    const struct node *n = NULL;
    int index = 0, r = node_need(step, "type", "the type of a worker", &n, e);
    if (r >= 0)
        r = node_choice(n, types, &index, e);
    if (r < 0)
        return r;
    s->schema = schemas[index];
    s->type = mem_strdup(s->schema->type);
    return 0;
}

int retry_read(const struct node *n, struct step_definition *s, struct err *e)
{
    static const char *const keys[] = {"attempts", "backoff", "backoff_max", NULL};
    int r = node_check_map(n, keys, e);
    const struct node *attempts = node_get(n, "attempts"), *backoff = node_get(n, "backoff"),
                      *most = node_get(n, "backoff_max");
    int64_t value = s->retry_attempts ? s->retry_attempts : RETRY_ATTEMPTS;
    if (r >= 0 && attempts)
        r = node_int(attempts, 1, STEP_ATTEMPTS_MAX, &value, e);
    if (r >= 0 && backoff)
        r = node_duration(backoff, 0, 0, &s->retry_backoff_ms, e);
    if (r >= 0 && most)
        r = node_duration(most, s->retry_backoff_ms, 0, &s->retry_backoff_max_ms, e);
    s->retry_attempts = (int)value;
    return r;
}

/* A number, or a map that also says what happens then. */
static int max_lines_read(const struct node *n, struct step_definition *s, struct err *e)
{
    static const char *const keys[] = {"lines", "then", NULL};
    const struct node *lines = n, *then = node_get(n, "then");
    int r = 0, choice = 0;
    s->max_lines = LIMIT_STEP_LINES;
    if (n && n->kind == NODE_MAP) {
        r = node_check_map(n, keys, e);
        if (r >= 0)
            r = node_need(n, "lines", "a number of lines", &lines, e);
    }
    if (r >= 0 && lines)
        r = node_int(lines, STEP_LINES_MIN, INT64_MAX / 2, &s->max_lines, e);
    if (r >= 0 && then)
        r = node_choice(then, max_lines_names, &choice, e);
    s->max_lines_fail = choice != 0;
    return r;
}

/* on_error, always_run, retry, and how long something may take or be silent. */
static int policy_read(const struct node *step, struct step_definition *s, struct err *e)
{
    const struct node *on_error = node_get(step, "on_error"), *retry = node_get(step, "retry"),
                      *always = node_get(step, "always_run"),
                      *timeout = node_get(step, "timeout"),
                      *task_timeout = node_get(step, "task_timeout"),
                      *heartbeat = node_get(step, "heartbeat");
    int r = 0, choice = ON_ERROR_FAIL;
    s->retry_backoff_ms = RETRY_BACKOFF_MS;
    s->retry_backoff_max_ms = RETRY_BACKOFF_MAX_MS;
    if (on_error)
        r = node_choice(on_error, on_error_names, &choice, e);
    s->on_error = (enum on_error)choice;
    if (s->on_error == ON_ERROR_RETRY)
        s->retry_attempts = RETRY_ATTEMPTS;
    if (r >= 0 && always)
        r = node_bool(always, &s->always_run, e);
    if (r >= 0 && retry)
        r = retry_read(retry, s, e);
    if (r >= 0 && timeout)
        r = node_duration(timeout, 0, 0, &s->timeout_ms, e);
    if (r >= 0 && task_timeout)
        r = node_duration(task_timeout, 0, 0, &s->task_timeout_ms, e);
    if (r >= 0 && heartbeat)
        r = node_duration(heartbeat, 0, 0, &s->heartbeat_ms, e);
    if (r >= 0)
        r = max_lines_read(node_get(step, "max_lines"), s, e);
    return r;
}

static int step_read(const struct node *n, const struct worker_schema *const *schemas,
                     struct filler *filler, struct definition *d, struct err *e)
{
    static const char *const keys[] = {"name",     "type",         "description", "depends",
                                       "when",     "on_error",     "always_run",  "retry",
                                       "timeout",  "task_timeout", "heartbeat",   "for_each",
                                       "parallel", "max_lines",    "config",      NULL};
    filler->step = d->step_count;
    struct step_definition *s = &d->steps[d->step_count++];
    const char *description = "";
    int r = node_check_map(n, keys, e);
    if (r >= 0)
        r = name_read(n, &s->name, e);
    if (r >= 0)
        r = type_read(n, schemas, s, e);
    if (r >= 0 && node_get(n, "description"))
        r = node_text(node_get(n, "description"), &description, e);
    if (r >= 0)
        r = policy_read(n, s, e);
    if (r >= 0 && s->heartbeat_ms && s->task_timeout_ms &&
        s->heartbeat_ms >= s->task_timeout_ms)
        definition_warn(d, node_get(n, "heartbeat"),
                        "it is not shorter than task_timeout, which ends an attempt before it");
    if (r >= 0)
        r = for_each_read(n, filler, s, e);
    if (r < 0)
        return r;
    filler->has_item = s->for_each;
    s->description = mem_strdup(description);
    return settings_read(node_get(n, "config"), n, s->schema, filler, &s->settings, e);
}

static int fail_no_step(const struct node *n, const char *name, const struct definition *d,
                        struct err *e)
{
    const char *names[LIMIT_DEFINITION_STEPS + 1] = {NULL};
    for (int i = 0; i < d->step_count; i++)
        names[i] = d->steps[i].name;
    return node_fail(n, e, "there is no step '%s'%s", NODE_SHOWN(name), NODE_HINT(name, names));
}

int step_index(const struct node *n, const char *name, const struct map *indexes,
               const struct definition *d, const struct step_definition *s, int *ret_index,
               struct err *e)
{
    const struct step_definition *other = map_get(indexes, str_of(name));
    if (!other)
        return fail_no_step(n, name, d, e);
    if (other == s)
        return node_fail(n, e, "step '%s' depends on itself", name);
    *ret_index = (int)(other - d->steps);
    return 0;
}

static int depends_read(const struct node *list, const struct map *indexes,
                        struct definition *d, struct step_definition *s, struct err *e)
{
    bool seen[LIMIT_DEFINITION_STEPS] = {false};
    int r = node_check_list(list, e);
    if (r < 0)
        return r;
    s->depends = mem_alloc((size_t)list->count * sizeof(*s->depends));
    s->wanted = mem_alloc((size_t)list->count * sizeof(*s->wanted));
    NODE_EACH (list, n) {
        const char *name = "";
        int index = 0;
        r = node_text(n, &name, e);
        if (r >= 0)
            r = step_index(n, name, indexes, d, s, &index, e);
        if (r < 0)
            return r;
        if (seen[index])
            return node_fail(n, e, "step '%s' is named twice", name);
        seen[index] = true;
        s->depends[s->depends_count++] = index;
    }
    return 0;
}

static void variables_check(const struct node *name, struct map *variables,
                            struct step_definition *s, struct definition *d)
{
    AUTO_FREE char *variable = mem_strdup(s->name);
    text_to_variable(variable);
    const struct step_definition *earlier = map_get(variables, str_of(variable));
    map_set(variables, str_of(variable), s);
    if (!earlier)
        return;
    AUTO_FREE char *remark =
        mem_printf("commands get the outputs of '%s' as variables STEP_%s_…, as those of step "
                   "'%s': of an output that both have they see one",
                   s->name, variable, earlier->name);
    definition_warn(d, name, remark);
}

static int names_check(const struct node *steps, struct map *indexes, struct definition *d,
                       struct err *e)
{
    AUTO_MAP variables = MAP_INIT;
    int i = 0;
    NODE_EACH (steps, n) {
        struct step_definition *s = &d->steps[i++],
                               *earlier = map_get(indexes, str_of(s->name));
        if (earlier)
            return node_fail(node_get(n, "name"), e, "steps[%d] has the name '%s' already",
                             (int)(earlier - d->steps), s->name);
        map_set(indexes, str_of(s->name), s);
        variables_check(node_get(n, "name"), &variables, s, d);
    }
    return 0;
}

static int fail_circle(const struct node *steps, const struct definition *d, int length,
                       struct err *e)
{
    AUTO_BUF names = BUF_INIT((LIMIT_DEFINITION_STEPS + 1) * (STEP_NAME_MAX + 8));
    const struct node *first = steps->first;
    for (int i = 0; i < d->order[0]; i++)
        first = first->next;
    for (int i = 0; i < length; i++)
        buf_printf(&names, "%s → ", d->steps[d->order[i]].name);
    buf_add_c(&names, d->steps[d->order[0]].name);
    const struct node *depends = node_get(first, "depends");
    return node_fail(depends ? depends : node_get(first, "when"), e,
                     "the steps depend on each other in a circle: %s", buf_text(&names));
}

static int order_find(const struct node *steps, struct definition *d, struct err *e)
{
    AUTO_FREE struct graph_node *nodes = mem_alloc((size_t)d->step_count * sizeof(*nodes));
    for (int i = 0; i < d->step_count; i++)
        nodes[i] = (struct graph_node){d->steps[i].depends, d->steps[i].depends_count};
    d->order = mem_alloc((size_t)d->step_count * sizeof(*d->order));
    int length = graph_order(nodes, d->step_count, d->order);
    return length ? fail_circle(steps, d, length, e) : 0;
}

/* Does `step` wait for `other`, directly or not? `seen` spares a graph's many roads. */
static bool waits_for(const struct definition *d, int step, int other, bool *seen)
{
    if (step == other)
        return true;
    if (seen[step])
        return false;
    seen[step] = true;
    for (int i = 0; i < d->steps[step].depends_count; i++)
        if (waits_for(d, d->steps[step].depends[i], other, seen))
            return true;
    return false;
}

/* An output can only be asked for where it is sure that its step has ended. */
static int references_check(const struct filler *f, const struct map *indexes,
                            const struct definition *d, struct err *e)
{
    for (size_t i = 0; i < f->reference_count; i++) {
        const struct reference *ref = &f->references[i];
        bool seen[LIMIT_DEFINITION_STEPS] = {false};
        int other = 0;
        int r = step_index(ref->n, ref->of, indexes, d, NULL, &other, e);
        if (r < 0)
            return r;
        if (ref->step == other || !waits_for(d, ref->step, other, seen))
            return node_fail(ref->n, e,
                             "step '%s' does not depend on step '%s', whose output it asks for",
                             d->steps[ref->step].name, ref->of);
    }
    return 0;
}

int steps_read(const struct node *steps, const struct worker_schema *const *schemas,
               struct filler *filler, struct definition *d, struct err *e)
{
    AUTO_MAP indexes = MAP_INIT;
    int r = node_check_list(steps, e);
    if (r < 0)
        return r;
    if (steps->count == 0)
        return node_fail(steps, e, "expected at least one step");
    if (steps->count > LIMIT_DEFINITION_STEPS)
        return node_fail(steps, e, "expected at most %d steps, found %d",
                         LIMIT_DEFINITION_STEPS, steps->count);
    d->steps = mem_alloc((size_t)steps->count * sizeof(*d->steps));
    NODE_EACH (steps, n) {
        r = step_read(n, schemas, filler, d, e);
        if (r < 0)
            return r;
    }
    r = names_check(steps, &indexes, d, e);
    if (r < 0)
        return r;
    NODE_EACH (steps, step) {
        const struct node *list = node_get(step, "depends"), *when = node_get(step, "when");
        struct step_definition *s = &d->steps[step->index];
        r = list ? depends_read(list, &indexes, d, s, e) : 0;
        if (r >= 0 && when)
            r = conditions_read(when, &indexes, d, s, e);
        if (r < 0)
            return r;
    }
    r = order_find(steps, d, e);
    return r < 0 ? r : references_check(filler, &indexes, d, e);
}
