/* Lists of rows. A query becomes text by what it asks for, so that SQLite sees only conditions
 * that are there and takes the index for them; values are always bound, never written into the
 * text. The texts that differ are few, so they stay prepared. */
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "store/sqlite_rows.h"

enum { SQL_MAX_BYTES = 4096 };

#define AUTO_SQL AUTO(buf_done) struct buf
#define SQL_INIT BUF_INIT(SQL_MAX_BYTES)

/* Adds " AND <column> IN (0,2)" for bits of states. */
static void sql_states(struct buf *sql, const char *column, unsigned states)
{
    if (states == 0)
        return;
    const char *comma = "";
    buf_printf(sql, " AND %s IN (", column);
    for (int i = 0; i < JOB_STATE_COUNT; i++) {
        if (!(states & 1u << i))
            continue;
        buf_printf(sql, "%s%d", comma, i);
        comma = ",";
    }
    buf_add_c(sql, ")");
}

/* The rows of a list while they are read: pointers, moved into the arena at the end. */
struct rows {
    void **p;
    size_t count, cap;
};

static void rows_add(struct rows *rows, void *row)
{
    MEM_GROW(rows->p, rows->count, rows->cap);
    rows->p[rows->count++] = row;
}

static void **rows_finish(struct rows *rows, struct arena *a, size_t *ret_count)
{
    void **p = arena_alloc(a, rows->count * sizeof(*p));
    for (size_t i = 0; i < rows->count; i++)
        p[i] = rows->p[i];
    *ret_count = rows->count;
    free(rows->p);
    *rows = (struct rows){0};
    return p;
}

/* A page that is not full ends the list, so nothing needs to be counted: to look for a word
 * takes long enough once. */
static bool is_last_page(size_t count, int64_t limit, int64_t offset)
{
    return (limit < 0 || (int64_t)count < limit) && (count > 0 || offset == 0);
}

/* ---- jobs ---- */

static void sql_jobs_where(struct buf *sql, const struct job_query *q)
{
    buf_add_c(sql, " FROM jobs WHERE 1");
    sql_states(sql, "status", q->states);
    if (q->definition_id)
        buf_add_c(sql, " AND definition_id = ?");
    if (q->before)
        buf_add_c(sql, " AND waits_for = ? AND (-priority, created_at, id) < (?, ?, ?)");
    if (q->word)
        buf_add_c(sql, " AND has_word(?, name, definition_id)");
}

static void jobs_bind(struct query *query, const struct job_query *q)
{
    if (q->definition_id)
        bind_text(query, q->definition_id);
    if (q->before) {
        bind_text(query, q->before->waits_for);
        bind_number(query, -(int64_t)q->before->priority);
        bind_number(query, q->before->created_at_us);
        bind_id(query, q->before->id);
    }
    if (q->word)
        bind_text(query, q->word);
}

static int jobs_total(struct conn *c, const struct job_query *q, int64_t *ret_total,
                      struct err *e)
{
    AUTO_SQL sql = SQL_INIT;
    buf_add_c(&sql, "SELECT count(*)");
    sql_jobs_where(&sql, q);
    AUTO_QUERY query;
    int r = query_open(&query, c, buf_text(&sql), e);
    if (r < 0)
        return r;
    jobs_bind(&query, q);
    r = query_step(&query, e);
    if (r < 0)
        return r;
    *ret_total = column_number(&query);
    return 0;
}

int sqlite_list_jobs(struct store_reader *r, const struct job_query *q, struct arena *a,
                     struct job_row ***ret_rows, size_t *ret_count, int64_t *ret_total,
                     struct err *e)
{
    static const char *const orders[] = {"created_at",       "started_at", "completed_at",
                                         "ifnull(name, '')", "status",     "created_at"};
    struct conn *c = sqlite_reader(r)->conn;
    const char *direction = q->descending ? "DESC" : "ASC";
    AUTO_SQL sql = SQL_INIT;
    buf_add_c(&sql, "SELECT " JOB_COLUMNS);
    sql_jobs_where(&sql, q);
    buf_add_c(&sql, " ORDER BY ");
    if (q->order == ORDER_TURN)
        buf_printf(&sql, "-priority %s, ", direction);
    buf_printf(&sql, "%s %s, id %s LIMIT ? OFFSET ?", orders[q->order], direction, direction);
    AUTO_QUERY query;
    int rc = query_open(&query, c, buf_text(&sql), e);
    if (rc < 0)
        return rc;
    jobs_bind(&query, q);
    bind_number(&query, q->limit);
    bind_number(&query, q->offset);
    struct rows rows = {0};
    while ((rc = query_step(&query, e)) > 0)
        rows_add(&rows, job_read(&query, a));
    *ret_rows = (struct job_row **)rows_finish(&rows, a, ret_count);
    if (rc < 0 || !is_last_page(*ret_count, q->limit, q->offset))
        return rc < 0 ? rc : jobs_total(c, q, ret_total, e);
    *ret_total = q->offset + (int64_t)*ret_count;
    return 0;
}

