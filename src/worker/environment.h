/* environment.h: the environment that a command gets: little of the server's, and where it
 * runs.
 *
 * A name that is set again replaces what it was. Thread: any. */
#pragma once

#include "base/arena.h"
#include "worker/worker.h"

struct environment {
    struct arena arena;
    char **entries; /* "NAME=value", NULL at the end; for child_start() */
    size_t count, cap;
};

#define AUTO_ENVIRONMENT AUTO(environment_done) struct environment

/* The server that commands may ask, as TAILRACE_URL, with TAILRACE_TOKEN; copied. The
 * folder of this program is then the last of PATH. Once, before
 * the first step; without it there is neither. */
void environment_set_server(const char *url);

/* PATH, HOME and the like of the server, TERM of a terminal when the step has one, PARAM_<NAME>
 * for each parameter of the job, SECRET_<NAME> for each secret, STEP_<NAME>_<OUTPUT> of steps
 * before, TAILRACE_JOB, TAILRACE_STEP, TAILRACE_STEP_ID, TAILRACE_TASK, TAILRACE_ATTEMPT, ITEM
 * of a step with for_each, ITEM_<NAME> of what a task was spawned with, and what the step's
 * `env` says. */
void environment_init(struct environment *env, struct worker_task *task);
void environment_done(struct environment *env);
void environment_set(struct environment *env, const char *name, const char *value);
