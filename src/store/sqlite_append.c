/* The happy path of a batch: its events get their numbers; then, in one transaction, they
 * become a journal row (or several, when they are many: who reads a few lines, and the
 * compactor between two commits, must not have to unpack them all), all rows are written, and
 * COMMIT brings that to the disk. When anything fails, the transaction is rolled back and the
 * batch is as it was. */
#include <string.h>

#include "base/clock.h"
#include "base/fault.h"
#include "base/limits.h"
#include "base/mem.h"
#include "store/sqlite.h"

/* ---- transactions ---- */

/* Like conn_exec(), but stays prepared. */
static int run(struct conn *c, const char *sql, struct err *e)
{
    AUTO_QUERY q;
    int r = query_open(&q, c, sql, e);
    return r < 0 ? r : query_run(&q, e);
}

int sqlite_begin(struct sqlite_store *s, struct err *e)
{
    pthread_mutex_lock(&s->commit_lock);
    int r = run(s->writer, "BEGIN IMMEDIATE", e);
    if (r < 0)
        pthread_mutex_unlock(&s->commit_lock);
    return r;
}

int sqlite_end(struct sqlite_store *s, int r, struct err *e)
{
    if (r >= 0)
        r = run(s->writer, "COMMIT", e);
    if (r < 0 && !sqlite3_get_autocommit(s->writer->db)) /* some errors roll back themselves */
        (void)sqlite3_exec(s->writer->db, "ROLLBACK", NULL, NULL, NULL);
    pthread_mutex_unlock(&s->commit_lock);
    return r;
}

/* ---- rows ---- */

static int job_write(struct conn *c, struct job_row *row, uint64_t last_seq, struct err *e)
{
    AUTO_QUERY q;
    int r = query_open(&q, c,
                       "INSERT INTO jobs(id, definition_id, name, status, created_at,"
                       " started_at, completed_at, updated_at, error, cause, lines,"
                       " source_is_json, parameters, source, started_by, parent_id,"
                       " priority, pool, waits_for, family,"
                       " bytes, end_seq) VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)"
                       " ON CONFLICT(id) DO UPDATE SET"
                       " definition_id = excluded.definition_id, name = excluded.name,"
                       " status = excluded.status, created_at = excluded.created_at,"
                       " started_at = excluded.started_at,"
                       " completed_at = excluded.completed_at,"
                       " updated_at = excluded.updated_at, error = excluded.error,"
                       " cause = excluded.cause, lines = excluded.lines,"
                       " source_is_json = excluded.source_is_json,"
                       " parameters = excluded.parameters, source = excluded.source,"
                       " started_by = excluded.started_by,"
                       " priority = excluded.priority, pool = excluded.pool,"
                       " waits_for = excluded.waits_for, family = excluded.family,"
                       " parent_id = excluded.parent_id, bytes = excluded.bytes,"
                       " end_seq = CASE WHEN excluded.end_seq = 0 OR end_seq = 0"
                       " THEN excluded.end_seq ELSE end_seq END RETURNING end_seq",
                       e);
    if (r < 0)
        return r;
    bind_id(&q, row->id);
    bind_text(&q, row->definition_id);
    bind_text(&q, row->name);
    bind_number(&q, row->status);
    bind_number(&q, row->created_at_us);
    bind_number(&q, row->started_at_us);
    bind_number(&q, row->completed_at_us);
    bind_number(&q, row->updated_at_us);
    bind_text(&q, row->error);
    bind_text(&q, row->cause);
    bind_number(&q, (int64_t)row->lines);
    bind_number(&q, row->source_is_json);
    bind_text(&q, row->parameters);
    bind_text(&q, row->source);
    bind_text(&q, row->started_by);
    bind_id(&q, row->parent_id);
    bind_number(&q, row->priority);
    bind_text(&q, row->pool);
    bind_text(&q, row->waits_for);
    bind_number(&q, row->family);
    bind_number(&q, row->bytes);
    bind_number(&q, job_state_is_final(row->status) ? (int64_t)last_seq : 0);
    r = query_step(&q, e);
    if (r < 0)
        return r;
    row->end_seq = (uint64_t)column_number(&q);
    return query_run(&q, e);
}

