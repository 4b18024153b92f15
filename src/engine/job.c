/* job.c: the job manager.
 *
 * The happy path of a job: created with all its steps pending -> running -> each step starts
 * when everything it depends on has succeeded -> all steps are final -> completed. A step whose
 * dependency did not succeed is skipped, unless that one says `on_error: continue` or it says
 * itself that it always runs, or how the other should have ended (`when`); a failed step fails
 * the job unless it says so. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/fault.h"
#include "base/json.h"
#include "base/mem.h"
#include "engine/job.h"
#include "job/condition.h"

enum { PARAMETERS_MAX_BYTES = 1024 * 1024 };

static void parameters_fill(struct job *job)
{
    const struct definition *d = job->definition;
    AUTO_BUF text = BUF_INIT(PARAMETERS_MAX_BYTES);
    struct json j = JSON_TO(&text);
    job->worker_parameters =
        mem_alloc((size_t)d->parameter_count * sizeof(*job->worker_parameters));
    json_begin_object(&j);
    for (int i = 0; i < d->parameter_count; i++) {
        const struct parameter *p = &d->parameters[i];
        job->worker_parameters[i] =
            (struct worker_parameter){p->name, p->value ? p->value : ""};
        if (p->value)
            json_key_c(&j, p->name, p->value);
    }
    json_end_object(&j);
    job->parameters = buf_take(&text);
}

static char *depends_json(const struct definition *d, const struct step_definition *s)
{
    AUTO_BUF text = BUF_INIT(PARAMETERS_MAX_BYTES);
    struct json j = JSON_TO(&text);
    json_begin_array(&j);
    for (int i = 0; i < s->depends_count; i++)
        json_text_c(&j, d->steps[s->depends[i]].name);
    json_end_array(&j);
    return buf_take(&text);
}

static void step_init(struct step *step, struct job *job, int index)
{
    const struct step_definition *d = &job->definition->steps[index];
    *step =
        (struct step){.job = job, .definition = d, .depends = depends_json(job->definition, d)};
    step->row = (struct step_row){.id = id_new(),
                                  .job_id = job->row.id,
                                  .number = index + 1,
                                  .name = d->name,
                                  .type = d->type,
                                  .depends = step->depends,
                                  .status = JOB_PENDING};
    id_format(step->row.id, step->id_text);
    step->source = (struct event_source){job->row.id, step->row.id, d->name, d->type};
    step->worker =
        (struct worker_step){.type = worker_type_find(d->type),
                             .host = &engine_host,
                             .loop = job->engine->loop,
                             .settings = d->settings,
                             .name = d->name,
                             .job_id_text = job->id_text,
                             .step_id_text = step->id_text,
                             .parameters = job->worker_parameters,
                             .parameter_count = (size_t)job->definition->parameter_count,
                             .concurrency = 1};
    list_init(&step->ready);
    list_init(&step->running);
    list_init(&step->waiting);
}

struct job *job_new(struct engine *g, struct definition *d, struct id id)
{
    struct job *job = mem_alloc(sizeof(*job));
    job->engine = g;
    job->definition = d;
    parameters_fill(job);
    job->row = (struct job_row){.id = id,
                                .definition_id = d->id,
                                .name = d->name,
                                .source = d->source,
                                .source_is_json = d->is_json,
                                .parameters = job->parameters,
                                .status = JOB_PENDING,
                                .priority = d->priority,
                                .pool = d->pool};
    id_format(id, job->id_text);
    job->source = (struct event_source){id, ID_NONE, "", "job"};
    job->step_count = d->step_count;
    job->steps = mem_alloc((size_t)d->step_count * sizeof(*job->steps));
    for (int i = 0; i < d->step_count; i++)
        step_init(&job->steps[i], job, i);
    list_add(&g->jobs, &job->link);
    map_set(&g->by_id, ID_KEY(id), job);
    return job;
}

void job_set_started_by(struct job *job, const char *started_by)
{
    free(job->started_by);
    job->row.started_by = job->started_by = mem_strdup(started_by);
}

static void step_done(struct step *step)
{
    step_close(step);
    list_remove(&step->link_dirty);
    list_remove(&step->link_due);
    list_remove(&step->link_monitored);
    list_remove(&step->link_counted);
    deadline_clear(&step->job->engine->deadlines, &step->deadline);
    keyset_done(&step->keys);
    cap_done(step);
    free(step->error);
    free(step->cause);
    free(step->progress_text);
    free(step->told_text);
    free(step->told_lines);
    free(step->depends);
    free(step->last_failure);
    free(step->stop_cause);
    secrets_free_streams(&step->masked);
    outputs_done(step);
    supply_done(step);
}

void job_free(struct job *job)
{
    if (job->parent)
        subjob_detach(job->parent);
    for (int i = 0; i < job->step_count; i++)
        step_done(&job->steps[i]);
    list_remove(&job->link);
    map_remove(&job->engine->by_id, ID_KEY(job->row.id));
    list_remove(&job->link_dirty);
    list_remove(&job->link_due);
    deadline_clear(&job->engine->deadlines, &job->deadline);
    places_leave(job);
    free(job->steps);
    free(job->parameters);
    free(job->worker_parameters);
    free(job->error);
    free(job->cause);
    free(job->started_by);
    free(job->broken);
    mask_free(job->mask);
    free(job->waits_for);
    definition_free(job->definition);
    free(job);
}

struct job *job_find(const struct engine *g, struct id id)
{
    struct job *job = map_get(&g->by_id, ID_KEY(id));
    return job && !job_state_is_final(job->row.status) ? job : NULL;
}

/* ---- which steps may start ---- */

