/* store_ops.h: what an implementation of store.h fills in. Only src/store/ includes it.
 *
 * `struct store` and `struct store_reader` are the first members of the implementation's own
 * structs; store.c calls through `ops` and does nothing else. */
#pragma once

#include "store/store.h"

enum { EPOCH_LEN = 16 };

struct store_ops {
    void (*close)(struct store *s);
    uint64_t (*head)(struct store *s);
    int (*append)(struct store *s, struct batch *batch, struct err *e);
    int (*compact)(struct store *s, bool idle, struct err *e);
    int (*read_begin)(struct store *s, struct store_reader **ret_reader, struct err *e);
    void (*read_end)(struct store_reader *r);
    int (*get_job)(struct store_reader *r, struct id id, struct arena *a,
                   struct job_row **ret_row, struct err *e);
    int (*get_step)(struct store_reader *r, struct id id, struct arena *a,
                    struct step_row **ret_row, struct err *e);
    int (*get_task)(struct store_reader *r, struct id id, struct arena *a,
                    struct task_row **ret_row, struct err *e);
    int (*get_document)(struct store_reader *r, struct id id, struct arena *a,
                        struct document_row **ret_row, struct err *e);
    int (*list_jobs)(struct store_reader *r, const struct job_query *q, struct arena *a,
                     struct job_row ***ret_rows, size_t *ret_count, int64_t *ret_total,
                     struct err *e);
    int (*walk_ended)(struct store_reader *r, ended_visitor *visit, void *arg, struct err *e);
    int (*free_bytes)(struct store_reader *r, int64_t *ret_bytes, struct err *e);
    int (*count_jobs)(struct store_reader *r, int64_t *ret_counts, struct err *e);
    int (*list_steps)(struct store_reader *r, struct id job_id, struct arena *a,
                      struct step_row ***ret_rows, size_t *ret_count, struct err *e);
    int (*list_tasks)(struct store_reader *r, const struct task_query *q, struct arena *a,
                      struct task_row ***ret_rows, size_t *ret_count, int64_t *ret_total,
                      struct err *e);
    int (*group_errors)(struct store_reader *r, struct id step_id, int64_t limit,
                        struct arena *a, struct error_group **ret_groups, size_t *ret_count,
                        struct err *e);
    int (*list_documents)(struct store_reader *r, const struct document_query *q,
                          struct arena *a, struct document_row ***ret_rows, size_t *ret_count,
                          int64_t *ret_total, struct err *e);
    int (*list_definitions)(struct store_reader *r, struct arena *a,
                            struct definition_row ***ret_rows, size_t *ret_count,
                            struct err *e);
    int (*list_deliveries)(struct store_reader *r, struct arena *a,
                           struct delivery_row ***ret_rows, size_t *ret_count, struct err *e);
    int (*list_schedules)(struct store_reader *r, struct arena *a,
                          struct schedule_row ***ret_rows, size_t *ret_count, struct err *e);
    int (*read_lines)(struct store_reader *r, const struct line_query *q,
                      struct event_batch *into, struct err *e);
    int (*read_events)(struct store_reader *r, const struct event_query *q,
                       struct event_batch *into, uint64_t *ret_to, struct err *e);
};

struct store {
    const struct store_ops *ops;
    char epoch[EPOCH_LEN + 1];
};

struct store_reader {
    struct store *store;
    uint64_t as_of;
    uint64_t deleted_seq; /* the newest event of the batch that deleted a job last; or 0 */
};

/* A new random epoch: EPOCH_LEN hexadecimal digits. */
void store_make_epoch(char to[EPOCH_LEN + 1]);

/* Numbers the events of a batch from head + 1 on (also batch->first_seq), and takes the
 * numbers away again when the append failed. */
void store_number_events(struct batch *batch, uint64_t head);
void store_unnumber_events(struct batch *batch);
