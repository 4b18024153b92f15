/* What jobs there are and how they are. All of it is read from the store; what a query asks for
 * is checked on the loop first. */
#include "base/limits.h"
#include "base/map.h"
#include "feed/encode.h"
#include "feed/tree.h"
#include "server/answer.h"
#include "server/request.h"

struct query {
    struct id id, parent_id;
    struct job_query jobs;
    int64_t limit, offset;
    size_t lines;
};

static struct query *query_new(struct request *r)
{
    struct query *q = arena_alloc(&r->arena, sizeof(*q));
    r->arg = q;
    return q;
}

static const char *epoch_of(const struct request *r)
{
    return store_epoch(r->server->store);
}

static void write_cursor(struct request *r, struct store_reader *reader)
{
    encode_cursor(&r->j, "cursor", epoch_of(r), store_read_as_of(reader));
}

/* "running" or "pending,running" -> bits. */
static int query_states(const struct request *r, unsigned *ret_states, struct err *e)
{
    struct str list = request_query(r, "status");
    unsigned states = 0;
    while (list.p) {
        enum job_state state;
        struct str name = str_cut(&list, ',');
        if (!job_state_parse(name, &state))
            return fail_field(e, E_INVAL, "status",
                              "status is one of pending, running, completed, failed, "
                              "cancelled, skipped, not '%.*s'",
                              (int)MIN(name.n, (size_t)64), name.p);
        states |= 1u << state;
    }
    *ret_states = states;
    return 0;
}

/* ---- lists ---- */

/* The how-manieth this is of those that wait for the same, when all come in order of turn. */
static int64_t position_next(struct map *counts, struct arena *a, const char *waits_for)
{
    struct str key = str_of(waits_for);
    int64_t *count = map_get(counts, key);
    if (!count) {
        count = arena_alloc(a, sizeof(*count));
        *count = 0;
        map_set(counts, key, count);
    }
    return ++*count;
}

static int write_jobs(struct request *r, struct store_reader *reader, const struct job_query *q,
                      int64_t *ret_total, struct err *e)
{
    AUTO_ARENA a = ARENA_INIT;
    struct map counts = MAP_INIT;
    struct job_row **rows;
    size_t count;
    int code = store_list_jobs(reader, q, &a, &rows, &count, ret_total, e);
    json_begin_array(&r->j);
    for (size_t i = 0; code >= 0 && i < count; i++) {
        bool knows = q->order == ORDER_TURN && rows[i]->waits_for;
        int64_t position = knows ? position_next(&counts, &a, rows[i]->waits_for) : 0;
        code = answer_write_job(reader, rows[i], NULL, position, &r->j, e);
    }
    json_end_array(&r->j);
    map_done(&counts);
    return code;
}

static int read_jobs(struct request *r, struct store_reader *reader, struct err *e)
{
    const struct query *q = r->arg;
    int64_t total = 0;
    json_begin_object(&r->j);
    json_key(&r->j, "jobs");
    int code = write_jobs(r, reader, &q->jobs, &total, e);
    answer_write_page(&r->j, total, q->limit, q->offset);
    write_cursor(r, reader);
    json_end_object(&r->j);
    return code;
}

static int write_tasks(struct request *r, struct store_reader *reader, struct task_query *q,
                       int64_t *ret_total, struct err *e)
{
    AUTO_ARENA a = ARENA_INIT;
    struct task_row **rows;
    struct step_row *step = NULL;
    size_t count;
    int code = store_list_tasks(reader, q, &a, &rows, &count, ret_total, e);
    json_begin_array(&r->j);
    for (size_t i = 0; code >= 0 && i < count; i++) {
        if (!step || !id_eq(step->id, rows[i]->step_id))
            code = store_get_step(reader, rows[i]->step_id, &a, &step, e);
        if (code >= 0)
            answer_write_task(rows[i], step->type, NULL, 0, &r->j);
    }
    json_end_array(&r->j);
    return code;
}

static int write_steps(struct request *r, struct store_reader *reader, const struct query *q,
                       int64_t *ret_total, struct err *e)
{
    AUTO_ARENA a = ARENA_INIT;
    struct step_row **rows;
    size_t count;
    int64_t shown = 0;
    int code = store_list_steps(reader, q->parent_id, &a, &rows, &count, e);
    *ret_total = 0;
    json_begin_array(&r->j);
    for (size_t i = 0; code >= 0 && i < count; i++) {
        if (q->jobs.states && !(q->jobs.states & 1u << rows[i]->status))
            continue;
        if (++*ret_total > q->offset && shown++ < q->limit)
            answer_write_step(rows[i], NULL, 0, &r->j);
    }
    json_end_array(&r->j);
    return code;
}

