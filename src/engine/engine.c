/* engine.c: the engine as the server sees it. */
#include "engine/engine.h"

#include <stdlib.h>
#include <string.h>

#include "base/fault.h"
#include "base/limits.h"
#include "base/mem.h"
#include "engine/job.h"

int engine_new(uv_loop_t *loop, struct store *store, struct writer *writer,
               struct engine **ret_engine, struct err *e)
{
    struct engine *g = mem_alloc(sizeof(*g));
    *g = (struct engine){.loop = loop, .store = store, .writer = writer};
    list_init(&g->jobs);
    places_init(&g->places);
    files_init(&g->files);
    list_init(&g->dirty_jobs);
    list_init(&g->dirty_steps);
    list_init(&g->due_jobs);
    list_init(&g->due_steps);
    if (uv_timer_init(loop, &g->due_timer) != 0) {
        free(g);
        return fail(e, E_IO, "cannot make a timer");
    }
    monitor_init(g);
    deadlines_init(&g->deadlines, loop);
    *ret_engine = g;
    return 0;
}

void engine_limit(struct engine *g, int max_jobs, const struct pool_limits *pools)
{
    g->pools = pools;
    places_limit(&g->places, max_jobs, pools);
}

void engine_limit_files(struct engine *g, int most)
{
    g->files.most = most;
}

void engine_catalog(struct engine *g, const struct catalog *catalog, int max_family)
{
    g->catalog = catalog;
    g->max_family = max_family;
}

void engine_hold(struct engine *g, bool held)
{
    if (!g->stopping)
        places_hold(g, held);
}

/* Takes the definition. */
static struct job *begin(struct engine *g, struct definition *own, const struct start *start)
{
    struct job *job = job_new(g, own, id_new());
    job_set_started_by(job, start->by);
    if (start->priority)
        job->row.priority = *start->priority;
    job->row.parent_id = start->parent_id;
    record_job_created(job);
    job_is_due(job);
    return job;
}

int engine_execute(struct engine *g, const struct definition *d, const struct start *start,
                   struct id *ret_job_id, struct err *e)
{
    if (!d->enabled)
        return fail(e, E_INVAL, "definition '%s' is disabled", d->id);
    if (g->stopping)
        return fail(e, E_BUSY, "the server is stopping");
    struct definition_input in = {.text = str_of(d->source),
                                  .origin = d->id,
                                  .format = d->is_json ? DEFINITION_JSON : DEFINITION_YAML,
                                  .schemas = worker_schemas(),
                                  .names = start->names,
                                  .values = start->values,
                                  .value_count = start->count,
                                  .for_run = true,
                                  .pools = g->pools};
    struct definition *own;
    int r = definition_parse(&in, &own, e);
    if (r >= 0)
        *ret_job_id = begin(g, own, start)->row.id;
    return r;
}

int engine_rerun(struct engine *g, const struct job_row *row, const struct start *start,
                 struct id *ret_job_id, struct err *e)
{
    struct definition *own = NULL;
    struct start as_it_was = *start;
    bool taken[LIMIT_DEFINITION_STEPS] = {false};
    if (g->stopping)
        return fail(e, E_BUSY, "the server is stopping");
    if (g->pools && row->pool && !pool_find(g->pools, row->pool))
        return fail_field(e, E_INVAL, "pool", "there is no pool '%s' any more", row->pool);
    int r = definition_again(row, start->names, start->values, start->count, &own, e);
    if (r >= 0 && start->steps)
        r = again_choose(row, start, own, taken, e);
    if (r < 0) {
        definition_free(own);
        return r;
    }
    if (!start->priority)
        as_it_was.priority = &row->priority;
    struct job *job = begin(g, own, &as_it_was);
    if (start->steps)
        again_take_over(job, row->id, start, taken);
    *ret_job_id = job->row.id;
    return 0;
}

int engine_cancel(struct engine *g, struct id job_id, const char *who, struct err *e)
{
    struct job *job = job_find(g, job_id);
    if (!job)
        return fail(e, E_NOTFOUND, "job %s is not running", ID_TEXT(job_id));
    job_cancel(job, who);
    return 0;
}

bool engine_delete(struct engine *g, struct id job_id)
{
    for (size_t i = 0; i < MIN(g->deleted_count, (size_t)DELETED_KNOWN); i++)
        if (id_eq(g->deleted[i], job_id))
            return false;
    g->deleted[g->deleted_count++ % DELETED_KNOWN] = job_id;
    batch_delete_job(writer_batch(g->writer), job_id);
    return true;
}

