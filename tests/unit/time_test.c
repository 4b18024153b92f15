/* What happens in time, on a clock of the test: pauses before another attempt, and how long
 * something may take, also over a restart. Hours pass in no time. */
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "engine/job.h"
#include "engine_world.h"

#define BEGIN_US INT64_C(1900022400000000) /* 2030-03-18 00:00 UTC */
#define HOURS(n) ((n)*INT64_C(3600000000))

struct world {
    struct engine_world base;
    struct id job;
};

static void world_turns(struct world *w)
{
    deadlines_ring(&w->base.engine->deadlines);
    engine_world_turns(&w->base);
}

static void world_begin(struct world *w, const char *text)
{
    clock_hold(BEGIN_US);
    if (!w->base.store)
        engine_world_store(&w->base);
    engine_world_begin(&w->base);
    engine_world_engine(&w->base);
    w->job = engine_world_start(&w->base, text, NULL);
    world_turns(w);
}

static void world_stop(struct world *w)
{
    engine_world_stop(&w->base);
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
    struct world w = {0};
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

#define HOUR_LATER                                                                             \
    "id: d\nname: D\nsteps:\n"                                                                 \
    "  - name: s\n    type: generator\n"                                                       \
    "    retry: { attempts: 2, backoff: 2h, backoff_max: 2h }\n"

/* Begins in a folder and is killed while the retry waits; returns when that is due. */
static int64_t world_begin_killed(struct world *w, const char *text)
{
    struct err e;
    struct {
        struct id job;
        int64_t due_ms;
    } said;
    int ends[2], status;
    CHECK(pipe(ends) == 0);
    pid_t pid = fork();
    if (pid == 0) {
        CHECK(store_open_sqlite(test_folder(), &w->base.store, &e) >= 0);
        world_begin(w, text);
        said.job = w->job;
        said.due_ms = deadlines_next_ms(&w->base.engine->deadlines);
        CHECK(write(ends[1], &said, sizeof(said)) == sizeof(said));
        (void)raise(SIGKILL);
    }
    CHECK(waitpid(pid, &status, 0) == pid && WIFSIGNALED(status));
    CHECK(read(ends[0], &said, sizeof(said)) == sizeof(said));
    w->job = said.job;
    clock_hold(BEGIN_US);
    CHECK(store_open_sqlite(test_folder(), &w->base.store, &e) >= 0);
    return said.due_ms;
}

static void check_attempt(struct world *w, int attempt, enum job_state status, int64_t due_us)
{
    AUTO_READER *r = NULL;
    AUTO_ARENA a = ARENA_INIT;
    struct err e;
    struct task_row **rows;
    size_t count;
    int64_t total;
    struct task_query q = {.job_id = w->job, .limit = 10};
    CHECK(store_read_begin(w->base.store, &r, &e) >= 0);
    CHECK(store_list_tasks(r, &q, &a, &rows, &count, &total, &e) >= 0);
    CHECK_INT(count, 1);
    CHECK_INT(rows[0]->attempt, attempt);
    CHECK_TEXT(job_state_name(rows[0]->status), job_state_name(status));
    CHECK_INT(rows[0]->due_at_us, due_us);
}

static const char one_hour_later[] =
    HOUR_LATER "    config: { log_count: 1, failure_rate: 1 }\n";

TEST(a_retry_that_waits_when_the_server_is_killed_keeps_its_time)
{
    struct world w = {0};
    int64_t due_ms = world_begin_killed(&w, one_hour_later);
    CHECK(due_ms * 1000 >= BEGIN_US + HOURS(1));
    CHECK(due_ms * 1000 <= BEGIN_US + HOURS(2));
    for (int i = 1; i <= 3; i++) { /* killed or stopped, once or often */
        clock_advance(HOURS(1) / 4);
        world_start(&w);
        CHECK_INT(deadlines_next_ms(&w.base.engine->deadlines), due_ms);
        check_attempt(&w, 1, JOB_PENDING, due_ms * 1000);
        if (i < 3)
            world_stop(&w);
    }
    clock_advance(due_ms * 1000 - clock_wall_us() - 1000);
    world_turns(&w);
    check_attempt(&w, 1, JOB_PENDING, due_ms * 1000);
    clock_advance(1000);
    world_turns(&w);
    check_attempt(&w, 2, JOB_FAILED, 0);
    check_job(&w, JOB_FAILED, "step 's': failed on purpose (failure_rate) (attempt 2 of 2)");
    world_done(&w);
}

TEST(a_retry_whose_time_passed_while_no_server_was_there_runs_at_once)
{
    struct world w = {0};
    int64_t due_ms = world_begin_killed(&w, one_hour_later);
    clock_advance(due_ms * 1000 - BEGIN_US);
    world_start(&w);
    check_attempt(&w, 2, JOB_FAILED, 0);
    world_done(&w);
}

TEST(a_wall_clock_that_was_set_back_makes_no_pause_longer_than_the_longest)
{
    struct world w = {0};
    (void)world_begin_killed(&w, one_hour_later);
    clock_hold(BEGIN_US - HOURS(1000));
    world_start(&w);
    CHECK_INT(deadlines_next_ms(&w.base.engine->deadlines) * 1000, clock_wall_us() + HOURS(2));
    world_done(&w);
}

/* What is in memory is not read back as well. */
static void check_queue(struct world *w)
{
    LIST_EACH (&w->base.engine->jobs, struct job, link, job) {
        const struct step *s = &job->steps[0];
        CHECK(s->spilled >= 0 && s->waiting_count >= 0);
        CHECK_INT(s->ready_count + s->waiting_count + s->spilled, s->counts[JOB_PENDING]);
        LIST_EACH (&s->waiting, struct task, link, t)
            CHECK_INT(t->row.due_at_us, t->deadline.at_ms * 1000);
    }
}

/* More of them than are kept in memory: some wait, some are read back when they are due. */
TEST(many_retries_that_wait_keep_their_time_and_none_runs_twice)
{
    struct world w = {0};
    world_begin(&w,
                HOUR_LATER "    config: { worker_count: 6000, log_count: 0, failure_rate: 1, "
                           "concurrency: 100 }\n");
    for (int i = 0; i < 12; i++) {
        for (int turn = 0; turn < 100; turn++)
            world_turns(&w);
        check_queue(&w);
        if (engine_active_jobs(w.base.engine) == 0)
            break;
        if (i % 3 == 0) {
            world_stop(&w);
            world_start(&w);
        }
        CHECK(i > 2 || deadlines_next_ms(&w.base.engine->deadlines) * 1000 > clock_wall_us());
        clock_advance(HOURS(1) / 2);
    }
    check_job(&w, JOB_FAILED,
              "step 's': all 6000 tasks failed, the last one: failed on purpose (failure_rate) "
              "(attempt 2 of 2)");
    world_done(&w);
}

#define SLOW                                                                                   \
    "id: d\nname: D\ntimeout: 48h\nsteps:\n"                                                   \
    "  - { name: s, type: generator, config: { log_count: 1, log_delay_ms: 3600000 } }\n"

TEST(a_timeout_is_counted_from_the_beginning_also_over_a_restart)
{
    struct world w = {0};
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
    struct world w = {0};
    world_begin(&w, SLOW);
    world_stop(&w);
    clock_advance(HOURS(1000));
    world_start(&w);
    check_job(&w, JOB_FAILED, "timeout: the job took longer than 2d");
    world_done(&w);
}

/* ---- heartbeat ---- */

#define SILENT                                                                                 \
    "id: d\nname: D\nsteps:\n"                                                                 \
    "  - name: s\n    type: generator\n    heartbeat: 5m\n"                                    \
    "    retry: { attempts: 2, backoff: 2h, backoff_max: 2h }\n"                               \
    "    config: { log_count: 1, log_delay_ms: 3600000 }\n"
#define MINUTES(n) ((n)*INT64_C(60000000))
#define LISTENS INT64_C(100000) /* once more, before it is ended */

static void pass(struct world *w, int64_t us)
{
    clock_advance(us);
    world_turns(w);
}

static void show_life(struct world *w)
{
    LIST_EACH (&w->base.engine->jobs, struct job, link, job)
        LIST_EACH (&job->steps[0].running, struct task, link, t)
            engine_host.alive(&job->steps[0].worker, &t->worker);
}

TEST(a_task_that_shows_no_sign_of_life_is_ended_and_tried_again)
{
    struct world w = {0};
    world_begin(&w, SILENT);
    const struct deadlines *deadlines = &w.base.engine->deadlines;
    pass(&w, MINUTES(5));
    check_attempt(&w, 1, JOB_RUNNING, 0);
    pass(&w, LISTENS);
    int64_t due_us = deadlines_next_ms(deadlines) * 1000;
    check_attempt(&w, 1, JOB_PENDING, due_us);
    CHECK(due_us >= clock_wall_us() + HOURS(1)); /* while it waits, it need not say anything */
    pass(&w, due_us - clock_wall_us());
    check_attempt(&w, 2, JOB_RUNNING, 0);
    CHECK_INT(deadlines_next_ms(deadlines) * 1000, clock_wall_us() + MINUTES(5));
    pass(&w, MINUTES(5));
    pass(&w, LISTENS);
    check_job(&w, JOB_FAILED, "step 's': no sign of life for 5m (heartbeat) (attempt 2 of 2)");
    world_done(&w);
}

TEST(a_task_that_shows_signs_of_life_runs_as_long_as_it_likes)
{
    struct world w = {0};
    world_begin(&w, SILENT);
    for (int i = 0; i < 100; i++) {
        pass(&w, MINUTES(5) - 1000);
        show_life(&w);
    }
    check_attempt(&w, 1, JOB_RUNNING, 0);
    pass(&w, MINUTES(5) - 1000);
    pass(&w, LISTENS);
    check_attempt(&w, 1, JOB_RUNNING, 0);
    pass(&w, LISTENS);
    check_attempt(&w, 1, JOB_PENDING, deadlines_next_ms(&w.base.engine->deadlines) * 1000);
    world_done(&w);
}

TEST(what_was_said_while_the_server_stood_still_is_heard_before_it_counts_as_silence)
{
    struct world w = {0};
    world_begin(&w, SILENT);
    pass(&w, HOURS(10));
    show_life(&w);
    for (int i = 0; i < 10; i++)
        pass(&w, LISTENS);
    check_attempt(&w, 1, JOB_RUNNING, 0);
    CHECK_INT(deadlines_next_ms(&w.base.engine->deadlines) * 1000,
              BEGIN_US + HOURS(10) + MINUTES(5));
    world_done(&w);
}

TEST(a_task_without_a_heartbeat_may_be_silent)
{
    struct world w = {0};
    world_begin(&w, "id: d\nname: D\nsteps:\n  - { name: s, type: generator, heartbeat: 0, "
                    "config: { log_count: 1, log_delay_ms: 3600000 } }\n");
    pass(&w, HOURS(99));
    pass(&w, HOURS(99));
    check_attempt(&w, 1, JOB_RUNNING, 0);
    world_done(&w);
}
