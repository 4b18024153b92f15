/* Schedules on a clock of the test: a simulated day of two hundred, against what the policies
 * say; and what a restart, a pause and a change do. Jobs are real and run to their end when the
 * loop runs, so they take as long as the test wants. */
#include <stdlib.h>

#include "base/mem.h"
#include "engine/schedules.h"
#include "engine_world.h"
#include "job/schedule.h"

enum { MINUTE = 60, HOUR = 3600, SCHEDULES = 200, RUNS_MAX = 20000 };

#define BEGIN_S                                                                                \
    INT64_C(1900022400) /* 2030-03-18 00:00 UTC; no look at the real clock sees it */
#define US(s) ((s)*INT64_C(1000000))

struct world {
    struct engine_world base;
    struct catalog *catalog;
    struct schedules *schedules;
    int told;
    char last_told[400];
};

static void on_told(void *arg, enum event_level level, const char *event,
                    const char *definition_id, const char *text)
{
    struct world *w = arg;
    (void)level;
    w->told++;
    snprintf(w->last_told, sizeof(w->last_told), "%s %s: %s", event, definition_id, text);
}

static void world_begin_server(struct world *w)
{
    struct err e;
    AUTO_READER *r = NULL;
    engine_world_begin(&w->base);
    engine_world_engine(&w->base);
    w->catalog = catalog_new(w->base.writer);
    CHECK(store_read_begin(w->base.store, &r, &e) >= 0);
    CHECK(catalog_load_store(w->catalog, r, &e) >= 0);
    w->schedules = schedules_new(w->base.engine, w->catalog, w->base.writer, on_told, w);
    CHECK(schedules_load(w->schedules, r, &e) >= 0);
}

static void free_schedules(void *arg)
{
    schedules_free(arg);
}

static void world_end_server(struct world *w)
{
    engine_world_end(&w->base, free_schedules, w->schedules);
    catalog_free(w->catalog);
}

static void world_begin(struct world *w)
{
    struct err e;
    *w = (struct world){0};
    CHECK(store_open_memory(&w->base.store, &e) >= 0);
    world_begin_server(w);
}

static void world_done(struct world *w)
{
    world_end_server(w);
    store_close(w->base.store);
}

static void world_settle(struct world *w)
{
    engine_world_settle(&w->base);
}

static void define(struct world *w, const char *id, const char *schedule, bool replace)
{
    struct err e = {0};
    struct catalog_entry *entry;
    AUTO_FREE char *text = mem_printf(
        "id: %s\nname: N\nschedule: %s\nsteps:\n"
        "  - { name: s, type: generator, config: { worker_count: 1, log_count: 1 } }\n",
        id, schedule);
    int r = replace ? catalog_replace(w->catalog, id, str_of(text), DEFINITION_YAML, &entry, &e)
                    : catalog_add(w->catalog, str_of(text), DEFINITION_YAML, &entry, &e);
    if (r < 0)
        CHECK_TEXT(e.text, "");
}

