/* The happy path: the timer rings when the earliest time is due -> schedules_run() looks at
 * each definition -> its times since the last decision are gathered -> each is started, or not,
 * as the policies say -> the decision is put into the batch -> the timer is set to the next
 * time. */
#include "engine/schedules.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/fault.h"
#include "base/map.h"
#include "base/mem.h"
#include "engine/job.h"
#include "job/schedule.h"

enum {
    LATE_US = 60 * 1000000, /* a time that is older was missed */
    LOOK_MS = 30000,        /* at least so often, for a clock that is set */
    MISSED_MAX = 1000,      /* so many are counted */
    RUN_ALL_MAX = 100,      /* so many of them are started, the newest */
    TEXT_MAX = 300,
};

#define OFF "off" /* the key of no schedule, or one of a definition that is disabled */

/* What is known of one definition's schedule. */
struct timed {
    struct list link;
    char *definition_id;
    char key[SCHEDULE_KEY_MAX];
    int64_t decided_us, queued_us;
    int64_t next_us; /* after decided_us; 0: to be calculated */
    bool paused;
    bool held_up; /* it was told that a job is in the way; once is enough until one begins */
};

struct schedules {
    struct engine *engine;
    struct catalog *catalog;
    struct writer *writer;
    schedules_told *told;
    void *arg;
    struct list all; /* struct timed.link */
    struct map by_id;
    struct deadline deadline;
};

static void on_deadline(struct deadline *d)
{
    schedules_run(container_of(d, struct schedules, deadline), clock_wall_us());
}

static void look_soon(struct schedules *s)
{
    deadline_set(&s->engine->deadlines, &s->deadline, 0, on_deadline);
}

/* Jobs have ended: does a time wait for that? */
static void on_ended(void *arg)
{
    struct schedules *s = arg;
    LIST_EACH (&s->all, struct timed, link, t) {
        if (!t->queued_us)
            continue;
        look_soon(s);
        return;
    }
}

struct schedules *schedules_new(struct engine *g, struct catalog *catalog,
                                struct writer *writer, schedules_told *told, void *arg)
{
    struct schedules *s = mem_alloc(sizeof(*s));
    *s = (struct schedules){
        .engine = g, .catalog = catalog, .writer = writer, .told = told, .arg = arg};
    list_init(&s->all);
    g->ended = on_ended;
    g->ended_arg = s;
    return s;
}

static void timed_free(struct schedules *s, struct timed *t)
{
    (void)map_remove(&s->by_id, str_of(t->definition_id));
    list_remove(&t->link);
    free(t->definition_id);
    free(t);
}

void schedules_free(struct schedules *s)
{
    if (!s)
        return;
    LIST_EACH (&s->all, struct timed, link, t)
        timed_free(s, t);
    map_done(&s->by_id);
    deadline_clear(&s->engine->deadlines, &s->deadline);
    s->engine->ended = NULL;
    free(s);
}

static struct timed *timed_find(const struct schedules *s, const char *definition_id)
{
    return map_get(&s->by_id, str_of(definition_id));
}

static struct timed *timed_new(struct schedules *s, const char *definition_id)
{
    struct timed *t = mem_alloc(sizeof(*t));
    t->definition_id = mem_strdup(definition_id);
    list_add(&s->all, &t->link);
    (void)map_set(&s->by_id, str_of(definition_id), t);
    return t;
}

static void timed_store(struct schedules *s, const struct timed *t)
{
    struct schedule_row row = {.definition_id = t->definition_id,
                               .key = t->key,
                               .decided_at_us = t->decided_us,
                               .queued_at_us = t->queued_us,
                               .paused = t->paused};
    batch_put_schedule(writer_batch(s->writer), &row);
}

