/* recover.c: the jobs that an earlier server left behind.
 *
 * A job that is not final is made again from its row: same id, same numbers of lines, same
 * counts. A step that is running was planned (step.c), so its tasks are all in the store: those
 * that wait, and those that ran, go back to the queue in the order of their numbers.
 *
 * What cannot go on (this version cannot read the definition any more, a worker cannot start)
 * is ended here, with all that belongs to it: nothing stays "running" by nobody. */
#include <stdlib.h>
#include <string.h>

#include "base/fault.h"
#include "base/log.h"
#include "base/mem.h"
#include "engine/job.h"

enum { ROWS_PER_READ = 10000 };

static void adopt_step(struct step *step, const struct step_row *row)
{
    struct step_row old = step->row;
    step->row = *row;
    step->row.name = old.name;
    step->row.type = old.type;
    free(step->depends);
    step->row.depends = step->depends = mem_strdup(row->depends);
    step->row.error = step->error = mem_strdup(row->error);
    step->row.cause = step->cause = mem_strdup(row->cause);
    step->row.progress_text = step->told_text = mem_strdup(row->progress_text);
    step->row.told_lines = step->told_lines = mem_strdup(row->told_lines);
    step->progress_text = mem_strdup(row->progress_text);
    outputs_adopt(step, row->outputs);
    id_format(row->id, step->id_text);
    step->source.step_id = row->id;
}

/* The row counts those that were told; more may have been kept before the server died. */
static int adopt_documents(struct job *job, struct store_reader *r, struct err *e)
{
    struct document_query q = {.job_id = job->row.id, .limit = ROWS_PER_READ};
    for (size_t count = 1; count > 0; q.offset += ROWS_PER_READ) {
        AUTO_ARENA a = ARENA_INIT;
        struct document_row **rows;
        int64_t total;
        int code = store_list_documents(r, &q, &a, &rows, &count, &total, e);
        if (code < 0)
            return code;
        for (size_t i = 0; i < count; i++)
            for (int k = 0; k < job->step_count; k++)
                job->steps[k].documents += id_eq(job->steps[k].row.id, rows[i]->step_id);
    }
    return 0;
}

/* Of a step's tasks. */
struct adopted {
    int64_t interrupted, later; /* those that ran, and those that try again when it is time */
};

static void adopt_task(struct step *step, const struct task_row *row, const char *abandon,
                       struct adopted *ret_adopted)
{
    struct task *t = task_new(step, row);
    if (abandon) {
        record_task_move(t, JOB_CANCELLED, abandon);
        task_free(t);
        return;
    }
    if (row->status == JOB_RUNNING) {
        record_task_move(t, JOB_PENDING, "the server was restarted");
        ret_adopted->interrupted++;
    }
    ret_adopted->later += retry_is_later(t);
    queue_place(step, t);
}

/* Tells the worker of every task there is, and takes those that have not ended into the queue;
 * with `abandon`, which says why, they are cancelled instead. */
static int adopt_tasks(struct step *step, struct store_reader *r, const char *abandon,
                       struct adopted *ret_adopted, struct err *e)
{
    const struct worker_type *type = step->worker.type;
    struct task_query q = {
        .job_id = step->row.job_id, .step_id = step->row.id, .limit = ROWS_PER_READ};
    for (size_t count = 1; count > 0;) {
        AUTO_ARENA a = ARENA_INIT;
        struct task_row **rows;
        int64_t total;
        if (FAULT(ENGINE_RECOVER_TASKS))
            return fault_fail(e);
        int code = store_list_tasks(r, &q, &a, &rows, &count, &total, e);
        if (code < 0)
            return code;
        for (size_t i = 0; i < count; i++) {
            const struct task_row *row = rows[i];
            q.after_number = step->last_number = row->number;
            step->counts[row->status]++;
            keyset_add(&step->keys, hash_of(str_of(row->key)));
            if (step->opened && type->step_known)
                type->step_known(&step->worker, row->key, row->payload, row->status);
            if (row->status == JOB_FAILED)
                step_remember_failure(step, row->key, row->cause);
            if (!job_state_is_final(row->status))
                adopt_task(step, row, abandon, ret_adopted);
        }
    }
    return 0;
}

/* Ends a step that cannot go on, and its tasks. */
static int abandon_step(struct step *step, struct store_reader *r, const char *why,
                        struct err *e)
{
    struct adopted adopted = {0};
    if (step->row.status == JOB_PENDING)
        record_step_move(step, JOB_CANCELLED, why);
    if (step->row.status != JOB_RUNNING)
        return 0;
    int code = adopt_tasks(step, r, why, &adopted, e);
    if (code >= 0)
        step_end(step, JOB_FAILED, why);
    return code;
}