/* "ID DUE", sorted, of all jobs that a schedule started, a line each. */
static int compare_texts(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static char *joined(char **lines, size_t count)
{
    struct buf out = BUF_INIT(4 << 20);
    if (count)
        qsort(lines, count, sizeof(*lines), compare_texts);
    for (size_t i = 0; i < count; i++) {
        buf_printf(&out, "%s\n", lines[i]);
        free(lines[i]);
    }
    return buf_take(&out);
}

static char *world_jobs(struct world *w)
{
    struct err e;
    AUTO_ARENA a = ARENA_INIT;
    AUTO_READER *r = NULL;
    struct job_row **rows;
    size_t count;
    int64_t total;
    struct job_query q = {.limit = -1};
    static char *lines[RUNS_MAX];
    CHECK(store_read_begin(w->base.store, &r, &e) >= 0);
    CHECK(store_list_jobs(r, &q, &a, &rows, &count, &total, &e) >= 0);
    CHECK(count < RUNS_MAX);
    for (size_t i = 0; i < count; i++)
        lines[i] = mem_printf("%s %s", rows[i]->definition_id,
                              rows[i]->started_by + strlen("schedule, due "));
    return joined(lines, count);
}

/* ---- a day of two hundred ---- */

/* Every `hours` at `minute`, UTC; the schedule's policies. Simple enough to be calculated here
 * in another way than there. */
struct plan {
    char id[16];
    int minute, hours;
    enum missed_policy missed;
    enum overlap_policy overlap;
};

static const char *const missed_words[] = {"skip", "run-once", "run-all"};
static const char *const overlap_words[] = {"skip", "queue", "replace", "allow"};

static bool plan_is_due(const struct plan *p, int minute_of_day)
{
    return minute_of_day % 60 == p->minute && minute_of_day / 60 % p->hours == 0;
}

struct day {
    char *expected[RUNS_MAX];
    size_t count;
    bool busy[SCHEDULES];  /* a job that has not ended */
    int queued[SCHEDULES]; /* minute of the day, or -1 */
};

static void expect(struct day *day, const struct plan *p, int minute)
{
    day->expected[day->count++] =
        mem_printf("%s 2030-03-18T%02d:%02d:00Z", p->id, minute / 60, minute % 60);
}

static void expect_start(struct day *day, const struct plan *p, int i, int minute)
{
    if (!day->busy[i] || p->overlap == OVERLAP_ALLOW)
        expect(day, p, minute);
    else if (p->overlap != OVERLAP_SKIP)
        day->queued[i] = minute;
    day->busy[i] = true;
}

/* From minute `from` to `to` nobody looked; those older than a minute are missed. */
static void expect_look(struct day *day, const struct plan *p, int i, int from, int to)
{
    int last_missed = -1;
    bool on_time = to > 0 && (plan_is_due(p, to) || (from < to && plan_is_due(p, to - 1)));
    for (int m = from; m < to - 1; m++) {
        if (!plan_is_due(p, m))
            continue;
        last_missed = m;
        if (p->missed == MISSED_RUN_ALL)
            expect(day, p, m), day->busy[i] = true;
    }
    if (last_missed >= 0 && p->missed == MISSED_RUN_ONCE && !on_time)
        expect_start(day, p, i, last_missed);
    for (int m = MAX(from, to - 1); m <= to; m++)
        if (plan_is_due(p, m))
            expect_start(day, p, i, m);
}

static void expect_settled(struct day *day, const struct plan *plans)
{
    for (int i = 0; i < SCHEDULES; i++) {
        if (day->queued[i] >= 0)
            expect(day, &plans[i], day->queued[i]);
        day->queued[i] = -1;
        day->busy[i] = false;
    }
}

TEST(two_hundred_schedules_start_for_a_day_exactly_as_their_policies_say)
{
    static struct plan plans[SCHEDULES];
    static struct day day;
    struct world w;
    world_begin(&w);
    for (int i = 0; i < SCHEDULES; i++) {
        struct plan *p = &plans[i];
        *p = (struct plan){.minute = i * 7 % 60, .hours = (int[]){1, 2, 3, 4, 6}[i % 5]};
        p->missed = (enum missed_policy)((i / 5 + i / 60) % 3);
        p->overlap = (enum overlap_policy)(i / 15 % 4);
        snprintf(p->id, sizeof(p->id), "s%03d", i);
        AUTO_FREE char *text =
            mem_printf("{ cron: \"%d */%d * * *\", missed: %s, overlap: %s }", p->minute,
                       p->hours, missed_words[p->missed], overlap_words[p->overlap]);
        define(&w, p->id, text, false);
        day.queued[i] = -1;
    }
    schedules_run(w.schedules, US(BEGIN_S - 30)); /* from then on */
    for (int minute = 0, from = 0; minute < 24 * 60; minute++) {
        bool is_down = minute >= 10 * 60 && minute < 13 * 60 + 10;
        bool is_slow = minute >= 15 * 60 && minute < 19 * 60; /* jobs do not end */
        if (is_down)
            continue;
        for (int i = 0; i < SCHEDULES; i++)
            expect_look(&day, &plans[i], i, from, minute);
        from = minute + 1;
        schedules_run(w.schedules, US(BEGIN_S + minute * MINUTE));
        if (is_slow)
            continue;
        expect_settled(&day, plans);
        world_settle(&w);
    }
    AUTO_FREE char *got = world_jobs(&w), *want = joined(day.expected, day.count);
    CHECK(day.count > 1000);
    CHECK_TEXT(got, want);
    world_done(&w);
}

/* ---- one at a time ---- */

static void check_jobs(struct world *w, const char *want)
{
    AUTO_FREE char *got = world_jobs(w);
    CHECK_TEXT(got, want);
}

TEST(what_was_decided_is_known_after_a_restart)
{
    struct world w;
    world_begin(&w);
    define(&w, "a", "{ cron: \"0 * * * *\", missed: run-once }", false);
    schedules_run(w.schedules, US(BEGIN_S - 1));
    schedules_run(w.schedules, US(BEGIN_S));
    world_settle(&w);
    world_end_server(&w);
    world_begin_server(&w);
    schedules_run(w.schedules, US(BEGIN_S + 10 * MINUTE)); /* not once more */
    world_settle(&w);
    check_jobs(&w, "a 2030-03-18T00:00:00Z\n");
    world_end_server(&w);
    world_begin_server(&w);
    schedules_run(w.schedules, US(BEGIN_S + 3 * HOUR + 10 * MINUTE));
    world_settle(&w);
    check_jobs(&w, "a 2030-03-18T00:00:00Z\na 2030-03-18T03:00:00Z\n");
    CHECK_TEXT(w.last_told,
               "schedule_missed a: 3 times passed while nobody looked, the last one "
               "at 2030-03-18T03:00:00Z");
    world_done(&w);
}

TEST(a_schedule_that_was_changed_begins_anew)
{
    struct world w;
    world_begin(&w);
    define(&w, "a", "{ cron: \"0 * * * *\", missed: run-all }", false);
    schedules_run(w.schedules, US(BEGIN_S - 1));
    define(&w, "a", "{ cron: \"30 * * * *\", missed: run-all }", true);
    schedules_run(w.schedules, US(BEGIN_S + 2 * HOUR));
    schedules_run(w.schedules, US(BEGIN_S + 2 * HOUR + 30 * MINUTE));
    world_settle(&w);
    check_jobs(&w, "a 2030-03-18T02:30:00Z\n");
    world_done(&w);
}

TEST(of_very_many_missed_times_the_newest_hundred_run_and_no_more_are_looked_at)
{
    struct world w;
    world_begin(&w);
    define(&w, "a", "{ cron: \"* * * * *\", missed: run-all, overlap: allow }", false);
    schedules_run(w.schedules, US(BEGIN_S - 1));
    schedules_run(w.schedules, US(BEGIN_S + 500 * HOUR));
    world_settle(&w);
    AUTO_FREE char *got = world_jobs(&w);
    size_t lines = 0;
    for (const char *c = got; *c; c++)
        lines += *c == '\n';
    CHECK_INT(lines, 100);
    CHECK_HAS(w.last_told, "at least 1000 times passed");
    CHECK_HAS(got, "a 2030-04-07T20:00:00Z\n"); /* the one that is on time is among them */
    world_done(&w);
}

TEST(a_job_that_is_in_the_way_is_told_of_once)
{
    struct world w;
    world_begin(&w);
    define(&w, "a", "\"* * * * *\"", false);
    schedules_run(w.schedules, US(BEGIN_S - 1));
    for (int i = 0; i < 5; i++) /* the first one begins, and does not end */
        schedules_run(w.schedules, US(BEGIN_S + i * MINUTE));
    CHECK_INT(w.told, 1);
    CHECK_HAS(w.last_told,
              "schedule_skipped a: no job for 2030-03-18T00:01:00Z, nor for those");
    world_settle(&w);
    for (int i = 5; i < 8; i++)
        schedules_run(w.schedules, US(BEGIN_S + i * MINUTE));
    CHECK_INT(w.told, 2);
    world_settle(&w);
    world_done(&w);
}

TEST(a_clock_that_is_set_back_starts_nothing_twice)
{
    struct world w;
    world_begin(&w);
    define(&w, "a", "0 * * * *", false);
    schedules_run(w.schedules, US(BEGIN_S - 1));
    schedules_run(w.schedules, US(BEGIN_S + 5));
    world_settle(&w);
    schedules_run(w.schedules, US(BEGIN_S - 600));
    schedules_run(w.schedules, US(BEGIN_S + 1));
    world_settle(&w);
    check_jobs(&w, "a 2030-03-18T00:00:00Z\n");
    world_done(&w);
}

TEST(a_definition_without_a_schedule_cannot_be_paused)
{
    struct world w;
    struct err e;
    struct catalog_entry *entry;
    world_begin(&w);
    CHECK(
        catalog_add(w.catalog,
                    STR("id: b\nname: B\nsteps:\n- { name: s, type: shell, config: { command: "
                        "ls } }\n"),
                    DEFINITION_YAML, &entry, &e) >= 0);
    CHECK_INT(schedules_pause(w.schedules, entry->definition, true, &e), E_STATE);
    CHECK_TEXT(e.text, "definition 'b' has no schedule");
    world_done(&w);
}
