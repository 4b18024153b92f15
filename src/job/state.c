#include "job/state.h"

static const char *const state_names[JOB_STATE_COUNT] = {
    [JOB_PENDING] = "pending", [JOB_RUNNING] = "running",     [JOB_COMPLETED] = "completed",
    [JOB_FAILED] = "failed",   [JOB_CANCELLED] = "cancelled", [JOB_SKIPPED] = "skipped",
};

/* moves[from][to]: the kinds of which one may move so, as bits. */
#define JOB_BIT (1u << KIND_JOB)
#define STEP_BIT (1u << KIND_STEP)
#define TASK_BIT (1u << KIND_TASK)
#define ALL_BITS (JOB_BIT | STEP_BIT | TASK_BIT)

static const unsigned moves[JOB_STATE_COUNT][JOB_STATE_COUNT] = {
    [JOB_PENDING] = {[JOB_RUNNING] = ALL_BITS,
                     [JOB_COMPLETED] = STEP_BIT,
                     [JOB_CANCELLED] = ALL_BITS,
                     [JOB_SKIPPED] = STEP_BIT},
    [JOB_RUNNING] = {[JOB_COMPLETED] = ALL_BITS,
                     [JOB_FAILED] = ALL_BITS,
                     [JOB_CANCELLED] = ALL_BITS,
                     [JOB_PENDING] = TASK_BIT},
};

const char *job_kind_name(enum job_kind kind)
{
    static const char *const names[] = {"job", "step", "task"};
    return names[kind];
}

const char *job_state_name(enum job_state state)
{
    ASSERT(state < JOB_STATE_COUNT);
    return state_names[state];
}

bool job_state_parse(struct str name, enum job_state *ret_state)
{
    for (int i = 0; i < JOB_STATE_COUNT; i++) {
        if (str_eq_c(name, state_names[i])) {
            *ret_state = (enum job_state)i;
            return true;
        }
    }
    return false;
}

bool job_state_is_final(enum job_state state)
{
    return state != JOB_PENDING && state != JOB_RUNNING;
}

bool job_state_can_move(enum job_kind kind, enum job_state from, enum job_state to)
{
    return moves[from][to] & (1u << kind);
}
