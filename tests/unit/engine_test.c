/* Recovery, on a real store and store thread: what an earlier server left, written as rows, is
 * taken up by a new engine. Whatever happens, nothing may stay "running" by nobody. */
#include "engine/engine.h"
#include "test.h"

struct world {
    uv_loop_t loop;
    struct store *store;
    struct writer *writer;
    struct engine *engine;
    struct id job, steps[2], tasks[3];
    bool committed;
};

static void on_closing(void *context, struct batch *b)
{
    struct world *w = context;
    if (w->engine)
        engine_on_closing(w->engine, b);
}

static void on_committed(void *context, const struct batch *b)
{
    (void)context, (void)b;
}

static void on_drained(void *context)
{
    (void)context;
}

static void on_durable(void *arg)
{
    ((struct world *)arg)->committed = true;
}

static void world_commit(struct world *w)
{
    w->committed = false;
    writer_after_commit(w->writer, on_durable, w);
    writer_turn(w->writer);
    while (!w->committed)
        uv_run(&w->loop, UV_RUN_ONCE);
}

/* A job with a running step (tasks completed, running, pending) and a pending one. */
static void put_rows(struct world *w, const char *source, const char *type)
{
    static const enum job_state states[] = {JOB_COMPLETED, JOB_RUNNING, JOB_PENDING};
    struct batch *b = writer_batch(w->writer);
    struct job_row job = {.id = w->job,
                          .definition_id = "d",
                          .name = "D",
                          .source = source,
                          .parameters = "{}",
                          .status = JOB_RUNNING,
                          .created_at_us = 1,
                          .started_at_us = 2};
    batch_put_job(b, &job);
    for (int i = 0; i < 2; i++) {
        struct step_row step = {.id = w->steps[i] = id_new(),
                                .job_id = w->job,
                                .number = i + 1,
                                .name = i ? "b" : "a",
                                .type = type,
                                .depends = i ? "[\"a\"]" : "[]",
                                .status = i ? JOB_PENDING : JOB_RUNNING,
                                .started_at_us = i ? 0 : 2};
        batch_put_step(b, &step);
    }
    for (int i = 0; i < 3; i++) {
        char key[16];
        snprintf(key, sizeof(key), "t%d", i);
        struct task_row task = {.id = w->tasks[i] = id_new(),
                                .job_id = w->job,
                                .step_id = w->steps[0],
                                .number = i + 1,
                                .key = key,
                                .status = states[i],
                                .created_at_us = 1};
        batch_put_task(b, &task);
    }
    world_commit(w);
}

static void world_recover(struct world *w, const char *source, const char *type)
{
    struct err e;
    struct writer_hooks hooks = {w, on_closing, on_committed, on_drained};
    *w = (struct world){.job = id_new()};
    CHECK(uv_loop_init(&w->loop) == 0);
    CHECK(store_open_memory(&w->store, &e) >= 0);
    CHECK(writer_new(&w->loop, w->store, &hooks, &w->writer, &e) >= 0);
    put_rows(w, source, type);
    CHECK(engine_new(&w->loop, w->store, w->writer, &w->engine, &e) >= 0);
    CHECK(engine_recover(w->engine, &e) >= 0);
    do {
        world_commit(w);
        uv_run(&w->loop, UV_RUN_NOWAIT);
    } while (engine_active_jobs(w->engine));
    world_commit(w);
}

static void world_done(struct world *w)
{
    struct err e;
    CHECK(writer_stop(w->writer, &e) >= 0);
    engine_free(w->engine);
    while (uv_run(&w->loop, UV_RUN_DEFAULT))
        ;
    writer_free(w->writer);
    store_close(w->store);
    CHECK(uv_loop_close(&w->loop) == 0);
}

static void check_ended(struct world *w, const char *why)
{
    static const enum job_state tasks[] = {JOB_COMPLETED, JOB_CANCELLED, JOB_CANCELLED};
    struct err e;
    struct job_row *job;
    struct step_row *step;
    AUTO_ARENA a = ARENA_INIT;
    AUTO_READER *r = NULL;
    CHECK(store_read_begin(w->store, &r, &e) >= 0);
    CHECK(store_get_job(r, w->job, &a, &job, &e) >= 0);
    CHECK_INT(job->status, JOB_FAILED);
    CHECK_HAS(job->cause, why);
    CHECK_INT(job->end_seq, store_read_as_of(r)); /* nothing comes after the job's end */
    CHECK(store_get_step(r, w->steps[0], &a, &step, &e) >= 0);
    CHECK_INT(step->status, JOB_FAILED);
    CHECK_HAS(step->cause, why);
    CHECK_INT(step->tasks[JOB_COMPLETED], 1);
    CHECK_INT(step->tasks[JOB_CANCELLED], 2);
    CHECK_INT(step->tasks[JOB_PENDING] + step->tasks[JOB_RUNNING], 0);
    CHECK(store_get_step(r, w->steps[1], &a, &step, &e) >= 0);
    CHECK(job_state_is_final(step->status));
    CHECK_TEXT(step->depends, "[\"a\"]");
    for (int i = 0; i < 3; i++) {
        struct task_row *task;
        CHECK(store_get_task(r, w->tasks[i], &a, &task, &e) >= 0);
        CHECK_INT(task->status, tasks[i]);
    }
}

TEST(a_job_whose_definition_cannot_be_read_any_more_ends_with_its_steps_and_tasks)
{
    struct world w;
    world_recover(&w, "id: d\nname: D\nsteps:\n  - { name: a, type: gone }\n", "gone");
    check_ended(&w, "cannot go on after a restart");
    world_done(&w);
}

TEST(a_step_whose_worker_cannot_start_again_ends_with_its_tasks)
{
    struct world w;
    world_recover(
        &w,
        "id: d\nname: D\nsteps:\n"
        "  - name: a\n    type: crawler\n    config: { start_urls: [\"http://127.0.0.1/\"],"
        " include_patterns: [\"/a(/\"] }\n"
        "  - name: b\n    type: shell\n    depends: [a]\n    config: { command: x }\n",
        "crawler");
    check_ended(&w, "cannot go on after a restart");
    world_done(&w);
}