static void bind_step_state(struct query *q, const struct step_row *row)
{
    bind_number(q, row->status);
    bind_number(q, row->started_at_us);
    bind_number(q, row->completed_at_us);
    bind_number(q, row->updated_at_us);
    bind_text(q, row->error);
    bind_text(q, row->cause);
    bind_text(q, row->progress_text);
    for (int i = 0; i < TASK_COUNTS; i++)
        bind_number(q, row->tasks[i]);
    bind_number(q, (int64_t)row->lines);
    for (int i = 0; i < LEVEL_COUNT; i++)
        bind_number(q, (int64_t)row->lines_by_level[i]);
    bind_number(q, row->documents);
    bind_number(q, (int64_t)row->first_error);
    bind_number(q, (int64_t)row->last_error);
    bind_text(q, row->told_lines);
    bind_text(q, row->outputs);
    bind_number(q, row->bytes);
    bind_number(q, row->kill_at_us);
}

/* Its number is one that no step has had whose tasks may still be there. */
static int step_write(struct conn *c, const struct step_row *row, struct err *e)
{
    AUTO_QUERY q;
    int r = query_open(&q, c,
                       "INSERT INTO steps(n, id, job_id, number, name, type, depends, status,"
                       " started_at, completed_at, updated_at, error, cause, progress_text,"
                       " pending, running, completed, failed, cancelled, lines, debug, info,"
                       " warn, error_lines, documents, first_error, last_error, told_lines,"
                       " outputs, bytes, kill_at)"
                       " VALUES((SELECT max(n) + 1 FROM (SELECT max(n) AS n FROM steps"
                       " UNION ALL SELECT max(step) FROM garbage)),"
                       "?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)"
                       " ON CONFLICT(id) DO UPDATE SET job_id = excluded.job_id,"
                       " number = excluded.number, name = excluded.name,"
                       " type = excluded.type, depends = excluded.depends,"
                       " status = excluded.status, started_at = excluded.started_at,"
                       " completed_at = excluded.completed_at,"
                       " updated_at = excluded.updated_at, error = excluded.error,"
                       " cause = excluded.cause, progress_text = excluded.progress_text,"
                       " pending = excluded.pending, running = excluded.running,"
                       " completed = excluded.completed, failed = excluded.failed,"
                       " cancelled = excluded.cancelled, lines = excluded.lines,"
                       " debug = excluded.debug, info = excluded.info, warn = excluded.warn,"
                       " error_lines = excluded.error_lines, documents = excluded.documents,"
                       " first_error = excluded.first_error, last_error = excluded.last_error,"
                       " told_lines = excluded.told_lines, outputs = excluded.outputs,"
                       " bytes = excluded.bytes, kill_at = excluded.kill_at",
                       e);
    if (r < 0)
        return r;
    bind_id(&q, row->id);
    bind_id(&q, row->job_id);
    bind_number(&q, row->number);
    bind_text(&q, row->name);
    bind_text(&q, row->type);
    bind_text(&q, row->depends);
    bind_step_state(&q, row);
    return query_run(&q, e);
}

/* Of every step that wrote, with each commit: no index is touched. */
static int step_write_state(struct conn *c, const struct step_row *row, struct err *e)
{
    AUTO_QUERY q;
    int r =
        query_open(&q, c,
                   "UPDATE steps SET status = ?, started_at = ?, completed_at = ?,"
                   " updated_at = ?, error = ?, cause = ?, progress_text = ?, pending = ?,"
                   " running = ?, completed = ?, failed = ?, cancelled = ?, lines = ?,"
                   " debug = ?, info = ?, warn = ?, error_lines = ?, documents = ?,"
                   " first_error = ?, last_error = ?, told_lines = ?, outputs = ?, bytes = ?,"
                   " kill_at = ?"
                   " WHERE id = ?",
                   e);
    if (r < 0)
        return r;
    bind_step_state(&q, row);
    bind_id(&q, row->id);
    r = query_run(&q, e);
    if (r >= 0 && sqlite3_changes(c->db) == 0)
        return fail(e, E_NOTFOUND, "there is no step %s", ID_TEXT(row->id));
    return r;
}

/* FNV-1a. It need not resist anyone: equal hashes are told apart by their keys. */
static int64_t key_hash(const char *key)
{
    uint64_t h = 0xcbf29ce484222325u;
    for (const char *p = key ? key : ""; *p; p++)
        h = (h ^ (unsigned char)*p) * 0x100000001b3u;
    return (int64_t)(h >> 16); /* six bytes in the index */
}

static int step_number(struct conn *c, struct id step_id, int64_t *ret_n, struct err *e)
{
    AUTO_QUERY q;
    int r = query_open(&q, c, "SELECT n FROM steps WHERE id = ?", e);
    if (r < 0)
        return r;
    bind_id(&q, step_id);
    r = query_step(&q, e);
    if (r == 0)
        return fail(e, E_NOTFOUND, "there is no step %s", ID_TEXT(step_id));
    if (r > 0)
        *ret_n = column_number(&q);
    return r;
}

