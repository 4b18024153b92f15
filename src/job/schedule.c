#include "job/schedule.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/macro.h"
#include "base/mem.h"

enum { ZONE_NAME_MAX = 64 };

static const char cron_expected[] = "five fields such as \"*/30 * * * *\"";

static const char *const missed_names[] = {"skip", "run-once", "run-all", NULL};
static const char *const overlap_names[] = {"skip", "queue", "replace", "allow", NULL};

void schedule_free(struct schedule *s)
{
    if (!s)
        return;
    free(s->text);
    free(s->timezone);
    zone_close(s->zone);
    free(s);
}

static void schedule_clear(struct schedule **s)
{
    schedule_free(*s);
}

static int cron_field_read(const struct node *n, struct schedule *s, struct err *e)
{
    struct err why;
    const char *text;
    if (n->kind != NODE_SCALAR)
        return node_fail_expected(n, cron_expected, e);
    int r = node_line(n, SCHEDULE_KEY_MAX - ZONE_NAME_MAX - 8, &text, e);
    if (r < 0)
        return r;
    if (cron_parse(str_of(text), &s->cron, &why) < 0)
        return node_fail(n, e, "%s", why.text);
    s->text = mem_strdup(text);
    return 0;
}

static int zone_read(const struct node *n, struct schedule *s, struct err *e)
{
    struct err why;
    const char *name = "UTC";
    int r = n ? node_line(n, ZONE_NAME_MAX, &name, e) : 0;
    if (r < 0)
        return r;
    if (zone_open(name, &s->zone, &why) < 0)
        return n ? node_fail(n, e, "expected a name such as Europe/Berlin, found '%s'", name)
                 : fail(e, E_IO, "%s: is the package tzdata installed?", why.text);
    s->timezone = mem_strdup(name);
    return 0;
}

int schedule_read(const struct node *n, struct schedule **ret_schedule, struct err *e)
{
    static const char *const keys[] = {"cron", "timezone", "missed", "overlap", NULL};
    AUTO(schedule_clear) struct schedule *s = mem_alloc(sizeof(*s));
    const struct node *cron = n, *missed = node_get(n, "missed"),
                      *overlap = node_get(n, "overlap");
    int r = 0, choice = 0;
    if (n->kind == NODE_MAP) {
        r = node_check_map(n, keys, e);
        if (r >= 0)
            r = node_need(n, "cron", cron_expected, &cron, e);
    }
    if (r >= 0)
        r = cron_field_read(cron, s, e);
    if (r >= 0)
        r = zone_read(node_get(n, "timezone"), s, e);
    if (r >= 0 && missed) {
        r = node_choice(missed, missed_names, &choice, e);
        s->missed = (enum missed_policy)choice;
    }
    if (r >= 0 && overlap) {
        r = node_choice(overlap, overlap_names, &choice, e);
        s->overlap = (enum overlap_policy)choice;
    }
    if (r >= 0)
        *ret_schedule = TAKE(s);
    return r;
}

int64_t schedule_next(const struct schedule *s, int64_t after_us)
{
    return cron_next(&s->cron, s->zone, after_us / 1000000) * 1000000;
}

void schedule_json(const struct schedule *s, struct json *j)
{
    json_begin_object(j);
    json_key_c(j, "cron", s->text);
    json_key_c(j, "timezone", s->timezone);
    json_key_c(j, "missed", missed_names[s->missed]);
    json_key_c(j, "overlap", overlap_names[s->overlap]);
    json_end_object(j);
}

void schedule_words(const struct schedule *s, char to[SCHEDULE_WORDS_MAX])
{
    char words[CRON_WORDS_MAX];
    cron_words(&s->cron, words);
    (void)snprintf(to, SCHEDULE_WORDS_MAX, "%s, %s", words, s->timezone);
}

void schedule_key(const struct schedule *s, char to[SCHEDULE_KEY_MAX])
{
    (void)snprintf(to, SCHEDULE_KEY_MAX, "%s %s", s->text, s->timezone);
}