/* An index has all that is wanted, so the rows with their definitions are not read. */
int sqlite_walk_ended(struct store_reader *r, ended_visitor *visit, void *arg, struct err *e)
{
    AUTO_QUERY q;
    int rc = query_open(&q, sqlite_reader(r)->conn,
                        "SELECT id, definition_id, completed_at, bytes FROM jobs"
                        " WHERE end_seq > 0 ORDER BY completed_at DESC, id DESC",
                        e);
    while (rc >= 0 && (rc = query_step(&q, e)) > 0) {
        struct ended_job job = {.id = column_id(&q), .definition_id = column_blob(&q)};
        job.completed_at_us = column_number(&q);
        job.bytes = column_number(&q);
        visit(arg, &job);
    }
    return rc;
}

int sqlite_free_bytes(struct store_reader *r, int64_t *ret_bytes, struct err *e)
{
    return conn_number(sqlite_reader(r)->conn,
                       "SELECT freelist_count * page_size FROM pragma_freelist_count,"
                       " pragma_page_size",
                       0, ret_bytes, e);
}

int sqlite_count_jobs(struct store_reader *r, int64_t *ret_counts, struct err *e)
{
    AUTO_QUERY q;
    int rc = query_open(&q, sqlite_reader(r)->conn,
                        "SELECT status, count(*) FROM jobs GROUP BY status", e);
    if (rc < 0)
        return rc;
    for (int i = 0; i < JOB_STATE_COUNT; i++)
        ret_counts[i] = 0;
    while ((rc = query_step(&q, e)) > 0) {
        int64_t status = column_number(&q);
        if (status >= 0 && status < JOB_STATE_COUNT)
            ret_counts[status] = column_number(&q);
    }
    return rc;
}

/* ---- steps and tasks ---- */

int sqlite_list_steps(struct store_reader *r, struct id job_id, struct arena *a,
                      struct step_row ***ret_rows, size_t *ret_count, struct err *e)
{
    AUTO_QUERY q;
    int rc =
        query_open(&q, sqlite_reader(r)->conn,
                   "SELECT " STEP_COLUMNS " FROM steps WHERE job_id = ? ORDER BY number", e);
    if (rc < 0)
        return rc;
    bind_id(&q, job_id);
    struct rows rows = {0};
    while ((rc = query_step(&q, e)) > 0)
        rows_add(&rows, step_read(&q, a));
    *ret_rows = (struct step_row **)rows_finish(&rows, a, ret_count);
    return rc;
}

static void sql_tasks_where(struct buf *sql, const struct task_query *q)
{
    bool one_step = !id_is_none(q->step_id);
    if (one_step && q->states) /* by the index of states, which is in order of rowid */
        buf_add_c(sql, " FROM steps s CROSS JOIN tasks t ON t.step = s.n WHERE s.id = ?"
                       " AND t.n > (s.n << 32) + ?");
    else if (one_step)
        buf_add_c(sql, " FROM steps s CROSS JOIN tasks t ON t.n > (s.n << 32) + ?2"
                       " AND t.n <= (s.n << 32) + 4294967295 WHERE s.id = ?1");
    else
        buf_add_c(sql, " FROM steps s CROSS JOIN tasks t ON t.n > (s.n << 32) + ?2"
                       " AND t.n <= (s.n << 32) + 4294967295 WHERE s.job_id = ?1");
    sql_states(sql, "t.status", q->states);
}

static void tasks_bind(struct query *query, const struct task_query *q)
{
    bool one_step = !id_is_none(q->step_id);
    bind_id(query, one_step ? q->step_id : q->job_id);
    bind_number(query, one_step ? q->after_number : 0);
}

