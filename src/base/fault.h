/* fault.h: named places where a test lets the program die or fail.
 *
 * TAILRACE_FAULT=NAME:N[:ACTION] acts at the N-th time that the place NAME is passed:
 *   kill   the process dies at once, as by kill -9 (the default)
 *   fail   the place reports a failure, once
 *   stick  the place reports a failure from then on
 * Without the variable a place costs one load and one branch.
 *
 * Places: store.commit.before, store.commit.before_fsync (before COMMIT), store.commit.after,
 * store.delete (of a job, in its transaction), store.compact.before_switch,
 * feed.publish.before, feed.catch_up, feed.end, viewer.send.partial (a part of a frame is in
 * the socket; to fail is to break the connection). */
#pragma once

#include <stdbool.h>

void fault_init(void); /* reads the variable; main() calls it once, before any thread */

extern bool fault_armed;
bool fault_hit(const char *name);

/* True when the place `name` is to fail now. */
#define FAULT(name) (__builtin_expect(fault_armed, 0) && fault_hit(name))
