#include "job/cron.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "base/macro.h"

enum {
    FIELDS = 5,
    HORIZON_DAYS = 41 * 366, /* 29 February on one day of the week may be forty years away */
};

static const char *const month_names[] = {"jan", "feb", "mar", "apr", "may", "jun", "jul",
                                          "aug", "sep", "oct", "nov", "dec", NULL};
static const char *const day_names[] = {"sun", "mon", "tue", "wed", "thu", "fri", "sat", NULL};

static const struct field {
    const char *name;
    int low, high;
    const char *const *names; /* of low, low + 1 ...; or NULL */
} fields[FIELDS] = {
    {"minute", 0, 59, NULL},
    {"hour", 0, 23, NULL},
    {"day of the month", 1, 31, NULL},
    {"month", 1, 12, month_names},
    {"day of the week", 0, 7, day_names},
};

static const struct {
    const char *name, *fields;
} shorthands[] = {{"@hourly", "0 * * * *"},   {"@daily", "0 0 * * *"},
                  {"@midnight", "0 0 * * *"}, {"@weekly", "0 0 * * 0"},
                  {"@monthly", "0 0 1 * *"},  {"@yearly", "0 0 1 1 *"},
                  {"@annually", "0 0 1 1 *"}};

/* ---- reading ---- */

static bool value_read(const struct field *f, struct str text, int64_t *ret_value)
{
    for (int i = 0; f->names && f->names[i]; i++) {
        if (text.n != strlen(f->names[i]) || strncasecmp(text.p, f->names[i], text.n) != 0)
            continue;
        *ret_value = f->low + i;
        return true;
    }
    return str_to_int(text, f->low, f->high, ret_value);
}

/* One of a list: a star, a value or a range, perhaps with a step. */
static bool item_read(const struct field *f, struct str item, uint64_t *set)
{
    struct str range = str_cut(&item, '/'), last = range;
    int64_t from = f->low, to = f->high, step = 1;
    bool has_step = item.p != NULL, is_star = str_eq_c(range, "*");
    if (has_step && !str_to_int(item, 1, f->high, &step))
        return false;
    if (!is_star) {
        struct str first = str_cut(&last, '-');
        if (!value_read(f, first, &from))
            return false;
        to = has_step ? f->high : from; /* "5/15": from 5 on */
        if (last.p && !value_read(f, last, &to))
            return false;
    }
    for (int64_t i = from; i <= to; i += step)
        *set |= UINT64_C(1) << i;
    return from <= to;
}

static int field_read(const struct field *f, struct str text, uint64_t *ret_set, bool *ret_star,
                      struct err *e)
{
    struct str rest = text;
    *ret_set = 0;
    *ret_star = text.n > 0 && text.p[0] == '*';
    while (rest.p) {
        struct str item = str_cut(&rest, ',');
        if (!item_read(f, item, ret_set))
            return fail(e, E_INVAL,
                        "%s: expected %d to %d%s, '*', ranges or lists, found '%.*s'", f->name,
                        f->low, f->high,
                        f->names == month_names ? " or jan to dec"
                        : f->names              ? " or sun to sat"
                                                : "",
                        STR_ARG(text));
    }
    return 0;
}

static int days_of(int month)
{
    return month == 2 ? 29 : month == 4 || month == 6 || month == 9 || month == 11 ? 30 : 31;
}

static bool is_ever_due(const struct cron *c)
{
    if (!c->any_weekday)
        return true;
    for (int month = 1; month <= 12; month++)
        if (c->months >> month & 1 && c->days & ((UINT64_C(2) << days_of(month)) - 2))
            return true;
    return false;
}

static int split(struct str text, struct str to[FIELDS], struct err *e)
{
    int count = 0;
    struct str rest = text;
    while (rest.p) {
        struct str part = str_cut(&rest, ' ');
        if (part.n > 0 && count++ < FIELDS)
            to[count - 1] = part;
    }
    if (count == FIELDS)
        return 0;
    return fail(e, E_INVAL,
                "expected five fields such as \"*/30 * * * *\", or @hourly, @daily, "
                "@weekly, @monthly, @yearly, found '%.*s'",
                STR_ARG(text));
}