static int key_check(struct conn *c, const struct task_row *row, int64_t step, struct err *e)
{
    AUTO_QUERY q;
    int r = query_open(&q, c,
                       "SELECT 1 FROM tasks WHERE step = ? AND key_hash = ? AND key = ?"
                       " AND id <> ?",
                       e);
    if (r < 0)
        return r;
    bind_number(&q, step);
    bind_number(&q, key_hash(row->key));
    bind_text(&q, row->key ? row->key : "");
    bind_id(&q, row->id);
    r = query_step(&q, e);
    if (r > 0)
        return fail(e, E_EXISTS, "step %s has a task for '%.200s' already",
                    ID_TEXT(row->step_id), row->key ? row->key : "");
    return r;
}

static int task_write(struct conn *c, const struct task_row *row, struct err *e)
{
    int64_t step = 0;
    int r = step_number(c, row->step_id, &step, e);
    if (r >= 0)
        r = key_check(c, row, step, e);
    if (r < 0)
        return r;
    AUTO_QUERY q;
    r = query_open(&q, c,
                   "INSERT INTO tasks(n, id, step, key_hash, status, attempt, created_at,"
                   " started_at, completed_at, due_at, cause, key, payload)"
                   " VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?) ON CONFLICT(id) DO UPDATE SET"
                   " n = excluded.n, step = excluded.step, key_hash = excluded.key_hash,"
                   " status = excluded.status, attempt = excluded.attempt,"
                   " created_at = excluded.created_at, started_at = excluded.started_at,"
                   " completed_at = excluded.completed_at, due_at = excluded.due_at,"
                   " cause = excluded.cause, key = excluded.key, payload = excluded.payload",
                   e);
    if (r < 0)
        return r;
    bind_number(&q, step << 32 | (row->number & UINT32_MAX));
    bind_id(&q, row->id);
    bind_number(&q, step);
    bind_number(&q, key_hash(row->key));
    bind_number(&q, row->status);
    bind_number(&q, row->attempt);
    bind_number(&q, row->created_at_us);
    bind_number(&q, row->started_at_us);
    bind_number(&q, row->completed_at_us);
    bind_number(&q, row->due_at_us);
    bind_text(&q, row->cause);
    bind_text(&q, row->key ? row->key : "");
    bind_text(&q, row->payload);
    return query_run(&q, e);
}

static int task_write_state(struct conn *c, const struct task_row *row, struct err *e)
{
    AUTO_QUERY q;
    int r = query_open(&q, c,
                       "UPDATE tasks SET status = ?, attempt = ?, started_at = ?,"
                       " completed_at = ?, due_at = ?, cause = ? WHERE id = ?",
                       e);
    if (r < 0)
        return r;
    bind_number(&q, row->status);
    bind_number(&q, row->attempt);
    bind_number(&q, row->started_at_us);
    bind_number(&q, row->completed_at_us);
    bind_number(&q, row->due_at_us);
    bind_text(&q, row->cause);
    bind_id(&q, row->id);
    r = query_run(&q, e);
    if (r >= 0 && sqlite3_changes(c->db) == 0)
        return fail(e, E_NOTFOUND, "there is no task %s", ID_TEXT(row->id));
    return r;
}

static int document_write(struct conn *c, const struct document_row *row, struct err *e)
{
    AUTO_QUERY q;
    int r = query_open(&q, c,
                       "INSERT INTO documents(id, job_id, step_id, url, title, description,"
                       " published, created_at, metadata, markdown)"
                       " VALUES(?,?,?,?,?,?,?,?,?,?) ON CONFLICT(id) DO UPDATE SET"
                       " job_id = excluded.job_id, step_id = excluded.step_id,"
                       " url = excluded.url, title = excluded.title,"
                       " description = excluded.description, published = excluded.published,"
                       " created_at = excluded.created_at, metadata = excluded.metadata,"
                       " markdown = excluded.markdown",
                       e);
    if (r < 0)
        return r;
    bind_id(&q, row->id);
    bind_id(&q, row->job_id);
    bind_id(&q, row->step_id);
    bind_text(&q, row->url);
    bind_text(&q, row->title);
    bind_text(&q, row->description);
    bind_text(&q, row->published);
    bind_number(&q, row->created_at_us);
    bind_text(&q, row->metadata);
    bind_text(&q, row->markdown);
    return query_run(&q, e);
}

