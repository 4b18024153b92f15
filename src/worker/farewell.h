/* farewell.h: how a command is asked to end, told line by line.
 *
 *     stopping: SIGTERM sent, SIGKILL in 5s
 *     SIGKILL in 4s: 2 processes are left
 *     survived SIGTERM: 4711 (sleep), 4712 (sh); SIGKILL sent
 *     stopped after 5.1 s: all processes are gone
 *
 * SIGTERM goes to its group and to everybody with its mark; so does SIGKILL when the grace is
 * over. Who has ended earlier is not waited for any longer: the owner knows when nobody is
 * left, and calls farewell_end(). Thread: loop; it looks for processes on the pool. */
#pragma once

#include <uv.h>

#include "worker/orphan.h"
#include "worker/worker.h"

struct farewell {
    struct worker_task *task; /* NULL: it has not begun */
    pid_t group;
    uint64_t mark;
    uint64_t begun_ms, grace_ms, told_every_ms; /* uv_now() */
    bool over;                                  /* SIGKILL was sent */
    bool looking;
    void (*on_news)(struct farewell *f);
    uv_timer_t timer; /* for its owner to close, when it is not looking */
    uv_work_t work;
    struct orphan_look look;
};

void farewell_init(struct farewell *f, uv_loop_t *loop);

/* Tells the host when it is over. on_news(), later, whenever `over` or `looking` has changed.
 * Once. */
void farewell_begin(struct farewell *f, struct worker_task *task, pid_t group, uint64_t mark,
                    int64_t grace_ms, void (*on_news)(struct farewell *f));

/* Nobody is left: no further looks. Says so when it had begun. */
void farewell_end(struct farewell *f);
