/* Cancel, delete, run again. All first look in the store whether there is such a job at all;
 * what they then do happens on the loop and is answered when it is durable. */
#include "server/chronicle.h"
#include "server/given.h"
#include "server/request.h"

struct target {
    struct id id;
    struct job_row *job;
    struct step_row **steps;
    size_t step_count;
    int64_t children;
};

static int fail_gone(const struct target *t, struct err *e)
{
    return fail(e, E_NOTFOUND, "there is no job '%s'", ID_TEXT(t->id));
}

static int read_target(struct request *r, struct store_reader *reader, struct err *e)
{
    struct target *t = r->arg;
    int code = store_get_job(reader, t->id, &r->arena, &t->job, e);
    if (code == E_NOTFOUND)
        return fail_gone(t, e);
    if (code >= 0)
        code = store_list_steps(reader, t->id, &r->arena, &t->steps, &t->step_count, e);
    for (size_t i = 0; code >= 0 && i < t->step_count; i++) {
        t->children++;
        for (int k = 0; k < TASK_COUNTS; k++)
            t->children += t->steps[i]->tasks[k];
    }
    return code;
}

static int look_first(struct request *r, int (*then)(struct request *r, struct err *e),
                      struct err *e)
{
    struct target *t = arena_alloc(&r->arena, sizeof(*t));
    r->arg = t;
    int code = request_id(r, "job", &t->id, e);
    if (code >= 0)
        request_read(r, read_target, then);
    return code;
}

static int cancel(struct request *r, struct err *e)
{
    struct target *t = r->arg;
    const char *by;
    int code = given_read_by(r, &by, e);
    if (code >= 0)
        code = job_state_is_final(t->job->status)
                   ? E_NOTFOUND
                   : engine_cancel(r->server->engine, t->id, by, e);
    if (code == E_NOTFOUND)
        return fail(e, E_STATE, "job '%s' has ended already", ID_TEXT(t->id));
    if (code < 0)
        return code;
    json_begin_object(&r->j);
    json_key_id(&r->j, "job_id", t->id);
    json_key_c(&r->j, "message", "the job was asked to end");
    json_end_object(&r->j);
    request_reply_committed(r);
    return 0;
}

static int rerun(struct request *r, struct err *e)
{
    struct target *t = r->arg;
    struct given given = {0};
    struct id job_id;
    char by[160];
    int code = given_read(r, true, &given, e);
    (void)snprintf(by, sizeof(by), "%s, again after %s%s", given.start.by, ID_TEXT(t->id),
                   given.from_failed ? ", from what failed" : "");
    given.start.by = by;
    given.start.steps = given.from_failed ? t->steps : NULL;
    given.start.step_count = t->step_count;
    if (code >= 0)
        code = engine_rerun(r->server->engine, t->job, &given.start, &job_id, e);
    if (code >= 0)
        given_reply_started(r, job_id, t->job->name);
    return code;
}

int handle_job_rerun(struct request *r, struct err *e)
{
    return look_first(r, rerun, e);
}

int handle_job_cancel(struct request *r, struct err *e)
{
    return look_first(r, cancel, e);
}

static int delete_job(struct request *r, struct err *e)
{
    struct target *t = r->arg;
    if (!job_state_is_final(t->job->status) || engine_is_active(r->server->engine, t->id))
        return fail(e, E_STATE, "job '%s' is %s; only a job that has ended can be deleted",
                    ID_TEXT(t->id), job_state_name(t->job->status));
    if (!engine_delete(r->server->engine, t->id))
        return fail_gone(t, e);
    chronicle_add(r->server, LEVEL_INFO, "job_deleted", ID_TEXT(t->id), "%s was deleted",
                  t->job->name);
    json_begin_object(&r->j);
    json_key_id(&r->j, "job_id", t->id);
    json_key_c(&r->j, "message", "the job was deleted");
    json_key_bool(&r->j, "cascade_deleted", t->children > 0);
    json_key_int(&r->j, "child_count", t->children);
    json_end_object(&r->j);
    request_reply_committed(r);
    return 0;
}

int handle_job_delete(struct request *r, struct err *e)
{
    return look_first(r, delete_job, e);
}
