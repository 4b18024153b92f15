/* engine.h: runs jobs.
 *
 * Everything it decides is written through the writer: states as rows and events in one batch.
 * What a caller asks for is accepted when the call returns and durable after
 * writer_after_commit(). Thread: loop. */
#pragma once

#include "engine/catalog.h"
#include "store/writer.h"
#include "worker/worker.h"

struct engine;

CHECKED int engine_new(uv_loop_t *loop, struct store *store, struct writer *writer,
                       struct engine **ret_engine, struct err *e);

/* So many jobs run at once, of the server and of each pool; the others wait. max_jobs 0: no
 * limit. Before engine_recover(); `pools` lives as long as the engine. */
void engine_limit(struct engine *g, int max_jobs, const struct pool_limits *pools);

/* So many files may be open for tasks that run; those that find none wait. 0: no limit, as
 * without it. */
void engine_limit_files(struct engine *g, int most);

/* Where the definitions of jobs are that steps of type `job` start; lives as long. So many such
 * jobs may come of one that somebody started, in all; 0: no limit. */
void engine_catalog(struct engine *g, const struct catalog *catalog, int max_family);

/* While it is held new jobs wait, and those that run go on. */
void engine_hold(struct engine *g, bool held);

/* Takes up the jobs that were not final when the last server ended: tasks that ran go back to
 * the queue (their next attempt), steps and jobs go on. Before the loop runs. */
CHECKED int engine_recover(struct engine *g, struct err *e);

/* How a job is wanted; all texts stay the caller's. */
struct start {
    const char *const *names, *const *values; /* parameters: names[i] = values[i] */
    int count;
    const char *by;      /* who or what wants it: "API" */
    const int *priority; /* NULL: that of the definition, or of the job that was */
    /* All steps of the job that was: those that completed are taken over. NULL: none are. */
    struct step_row *const *steps;
    size_t step_count;
    struct id parent_id; /* the task that starts it, of another job; none: nobody does */
};

/* Makes a job of a definition and starts it. E_INVAL (wrong parameters, or the definition is
 * disabled), E_BUSY (the server is stopping). */
CHECKED int engine_execute(struct engine *g, const struct definition *d,
                           const struct start *start, struct id *ret_job_id, struct err *e);

/* The same definition once more, as it was when `row` was started, with the same parameters
 * save those that are given anew. Otherwise as engine_execute(). With steps to be taken over
 * also E_STATE: the job has not ended, or nothing of it is left to be run. */
CHECKED int engine_rerun(struct engine *g, const struct job_row *row, const struct start *start,
                         struct id *ret_job_id, struct err *e);

/* Asks a job to end; it is final when its tasks have ended. `who` goes into the cause
 * ("cancelled by API"). E_NOTFOUND: not running here (the caller looks in the store whether it
 * ever was). */
CHECKED int engine_cancel(struct engine *g, struct id job_id, const char *who, struct err *e);

/* What a running command asks for: its task, when `token` is that of one that runs in this
 * step; E_FORBIDDEN otherwise. What it may then have done is the task's host's (worker.h). */
CHECKED int engine_errand(struct engine *g, struct id step_id, struct id task_id,
                          struct str token, struct worker_task **ret_task, struct err *e);

/* Adds a task to its step: the same command with `key` as its item, and with the values.
 * E_INVAL for a name, E_EXISTS, E_TOOBIG; E_STATE when the step is being stopped. */
CHECKED int engine_errand_spawn(struct worker_task *task, struct str key,
                                const struct worker_parameter *values, size_t count,
                                struct err *e);

/* Deletes a job that has ended, with the batch at hand. False: that was done just now, by
 * somebody who had seen it too. */
bool engine_delete(struct engine *g, struct id job_id);

/* engine_cancel() for all jobs of a definition. */
void engine_cancel_all_of(struct engine *g, const char *definition_id, const char *who);
bool engine_runs_any_of(const struct engine *g, const char *definition_id);

/* How it stands with each pool, as they were named; returns how many there are. */
struct pool_state {
    const char *name;
    int places, running, waiting; /* jobs */
};
int engine_pools(const struct engine *g, struct pool_state to[LIMIT_POOLS]);

/* What waits and what runs of the jobs that have not ended. */
struct engine_figures {
    int64_t jobs_pending, jobs_running, tasks_pending, tasks_running;
};
struct engine_figures engine_figures(const struct engine *g);

size_t engine_active_jobs(const struct engine *g);
bool engine_is_active(const struct engine *g, struct id job_id);

/* For the writer's hooks. */
void engine_on_closing(struct engine *g, struct batch *b);
void engine_on_drained(struct engine *g);

/* Stops without ending the jobs: running tasks are stopped and go back to the queue, for the
 * next start. Calls stopped(arg) when no worker is active any more. */
void engine_stop(struct engine *g, void (*stopped)(void *arg), void *arg);
void engine_free(struct engine *g); /* before the loop's last run, which ends it */
