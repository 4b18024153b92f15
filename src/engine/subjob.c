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
    return map_get(&t->step->job->engine->by_task, ID_KEY(t->row.id));
}

/* The job that somebody started, from which this one came, and how deep that is. */
static struct job *root_of(struct job *job, int *ret_depth)
{
    struct job *above;
    for (*ret_depth = 0; (above = job_find(job->engine, job->parent_job_id)); job = above)
        (*ret_depth)++;
    return job;
}

/* The job of a task, which is not that of an attempt before. */
static void adopt(struct job *job, struct id parent_job_id)
{
    job->parent_job_id = parent_job_id;
    map_set(&job->engine->by_task, ID_KEY(job->row.parent_id), job);
}

static void attach(struct task *t, struct job *job, char ret_id[ID_TEXT_LEN + 1])
{
    t->child = job;
    job->parent = t;
    job->awaited = false;
    job_is_due(job);
    id_format(job->row.id, ret_id);
}

/* Whether one more job may come of this one. */
static int family_check(const struct engine *g, const struct job *root, int depth,
                        const char *wanted, struct err *e)
{
    if (depth + 1 > LIMIT_JOB_DEPTH)
        return fail(e, E_LIMIT,
                    "jobs may start jobs %d deep, this would be one more: does '%s' "
                    "lead to itself?",
                    LIMIT_JOB_DEPTH, wanted);
    if (g->max_family && root->row.family >= g->max_family)
        return fail(e, E_LIMIT,
                    "%d jobs have come of job %s, more may not (serve --max-family %d): does "
                    "'%s' lead to itself?",
                    root->row.family, root->id_text, g->max_family, wanted);
    return 0;
}

int subjob_start(struct task *t, const struct worker_job *wanted, char ret_id[ID_TEXT_LEN + 1],
                 struct err *e)
{
    struct job *parent = t->step->job, *job = job_of_task(t);
    struct engine *g = parent->engine;
    int depth;
    if (job) {
        attach(t, job, ret_id);
        return 1;
    }
    struct job *root = root_of(parent, &depth);
    int r = family_check(g, root, depth, wanted->definition, e);
    t->hopeless = r < 0;
    if (r < 0)
        return r;
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
    r = engine_execute(g, entry->definition, &start, &id, e);
    if (r < 0)
        return r;
    job = job_find(g, id);
    adopt(job, parent->row.id);
    attach(t, job, ret_id);
    record_family_grows(root);
    FAULT_KILLS(ENGINE_SUBJOB_STARTED);
    return r;
}

static void cancel(struct job *job, struct id parent_job_id)
{
    job->awaited = false;
    job_is_due(job);
    AUTO_FREE char *who = mem_printf("its parent job %s", ID_TEXT(parent_job_id));
    job_cancel(job, who);
}

bool subjob_stop(struct task *t)
{
    struct job *job = t->child;
    if (t->step->job->engine->stopping || !job) {
        subjob_detach(t);
        return false;
    }
    cancel(job, job->parent_job_id);
    return true;
}

void subjob_forget(struct task *t)
{
    struct job *job = t->step->worker.type->job_ended ? job_of_task(t) : NULL;
    if (job)
        cancel(job, job->parent_job_id);
}

static bool is_opened(const struct job *job, struct id step_id)
{
    for (int i = 0; i < job->step_count; i++)
        if (id_eq(job->steps[i].row.id, step_id))
            return job->steps[i].opened;
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
        if (code < 0)
            continue;
        const struct job *parent = job_find(g, task->job_id);
        adopt(job, task->job_id);
        job->awaited =
            parent && !job_state_is_final(task->status) && is_opened(parent, task->step_id);
        if (!job->awaited && !job->broken)
            cancel(job, task->job_id); /* nobody will ask for it */
    }
    return 0;
}

void subjob_detach(struct task *t)
{
    if (t->child)
        t->child->parent = NULL;
    t->child = NULL;
}

/* Of a name, the value of the last step that has set it. */
static int outputs_pass(const struct job *job, struct task *t, struct err *e)
{
    int r = 0;
    for (int i = 0; i < job->step_count; i++) {
        const struct step *step = &job->steps[i];
        for (int k = 0; k < step->output_count && r >= 0; k++)
            r = output_set(t->step, t, str_of(step->outputs[k].name),
                           str_of(step->outputs[k].value), e);
    }
    return r;
}

void subjob_ended(struct job *job, enum job_state outcome, const char *cause)
{
    struct err e;
    struct task *t = job->parent;
    map_remove(&job->engine->by_task, ID_KEY(job->row.parent_id));
    if (!t)
        return;
    FAULT_KILLS(ENGINE_SUBJOB_ENDED);
    subjob_detach(t);
    const char *lost = outputs_pass(job, t, &e) < 0 ? e.text : NULL;
    t->step->worker.type->job_ended(&t->worker, outcome, cause, lost);
}
