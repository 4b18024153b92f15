/* tailrace schedule CRON: when it is due, without a server. */
#include <inttypes.h>
#include <stdio.h>
#include <time.h>

#include "base/clock.h"
#include "cli/arguments.h"
#include "cli/cli.h"
#include "cli/terminal.h"
#include "job/cron.h"

enum { COUNT_MAX = 1000000 };

/* "Fri 2026-11-27 03:00 +01:00", on the clocks of the zone. */
static void print_local(const struct zone *z, int64_t at_s)
{
    struct tm tm;
    char text[32];
    int64_t offset = zone_offset(z, at_s), minutes = (offset < 0 ? -offset : offset) / 60;
    time_t local = at_s + offset;
    (void)gmtime_r(&local, &tm);
    (void)strftime(text, sizeof(text), "%a %Y-%m-%d %H:%M", &tm);
    printf("%s %c%02" PRId64 ":%02" PRId64, text, offset < 0 ? '-' : '+', minutes / 60,
           minutes % 60);
}

static void print_times(const struct cron *c, const struct zone *z, int64_t from_s,
                        int64_t count, bool json)
{
    char utc[CLOCK_TEXT_LEN + 1];
    for (int64_t at_s = from_s; count > 0; count--) {
        at_s = cron_next(c, z, at_s);
        clock_format(at_s * 1000000, utc);
        if (json) {
            printf("\"%.19sZ\"\n", utc);
            continue;
        }
        print_local(z, at_s);
        printf("   %.10s %.5s UTC\n", utc, utc + 11);
    }
}

static int schedule_run(const struct arguments *a, struct err *e)
{
    struct cron cron;
    struct zone *zone;
    char words[CRON_WORDS_MAX];
    const char *from = arguments_text(a, "from"), *name = arguments_text(a, "timezone");
    int64_t count, from_us = clock_wall_us();
    bool json = arguments_have(a, "json");
    if (from && (!clock_parse(str_of(from), &from_us) || from_us < 0))
        return fail(e, E_INVAL,
                    "--from: expected a time such as 2026-11-27T03:00:00Z, found "
                    "'%s'",
                    from);
    int r = arguments_int(a, "count", 1, COUNT_MAX, &count, e);
    if (r >= 0)
        r = cron_parse(str_of(a->values[0]), &cron, e);
    if (r >= 0)
        r = zone_open(name, &zone, e);
    if (r < 0)
        return r;
    cron_words(&cron, words);
    if (!json)
        printf("%s, %s\n", words, name);
    if (!json && cron_remark(&cron))
        printf("mind: %s\n", cron_remark(&cron));
    print_times(&cron, zone, from_us / 1000000, count, json);
    zone_close(zone);
    return 0;
}

static const struct option schedule_options[] = {
    {.name = "timezone",
     .letter = 'z',
     .value = "NAME",
     .fallback = "UTC",
     .help = "whose clocks it goes by, such as Europe/Berlin"},
    {.name = "from", .value = "TIME", .help = "after this time (default now)"},
    {.name = "count", .letter = 'n', .value = "N", .fallback = "10", .help = "so many times"},
    {.name = "json", .help = "one JSON string a line, UTC"},
    {0},
};

const struct command schedule_command = {
    .name = "schedule",
    .arguments = "CRON",
    .summary = "tell when a schedule is due; needs no server",
    .help =
        "CRON is five fields in quotes (\"30 9 * * mon-fri\"), or @hourly, @daily, @weekly,\n"
        "@monthly, @yearly. A time that clocks are set forward over is due at that moment;\n"
        "one that comes twice is due at the first; with a star in the hours it goes by the\n"
        "time that passes.",
    .examples = "schedule \"30 9 * * mon-fri\" --timezone Europe/Berlin\n"
                "schedule @monthly --count 12 --from 2027-01-01T00:00:00Z",
    .options = schedule_options,
    .values_min = 1,
    .values_max = 1,
    .run = schedule_run,
};