static bool is_active_of(const struct job *job, const char *definition_id)
{
    return !job_state_is_final(job->row.status) &&
           strcmp(job->row.definition_id, definition_id) == 0;
}

void engine_cancel_all_of(struct engine *g, const char *definition_id, const char *who)
{
    LIST_EACH (&g->jobs, struct job, link, job)
        if (is_active_of(job, definition_id))
            job_cancel(job, who);
}

bool engine_runs_any_of(const struct engine *g, const char *definition_id)
{
    LIST_EACH (&g->jobs, struct job, link, job)
        if (is_active_of(job, definition_id))
            return true;
    return false;
}

size_t engine_active_jobs(const struct engine *g)
{
    size_t n = 0;
    LIST_EACH (&g->jobs, struct job, link, job)
        n += !job_state_is_final(job->row.status);
    return n;
}

struct engine_figures engine_figures(const struct engine *g)
{
    struct engine_figures f = {0};
    LIST_EACH (&g->jobs, struct job, link, job) {
        f.jobs_pending += job->row.status == JOB_PENDING;
        f.jobs_running += job->row.status == JOB_RUNNING;
        for (int i = 0; i < job->step_count; i++) {
            f.tasks_pending += job->steps[i].counts[JOB_PENDING];
            f.tasks_running += job->steps[i].counts[JOB_RUNNING];
        }
    }
    return f;
}

bool engine_is_active(const struct engine *g, struct id job_id)
{
    return job_find(g, job_id) != NULL;
}

void engine_on_drained(struct engine *g)
{
    LIST_EACH (&g->jobs, struct job, link, job) {
        for (int i = 0; i < job->step_count; i++) {
            struct step *step = &job->steps[i];
            if (!step->opened)
                continue;
            if (step->worker.type->step_resume)
                step->worker.type->step_resume(&step->worker);
            step_is_due(step);
        }
    }
}

/* ---- stopping ---- */

void engine_check_stopped(struct engine *g)
{
    if (!g->stopping || !g->stopped || g->readings)
        return;
    LIST_EACH (&g->jobs, struct job, link, job) {
        for (int i = 0; i < job->step_count; i++)
            if (job->steps[i].opened)
                return;
    }
    LIST_EACH (&g->jobs, struct job, link, job) {
        for (int i = 0; i < job->step_count; i++)
            cap_flush(&job->steps[i]);
    }
    LIST_EACH (&g->monitored, struct step, link_monitored, step)
        monitor_tell(step);
    LIST_EACH (&g->counted, struct step, link_counted, step)
        monitor_tell(step);
    uv_timer_stop(&g->monitor_timer);
    uv_timer_stop(&g->count_timer);
    uv_timer_stop(&g->due_timer);
    uv_timer_stop(&g->deadlines.timer);
    void (*stopped)(void *) = TAKE(g->stopped);
    stopped(g->stopped_arg);
}

void engine_stop(struct engine *g, void (*stopped)(void *arg), void *arg)
{
    g->stopping = true;
    g->stopped = stopped;
    g->stopped_arg = arg;
    LIST_EACH (&g->jobs, struct job, link, job) {
        for (int i = 0; i < job->step_count; i++) {
            struct step *step = &job->steps[i];
            LIST_EACH (&step->running, struct task, link, t)
                step->worker.type->task_stop(&t->worker);
            step_is_due(step);
        }
    }
    FAULT_KILLS(ENGINE_STOP);
    if (list_is_empty(&g->jobs))
        engine_check_stopped(g);
}

static void on_timer_closed(uv_handle_t *handle)
{
    struct engine *g = handle->data;
    if (--g->open_timers == 0)
        free(g);
}

void engine_free(struct engine *g)
{
    if (!g)
        return;
    LIST_EACH (&g->jobs, struct job, link, job)
        job_free(job);
    map_done(&g->by_id);
    map_done(&g->by_task);
    map_done(&g->errands);
    places_done(&g->places);
    uv_timer_t *timers[] = {&g->due_timer, &g->monitor_timer, &g->count_timer,
                            &g->deadlines.timer};
    g->open_timers = (int)ARRAY_LEN(timers);
    for (size_t i = 0; i < ARRAY_LEN(timers); i++)
        timers[i]->data = g;
    for (size_t i = 0; i + 1 < ARRAY_LEN(timers); i++)
        uv_close((uv_handle_t *)timers[i], on_timer_closed);
    deadlines_close(&g->deadlines, on_timer_closed);
}
