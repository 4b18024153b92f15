/* Search: the lines of one step that match, as their numbers.
 *
 * Every line is read and looked at, in batches; so the count is exact, whatever the log holds.
 * A request that has worked for its share of time is answered with what it has, how far it came
 * and where to go on: a long log keeps no thread of the pool for long, and its first hits are
 * shown before the last line was looked at. */
#include <stdlib.h>

#include "base/clock.h"
#include "base/limits.h"
#include "base/mem.h"
#include "base/pattern.h"
#include "feed/encode.h"
#include "server/logs.h"
#include "server/request.h"

enum { BATCH_LINES = 16384, CLOCK_LINES = 64, TEXT_MAX = 1000 };

struct search {
    struct log_place place;
    struct str text; /* p NULL: every line of the level matches */
    struct pattern_options options;
    enum event_level level;
    bool descending, texts;
    size_t limit;
    int64_t after, before; /* 0: no bound */

    struct pattern *pattern;
    uint64_t *lines; /* the first `limit` that match */
    size_t line_count, line_cap;
    struct event_batch logs; /* the same with their texts, when asked for */
    int64_t count;           /* all that match */
    uint64_t from, to;       /* lowest and highest number looked at; 0: none */
    bool complete;
    int64_t until_us;
};

static void search_done(struct search *s)
{
    pattern_free(s->pattern);
    free(s->lines);
    event_batch_done(&s->logs);
}

/* ---- asking ---- */

static int parse_bounds(const struct request *r, struct search *s, struct err *e)
{
    int64_t limit;
    int code = request_query_int(r, "limit", 0, s->texts ? LIMIT_PAGE_ROWS : LIMIT_SEARCH_LINES,
                                 LIMIT_PAGE_ROWS, &limit, e);
    if (code >= 0)
        code = request_query_int(r, "after", 0, INT64_MAX, 0, &s->after, e);
    if (code >= 0)
        code = request_query_int(r, "before", 1, INT64_MAX, INT64_MAX, &s->before, e);
    s->limit = (size_t)limit;
    return code;
}

static int parse_text(const struct request *r, struct search *s, struct err *e)
{
    s->text = request_query(r, "q");
    s->place.step = request_query(r, "step");
    if (s->text.p && (!s->text.n || s->text.n > TEXT_MAX))
        return fail_field(e, E_INVAL, "q", "q is what to look for, 1 to %d bytes", TEXT_MAX);
    if (!s->place.step.p)
        return fail_field(e, E_INVAL, "step",
                          "step names the step to search, by its name or id; empty: the job's "
                          "own lines");
    return 0;
}

static int search_parse(struct request *r, struct search *s, struct err *e)
{
    static const char *const orders[] = {"asc", "desc", NULL};
    int order = 0;
    int code = request_id(r, "job", &s->place.id, e);
    if (code >= 0)
        code = parse_text(r, s, e);
    if (code >= 0)
        code = request_query_bool(r, "regex", false, &s->options.regex, e);
    if (code >= 0)
        code = request_query_bool(r, "case", false, &s->options.exact, e);
    if (code >= 0)
        code = request_query_bool(r, "texts", false, &s->texts, e);
    if (code >= 0)
        code = logs_query_level(r, &s->level, e);
    if (code >= 0)
        code = request_query_choice(r, "order", orders, &order, e);
    if (code >= 0)
        code = parse_bounds(r, s, e);
    s->descending = order == 1;
    return code;
}

/* ---- looking ---- */

/* Its time is up; one batch of CLOCK_LINES is always looked at, so that asking again gets on.
 */
static bool is_late(const struct search *s)
{
    return s->to && clock_mono_us() >= s->until_us;
}

static int look_at(struct search *s, const struct event_batch *lines, size_t i, struct err *e)
{
    const struct event *line = &lines->events[i];
    int r = s->pattern ? pattern_match(s->pattern, event_message(lines, line), e) : 1;
    if (r <= 0)
        return r;
    s->count++;
    if (s->line_count >= s->limit)
        return 0;
    MEM_GROW(s->lines, s->line_count, s->line_cap);
    s->lines[s->line_count++] = line->line;
    if (s->texts)
        event_batch_copy(&s->logs, lines, i);
    return 0;
}

