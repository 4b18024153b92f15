/* store.h: the contract of what keeps everything. Two implementations, `memory` and `sqlite`,
 * pass one conformance suite (tests/store/).
 *
 * What it promises:
 * - store_append() is atomic and durable: when it returns 0, all events and rows of the batch
 * are on disk and every reader that begins afterwards sees them; when it fails, none of it
 * happened and the same batch may be tried again.
 * - Events get the numbers head + 1, head + 2 ... in the order of the batch; `seq` has no gaps.
 * It is set in batch->first_seq and in each event.
 * - A reader is a read transaction: all that is read through it is the state after seq `as_of`,
 * whatever is committed or compacted meanwhile.
 * - `epoch` is a random text made with the data; it never changes by restarts or crashes, and
 * always when an older copy of the data was put back.
 *
 * Threads: store_append() and store_compact() on one thread at a time (the store thread).
 * Readers on any thread, each used by one at a time; several at once. Everything blocks on the
 * disk: never call from the loop thread once the server runs.
 *
 * Errors: E_IO (disk full, read-only ...; the sentence says which file), E_CORRUPT, E_VERSION
 * (written by a newer tailrace), E_NOTFOUND, E_BUSY (another process serves this folder). */
#pragma once

#include "base/err.h"
#include "store/rows.h"

struct store;
struct store_reader;

/* Opens (and creates) the data folder `folder`; one process at a time. */
CHECKED int store_open_sqlite(const char *folder, struct store **ret_store, struct err *e);

/* Keeps everything in memory and forgets it at store_close(). */
CHECKED int store_open_memory(struct store **ret_store, struct err *e);

/* No reader may be open. NULL is fine. */
void store_close(struct store *s);

const char *store_epoch(const struct store *s);
uint64_t store_head(struct store *s); /* newest committed seq, 0 when nothing is; any thread */

CHECKED int store_append(struct store *s, struct batch *batch, struct err *e);

/* Tidies up: moves journal rows into chunks per step, in bounded pieces. `idle` says that no
 * commit is waiting. Returns 1 when there is more to do at once, 0 when there is not. Changes
 * nothing that a reader can see. */
CHECKED int store_compact(struct store *s, bool idle, struct err *e);

/* ---- reading ---- */

CHECKED int store_read_begin(struct store *s, struct store_reader **ret_reader, struct err *e);
void store_read_end(struct store_reader *r); /* NULL is fine */
uint64_t store_read_as_of(const struct store_reader *r);

/* What follows a cursor before this seq does not tell all that happened: a job was deleted
 * there. 0: every cursor is good. */
uint64_t store_read_floor(const struct store_reader *r, const struct topic_filter *topic);

#define AUTO_READER AUTO(store_read_end_auto) struct store_reader
static inline void store_read_end_auto(struct store_reader **r)
{
    store_read_end(*r);
}

/* One row into `a`; E_NOTFOUND. */
CHECKED int store_get_job(struct store_reader *r, struct id id, struct arena *a,
                          struct job_row **ret_row, struct err *e);
CHECKED int store_get_step(struct store_reader *r, struct id id, struct arena *a,
                           struct step_row **ret_row, struct err *e);
CHECKED int store_get_task(struct store_reader *r, struct id id, struct arena *a,
                           struct task_row **ret_row, struct err *e);
CHECKED int store_get_document(struct store_reader *r, struct id id, struct arena *a,
                               struct document_row **ret_row, struct err *e);

enum job_order {
    ORDER_CREATED,
    ORDER_STARTED,
    ORDER_COMPLETED,
    ORDER_NAME,
    ORDER_STATUS,
    ORDER_TURN, /* ascending: the highest priority first, then as they were made */
};

struct job_query {
    unsigned states;              /* bit 1 << enum job_state; 0: all */
    const char *definition_id;    /* NULL: any */
    const struct job_row *before; /* in order of turn, and waiting for the same; NULL: any */
    const char *word; /* in the name or the definition's id, ASCII without case; NULL: any */
    enum job_order order;
    bool descending;
    int64_t limit, offset; /* limit < 0: all */
};

/* An array of rows in `a`, and how many there are without limit and offset. */
CHECKED int store_list_jobs(struct store_reader *r, const struct job_query *q, struct arena *a,
                            struct job_row ***ret_rows, size_t *ret_count, int64_t *ret_total,
                            struct err *e);

