/* What a running command asks for, as `tailrace log` and its siblings do: with the token of its
 * task, for its own step. */
#include "job/event.h"
#include "server/request.h"

enum { PROGRESS_MAX_BYTES = 200 };

static int errand_begin(struct request *r, struct worker_task **ret_task, struct err *e)
{
    struct id step, task;
    struct str scheme = STR("Bearer "), token = request_header(r, "Authorization");
    if (!token.p || !str_starts(token, scheme))
        return fail(e, E_FORBIDDEN, "there is no header 'Authorization: Bearer TOKEN'");
    token = str_trim((struct str){token.p + scheme.n, token.n - scheme.n});
    if (!id_parse(r->params[0], &step) || !id_parse(r->params[1], &task))
        return fail(e, E_NOTFOUND, "there is no such step, or no such task");
    return engine_errand(r->server->engine, step, task, token, ret_task, e);
}

static int errand_done(struct request *r)
{
    json_begin_object(&r->j);
    json_key_c(&r->j, "message", "done");
    json_end_object(&r->j);
    request_reply_committed(r);
    return 0;
}

/* The map in the body, with one key that may not be missing. */
static int body_read(struct request *r, const char *const *keys, const char *what,
                     const struct node **ret_value, struct err *e)
{
    if (!r->json)
        return fail(e, E_INVAL, "there is no body; it is an object with '%s'", keys[0]);
    int code = node_check_map(r->json, keys, e);
    return code < 0 ? code : node_need(r->json, keys[0], what, ret_value, e);
}

int handle_errand_log(struct request *r, struct err *e)
{
    const char *const keys[] = {"lines", "level", NULL};
    const struct node *lines, *n = node_get(r->json, "level");
    struct worker_task *task;
    enum event_level level = LEVEL_INFO;
    const char *text = NULL;
    int code = errand_begin(r, &task, e);
    if (code >= 0)
        code = body_read(r, keys, "a list of texts", &lines, e);
    if (code >= 0)
        code = node_check_list(lines, e);
    if (code >= 0 && n)
        code = node_text(n, &text, e);
    if (code >= 0 && n && !event_level_parse(str_of(text), &level))
        return node_fail_expected(n, "debug, info, warn or error", e);
    if (code < 0)
        return code;
    NODE_EACH (lines, line)
        if ((code = node_text(line, &text, e)) < 0)
            return code;
    NODE_EACH (lines, line)
        if (node_text(line, &text, e) >= 0)
            task->step->host->log(task->step, task, level, str_of(text));
    return errand_done(r);
}

int handle_errand_progress(struct request *r, struct err *e)
{
    const char *const keys[] = {"text", NULL};
    const struct node *n;
    struct worker_task *task;
    const char *text;
    int code = errand_begin(r, &task, e);
    if (code >= 0)
        code = body_read(r, keys, "a text", &n, e);
    if (code >= 0)
        code = node_line(n, PROGRESS_MAX_BYTES, &text, e);
    if (code < 0)
        return code;
    task->step->host->progress(task->step, text);
    return errand_done(r);
}

int handle_errand_output(struct request *r, struct err *e)
{
    const char *const keys[] = {"outputs", NULL};
    const struct node *map;
    struct worker_task *task;
    const char *text;
    int code = errand_begin(r, &task, e);
    if (code >= 0)
        code = body_read(r, keys, "an object of texts", &map, e);
    if (code >= 0 && map->kind != NODE_MAP)
        code = node_fail_expected(map, "an object of texts", e);
    if (code < 0)
        return code;
    NODE_EACH (map, n) {
        code = node_text(n, &text, e);
        if (code >= 0)
            code = task->step->host->output(task, str_of(n->key), str_of(text), e);
        if (code < 0)
            return code;
    }
    return errand_done(r);
}

/* The map of texts; without one there are none. */
static int values_read(struct request *r, const struct node *map,
                       struct worker_parameter **ret_values, size_t *ret_count, struct err *e)
{
    size_t n = 0;
    if (!map)
        return 0;
    if (map->kind != NODE_MAP)
        return node_fail_expected(map, "an object of texts", e);
    *ret_values = arena_alloc(&r->arena, (size_t)map->count * sizeof(**ret_values));
    NODE_EACH (map, one) {
        struct worker_parameter *value = &(*ret_values)[n++];
        value->name = one->key;
        int code = node_text(one, &value->value, e);
        if (code < 0)
            return code;
    }
    *ret_count = n;
    return 0;
}

int handle_errand_spawn(struct request *r, struct err *e)
{
    const char *const keys[] = {"key", "values", NULL};
    const struct node *n;
    struct worker_task *task;
    struct worker_parameter *values = NULL;
    size_t count = 0;
    const char *key;
    int code = errand_begin(r, &task, e);
    if (code >= 0)
        code = body_read(r, keys, "a text", &n, e);
    if (code >= 0)
        code = node_line(n, LIMIT_TASK_KEY_BYTES, &key, e);
    if (code >= 0)
        code = values_read(r, node_get(r->json, "values"), &values, &count, e);
    if (code >= 0)
        code = engine_errand_spawn(task, str_of(key), values, count, e);
    return code < 0 ? code : errand_done(r);
}
