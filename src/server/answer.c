#include "server/answer.h"

#include "feed/encode.h"

static const char *text_or_empty(const char *text)
{
    return text ? text : "";
}

/* What a job, a step and a task have in common. */
struct head {
    struct id id, parent_id, manager_id;
    enum job_kind kind;
    const char *type, *name;
    enum job_state status;
    int64_t created_at_us, started_at_us, completed_at_us, updated_at_us;
    const char *error, *cause;
};

static void write_head(struct json *j, const struct head *h)
{
    json_key_id(j, "id", h->id);
    json_key_id(j, "parent_id", h->parent_id);
    json_key_id(j, "manager_id", h->manager_id);
    json_key_c(j, "kind", job_kind_name(h->kind));
    json_key_c(j, "type", text_or_empty(h->type));
    json_key_c(j, "name", text_or_empty(h->name));
    json_key_c(j, "status", job_state_name(h->status));
    json_key_time(j, "created_at", h->created_at_us);
    json_key_time(j, "updated_at", h->updated_at_us);
    encode_times(j, h->started_at_us, h->completed_at_us);
    json_key_c(j, "error", text_or_empty(h->error));
    json_key_c(j, "cause", text_or_empty(h->cause));
}

void answer_write_page(struct json *j, int64_t total, int64_t limit, int64_t offset)
{
    json_key_int(j, "total_count", total);
    json_key_int(j, "limit", limit);
    json_key_int(j, "offset", offset);
}

static void write_cursor(struct json *j, const char *epoch, uint64_t as_of)
{
    if (epoch)
        encode_cursor(j, "cursor", epoch, as_of);
}

static int position_find(struct store_reader *reader, const struct job_row *row,
                         int64_t *ret_position, struct err *e)
{
    AUTO_ARENA a = ARENA_INIT;
    struct job_row **none;
    size_t count;
    int64_t before;
    struct job_query q = {.states = 1u << JOB_PENDING, .before = row};
    int code = store_list_jobs(reader, &q, &a, &none, &count, &before, e);
    *ret_position = before + 1;
    return code;
}

static void write_turn(struct json *j, const struct job_row *row, int64_t position)
{
    json_key_int(j, "priority", row->priority);
    json_key_c(j, "pool", text_or_empty(row->pool));
    json_key_c(j, "waits_for", text_or_empty(row->waits_for));
    json_key_int(j, "position", position);
}

/* The job of the task that started this one; none when it is gone. */
static struct id parent_job(struct store_reader *reader, const struct job_row *row,
                            struct arena *a)
{
    struct task_row *task;
    bool is_there = !id_is_none(row->parent_id) &&
                    store_get_task(reader, row->parent_id, a, &task, NULL) >= 0;
    return is_there ? task->job_id : ID_NONE;
}

int answer_write_job(struct store_reader *reader, const struct job_row *row, const char *epoch,
                     int64_t position, struct json *j, struct err *e)
{
    AUTO_ARENA a = ARENA_INIT;
    struct step_row **steps;
    size_t count;
    int64_t counts[TASK_COUNTS] = {0}, documents = 0, bytes = row->bytes;
    int code = store_list_steps(reader, row->id, &a, &steps, &count, e);
    if (code >= 0 && epoch && row->waits_for)
        code = position_find(reader, row, &position, e);
    if (code < 0)
        return code;
    for (size_t i = 0; i < count; i++) {
        documents += steps[i]->documents;
        if (!job_state_is_final(row->status)) /* then its own are those of all */
            bytes += steps[i]->bytes;
        for (int k = 0; k < TASK_COUNTS; k++)
            counts[k] += steps[i]->tasks[k];
    }
    json_begin_object(j);
    write_head(j, &(struct head){row->id, row->parent_id, row->id, KIND_JOB, "job", row->name,
                                 row->status, row->created_at_us, row->started_at_us,
                                 row->completed_at_us, row->updated_at_us, row->error,
                                 job_state_is_final(row->status) ? row->cause : NULL});
    json_key_c(j, "definition_id", text_or_empty(row->definition_id));
    json_key_c(j, "started_by", text_or_empty(row->started_by));
    json_key_id(j, "parent_job_id", parent_job(reader, row, &a));
    write_turn(j, row, position);
    json_key(j, "config");
    json_begin_object(j);
    json_key_raw(j, "parameters", str_of(row->parameters ? row->parameters : "{}"));
    if (epoch) { /* a list does without the long text */
        json_key_c(j, "source", text_or_empty(row->source));
        json_key_c(j, "format", row->source_is_json ? "json" : "yaml");
    }
    json_end_object(j);
    json_key_int(j, "steps", (int64_t)count);
    json_key_int(j, "documents", documents);
    json_key_int(j, "bytes", bytes);
    json_key(j, "children");
    json_begin_object(j);
    encode_counts(j, counts);
    json_end_object(j);
    write_cursor(j, epoch, store_read_as_of(reader));
    json_end_object(j);
    return 0;
}