/* Looks at the lines of a batch, in the order asked for, until the time is up. */
static int look_through(struct search *s, const struct event_batch *lines, struct err *e)
{
    int r = 0;
    size_t looked = 0;
    while (r >= 0 && looked < lines->count && (looked % CLOCK_LINES || !is_late(s))) {
        size_t i = s->descending ? lines->count - 1 - looked : looked;
        uint64_t number = lines->events[i].line;
        r = look_at(s, lines, i, e);
        s->from = s->from ? MIN(s->from, number) : number;
        s->to = MAX(s->to, number);
        *(s->descending ? &s->before : &s->after) = (int64_t)number;
        looked++;
    }
    s->complete = looked == lines->count && lines->count < BATCH_LINES;
    return r;
}

/* One batch, from where the last one ended. */
static int look_further(struct search *s, struct store_reader *reader, struct err *e)
{
    AUTO_EVENT_BATCH lines = EVENT_BATCH_INIT;
    struct line_query q = {.job_id = s->place.job_id,
                           .step_id = s->place.step_row->id,
                           .min_level = s->level,
                           .after = (uint64_t)s->after,
                           .before = (uint64_t)s->before,
                           .limit = BATCH_LINES,
                           .from_end = s->descending};
    int r = store_read_lines(reader, &q, &lines, e);
    return r < 0 ? r : look_through(s, &lines, e);
}

static int look(struct search *s, struct store_reader *reader, struct err *e)
{
    s->until_us = clock_mono_us() + LIMIT_SEARCH_MS * 1000;
    s->options.field = "q";
    int r = s->text.p ? pattern_new(s->text, s->options, &s->pattern, e) : 0;
    do {
        if (r >= 0)
            r = look_further(s, reader, e);
    } while (r >= 0 && !s->complete && !is_late(s));
    return r;
}

/* ---- answering ---- */

static void write_found(const struct search *s, struct json *j)
{
    json_key(j, "lines");
    json_begin_array(j);
    for (size_t i = 0; i < s->line_count; i++)
        json_int(j, (int64_t)s->lines[i]);
    json_end_array(j);
    if (!s->texts)
        return;
    json_key(j, "logs");
    json_begin_array(j);
    for (size_t i = 0; i < s->logs.count; i++)
        encode_line(j, &s->logs, &s->logs.events[i]);
    json_end_array(j);
}

/* What was looked at: to the very ends where it was complete, whatever the level left out. */
static void write_range(const struct search *s, uint64_t asked_after, uint64_t asked_before,
                        struct json *j)
{
    uint64_t total = s->place.step_row->lines;
    uint64_t low = asked_after + 1, high = MIN(asked_before - 1, total);
    if (!s->complete) {
        low = s->descending ? s->from : low;
        high = s->descending ? high : s->to;
    }
    bool none = low > high;
    json_key_int(j, "from", none ? 0 : (int64_t)low);
    json_key_int(j, "to", none ? 0 : (int64_t)high);
    json_key_bool(j, "complete", s->complete);
    json_key(j, "next");
    if (s->complete)
        json_write_null(j);
    else
        json_int(j, s->descending ? s->before : s->after);
    json_key_int(j, "total_logs", (int64_t)total);
}

static void write_search(struct request *r, const struct search *s, uint64_t after,
                         uint64_t before)
{
    const struct step_row *step = s->place.step_row;
    struct json *j = &r->j;
    json_begin_object(j);
    json_key_id(j, "job_id", s->place.job_id);
    json_key_id(j, "step_id", step->id);
    json_key_c(j, "step_name", step->name ? step->name : "");
    json_key_text(j, "q", s->text);
    json_key_bool(j, "regex", s->options.regex);
    json_key_bool(j, "case", s->options.exact);
    json_key_c(j, "level", event_level_name(s->level));
    json_key_c(j, "order", s->descending ? "desc" : "asc");
    json_key_int(j, "count", s->count);
    write_found(s, j);
    write_range(s, after, before, j);
    json_end_object(j);
}

static int read_search(struct request *r, struct store_reader *reader, struct err *e)
{
    struct search *s = r->arg;
    uint64_t after = (uint64_t)s->after, before = (uint64_t)s->before;
    int code = logs_find(r, reader, &s->place, e);
    if (code >= 0)
        code = look(s, reader, e);
    if (code >= 0)
        write_search(r, s, after, before);
    search_done(s);
    return code;
}

int handle_job_search(struct request *r, struct err *e)
{
    struct search *s = arena_alloc(&r->arena, sizeof(*s));
    s->logs = (struct event_batch)EVENT_BATCH_INIT;
    int code = search_parse(r, s, e);
    if (code < 0)
        return code;
    r->arg = s;
    request_read(r, read_search, NULL);
    return 0;
}
