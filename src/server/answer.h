/* answer.h: rows of the store as the API shows them. Thread: any. */
#pragma once

#include "base/json.h"
#include "store/store.h"

/* Each writes one object. `cursor` is written when epoch is not NULL, and the job's position
 * among those that wait for the same then, or when it is given (from 1; 0: not known). */
CHECKED int answer_write_job(struct store_reader *reader, const struct job_row *row,
                             const char *epoch, int64_t position, struct json *j,
                             struct err *e);
void answer_write_step(const struct step_row *row, const char *epoch, uint64_t as_of,
                       struct json *j);
void answer_write_task(const struct task_row *row, const char *type, const char *epoch,
                       uint64_t as_of, struct json *j);
void answer_write_document(const struct document_row *row, bool markdown, struct json *j);

/* "total_count", "limit", "offset" as members. */
void answer_write_page(struct json *j, int64_t total, int64_t limit, int64_t offset);

/* What an id stands for: fills exactly one of the rows. E_NOTFOUND. */
struct node_row {
    struct job_row *job;
    struct step_row *step;
    struct task_row *task;
};
CHECKED int answer_find(struct store_reader *reader, struct id id, struct arena *a,
                        struct node_row *ret_row, struct err *e);
