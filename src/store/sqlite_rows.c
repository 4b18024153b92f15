/* One row by its id. */
#include "store/sqlite_rows.h"

struct job_row *job_read(struct query *q, struct arena *a)
{
    struct job_row *row = arena_alloc(a, sizeof(*row));
    row->id = column_id(q);
    row->definition_id = column_text(q, a);
    row->name = column_text(q, a);
    row->status = (enum job_state)column_number(q);
    row->created_at_us = column_number(q);
    row->started_at_us = column_number(q);
    row->completed_at_us = column_number(q);
    row->updated_at_us = column_number(q);
    row->error = column_text(q, a);
    row->cause = column_text(q, a);
    row->lines = (uint64_t)column_number(q);
    row->source_is_json = column_number(q) != 0;
    row->parameters = column_text(q, a);
    row->source = column_text(q, a);
    row->started_by = column_text(q, a);
    row->parent_id = column_id(q);
    row->priority = (int)column_number(q);
    row->pool = column_text(q, a);
    row->waits_for = column_text(q, a);
    row->family = (int)column_number(q);
    row->bytes = column_number(q);
    row->end_seq = (uint64_t)column_number(q);
    return row;
}

struct step_row *step_read(struct query *q, struct arena *a)
{
    struct step_row *row = arena_alloc(a, sizeof(*row));
    row->id = column_id(q);
    row->job_id = column_id(q);
    row->number = (int)column_number(q);
    row->name = column_text(q, a);
    row->type = column_text(q, a);
    row->depends = column_text(q, a);
    row->status = (enum job_state)column_number(q);
    row->started_at_us = column_number(q);
    row->completed_at_us = column_number(q);
    row->updated_at_us = column_number(q);
    row->error = column_text(q, a);
    row->cause = column_text(q, a);
    row->progress_text = column_text(q, a);
    for (int i = 0; i < TASK_COUNTS; i++)
        row->tasks[i] = column_number(q);
    row->lines = (uint64_t)column_number(q);
    for (int i = 0; i < LEVEL_COUNT; i++)
        row->lines_by_level[i] = (uint64_t)column_number(q);
    row->documents = column_number(q);
    row->first_error = (uint64_t)column_number(q);
    row->last_error = (uint64_t)column_number(q);
    row->told_lines = column_text(q, a);
    row->outputs = column_text(q, a);
    row->bytes = column_number(q);
    row->kill_at_us = column_number(q);
    return row;
}

struct task_row *task_read(struct query *q, struct arena *a)
{
    struct task_row *row = arena_alloc(a, sizeof(*row));
    row->id = column_id(q);
    row->job_id = column_id(q);
    row->step_id = column_id(q);
    row->number = column_number(q) & UINT32_MAX; /* above it: the step */
    row->key = column_text(q, a);
    row->payload = column_text(q, a);
    row->status = (enum job_state)column_number(q);
    row->attempt = (int)column_number(q);
    row->created_at_us = column_number(q);
    row->started_at_us = column_number(q);
    row->completed_at_us = column_number(q);
    row->due_at_us = column_number(q);
    row->cause = column_text(q, a);
    return row;
}

struct document_row *document_read(struct query *q, bool with_markdown, struct arena *a)
{
    struct document_row *row = arena_alloc(a, sizeof(*row));
    row->id = column_id(q);
    row->job_id = column_id(q);
    row->step_id = column_id(q);
    row->url = column_text(q, a);
    row->title = column_text(q, a);
    row->description = column_text(q, a);
    row->published = column_text(q, a);
    row->created_at_us = column_number(q);
    row->metadata = column_text(q, a);
    if (with_markdown)
        row->markdown = column_text(q, a);
    return row;
}

/* Opens `sql`, whose only parameter is the id, and steps to its row; E_NOTFOUND. */
static int row_find(struct query *q, struct store_reader *r, const char *sql, const char *what,
                    struct id id, struct err *e)
{
    int rc = query_open(q, sqlite_reader(r)->conn, sql, e);
    if (rc < 0)
        return rc;
    bind_id(q, id);
    rc = query_step(q, e);
    return rc == 0 ? fail(e, E_NOTFOUND, "there is no %s %s", what, ID_TEXT(id)) : rc;
}

int sqlite_get_job(struct store_reader *r, struct id id, struct arena *a,
                   struct job_row **ret_row, struct err *e)
{
    AUTO_QUERY q;
    int rc = row_find(&q, r, "SELECT " JOB_COLUMNS " FROM jobs WHERE id = ?", "job", id, e);
    if (rc < 0)
        return rc;
    *ret_row = job_read(&q, a);
    return 0;
}

int sqlite_get_step(struct store_reader *r, struct id id, struct arena *a,
                    struct step_row **ret_row, struct err *e)
{
    AUTO_QUERY q;
    int rc = row_find(&q, r, "SELECT " STEP_COLUMNS " FROM steps WHERE id = ?", "step", id, e);
    if (rc < 0)
        return rc;
    *ret_row = step_read(&q, a);
    return 0;
}

int sqlite_get_task(struct store_reader *r, struct id id, struct arena *a,
                    struct task_row **ret_row, struct err *e)
{
    AUTO_QUERY q;
    int rc = row_find(&q, r,
                      "SELECT " TASK_COLUMNS
                      " FROM tasks t JOIN steps s ON s.n = t.step WHERE t.id = ?",
                      "task", id, e);
    if (rc < 0)
        return rc;
    *ret_row = task_read(&q, a);
    return 0;
}

int sqlite_get_document(struct store_reader *r, struct id id, struct arena *a,
                        struct document_row **ret_row, struct err *e)
{
    AUTO_QUERY q;
    int rc = row_find(&q, r,
                      "SELECT " DOCUMENT_COLUMNS ", markdown FROM documents"
                      " WHERE id = ? AND " DOCUMENT_IS_THERE,
                      "document", id, e);
    if (rc < 0)
        return rc;
    *ret_row = document_read(&q, true, a);
    return 0;
}