/* What is below a node: the steps of a job, the tasks of a step, nothing below a task. */
static int read_below(struct request *r, struct store_reader *reader, struct err *e)
{
    const struct query *q = r->arg;
    struct node_row found;
    int64_t total = 0;
    int code = answer_find(reader, q->parent_id, &r->arena, &found, e);
    if (code < 0)
        return code;
    json_begin_object(&r->j);
    json_key(&r->j, "jobs");
    if (found.step) {
        struct task_query tasks = {.job_id = found.step->job_id,
                                   .step_id = q->parent_id,
                                   .states = q->jobs.states,
                                   .limit = q->limit,
                                   .offset = q->offset};
        code = write_tasks(r, reader, &tasks, &total, e);
    } else if (found.job) {
        code = write_steps(r, reader, q, &total, e);
    } else {
        json_begin_array(&r->j);
        json_end_array(&r->j);
    }
    answer_write_page(&r->j, total, q->limit, q->offset);
    write_cursor(r, reader);
    json_end_object(&r->j);
    return code;
}

int handle_jobs_list(struct request *r, struct err *e)
{
    static const char *const orders[] = {"created_at", "started_at", "completed_at",
                                         "name",       "status",     NULL};
    static const char *const directions[] = {"desc", "asc", NULL};
    struct query *q = query_new(r);
    struct str parent = request_query(r, "parent_id");
    struct str definition = request_query(r, "definition"), word = request_query(r, "q");
    int order = 0, direction = 0;
    int code = request_page(r, 50, &q->limit, &q->offset, e);
    if (code >= 0)
        code = query_states(r, &q->jobs.states, e);
    if (code >= 0)
        code = request_query_choice(r, "order_by", orders, &order, e);
    if (code >= 0)
        code = request_query_choice(r, "order_dir", directions, &direction, e);
    if (code >= 0 && parent.p && !id_parse(parent, &q->parent_id))
        code = fail_field(e, E_INVAL, "parent_id", "parent_id is the id of a job or step");
    if (code < 0)
        return code;
    q->jobs.definition_id = definition.p ? arena_str(&r->arena, definition) : NULL;
    q->jobs.word = word.n ? arena_str(&r->arena, word) : NULL;
    q->jobs.order = (enum job_order)order;
    q->jobs.descending = direction == 0;
    q->jobs.limit = q->limit;
    q->jobs.offset = q->offset;
    request_read(r, parent.p ? read_below : read_jobs, NULL);
    return 0;
}

static int read_stats(struct request *r, struct store_reader *reader, struct err *e)
{
    return tree_write_stats(reader, &r->j, e);
}

int handle_jobs_stats(struct request *r, struct err *e)
{
    (void)e;
    request_read(r, read_stats, NULL);
    return 0;
}

static int read_queue(struct request *r, struct store_reader *reader, struct err *e)
{
    static const enum job_state states[] = {JOB_PENDING, JOB_RUNNING};
    int64_t total = 0;
    int code = 0;
    json_begin_object(&r->j);
    for (size_t i = 0; i < ARRAY_LEN(states) && code >= 0; i++) {
        struct job_query q = {
            .states = 1u << states[i], .order = ORDER_TURN, .limit = LIMIT_PAGE_ROWS};
        int64_t found = 0;
        json_key(&r->j, job_state_name(states[i]));
        code = write_jobs(r, reader, &q, &found, e);
        total += found;
    }
    json_key_int(&r->j, "total", total);
    write_cursor(r, reader);
    json_end_object(&r->j);
    return code;
}

int handle_jobs_queue(struct request *r, struct err *e)
{
    (void)e;
    request_read(r, read_queue, NULL);
    return 0;
}

/* ---- one ---- */

/* Most handlers of one job: the id, then the store. */
static int read_one(struct request *r,
                    int (*read)(struct request *r, struct store_reader *reader, struct err *e),
                    struct err *e)
{
    struct query *q = r->arg ? r->arg : query_new(r);
    int code = request_id(r, "job", &q->id, e);
    if (code >= 0)
        request_read(r, read, NULL);
    return code;
}