static int definition_write(struct conn *c, const struct definition_row *row, struct err *e)
{
    AUTO_QUERY q;
    int r = query_open(&q, c,
                       "INSERT INTO definitions(id, source, is_json, created_at, updated_at)"
                       " VALUES(?,?,?,?,?) ON CONFLICT(id) DO UPDATE SET"
                       " source = excluded.source, is_json = excluded.is_json,"
                       " created_at = excluded.created_at, updated_at = excluded.updated_at",
                       e);
    if (r < 0)
        return r;
    bind_text(&q, row->id);
    bind_text(&q, row->source);
    bind_number(&q, row->is_json);
    bind_number(&q, row->created_at_us);
    bind_number(&q, row->updated_at_us);
    return query_run(&q, e);
}

static int definition_delete(struct conn *c, const char *id, struct err *e)
{
    static const char *const statements[] = {
        "DELETE FROM definitions WHERE id = ?",
        "DELETE FROM schedules WHERE definition_id = ?",
    };
    int r = 0;
    for (size_t i = 0; i < ARRAY_LEN(statements) && r >= 0; i++) {
        AUTO_QUERY q;
        r = query_open(&q, c, statements[i], e);
        if (r < 0)
            return r;
        bind_text(&q, id);
        r = query_run(&q, e);
    }
    return r;
}

static int schedule_write(struct conn *c, const struct schedule_row *row, struct err *e)
{
    AUTO_QUERY q;
    int r = query_open(&q, c, "INSERT OR REPLACE INTO schedules VALUES(?,?,?,?,?)", e);
    if (r < 0)
        return r;
    bind_text(&q, row->definition_id);
    bind_text(&q, row->key);
    bind_number(&q, row->decided_at_us);
    bind_number(&q, row->queued_at_us);
    bind_number(&q, row->paused);
    return query_run(&q, e);
}

static int delivery_write(struct conn *c, const struct delivery_row *row, struct err *e)
{
    AUTO_QUERY q;
    int r = query_open(&q, c, "INSERT OR REPLACE INTO deliveries VALUES(?,?,?,?,?,?,?,?)", e);
    if (r < 0)
        return r;
    bind_id(&q, row->id);
    bind_id(&q, row->job_id);
    bind_text(&q, row->definition_id);
    bind_text(&q, row->target);
    bind_text(&q, row->body);
    bind_number(&q, row->attempts);
    bind_number(&q, row->created_at_us);
    bind_number(&q, row->due_at_us);
    return query_run(&q, e);
}

static int delivery_delete(struct conn *c, struct id id, struct err *e)
{
    AUTO_QUERY q;
    int r = query_open(&q, c, "DELETE FROM deliveries WHERE id = ?", e);
    if (r < 0)
        return r;
    bind_id(&q, id);
    return query_run(&q, e);
}

/* However much it wrote: what is seen of it at once is gone at once, the rest is garbage that
 * is swept piece by piece (sqlite_garbage.c). */
static int job_delete(struct sqlite_store *s, struct id job_id, uint64_t last_seq,
                      struct err *e)
{
    static const char *const statements[] = {
        "INSERT INTO garbage(job_id, step) SELECT job_id, n FROM steps WHERE job_id = ?",
        "INSERT INTO garbage(job_id, step) VALUES(?, 0)",
        "DELETE FROM steps WHERE job_id = ?",
        "DELETE FROM jobs WHERE id = ?",
        "INSERT OR IGNORE INTO deleted VALUES(?)",
    };
    for (size_t i = 0; i < ARRAY_LEN(statements); i++) {
        AUTO_QUERY q;
        int r = query_open(&q, s->writer, statements[i], e);
        if (r < 0)
            return r;
        bind_id(&q, job_id);
        r = query_run(&q, e);
        if (r < 0)
            return r;
    }
    AUTO_QUERY q;
    int r =
        query_open(&q, s->writer, "INSERT OR REPLACE INTO meta VALUES('deleted_seq', ?)", e);
    if (r < 0)
        return r;
    bind_number(&q, (int64_t)last_seq);
    r = query_run(&q, e);
    s->has_garbage = true;
    return r;
}

