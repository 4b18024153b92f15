/* record.c: the only code that writes the log.
 *
 * A line gets its number here, on the loop thread, and travels in the same batch as the row
 * that counts it; so numbers have no gaps, whatever dies. A state moves by one function,
 * against the table of job/state.c. Rows of jobs and steps that changed are written once per
 * batch, when it closes. */
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/fault.h"
#include "base/json.h"
#include "base/limits.h"
#include "base/mem.h"
#include "engine/job.h"
#include "engine/webhooks.h"

enum { MEMBERS_MAX_BYTES = 1024 * 1024 };

static struct batch *batch_of(const struct job *job)
{
    return writer_batch(job->engine->writer);
}

static void job_dirty(struct job *job)
{
    if (!list_is_linked(&job->link_dirty))
        list_add(&job->engine->dirty_jobs, &job->link_dirty);
}

static void step_dirty(struct step *step)
{
    if (!list_is_linked(&step->link_dirty))
        list_add(&step->job->engine->dirty_steps, &step->link_dirty);
}

static void text_set(char **to, const char *from)
{
    free(*to);
    *to = mem_strdup(from);
}

/* Adds an event; its text counts as the step's, or without one as the job's. */
static void add_event(struct job *job, struct step *step, const struct event *event,
                      struct str message, struct str members)
{
    *(step ? &step->row.bytes : &job->row.bytes) += (int64_t)(message.n + members.n);
    event_batch_add(&batch_of(job)->events, event, step ? &step->source : &job->source, message,
                    members);
}

/* ---- lines ---- */

static void add_line(struct job *job, struct step *step, struct event *event,
                     struct str message)
{
    if (step && cap_takes(step, event, message))
        return;
    event->line = step ? ++step->row.lines : ++job->row.lines;
    add_event(job, step, event, message, (struct str){NULL, 0});
    if (!step) {
        job_dirty(job);
        return;
    }
    step->row.lines_by_level[event->level]++;
    if (event->level == LEVEL_ERROR) {
        step->row.last_error = event->line;
        if (step->row.first_error == 0)
            step->row.first_error = event->line;
    }
    step_dirty(step);
    monitor_counted(step);
}

static void remember_error(struct step *step, enum event_level level, struct str message)
{
    enum { ERROR_SHOWN_BYTES = 500 };
    if (level != LEVEL_ERROR || !step || step->error)
        return;
    step->error = mem_copy(message.p, utf8_cut(message, ERROR_SHOWN_BYTES));
}

void record_line(struct job *job, struct step *step, struct task *task,
                 enum event_originator originator, enum event_level level, struct str message)
{
    struct event event = {.type = EVENT_JOB_LOG,
                          .ts_us = clock_wall_us(),
                          .task_id = task ? task->row.id : ID_NONE,
                          .level = level,
                          .originator = originator};
    AUTO_BUF room = BUF_INIT(SECRETS_ROOM);
    if (originator == ORIGINATOR_WORKER && step)
        secrets_mask_line(step, task, level, &message, &room);
    else
        secrets_mask(job, &message, &room);
    if (originator == ORIGINATOR_WORKER) /* the step's own line says what its cause says */
        remember_error(step, level, message);
    do {
        struct str line = str_cut(&message, '\n');
        do {
            size_t n = utf8_cut(line, LIMIT_LINE_BYTES);
            add_line(job, step, &event, (struct str){line.p, n});
            line.p += n, line.n -= n;
        } while (line.n);
    } while (message.p);
}

void record_held(struct step *step, struct event *event, struct str line)
{
    add_line(step->job, step, event, line);
}

void record_linef(struct job *job, struct step *step, enum event_level level, const char *fmt,
                  ...)
{
    AUTO_BUF text = BUF_INIT(LIMIT_LINE_BYTES);
    va_list ap;
    va_start(ap, fmt);
    buf_vprintf(&text, fmt, ap);
    va_end(ap);
    record_line(job, step, NULL, step ? ORIGINATOR_STEP : ORIGINATOR_MONITOR, level,
                buf_str(&text));
}

void record_companion(const struct task *task, enum event_level level, struct str message,
                      struct str members)
{
    struct event event = {.type = EVENT_CRAWLER_JOB_LOG,
                          .ts_us = clock_wall_us(),
                          .task_id = task->row.id,
                          .level = level,
                          .originator = ORIGINATOR_WORKER};
    struct step *step = task->step;
    AUTO_BUF room = BUF_INIT(SECRETS_ROOM), members_room = BUF_INIT(SECRETS_ROOM);
    if (cap_is_over(step)) /* so is its line */
        return;
    secrets_mask(step->job, &message, &room);
    secrets_mask_json(step->job, &members, &members_room);
    message.n = utf8_cut(message, LIMIT_LINE_BYTES);
    add_event(step->job, step, &event, message, members);
}

