/* Schedules on a clock of the test: simulated days of two hundred, against what the policies
 * say; and what a restart, a pause and a change do. */
#include <stdlib.h>

#include "base/clock.h"
#include "base/mem.h"
#include "engine/job.h"
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
    *w = (struct world){0};
    engine_world_store(&w->base);
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

static char *world_jobs_with(struct world *w, bool begun)
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
    for (size_t i = 0; i < count; i++) {
        char at[CLOCK_TEXT_LEN + 1];
        clock_format(rows[i]->created_at_us, at);
        lines[i] = mem_printf("%s %s%s%.8s", rows[i]->definition_id,
                              rows[i]->started_by + strlen("schedule, due "),
                              begun ? " at " : "", begun ? at + 11 : "");
    }
    return joined(lines, count);
}

static char *world_jobs(struct world *w)
{
    return world_jobs_with(w, false);
}

/* ---- a day of two hundred ----
 *
 * The clock is the test's: the engine, its schedules and timeouts run by themselves, a second
 * after the other. What has to begin, and when, is worked out beside it in another way: no cron
 * is parsed and no zone read, each minute is asked what the clocks of a place show.
 *
 * Jobs last as long as their timeout, some whole minutes and seven seconds, so that no job ends
 * in the moment in which another is due. */

enum { LATE_S = 60, ACTIVE_MAX = 400 };

/* A place, by how far its clocks are ahead of UTC, in minutes. */
struct place {
    const char *zone;
    int before, after; /* the change of this day */
};

struct day {
    const char *begin; /* UTC, whole hours */
    int change_s;      /* when clocks are changed, seconds from the beginning */
    struct place places[4];
    struct {
        int from_s, to_s;
    } downs[3];
};

/* A schedule as text, and as what the text means. */
struct plan {
    char id[16], cron[64];
    bool minutes[60], hours[24], weekdays[7], goes_by_time;
    const struct place *place;
    enum missed_policy missed;
    enum overlap_policy overlap;
    int lasts_s;
    /* how it stands */
    int ends_s[ACTIVE_MAX], active;
    int queued_s; /* -1: none */
    int decided_s;
};

struct model {
    const struct day *day;
    int64_t begin_us;
    struct plan plans[SCHEDULES];
    char *expected[RUNS_MAX];
    size_t count;
};

static const char *const missed_words[] = {"skip", "run-once", "run-all"};
static const char *const overlap_words[] = {"skip", "queue", "replace", "allow"};

static void some(bool *which, int from, int to, int step)
{
    for (int i = from; i <= to; i += step)
        which[i] = true;
}

static int throw(unsigned *dice, int sides)
{
    *dice = *dice * 1103515245 + 12345;
    return (int)((*dice >> 16) % (unsigned)sides);
}

static void plan_make(struct model *m, int i)
{
    static const char *const hours[] = {"*", "*/2", "*/3", "2", "9-17", "0,2,6,12,18"};
    static const char *const weekdays[] = {"*", "*", "*", "*", "sat", "0", "mon-fri"};
    struct plan *p = &m->plans[i];
    unsigned dice = (unsigned)i;
    int hour = throw(&dice, 6), weekday = throw(&dice, 7), minute = 5 * throw(&dice, 12);
    *p = (struct plan){
        .queued_s = -1, .decided_s = -1, .place = &m->day->places[throw(&dice, 4)]};
    p->missed = (enum missed_policy) throw(&dice, 3);
    p->overlap = (enum overlap_policy) throw(&dice, 4);
    p->lasts_s = (1 + throw(&dice, 150)) * MINUTE + 7;
    p->goes_by_time = hour < 3;
    snprintf(p->id, sizeof(p->id), "s%03d", i);
    if (i % 10 == 0)
        snprintf(p->cron, sizeof(p->cron), "*/20 %s * * %s", hours[hour], weekdays[weekday]);
    else
        snprintf(p->cron, sizeof(p->cron), "%d %s * * %s", minute, hours[hour],
                 weekdays[weekday]);
    some(p->minutes, i % 10 ? minute : 0, i % 10 ? minute : 59, 20);
    if (hour == 0 || hour == 4)
        some(p->hours, hour ? 9 : 0, hour ? 17 : 23, 1);
    else if (hour < 3)
        some(p->hours, 0, 23, hour + 1);
    else
        for (int h = 0; h < 24; h++)
            p->hours[h] = h == 2 || (hour == 5 && (h == 0 || h == 6 || h == 12 || h == 18));
    if (weekday < 4)
        some(p->weekdays, 0, 6, 1);
    else if (weekday == 6)
        some(p->weekdays, 1, 5, 1);
    else
        p->weekdays[weekday == 4 ? 6 : 0] = true;
}