static int tasks_total(struct conn *c, const struct task_query *q, int64_t *ret_total,
                       struct err *e)
{
    AUTO_SQL sql = SQL_INIT;
    buf_add_c(&sql, "SELECT count(*)");
    sql_tasks_where(&sql, q);
    AUTO_QUERY query;
    int r = query_open(&query, c, buf_text(&sql), e);
    if (r < 0)
        return r;
    tasks_bind(&query, q);
    r = query_step(&query, e);
    if (r < 0)
        return r;
    *ret_total = column_number(&query);
    return 0;
}

int sqlite_list_tasks(struct store_reader *r, const struct task_query *q, struct arena *a,
                      struct task_row ***ret_rows, size_t *ret_count, int64_t *ret_total,
                      struct err *e)
{
    struct conn *c = sqlite_reader(r)->conn;
    const char *direction = q->newest_first ? "DESC" : "ASC";
    AUTO_SQL sql = SQL_INIT;
    buf_add_c(&sql, "SELECT " TASK_COLUMNS);
    sql_tasks_where(&sql, q);
    if (id_is_none(q->step_id))
        buf_printf(&sql, " ORDER BY s.number %s, t.n %s", direction, direction);
    else
        buf_printf(&sql, " ORDER BY t.n %s", direction);
    buf_add_c(&sql, " LIMIT ? OFFSET ?");
    AUTO_QUERY query;
    int rc = query_open(&query, c, buf_text(&sql), e);
    if (rc < 0)
        return rc;
    tasks_bind(&query, q);
    bind_number(&query, q->limit);
    bind_number(&query, q->offset);
    struct rows rows = {0};
    while ((rc = query_step(&query, e)) > 0)
        rows_add(&rows, task_read(&query, a));
    *ret_rows = (struct task_row **)rows_finish(&rows, a, ret_count);
    return rc < 0 ? rc : tasks_total(c, q, ret_total, e);
}

int sqlite_group_errors(struct store_reader *r, struct id step_id, int64_t limit,
                        struct arena *a, struct error_group **ret_groups, size_t *ret_count,
                        struct err *e)
{
    char sql[256];
    snprintf(sql, sizeof(sql),
             "SELECT ifnull(cause, ''), count(*) FROM tasks WHERE step ="
             " (SELECT n FROM steps WHERE id = ?) AND status = %d"
             " GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT ?",
             JOB_FAILED);
    AUTO_QUERY q;
    int rc = query_open(&q, sqlite_reader(r)->conn, sql, e);
    if (rc < 0)
        return rc;
    bind_id(&q, step_id);
    bind_number(&q, limit);
    struct error_group *groups = NULL;
    size_t count = 0, cap = 0;
    while ((rc = query_step(&q, e)) > 0) {
        MEM_GROW(groups, count, cap);
        groups[count].message = column_text(&q, a);
        groups[count++].count = column_number(&q);
    }
    *ret_groups = arena_alloc(a, count * sizeof(**ret_groups));
    for (size_t i = 0; i < count; i++)
        (*ret_groups)[i] = groups[i];
    *ret_count = count;
    free(groups);
    return rc;
}

/* ---- documents and definitions ---- */

/* WHERE with ? for each of what documents_bind() binds. */
static void documents_where(struct buf *sql, const struct document_query *q)
{
    buf_add_c(sql, " FROM documents WHERE " DOCUMENT_IS_THERE);
    if (!id_is_none(q->job_id))
        buf_add_c(sql, " AND job_id = ?");
    if (q->since_us)
        buf_add_c(sql, " AND created_at >= ?");
    if (q->host) /* after "http" or "https" */
        buf_add_c(sql, " AND instr(url, '://' || ? || '/') BETWEEN 5 AND 6");
    for (int i = 0; i < DOCUMENT_WORDS_MAX && q->words[i]; i++)
        buf_add_c(sql, " AND has_word(?, url, title, markdown)");
}

static void documents_bind(struct query *query, const struct document_query *q)
{
    if (!id_is_none(q->job_id))
        bind_id(query, q->job_id);
    if (q->since_us)
        bind_number(query, q->since_us);
    if (q->host)
        bind_text(query, q->host);
    for (int i = 0; i < DOCUMENT_WORDS_MAX && q->words[i]; i++)
        bind_text(query, q->words[i]);
}

static int documents_total(struct conn *c, const struct document_query *q, int64_t *ret_total,
                           struct err *e)
{
    AUTO_SQL sql = SQL_INIT;
    buf_add_c(&sql, "SELECT count(*)");
    documents_where(&sql, q);
    AUTO_QUERY query;
    int r = query_open(&query, c, buf_text(&sql), e);
    if (r < 0)
        return r;
    documents_bind(&query, q);
    r = query_step(&query, e);
    if (r < 0)
        return r;
    *ret_total = column_number(&query);
    return 0;
}

