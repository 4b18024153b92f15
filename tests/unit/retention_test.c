/* Which jobs go and which stay, on a clock of the test, against a store with rows of the
 * test's own. */
#include "engine/retention.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/mem.h"
#include "engine/job.h"
#include "engine_world.h"

enum { DAY_S = 24 * 3600 };

#define NOW_S INT64_C(1900022400)
#define US(s) ((s)*INT64_C(1000000))
#define DAY_MS (DAY_S * INT64_C(1000))

struct world {
    struct engine_world base;
    struct catalog *catalog;
    struct retention *retention;
    struct buf told;
};

/* "3 gone: why" for each, in order; names are numbers. */
static void on_told(void *arg, struct id job_id, const char *text)
{
    struct world *w = arg;
    CHECK(!id_is_none(job_id));
    buf_printf(&w->told, "%s\n", text);
}

/* Until the store has what the last look deletes. */
static void come_to_rest(struct world *w)
{
    while (retention_is_busy(w->retention)) {
        writer_turn(w->base.writer);
        uv_run(&w->base.loop, UV_RUN_ONCE);
    }
}

static void look_once(struct world *w)
{
    CHECK(retention_run(w->retention, US(NOW_S)));
    come_to_rest(w);
}

/* The first look, which is due at once, is over before there are jobs: the next one of the
 * timer's own is a minute away, and what a test sees is what it asked for. */
static void world_begin(struct world *w, struct keep keep)
{
    *w = (struct world){.told = BUF_INIT(1 << 20)};
    engine_world_store(&w->base);
    engine_world_begin(&w->base);
    engine_world_engine(&w->base);
    w->catalog = catalog_new(w->base.writer);
    w->retention = retention_new(w->base.engine, w->catalog, &keep, on_told, w);
    look_once(w);
}

static void stop(void *arg)
{
    retention_stop(arg);
}

static void world_done(struct world *w)
{
    engine_world_end(&w->base, stop, w->retention);
    retention_free(w->retention);
    catalog_free(w->catalog);
    store_close(w->base.store);
    buf_done(&w->told);
}

static void define(struct world *w, const char *id, const char *keep)
{
    struct err e = {0};
    struct catalog_entry *entry;
    AUTO_FREE char *text = mem_printf("id: %s\nname: N\nkeep: %s\nsteps:\n"
                                      "  - { name: s, type: generator }\n",
                                      id, keep);
    if (catalog_add(w->catalog, str_of(text), DEFINITION_YAML, &entry, &e) < 0)
        CHECK_TEXT(e.text, "");
}

/* A job that ended so many seconds ago; one that has not for a negative number. */
static void put_child(struct world *w, const char *definition, const char *name, int64_t ago_s,
                      int64_t bytes, struct id parent_id)
{
    struct job_row row = {.id = id_new(),
                          .parent_id = parent_id,
                          .definition_id = definition,
                          .name = name,
                          .status = ago_s < 0 ? JOB_RUNNING : JOB_COMPLETED,
                          .completed_at_us = US(NOW_S - ago_s),
                          .bytes = bytes};
    struct event_source source = {row.id, ID_NONE, "", "job"};
    struct event event = {.type = EVENT_JOB_STATUS_CHANGE, .kind = KIND_JOB};
    struct batch *b = writer_batch(w->base.writer);
    event_batch_add(&b->events, &event, &source, (struct str){NULL, 0}, (struct str){NULL, 0});
    batch_put_job(b, &row);
    engine_world_commit(&w->base);
}

static void put(struct world *w, const char *definition, const char *name, int64_t ago_s,
                int64_t bytes)
{
    put_child(w, definition, name, ago_s, bytes, ID_NONE);
}

/* A task that runs, or has ended. */
static void put_task(struct world *w, struct id id, enum job_state status)
{
    struct batch *b = writer_batch(w->base.writer);
    struct job_row job = {.id = id_new(), .name = "parent", .status = JOB_RUNNING};
    struct step_row step = {.id = id_new(), .job_id = job.id, .number = 1, .name = "s"};
    struct task_row task = {.id = id,
                            .job_id = job.id,
                            .step_id = step.id,
                            .number = 1,
                            .key = "k",
                            .status = status};
    batch_put_job(b, &job);
    batch_put_step(b, &step);
    batch_put_task(b, &task);
    engine_world_commit(&w->base);
}