static bool step_succeeded(const struct step *step)
{
    return step->row.status == JOB_COMPLETED ||
           (step->row.status == JOB_FAILED && step->definition->on_error == ON_ERROR_CONTINUE);
}

/* Whether a step that has ended is as `step` wants it. `wanted`: outcomes, 0: well. */
static bool step_is_as_wanted(const struct step *before, unsigned wanted,
                              const struct step *step)
{
    if (wanted)
        return wanted & 1u << before->row.status;
    return step_succeeded(before) || step->definition->always_run;
}

/* Of a step with `when` that is not as wanted, nothing went wrong. */
static void step_skip(struct step *step, const struct step *before, unsigned wanted)
{
    AUTO_BUF cause = BUF_INIT(ERR_TEXT_MAX);
    enum job_state state = before->row.status;
    buf_printf(&cause, "step '%s' was %s", before->row.name,
               state == JOB_FAILED && !wanted ? "not successful" : job_state_name(state));
    if (wanted) {
        buf_add_c(&cause, ", wanted was ");
        outcomes_write(wanted, &cause);
    }
    record_linef(step->job, step, wanted ? LEVEL_INFO : LEVEL_WARN, "skipped: %s",
                 buf_text(&cause));
    record_step_move(step, JOB_SKIPPED, buf_text(&cause));
}

/* Starts or skips a pending step when all it depends on is final. True when it moved. */
static bool step_consider(struct job *job, struct step *step)
{
    const struct step_definition *d = step->definition;
    int unfit = -1;
    for (int i = 0; i < d->depends_count; i++) {
        const struct step *before = &job->steps[d->depends[i]];
        if (!job_state_is_final(before->row.status))
            return false;
        if (unfit < 0 && !step_is_as_wanted(before, d->wanted[i], step))
            unfit = i;
    }
    if (unfit < 0)
        step_start(step);
    else
        step_skip(step, &job->steps[d->depends[unfit]], d->wanted[unfit]);
    return true;
}

/* ---- how the job ends ---- */

static void job_end(struct job *job, enum job_state state, const char *cause)
{
    int64_t ms = (clock_wall_us() - job->row.started_at_us) / 1000;
    FAULT_KILLS(ENGINE_JOB_END);
    enum event_level level = state == JOB_FAILED      ? LEVEL_ERROR
                             : state == JOB_CANCELLED ? LEVEL_WARN
                                                      : LEVEL_INFO;
    deadline_clear(&job->engine->deadlines, &job->deadline);
    if (job->row.started_at_us)
        record_linef(job, NULL, level, "%s after %lld.%03lld s%s%s", job_state_name(state),
                     (long long)ms / 1000, (long long)ms % 1000, cause ? ": " : "",
                     cause ? cause : "");
    else
        record_linef(job, NULL, level, "%s before it began: %s", job_state_name(state), cause);
    record_job_move(job, state, cause);
    places_leave(job);
    subjob_ended(job, state, cause);
}

