/* What the fields of a schedule mean, and what clocks that are set do to it. Ten years of three
 * zones are compared with another implementation in tests/api/schedule.test.mjs. */
#include "base/clock.h"
#include "job/cron.h"
#include "test.h"

static struct cron cron_of(const char *text)
{
    struct cron c;
    struct err e = {0};
    if (cron_parse(str_of(text), &c, &e) < 0)
        CHECK_TEXT(e.text, "");
    return c;
}

/* The next `count` times, "MM-DD HH:MM" in UTC, a comma between. */
static char *times(const char *cron, const char *zone_name, const char *from, int count)
{
    static char out[512];
    struct cron c = cron_of(cron);
    struct zone *z;
    struct err e;
    int64_t at_us = 0;
    out[0] = 0;
    CHECK(zone_open(zone_name, &z, &e) >= 0);
    CHECK(clock_parse(str_of(from), &at_us));
    for (int64_t at_s = at_us / 1000000; count > 0; count--) {
        char utc[CLOCK_TEXT_LEN + 1];
        at_s = cron_next(&c, z, at_s);
        clock_format(at_s * 1000000, utc);
        size_t n = strlen(out);
        snprintf(out + n, sizeof(out) - n, "%s%.5s %.5s", n ? "," : "", utc + 5, utc + 11);
    }
    zone_close(z);
    return out;
}

TEST(a_schedule_is_due_at_the_next_minute_that_fits)
{
    CHECK_TEXT(times("*/20 * * * *", "UTC", "2026-11-27T10:20:00Z", 3),
               "11-27 10:40,11-27 11:00,11-27 11:20");
    CHECK_TEXT(times("*/20 * * * *", "UTC", "2026-11-27T10:19:59Z", 1), "11-27 10:20");
    CHECK_TEXT(times("5/25 8-12/2 * * *", "UTC", "2026-11-27T10:30:00Z", 3),
               "11-27 10:55,11-27 12:05,11-27 12:30");
    CHECK_TEXT(times("@monthly", "UTC", "2026-12-01T00:00:00Z", 2), "01-01 00:00,02-01 00:00");
    CHECK_TEXT(times("0 0 31 * *", "UTC", "2026-11-27T00:00:00Z", 3),
               "12-31 00:00,01-31 00:00,03-31 00:00");
}

TEST(no_first_of_a_month_is_passed_over_on_the_way_to_it)
{
    for (int day = 1; day <= 28; day++) {
        char from[40];
        snprintf(from, sizeof(from), "2027-02-%02dT12:00:00Z", day);
        CHECK_TEXT(times("0 0 1 3 *", "UTC", from, 2), "03-01 00:00,03-01 00:00");
        CHECK_TEXT(times("0 0 1 mar,may *", "UTC", from, 2), "03-01 00:00,05-01 00:00");
    }
}

TEST(names_of_months_and_days_are_taken_and_7_is_sunday)
{
    CHECK_TEXT(times("0 9 * jan,MAR sat-7", "UTC", "2026-11-27T00:00:00Z", 3),
               "01-02 09:00,01-03 09:00,01-09 09:00");
}

TEST(of_two_days_either_is_enough_unless_there_is_a_star)
{
    CHECK_TEXT(times("0 0 13 * fri", "UTC", "2026-11-27T00:00:00Z", 3),
               "12-04 00:00,12-11 00:00,12-13 00:00");
    CHECK_TEXT(times("0 0 */2 * fri", "UTC", "2026-11-27T00:00:00Z", 2),
               "12-11 00:00,12-25 00:00");
}

TEST(the_29th_of_february_comes_also_over_eight_years_or_forty)
{
    struct cron c = cron_of("0 0 29 2 *");
    struct zone *z;
    struct err e;
    CHECK(zone_open("UTC", &z, &e) >= 0);
    CHECK_INT(cron_next(&c, z, INT64_C(3981398400)), INT64_C(4233686400)); /* 2096 to 2104 */
    c = cron_of("0 0 29 feb */6"); /* on a Sunday or a Saturday, both must hold */
    CHECK_INT(cron_next(&c, z, INT64_C(1835827200)), INT64_C(1961625600));
    zone_close(z);
}