/* Looks, until nothing is left to delete. */
static void look(struct world *w)
{
    int64_t before;
    do {
        before = retention_removed(w->retention);
        look_once(w);
    } while (retention_removed(w->retention) != before);
}

/* Names of the jobs that are there, by name. */
static void check_kept(struct world *w, const char *want)
{
    struct err e;
    AUTO_ARENA a = ARENA_INIT;
    AUTO_READER *r = NULL;
    AUTO_BUF got = BUF_INIT(1 << 20);
    struct job_row **rows;
    size_t count;
    int64_t total;
    struct job_query q = {.limit = -1, .order = ORDER_NAME};
    CHECK(store_read_begin(w->base.store, &r, &e) >= 0);
    CHECK(store_list_jobs(r, &q, &a, &rows, &count, &total, &e) >= 0);
    for (size_t i = 0; i < count; i++)
        buf_printf(&got, "%s%s", i ? " " : "", rows[i]->name);
    CHECK_TEXT(buf_text(&got), want);
}

TEST(without_limits_every_job_is_kept)
{
    struct world w;
    world_begin(&w, (struct keep){0});
    put(&w, "a", "1", 1000 * DAY_S, 1 << 30);
    look(&w);
    check_kept(&w, "1");
    world_done(&w);
}

TEST(jobs_that_ended_too_long_ago_go_the_oldest_first)
{
    struct world w;
    world_begin(&w, (struct keep){.age_ms = 2 * DAY_MS});
    put(&w, "a", "1", 5 * DAY_S, 1);
    put(&w, "a", "2", 2 * DAY_S + 1, 1);
    put(&w, "a", "3", 2 * DAY_S, 1);
    put(&w, "a", "4", -1, 1);
    look(&w);
    check_kept(&w, "3 4");
    CHECK_TEXT(buf_text(&w.told), "1 was deleted: the server keeps jobs for 2d\n"
                                  "2 was deleted: the server keeps jobs for 2d\n");
    world_done(&w);
}

TEST(of_more_jobs_than_are_kept_the_newest_stay_and_running_ones_do_not_count)
{
    struct world w;
    world_begin(&w, (struct keep){.jobs = 2});
    put(&w, "a", "1", 40, 1);
    put(&w, "b", "2", 30, 1);
    put(&w, "a", "3", -1, 1);
    put(&w, "a", "4", 10, 1);
    put(&w, "b", "5", 20, 1);
    look(&w);
    check_kept(&w, "3 4 5");
    CHECK_INT(retention_removed(w.retention), 2);
    world_done(&w);
}

TEST(what_is_older_than_the_first_job_beyond_the_bytes_goes_and_the_newest_stays)
{
    struct world w;
    world_begin(&w, (struct keep){.bytes = 1 << 10});
    put(&w, "a", "1", 40, 1);
    put(&w, "a", "2", 30, 600);
    put(&w, "a", "3", 20, 600);
    put(&w, "a", "4", 10, 300);
    look(&w);
    check_kept(&w, "3 4");
    CHECK_HAS(buf_text(&w.told), "1 was deleted: the server keeps 1KiB of jobs\n");
    put(&w, "a", "5", 5, 5000);
    look(&w);
    check_kept(&w, "5");
    world_done(&w);
}

TEST(a_definition_keeps_its_own_and_does_not_use_up_what_the_server_keeps)
{
    struct world w;
    world_begin(&w, (struct keep){.jobs = 3});
    define(&w, "a", "{ jobs: 1, age: 7d }");
    put(&w, "gone", "1", 60, 1); /* its definition is not there */
    put(&w, "gone", "2", 50, 1);
    put(&w, "gone", "3", 40, 1);
    put(&w, "a", "4", 30, 1);
    put(&w, "a", "5", 20, 1);
    look(&w);
    check_kept(&w, "2 3 5");
    CHECK_TEXT(buf_text(&w.told), "1 was deleted: the server keeps 3 jobs\n"
                                  "4 was deleted: its definition keeps 1 job\n");
    world_done(&w);
}