static void tell_adopted(struct step *step, const struct adopted *adopted)
{
    AUTO_FREE char *later =
        mem_printf(", %lld wait%s for the time of the next attempt", (long long)adopted->later,
                   adopted->later == 1 ? "s" : "");
    record_linef(step->job, step, LEVEL_WARN,
                 "the server was restarted: going on, %lld interrupted task%s again%s",
                 (long long)adopted->interrupted, adopted->interrupted == 1 ? " runs" : "s run",
                 adopted->later ? later : "");
}

static int recover_step(struct step *step, struct store_reader *r, struct err *e)
{
    struct err why;
    struct adopted adopted = {0};
    cap_pass(step);
    if (step_open(step, &why) < 0) {
        AUTO_FREE char *cause = mem_printf("cannot go on after a restart: %s", why.text);
        return abandon_step(step, r, cause, e);
    }
    int code = adopt_tasks(step, r, NULL, &adopted, e);
    if (code < 0)
        return code;
    if (!step->job->cancelling)
        tell_adopted(step, &adopted);
    timeout_start_step(step);
    step_is_due(step);
    return 0;
}

/* A definition that says no more than what the rows say: names and types. */
static struct definition *definition_of_rows(const struct job_row *row,
                                             struct step_row *const *steps, size_t count)
{
    struct definition *d = mem_alloc(sizeof(*d));
    *d = (struct definition){.id = mem_strdup(row->definition_id),
                             .name = mem_strdup(row->name),
                             .source = mem_strdup(row->source),
                             .is_json = row->source_is_json,
                             .steps = mem_alloc(count * sizeof(*d->steps)),
                             .step_count = (int)count};
    for (size_t i = 0; i < count; i++) {
        d->steps[i].name = mem_strdup(steps[i]->name);
        d->steps[i].type = mem_strdup(steps[i]->type);
    }
    return d;
}

/* Of a job whose definition this version cannot read all steps end here, and says why. It ends
 * itself as any job, so that a task that waits for it is told. */
static int recover_broken(struct job *job, struct store_reader *r, const char *why,
                          struct err *e)
{
    int code = 0;
    job->broken = mem_printf("cannot go on after a restart: %s", why);
    if (job->row.status == JOB_PENDING)
        record_job_move(job, JOB_RUNNING, NULL);
    for (int i = 0; i < job->step_count && code >= 0; i++)
        code = abandon_step(&job->steps[i], r, job->broken, e);
    job_is_due(job);
    return code;
}

static int recover_steps(struct job *job, struct store_reader *r, struct err *e)
{
    int code = 0;
    for (int i = 0; i < job->step_count && code >= 0; i++)
        if (job->steps[i].row.status == JOB_RUNNING)
            code = recover_step(&job->steps[i], r, e);
    if (code < 0)
        return code;
    if (job->cancelling)
        job_stop(job);
    if (job->row.status == JOB_RUNNING) {
        places_take(job);
        timeout_start_job(job);
    }
    log_info("job %s (%s) goes on", job->id_text, job->row.name);
    job_is_due(job);
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
    if (FAULT(ENGINE_RECOVER_JOB))
        return fault_fail(e);
    int code = store_list_steps(r, row->id, &a, &steps, &count, e);
    if (code < 0)
        return code;
    bool readable = definition_again(row, NULL, NULL, 0, &d, &why) >= 0;
    struct job *job = job_new(g, readable ? d : definition_of_rows(row, steps, count), row->id);
    job->row.status = row->status;
    job->row.created_at_us = row->created_at_us;
    job->row.parent_id = row->parent_id;
    job->row.started_at_us = row->started_at_us;
    job->row.lines = row->lines;
    job->row.bytes = row->bytes;
    job->row.priority = row->priority;
    job->row.family = row->family;
    job->row.waits_for = job->waits_for = mem_strdup(row->waits_for);
    job_set_started_by(job, row->started_by);
    job->row.cause = job->cause = mem_strdup(row->cause);
    job->cancelling = job->cause != NULL; /* the server ended in the middle of that */
    for (size_t i = 0; i < count && i < (size_t)job->step_count; i++)
        adopt_step(&job->steps[i], steps[i]);
    code = adopt_documents(job, r, e);
    if (code < 0)
        return code;
    return readable ? recover_steps(job, r, e) : recover_broken(job, r, why.text, e);
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
    if (code >= 0)
        code = subjobs_recover(g, r, e);
    FAULT_KILLS(ENGINE_RECOVERED);
    return code;
}
