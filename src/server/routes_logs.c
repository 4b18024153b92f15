/* Lines: of one step by their numbers, or of a whole job in the order of the log, where a place
 * is a cursor. A page says where the next one begins. */
#include <stdio.h>
#include <string.h>

#include "base/limits.h"
#include "feed/encode.h"
#include "server/answer.h"
#include "server/lines.h"
#include "server/logs.h"
#include "server/request.h"

enum { EPOCH_MAX = 40 };

struct query {
    struct log_place place;
    enum event_level level;
    bool descending;
    size_t limit;
    struct str after, before; /* as written; p NULL: none */
};

/* The job itself as a step of its own: what the job monitor writes has numbers too. */
static int find_own_lines(struct request *r, struct store_reader *reader,
                          struct log_place *place, struct err *e)
{
    AUTO_EVENT_BATCH lines = EVENT_BATCH_INIT;
    struct line_query all = {.job_id = place->job_id, .limit = SIZE_MAX};
    int code = store_read_lines(reader, &all, &lines, e);
    place->step_row = arena_alloc(&r->arena, sizeof(*place->step_row));
    place->step_row->job_id = place->job_id;
    place->step_row->lines = lines.count;
    for (size_t i = 0; i < lines.count; i++)
        place->step_row->lines_by_level[lines.events[i].level]++;
    return code;
}

int logs_find(struct request *r, struct store_reader *reader, struct log_place *place,
              struct err *e)
{
    struct node_row found;
    struct step_row **steps;
    size_t count;
    int code = answer_find(reader, place->id, &r->arena, &found, e);
    if (code < 0)
        return code;
    if (found.task || (found.step && place->step.p))
        return fail(e, E_NOTFOUND, "'%s' is a %s; lines are asked for by job or step",
                    ID_TEXT(place->id), found.task ? "task" : "step");
    place->step_row = found.step;
    place->job_id = found.step ? found.step->job_id : place->id;
    if (!place->step.p)
        return 0;
    if (place->step.n == 0)
        return find_own_lines(r, reader, place, e);
    code = store_list_steps(reader, place->job_id, &r->arena, &steps, &count, e);
    for (size_t i = 0; code >= 0 && i < count; i++)
        if (str_eq_c(place->step, steps[i]->name) ||
            str_eq_c(place->step, ID_TEXT(steps[i]->id)))
            place->step_row = steps[i];
    if (code >= 0 && !place->step_row)
        return fail_field(e, E_NOTFOUND, "step", "the job has no step '%.*s'",
                          (int)MIN(place->step.n, (size_t)64), place->step.p);
    return code;
}

int logs_query_level(const struct request *r, enum event_level *ret_level, struct err *e)
{
    struct str level = request_query(r, "level");
    *ret_level = LEVEL_DEBUG;
    if (level.p && !event_level_parse(level, ret_level))
        return fail_field(e, E_INVAL, "level",
                          "level is one of debug, info, warn, error, not '%.*s'",
                          (int)MIN(level.n, (size_t)64), level.p);
    return 0;
}

/* A line number (of a step), 0 when none was written. */
static int parse_line(struct str text, const char *field, uint64_t *ret_line, struct err *e)
{
    int64_t line = 0;
    if (text.p && !str_to_int(text, 0, INT64_MAX, &line))
        return fail_field(e, E_INVAL, field,
                          "%s is the number of a line of the step, not '%.*s'", field,
                          (int)MIN(text.n, (size_t)64), text.p);
    *ret_line = (uint64_t)line;
    return 0;
}

/* A cursor (of a whole job), 0 when none was written. */
static int parse_cursor(const struct request *r, struct str text, const char *field,
                        uint64_t *ret_seq, struct err *e)
{
    char epoch[EPOCH_MAX];
    *ret_seq = 0;
    if (!text.p)
        return 0;
    if (!cursor_parse(text, epoch, sizeof(epoch), ret_seq))
        return fail_field(e, E_INVAL, field,
                          "%s is a cursor of the form epoch:seq here, not '%.*s'; name a step "
                          "to ask by line numbers",
                          field, (int)MIN(text.n, (size_t)64), text.p);
    if (strcmp(epoch, store_epoch(r->server->store)) != 0)
        return fail_field(e, E_GONE, field,
                          "%s is a cursor of another history: the log was rewritten since",
                          field);
    return 0;
}

