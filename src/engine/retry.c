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

enum { LISTEN_MS = 100 };

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
    t->row.due_at_us = clock_wall_us() + ms * 1000;
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

/* Takes the cause. */
static void task_expire(struct task *t, char *cause)
{
    timeout_end_task(t);
    t->expired = cause;
    FAULT_KILLS(ENGINE_TIMEOUT);
    AUTO_FREE char *label = fan_label(t);
    AUTO_FREE char *text = mem_printf("%s%s", label, cause);
    record_line(t->step->job, t->step, t, ORIGINATOR_STEP, LEVEL_WARN, str_of(text));
    t->step->worker.type->task_stop(&t->worker);
}

static void on_task_timeout(struct deadline *d)
{
    struct task *t = container_of(d, struct task, deadline);
    task_expire(t, passed_text("the task", t->step->definition->task_timeout_ms));
}

/* Nothing of the job that it has started runs: that waits for its next attempt, say. */
static bool child_waits(const struct task *t)
{
    for (int i = 0; t->child && i < t->child->step_count; i++)
        LIST_EACH (&t->child->steps[i].running, struct task, link, other)
            if (!child_waits(other))
                return false;
    return t->child;
}

/* It is only a time that is noted with each sign of life; whether the last one was long ago is
 * looked at when it would be. What came while this process stood still is read first. */
static void on_heartbeat(struct deadline *d)
{
    struct task *t = container_of(d, struct task, heartbeat);
    struct deadlines *all = deadlines_of(t->step);
    int64_t most_ms = t->step->definition->heartbeat_ms;
    if (writer_is_full(t->step->job->engine->writer) || child_waits(t))
        t->alive_ms = deadlines_now_ms(all); /* nobody reads what it says, or has to say it */
    int64_t left_ms = t->alive_ms + most_ms - deadlines_now_ms(all);
    if (left_ms <= 0 && t->suspected) {
        char text[QUANTITY_TEXT_MAX];
        task_expire(t, mem_printf("no sign of life for %s (heartbeat)",
                                  quantity_format_duration(most_ms, text)));
        return;
    }
    t->suspected = left_ms <= 0;
    deadline_set(all, d, t->suspected ? LISTEN_MS : left_ms, on_heartbeat);
}

void timeout_start_task(struct task *t)
{
    const struct step_definition *d = t->step->definition;
    if (d->task_timeout_ms)
        deadline_set(deadlines_of(t->step), &t->deadline, d->task_timeout_ms, on_task_timeout);
    if (d->heartbeat_ms)
        deadline_set(deadlines_of(t->step), &t->heartbeat, d->heartbeat_ms, on_heartbeat);
    t->suspected = false;
    timeout_alive(t);
}

void timeout_end_task(struct task *t)
{
    deadline_clear(deadlines_of(t->step), &t->deadline);
    deadline_clear(deadlines_of(t->step), &t->heartbeat);
}

/* What a task says its job says, and so the task that started that. */
void timeout_alive(struct task *t)
{
    for (int64_t now_ms = deadlines_now_ms(deadlines_of(t->step)); t; t = t->step->job->parent)
        t->alive_ms = now_ms;
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
