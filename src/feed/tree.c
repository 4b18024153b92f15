/* tree.c: rows and the newest lines, as one JSON object.
 *
 * What stands here is exactly what a viewer has after folding all events up to as_of: a row's
 * counts and progress text are those of its newest step_progress event, its lines are counted
 * with each commit. */
#include "feed/tree.h"

#include "base/limits.h"
#include "base/mem.h"
#include "feed/encode.h"

/* Writes "first_line" and "logs". */
static int write_lines(struct store_reader *r, struct id job_id, struct id step_id,
                       size_t limit, struct json *j, struct err *e)
{
    AUTO_EVENT_BATCH lines = EVENT_BATCH_INIT;
    struct line_query q = {
        .job_id = job_id, .step_id = step_id, .limit = limit, .from_end = true};
    int code = limit ? store_read_lines(r, &q, &lines, e) : 0;
    if (code < 0)
        return code;
    json_key_int(j, "first_line", lines.count ? (int64_t)lines.events[0].line : 0);
    json_key(j, "logs");
    json_begin_array(j);
    for (size_t i = 0; i < lines.count; i++)
        encode_line(j, &lines, &lines.events[i]);
    json_end_array(j);
    return 0;
}

static int write_error_groups(struct store_reader *r, struct id step_id, struct json *j,
                              struct err *e)
{
    enum { GROUPS_MAX = 10 };
    AUTO_ARENA a = ARENA_INIT;
    struct error_group *groups;
    size_t count;
    int code = store_group_errors(r, step_id, GROUPS_MAX, &a, &groups, &count, e);
    if (code < 0)
        return code;
    json_key(j, "error_groups");
    json_begin_array(j);
    for (size_t i = 0; i < count; i++) {
        json_begin_object(j);
        json_key_c(j, "message", groups[i].message ? groups[i].message : "");
        json_key_int(j, "count", groups[i].count);
        json_end_object(j);
    }
    json_end_array(j);
    return 0;
}

static int write_summary(struct store_reader *r, const struct step_row *s, bool error_groups,
                         struct json *j, struct err *e)
{
    json_key(j, "child_summary");
    json_begin_object(j);
    encode_counts(j, s->tasks);
    int code = error_groups ? write_error_groups(r, s->id, j, e) : 0;
    json_end_object(j);
    return code;
}

/* How many lines a step has, as a viewer without lines knows it. */
static void write_told_lines(const struct step_row *s, struct json *j)
{
    static const char none[] = "{\"total\":0,\"debug\":0,\"info\":0,\"warn\":0,\"error\":0,"
                               "\"first_error\":0,\"last_error\":0}";
    json_key_raw(j, "lines", str_of(s->told_lines ? s->told_lines : none));
}

static int write_step(struct store_reader *r, const struct step_row *s,
                      const struct tree_options *options, struct json *j, struct err *e)
{
    json_begin_object(j);
    json_key_id(j, "step_id", s->id);
    json_key_c(j, "name", s->name);
    json_key_c(j, "type", s->type);
    json_key_c(j, "status", job_state_name(s->status));
    json_key_raw(j, "depends", str_of(s->depends));
    encode_times(j, s->started_at_us, s->completed_at_us);
    json_key_c(j, "error", s->error ? s->error : "");
    json_key_c(j, "cause", s->cause ? s->cause : "");
    json_key_c(j, "progress_text", s->progress_text ? s->progress_text : "");
    json_key_int(j, "documents", s->documents);
    json_key_time(j, "kill_at", s->kill_at_us);
    int code = write_summary(r, s, options->error_groups, j, e);
    if (code >= 0 && options->lines) {
        json_key_raw(j, "outputs", str_of(s->outputs ? s->outputs : "{}"));
        json_key_int(j, "total_logs", (int64_t)s->lines);
        json_key(j, "level_counts");
        json_begin_object(j);
        for (int i = 0; i < LEVEL_COUNT; i++)
            json_key_int(j, event_level_name((enum event_level)i),
                         (int64_t)s->lines_by_level[i]);
        json_end_object(j);
        json_key_int(j, "first_error", (int64_t)s->first_error);
        json_key_int(j, "last_error", (int64_t)s->last_error);
        code = write_lines(r, s->job_id, s->id, options->lines, j, e);
    } else {
        write_told_lines(s, j);
    }
    json_end_object(j);
    return code;
}

static int write_job(struct store_reader *r, const char *epoch, const struct job_row *row,
                     const struct tree_options *options, struct json *j, struct err *e)
{
    AUTO_ARENA a = ARENA_INIT;
    struct step_row **steps;
    size_t count;
    int code = store_list_steps(r, row->id, &a, &steps, &count, e);
    if (code < 0)
        return code;
    json_begin_object(j);
    json_key_id(j, "job_id", row->id);
    json_key_c(j, "job_name", row->name);
    json_key_c(j, "definition_id", row->definition_id);
    json_key_c(j, "started_by", row->started_by ? row->started_by : "");
    json_key_int(j, "priority", row->priority);
    json_key_c(j, "pool", row->pool ? row->pool : "");
    json_key_c(j, "waits_for", row->waits_for ? row->waits_for : "");
    json_key_c(j, "status", job_state_name(row->status));
    json_key_time(j, "created_at", row->created_at_us);
    encode_times(j, row->started_at_us, row->completed_at_us);
    json_key_c(j, "error", row->error ? row->error : "");
    /* no event has said the cause before the one that ends the job */
    json_key_c(j, "cause", job_state_is_final(row->status) && row->cause ? row->cause : "");
    if (options->lines) {
        json_key_int(j, "total_logs", (int64_t)row->lines);
        code = write_lines(r, row->id, ID_NONE, options->lines, j, e);
    }
    json_key(j, "steps");
    json_begin_array(j);
    for (size_t i = 0; i < count && code >= 0; i++)
        code = write_step(r, steps[i], options, j, e);
    json_end_array(j);
    encode_cursor(j, "cursor", epoch, store_read_as_of(r));
    json_end_object(j);
    return code;
}

