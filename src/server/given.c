#include "server/given.h"

enum { BY_MAX = 64 };

static int priority_read(const struct node *n, struct given *given, struct err *e)
{
    int64_t priority;
    int code = n ? node_int(n, PRIORITY_MIN, PRIORITY_MAX, &priority, e) : 0;
    if (code < 0 || !n)
        return code;
    given->priority = (int)priority;
    given->start.priority = &given->priority;
    return 0;
}

static int parameters_read(struct request *r, const struct node *map, struct start *start,
                           struct err *e)
{
    if (map->kind != NODE_MAP)
        return node_fail_expected(map, "an object of texts", e);
    size_t size = (size_t)map->count * sizeof(char *);
    const char **names = arena_alloc(&r->arena, size), **values = arena_alloc(&r->arena, size);
    NODE_EACH (map, n) {
        if (n->kind != NODE_SCALAR)
            return node_fail_expected(n, "a text", e);
        names[start->count] = n->key;
        values[start->count++] = n->text;
    }
    start->names = names;
    start->values = values;
    return 0;
}

static int by_read(const struct node *n, const char **ret_by, struct err *e)
{
    *ret_by = "API";
    return n ? node_line(n, BY_MAX, ret_by, e) : 0;
}

int given_read_by(struct request *r, const char **ret_by, struct err *e)
{
    const char *const keys[] = {"by", NULL};
    int code = r->json ? node_check_map(r->json, keys, e) : 0;
    return code < 0 ? code : by_read(r->json ? node_get(r->json, "by") : NULL, ret_by, e);
}

int given_read(struct request *r, bool is_rerun, struct given *given, struct err *e)
{
    const char *const keys[] = {"parameters", "by", "priority", is_rerun ? "from_failed" : NULL,
                                NULL};
    given->start.by = "API";
    if (!r->json)
        return 0;
    int code = node_check_map(r->json, keys, e);
    if (code >= 0)
        code = by_read(node_get(r->json, "by"), &given->start.by, e);
    if (code >= 0)
        code = priority_read(node_get(r->json, "priority"), given, e);
    if (code >= 0 && node_get(r->json, "from_failed"))
        code = node_bool(node_get(r->json, "from_failed"), &given->from_failed, e);
    const struct node *map = node_get(r->json, "parameters");
    return code < 0 || !map ? code : parameters_read(r, map, &given->start, e);
}

void given_reply_started(struct request *r, struct id job_id, const char *name)
{
    r->status = MHD_HTTP_ACCEPTED;
    json_begin_object(&r->j);
    json_key_id(&r->j, "job_id", job_id);
    json_key_c(&r->j, "job_name", name);
    json_key_c(&r->j, "status", job_state_name(JOB_RUNNING));
    json_key_c(&r->j, "message", "the job was started");
    json_end_object(&r->j);
    request_reply_committed(r);
}
