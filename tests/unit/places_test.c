/* Who runs, who waits, and for what: jobs of a generator that does not end by itself, on an
 * engine with two places of a pool and four of the server. */
#include <stdlib.h>
#include <time.h>

#include "base/mem.h"
#include "engine_world.h"

enum { JOBS_MAX = 12000 };

static const struct pool_limits pools = {{{"database", 2}, {"printer", 1}}, 2};

struct world {
    struct engine_world base;
    struct id jobs[JOBS_MAX];
    int count, most;
};

static void world_begin_server(struct world *w, const struct pool_limits *limits)
{
    engine_world_begin(&w->base);
    engine_world_engine(&w->base);
    engine_limit(w->base.engine, w->most, limits);
}

static struct world *world_new(int most)
{
    struct world *w = mem_alloc(sizeof(*w));
    w->most = most;
    engine_world_store(&w->base);
    world_begin_server(w, &pools);
    return w;
}

static void world_end_server(struct world *w)
{
    engine_world_stop(&w->base);
    engine_world_end(&w->base, NULL, NULL);
}

static void world_free(struct world *w)
{
    world_end_server(w);
    store_close(w->base.store);
    free(w);
}

static void world_again(struct world *w, const struct pool_limits *limits)
{
    struct err e;
    world_end_server(w);
    world_begin_server(w, limits);
    CHECK(engine_recover(w->base.engine, &e) >= 0);
    engine_world_turns(&w->base);
}

/* `more` are lines of the definition. */
static void ask(struct world *w, const char *id, const char *more, const int *priority)
{
    AUTO_FREE char *text = mem_printf(
        "id: %s\nname: N\n%ssteps:\n"
        "  - { name: s, type: generator, config: { log_count: 1, log_delay_ms: 3600000 } }\n",
        id, more);
    w->jobs[w->count++] = engine_world_start(&w->base, text, priority);
}

static void end(struct world *w, int i)
{
    struct err e;
    CHECK(engine_cancel(w->base.engine, w->jobs[i], "test", &e) >= 0);
    engine_world_turns(&w->base);
}

/* A letter for each job: Pending, Running, or ended. */
static const char *states(struct world *w, char to[JOBS_MAX])
{
    AUTO_READER *r = NULL;
    AUTO_ARENA a = ARENA_INIT;
    struct err e;
    CHECK(store_read_begin(w->base.store, &r, &e) >= 0);
    for (int i = 0; i < w->count; i++) {
        struct job_row *row;
        CHECK(store_get_job(r, w->jobs[i], &a, &row, &e) >= 0);
        to[i] = "PR..."[row->status];
        CHECK(row->status == JOB_PENDING || !row->waits_for);
    }
    to[w->count] = 0;
    return to;
}
#define STATES(w) states((w), (char[JOBS_MAX]){0})

static void check_waits(struct world *w, int i, const char *want)
{
    AUTO_READER *r = NULL;
    AUTO_ARENA a = ARENA_INIT;
    struct err e;
    struct job_row *row;
    CHECK(store_read_begin(w->base.store, &r, &e) >= 0);
    CHECK(store_get_job(r, w->jobs[i], &a, &row, &e) >= 0);
    CHECK_TEXT(row->waits_for ? row->waits_for : "", want);
}

static size_t events_of_waiting(struct world *w)
{
    AUTO_READER *r = NULL;
    AUTO_EVENT_BATCH events = EVENT_BATCH_INIT;
    struct err e;
    uint64_t to;
    size_t count = 0;
    struct event_query q = {.max_events = SIZE_MAX, .max_bytes = SIZE_MAX};
    CHECK(store_read_begin(w->base.store, &r, &e) >= 0);
    CHECK(store_read_events(r, &q, &events, &to, &e) >= 0);
    for (size_t i = 0; i < events.count; i++) {
        struct str members = event_members(&events, &events.events[i]);
        count += members.n && str_find_nocase(members, STR("\"waits_for\":\"a place")) >= 0;
    }
    return count;
}

#define DATABASE "pool: database\n"

TEST(a_pool_is_shared_by_definitions_and_holds_nobody_else_up)
{
    struct world *w = world_new(0);
    ask(w, "a", DATABASE, NULL);
    ask(w, "b", DATABASE, NULL);
    ask(w, "a", DATABASE, NULL);
    ask(w, "c", "", NULL);
    ask(w, "d", "pool: printer\n", NULL);
    engine_world_turns(&w->base);
    CHECK_TEXT(STATES(w), "RRPRR");
    check_waits(w, 2, "a place of pool database (2 at once)");
    end(w, 1);
    CHECK_TEXT(STATES(w), "R.RRR");
    world_free(w);
}

