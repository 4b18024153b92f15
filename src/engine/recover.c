/* recover.c: the jobs that an earlier server left behind.
 *
 * A job that is not final is made again from its row: same id, same numbers of lines, same
 * counts. A step that is running was planned (step.c), so its tasks are all in the store: those
 * that wait, and those that ran, go back to the queue in the order of their numbers. */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "engine/job.h"

enum { TASKS_PER_READ = 10000 };

/* The definition of a job, with the parameters it was started with. */
static int definition_again(const struct job_row *row, struct definition **ret_definition,
                            struct err *e)
{
    json_t *parameters = row->parameters ? json_loads(row->parameters, 0, NULL) : NULL;
    size_t count = json_object_size(parameters), i = 0;
    const char **names = mem_alloc(count * sizeof(*names));
    const char **values = mem_alloc(count * sizeof(*values));
    const char *name;
    json_t *value;
    json_object_foreach(parameters, name, value)
    {
        names[i] = name;
        values[i++] = json_string_value(value);
    }
    struct definition_input in = {.text = str_of(row->source),
                                  .origin = "stored definition",
                                  .format =
                                      row->source_is_json ? DEFINITION_JSON : DEFINITION_YAML,
                                  .schemas = worker_schemas(),
                                  .names = names,
                                  .values = values,
                                  .value_count = (int)count,
                                  .for_run = true};
    int r = definition_parse(&in, ret_definition, e);
    free(names);
    free(values);
    json_decref(parameters);
    return r;
}

static void adopt_step(struct step *step, const struct step_row *row)
{
    struct step_row old = step->row;
    step->row = *row;
    step->row.name = old.name;
    step->row.type = old.type;
    step->row.depends = old.depends;
    step->row.error = step->error = mem_strdup(row->error);
    step->row.cause = step->cause = mem_strdup(row->cause);
    step->row.progress_text = step->progress_text = mem_strdup(row->progress_text);
    id_format(row->id, step->id_text);
    step->source.step_id = row->id;
}

static void last_failure_set(struct step *step, const char *cause)
{
    free(step->last_failure);
    step->last_failure = mem_strdup(cause);
}

/* Tells the worker of every task there is, and takes the interrupted ones into the queue. */
static int adopt_tasks(struct step *step, struct store_reader *r, int64_t *ret_interrupted,
                       struct err *e)
{
    const struct worker_type *type = step->worker.type;
    struct task_query q = {
        .job_id = step->row.job_id, .step_id = step->row.id, .limit = TASKS_PER_READ};
    for (size_t count = 1; count > 0;) {
        AUTO_ARENA a = ARENA_INIT;
        struct task_row **rows;
        int64_t total;
        int code = store_list_tasks(r, &q, &a, &rows, &count, &total, e);
        if (code < 0)
            return code;
        for (size_t i = 0; i < count; i++) {
            struct task_row *row = rows[i];
            q.after_number = step->last_number = row->number;
            step->counts[row->status]++;
            keyset_add(&step->keys, hash_of(str_of(row->key)));
            if (type->step_known)
                type->step_known(&step->worker, row->key, row->payload, row->status);
            if (row->status == JOB_FAILED)
                last_failure_set(step, row->cause);
            if (job_state_is_final(row->status))
                continue;
            struct task *t = task_new(step, row);
            if (row->status == JOB_RUNNING) {
                record_task_move(t, JOB_PENDING, "the server was restarted");
                (*ret_interrupted)++;
            }
            queue_place(step, t);
        }
    }
    return 0;
}

static void recover_step(struct step *step, struct store_reader *r)
{
    struct err e;
    int64_t interrupted = 0;
    int code = step_open(step, &e);
    if (code >= 0)
        code = adopt_tasks(step, r, &interrupted, &e);
    if (code < 0) {
        record_linef(step->job, step, LEVEL_ERROR, "cannot go on after a restart: %s", e.text);
        step_close(step);
        record_step_move(step, JOB_FAILED, e.text);
        return;
    }
    if (!step->job->cancelling)
        record_linef(step->job, step, LEVEL_WARN,
                     "the server was restarted: going on, %lld interrupted task%s again",
                     (long long)interrupted, interrupted == 1 ? " runs" : "s run");
    step_is_due(step);
}

/* A job whose definition this version cannot read ends here, and says why. */
static int recover_broken(struct engine *g, const struct job_row *row, const char *why)
{
    struct definition *empty = mem_alloc(sizeof(*empty));
    *empty = (struct definition){.id = mem_strdup(row->definition_id),
                                 .name = mem_strdup(row->name),
                                 .source = mem_strdup(row->source),
                                 .is_json = row->source_is_json};
    struct job *job = job_new(g, empty, row->id);
    job->row.status = row->status;
    job->row.created_at_us = row->created_at_us;
    job->row.started_at_us = row->started_at_us;
    job->row.lines = row->lines;
    record_linef(job, NULL, LEVEL_ERROR, "cannot go on after a restart: %s", why);
    if (job->row.status == JOB_PENDING)
        record_job_move(job, JOB_RUNNING, NULL);
    record_job_move(job, JOB_FAILED, why);
    return 0;
}

static int recover_job(struct engine *g, struct store_reader *r, const struct job_row *row,
                       struct err *e)
{
    AUTO_ARENA a = ARENA_INIT;
    struct step_row **steps;
    size_t count;
    struct definition *d;
    struct err why;
    int code = store_list_steps(r, row->id, &a, &steps, &count, e);
    if (code < 0)
        return code;
    if (definition_again(row, &d, &why) < 0)
        return recover_broken(g, row, why.text);
    struct job *job = job_new(g, d, row->id);
    job->row.status = row->status;
    job->row.created_at_us = row->created_at_us;
    job->row.started_at_us = row->started_at_us;
    job->row.lines = row->lines;
    job->row.cause = job->cause = mem_strdup(row->cause);
    job->cancelling = job->cause != NULL; /* the server ended in the middle of that */
    for (size_t i = 0; i < count && i < (size_t)job->step_count; i++)
        adopt_step(&job->steps[i], steps[i]);
    for (int i = 0; i < job->step_count; i++)
        if (job->steps[i].row.status == JOB_RUNNING)
            recover_step(&job->steps[i], r);
    if (job->cancelling)
        job_stop(job);
    log_info("job %s (%s) goes on", job->id_text, job->row.name);
    job_is_due(job);
    return 0;
}

int engine_recover(struct engine *g, struct err *e)
{
    AUTO_READER *r = NULL;
    AUTO_ARENA a = ARENA_INIT;
    struct job_row **rows;
    size_t count;
    int64_t total;
    struct job_query q = {.states = 1u << JOB_PENDING | 1u << JOB_RUNNING, .limit = -1};
    int code = store_read_begin(g->store, &r, e);
    if (code >= 0)
        code = store_list_jobs(r, &q, &a, &rows, &count, &total, e);
    for (size_t i = 0; code >= 0 && i < count; i++)
        code = recover_job(g, r, rows[i], e);
    return code;
}
