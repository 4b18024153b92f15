/* The happy path: task_start() → the engine starts the job → job_ended() → done(), in the batch
 * in which the job ends: so a job that has ended is never started again by a restart.
 *
 * When the server ends, the job goes on with its next start, and the task is put back. That may
 * not be said from inside task_stop(): so it is said when a handle has closed. */
#include "worker/subjob.h"

#include <stdlib.h>

#include "base/mem.h"

struct subjob {
    struct worker_task *task;
    uv_timer_t timer; /* never started */
    char id[ID_TEXT_LEN + 1];
    bool stopped;
};

static void on_closed(uv_handle_t *handle)
{
    free(container_of((uv_timer_t *)handle, struct subjob, timer));
}

static void on_detached(uv_handle_t *handle)
{
    struct subjob *s = container_of((uv_timer_t *)handle, struct subjob, timer);
    struct worker_task *task = s->task;
    free(s);
    task->state = NULL;
    task->step->host->done(task, JOB_CANCELLED, "the server is stopping");
}

/* What there is to say; NULL: all is well. */
static char *end_text(const struct subjob *s, enum job_state outcome, const char *cause,
                      const char *lost)
{
    if (outcome == JOB_COMPLETED)
        return lost ? mem_printf("job %s has completed, but: %s", s->id, lost) : NULL;
    return mem_printf("job %s %s%s", s->id, outcome == JOB_FAILED ? "failed: " : "was ",
                      cause ? cause : job_state_name(outcome));
}

static void subjob_ended(struct worker_task *task, enum job_state outcome, const char *cause,
                         const char *lost)
{
    struct subjob *s = task->state;
    AUTO_FREE char *text = end_text(s, outcome, cause, lost);
    if (text && !(outcome == JOB_CANCELLED && s->stopped))
        outcome = JOB_FAILED; /* also when somebody cancelled only that one */
    task->state = NULL;
    uv_close((uv_handle_t *)&s->timer, on_closed);
    task->step->host->done(task, outcome, text);
}

static int job_start(struct subjob *s, struct err *e)
{
    const struct worker_task *task = s->task;
    const struct settings *settings = task->settings;
    size_t count = settings_count(settings, "parameters");
    AUTO_FREE const char **names = mem_alloc((count + 1) * sizeof(*names));
    AUTO_FREE const char **values = mem_alloc((count + 1) * sizeof(*values));
    for (size_t i = 0; i < count; i++) {
        names[i] = settings_key(settings, "parameters", i);
        values[i] = settings_item(settings, "parameters", i);
    }
    const struct worker_job job = {settings_text(settings, "definition"), names, values,
                                   (int)count};
    return task->step->host->job_start(s->task, &job, s->id, e);
}

static int subjob_task_start(struct worker_task *task, struct err *e)
{
    struct subjob *s = mem_alloc(sizeof(*s));
    s->task = task;
    int r = job_start(s, e);
    if (r < 0) {
        free(s);
        return r;
    }
    ASSERT(uv_timer_init(task->step->loop, &s->timer) == 0);
    task->state = s;
    worker_log(task->step, task, LEVEL_INFO, "job %s %s", s->id,
               r > 0 ? "goes on" : "was started");
    return 0;
}

static void subjob_task_stop(struct worker_task *task)
{
    struct subjob *s = task->state;
    if (uv_is_closing((uv_handle_t *)&s->timer))
        return;
    s->stopped = true;
    if (!task->step->host->job_stop(task))
        uv_close((uv_handle_t *)&s->timer, on_detached);
}

static void subjob_step_plan(struct worker_step *step)
{
    (void)step->host->spawn(step, str_of(settings_text(step->settings, "definition")), STR(""),
                            NULL);
}

static const struct setting_spec subjob_settings[] = {
    {.name = "definition",
     .kind = SETTING_TEXT,
     .required = true,
     .help = "the id of what is run"},
    {.name = "parameters", .kind = SETTING_PAIRS, .help = "of that job"},
    {0},
};

static const struct worker_schema subjob_schema = {
    .type = "job",
    .help = "runs another definition as a job, whose outcome is its own",
    .settings = subjob_settings,
    .one_task = true,
};

const struct worker_type subjob_worker = {
    .schema = &subjob_schema,
    .step_plan = subjob_step_plan,
    .task_start = subjob_task_start,
    .task_stop = subjob_task_stop,
    .job_ended = subjob_ended,
};