/* ---- progress and documents ---- */

/* How many lines there are, for whoever follows without them. */
static void tell_lines(struct step *step, struct json *j)
{
    AUTO_BUF text = BUF_INIT(MEMBERS_MAX_BYTES);
    struct json lines = JSON_TO(&text);
    json_begin_object(&lines);
    json_key_int(&lines, "total", (int64_t)step->row.lines);
    for (int i = 0; i < LEVEL_COUNT; i++)
        json_key_int(&lines, event_level_name((enum event_level)i),
                     (int64_t)step->row.lines_by_level[i]);
    json_key_int(&lines, "first_error", (int64_t)step->row.first_error);
    json_key_int(&lines, "last_error", (int64_t)step->row.last_error);
    json_end_object(&lines);
    text_set(&step->told_lines, buf_text(&text));
    step->row.told_lines = step->told_lines;
    json_key_raw(j, "lines", buf_str(&text));
}

void record_progress(struct step *step)
{
    struct event event = {.type = EVENT_STEP_PROGRESS,
                          .ts_us = clock_wall_us(),
                          .originator = ORIGINATOR_MONITOR};
    AUTO_BUF members = BUF_INIT(MEMBERS_MAX_BYTES);
    struct json j = JSON_TO(&members);
    static const char *const names[TASK_COUNTS] = {
        "pending_jobs", "running_jobs", "completed_jobs", "failed_jobs", "cancelled_jobs"};
    int64_t total = 0;
    for (int i = 0; i < TASK_COUNTS; i++)
        total += step->counts[i];
    memcpy(step->row.tasks, step->counts, sizeof(step->row.tasks));
    json_key_c(&j, "status", job_state_name(step->row.status));
    json_key_int(&j, "total_jobs", total);
    for (int i = 0; i < TASK_COUNTS; i++)
        json_key_int(&j, names[i], step->counts[i]);
    AUTO_BUF room = BUF_INIT(SECRETS_ROOM);
    text_set(&step->told_text, secrets_mask_c(step->job, step->progress_text, &room));
    step->row.progress_text = step->told_text;
    step->row.documents = step->documents;
    step->row.kill_at_us = 0;
    LIST_EACH (&step->running, struct task, link, task)
        step->row.kill_at_us = MAX(step->row.kill_at_us, task->kill_at_us);
    json_key_c(&j, "progress_text", step->told_text ? step->told_text : "");
    json_key_int(&j, "documents", step->documents);
    json_key_time(&j, "kill_at", step->row.kill_at_us);
    tell_lines(step, &j);
    add_event(step->job, step, &event, (struct str){NULL, 0}, buf_str(&members));
    step_dirty(step);
}

void record_output(struct step *step, const struct task *task, struct str name,
                   struct str value)
{
    struct event event = {.type = EVENT_STEP_OUTPUT,
                          .ts_us = clock_wall_us(),
                          .task_id = task ? task->row.id : ID_NONE,
                          .originator = ORIGINATOR_WORKER};
    AUTO_BUF members = BUF_INIT(MEMBERS_MAX_BYTES);
    struct json j = JSON_TO(&members);
    json_key_text(&j, "name", name);
    json_key_text(&j, "value", value);
    add_event(step->job, step, &event, (struct str){NULL, 0}, buf_str(&members));
    step_dirty(step);
}

/* A text of a document for its row, which lives in the arena when it had to be masked. */
static const char *document_text(const struct job *job, const char *text, struct arena *a)
{
    AUTO_BUF room = BUF_INIT(SECRETS_ROOM);
    const char *masked = secrets_mask_c(job, text, &room);
    return masked == text ? text : arena_strdup(a, masked);
}

void record_document(const struct task *task, const struct worker_document *document)
{
    struct step *step = task->step;
    const struct job *job = step->job;
    AUTO_ARENA a = ARENA_INIT;
    AUTO_BUF room = BUF_INIT(SECRETS_ROOM);
    struct str metadata = document->metadata;
    secrets_mask_json(job, &metadata, &room);
    struct document_row row = {.id = task->row.id,
                               .job_id = step->row.job_id,
                               .step_id = step->row.id,
                               .url = document_text(job, document->url, &a),
                               .title = document_text(job, document->title, &a),
                               .description = document_text(job, document->description, &a),
                               .published = document_text(job, document->published, &a),
                               .markdown = document_text(job, document->markdown, &a),
                               .metadata = arena_str(&a, metadata),
                               .created_at_us = clock_wall_us()};
    batch_put_document(batch_of(job), &row);
    step->documents++;
    step->row.bytes += (int64_t)(row.markdown ? strlen(row.markdown) : 0) + (int64_t)metadata.n;
    monitor_changed(step);
}

