/* queue.c: the tasks of a step that wait.
 *
 * A crawl can find more addresses than memory holds, so only a window of LIMIT_TASKS_WINDOW
 * pending tasks is kept here; what comes when the window is full is written to the store only
 * ("spilled") and read back, in order, when the window runs low. Spilled tasks all have higher
 * numbers than those in memory, also than those that wait to be tried again (retry.c). */
#include <stdlib.h>

#include "base/clock.h"
#include "base/fault.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/mem.h"
#include "engine/job.h"

enum { RETRY_MS = 250 };

struct queue_read {
    uv_work_t work;
    struct engine *engine;
    struct step *step; /* NULL: closed meanwhile */
    struct task_query query;
    struct arena arena;
    struct task_row **rows;
    size_t count;
    int code;
    struct err err;
};

struct task *task_new(struct step *step, const struct task_row *row)
{
    struct task *t = mem_alloc(sizeof(*t));
    t->step = step;
    t->row = *row;
    t->row.key = t->key = mem_strdup(row->key);
    t->row.payload = t->payload = mem_strdup(row->payload ? row->payload : "");
    t->row.cause = NULL;
    t->worker = (struct worker_task){.step = &step->worker,
                                     .id = row->id,
                                     .number = row->number,
                                     .attempt = row->attempt,
                                     .key = t->key,
                                     .payload = t->payload};
    return t;
}

void task_free(struct task *t)
{
    timeout_end_task(t);
    fan_done(t);
    subjob_detach(t);
    list_remove(&t->link);
    free(t->key);
    free(t->payload);
    free(t->cause);
    free(t->expired);
    secrets_free_streams(&t->masked);
    free(t);
}

static void queue_put(struct step *step, struct task *t)
{
    step->loaded_number = t->row.number;
    if (retry_is_later(t)) {
        retry_wait(t);
        return;
    }
    list_add(&step->ready, &t->link);
    step->ready_count++;
}

void queue_return(struct task *t)
{
    list_remove(&t->link);
    list_add(&t->step->ready, &t->link);
    t->step->ready_count++;
}

void queue_place(struct step *step, struct task *t)
{
    if (step->spilled == 0 && step->ready_count + step->waiting_count < LIMIT_TASKS_WINDOW) {
        queue_put(step, t);
        return;
    }
    step->spilled++;
    task_free(t);
}

int queue_add(struct step *step, struct str key, struct str payload, struct err *e)
{
    if (key.n > LIMIT_TASK_KEY_BYTES)
        return fail(e, E_TOOBIG, "a task's key has %zu bytes, at most %d are allowed", key.n,
                    LIMIT_TASK_KEY_BYTES);
    if (secrets_are_in(step->job, key) || secrets_are_in(step->job, payload))
        return fail(e, E_INVAL, "it holds a secret, and a task is stored");
    if (!keyset_add(&step->keys, hash_of(key)))
        return fail(e, E_EXISTS, "step '%s' has the task '%.*s' already", step->row.name,
                    STR_ARG(key));
    AUTO_FREE char *key_text = mem_copy(key.p, key.n);
    AUTO_FREE char *payload_text = mem_copy(payload.p, payload.n);
    struct task_row row = {.id = id_new(),
                           .job_id = step->row.job_id,
                           .step_id = step->row.id,
                           .number = ++step->last_number,
                           .key = key_text,
                           .payload = payload_text,
                           .status = JOB_PENDING,
                           .created_at_us = clock_wall_us()};
    record_task_created(&row, step);
    queue_place(step, task_new(step, &row));
    step_is_due(step);
    return 0;
}

/* ---- reading spilled tasks back ---- */

static void on_pool(uv_work_t *work)
{
    struct queue_read *read = container_of(work, struct queue_read, work);
    AUTO_READER *r = NULL;
    int64_t total;
    read->code = FAULT(ENGINE_QUEUE_REFILL)
                     ? fault_fail(&read->err)
                     : store_read_begin(read->engine->store, &r, &read->err);
    if (read->code >= 0)
        read->code = store_list_tasks(r, &read->query, &read->arena, &read->rows, &read->count,
                                      &total, &read->err);
    if (read->code < 0)
        uv_sleep(RETRY_MS); /* it is tried again, but not without a pause; the pool can wait */
}

static void on_committed(void *arg)
{
    struct queue_read *read = arg;
    struct engine *g = read->engine;
    if (read->step) {
        read->step->reading = NULL;
        step_is_due(read->step);
    }
    arena_done(&read->arena);
    free(read);
    g->readings--;
    engine_check_stopped(g);
}

static void on_read(uv_work_t *work, int status)
{
    (void)status;
    struct queue_read *read = container_of(work, struct queue_read, work);
    struct step *step = read->step;
    if (step && read->code < 0)
        log_warn("cannot read the queue of step '%s', trying again: %s", step->row.name,
                 read->err.text);
    for (size_t i = 0; step && i < read->count; i++) {
        queue_put(step, task_new(step, read->rows[i]));
        step->spilled--;
    }
    if (step &&
        read->count == 0) { /* not committed yet, or not readable: after the next commit */
        writer_after_commit(read->engine->writer, on_committed, read);
        return;
    }
    on_committed(read);
}

static void queue_refill(struct step *step)
{
    struct engine *g = step->job->engine;
    if (step->reading || step->spilled == 0 || step->ready_count > LIMIT_TASKS_WINDOW / 4)
        return;
    struct queue_read *read = mem_alloc(sizeof(*read));
    *read = (struct queue_read){.engine = g,
                                .step = step,
                                .query = {.job_id = step->row.job_id,
                                          .step_id = step->row.id,
                                          .states = 1u << JOB_PENDING,
                                          .after_number = step->loaded_number,
                                          .limit = LIMIT_TASKS_WINDOW}};
    step->reading = read;
    g->readings++;
    ASSERT(uv_queue_work(g->loop, &read->work, on_pool, on_read) == 0);
}

void queue_abandon(struct step *step)
{
    struct task *t;
    if (step->reading)
        step->reading->step = NULL;
    while ((t = LIST_TAKE(&step->ready, struct task, link)) || (t = retry_take(step)))
        task_free(t);
}

bool queue_has(struct step *step)
{
    queue_refill(step);
    return step->ready_count > 0;
}

struct task *queue_take(struct step *step)
{
    queue_refill(step);
    struct task *t = LIST_TAKE(&step->ready, struct task, link);
    step->ready_count -= t != NULL;
    return t;
}

bool queue_is_empty(const struct step *step)
{
    return step->ready_count == 0 && step->spilled == 0;
}
