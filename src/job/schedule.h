/* schedule.h: when a definition's jobs start by themselves, and what becomes of the times that
 * cannot be kept.
 *
 *     schedule: 0 3 * * *
 *     schedule: { cron: "30 9 * * mon-fri", timezone: Europe/Berlin, missed: run-once,
 *                 overlap: queue }
 *
 * Pure, but for the time zone database that is read once. Thread: one at a time. */
#pragma once

#include "base/json.h"
#include "job/cron.h"
#include "job/node.h"

/* What becomes of times that passed while the server was down. */
enum missed_policy { MISSED_SKIP, MISSED_RUN_ONCE, MISSED_RUN_ALL };

/* What becomes of a time when a job of the definition still runs. */
enum overlap_policy {
    OVERLAP_SKIP,
    OVERLAP_QUEUE,   /* one job starts when that one has ended, however many times passed */
    OVERLAP_REPLACE, /* that one is cancelled first */
    OVERLAP_ALLOW,
};

struct schedule {
    char *text; /* the fields as they were written */
    struct cron cron;
    char *timezone; /* "UTC" when none was written */
    struct zone *zone;
    enum missed_policy missed;
    enum overlap_policy overlap;
};

CHECKED int schedule_read(const struct node *n, struct schedule **ret_schedule, struct err *e);
void schedule_free(struct schedule *s); /* NULL is fine */

/* The first time after that one; microseconds, UTC. */
int64_t schedule_next(const struct schedule *s, int64_t after_us);

/* As it is written in a definition. */
void schedule_json(const struct schedule *s, struct json *j);

/* "each day at 03:00, Europe/Berlin". */
enum { SCHEDULE_WORDS_MAX = CRON_WORDS_MAX + 80 };
void schedule_words(const struct schedule *s, char to[SCHEDULE_WORDS_MAX]);

/* What tells one schedule from another, to be stored: fields and zone. */
enum { SCHEDULE_KEY_MAX = 200 };
void schedule_key(const struct schedule *s, char to[SCHEDULE_KEY_MAX]);