int schedules_load(struct schedules *s, struct store_reader *r, struct err *e)
{
    AUTO_ARENA a = ARENA_INIT;
    struct schedule_row **rows;
    size_t count;
    int code = store_list_schedules(r, &a, &rows, &count, e);
    for (size_t i = 0; code >= 0 && i < count; i++) {
        struct timed *t = timed_new(s, rows[i]->definition_id);
        text_copy(t->key, sizeof(t->key), rows[i]->key);
        t->decided_us = rows[i]->decided_at_us;
        t->queued_us = rows[i]->queued_at_us;
        t->paused = rows[i]->paused;
    }
    look_soon(s);
    return code;
}

/* ---- starting ---- */

static void PRINTF(5, 6) tell(struct schedules *s, enum event_level level, const char *event,
                              const char *definition_id, const char *fmt, ...)
{
    char text[TEXT_MAX];
    va_list ap;
    va_start(ap, fmt);
    (void)vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    s->told(s->arg, level, event, definition_id, text);
}

static char *time_text(int64_t at_us, char to[CLOCK_TEXT_LEN + 1])
{
    clock_format(at_us, to);
    memcpy(to + strlen("2026-11-23T10:15:02"), "Z", 2); /* whole seconds */
    return to;
}
#define TIME_TEXT(at_us) time_text((at_us), (char[CLOCK_TEXT_LEN + 1]){0})

static void begin(struct schedules *s, const struct definition *d, struct timed *t,
                  int64_t at_us)
{
    char by[64];
    struct id job_id;
    struct err e;
    (void)snprintf(by, sizeof(by), "schedule, due %s", TIME_TEXT(at_us));
    t->queued_us = 0;
    t->held_up = false;
    int r = FAULT(ENGINE_SCHEDULE_DECIDED)
                ? fault_fail(&e)
                : engine_execute(s->engine, d, &(struct start){.by = by}, &job_id, &e);
    if (r < 0)
        tell(s, LEVEL_ERROR, "schedule_failed", d->id, "no job for %s: %s", TIME_TEXT(at_us),
             e.text);
}

/* One time that is due, whatever runs. */
static void start(struct schedules *s, const struct definition *d, struct timed *t,
                  int64_t at_us)
{
    enum overlap_policy overlap = d->schedule->overlap;
    if (overlap == OVERLAP_ALLOW || !engine_runs_any_of(s->engine, d->id)) {
        begin(s, d, t, at_us);
        return;
    }
    if (overlap == OVERLAP_REPLACE)
        engine_cancel_all_of(s->engine, d->id, "its schedule: the next one is due");
    if (overlap != OVERLAP_SKIP)
        t->queued_us = at_us;
    if (t->held_up)
        return;
    t->held_up = true;
    if (overlap == OVERLAP_SKIP)
        tell(s, LEVEL_WARN, "schedule_skipped", d->id,
             "no job for %s, nor for those after it while the one before it still runs",
             TIME_TEXT(at_us));
    else
        tell(s, LEVEL_INFO, "schedule_queued", d->id,
             "the job for %s waits until the one before it has ended", TIME_TEXT(at_us));
}

/* ---- what is due ---- */

static void decide(struct timed *t, int64_t until_us)
{
    t->decided_us = until_us;
    t->next_us = 0;
}

static int64_t timed_next(struct timed *t, const struct definition *d)
{
    if (!t->next_us)
        t->next_us = schedule_next(d->schedule, t->decided_us);
    return t->next_us;
}

/* The times in (decided, now], of which the newest are kept. */
struct due {
    int64_t times_us[RUN_ALL_MAX]; /* a ring */
    int count, missed;
};

static int64_t due_at(const struct due *due, int i)
{
    return due->times_us[i % RUN_ALL_MAX];
}

static void due_gather(struct due *due, const struct schedule *schedule, int64_t from_us,
                       int64_t now_us)
{
    for (int64_t at = schedule_next(schedule, from_us); at <= now_us;) {
        due->times_us[due->count++ % RUN_ALL_MAX] = at;
        due->missed += at < now_us - LATE_US;
        if (due->count == MISSED_MAX) /* of more, only those are looked at that are not late */
            at = MAX(at, now_us - LATE_US);
        at = schedule_next(schedule, at);
    }
}