/* Lines of a step in ascending order, one more than the limit when there are more. */
static int read_step(struct store_reader *reader, const struct query *q,
                     struct event_batch *lines, struct err *e)
{
    struct line_query lq = {
        .job_id = q->place.job_id,
        .step_id = q->place.step_row->id,
        .min_level = q->level,
        .limit = q->limit + 1,
        .from_end = q->descending,
    };
    int code = parse_line(q->after, "after", &lq.after, e);
    if (code >= 0)
        code = parse_line(q->before, "before", &lq.before, e);
    return code < 0 ? code : store_read_lines(reader, &lq, lines, e);
}

static int read_job(struct request *r, struct store_reader *reader, const struct query *q,
                    struct event_batch *lines, struct err *e)
{
    struct line_range range = {
        .job_id = q->place.job_id, .min_level = q->level, .limit = q->limit + 1};
    int code = parse_cursor(r, q->after, "after", &range.after_seq, e);
    if (code >= 0)
        code = parse_cursor(r, q->before, "before", &range.before_seq, e);
    if (code < 0)
        return code;
    return q->descending ? lines_read_backwards(reader, &range, lines, e)
                         : lines_read_forwards(reader, &range, lines, NULL, e);
}

static void write_next(struct request *r, const struct query *q, const struct event *last,
                       bool more)
{
    json_key(&r->j, "next");
    if (!more) {
        json_write_null(&r->j);
        return;
    }
    ASSERT(last); /* a limit is 1 or more */
    if (q->place.step_row) {
        json_int(&r->j, (int64_t)last->line);
    } else {
        char cursor[EPOCH_MAX + 24];
        (void)snprintf(cursor, sizeof(cursor), "%s:%llu", store_epoch(r->server->store),
                       (unsigned long long)last->seq);
        json_text_c(&r->j, cursor);
    }
}

/* Writes the page, without the one line that only said that there are more. */
static void write_page(struct request *r, const struct query *q,
                       const struct event_batch *lines)
{
    bool more = lines->count > q->limit;
    size_t count = more ? q->limit : lines->count, skip = more && q->descending;
    const struct event *last = NULL;
    json_key(&r->j, "logs");
    json_begin_array(&r->j);
    for (size_t i = 0; i < count; i++) {
        last = &lines->events[skip + (q->descending ? count - 1 - i : i)];
        encode_line(&r->j, lines, last);
    }
    json_end_array(&r->j);
    json_key_int(&r->j, "count", (int64_t)count);
    write_next(r, q, last, more);
    /* a full page of consecutive lines, of a history that is named, never changes */
    r->immutable = q->place.step_row && !q->descending && q->level == LEVEL_DEBUG &&
                   count == q->limit && request_query(r, "epoch").p;
}

static int read_logs(struct request *r, struct store_reader *reader, struct err *e)
{
    struct query *q = r->arg;
    AUTO_EVENT_BATCH lines = EVENT_BATCH_INIT;
    int64_t total = 0;
    int code = logs_find(r, reader, &q->place, e);
    if (code < 0)
        return code;
    code =
        q->place.step_row ? read_step(reader, q, &lines, e) : read_job(r, reader, q, &lines, e);
    if (code >= 0 && q->place.step_row)
        total = lines_count_step(q->place.step_row, q->level);
    else if (code >= 0)
        code = lines_count(reader, q->place.job_id, q->level, &total, e);
    if (code < 0)
        return code;
    json_begin_object(&r->j);
    json_key_id(&r->j, "job_id", q->place.job_id);
    json_key_id(&r->j, "step_id", q->place.step_row ? q->place.step_row->id : ID_NONE);
    write_page(r, q, &lines);
    json_key_int(&r->j, "total_count", total);
    json_key_int(&r->j, "limit", (int64_t)q->limit);
    json_key_c(&r->j, "order", q->descending ? "desc" : "asc");
    json_key_c(&r->j, "level", event_level_name(q->level));
    encode_cursor(&r->j, "cursor", store_epoch(r->server->store), store_read_as_of(reader));
    json_end_object(&r->j);
    return 0;
}