/* Visits all jobs that have ended, the last end first; what `job` points to lives during the
 * call. */
typedef void ended_visitor(void *arg, const struct ended_job *job);
CHECKED int store_walk_ended(struct store_reader *r, ended_visitor *visit, void *arg,
                             struct err *e);

/* Bytes inside its files that are free for new data, so that these need not grow. */
CHECKED int store_free_bytes(struct store_reader *r, int64_t *ret_bytes, struct err *e);

/* How many jobs are in each state. */
CHECKED int store_count_jobs(struct store_reader *r, int64_t ret_counts[JOB_STATE_COUNT],
                             struct err *e);

/* The steps of a job by number. */
CHECKED int store_list_steps(struct store_reader *r, struct id job_id, struct arena *a,
                             struct step_row ***ret_rows, size_t *ret_count, struct err *e);

struct task_query {
    struct id job_id, step_id; /* step_id none: of all steps of the job, by step and number */
    unsigned states;           /* bits; 0: all */
    int64_t after_number;      /* with a step_id: only numbers above this; 0: from the first */
    int64_t limit, offset;     /* limit < 0: all */
    bool newest_first;
};

CHECKED int store_list_tasks(struct store_reader *r, const struct task_query *q,
                             struct arena *a, struct task_row ***ret_rows, size_t *ret_count,
                             int64_t *ret_total, struct err *e);

/* Causes of failed tasks of a step, the most frequent first, at most `limit`. */
struct error_group {
    const char *message;
    int64_t count;
};
CHECKED int store_group_errors(struct store_reader *r, struct id step_id, int64_t limit,
                               struct arena *a, struct error_group **ret_groups,
                               size_t *ret_count, struct err *e);

/* Documents in the order in which they were kept; job_id none: of all jobs, the newest first.
 * Without `with_markdown`, markdown is NULL. Each of the words occurs in the address, the title
 * or the text; small and capital letters of ASCII are the same. */
enum { DOCUMENT_WORDS_MAX = 8 };
struct document_query {
    struct id job_id;
    bool with_markdown;
    int64_t limit, offset;                 /* limit < 0: all */
    const char *words[DOCUMENT_WORDS_MAX]; /* NULL after the last one */
    const char *host; /* of the address, with its port where it has one; NULL: any */
    int64_t since_us; /* kept then or later; 0: any */
};
CHECKED int store_list_documents(struct store_reader *r, const struct document_query *q,
                                 struct arena *a, struct document_row ***ret_rows,
                                 size_t *ret_count, int64_t *ret_total, struct err *e);

/* Definitions that came by API, by id. */
CHECKED int store_list_definitions(struct store_reader *r, struct arena *a,
                                   struct definition_row ***ret_rows, size_t *ret_count,
                                   struct err *e);

/* Messages of webhooks that are on their way, the oldest first. */
CHECKED int store_list_deliveries(struct store_reader *r, struct arena *a,
                                  struct delivery_row ***ret_rows, size_t *ret_count,
                                  struct err *e);

/* What was decided about schedules, by definition. */
CHECKED int store_list_schedules(struct store_reader *r, struct arena *a,
                                 struct schedule_row ***ret_rows, size_t *ret_count,
                                 struct err *e);

/* Lines (events of type EVENT_JOB_LOG) of one step, or of the job itself (step_id none),
 * appended to `into` in ascending order of their numbers: those with after < line and (before
 * == 0 or line < before) and level >= min_level, the first `limit` of them, or the last with
 * `from_end`. */
struct line_query {
    struct id job_id, step_id;
    enum event_level min_level;
    uint64_t after, before;
    size_t limit;
    bool from_end;
};
CHECKED int store_read_lines(struct store_reader *r, const struct line_query *q,
                             struct event_batch *into, struct err *e);

/* All events of a topic in (after_seq, *ret_to], in order of seq, appended to `into`: stops
 * after max_events events or about max_bytes of text, at a point where the rest can be asked
 * for with after_seq = *ret_to. *ret_to == as_of when there is nothing left. after_seq <=
 * as_of. */
struct event_query {
    struct topic_filter topic;
    uint64_t after_seq;
    size_t max_events, max_bytes;
};
CHECKED int store_read_events(struct store_reader *r, const struct event_query *q,
                              struct event_batch *into, uint64_t *ret_to, struct err *e);
