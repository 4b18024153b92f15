/* tree.h: a job with its steps and newest lines as JSON: the snapshot that a viewer starts from
 * and the answer of GET /api/jobs/{id}/tree are the same object. Everything in it is the fold
 * of the events up to the reader's as_of (refresh-equivalence). Thread: pool (it reads from the
 * store). */
#pragma once

#include "base/json.h"
#include "store/store.h"

struct tree_options {
    size_t lines;      /* newest lines per step and of the job itself; 0: none */
    bool error_groups; /* REST only: causes of failed tasks, counted */
};

/* One tree object. E_NOTFOUND and what the store says. */
CHECKED int tree_write(struct store_reader *r, const char *epoch, struct id job_id,
                       const struct tree_options *options, struct json *j, struct err *e);

/* The state of topic `jobs`: the newest `newest` jobs and all that are not final, without
 * lines. */
CHECKED int tree_write_all(struct store_reader *r, const char *epoch, int64_t newest,
                           struct json *j, struct err *e);

/* The state of topic `system`: its newest events, {"events":[…],"cursor":…}. */
CHECKED int tree_write_system(struct store_reader *r, const char *epoch, size_t newest,
                              struct json *j, struct err *e);

/* {"total_jobs":…, "pending_jobs":… "cancelled_jobs":…} as one object. */
CHECKED int tree_write_stats(struct store_reader *r, struct json *j, struct err *e);

/* {"<step_id>":512, …}: how many lines each step has, for `end`; the job itself under its own
 * id. */
CHECKED int tree_write_totals(struct store_reader *r, struct id job_id, struct json *j,
                              struct err *e);
