/* host.c: what workers may ask for. */
#include <stdlib.h>

#include "base/clock.h"
#include "base/fault.h"
#include "base/mem.h"
#include "engine/job.h"

static struct task *task_of(struct worker_task *w)
{
    return container_of(w, struct task, worker);
}

static void host_log(struct worker_step *s, struct worker_task *t, enum event_level level,
                     struct str message)
{
    struct step *step = step_of(s);
    if (t)
        timeout_alive(task_of(t));
    record_line(step->job, step, t ? task_of(t) : NULL, ORIGINATOR_WORKER, level, message);
}

static void host_alive(struct worker_step *s, struct worker_task *t)
{
    if (t)
        timeout_alive(task_of(t));
    else
        LIST_EACH (&step_of(s)->running, struct task, link, each)
            timeout_alive(each);
}

static void host_companion(struct worker_task *t, enum event_level level, struct str message,
                           struct str members)
{
    record_companion(task_of(t), level, message, members);
}

static int host_spawn(struct worker_step *s, struct str key, struct str payload, struct err *e)
{
    return queue_add(step_of(s), key, payload, e);
}

static void host_keep(struct worker_task *t, const struct worker_document *document)
{
    record_document(task_of(t), document);
}

static void host_progress(struct worker_step *s, const char *text)
{
    struct step *step = step_of(s);
    free(step->progress_text);
    step->progress_text = mem_strdup(text);
    monitor_changed(step);
}

static int host_output(struct worker_task *w, struct str name, struct str value, struct err *e)
{
    struct task *t = task_of(w);
    return output_set(t->step, t, name, value, e);
}

static const char *host_token(struct worker_task *t)
{
    return errand_token(task_of(t));
}

static void host_stopping(struct worker_task *w, int64_t grace_ms)
{
    task_of(w)->kill_at_us = clock_wall_us() + grace_ms * 1000;
    monitor_changed(step_of(w->step));
}

static void host_cost(struct worker_task *t, const struct cost *cost)
{
    cost_add(&task_of(t)->step->cost, cost);
}

static void task_end(struct task *t, enum job_state outcome, const char *cause)
{
    struct step *step = t->step;
    AUTO_FREE char *expired = TAKE(t->expired), *last = NULL;
    FAULT_KILLS(ENGINE_TASK_DONE);
    timeout_end_task(t);
    if (expired && outcome != JOB_COMPLETED && !step->stopping) {
        outcome = JOB_FAILED;
        cause = expired;
    }
    step->running_count--;
    files_give(step);
    step_is_due(step);
    if (outcome == JOB_FAILED && retry_is_left(t)) {
        retry_later(t, cause);
        return;
    }
    if (outcome == JOB_FAILED && t->row.attempt > 1 && step->definition->retry_attempts > 1) {
        last = mem_printf("%s (attempt %d of %d)", cause, t->row.attempt,
                          step->definition->retry_attempts);
        cause = last;
    }
    if (outcome == JOB_FAILED)
        fan_failed(t, cause);
    if (job_state_is_final(outcome))
        subjob_forget(t);
    record_task_move(t, outcome, cause);
    fan_tell(step);
    FAULT_KILLS(ENGINE_TASK_ENDED);
    task_free(t);
}

/* A task that the server's own end interrupted goes back to the queue. */
static void host_done(struct worker_task *w, enum job_state outcome, const char *cause)
{
    struct task *t = task_of(w);
    struct step *step = t->step;
    ASSERT(job_state_is_final(outcome) && list_is_linked(&t->link));
    ASSERT(t->row.status == JOB_RUNNING); /* an attempt ends once */
    errand_end(t);
    t->kill_at_us = 0;
    if (outcome == JOB_CANCELLED && !step->stopping && step->job->engine->stopping)
        outcome = JOB_PENDING;
    task_end(t, outcome, cause);
}

static bool host_may_write(struct worker_step *s)
{
    return !writer_is_full(step_of(s)->job->engine->writer);
}

static int host_job_start(struct worker_task *w, const struct worker_job *job,
                          char ret_id[ID_TEXT_LEN + 1], struct err *e)
{
    return subjob_start(task_of(w), job, ret_id, e);
}

static bool host_job_stop(struct worker_task *w)
{
    return subjob_stop(task_of(w));
}

const struct worker_host engine_host = {
    .log = host_log,
    .alive = host_alive,
    .companion = host_companion,
    .spawn = host_spawn,
    .keep = host_keep,
    .progress = host_progress,
    .stopping = host_stopping,
    .cost = host_cost,
    .token = host_token,
    .done = host_done,
    .may_write = host_may_write,
    .output = host_output,
    .job_start = host_job_start,
    .job_stop = host_job_stop,
};
