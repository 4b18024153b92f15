/* step.c: the step manager.
 *
 * The happy path of a step: pending -> step_start() moves it to running, opens the worker and
 * lets it plan its first tasks, all in one batch (so a step that is running has been planned,
 * also after a crash) -> step_advance() hands out tasks, as many at a time as the worker can do
 * -> nothing waits and nothing runs
 * -> step_finish() says how it ended.
 *
 * It fails when its worker cannot start, when all its tasks failed, or when more failed than
 * the definition tolerates and it says stop_all. step_stop() ends it early: what waits is
 * cancelled, what runs is asked to end. Only step_advance() decides; everything else records
 * and calls step_is_due(). */
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/fault.h"
#include "base/limits.h"
#include "base/mem.h"
#include "engine/job.h"
#include "job/node.h"

struct step *step_of(struct worker_step *w)
{
    return container_of(w, struct step, worker);
}

static void on_due(uv_timer_t *timer)
{
    struct engine *g = container_of(timer, struct engine, due_timer);
    struct step *step;
    struct job *job;
    do {
        while ((step = LIST_TAKE(&g->due_steps, struct step, link_due)))
            step_advance(step);
        while ((job = LIST_TAKE(&g->due_jobs, struct job, link_due)))
            job_advance(job);
        if (!g->stopping)
            places_give(g);
    } while (!list_is_empty(&g->due_jobs)); /* those that begin */
    engine_check_stopped(g);
}

/* Not at once but in the next turn of the loop: whoever calls may be in the middle of a worker.
 */
static void add_due(struct engine *g, struct list *due, struct list *link)
{
    if (!list_is_linked(link))
        list_add(due, link);
    if (!uv_is_active((uv_handle_t *)&g->due_timer))
        uv_timer_start(&g->due_timer, on_due, 0, 0);
}

void step_is_due(struct step *step)
{
    add_due(step->job->engine, &step->job->engine->due_steps, &step->link_due);
}

void job_is_due(struct job *job)
{
    add_due(job->engine, &job->engine->due_jobs, &job->link_due);
}

int step_open(struct step *step, struct err *e)
{
    ASSERT(step->worker.type);
    if (FAULT(ENGINE_STEP_STARTED))
        return fault_fail(e);
    if (step->definition->for_each)
        step->worker.concurrency = step->definition->parallel;
    int r = supply_take(step, e);
    if (r >= 0)
        r = secrets_open(step, e);
    if (r >= 0 && step->worker.type->step_open)
        r = step->worker.type->step_open(&step->worker, e);
    step->opened = r >= 0;
    return r;
}

void step_close(struct step *step)
{
    if (step->opened && step->worker.type->step_close)
        step->worker.type->step_close(&step->worker);
    step->opened = false;
    files_leave(step);
    secrets_close(step);
    queue_abandon(step);
}

void step_end(struct step *step, enum job_state state, const char *cause)
{
    FAULT_KILLS(ENGINE_STEP_END);
    step_close(step);
    cap_flush(step);
    deadline_clear(&step->job->engine->deadlines, &step->deadline);
    int64_t ms = (clock_wall_us() - step->row.started_at_us) / 1000;
    enum event_level level = state == JOB_FAILED      ? LEVEL_ERROR
                             : state == JOB_CANCELLED ? LEVEL_WARN
                                                      : LEVEL_INFO;
    char used[COST_TEXT_MAX];
    record_linef(step->job, step, level, "%s after %lld.%03lld s%s%s%s", job_state_name(state),
                 (long long)ms / 1000, (long long)ms % 1000, cost_text(&step->cost, used),
                 cause ? ": " : "", cause ? cause : "");
    record_step_move(step, state, cause);
}

void step_start(struct step *step)
{
    struct err e;
    record_step_move(step, JOB_RUNNING, NULL);
    record_linef(step->job, step, LEVEL_INFO, "started (%s)", step->row.type);
    timeout_start_step(step);
    if (step_open(step, &e) < 0) {
        step_end(step, JOB_FAILED, e.text);
        return;
    }
    if (!step->definition->for_each) {
        step->worker.type->step_plan(&step->worker);
    } else if (fan_plan(step, &e) < 0) {
        step_end(step, JOB_FAILED, e.text);
        return;
    }
    monitor_changed(step);
    step_is_due(step);
}

void step_remember_failure(struct step *step, const char *key, const char *cause)
{
    free(step->last_failure);
    step->last_failure = step->definition->for_each && cause
                             ? mem_printf("'%s': %s", NODE_SHOWN(key), cause)
                             : mem_strdup(cause);
}

