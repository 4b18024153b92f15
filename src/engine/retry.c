/* retry.c: a task that failed and may try again, and how long anything may take.
 *
 * A failed task that has attempts left goes back to pending, with its cause and the time of the
 * next one, and waits in memory until that has come; then it is as any task that waits. Its row
 * knows the time, so a restart neither shortens nor lengthens the pause. A deadline that passes
 * ends a task, a step or a job on the road that a cancel takes, but as failed. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/fault.h"
#include "base/limits.h"
#include "base/mem.h"
#include "engine/job.h"
#include "job/quantity.h"

static struct deadlines *deadlines_of(const struct step *step)
{
    return &step->job->engine->deadlines;
}

/* ---- trying again ---- */

/* Twice as long after each failure, and of that between half and all, by chance, so that what
 * failed together does not come back together ("equal jitter", M. Brooker, Exponential Backoff
 * and Jitter, AWS Architecture Blog, 2015). */
int64_t retry_pause_ms(const struct step_definition *d, int attempt)
{
    const int64_t most = d->retry_backoff_max_ms;
    int64_t ms = d->retry_backoff_ms;
    for (int i = 1; i < attempt && ms < most; i++)
        ms = ms > most / 2 ? most : 2 * ms;
    uint32_t chance;
    if (uv_random(NULL, NULL, &chance, sizeof(chance), 0, NULL) != 0)
        chance = 0;
    int64_t half = ms / 2;
    return half + (int64_t)((double)(ms - half) * chance / UINT32_MAX);
}

bool retry_is_left(const struct task *t)
{
    return t->row.attempt < t->step->definition->retry_attempts && !t->step->stopping &&
           !t->hopeless;
}

/* A step of one task says how far it is by the attempt; of many tasks the counts say more. */
static void attempt_tell(const struct task *t, int attempt, const char *what)
{
    AUTO_FREE char *text =
        mem_printf("%sattempt %d of %d", what, attempt, t->step->definition->retry_attempts);
    if (t->step->last_number == 1)
        engine_host.progress(&t->step->worker, text);
}

void retry_start(const struct task *t)
{
    struct step *step = t->step;
    if (t->row.attempt < 2 || step->definition->retry_attempts < 2)
        return;
    AUTO_FREE char *label = fan_label(t);
    record_linef(step->job, step, LEVEL_INFO, "%sattempt %d of %d", label, t->row.attempt,
                 step->definition->retry_attempts);
    attempt_tell(t, t->row.attempt, "");
}

static void on_retry(struct deadline *d)
{
    struct task *t = container_of(d, struct task, deadline);
    FAULT_KILLS(ENGINE_RETRY_DUE);
    t->step->waiting_count--;
    queue_return(t);
    step_is_due(t->step);
}

static int64_t due_after_us(int64_t ms)
{
    static const int64_t latest_us = INT64_C(253402300799000000); /* the end of 9999 */
    int64_t now_us = clock_wall_us();
    return ms < (latest_us - now_us) / 1000 ? now_us + ms * 1000 : latest_us;
}

bool retry_is_later(const struct task *t)
{
    return t->row.due_at_us > clock_wall_us();
}

void retry_wait(struct task *t)
{
    struct step *step = t->step;
    const struct step_definition *d = step->definition;
    int64_t left_ms = (t->row.due_at_us - clock_wall_us() + 999) / 1000;
    int64_t most_ms = MAX(d->retry_backoff_ms, d->retry_backoff_max_ms);
    list_remove(&t->link);
    list_add(&step->waiting, &t->link);
    step->waiting_count++;
    /* the wall clock may have been set meanwhile */
    deadline_set(deadlines_of(step), &t->deadline, MIN(left_ms, most_ms), on_retry);
}

void retry_later(struct task *t, const char *cause)
{
    struct step *step = t->step;
    int64_t ms = retry_pause_ms(step->definition, t->row.attempt);
    AUTO_FREE char *label = fan_label(t);
    AUTO_FREE char *text = mem_printf(
        "%sattempt %d of %d failed: %s; the next one in %" PRId64 ".%" PRId64 " s", label,
        t->row.attempt, step->definition->retry_attempts, cause, ms / 1000, ms % 1000 / 100);
    record_line(step->job, step, t, ORIGINATOR_STEP, LEVEL_WARN, str_of(text));
    attempt_tell(t, t->row.attempt + 1, "waits for ");
    t->row.due_at_us = due_after_us(ms);
    record_task_move(t, JOB_PENDING, text);
    retry_wait(t);
    FAULT_KILLS(ENGINE_RETRY);
}

struct task *retry_take(struct step *step)
{
    struct task *t = LIST_TAKE(&step->waiting, struct task, link);
    step->waiting_count -= t != NULL;
    return t;
}

/* ---- how long something may take ---- */

/* Milliseconds that are left of `timeout_ms`, also after a restart; the wall clock may be set
 * meanwhile, so never more than all of it. */
static int64_t left_ms(int64_t timeout_ms, int64_t started_at_us)
{
    int64_t gone_ms = (clock_wall_us() - started_at_us) / 1000;
    return timeout_ms - MIN(MAX(gone_ms, 0), timeout_ms);
}

static char *passed_text(const char *of, int64_t timeout_ms)
{
    char text[QUANTITY_TEXT_MAX];
    return mem_printf("timeout: %s took longer than %s", of,
                      quantity_format_duration(timeout_ms, text));
}

static void on_task_timeout(struct deadline *d)
{
    struct task *t = container_of(d, struct task, deadline);
    FAULT_KILLS(ENGINE_TIMEOUT);
    t->expired = true;
    t->step->worker.type->task_stop(&t->worker);
}

void timeout_start_task(struct task *t)
{
    if (t->step->definition->task_timeout_ms)
        deadline_set(deadlines_of(t->step), &t->deadline, t->step->definition->task_timeout_ms,
                     on_task_timeout);
}

char *timeout_task_cause(const struct task *t)
{
    return passed_text("the task", t->step->definition->task_timeout_ms);
}

static void on_step_timeout(struct deadline *d)
{
    struct step *step = container_of(d, struct step, deadline);
    AUTO_FREE char *cause = passed_text("the step", step->definition->timeout_ms);
    FAULT_KILLS(ENGINE_TIMEOUT);
    record_linef(step->job, step, LEVEL_ERROR, "%s", cause);
    step_stop(step, JOB_FAILED, cause);
}

void timeout_start_step(struct step *step)
{
    int64_t timeout_ms = step->definition->timeout_ms;
    if (timeout_ms)
        deadline_set(deadlines_of(step), &step->deadline,
                     left_ms(timeout_ms, step->row.started_at_us), on_step_timeout);
}

char *timeout_job_cause(const struct job *job)
{
    int64_t timeout_ms = job->definition->timeout_ms;
    return timeout_ms ? passed_text("the job", timeout_ms) : NULL;
}

static void on_job_timeout(struct deadline *d)
{
    struct job *job = container_of(d, struct job, deadline);
    if (job->cancelling)
        return;
    AUTO_FREE char *cause = timeout_job_cause(job);
    FAULT_KILLS(ENGINE_TIMEOUT);
    record_linef(job, NULL, LEVEL_ERROR, "%s", cause);
    job_expire(job, cause);
}

void timeout_start_job(struct job *job)
{
    int64_t timeout_ms = job->definition->timeout_ms;
    if (timeout_ms)
        deadline_set(&job->engine->deadlines, &job->deadline,
                     left_ms(timeout_ms, job->row.started_at_us), on_job_timeout);
}
