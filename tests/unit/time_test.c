/* What happens in time, on a clock of the test: pauses before another attempt, and how long
 * something may take, also over a restart. Hours pass in no time. */
#include "base/clock.h"
#include "engine/job.h"
#include "engine_world.h"
#include "job/definition.h"

#define BEGIN_US INT64_C(1900022400000000) /* 2030-03-18 00:00 UTC */
#define HOURS(n) ((n)*INT64_C(3600000000))

struct world {
    struct engine_world base;
    struct id job;
    bool stopped;
};

static void world_turns(struct world *w)
{
    deadlines_ring(&w->base.engine->deadlines);
    for (int i = 0; i < 6; i++) {
        uv_run(&w->base.loop, UV_RUN_NOWAIT);
        engine_world_commit(&w->base);
    }
}

static void world_begin(struct world *w, const char *text)
{
    struct err e = {0};
    struct definition *d;
    struct start start = {.by = "test"};
    *w = (struct world){0};
    clock_hold(BEGIN_US);
    CHECK(store_open_memory(&w->base.store, &e) >= 0);
    engine_world_begin(&w->base);
    engine_world_engine(&w->base);
    struct definition_input in = {.text = str_of(text),
                                  .origin = "test",
                                  .format = DEFINITION_YAML,
                                  .schemas = worker_schemas()};
    if (definition_parse(&in, &d, &e) < 0 ||
        engine_execute(w->base.engine, d, &start, &w->job, &e) < 0)
        CHECK_TEXT(e.text, "");
    definition_free(d);
    world_turns(w);
}

static void on_stopped(void *arg)
{
    ((struct world *)arg)->stopped = true;
}

static void world_stop(struct world *w)
{
    w->stopped = false;
    engine_stop(w->base.engine, on_stopped, w);
    while (!w->stopped) {
        engine_world_commit(&w->base);
        uv_run(&w->base.loop, UV_RUN_NOWAIT);
    }
    engine_world_end(&w->base, NULL, NULL);
}

static void world_start(struct world *w)
{
    struct err e;
    engine_world_begin(&w->base);
    engine_world_engine(&w->base);
    CHECK(engine_recover(w->base.engine, &e) >= 0);
    world_turns(w);
}

static void world_done(struct world *w)
{
    world_stop(w);
    store_close(w->base.store);
}

static void check_job(struct world *w, enum job_state status, const char *cause)
{
    AUTO_READER *r = NULL;
    AUTO_ARENA a = ARENA_INIT;
    struct err e;
    struct job_row *row;
    CHECK(store_read_begin(w->base.store, &r, &e) >= 0);
    CHECK(store_get_job(r, w->job, &a, &row, &e) >= 0);
    CHECK_TEXT(job_state_name(row->status), job_state_name(status));
    CHECK_TEXT(row->cause ? row->cause : "", cause);
    if (job_state_is_final(status))
        CHECK_INT(row->completed_at_us, clock_wall_us());
}

/* The pauses are one, two and four hours, half of each left to chance. */
TEST(a_task_is_tried_again_after_pauses_that_double_and_not_before)
{
    struct world w;
    world_begin(&w, "id: d\nname: D\nsteps:\n"
                    "  - name: s\n    type: generator\n"
                    "    retry: { attempts: 4, backoff: 1h, backoff_max: 4h }\n"
                    "    config: { log_count: 1, failure_rate: 1 }\n");
    const struct deadlines *deadlines = &w.base.engine->deadlines;
    for (int attempt = 1; attempt <= 3; attempt++) {
        int64_t pause_us = deadlines_next_ms(deadlines) * 1000 - clock_wall_us();
        CHECK(pause_us >= HOURS(1 << attempt) / 4);
        CHECK(pause_us <= HOURS(1 << attempt) / 2);
        clock_advance(pause_us - 1000);
        world_turns(&w);
        CHECK_INT(deadlines_next_ms(deadlines) * 1000, clock_wall_us() + 1000);
        clock_advance(1000);
        world_turns(&w);
    }
    check_job(&w, JOB_FAILED, "step 's': failed on purpose (failure_rate) (attempt 4 of 4)");
    world_done(&w);
}

#define SLOW                                                                                   \
    "id: d\nname: D\ntimeout: 48h\nsteps:\n"                                                   \
    "  - { name: s, type: generator, config: { log_count: 1, log_delay_ms: 3600000 } }\n"

TEST(a_timeout_is_counted_from_the_beginning_also_over_a_restart)
{
    struct world w;
    world_begin(&w, SLOW);
    clock_advance(HOURS(40));
    world_stop(&w);
    clock_advance(HOURS(7));
    world_start(&w);
    check_job(&w, JOB_RUNNING, "");
    clock_advance(HOURS(1) - 1000);
    world_turns(&w);
    check_job(&w, JOB_RUNNING, "");
    clock_advance(1000);
    world_turns(&w);
    check_job(&w, JOB_FAILED, "timeout: the job took longer than 2d");
    world_done(&w);
}

TEST(what_took_too_long_while_no_server_was_there_ends_with_the_next_one)
{
    struct world w;
    world_begin(&w, SLOW);
    world_stop(&w);
    clock_advance(HOURS(1000));
    world_start(&w);
    check_job(&w, JOB_FAILED, "timeout: the job took longer than 2d");
    world_done(&w);
}