int tree_write(struct store_reader *r, const char *epoch, struct id job_id,
               const struct tree_options *options, struct json *j, struct err *e)
{
    AUTO_ARENA a = ARENA_INIT;
    struct job_row *row;
    int code = store_get_job(r, job_id, &a, &row, e);
    return code < 0 ? code : write_job(r, epoch, row, options, j, e);
}

/* Writes the jobs that a query finds and that are older than *oldest (none: all), which becomes
 * the last one written. */
static int write_jobs(struct store_reader *r, const char *epoch, const struct job_query *q,
                      struct json *j, struct id *oldest, int64_t *ret_total, struct err *e)
{
    AUTO_ARENA a = ARENA_INIT;
    struct job_row **rows;
    size_t count = 0;
    const struct id before = *oldest;
    const struct tree_options no_lines = {0};
    int code = store_list_jobs(r, q, &a, &rows, &count, ret_total, e);
    for (size_t i = 0; code >= 0 && i < count; i++) {
        if (!id_is_none(before) && id_compare(rows[i]->id, before) >= 0)
            continue;
        *oldest = rows[i]->id;
        code = write_job(r, epoch, rows[i], &no_lines, j, e);
    }
    return code;
}

int tree_write_stats(struct store_reader *r, struct json *j, struct err *e)
{
    static const char *const keys[JOB_STATE_COUNT] = {[JOB_PENDING] = "pending_jobs",
                                                      [JOB_RUNNING] = "running_jobs",
                                                      [JOB_COMPLETED] = "completed_jobs",
                                                      [JOB_FAILED] = "failed_jobs",
                                                      [JOB_CANCELLED] = "cancelled_jobs"};
    int64_t counts[JOB_STATE_COUNT], total = 0;
    int code = store_count_jobs(r, counts, e);
    if (code < 0)
        return code;
    for (int i = 0; i < JOB_STATE_COUNT; i++)
        total += counts[i];
    json_begin_object(j);
    json_key_int(j, "total_jobs", total);
    for (int i = 0; i < JOB_STATE_COUNT; i++)
        if (keys[i])
            json_key_int(j, keys[i], counts[i]);
    json_end_object(j);
    return 0;
}

/* A job that runs for a year is not hidden by the newest fifty. Ids sort by the time at which
 * they were made, so what is older than the last of these has not been written yet. */
int tree_write_all(struct store_reader *r, const char *epoch, int64_t newest, struct json *j,
                   struct err *e)
{
    struct job_query any = {.descending = true, .limit = newest};
    struct job_query active = {
        .states = 1u << JOB_PENDING | 1u << JOB_RUNNING, .descending = true, .limit = -1};
    struct id oldest = ID_NONE;
    int64_t total = 0, active_total;
    json_begin_object(j);
    json_key(j, "jobs");
    json_begin_array(j);
    int code = write_jobs(r, epoch, &any, j, &oldest, &total, e);
    if (code >= 0)
        code = write_jobs(r, epoch, &active, j, &oldest, &active_total, e);
    json_end_array(j);
    if (code < 0)
        return code;
    json_key_int(j, "total_count", total);
    json_key(j, "stats");
    code = tree_write_stats(r, j, e);
    json_end_object(j);
    return code;
}

/* The newest events of a batch in place of all. */
static void keep_newest(struct event_batch *events, size_t newest)
{
    struct event_batch kept = EVENT_BATCH_INIT;
    for (size_t i = events->count - MIN(newest, events->count); i < events->count; i++)
        event_batch_copy(&kept, events, i);
    event_batch_done(events);
    *events = kept;
}

/* A few come with each start of the server and each change of a definition, so all of them are
 * looked through, a piece at a time. */
int tree_write_system(struct store_reader *r, const char *epoch, size_t newest, struct json *j,
                      struct err *e)
{
    enum { PIECE_BYTES = 1024 * 1024 };
    AUTO_EVENT_BATCH events = EVENT_BATCH_INIT;
    uint64_t as_of = store_read_as_of(r), to = 0;
    do {
        struct event_query q = {.topic = {.kind = TOPIC_SYSTEM},
                                .after_seq = to,
                                .max_events = SIZE_MAX,
                                .max_bytes = PIECE_BYTES};
        int code = store_read_events(r, &q, &events, &to, e);
        if (code < 0)
            return code;
        keep_newest(&events, newest);
    } while (to < as_of);
    json_begin_object(j);
    json_key(j, "events");
    json_begin_array(j);
    for (size_t i = 0; i < events.count; i++)
        encode_event(j, &events, &events.events[i]);
    json_end_array(j);
    encode_cursor(j, "cursor", epoch, as_of);
    json_end_object(j);
    return 0;
}

int tree_write_totals(struct store_reader *r, struct id job_id, struct json *j, struct err *e)
{
    AUTO_ARENA a = ARENA_INIT;
    struct job_row *row;
    struct step_row **steps;
    size_t count;
    int code = store_get_job(r, job_id, &a, &row, e);
    if (code >= 0)
        code = store_list_steps(r, job_id, &a, &steps, &count, e);
    if (code < 0)
        return code;
    json_begin_object(j);
    for (size_t i = 0; i < count; i++)
        json_key_int(j, ID_TEXT(steps[i]->id), (int64_t)steps[i]->lines);
    json_key_int(j, ID_TEXT(job_id), (int64_t)row->lines);
    json_end_object(j);
    return 0;
}