TEST(a_time_that_clocks_are_set_forward_over_is_due_at_that_moment)
{
    CHECK_TEXT(times("30 2 * * *", "Europe/Berlin", "2027-03-27T12:00:00Z", 2),
               "03-28 01:00,03-29 00:30");
    CHECK_TEXT(times("0,30 2 * * *", "Europe/Berlin", "2027-03-27T12:00:00Z", 2),
               "03-28 01:00,03-29 00:00"); /* once, not twice */
}

TEST(a_time_that_comes_twice_is_due_at_the_first)
{
    CHECK_TEXT(times("30 2 * * *", "Europe/Berlin", "2027-10-30T12:00:00Z", 2),
               "10-31 00:30,11-01 01:30");
}

TEST(a_star_in_the_hours_goes_by_the_time_that_passes)
{
    CHECK_TEXT(times("30 * * * *", "Europe/Berlin", "2027-03-28T00:00:00Z", 3),
               "03-28 00:30,03-28 01:30,03-28 02:30");
    CHECK_TEXT(times("30 * * * *", "Europe/Berlin", "2027-10-31T00:00:00Z", 3),
               "10-31 00:30,10-31 01:30,10-31 02:30");
    CHECK_TEXT(times("0 */2 * * *", "Australia/Lord_Howe", "2027-04-03T12:00:00Z", 4),
               "04-03 13:00,04-03 15:30,04-03 17:30,04-03 19:30"); /* half an hour back */
}

/* At 00:01 of the 7th it is 23:01 of the 6th again. */
TEST(clocks_that_are_set_back_over_midnight_show_the_next_day_first)
{
    CHECK_TEXT(times("*/30 * * * *", "America/St_Johns", "2010-11-07T02:15:00Z", 3),
               "11-07 02:30,11-07 03:00,11-07 03:30");
}

TEST(what_is_wrong_in_a_schedule_is_named)
{
    static const struct {
        const char *text, *why;
    } wrong[] = {
        {"", "expected five fields"},
        {"* * * *", "expected five fields"},
        {"* * * * * *", "expected five fields"},
        {"@reboot", "expected five fields"},
        {"60 * * * *", "minute: expected 0 to 59"},
        {"* 24 * * *", "hour: expected 0 to 23"},
        {"* * 0 * *", "day of the month: expected 1 to 31"},
        {"* * * 13 *", "month: expected 1 to 12 or jan to dec"},
        {"* * * * 8", "day of the week: expected 0 to 7 or sun to sat"},
        {"5-1 * * * *", "minute: "},
        {"*/0 * * * *", "minute: "},
        {"1, * * * *", "minute: "},
        {"-1 * * * *", "minute: "},
        {"1-2-3 * * * *", "minute: "},
        {"0 0 30 2 *", "'0 0 30 2 *' is never due"},
        {"0 0 31 4,6,9,11 *", "is never due"},
    };
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
        struct cron c;
        struct err e;
        CHECK_INT(cron_parse(str_of(wrong[i].text), &c, &e), E_INVAL);
        CHECK_HAS(e.text, wrong[i].why);
    }
}

TEST(a_zone_that_is_none_is_refused)
{
    static const char *const wrong[] = {
        "",       "Europe/Berln", "+02:00", "../etc/passwd", "Europe/../Europe/Berlin",
        "europe", "Europe",       "UTC+5",  "ABC5"};
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
        struct zone *z;
        struct err e;
        CHECK_INT(zone_open(wrong[i], &z, &e), E_INVAL);
        CHECK_HAS(e.text, "there is no time zone");
    }
}

TEST(a_schedule_is_told_in_words)
{
    static const struct {
        const char *cron, *words;
    } all[] = {
        {"* * * * *", "every minute"},
        {"*/15 * * * *", "every 15 minutes"},
        {"30 2 * * *", "each day at 02:30"},
        {"0 9-17 * * mon-fri", "Monday to Friday at minute 0 in hour 9 to 17"},
        {"5 * * * *", "at minute 5 of every hour"},
        {"0 */3 * * *", "at minute 0 of every 3 hours"},
        {"0 0 1,15 * *", "day 1, 15 of the month at 00:00"},
        {"0 0 1 * mon", "Monday, and on day 1 of the month at 00:00"},
        {"@yearly", "day 1 of the month in January at 00:00"},
    };
    for (size_t i = 0; i < ARRAY_LEN(all); i++) {
        char words[CRON_WORDS_MAX];
        struct cron c = cron_of(all[i].cron);
        cron_words(&c, words);
        CHECK_TEXT(words, all[i].words);
    }
}