TEST(the_highest_priority_begins_first_and_of_the_same_the_one_that_was_asked_for_first)
{
    struct world *w = world_new(1);
    const int low = -100, high = 100;
    ask(w, "a", "", NULL);
    engine_world_turns(&w->base);
    ask(w, "a", "", &low);
    ask(w, "b", "priority: 5\n", NULL);
    ask(w, "a", "", NULL);
    ask(w, "c", "priority: 5\n", NULL);
    ask(w, "b", "priority: 5\n", &high);
    engine_world_turns(&w->base);
    CHECK_TEXT(STATES(w), "RPPPPP");
    static const int order[] = {0, 5, 2, 4, 3, 1};
    for (size_t i = 0; i + 1 < ARRAY_LEN(order); i++) {
        end(w, order[i]);
        CHECK_INT(STATES(w)[order[i + 1]], 'R');
    }
    world_free(w);
}

TEST(of_those_that_are_asked_for_in_one_turn_the_highest_priority_begins)
{
    struct world *w = world_new(1);
    ask(w, "a", "", NULL);
    ask(w, "b", "priority: 1\n", NULL);
    engine_world_turns(&w->base);
    CHECK_TEXT(STATES(w), "PR");
    world_free(w);
}

TEST(a_job_waits_for_what_it_would_lack_if_all_before_it_had_begun)
{
    struct world *w = world_new(4);
    for (int i = 0; i < 4; i++)
        ask(w, "other", "", NULL);
    engine_world_turns(&w->base);
    ask(w, "one", DATABASE "max_running: 1\n", NULL);
    ask(w, "one", DATABASE "max_running: 1\n", NULL);
    ask(w, "two", DATABASE, NULL);
    ask(w, "two", DATABASE, NULL);
    engine_world_turns(&w->base);
    CHECK_TEXT(STATES(w), "RRRRPPPP");
    check_waits(w, 4, "a place of the server (4 at once)");
    check_waits(w, 5, "a place of definition one (1 at once)");
    check_waits(w, 6, "a place of pool database (2 at once)"); /* 4 and 5 are before it */
    check_waits(w, 7, "a place of pool database (2 at once)");
    for (int i = 0; i < 4; i++)
        end(w, i);
    CHECK_TEXT(STATES(w), "....RPRP"); /* 5 lacks its definition: 6 goes past it */
    check_waits(w, 5, "a place of definition one (1 at once)");
    end(w, 4);
    CHECK_TEXT(STATES(w), ".....RRP");
    end(w, 5);
    CHECK_TEXT(STATES(w), "......RR");
    world_free(w);
}

TEST(a_job_that_waits_and_is_cancelled_leaves_its_line)
{
    struct world *w = world_new(1);
    for (int i = 0; i < 4; i++)
        ask(w, "a", DATABASE, NULL);
    engine_world_turns(&w->base);
    CHECK_TEXT(STATES(w), "RPPP");
    end(w, 1);
    end(w, 3);
    CHECK_TEXT(STATES(w), "R.P.");
    end(w, 0);
    CHECK_TEXT(STATES(w), "..R.");
    end(w, 2);
    ask(w, "a", DATABASE, NULL);
    engine_world_turns(&w->base);
    CHECK_TEXT(STATES(w), "....R");
    world_free(w);
}

TEST(priorities_and_what_is_waited_for_are_known_after_a_restart)
{
    struct world *w = world_new(1);
    const int high = 7;
    ask(w, "a", "", NULL);
    engine_world_turns(&w->base);
    ask(w, "a", "", NULL);
    ask(w, "b", DATABASE, &high);
    engine_world_turns(&w->base);
    size_t told = events_of_waiting(w);
    world_again(w, &pools);
    CHECK_TEXT(STATES(w), "RPP");
    CHECK_INT(events_of_waiting(w), told); /* it is no news */
    end(w, 0);
    CHECK_TEXT(STATES(w), ".PR");
    world_free(w);
}

