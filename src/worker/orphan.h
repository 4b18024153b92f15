/* orphan.h: processes that a command left behind, found by a mark that they cannot shake off.
 *
 * A process group is left by setsid(), a parent by exiting, an environment by clearing it.
 * Limits on resources stay with the whole family, whatever it executes, and Linux keeps one
 * that limits nothing: RLIMIT_LOCKS, without effect since 2.4.25. Each command gets a number of
 * its own there; its upper bits stand for the data folder, so the next server knows it too. Who
 * wants to can change that limit (the soft one); no program does so by chance.
 *
 * A signal goes through a pidfd whose process has been looked at: it can never hit another one
 * that got the same number. Thread: any. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/text.h"

enum { ORPHAN_TASK_BITS = 20 };

/* The mark of a folder's commands, its lowest ORPHAN_TASK_BITS zero. */
uint64_t orphan_mark(struct str folder);

/* Children that are started from now on have this mark; 0: none. It is the server's own limit
 * that they inherit. Thread: the one that starts them. */
void orphan_mark_set(uint64_t mark);

/* The mark of a process, also of one that waits to be reaped; 0: there is no such process, or
 * it is somebody else's. */
uint64_t orphan_mark_of(pid_t pid);

enum { ORPHANS_NAMED = 8 };

/* Who has a mark and has not ended. */
struct orphan_look {
    int signal; /* to send to each that is not in the group `but`, and then SIGCONT; 0: none */
    pid_t but;
    int count, named;
    struct {
        pid_t pid;
        char name[16]; /* as Linux has it: the program's, cut */
    } who[ORPHANS_NAMED];
};

/* One look at /proc, with `signal` and `but` as they were set. Blocks: for the pool. */
void orphan_look(uint64_t mark, struct orphan_look *look);

struct orphan_sweep {
    int killed;     /* how many got a SIGKILL */
    pid_t stubborn; /* one that did not end within the time limit, or 0 */
};

/* Kills every process with the mark, except this one, until there is none left or a second has
 * passed; `folder`: with the mark of any task of its folder. Blocks: for the pool or for the
 * start of the program. */
void orphan_sweep(uint64_t mark, bool folder, struct orphan_sweep *ret_sweep);

/* The children of this process's first thread: those that it started, and orphans that it
 * adopted, also those that wait to be reaped. At most `max`. Returns how many, or -1 when this
 * kernel cannot tell. */
int orphan_children(pid_t *pids, int max);