/* ---- states ---- */

struct move {
    enum job_kind kind;
    enum job_state from, to;
    const char *cause;
    struct id task_id;
    struct step *step; /* NULL: the job itself */
};

/* Appends the event; `more` are members of this kind. */
static void record_move(struct job *job, const struct move *m, struct str more, int64_t now_us)
{
    struct event event = {.type = EVENT_JOB_STATUS_CHANGE,
                          .ts_us = now_us,
                          .task_id = m->task_id,
                          .kind = (uint8_t)m->kind,
                          .originator =
                              m->kind == KIND_TASK ? ORIGINATOR_STEP : ORIGINATOR_MONITOR};
    AUTO_BUF members = BUF_INIT(MEMBERS_MAX_BYTES);
    struct json j = JSON_TO(&members);
    json_key_c(&j, "status", job_state_name(m->to));
    json_key_c(&j, "cause", m->cause ? m->cause : "");
    buf_add_str(&members, more);
    ASSERT(m->from == m->to || job_state_can_move(m->kind, m->from, m->to));
    add_event(job, m->step, &event, (struct str){NULL, 0}, buf_str(&members));
}

static void set_times(enum job_state to, int64_t now_us, int64_t *started_us,
                      int64_t *completed_us)
{
    if (to == JOB_RUNNING && *started_us == 0)
        *started_us = now_us;
    if (job_state_is_final(to))
        *completed_us = now_us;
}

/* What each move of a job tells. */
static void tell_job(const struct job *job, struct json *j)
{
    json_key_c(j, "error", job->error ? job->error : "");
    json_key_c(j, "job_name", job->row.name);
    json_key_c(j, "definition_id", job->row.definition_id);
    json_key_c(j, "waits_for", job->waits_for ? job->waits_for : "");
}

void record_job_move(struct job *job, enum job_state to, const char *cause)
{
    int64_t now_us = clock_wall_us();
    AUTO_BUF more = BUF_INIT(MEMBERS_MAX_BYTES), room = BUF_INIT(SECRETS_ROOM);
    struct json j = {&more, true};
    cause = secrets_mask_c(job, cause, &room);
    text_set(&job->cause, cause);
    for (int i = 0; i < job->step_count && to == JOB_FAILED && !job->error; i++)
        job->error = mem_strdup(job->steps[i].error);
    text_set(&job->waits_for, NULL);
    job->row.waits_for = NULL;
    tell_job(job, &j);
    record_move(job, &(struct move){KIND_JOB, job->row.status, to, cause, ID_NONE, NULL},
                buf_str(&more), now_us);
    for (int i = 0; i < job->step_count && job_state_is_final(to); i++)
        job->row.bytes += job->steps[i].row.bytes;
    job->row.status = to;
    job->row.cause = job->cause;
    job->row.error = job->error;
    set_times(to, now_us, &job->row.started_at_us, &job->row.completed_at_us);
    job_dirty(job);
    if (job_state_is_final(to) && job->engine->webhooks)
        webhooks_job_ended(job->engine->webhooks, job);
}

void record_job_waits(struct job *job, const char *text)
{
    AUTO_BUF more = BUF_INIT(MEMBERS_MAX_BYTES);
    struct json j = {&more, true};
    if (job->waits_for && strcmp(job->waits_for, text) == 0)
        return;
    text_set(&job->waits_for, text);
    job->row.waits_for = job->waits_for;
    record_linef(job, NULL, LEVEL_INFO, "waits for %s", text);
    tell_job(job, &j);
    struct move move = {KIND_JOB, JOB_PENDING, JOB_PENDING, NULL, ID_NONE, NULL};
    record_move(job, &move, buf_str(&more), clock_wall_us());
    job_dirty(job);
}

void record_job_cause(struct job *job, const char *cause)
{
    AUTO_BUF room = BUF_INIT(SECRETS_ROOM);
    text_set(&job->cause, secrets_mask_c(job, cause, &room));
    job->row.cause = job->cause;
    job_dirty(job);
}

