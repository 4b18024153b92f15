/* Outputs of a step: what is taken, what is refused, and that they are there after a restart.
 */
#include "base/limits.h"
#include "base/mem.h"
#include "engine/job.h"
#include "engine_world.h"

struct world {
    struct engine_world base;
    struct id job;
    struct task *task; /* one that runs */
};

static struct task *task_running(struct engine *g)
{
    LIST_EACH (&g->jobs, struct job, link, job)
        LIST_EACH (&job->steps[0].running, struct task, link, t)
            return t;
    return NULL;
}

static void world_begin(struct world *w)
{
    static const char text[] = "id: d\nname: D\nsteps:\n  - name: a\n    type: generator\n"
                               "    config: { log_count: 1, log_delay_ms: 600000 }\n";
    *w = (struct world){0};
    engine_world_store(&w->base);
    engine_world_begin(&w->base);
    engine_world_engine(&w->base);
    w->job = engine_world_start(&w->base, text, NULL);
    while (!(w->task = task_running(w->base.engine)))
        engine_world_commit(&w->base);
}

static void world_done(struct world *w)
{
    struct err e;
    CHECK(engine_cancel(w->base.engine, w->job, "a test", &e) >= 0);
    engine_world_settle(&w->base);
    engine_world_end(&w->base, NULL, NULL);
    store_close(w->base.store);
}

static int output_say(struct world *w, const char *name, const char *value, struct err *e)
{
    return engine_host.output(&w->task->worker, str_of(name), str_of(value), e);
}

static char *outputs_kept(struct world *w)
{
    struct err e;
    struct step_row **steps;
    size_t count;
    AUTO_ARENA a = ARENA_INIT;
    AUTO_READER *r = NULL;
    engine_world_commit(&w->base);
    CHECK(store_read_begin(w->base.store, &r, &e) >= 0);
    CHECK(store_list_steps(r, w->job, &a, &steps, &count, &e) >= 0);
    return mem_strdup(steps[0]->outputs);
}

static int outputs_told(struct world *w)
{
    struct err e;
    AUTO_READER *r = NULL;
    AUTO_EVENT_BATCH b = EVENT_BATCH_INIT;
    struct event_query q = {.topic = {.kind = TOPIC_JOB, .job_id = w->job},
                            .max_events = 1000,
                            .max_bytes = 1 << 20};
    uint64_t to;
    int told = 0;
    CHECK(store_read_begin(w->base.store, &r, &e) >= 0);
    CHECK(store_read_events(r, &q, &b, &to, &e) >= 0);
    for (size_t i = 0; i < b.count; i++)
        told += b.events[i].type == EVENT_STEP_OUTPUT;
    return told;
}

TEST(an_output_is_kept_and_told_and_a_name_that_comes_again_has_the_new_value)
{
    struct world w;
    struct err e;
    world_begin(&w);
    CHECK(output_say(&w, "version", "1.0", &e) == 0);
    CHECK(output_say(&w, "files", "a\n\"b\"", &e) == 0);
    CHECK(output_say(&w, "version", "1.1", &e) == 0);
    AUTO_FREE char *kept = outputs_kept(&w);
    CHECK_TEXT(kept, "{\"version\":\"1.1\",\"files\":\"a\\n\\\"b\\\"\"}");
    CHECK_INT(outputs_told(&w), 3);
    CHECK_TEXT(output_get(w.task->step, "version"), "1.1");
    CHECK(!output_get(w.task->step, "nothing"));
    world_done(&w);
}

TEST(an_output_that_cannot_be_one_is_refused_with_the_reason)
{
    struct world w;
    struct err e;
    char name[16];
    world_begin(&w);
    AUTO_FREE char *large = mem_alloc(LIMIT_OUTPUTS_BYTES + 1);
    memset(large, 'x', LIMIT_OUTPUTS_BYTES);
    CHECK_INT(output_say(&w, "", "x", &e), E_INVAL);
    CHECK_INT(output_say(&w, "Big", "x", &e), E_INVAL);
    CHECK_HAS(e.text, "an output's name is lower-case letters");
    CHECK_INT(output_say(&w, "a", "\xff", &e), E_INVAL);
    CHECK_HAS(e.text, "output 'a' is no text");
    CHECK_INT(output_say(&w, "a", large, &e), E_TOOBIG);
    CHECK_HAS(e.text, "at most 65536 are allowed");
    large[LIMIT_OUTPUTS_BYTES - 1] = 0;
    CHECK(output_say(&w, "a", large, &e) == 0);
    CHECK_INT(output_say(&w, "b", "x", &e), E_TOOBIG);
    CHECK(output_say(&w, "a", "small", &e) == 0); /* the old value is no longer counted */
    for (int i = 1; i < LIMIT_OUTPUTS; i++) {
        snprintf(name, sizeof(name), "n%d", i);
        CHECK(output_say(&w, name, "x", &e) == 0);
    }
    CHECK_INT(output_say(&w, "more", "x", &e), E_TOOBIG);
    CHECK_HAS(e.text, "one too many: a step has at most 64");
    world_done(&w);
}

TEST(outputs_are_there_after_a_restart)
{
    struct world w;
    struct err e;
    world_begin(&w);
    CHECK(output_say(&w, "version", "1.0", &e) == 0);
    engine_world_stop(&w.base);
    engine_world_end(&w.base, NULL, NULL);
    engine_world_begin(&w.base);
    engine_world_engine(&w.base);
    CHECK(engine_recover(w.base.engine, &e) >= 0);
    while (!(w.task = task_running(w.base.engine)))
        engine_world_commit(&w.base);
    CHECK_TEXT(output_get(w.task->step, "version"), "1.0");
    CHECK(output_say(&w, "files", "a", &e) == 0);
    AUTO_FREE char *kept = outputs_kept(&w);
    CHECK_TEXT(kept, "{\"version\":\"1.0\",\"files\":\"a\"}");
    world_done(&w);
}
