/* cron.h: times that repeat, in the five fields of crontab(5).
 *
 *     minute 0-59 | hour 0-23 | day of the month 1-31 | month 1-12 or jan-dec |
 *     day of the week 0-7 or sun-sat, 0 and 7 are Sunday
 *
 * A field is a list of values and ranges, each with a step: "*", "5", "1-5", "0,30", "8-18/2",
 * or a star and a step. When both days are given, either of them is enough. "@hourly", "@daily"
 * ("@midnight"), "@weekly", "@monthly" and "@yearly" ("@annually") stand for the usual five.
 *
 * When clocks are set forward or back (as in cron(8) of Debian): a schedule with a star in its
 * hours goes by the time that passes, so it is due in each of the hours that come twice. Any
 * other is due once: at the first of two times, and where its time is passed over, at the
 * moment the clocks are set forward.
 *
 * Pure. Thread: any. */
#pragma once

#include "base/text.h"
#include "base/zone.h"

struct cron {
    uint64_t minutes; /* bit n: minute n */
    uint32_t hours, days, months, weekdays;
    bool any_day, any_weekday; /* there is a star */
    bool each_hour;            /* a star in the hours */
};

/* E_INVAL names the field and what was expected of it, also when it can never be due (30
 * February). */
CHECKED int cron_parse(struct str text, struct cron *ret_cron, struct err *e);

/* The first time after `after_s` at which it is due, both UTC. */
int64_t cron_next(const struct cron *c, const struct zone *z, int64_t after_s);

/* For people: "Monday to Friday at 09:30". */
enum { CRON_WORDS_MAX = 400 };
void cron_words(const struct cron *c, char to[CRON_WORDS_MAX]);

/* What the fields mean and many do not expect, a sentence; NULL: nothing. */
const char *cron_remark(const struct cron *c);