void answer_write_step(const struct step_row *row, const char *epoch, uint64_t as_of,
                       struct json *j)
{
    json_begin_object(j);
    write_head(j, &(struct head){row->id, row->job_id, row->job_id, KIND_STEP, row->type,
                                 row->name, row->status, 0, row->started_at_us,
                                 row->completed_at_us, row->updated_at_us, row->error,
                                 row->cause});
    json_key_raw(j, "depends", str_of(row->depends ? row->depends : "[]"));
    json_key_c(j, "progress_text", text_or_empty(row->progress_text));
    json_key_int(j, "documents", row->documents);
    json_key_int(j, "bytes", row->bytes);
    json_key_raw(j, "outputs", str_of(row->outputs ? row->outputs : "{}"));
    json_key_int(j, "total_logs", (int64_t)row->lines);
    json_key(j, "children");
    json_begin_object(j);
    encode_counts(j, row->tasks);
    json_end_object(j);
    write_cursor(j, epoch, as_of);
    json_end_object(j);
}

void answer_write_task(const struct task_row *row, const char *type, const char *epoch,
                       uint64_t as_of, struct json *j)
{
    json_begin_object(j);
    write_head(j, &(struct head){
                      row->id, row->step_id, row->job_id, KIND_TASK, type, row->key,
                      row->status, row->created_at_us, row->started_at_us, row->completed_at_us,
                      row->completed_at_us ? row->completed_at_us : row->started_at_us,
                      row->status == JOB_FAILED ? row->cause : NULL, row->cause});
    json_key_int(j, "number", row->number);
    json_key_int(j, "attempt", row->attempt);
    json_key_time(j, "due_at", row->due_at_us);
    json_key_raw(j, "config", str_of(row->payload && row->payload[0] ? row->payload : "{}"));
    write_cursor(j, epoch, as_of);
    json_end_object(j);
}

void answer_write_document(const struct document_row *row, bool markdown, struct json *j)
{
    json_begin_object(j);
    json_key_id(j, "id", row->id);
    json_key_id(j, "job_id", row->job_id);
    json_key_id(j, "step_id", row->step_id);
    json_key_c(j, "url", text_or_empty(row->url));
    json_key_c(j, "title", text_or_empty(row->title));
    json_key_c(j, "description", text_or_empty(row->description));
    json_key_c(j, "published", text_or_empty(row->published));
    if (markdown)
        json_key_c(j, "markdown", text_or_empty(row->markdown));
    json_key_raw(j, "metadata",
                 str_of(row->metadata && row->metadata[0] ? row->metadata : "{}"));
    json_key_time(j, "created_at", row->created_at_us);
    json_end_object(j);
}

int answer_find(struct store_reader *reader, struct id id, struct arena *a,
                struct node_row *ret_row, struct err *e)
{
    struct node_row row = {0};
    int code = store_get_job(reader, id, a, &row.job, e);
    if (code == E_NOTFOUND)
        code = store_get_step(reader, id, a, &row.step, e);
    if (code == E_NOTFOUND)
        code = store_get_task(reader, id, a, &row.task, e);
    if (code == E_NOTFOUND)
        return fail(e, E_NOTFOUND, "there is no job '%s'", ID_TEXT(id));
    if (code >= 0)
        *ret_row = row;
    return code;
}