void record_step_move(struct step *step, enum job_state to, const char *cause)
{
    int64_t now_us = clock_wall_us();
    AUTO_BUF more = BUF_INIT(MEMBERS_MAX_BYTES), room = BUF_INIT(SECRETS_ROOM);
    struct json j = {&more, true};
    cause = secrets_mask_c(step->job, cause, &room);
    if (job_state_is_final(to))
        monitor_tell(step); /* all of its lines are there now, and nothing may come after */
    text_set(&step->cause, cause);
    json_key_c(&j, "error", to == JOB_FAILED && step->error ? step->error : "");
    json_key_c(&j, "type", step->row.type);
    struct move move = {KIND_STEP, step->row.status, to, cause, ID_NONE, step};
    record_move(step->job, &move, buf_str(&more), now_us);
    step->row.status = to;
    step->row.cause = step->cause;
    step->row.error = to == JOB_FAILED ? step->error : NULL;
    set_times(to, now_us, &step->row.started_at_us, &step->row.completed_at_us);
    step_dirty(step);
    job_is_due(step->job);
}

void record_task_move(struct task *t, enum job_state to, const char *cause)
{
    int64_t now_us = clock_wall_us();
    struct step *step = t->step;
    AUTO_BUF more = BUF_INIT(MEMBERS_MAX_BYTES), room = BUF_INIT(SECRETS_ROOM);
    struct json j = {&more, true};
    cause = secrets_mask_c(step->job, cause, &room);
    text_set(&t->cause, cause);
    if (to == JOB_RUNNING)
        t->worker.attempt = ++t->row.attempt;
    if (to != JOB_PENDING)
        t->row.due_at_us = 0;
    if (to == JOB_FAILED)
        step_remember_failure(step, t->key, cause);
    json_key_c(&j, "key", t->key);
    json_key_int(&j, "number", t->row.number);
    json_key_int(&j, "attempt", t->row.attempt);
    if (t->row.due_at_us)
        json_key_time(&j, "due_at", t->row.due_at_us);
    struct move move = {KIND_TASK, t->row.status, to, cause, t->row.id, step};
    record_move(step->job, &move, buf_str(&more), now_us);
    step->counts[t->row.status]--;
    step->counts[to]++;
    t->row.status = to;
    t->row.cause = t->cause;
    set_times(to, now_us, &t->row.started_at_us, &t->row.completed_at_us);
    batch_put_task_state(batch_of(step->job), &t->row);
    monitor_changed(step);
}

void record_task_created(const struct task_row *row, struct step *step)
{
    step->counts[JOB_PENDING]++;
    batch_put_task(batch_of(step->job), row);
    monitor_changed(step);
    FAULT_KILLS(ENGINE_TASK_CREATED);
}

static void add_steps(struct json *j, const struct job *job)
{
    json_key(j, "steps");
    json_begin_array(j);
    for (int i = 0; i < job->step_count; i++) {
        const struct step *step = &job->steps[i];
        json_begin_object(j);
        json_key_id(j, "step_id", step->row.id);
        json_key_c(j, "name", step->row.name);
        json_key_c(j, "type", step->row.type);
        json_key_raw(j, "depends", str_of(step->row.depends));
        json_key_c(j, "status", job_state_name(step->row.status));
        json_end_object(j);
    }
    json_end_array(j);
}

void record_job_created(struct job *job)
{
    AUTO_BUF more = BUF_INIT(MEMBERS_MAX_BYTES);
    struct json j = {&more, true};
    tell_job(job, &j);
    json_key_c(&j, "started_by", job->row.started_by);
    json_key_int(&j, "priority", job->row.priority);
    json_key_c(&j, "pool", job->row.pool ? job->row.pool : "");
    add_steps(&j, job);
    struct move move = {KIND_JOB, JOB_PENDING, JOB_PENDING, NULL, ID_NONE, NULL};
    job->row.created_at_us = clock_wall_us();
    record_move(job, &move, buf_str(&more), job->row.created_at_us);
    /* at once, not when the batch closes: tasks may follow in this very batch */
    batch_put_job(batch_of(job), &job->row);
    for (int i = 0; i < job->step_count; i++)
        batch_put_step(batch_of(job), &job->steps[i].row);
    FAULT_KILLS(ENGINE_JOB_CREATED);
}

void record_family_grows(struct job *job)
{
    job->row.family++;
    job_dirty(job);
}

/* ---- rows ---- */

void engine_on_closing(struct engine *g, struct batch *b)
{
    int64_t now_us = clock_wall_us();
    struct job *job;
    struct step *step;
    while ((step = LIST_TAKE(&g->dirty_steps, struct step, link_dirty))) {
        step->row.updated_at_us = now_us;
        batch_put_step_state(b, &step->row);
    }
    while ((job = LIST_TAKE(&g->dirty_jobs, struct job, link_dirty))) {
        job->row.updated_at_us = now_us;
        batch_put_job(b, &job->row);
        if (!job_state_is_final(job->row.status))
            continue;
        job_free(job);
        if (g->ended)
            g->ended(g->ended_arg);
    }
    FAULT_KILLS(ENGINE_BATCH_CLOSED);
}
