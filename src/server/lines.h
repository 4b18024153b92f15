/* lines.h: lines of a whole job in the order of the log, forwards and backwards, where the
 * store reads either one step by line numbers or all events by seq. Thread: pool. */
#pragma once

#include "store/store.h"

struct line_range {
    struct id job_id;
    enum event_level min_level;
    uint64_t after_seq;  /* only lines above it */
    uint64_t before_seq; /* only lines below it; 0: no bound */
    size_t limit;
};

/* The first lines of the range, appended to `into` in ascending order. *ret_to (may be NULL):
 * everything up to this seq was looked at. */
CHECKED int lines_read_forwards(struct store_reader *reader, const struct line_range *range,
                                struct event_batch *into, uint64_t *ret_to, struct err *e);

/* The last lines of the range, appended to `into` in ascending order. `into` is empty. */
CHECKED int lines_read_backwards(struct store_reader *reader, const struct line_range *range,
                                 struct event_batch *into, struct err *e);

/* How many lines of a level and above a job has, its steps included. */
CHECKED int lines_count(struct store_reader *reader, struct id job_id, enum event_level level,
                        int64_t *ret_count, struct err *e);
int64_t lines_count_step(const struct step_row *step, enum event_level level);