/* Do the clocks show a time of the plan when they are `ahead` minutes ahead? */
static bool is_shown(const struct model *m, const struct plan *p, int at_s, int ahead)
{
    int64_t minute = (m->begin_us / 1000000 + at_s) / 60 + ahead;
    int64_t days = minute / (24 * 60); /* the first of 1970 was a Thursday */
    return p->minutes[minute % 60] && p->hours[minute / 60 % 24] && p->weekdays[(days + 4) % 7];
}

static bool is_due(const struct model *m, const struct plan *p, int at_s)
{
    const struct place *place = p->place;
    int change_s = m->day->change_s, jump_s = (place->after - place->before) * MINUTE;
    bool is_after = at_s >= change_s;
    if (at_s % MINUTE)
        return false;
    if (!p->goes_by_time && is_after && jump_s < 0 && at_s < change_s - jump_s)
        return false; /* it was shown before */
    if (is_shown(m, p, at_s, is_after ? place->after : place->before))
        return true;
    for (int s = 0; s < jump_s && at_s == change_s && !p->goes_by_time; s += MINUTE)
        if (is_shown(m, p, at_s + s, place->before)) /* passed over */
            return true;
    return false;
}

static void model_begin(struct model *m, struct plan *p, int due_s, int now_s)
{
    char due[CLOCK_TEXT_LEN + 1], now[CLOCK_TEXT_LEN + 1];
    clock_format(m->begin_us + US(due_s), due);
    clock_format(m->begin_us + US(now_s), now);
    m->expected[m->count++] = mem_printf("%s %.19sZ at %.8s", p->id, due, now + 11);
    CHECK(m->count < RUNS_MAX && p->active < ACTIVE_MAX);
    p->ends_s[p->active++] = now_s + p->lasts_s;
}

static void model_start(struct model *m, struct plan *p, int due_s, int now_s)
{
    if (!p->active || p->overlap == OVERLAP_ALLOW) {
        model_begin(m, p, due_s, now_s);
        p->queued_s = -1;
        return;
    }
    if (p->overlap == OVERLAP_REPLACE)
        for (int i = 0; i < p->active; i++)
            p->ends_s[i] = now_s;
    if (p->overlap != OVERLAP_SKIP)
        p->queued_s = due_s;
}

static void model_look(struct model *m, struct plan *p, int now_s)
{
    int last_missed = -1;
    bool on_time = false;
    for (int s = p->decided_s + 1; s <= now_s; s++) {
        if (!is_due(m, p, s))
            continue;
        if (now_s - s > LATE_S)
            last_missed = s;
        else
            on_time = true;
        if (now_s - s > LATE_S && p->missed == MISSED_RUN_ALL)
            model_begin(m, p, s, now_s), p->queued_s = -1;
    }
    if (last_missed >= 0 && !on_time && p->missed == MISSED_RUN_ONCE)
        model_start(m, p, last_missed, now_s);
    for (int s = MAX(p->decided_s + 1, now_s - LATE_S); s <= now_s; s++)
        if (is_due(m, p, s))
            model_start(m, p, s, now_s);
    p->decided_s = now_s;
}

static void model_end_jobs(struct model *m, struct plan *p, int now_s)
{
    int left = 0;
    for (int i = 0; i < p->active; i++)
        if (p->ends_s[i] > now_s)
            p->ends_s[left++] = p->ends_s[i];
    p->active = left;
    if (left || p->queued_s < 0)
        return;
    model_begin(m, p, p->queued_s, now_s);
    p->queued_s = -1;
}

static void model_second(struct model *m, int now_s)
{
    for (int i = 0; i < SCHEDULES; i++) {
        struct plan *p = &m->plans[i];
        model_look(m, p, now_s);
        model_end_jobs(m, p, now_s);
    }
}

