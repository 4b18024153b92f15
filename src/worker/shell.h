/* shell.h: the worker that runs a command.
 *
 * A step of type `shell` is one task: /bin/sh -c COMMAND in a session of its own, stdin empty,
 * its output a terminal's (pty.h) or a pipe's.
 * Lines of stdout are level info, lines of stderr warn. Exit code 0 completes the task; any
 * other code, or a signal, fails it and is its cause. Stopping sends SIGTERM to all of
 * its processes and SIGKILL when its `grace` is over (farewell.h).
 *
 * Nothing outlives a task: when the command has ended, what is left of its group and every
 * process that carries the task's mark (orphan.h; so also one that made a session of its own
 * and cleared its environment) is killed before done() is called, and what all of them used is
 * told. Thread: loop. */
#pragma once

#include "worker/worker.h"

extern const struct worker_type shell_worker;

/* For the server, once, before the first step: makes this process the parent of its orphaned
 * descendants, remembers the folder as mark of the commands to come, and kills the commands
 * that an earlier server of this folder left behind when it died. Returns how many those were.
 * Blocks for some milliseconds. Not calling it only costs the protection. */
int shell_init(const char *data_folder);

/* Whether there are commands. Those that were told to end are gone soon after their `grace`. */
bool shell_is_busy(void);

/* For a server that ends without waiting: kills all commands. Blocks until they are gone, at
 * most a second. */
void shell_abandon(void);
