/* orphan.h: processes that a command left behind, found by what is in their environment.
 *
 * A process group is left by setsid(), a parent by exiting; the environment that a program was
 * started with stays. So every command carries a marker ("TAILRACE_TASK=<id>"), and who has it
 * belongs to the task. Whoever is just executing a program has none for a moment, and is looked
 * at again. A signal goes through a pidfd that was opened before the environment was
 * read: it can never hit another process that got the same number. Linux only (/proc).
 *
 * Blocking: for the pool or for the start of the program. Thread: any. */
#pragma once

#include <sys/types.h>

struct orphan_sweep {
    int killed;     /* how many got a SIGKILL */
    pid_t stubborn; /* one that did not end within the time limit, or 0 */
    pid_t *zombies; /* children of this process that wait to be reaped; may be the caller's own
                       processes too: only the loop knows which */
    int zombie_count, zombie_cap;
};

/* Kills every process with `marker` ("NAME=value") in its environment, except this one, until
 * there is none left or a second has passed. */
void orphan_sweep(const char *marker, struct orphan_sweep *ret_sweep);
void orphan_sweep_done(struct orphan_sweep *sweep);
