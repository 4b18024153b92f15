/* state.h: the states of jobs, steps and tasks, and the one table of moves between them.
 *
 *     pending → running → completed | failed | cancelled
 *     pending → cancelled                       nothing of it had begun
 *     step only: pending → skipped              what it depends on did not succeed
 *     step only: pending → completed            taken over from a job that was
 *     task only: running → pending              interrupted or to be tried again
 *
 * Terminal states are final. Pure; thread: any. */
#pragma once

#include <stdbool.h>

#include "base/text.h"

enum job_kind { KIND_JOB, KIND_STEP, KIND_TASK };

enum job_state {
    JOB_PENDING,
    JOB_RUNNING,
    JOB_COMPLETED,
    JOB_FAILED,
    JOB_CANCELLED,
    JOB_SKIPPED,
    JOB_STATE_COUNT
};

const char *job_kind_name(enum job_kind kind);    /* "job", "step", "task" */
const char *job_state_name(enum job_state state); /* "pending" ... */
bool job_state_parse(struct str name, enum job_state *ret_state);
bool job_state_is_final(enum job_state state);
bool job_state_can_move(enum job_kind kind, enum job_state from, enum job_state to);