void step_stop(struct step *step, enum job_state state, const char *cause)
{
    if (step->stopping || step->row.status != JOB_RUNNING)
        return;
    cap_flush(step);
    step->stopping = true;
    step->stop_state = state;
    step->stop_cause = mem_strdup(cause);
    LIST_EACH (&step->running, struct task, link, t)
        step->worker.type->task_stop(&t->worker);
    step_is_due(step);
}

static void start_task(struct step *step, struct task *t)
{
    struct err e;
    record_task_move(t, JOB_RUNNING, NULL);
    list_add(&step->running, &t->link);
    step->running_count++;
    int r = fan_take(t, &e);
    retry_start(t);
    timeout_start_task(t);
    if (FAULT(ENGINE_TASK_STARTED)) {
        (void)fault_fail(&e);
        engine_host.done(&t->worker, JOB_FAILED, e.text);
        return;
    }
    if (r >= 0)
        r = step->worker.type->task_start(&t->worker, &e);
    if (r < 0)
        engine_host.done(&t->worker, JOB_FAILED, e.text);
}

static bool too_many_failed(const struct step *step)
{
    const struct definition *d = step->job->definition;
    return d->max_child_failures >= 0 && step->counts[JOB_FAILED] > d->max_child_failures;
}

/* How a step whose tasks have all ended has ended. */
static void step_finish(struct step *step)
{
    const struct definition *d = step->job->definition;
    const int64_t *n = step->counts;
    int64_t total = n[JOB_COMPLETED] + n[JOB_FAILED] + n[JOB_CANCELLED];
    char cause[4 * ERR_TEXT_MAX];
    if (step->stopping) {
        step_end(step, step->stop_state, step->stop_cause);
    } else if (n[JOB_FAILED] > 0 && n[JOB_FAILED] == total) {
        if (total == 1)
            (void)snprintf(cause, sizeof(cause), "%s",
                           step->last_failure ? step->last_failure : "its task failed");
        else
            (void)snprintf(cause, sizeof(cause), "all %lld tasks failed, the last one: %s",
                           (long long)total, step->last_failure ? step->last_failure : "");
        step_end(step, JOB_FAILED, cause);
    } else if (n[JOB_FAILED] > 0 && step->definition->for_each && d->max_child_failures < 0) {
        (void)snprintf(cause, sizeof(cause), "%lld of %lld items failed, the last one: %s",
                       (long long)n[JOB_FAILED], (long long)total,
                       step->last_failure ? step->last_failure : "");
        step_end(step, JOB_FAILED, cause);
    } else {
        if (too_many_failed(step) && d->failure_action == FAILURE_MARK_WARNING)
            record_linef(step->job, step, LEVEL_WARN, "%lld tasks failed, %d are tolerated",
                         (long long)n[JOB_FAILED], d->max_child_failures);
        step_end(step, JOB_COMPLETED, NULL);
    }
}

static void stop_when_too_many_failed(struct step *step)
{
    const struct definition *d = step->job->definition;
    char cause[ERR_TEXT_MAX];
    if (step->stopping || d->failure_action != FAILURE_STOP_ALL || !too_many_failed(step))
        return;
    (void)snprintf(cause, sizeof(cause),
                   "%lld tasks failed, %d are tolerated, the last one: %s",
                   (long long)step->counts[JOB_FAILED], d->max_child_failures,
                   step->last_failure ? step->last_failure : "");
    step_stop(step, JOB_FAILED, cause);
}

static void stop_when_too_many_lines(struct step *step)
{
    if (!cap_is_over(step) || !step->definition->max_lines_fail)
        return;
    AUTO_FREE char *cause =
        mem_printf("it wrote more than %s lines", COUNT_TEXT(step->definition->max_lines));
    step_stop(step, JOB_FAILED, cause);
}

static bool has_task_to_start(struct step *step)
{
    return !step->stopping && !step->job->engine->stopping &&
           step->running_count < step->worker.concurrency &&
           step->waiting_count < LIMIT_TASKS_WINDOW && queue_has(step);
}

void step_advance(struct step *step)
{
    struct task *t;
    if (step->row.status != JOB_RUNNING || !step->opened)
        return;
    stop_when_too_many_failed(step);
    stop_when_too_many_lines(step);
    while (step->stopping && ((t = queue_take(step)) || (t = retry_take(step)))) {
        subjob_forget(t);
        record_task_move(t, JOB_CANCELLED, step->stop_cause);
        task_free(t);
    }
    while (has_task_to_start(step) && !writer_is_full(step->job->engine->writer) &&
           files_take(step)) {
        start_task(step, queue_take(step));
        stop_when_too_many_failed(step); /* it may have failed at once */
    }
    if (!has_task_to_start(step))
        files_leave(step);
    if (step->running_count > 0)
        return;
    if (step->job->engine->stopping)
        step_close(step);
    else if (queue_is_empty(step) && step->waiting_count == 0)
        step_finish(step);
}
