/* sqlite.h: what the files of the SQLite store share. Only src/store/ includes it.
 *
 * The tables:
 *   meta         epoch, compacted_seq
 *   journal      one row per commit: all its events, of all jobs; a commit of more than
 *                LIMIT_CHUNK_BYTES has several
 *   chunks       the events of one stream in pieces of up to LIMIT_CHUNK_BYTES, made from
 *                journal rows. A chunk counts once its pass_seq <= compacted_seq
 *   streams      numbers for (job, step); step none: the job itself. Stream 1 is `jobs`, which
 *                holds again the events of TOPIC_JOBS, so that they are read without lines
 *   deleted      jobs that were deleted: their events in journal and `jobs` are passed over
 *   garbage      what is left of them: tasks of a step, and (step 0) documents and chunks
 *   jobs steps tasks documents definitions schedules deliveries   the rows of rows.h
 *
 * A pass of the compactor takes a prefix of the journal, (compacted_seq, pass_seq], writes it
 * as chunks, and then moves compacted_seq and deletes the prefix in one transaction. So the
 * passes tile the sequence, and each seq is either in chunks or in the journal, never in both
 * for one reader.
 *
 * Threads: append and compact on the store thread; readers anywhere, each with its own
 * connection; checkpoints on a thread of their own. */
#pragma once

#include <pthread.h>
#include <stdatomic.h>

#include "store/sqlite_conn.h"
#include "store/store_ops.h"

enum { STREAM_JOBS = 1 };

struct compactor;
struct checkpointer;
struct sqlite_reader;

struct journal_size {
    int64_t rows, bytes; /* of compressed text */
};

struct sqlite_store {
    struct store base;
    char *folder, *path;
    int lock_fd, mark_fd;
    struct conn *writer;
    _Atomic uint64_t head;

    /* of the store thread */
    uint64_t compacted_seq;
    struct journal_size journal; /* not compacted yet */
    int64_t journal_since_us;    /* mono time of the oldest of them */
    struct compactor *compactor;
    int64_t appended_us; /* mono time of the last commit */
    bool has_garbage;    /* of jobs that were deleted, or perhaps */

    /* Held during every write transaction, so that the checkpointer can finish undisturbed. */
    pthread_mutex_t commit_lock;
    struct checkpointer *checkpointer;

    pthread_mutex_t pool_lock;
    struct sqlite_reader *idle_readers;
    int open_readers, idle_count;
};

struct sqlite_reader {
    struct store_reader base;
    struct conn *conn;
    uint64_t compacted_seq;
    bool any_deleted;
    struct sqlite_reader *next;
};

static inline struct sqlite_store *sqlite_store(struct store *s)
{
    return container_of(s, struct sqlite_store, base);
}

static inline struct sqlite_reader *sqlite_reader(struct store_reader *r)
{
    return container_of(r, struct sqlite_reader, base);
}

/* sqlite_schema.c: makes the tables in a new file, or checks that the file is one of ours and
 * whole as far as that can be seen quickly. E_VERSION, E_CORRUPT. */
CHECKED int schema_prepare(struct conn *c, struct err *e);

/* sqlite_mark.c: notices, when the store is opened, that an older copy of the database was put
 * back, and gives it a new epoch; and what it notices it by, after a commit. */
CHECKED int mark_check(struct sqlite_store *s, struct err *e);
void mark_write(const struct sqlite_store *s, uint64_t seq);

/* sqlite_append.c */
CHECKED int sqlite_append(struct store *s, struct batch *batch, struct err *e);

/* A transaction of the writer: begin takes commit_lock, and when it succeeds, end must follow.
 * End commits when `r`, which is what became of the work, is 0 or more, else it rolls back. It
 * gives the first failure of both. */
CHECKED int sqlite_begin(struct sqlite_store *s, struct err *e);
CHECKED int sqlite_end(struct sqlite_store *s, int r, struct err *e);

/* The end of a piece of events that begins at `from` and may be one journal row or chunk. Adds
 * the bytes of its texts to *bytes. */