static int read_job(struct request *r, struct store_reader *reader, struct err *e)
{
    const struct query *q = r->arg;
    struct node_row found;
    struct step_row *step;
    uint64_t as_of = store_read_as_of(reader);
    int code = answer_find(reader, q->id, &r->arena, &found, e);
    if (code < 0)
        return code;
    if (found.job)
        return answer_write_job(reader, found.job, epoch_of(r), 0, &r->j, e);
    if (found.step) {
        answer_write_step(found.step, epoch_of(r), as_of, &r->j);
        return 0;
    }
    code = store_get_step(reader, found.task->step_id, &r->arena, &step, e);
    if (code >= 0)
        answer_write_task(found.task, step->type, epoch_of(r), as_of, &r->j);
    return code;
}

int handle_job_get(struct request *r, struct err *e)
{
    return read_one(r, read_job, e);
}

static int read_tree(struct request *r, struct store_reader *reader, struct err *e)
{
    const struct query *q = r->arg;
    struct tree_options options = {.lines = q->lines, .error_groups = true};
    return tree_write(reader, epoch_of(r), q->id, &options, &r->j, e);
}

int handle_job_tree(struct request *r, struct err *e)
{
    struct query *q = query_new(r);
    int64_t lines;
    int code =
        request_query_int(r, "lines", 1, LIMIT_PAGE_ROWS, LIMIT_SNAPSHOT_LINES, &lines, e);
    if (code < 0)
        return code;
    q->lines = (size_t)lines;
    return read_one(r, read_tree, e);
}

static int read_children(struct request *r, struct store_reader *reader, struct err *e)
{
    const struct query *q = r->arg;
    struct node_row found;
    int64_t total = 0;
    int code = answer_find(reader, q->id, &r->arena, &found, e);
    if (code < 0)
        return code;
    if (found.task)
        return fail(e, E_NOTFOUND, "'%s' is a task: nothing is below it", ID_TEXT(q->id));
    struct task_query tasks = {.job_id = found.step ? found.step->job_id : q->id,
                               .step_id = found.step ? q->id : ID_NONE,
                               .states = q->jobs.states,
                               .limit = q->limit,
                               .offset = q->offset};
    json_begin_object(&r->j);
    json_key(&r->j, "children");
    code = write_tasks(r, reader, &tasks, &total, e);
    answer_write_page(&r->j, total, q->limit, q->offset);
    write_cursor(r, reader);
    json_end_object(&r->j);
    return code;
}

int handle_job_children(struct request *r, struct err *e)
{
    struct query *q = query_new(r);
    int code = request_page(r, 50, &q->limit, &q->offset, e);
    if (code >= 0)
        code = query_states(r, &q->jobs.states, e);
    return code < 0 ? code : read_one(r, read_children, e);
}

static int read_job_status(struct request *r, struct store_reader *reader, struct err *e)
{
    const struct query *q = r->arg;
    AUTO_ARENA a = ARENA_INIT;
    struct job_row *job;
    struct step_row **steps;
    size_t count;
    int64_t counts[TASK_COUNTS] = {0}, final = 0, documents = 0, lines;
    int code = store_get_job(reader, q->id, &a, &job, e);
    if (code >= 0)
        code = store_list_steps(reader, q->id, &a, &steps, &count, e);
    if (code < 0)
        return code;
    lines = (int64_t)job->lines;
    for (size_t i = 0; i < count; i++) {
        final += job_state_is_final(steps[i]->status);
        documents += steps[i]->documents;
        lines += (int64_t)steps[i]->lines;
        for (int k = 0; k < TASK_COUNTS; k++)
            counts[k] += steps[i]->tasks[k];
    }
    json_begin_object(&r->j);
    json_key_id(&r->j, "job_id", q->id);
    json_key_c(&r->j, "status", job_state_name(job->status));
    json_key_int(&r->j, "steps_total", (int64_t)count);
    json_key_int(&r->j, "steps_final", final);
    encode_counts(&r->j, counts);
    json_key_int(&r->j, "documents", documents);
    json_key_int(&r->j, "total_logs", lines);
    write_cursor(r, reader);
    json_end_object(&r->j);
    return 0;
}

int handle_job_status(struct request *r, struct err *e)
{
    return read_one(r, read_job_status, e);
}