/* `epoch` says of which history the line numbers are. */
static int check_epoch(const struct request *r, struct err *e)
{
    struct str epoch = request_query(r, "epoch");
    if (!epoch.p || str_eq_c(epoch, store_epoch(r->server->store)))
        return 0;
    return fail_field(e, E_GONE, "epoch", "the log has another history than '%.*s' now",
                      (int)MIN(epoch.n, (size_t)EPOCH_MAX), epoch.p);
}

static int query_new(struct request *r, struct query **ret_query, struct err *e)
{
    struct query *q = arena_alloc(&r->arena, sizeof(*q));
    int64_t limit;
    int code = request_id(r, "job", &q->place.id, e);
    if (code >= 0)
        code = check_epoch(r, e);
    if (code >= 0)
        code = logs_query_level(r, &q->level, e);
    if (code >= 0)
        code = request_query_int(r, "limit", 1, LIMIT_PAGE_ROWS, LIMIT_PAGE_ROWS, &limit, e);
    if (code < 0)
        return code;
    q->limit = (size_t)limit;
    q->after = request_query(r, "after");
    r->arg = q;
    *ret_query = q;
    return 0;
}

int handle_job_logs(struct request *r, struct err *e)
{
    static const char *const orders[] = {"asc", "desc", NULL};
    struct query *q;
    int order;
    int code = query_new(r, &q, e);
    if (code >= 0)
        code = request_query_choice(r, "order", orders, &order, e);
    if (code < 0)
        return code;
    q->descending = order == 1;
    q->before = request_query(r, "before");
    q->place.step = request_query(r, "step");
    request_read(r, read_logs, NULL);
    return 0;
}

/* ---- aggregated ---- */

static int write_writers(struct request *r, struct store_reader *reader, struct id job_id,
                         struct err *e)
{
    struct job_row *job;
    struct step_row **steps;
    size_t count;
    int code = store_get_job(reader, job_id, &r->arena, &job, e);
    if (code >= 0)
        code = store_list_steps(reader, job_id, &r->arena, &steps, &count, e);
    if (code < 0)
        return code;
    json_key(&r->j, "metadata");
    json_begin_object(&r->j);
    json_key(&r->j, ID_TEXT(job_id));
    json_begin_object(&r->j);
    json_key_c(&r->j, "kind", job_kind_name(KIND_JOB));
    json_key_c(&r->j, "name", job->name);
    json_key_c(&r->j, "type", "job");
    json_key_c(&r->j, "status", job_state_name(job->status));
    json_end_object(&r->j);
    for (size_t i = 0; i < count; i++) {
        json_key(&r->j, ID_TEXT(steps[i]->id));
        json_begin_object(&r->j);
        json_key_c(&r->j, "kind", job_kind_name(KIND_STEP));
        json_key_c(&r->j, "name", steps[i]->name);
        json_key_c(&r->j, "type", steps[i]->type);
        json_key_c(&r->j, "status", job_state_name(steps[i]->status));
        json_end_object(&r->j);
    }
    json_end_object(&r->j);
    return 0;
}

static int read_aggregated(struct request *r, struct store_reader *reader, struct err *e)
{
    struct query *q = r->arg;
    AUTO_EVENT_BATCH lines = EVENT_BATCH_INIT;
    struct line_range range = {.min_level = q->level, .limit = q->limit};
    uint64_t to;
    int code = logs_find(r, reader, &q->place, e);
    range.job_id = q->place.job_id;
    if (code >= 0)
        code = parse_cursor(r, q->after, "after", &range.after_seq, e);
    if (code >= 0)
        code = lines_read_forwards(reader, &range, &lines, &to, e);
    if (code < 0)
        return code;
    json_begin_object(&r->j);
    json_key_id(&r->j, "job_id", range.job_id);
    json_key(&r->j, "logs");
    json_begin_array(&r->j);
    for (size_t i = 0; i < lines.count; i++)
        encode_line(&r->j, &lines, &lines.events[i]);
    json_end_array(&r->j);
    json_key_int(&r->j, "count", (int64_t)lines.count);
    code = write_writers(r, reader, range.job_id, e);
    encode_cursor(&r->j, "next_cursor", store_epoch(r->server->store), to);
    json_end_object(&r->j);
    return code;
}

int handle_job_logs_aggregated(struct request *r, struct err *e)
{
    struct query *q;
    int code = query_new(r, &q, e);
    if (code >= 0)
        request_read(r, read_aggregated, NULL);
    return code;
}