static bool is_down(const struct day *day, int s)
{
    for (size_t i = 0; i < ARRAY_LEN(day->downs); i++)
        if (s >= day->downs[i].from_s && s < day->downs[i].to_s)
            return true;
    return false;
}

static void world_stop_server(struct world *w)
{
    engine_world_stop(&w->base);
    world_end_server(w);
}

static void world_restart_server(struct world *w)
{
    struct err e;
    world_begin_server(w);
    CHECK(engine_recover(w->base.engine, &e) >= 0);
}

static void day_define(struct world *w, const struct plan *p)
{
    struct err e = {0};
    struct catalog_entry *entry;
    AUTO_FREE char *text = mem_printf(
        "id: %s\nname: N\ntimeout: %ds\n"
        "schedule: { cron: \"%s\", timezone: %s, missed: %s, overlap: %s }\nsteps:\n"
        "  - { name: s, type: generator, config: { log_count: 1, log_delay_ms: 3600000 } }\n",
        p->id, p->lasts_s, p->cron, p->place->zone, missed_words[p->missed],
        overlap_words[p->overlap]);
    if (catalog_add(w->catalog, str_of(text), DEFINITION_YAML, &entry, &e) < 0)
        CHECK_TEXT(e.text, "");
}

static void day_run(const struct day *day)
{
    static struct model m;
    struct world w;
    bool down = false;
    m.day = day;
    CHECK(clock_parse(str_of(day->begin), &m.begin_us));
    clock_hold(m.begin_us - US(1)); /* everything is known a second before */
    world_begin(&w);
    for (int i = 0; i < SCHEDULES; i++) {
        plan_make(&m, i);
        day_define(&w, &m.plans[i]);
    }
    engine_world_turns(&w.base);
    clock_advance(US(1) + 1000); /* a timer is a millisecond late */
    for (int s = 0; s < DAY_S; s++, clock_advance(US(1))) {
        bool was_down = down;
        down = is_down(day, s);
        if (down && !was_down)
            world_stop_server(&w);
        if (down)
            continue;
        if (was_down)
            world_restart_server(&w);
        model_second(&m, s);
        if (deadlines_next_ms(&w.base.engine->deadlines) > clock_wall_us() / 1000)
            continue;
        deadlines_ring(&w.base.engine->deadlines);
        engine_world_turns(&w.base);
    }
    AUTO_FREE char *got = world_jobs_with(&w, true), *want = joined(m.expected, m.count);
    CHECK(m.count > 1000);
    CHECK_TEXT(got, want);
    world_stop_server(&w);
    store_close(w.base.store);
}

#define AT_S(h, m, s) ((h)*HOUR + (m)*MINUTE + (s))

TEST(two_hundred_schedules_start_for_a_day_exactly_as_their_policies_say)
{
    static const struct day spring = {
        .begin = "2030-03-30T12:00:00Z", /* a Saturday */
        .change_s = AT_S(13, 0, 0),
        .places = {{"UTC", 0, 0},
                   {"Europe/Berlin", 60, 120},
                   {"Asia/Kathmandu", 345, 345},
                   {"America/New_York", -240, -240}},
        .downs = {{AT_S(3, 4, 30), AT_S(4, 5, 30)},
                  {AT_S(12, 59, 40), AT_S(13, 0, 40)},
                  {AT_S(18, 0, 10), AT_S(20, 31, 20)}},
    };
    day_run(&spring);
}

TEST(two_hundred_schedules_do_so_on_the_day_on_which_an_hour_comes_twice)
{
    static const struct day autumn = {
        .begin = "2030-10-26T12:00:00Z",
        .change_s = AT_S(13, 0, 0),
        .places = {{"UTC", 0, 0},
                   {"Europe/Berlin", 120, 60},
                   {"Australia/Lord_Howe", 660, 660},
                   {"America/St_Johns", -150, -150}},
        .downs = {{AT_S(1, 0, 20), AT_S(5, 11, 25)},
                  {AT_S(12, 24, 50), AT_S(13, 30, 50)},
                  {AT_S(22, 0, 10), AT_S(22, 0, 50)}},
    };
    day_run(&autumn);
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
