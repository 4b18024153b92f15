#include "server/given.h"

enum { BY_MAX = 64 };

int given_read(struct request *r, struct given *given, struct err *e)
{
    static const char *const keys[] = {"parameters", "by", NULL};
    given->by = "API";
    if (!r->json)
        return 0;
    int code = node_check_map(r->json, keys, e);
    if (code >= 0 && node_get(r->json, "by"))
        code = node_line(node_get(r->json, "by"), BY_MAX, &given->by, e);
    const struct node *map = node_get(r->json, "parameters");
    if (code < 0 || !map)
        return code;
    if (map->kind != NODE_MAP)
        return node_fail_expected(map, "an object of texts", e);
    size_t size = (size_t)map->count * sizeof(char *);
    given->names = arena_alloc(&r->arena, size);
    given->values = arena_alloc(&r->arena, size);
    NODE_EACH (map, n) {
        if (n->kind != NODE_SCALAR)
            return node_fail_expected(n, "a text", e);
        given->names[given->count] = n->key;
        given->values[given->count++] = n->text;
    }
    return 0;
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
