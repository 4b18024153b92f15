/* sqlite_rows.h: the columns of each kind of row, and how one is read. Only src/store/.
 *
 * The list of columns and the reading function belong together: same members, same order. */
#pragma once

#include "store/sqlite.h"

#define JOB_COLUMNS                                                                            \
    "id, definition_id, name, status, created_at, started_at, completed_at, updated_at,"       \
    " error, cause, lines, source_is_json, parameters, source,"                                \
    " started_by, parent_id, priority, pool, waits_for, family, bytes, end_seq"
#define STEP_COLUMNS                                                                           \
    "id, job_id, number, name, type, depends, status, started_at, completed_at, updated_at,"   \
    " error, cause, progress_text, pending, running, completed, failed, cancelled, lines,"     \
    " debug, info, warn, error_lines, documents, first_error, last_error, told_lines,"         \
    " outputs, bytes, kill_at"
#define TASK_COLUMNS                                                                           \
    "t.id, s.job_id, s.id, t.n, t.key, t.payload, t.status, t.attempt, t.created_at,"          \
    " t.started_at, t.completed_at, t.due_at, t.cause"
#define DOCUMENT_COLUMNS                                                                       \
    "id, job_id, step_id, url, title, description, published, created_at, metadata"

/* Not one of a job that was deleted. */
#define DOCUMENT_IS_THERE "job_id NOT IN (SELECT job_id FROM garbage)"

struct job_row *job_read(struct query *q, struct arena *a);
struct step_row *step_read(struct query *q, struct arena *a);
struct task_row *task_read(struct query *q, struct arena *a);
/* The markdown is one column more, where it is wanted. */
struct document_row *document_read(struct query *q, bool with_markdown, struct arena *a);