static int change_write(struct sqlite_store *s, struct change *change, uint64_t last_seq,
                        struct err *e)
{
    switch (change->kind) {
    case CHANGE_JOB:
        return job_write(s->writer, change->job, last_seq, e);
    case CHANGE_STEP:
        return step_write(s->writer, change->step, e);
    case CHANGE_STEP_STATE:
        return step_write_state(s->writer, change->step, e);
    case CHANGE_TASK:
        return task_write(s->writer, change->task, e);
    case CHANGE_TASK_STATE:
        return task_write_state(s->writer, change->task, e);
    case CHANGE_DOCUMENT:
        return document_write(s->writer, change->document, e);
    case CHANGE_DEFINITION:
        return definition_write(s->writer, change->definition, e);
    case CHANGE_DEFINITION_DELETE:
        return definition_delete(s->writer, change->definition_id, e);
    case CHANGE_SCHEDULE:
        return schedule_write(s->writer, change->schedule, e);
    case CHANGE_DELIVERY:
        return delivery_write(s->writer, change->delivery, e);
    case CHANGE_DELIVERY_DELETE:
        return delivery_delete(s->writer, change->delivery_id, e);
    case CHANGE_JOB_DELETE:
        if (FAULT(STORE_DELETE))
            return fault_fail(e);
        return job_delete(s, change->job_id, last_seq, e);
    }
    return 0;
}

/* ---- the batch ---- */

int sqlite_stream(struct conn *c, struct id job_id, struct id step_id, int64_t *ret_stream,
                  struct err *e)
{
    AUTO_QUERY q;
    int r = query_open(&q, c,
                       "INSERT INTO streams(job_id, step_id) VALUES(?,?)"
                       " ON CONFLICT DO UPDATE SET job_id = job_id RETURNING n",
                       e);
    if (r < 0)
        return r;
    bind_id(&q, job_id);
    bind_id(&q, step_id);
    r = query_step(&q, e);
    if (r < 0)
        return r;
    *ret_stream = column_number(&q);
    return query_run(&q, e);
}

static int journal_write_row(struct conn *c, const struct event_batch *events, size_t from,
                             size_t to, struct journal_size *size, struct err *e)
{
    struct str blob;
    int r = codec_encode(c->codec, events, from, to, CODEC_JOURNAL, &blob, e);
    if (r < 0)
        return r;
    AUTO_QUERY q;
    r = query_open(&q, c, "INSERT INTO journal VALUES(?,?,?)", e);
    if (r < 0)
        return r;
    bind_number(&q, (int64_t)events->events[from].seq);
    bind_number(&q, (int64_t)events->events[to - 1].seq);
    bind_blob(&q, blob);
    size->rows++;
    size->bytes += (int64_t)blob.n;
    return query_run(&q, e);
}

size_t sqlite_slice(const struct event_batch *events, size_t from, size_t *bytes)
{
    size_t n = 0, to = from;
    for (; to < events->count && n < LIMIT_CHUNK_BYTES; to++)
        n += events->events[to].message_n + events->events[to].members_n;
    *bytes += n;
    return to;
}

static int batch_write(struct sqlite_store *s, struct batch *batch, uint64_t last_seq,
                       struct journal_size *size, struct err *e)
{
    int r = 0;
    size_t bytes = 0;
    for (size_t from = 0, to; from < batch->events.count && r >= 0; from = to) {
        to = sqlite_slice(&batch->events, from, &bytes);
        r = journal_write_row(s->writer, &batch->events, from, to, size, e);
    }
    if (r >= 0 && FAULT(STORE_COMMIT_ROWS))
        r = fault_fail(e);
    for (size_t i = 0; i < batch->change_count && r >= 0; i++)
        r = change_write(s, &batch->changes[i], last_seq, e);
    if (r >= 0 && FAULT(STORE_COMMIT_BEFORE_FSYNC))
        r = fault_fail(e);
    return r;
}

static int batch_commit(struct sqlite_store *s, struct batch *batch, uint64_t last_seq,
                        struct journal_size *size, struct err *e)
{
    if (FAULT(STORE_COMMIT_BEFORE))
        return fault_fail(e);
    int r = sqlite_begin(s, e);
    if (r < 0)
        return r;
    r = sqlite_end(s, batch_write(s, batch, last_seq, size, e), e);
    if (r >= 0)
        FAULT_KILLS(STORE_COMMIT_AFTER);
    return r;
}

int sqlite_append(struct store *base, struct batch *batch, struct err *e)
{
    struct sqlite_store *s = sqlite_store(base);
    uint64_t head = atomic_load(&s->head);
    uint64_t last_seq = head + batch->events.count;
    struct journal_size size = {0};
    store_number_events(batch, head);
    int r = batch_commit(s, batch, last_seq, &size, e);
    if (r < 0) {
        store_unnumber_events(batch);
        return r;
    }
    if (s->journal.rows == 0)
        s->journal_since_us = clock_mono_us();
    s->appended_us = clock_mono_us();
    s->journal.rows += size.rows;
    s->journal.bytes += size.bytes;
    atomic_store(&s->head, last_seq);
    mark_write(s, last_seq);
    return 0;
}
