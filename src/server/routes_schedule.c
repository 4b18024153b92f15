/* When a schedule would be due: what `tailrace schedule` tells without a server, for pages. */
#include "base/clock.h"
#include "job/cron.h"
#include "server/request.h"

enum { COUNT_DEFAULT = 10, COUNT_MAX = 100 }; /* of those that come once in decades, too */

struct preview {
    struct str cron;
    const char *timezone;
    int64_t from_us, count;
};

static int preview_read(struct request *r, struct preview *p, struct err *e)
{
    struct str zone_name = request_query(r, "timezone"), from = request_query(r, "from");
    *p = (struct preview){.cron = request_query(r, "cron"), .from_us = clock_wall_us()};
    p->timezone = zone_name.n ? arena_str(&r->arena, zone_name) : "UTC";
    if (!p->cron.n)
        return fail_field(e, E_INVAL, "cron",
                          "cron is missing: five fields such as 30 9 * * mon-fri");
    if (from.n && (!clock_parse(from, &p->from_us) || p->from_us < 0))
        return fail_field(e, E_INVAL, "from", "from is a time such as 2026-11-27T03:00:00Z");
    return request_query_int(r, "count", 1, COUNT_MAX, COUNT_DEFAULT, &p->count, e);
}

static void preview_write(struct json *j, const struct preview *p, const struct cron *cron,
                          const struct zone *zone)
{
    char words[CRON_WORDS_MAX];
    int64_t at_s = p->from_us / 1000000;
    cron_words(cron, words);
    json_begin_object(j);
    json_key_text(j, "cron", p->cron);
    json_key_c(j, "timezone", p->timezone);
    json_key_c(j, "words", words);
    json_key_c(j, "remark", cron_remark(cron) ? cron_remark(cron) : "");
    json_key_time(j, "from", p->from_us);
    json_key(j, "times");
    json_begin_array(j);
    for (int64_t i = 0; i < p->count; i++) {
        at_s = cron_next(cron, zone, at_s);
        json_time(j, at_s * 1000000);
    }
    json_end_array(j);
    json_end_object(j);
}

static int fail_as(const char *field, const struct err *why, struct err *e)
{
    return fail_field(e, E_INVAL, field, "%s: %s", field, why->text);
}

int handle_schedule(struct request *r, struct err *e)
{
    struct preview p;
    struct cron cron;
    struct zone *zone;
    struct err why;
    int code = preview_read(r, &p, e);
    if (code < 0)
        return code;
    if (cron_parse(p.cron, &cron, &why) < 0)
        return fail_as("cron", &why, e);
    if (zone_open(p.timezone, &zone, &why) < 0)
        return fail_as("timezone", &why, e);
    preview_write(&r->j, &p, &cron, zone);
    zone_close(zone);
    request_reply(r);
    return 0;
}