static void run_missed(struct schedules *s, const struct definition *d, struct timed *t,
                       const struct due *due)
{
    enum missed_policy policy = d->schedule->missed;
    int64_t last_us = due_at(due, due->missed - 1);
    bool is_one = due->missed == 1;
    tell(s, LEVEL_WARN, "schedule_missed", d->id,
         "%s%d time%s passed while nobody looked, %s %s",
         due->missed >= MISSED_MAX ? "at least " : "", due->missed, is_one ? "" : "s",
         is_one ? "at" : "the last one at", TIME_TEXT(last_us));
    if (policy == MISSED_RUN_ONCE && due->missed == due->count)
        start(s, d, t, last_us);
    for (int i = MAX(0, due->count - RUN_ALL_MAX); policy == MISSED_RUN_ALL && i < due->missed;
         i++)
        begin(s, d, t, due_at(due, i));
}

static void run_due(struct schedules *s, const struct definition *d, struct timed *t,
                    int64_t now_us)
{
    struct due due = {0};
    if (t->queued_us && !engine_runs_any_of(s->engine, d->id)) {
        begin(s, d, t, t->queued_us);
        timed_store(s, t);
    }
    if (timed_next(t, d) > now_us)
        return;
    due_gather(&due, d->schedule, t->decided_us, now_us);
    decide(t, due_at(&due, due.count - 1));
    if (due.missed)
        run_missed(s, d, t, &due);
    for (int i = MAX(due.missed, due.count - RUN_ALL_MAX); i < due.count; i++)
        start(s, d, t, due_at(&due, i));
    timed_store(s, t);
}

/* A schedule that is not the one that was decided about begins now. */
static struct timed *timed_follow(struct schedules *s, const struct definition *d,
                                  int64_t now_us)
{
    struct timed *t = timed_find(s, d->id);
    char key[SCHEDULE_KEY_MAX] = OFF;
    if (d->schedule && d->enabled)
        schedule_key(d->schedule, key);
    if (!t && !d->schedule)
        return NULL;
    if (!t)
        t = timed_new(s, d->id);
    if (strcmp(t->key, key) == 0)
        return t;
    text_copy(t->key, sizeof(t->key), key);
    decide(t, now_us);
    t->queued_us = 0;
    timed_store(s, t);
    return t;
}

void schedules_run(struct schedules *s, int64_t now_us)
{
    int64_t next_us = INT64_MAX;
    if (s->engine->stopping)
        return;
    for (size_t i = 0; i < catalog_count(s->catalog); i++) {
        const struct definition *d = catalog_at(s->catalog, i)->definition;
        struct timed *t = timed_follow(s, d, now_us);
        if (!t || t->paused || !d->schedule || !d->enabled)
            continue;
        run_due(s, d, t, now_us);
        next_us = MIN(next_us, timed_next(t, d));
    }
    int64_t left_ms = MAX(next_us - now_us, 0) / 1000 + 1;
    if (next_us != INT64_MAX)
        deadline_set(&s->engine->deadlines, &s->deadline, MIN(left_ms, LOOK_MS), on_deadline);
}

void schedules_changed(struct schedules *s)
{
    schedules_run(s, clock_wall_us());
}

void schedules_forget(struct schedules *s, const char *definition_id)
{
    struct timed *t = timed_find(s, definition_id);
    if (t)
        timed_free(s, t);
}

int schedules_pause(struct schedules *s, const struct definition *d, bool paused, struct err *e)
{
    struct timed *t = timed_find(s, d->id);
    if (!d->schedule || !t)
        return fail(e, E_STATE, "definition '%s' has no schedule", d->id);
    if (t->paused == paused)
        return 0;
    t->paused = paused;
    t->queued_us = 0;
    decide(t, clock_wall_us()); /* what passed meanwhile is nobody's */
    timed_store(s, t);
    schedules_changed(s);
    return 0;
}

struct schedule_state schedules_state(const struct schedules *s, const char *definition_id)
{
    const struct timed *t = timed_find(s, definition_id);
    return t ? (struct schedule_state){t->paused, t->queued_us} : (struct schedule_state){0};
}