int sqlite_list_documents(struct store_reader *r, const struct document_query *q,
                          struct arena *a, struct document_row ***ret_rows, size_t *ret_count,
                          int64_t *ret_total, struct err *e)
{
    struct conn *c = sqlite_reader(r)->conn;
    AUTO_SQL sql = SQL_INIT;
    buf_printf(&sql, "SELECT " DOCUMENT_COLUMNS "%s", q->with_markdown ? ", markdown" : "");
    documents_where(&sql, q);
    buf_printf(&sql, " ORDER BY n%s LIMIT ? OFFSET ?", id_is_none(q->job_id) ? " DESC" : "");
    AUTO_QUERY query;
    int rc = query_open(&query, c, buf_text(&sql), e);
    if (rc < 0)
        return rc;
    documents_bind(&query, q);
    bind_number(&query, q->limit);
    bind_number(&query, q->offset);
    struct rows rows = {0};
    while ((rc = query_step(&query, e)) > 0)
        rows_add(&rows, document_read(&query, q->with_markdown, a));
    *ret_rows = (struct document_row **)rows_finish(&rows, a, ret_count);
    if (rc < 0 || !is_last_page(*ret_count, q->limit, q->offset))
        return rc < 0 ? rc : documents_total(c, q, ret_total, e);
    *ret_total = q->offset + (int64_t)*ret_count;
    return 0;
}

int sqlite_list_definitions(struct store_reader *r, struct arena *a,
                            struct definition_row ***ret_rows, size_t *ret_count, struct err *e)
{
    AUTO_QUERY q;
    int rc = query_open(&q, sqlite_reader(r)->conn,
                        "SELECT id, source, is_json, created_at, updated_at FROM definitions"
                        " ORDER BY id",
                        e);
    if (rc < 0)
        return rc;
    struct rows rows = {0};
    while ((rc = query_step(&q, e)) > 0) {
        struct definition_row *row = arena_alloc(a, sizeof(*row));
        row->id = column_text(&q, a);
        row->source = column_text(&q, a);
        row->is_json = column_number(&q) != 0;
        row->created_at_us = column_number(&q);
        row->updated_at_us = column_number(&q);
        rows_add(&rows, row);
    }
    *ret_rows = (struct definition_row **)rows_finish(&rows, a, ret_count);
    return rc;
}

int sqlite_list_schedules(struct store_reader *r, struct arena *a,
                          struct schedule_row ***ret_rows, size_t *ret_count, struct err *e)
{
    AUTO_QUERY q;
    int rc = query_open(&q, sqlite_reader(r)->conn,
                        "SELECT definition_id, key, decided_at, queued_at, paused"
                        " FROM schedules ORDER BY definition_id",
                        e);
    if (rc < 0)
        return rc;
    struct rows rows = {0};
    while ((rc = query_step(&q, e)) > 0) {
        struct schedule_row *row = arena_alloc(a, sizeof(*row));
        row->definition_id = column_text(&q, a);
        row->key = column_text(&q, a);
        row->decided_at_us = column_number(&q);
        row->queued_at_us = column_number(&q);
        row->paused = column_number(&q) != 0;
        rows_add(&rows, row);
    }
    *ret_rows = (struct schedule_row **)rows_finish(&rows, a, ret_count);
    return rc;
}

int sqlite_list_deliveries(struct store_reader *r, struct arena *a,
                           struct delivery_row ***ret_rows, size_t *ret_count, struct err *e)
{
    AUTO_QUERY q;
    int rc = query_open(&q, sqlite_reader(r)->conn,
                        "SELECT id, job_id, definition_id, target, body, attempts, created_at,"
                        " due_at FROM deliveries ORDER BY id",
                        e);
    if (rc < 0)
        return rc;
    struct rows rows = {0};
    while ((rc = query_step(&q, e)) > 0) {
        struct delivery_row *row = arena_alloc(a, sizeof(*row));
        row->id = column_id(&q);
        row->job_id = column_id(&q);
        row->definition_id = column_text(&q, a);
        row->target = column_text(&q, a);
        row->body = column_text(&q, a);
        row->attempts = (int)column_number(&q);
        row->created_at_us = column_number(&q);
        row->due_at_us = column_number(&q);
        rows_add(&rows, row);
    }
    *ret_rows = (struct delivery_row **)rows_finish(&rows, a, ret_count);
    return rc;
}
