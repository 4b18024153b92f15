/* subjob.c: jobs that tasks of other jobs have started.
 *
 * The row of such a job has the id of the task. While both are in memory they know each other;
 * the end of the job and that of the task are in one batch, so after a crash either both have
 * ended, or the job goes on and the task, when it runs again, finds it here: until then the job
 * does not end. */
#include <stdlib.h>

#include "base/fault.h"
#include "base/limits.h"
#include "base/mem.h"
#include "engine/job.h"

static struct job *job_of_task(const struct task *t)
{
    LIST_EACH (&t->step->job->engine->jobs, struct job, link, job)
        if (id_eq(job->row.parent_id, t->row.id) && !job_state_is_final(job->row.status))
            return job;
    return NULL;
}

static int depth_of(const struct job *job)
{
    int depth = 0;
    for (; job->parent; job = job->parent->step->job)
        depth++;
    return depth;
}

static void attach(struct task *t, struct job *job, char ret_id[ID_TEXT_LEN + 1])
{
    t->child = job;
    job->parent = t;
    job->awaited = false;
    job_is_due(job);
    id_format(job->row.id, ret_id);
}

int subjob_start(struct task *t, const struct worker_job *wanted, char ret_id[ID_TEXT_LEN + 1],
                 struct err *e)
{
    struct job *parent = t->step->job, *job = job_of_task(t);
    struct engine *g = parent->engine;
    if (job) {
        attach(t, job, ret_id);
        return 1;
    }
    if (depth_of(parent) + 1 > LIMIT_JOB_DEPTH)
        return fail(e, E_LIMIT,
                    "jobs may start jobs %d deep, this would be one more: does '%s' "
                    "lead to itself?",
                    LIMIT_JOB_DEPTH, wanted->definition);
    const struct catalog_entry *entry =
        g->catalog ? catalog_find(g->catalog, wanted->definition) : NULL;
    if (!entry)
        return fail(e, E_NOTFOUND, "there is no definition '%s'", wanted->definition);
    AUTO_FREE char *by = mem_printf("job %s, step %s", parent->id_text, t->step->row.name);
    struct start start = {.names = wanted->names,
                          .values = wanted->values,
                          .count = wanted->count,
                          .by = by,
                          .priority = &parent->row.priority,
                          .parent_id = t->row.id};
    struct id id;
    int r = engine_execute(g, entry->definition, &start, &id, e);
    if (r >= 0)
        attach(t, job_of_task(t), ret_id);
    FAULT_KILLS(ENGINE_SUBJOB_STARTED);
    return r;
}

static void cancel(struct job *job, const struct task *t)
{
    job->awaited = false;
    job_is_due(job);
    AUTO_FREE char *who = mem_printf("its parent job %s", t->step->job->id_text);
    job_cancel(job, who);
}

bool subjob_stop(struct task *t)
{
    struct job *job = t->child;
    if (t->step->job->engine->stopping || !job) {
        subjob_detach(t);
        return false;
    }
    cancel(job, t);
    return true;
}

void subjob_forget(struct task *t)
{
    struct job *job = t->step->worker.type->job_ended ? job_of_task(t) : NULL;
    if (job)
        cancel(job, t);
}

static bool will_be_asked_for(const struct engine *g, const struct task_row *task)
{
    LIST_EACH (&g->jobs, struct job, link, job) {
        if (!id_eq(job->row.id, task->job_id) || job_state_is_final(job->row.status))
            continue;
        for (int i = 0; i < job->step_count; i++)
            if (id_eq(job->steps[i].row.id, task->step_id))
                return job->steps[i].opened;
    }
    return false;
}

int subjobs_recover(struct engine *g, struct store_reader *r, struct err *e)
{
    LIST_EACH (&g->jobs, struct job, link, job) {
        AUTO_ARENA a = ARENA_INIT;
        struct task_row *task;
        if (id_is_none(job->row.parent_id) || job_state_is_final(job->row.status))
            continue;
        int code = store_get_task(r, job->row.parent_id, &a, &task, e);
        if (code < 0 && code != E_NOTFOUND)
            return code;
        job->awaited =
            code >= 0 && !job_state_is_final(task->status) && will_be_asked_for(g, task);
    }
    return 0;
}

void subjob_detach(struct task *t)
{
    if (t->child)
        t->child->parent = NULL;
    t->child = NULL;
}

void subjob_ended(struct job *job, enum job_state outcome, const char *cause)
{
    struct task *t = job->parent;
    if (!t)
        return;
    FAULT_KILLS(ENGINE_SUBJOB_ENDED);
    subjob_detach(t);
    t->step->worker.type->job_ended(&t->worker, outcome, cause);
}