int cron_parse(struct str text, struct cron *ret_cron, struct err *e)
{
    struct str parts[FIELDS];
    uint64_t sets[FIELDS];
    bool stars[FIELDS];
    for (size_t i = 0; i < ARRAY_LEN(shorthands); i++)
        if (str_eq_c(text, shorthands[i].name))
            text = str_of(shorthands[i].fields);
    int r = split(text, parts, e);
    for (int i = 0; i < FIELDS && r >= 0; i++)
        r = field_read(&fields[i], parts[i], &sets[i], &stars[i], e);
    if (r < 0)
        return r;
    *ret_cron = (struct cron){.minutes = sets[0],
                              .hours = (uint32_t)sets[1],
                              .days = (uint32_t)sets[2],
                              .months = (uint32_t)sets[3],
                              .weekdays = (uint32_t)((sets[4] | sets[4] >> 7) & 0x7f),
                              .any_day = stars[2],
                              .any_weekday = stars[4],
                              .each_hour = stars[1]};
    if (!is_ever_due(ret_cron))
        return fail(e, E_INVAL, "'%.*s' is never due: no such day is in these months",
                    STR_ARG(text));
    return 0;
}

/* ---- the next time ---- */

static struct tm date_of(int64_t day)
{
    struct tm date = {0};
    time_t at = day * DAY_S;
    (void)gmtime_r(&at, &date);
    return date;
}

static bool is_month(const struct cron *c, const struct tm *date)
{
    return c->months >> (date->tm_mon + 1) & 1;
}

/* A star and a step in a day leaves days out, and the other day then decides alone: both must
 * hold, as in crontab(5). */
static bool is_day(const struct cron *c, const struct tm *date)
{
    if (!is_month(c, date))
        return false;
    bool in_month = c->days >> date->tm_mday & 1, in_week = c->weekdays >> date->tm_wday & 1;
    return c->any_day || c->any_weekday ? in_month && in_week : in_month || in_week;
}

/* The earliest instant after `after_s` at which clocks show `local_s` as the schedule means it.
 */
static int64_t due_at(const struct cron *c, const struct zone *z, int64_t local_s,
                      int64_t after_s)
{
    int64_t at[2];
    int count = zone_instants(z, local_s, at);
    if (!c->each_hour)
        return at[0] > after_s ? at[0] : INT64_MAX;
    for (int i = 0; i < count; i++)
        if (at[i] > after_s)
            return at[i];
    return INT64_MAX;
}

/* The same of all times of a day; INT64_MAX: none. */
static int64_t day_next(const struct cron *c, const struct zone *z, int64_t day,
                        int64_t after_s)
{
    struct tm date = date_of(day);
    if (!is_day(c, &date))
        return INT64_MAX;
    int64_t begin = day * DAY_S, best = INT64_MAX;
    int64_t offset = zone_offset(z, begin - DAY_S);
    bool is_plain = offset == zone_offset(z, begin + 2 * DAY_S); /* clocks are not set */
    for (int hour = 0; hour < 24; hour++) {
        for (int minute = 0; c->hours >> hour & 1 && minute < 60; minute++) {
            if (!(c->minutes >> minute & 1))
                continue;
            int64_t local_s = begin + hour * 3600 + minute * 60;
            if (!is_plain)
                best = MIN(best, due_at(c, z, local_s, after_s));
            else if (local_s - offset > after_s)
                return local_s - offset;
        }
    }
    return best;
}

int64_t cron_next(const struct cron *c, const struct zone *z, int64_t after_s)
{
    int64_t day = (after_s + zone_offset(z, after_s)) / DAY_S - 1, last = day + HORIZON_DAYS;
    for (; day < last; day++) {
        struct tm date = date_of(day);
        if (!is_month(c, &date) && date.tm_mday < 28) { /* on to the end of the month */
            day += 27 - date.tm_mday;
            continue;
        }
        int64_t at = day_next(c, z, day, after_s);
        /* clocks that are set back over midnight may show the next day first */
        if (at != INT64_MAX)
            return MIN(at, day_next(c, z, day + 1, after_s));
    }
    return INT64_MAX; /* cron_parse() lets nothing through that comes here */
}
