/* Recovery, on a real store and store thread: what an earlier server left, written as rows, is
 * taken up by a new engine. Whatever happens, nothing may stay "running" by nobody. */
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "engine/job.h"
#include "engine_world.h"

struct world {
    struct engine_world base;
    struct id job, steps[2], tasks[3];
};

/* A job with a running step (tasks completed, running, pending) and a pending one. */
static void put_rows(struct world *w, const char *source, const char *type)
{
    static const enum job_state states[] = {JOB_COMPLETED, JOB_RUNNING, JOB_PENDING};
    struct batch *b = writer_batch(w->base.writer);
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
    engine_world_commit(&w->base);
}

static void world_recover(struct world *w, const char *source, const char *type)
{
    struct err e;
    *w = (struct world){.job = id_new()};
    engine_world_store(&w->base);
    engine_world_begin(&w->base);
    put_rows(w, source, type);
    engine_world_engine(&w->base);
    CHECK(engine_recover(w->base.engine, &e) >= 0);
    engine_world_settle(&w->base);
}

static void world_done(struct world *w)
{
    engine_world_end(&w->base, NULL, NULL);
    store_close(w->base.store);
}

static void check_ended(struct world *w, const char *why)
{
    static const enum job_state tasks[] = {JOB_COMPLETED, JOB_CANCELLED, JOB_CANCELLED};
    struct err e;
    struct job_row *job;
    struct step_row *step;
    AUTO_ARENA a = ARENA_INIT;
    AUTO_READER *r = NULL;
    CHECK(store_read_begin(w->base.store, &r, &e) >= 0);
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

static void check_never_ran(struct world *w)
{
    struct err e;
    struct job_row *job;
    AUTO_ARENA a = ARENA_INIT;
    AUTO_READER *r = NULL;
    CHECK(store_read_begin(w->base.store, &r, &e) >= 0);
    CHECK(store_get_job(r, w->job, &a, &job, &e) >= 0);
    CHECK_INT(job->status, JOB_CANCELLED);
    CHECK_TEXT(job->cause, "cancelled by API");
    CHECK_INT(job->started_at_us, 0);
}

TEST(a_job_whose_cancel_was_cut_off_before_it_began_ends_without_having_run)
{
    struct world w = {.job = id_new()};
    struct err e;
    engine_world_store(&w.base);
    engine_world_begin(&w.base);
    struct job_row row = {.id = w.job,
                          .definition_id = "d",
                          .name = "D",
                          .source =
                              "id: d\nname: D\nsteps:\n  - { name: a, type: generator }\n",
                          .parameters = "{}",
                          .status = JOB_PENDING,
                          .created_at_us = 1,
                          .cause = "cancelled by API"};
    struct step_row step = {.id = id_new(),
                            .job_id = w.job,
                            .number = 1,
                            .name = "a",
                            .type = "generator",
                            .depends = "[]",
                            .status = JOB_CANCELLED,
                            .cause = "cancelled by API"};
    batch_put_job(writer_batch(w.base.writer), &row);
    batch_put_step(writer_batch(w.base.writer), &step);
    engine_world_commit(&w.base);
    engine_world_engine(&w.base);
    CHECK(engine_recover(w.base.engine, &e) >= 0);
    engine_world_settle(&w.base);
    check_never_ran(&w);
    world_done(&w);
}

/* Runs in a child, for it must abort there. */
static void end_twice(struct task *t)
{
    engine_host.done(&t->worker, JOB_FAILED, "the first time");
    engine_host.done(&t->worker, JOB_COMPLETED, NULL);
}

TEST(a_task_that_is_ended_twice_stops_the_program_before_it_is_written)
{
    struct engine_world w = {0};
    struct err e;
    engine_world_store(&w);
    engine_world_begin(&w);
    engine_world_engine(&w);
    struct id id =
        engine_world_start(&w,
                           "id: d\nname: D\nsteps:\n  - name: a\n    type: generator\n"
                           "    retry: { attempts: 2, backoff: 1h }\n"
                           "    config: { log_count: 1, log_delay_ms: 3600000 }\n",
                           NULL);
    struct job *job = LIST_FIRST(&w.engine->jobs, struct job, link);
    while (list_is_empty(&job->steps[0].running)) {
        engine_world_commit(&w);
        uv_run(&w.loop, UV_RUN_NOWAIT);
    }
    struct task *t = LIST_FIRST(&job->steps[0].running, struct task, link);
    int status = 0;
    pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        end_twice(t);
        _exit(0);
    }
    CHECK(waitpid(child, &status, 0) == child);
    CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
    CHECK(engine_cancel(w.engine, id, "test", &e) >= 0);
    engine_world_settle(&w);
    engine_world_end(&w, NULL, NULL);
    store_close(w.store);
}