static void job_finish(struct job *job)
{
    char cause[ERR_TEXT_MAX];
    if (job->cancelling) {
        text_copy(cause, sizeof(cause), job->cause);
        job_end(job, JOB_CANCELLED, cause);
        return;
    }
    if (job->broken) {
        job_end(job, JOB_FAILED, job->broken);
        return;
    }
    AUTO_FREE char *timeout = timeout_job_cause(job);
    for (int i = 0; timeout && i < job->step_count; i++) {
        const char *why = job->steps[i].cause;
        if (!why || strcmp(why, timeout) != 0)
            continue;
        job_end(job, JOB_FAILED, timeout);
        return;
    }
    for (int i = 0; i < job->step_count; i++) {
        const struct step *step = &job->steps[i];
        if (step->row.status != JOB_FAILED || step_succeeded(step))
            continue;
        AUTO_FREE char *why =
            mem_printf("step '%s': %s", step->row.name, step->cause ? step->cause : "failed");
        job_end(job, JOB_FAILED, why);
        return;
    }
    job_end(job, JOB_COMPLETED, NULL);
}

void job_begin(struct job *job)
{
    record_job_move(job, JOB_RUNNING, NULL);
    FAULT_KILLS(ENGINE_JOB_STARTED);
    record_linef(job, NULL, LEVEL_INFO, "%s started: %d step%s", job->row.name, job->step_count,
                 job->step_count == 1 ? "" : "s");
    timeout_start_job(job);
    job_is_due(job);
}

void job_advance(struct job *job)
{
    struct engine *g = job->engine;
    if (job->row.status == JOB_PENDING && !job->cancelling && !g->stopping) {
        if (id_is_none(job->row.parent_id)) {
            places_ask(job);
        } else if (g->places.held) {
            record_job_waits(job, "more room on the disk");
        } else { /* whose place it waits for might be its parent's, which waits for it */
            places_take(job);
            job_begin(job);
        }
    }
    if (g->stopping || job_state_is_final(job->row.status) ||
        (job->row.status == JOB_PENDING && !job->cancelling))
        return;
    bool moved = true, all_final = true;
    while (moved) {
        moved = false;
        for (int i = 0; i < job->step_count; i++)
            if (job->steps[i].row.status == JOB_PENDING && !job->cancelling)
                moved |= step_consider(job, &job->steps[i]);
    }
    for (int i = 0; i < job->step_count; i++)
        all_final &= job_state_is_final(job->steps[i].row.status);
    if (all_final && !job->awaited)
        job_finish(job);
}

void job_cancel(struct job *job, const char *who)
{
    char cause[160];
    if (job->cancelling)
        return;
    (void)snprintf(cause, sizeof(cause), "cancelled by %s", who);
    record_linef(job, NULL, LEVEL_WARN, "cancel asked for by %s", who);
    record_job_cause(job, cause);
    FAULT_KILLS(ENGINE_CANCEL);
    job_stop(job);
}

/* What waits does not start any more, what runs is asked to end and is `state` then. */
static void steps_stop(struct job *job, enum job_state state, const char *cause)
{
    for (int i = 0; i < job->step_count; i++) {
        struct step *step = &job->steps[i];
        if (step->row.status == JOB_PENDING)
            record_step_move(step, JOB_CANCELLED, cause);
        else
            step_stop(step, state, cause);
    }
    job_is_due(job);
}

void job_stop(struct job *job)
{
    job->cancelling = true;
    steps_stop(job, JOB_CANCELLED, job->cause);
}

void job_expire(struct job *job, const char *cause)
{
    steps_stop(job, JOB_FAILED, cause);
}
