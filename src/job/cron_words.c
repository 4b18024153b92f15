/* A schedule in words: first on which days, then at which times. Where there would be too many
 * numbers to read, the field itself is told. */
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/macro.h"
#include "job/cron.h"

enum { LIST_MAX = 6 }; /* more numbers than that nobody reads */

static const char *const days[] = {"Sunday",   "Monday", "Tuesday", "Wednesday",
                                   "Thursday", "Friday", "Saturday"};
static const char *const months[] = {"",        "January",  "February", "March",  "April",
                                     "May",     "June",     "July",     "August", "September",
                                     "October", "November", "December"};

static int count_of(uint64_t set)
{
    return __builtin_popcountll(set);
}

static int lowest_of(uint64_t set)
{
    return __builtin_ctzll(set);
}

/* The distance between members that go on evenly from 0 to `size`; 0: they do not. */
static int step_of_set(uint64_t set, int size)
{
    uint64_t rest = set & (set - 1), same = 0;
    if (!rest || !(set & 1))
        return 0;
    int step = lowest_of(rest);
    for (int i = 0; i < size; i += step)
        same |= UINT64_C(1) << i;
    return same == set ? step : 0;
}

/* The same when it is also as far from the last one to the next day's or hour's first. */
static int even_step_of_set(uint64_t set, int size)
{
    int step = step_of_set(set, size);
    return step && size % step == 0 ? step : 0;
}

static void add_value(struct buf *out, int value, const char *const *names)
{
    if (names)
        buf_add_c(out, names[value]);
    else
        buf_printf(out, "%d", value);
}

/* "1, 15", "Monday to Friday". */
static void add_set(struct buf *out, uint64_t set, const char *const *names)
{
    const char *between = "";
    while (set) {
        int first = lowest_of(set), last = first;
        while (set >> (last + 1) & 1)
            last++;
        if (last == first + 1) /* two are a list */
            last = first;
        buf_add_c(out, between);
        add_value(out, first, names);
        if (last > first) {
            buf_add_c(out, " to ");
            add_value(out, last, names);
        }
        set &= ~((UINT64_C(2) << last) - 1);
        between = ", ";
    }
}

static void add_days(struct buf *out, const struct cron *c)
{
    bool each_day = count_of(c->days) == 31, each_weekday = count_of(c->weekdays) == 7;
    if (!each_weekday)
        add_set(out, c->weekdays, days);
    if (!each_weekday && !each_day)
        buf_add_c(out, c->any_day || c->any_weekday ? " that is " : ", and on ");
    if (!each_day) {
        buf_add_c(out, "day ");
        add_set(out, c->days, NULL);
        buf_add_c(out, " of the month");
    }
    if (count_of(c->months) < 12) {
        buf_add_c(out, each_day && each_weekday ? "each day in " : " in ");
        add_set(out, c->months, months);
    } else if (each_day && each_weekday && !c->each_hour) {
        buf_add_c(out, "each day");
    }
}

static void add_clock_times(struct buf *out, const struct cron *c)
{
    const char *between = "at ";
    for (int hour = 0; hour < 24; hour++) {
        for (int minute = 0; c->hours >> hour & 1 && minute < 60; minute++) {
            if (!(c->minutes >> minute & 1))
                continue;
            buf_printf(out, "%s%02d:%02d", between, hour, minute);
            between = ", ";
        }
    }
}

/* "every 15 minutes", "at minute 5, 35" of each hour that is meant. */
static void add_minutes(struct buf *out, const struct cron *c)
{
    int step = even_step_of_set(c->minutes, 60);
    if (step == 1)
        buf_add_c(out, "every minute");
    else if (step)
        buf_printf(out, "every %d minutes", step);
    else {
        buf_add_c(out, "at minute ");
        add_set(out, c->minutes, NULL);
    }
}

static void add_times(struct buf *out, const struct cron *c)
{
    int step = even_step_of_set(c->hours, 24);
    if (count_of(c->hours) * count_of(c->minutes) <= LIST_MAX) {
        add_clock_times(out, c);
        return;
    }
    add_minutes(out, c);
    if (step == 1 && even_step_of_set(c->minutes, 60) == 0)
        buf_add_c(out, " of every hour");
    else if (step > 1)
        buf_printf(out, " of every %d hours", step);
    else if (step == 0) {
        buf_add_c(out, " in hour ");
        add_set(out, c->hours, NULL);
    }
}

void cron_words(const struct cron *c, char to[CRON_WORDS_MAX])
{
    AUTO_BUF out = BUF_INIT(CRON_WORDS_MAX * 2);
    add_days(&out, c);
    if (out.n)
        buf_add_c(&out, " ");
    add_times(&out, c);
    text_copy(to, CRON_WORDS_MAX, buf_text(&out));
}

const char *cron_remark(const struct cron *c)
{
    int minutes = step_of_set(c->minutes, 60), hours = step_of_set(c->hours, 24);
    if (!c->any_day && !c->any_weekday)
        return "it is due when either of its two days fits, not only when both do";
    if (minutes && 60 % minutes)
        return "its minutes begin anew with each hour, so the last wait of each is shorter";
    if (hours && 24 % hours)
        return "its hours begin anew with each day, so the last wait of each is shorter";
    return NULL;
}