size_t sqlite_slice(const struct event_batch *events, size_t from, size_t *bytes);

CHECKED int sqlite_stream(struct conn *c, struct id job_id, struct id step_id,
                          int64_t *ret_stream, struct err *e); /* found or added */

/* sqlite_compact.c */
struct compactor *compactor_new(void);
void compactor_free(struct compactor *k);
void compactor_drop_pass(struct compactor *k); /* what was prepared is forgotten */
CHECKED int sqlite_compact(struct store *s, bool idle, struct err *e);
CHECKED int sqlite_drop_leftovers(struct sqlite_store *s, struct err *e); /* in a transaction */
CHECKED int sqlite_clean(struct sqlite_store *s, struct err *e); /* the same in its own */

/* sqlite_garbage.c: frees a piece of what deleted jobs have left. Only between two passes. */
CHECKED int garbage_sweep(struct sqlite_store *s, struct err *e);

/* sqlite_checkpoint.c */
CHECKED int checkpointer_start(struct sqlite_store *s, struct err *e);
void checkpointer_stop(struct sqlite_store *s);

/* sqlite_rows.c, sqlite_lists.c, sqlite_events.c: see store.h */
CHECKED int sqlite_get_job(struct store_reader *r, struct id id, struct arena *a,
                           struct job_row **ret_row, struct err *e);
CHECKED int sqlite_get_step(struct store_reader *r, struct id id, struct arena *a,
                            struct step_row **ret_row, struct err *e);
CHECKED int sqlite_get_task(struct store_reader *r, struct id id, struct arena *a,
                            struct task_row **ret_row, struct err *e);
CHECKED int sqlite_get_document(struct store_reader *r, struct id id, struct arena *a,
                                struct document_row **ret_row, struct err *e);
CHECKED int sqlite_list_jobs(struct store_reader *r, const struct job_query *q, struct arena *a,
                             struct job_row ***ret_rows, size_t *ret_count, int64_t *ret_total,
                             struct err *e);
CHECKED int sqlite_walk_ended(struct store_reader *r, ended_visitor *visit, void *arg,
                              struct err *e);
CHECKED int sqlite_free_bytes(struct store_reader *r, int64_t *ret_bytes, struct err *e);
CHECKED int sqlite_count_jobs(struct store_reader *r, int64_t *ret_counts, struct err *e);
CHECKED int sqlite_list_steps(struct store_reader *r, struct id job_id, struct arena *a,
                              struct step_row ***ret_rows, size_t *ret_count, struct err *e);
CHECKED int sqlite_list_tasks(struct store_reader *r, const struct task_query *q,
                              struct arena *a, struct task_row ***ret_rows, size_t *ret_count,
                              int64_t *ret_total, struct err *e);
CHECKED int sqlite_group_errors(struct store_reader *r, struct id step_id, int64_t limit,
                                struct arena *a, struct error_group **ret_groups,
                                size_t *ret_count, struct err *e);
CHECKED int sqlite_list_documents(struct store_reader *r, const struct document_query *q,
                                  struct arena *a, struct document_row ***ret_rows,
                                  size_t *ret_count, int64_t *ret_total, struct err *e);
CHECKED int sqlite_list_deliveries(struct store_reader *r, struct arena *a,
                                   struct delivery_row ***ret_rows, size_t *ret_count,
                                   struct err *e);
CHECKED int sqlite_list_schedules(struct store_reader *r, struct arena *a,
                                  struct schedule_row ***ret_rows, size_t *ret_count,
                                  struct err *e);
CHECKED int sqlite_list_definitions(struct store_reader *r, struct arena *a,
                                    struct definition_row ***ret_rows, size_t *ret_count,
                                    struct err *e);
CHECKED int sqlite_read_lines(struct store_reader *r, const struct line_query *q,
                              struct event_batch *into, struct err *e);
CHECKED int sqlite_read_events(struct store_reader *r, const struct event_query *q,
                               struct event_batch *into, uint64_t *ret_to, struct err *e);