TEST(very_many_jobs_go_in_small_pieces_and_all_of_them)
{
    enum { JOBS = 130, LEFT = 7 };
    struct world w;
    world_begin(&w, (struct keep){.jobs = LEFT});
    for (int i = 0; i < JOBS; i++) {
        AUTO_FREE char *name = mem_printf("%03d", i);
        put(&w, "a", name, JOBS - i, 1);
    }
    look(&w);
    check_kept(&w, "123 124 125 126 127 128 129");
    CHECK_INT(retention_removed(w.retention), JOBS - LEFT);
    CHECK_HAS(buf_text(&w.told), "000 was deleted: the server keeps 7 jobs\n001 was");
    world_done(&w);
}

TEST(a_job_that_was_started_by_a_task_stays_until_that_has_ended)
{
    struct world w;
    struct id runs = id_new(), ended = id_new();
    world_begin(&w, (struct keep){.jobs = 1});
    put_task(&w, runs, JOB_RUNNING);
    put_task(&w, ended, JOB_COMPLETED);
    put_child(&w, "a", "1", 40, 1, runs);
    put_child(&w, "a", "2", 30, 1, ended);
    put_child(&w, "a", "3", 20, 1, id_new()); /* its task is gone */
    put(&w, "a", "4", 10, 1);
    look(&w);
    check_kept(&w, "1 4 parent parent");
    world_done(&w);
}

/* The clock is the test's, the timer its own. */
TEST(a_job_goes_within_the_minute_in_which_it_becomes_too_old)
{
    enum { KEPT_MIN = 60 };
    struct world w;
    int gone = 0;
    clock_hold(US(NOW_S));
    world_begin(&w, (struct keep){.age_ms = KEPT_MIN * 60 * 1000});
    put(&w, "a", "1", 0, 1);
    for (int minute = 1; !gone && minute < 2 * KEPT_MIN; minute++) {
        clock_advance(US(60));
        deadlines_ring(&w.base.engine->deadlines);
        come_to_rest(&w);
        gone = retention_removed(w.retention) ? minute : 0;
    }
    CHECK(gone > KEPT_MIN && gone <= KEPT_MIN + 2);
    check_kept(&w, "");
    world_done(&w);
}

static uv_sem_t engine_is_gone;

static void on_hold(uv_work_t *work)
{
    (void)work;
    uv_sem_wait(&engine_is_gone);
}

static void on_held(uv_work_t *work, int status)
{
    (void)work, (void)status;
}

/* What was closed before is gone at the end of the loop's first turn, and its memory is given
 * to the next one who wants as much. */
static void on_turn(uv_timer_t *timer)
{
    static int turns;
    if (++turns < 2) {
        (void)uv_timer_start(timer, on_turn, 0, 0);
        return;
    }
    AUTO_FREE void *other = mem_alloc(sizeof(struct engine));
    memset(other, 0xa5, sizeof(struct engine));
    uv_sem_post(&engine_is_gone);
    uv_close((uv_handle_t *)timer, NULL);
}

TEST(a_look_that_the_pool_comes_to_when_the_engine_is_gone_harms_nobody)
{
    struct world w;
    uv_work_t work;
    uv_timer_t timer;
    CHECK_INT(setenv("UV_THREADPOOL_SIZE", "1", 1), 0);
    world_begin(&w, (struct keep){.jobs = 1});
    put(&w, "a", "1", 40, 1);
    CHECK_INT(uv_sem_init(&engine_is_gone, 0), 0);
    CHECK_INT(uv_queue_work(&w.base.loop, &work, on_hold, on_held), 0);
    CHECK(retention_run(w.retention, US(NOW_S)));
    CHECK_INT(uv_timer_init(&w.base.loop, &timer), 0);
    CHECK_INT(uv_timer_start(&timer, on_turn, 0, 0), 0);
    world_done(&w);
    uv_sem_destroy(&engine_is_gone);
}