TEST(jobs_that_ran_go_on_whatever_the_limits_are_now_and_are_counted)
{
    struct world *w = world_new(0);
    static const struct pool_limits one = {{{"database", 1}}, 1};
    ask(w, "a", DATABASE, NULL);
    ask(w, "a", DATABASE, NULL);
    ask(w, "a", DATABASE, NULL);
    engine_world_turns(&w->base);
    world_again(w, &one);
    CHECK_TEXT(STATES(w), "RRP");
    check_waits(w, 2, "a place of pool database (1 at once)");
    end(w, 0);
    CHECK_TEXT(STATES(w), ".RP");
    end(w, 1);
    CHECK_TEXT(STATES(w), "..R");
    world_free(w);
}

TEST(a_job_whose_pool_is_gone_waits_until_a_server_has_it)
{
    struct world *w = world_new(1);
    static const struct pool_limits none;
    ask(w, "a", "", NULL);
    ask(w, "b", DATABASE, NULL);
    engine_world_turns(&w->base);
    world_again(w, &none);
    end(w, 0);
    CHECK_TEXT(STATES(w), ".P");
    check_waits(w, 1, "pool database, which this server does not have");
    world_again(w, &pools);
    CHECK_TEXT(STATES(w), ".R");
    world_free(w);
}

/* The disk is nearly full. */
TEST(while_the_engine_is_held_no_job_begins_and_then_those_that_may)
{
    struct world *w = world_new(2);
    ask(w, "a", "", NULL);
    engine_world_turns(&w->base);
    engine_hold(w->base.engine, true);
    ask(w, "b", "", NULL);
    ask(w, "c", "", NULL);
    ask(w, "d", "", NULL);
    engine_world_turns(&w->base);
    CHECK_TEXT(STATES(w), "RPPP"); /* there is a place, and no room */
    for (int i = 1; i < 4; i++)
        check_waits(w, i, "more room on the disk");
    end(w, 0);
    end(w, 3);
    CHECK_TEXT(STATES(w), ".PP.");
    world_again(w, &pools);
    CHECK_TEXT(STATES(w), ".RR."); /* this server has room */
    engine_hold(w->base.engine, true);
    ask(w, "e", "", NULL);
    engine_world_turns(&w->base);
    check_waits(w, 4, "more room on the disk");
    engine_hold(w->base.engine, false);
    engine_world_turns(&w->base);
    CHECK_TEXT(STATES(w), ".RR.P");
    check_waits(w, 4, "a place of the server (2 at once)");
    end(w, 1);
    CHECK_TEXT(STATES(w), "..R.R");
    world_free(w);
}

TEST(a_thousand_that_wait_tell_it_once_and_hardly_anything_when_one_ends)
{
    struct world *w = world_new(2);
    for (int i = 0; i < 1002; i++)
        ask(w, (const char *[]){"a", "b", "c"}[i % 3], i % 3 ? DATABASE : "", NULL);
    engine_world_turns(&w->base);
    CHECK_INT(events_of_waiting(w), 1000);
    for (int i = 0; i < 50; i++)
        end(w, i);
    size_t more = events_of_waiting(w) - 1000;
    CHECK(more <= 2 * 50);
    world_free(w);
}

/* What one more job costs, and one place that is given, must not depend on how many wait: if it
 * grew with them, it would be twenty times as much here. Caches and a busy machine make it up
 * to three times. */
TEST(ten_thousand_that_wait_cost_hardly_more_each_than_five_hundred)
{
    double ask_us[2], end_us[2];
    for (int round = 0; round < 2; round++) {
        struct world *w = world_new(4);
        int count = round ? 10000 : 500;
        clock_t began = clock();
        for (int i = 0; i < count; i++) {
            AUTO_FREE char *id = mem_printf("d%d", i % 100);
            ask(w, id, i % 2 ? DATABASE : "", NULL);
        }
        engine_world_turns(&w->base);
        ask_us[round] = (double)(clock() - began) * 1e6 / CLOCKS_PER_SEC / count;
        began = clock();
        for (int i = 0; i < 200; i++)
            end(w, i);
        end_us[round] = (double)(clock() - began) * 1e6 / CLOCKS_PER_SEC / 200;
        world_free(w);
    }
    printf("# to ask: %.0f and %.0f us; to give a place: %.0f and %.0f us, of CPU\n", ask_us[0],
           ask_us[1], end_us[0], end_us[1]);
    CHECK(ask_us[1] < 8 * ask_us[0]);
    CHECK(end_us[1] < 8 * end_us[0]);
}
