/* fault.h: named points where a test lets the program die or fail. Thread: any.
 *
 * TAILRACE_FAULT=NAME:N[:ACTION] acts at the N-th time that the point NAME is passed:
 *   kill   the process dies at once, as by kill -9 (the default)
 *   fail   the point reports a failure, once
 *   stick  the point reports a failure from then on
 * and says so on stderr. TAILRACE_FAULT=list prints the points. Without the variable a point
 * costs one load and one branch. */
#pragma once

#include <stdbool.h>

#include "base/err.h"

/* X(symbol, name, what a failure means there or NULL: it can only die, where it is)
 * The table in docs/architecture.md is this one. */
#define FAULT_POINTS(X)                                                                        \
    X(STORE_OPEN, "store.open", "the start is refused", "the folder is locked, no table read") \
    X(STORE_READ, "store.read", "whoever asked is told, or tries again",                       \
      "a read transaction begins")                                                             \
    X(STORE_COMMIT_BEFORE, "store.commit.before", "the commit is tried again",                 \
      "a batch is about to be written")                                                        \
    X(STORE_COMMIT_ROWS, "store.commit.rows", "the commit is tried again",                     \
      "the events are in the transaction, the rows are not")                                   \
    X(STORE_COMMIT_BEFORE_FSYNC, "store.commit.before_fsync", "the commit is tried again",     \
      "all is in the transaction, before COMMIT")                                              \
    X(STORE_COMMIT_AFTER, "store.commit.after", NULL, "committed, and nobody knows yet")       \
    X(STORE_DELETE, "store.delete", "the commit is tried again",                               \
      "a job is deleted, in the transaction")                                                  \
    X(STORE_SWEEP, "store.sweep", "it is tried again",                                         \
      "a piece of a deleted job is freed, before COMMIT")                                      \
    X(STORE_CHECKPOINT, "store.checkpoint", "the next one copies more",                        \
      "the write-ahead log is to be copied into the database")                                 \
    X(STORE_COMPACT_READ, "store.compact.read", "the pass goes on later",                      \
      "a part of the journal is read")                                                         \
    X(STORE_COMPACT_WRITE, "store.compact.write", "the pass goes on later",                    \
      "chunks are in the transaction, before COMMIT")                                          \
    X(STORE_COMPACT_BEFORE_SWITCH, "store.compact.before_switch", "the pass goes on later",    \
      "all chunks are written, the journal still counts")                                      \
    X(STORE_COMPACT_AFTER_SWITCH, "store.compact.after_switch", NULL,                          \
      "the chunks count, the journal's part is deleted")                                       \
    X(STORE_DISK_WRITE, "store.disk.write", "no room: the commit is tried again",              \
      "half of a write to the database or its log is done")                                    \
    X(STORE_DISK_SYNC, "store.disk.sync", "the commit is tried again",                         \
      "the database or its log is about to be synced")                                         \
    X(STORE_BACKUP_COPY, "store.backup.copy", "there is no copy",                              \
      "`tailrace backup` copies the next pages")                                               \
    X(STORE_BACKUP_RENAME, "store.backup.rename", "there is no copy",                          \
      "the copy is whole and has not got its name")                                            \
    X(FEED_PUBLISH_BEFORE, "feed.publish.before", NULL, "committed, no viewer was told")       \
    X(FEED_CATCH_UP, "feed.catch_up", "it is tried again",                                     \
      "the log is read for a viewer that is behind")                                           \
    X(FEED_END, "feed.end", "the viewer is told and asks again", "the end of a job is read")   \
    X(VIEWER_SEND_PARTIAL, "viewer.send.partial", "the connection breaks",                     \
      "a part of a frame is in the socket")                                                    \
    X(ENGINE_JOB_CREATED, "engine.job.created", NULL,                                          \
      "a job and its steps are in the batch, nobody was answered")                             \
    X(ENGINE_JOB_STARTED, "engine.job.started", NULL, "a job has just moved to running")       \
    X(ENGINE_STEP_STARTED, "engine.step.started", "the step fails",                            \
      "a step has moved to running, its worker has planned nothing")                           \
    X(ENGINE_TASK_CREATED, "engine.task.created", NULL, "a task is in the batch, and waits")   \
    X(ENGINE_TASK_STARTED, "engine.task.started", "the attempt fails",                         \
      "a task has moved to running, its worker knows nothing of it")                           \
    X(ENGINE_TASK_DONE, "engine.task.done", NULL,                                              \
      "the worker is done with a task, which has not moved")                                   \
    X(ENGINE_TASK_ENDED, "engine.task.ended", NULL, "the end of a task is in the batch")       \
    X(ENGINE_RETRY, "engine.retry", NULL, "a task that failed waits for its next attempt")     \
    X(ENGINE_RETRY_DUE, "engine.retry.due", NULL, "its time has come")                         \
    X(ENGINE_TIMEOUT, "engine.timeout", NULL, "a task, step or job has taken too long")        \
    X(ENGINE_CANCEL, "engine.cancel", NULL,                                                    \
      "why a job is cancelled is in the batch, nothing of it was stopped")                     \
    X(ENGINE_STEP_END, "engine.step.end", NULL, "all tasks of a step have ended, it has not")  \
    X(ENGINE_JOB_END, "engine.job.end", NULL, "all steps of a job have ended, it has not")     \
    X(ENGINE_BATCH_CLOSED, "engine.batch.closed", NULL,                                        \
      "rows of jobs and steps were added to a batch that leaves")                              \
    X(ENGINE_QUEUE_REFILL, "engine.queue.refill", "it is tried again",                         \
      "tasks that are only in the store are read back")                                        \
    X(ENGINE_SCHEDULE_DECIDED, "engine.schedule.decided", "there is no job, and an event why", \
      "a scheduled time is due, its job is to be made")                                        \
    X(ENGINE_SUBJOB_STARTED, "engine.subjob.started", NULL,                                    \
      "the job of a task is in the batch, and runs")                                           \
    X(ENGINE_SUBJOB_ENDED, "engine.subjob.ended", NULL,                                        \
      "the job of a task has ended, the task has not")                                         \
    X(ENGINE_ERRAND, "engine.errand", "the command is told",                                   \
      "a running command asks for something")                                                  \
    X(ENGINE_RETENTION, "engine.retention", NULL,                                              \
      "the deletion of a job that is kept no longer is in the batch")                          \
    X(WEBHOOK_SEND, "webhook.send", "the attempt fails", "a message is about to be sent")      \
    X(WEBHOOK_ANSWERED, "webhook.answered", NULL,                                              \
      "the receiver has answered, and nobody knows yet")                                       \
    X(ENGINE_RECOVER_JOB, "engine.recover.job", "the start is refused",                        \
      "a job that an earlier server left is made again")                                       \
    X(ENGINE_RECOVER_TASKS, "engine.recover.tasks", "the start is refused",                    \
      "the tasks of a step that was running are read")                                         \
    X(ENGINE_RECOVERED, "engine.recovered", NULL, "all jobs go on, nothing of it is stored")   \
    X(ENGINE_STOP, "engine.stop", NULL, "SIGTERM: running tasks were asked to end")            \
    X(WORKER_SHELL_SPAWN, "worker.shell.spawn", "the attempt fails",                           \
      "a command is about to be started")                                                      \
    X(WORKER_SHELL_SPAWNED, "worker.shell.spawned", NULL, "it runs, nothing of it was read")   \
    X(WORKER_SHELL_EXITED, "worker.shell.exited", NULL,                                        \
      "the shell has ended, what it left behind has not")                                      \
    X(WORKER_SHELL_SWEPT, "worker.shell.swept", NULL,                                          \
      "nothing of it is left, the rest of its output was not read")                            \
    X(WORKER_SHELL_LEFTOVERS, "worker.shell.leftovers", NULL,                                  \
      "commands of an earlier server were killed, at the start")                               \
    X(WORKER_HTTP_ANSWERED, "worker.http.answered", "the attempt fails",                       \
      "an answer is complete, nothing of it was told")                                         \
    X(MEMORY, "memory", "the program says so and ends, as by kill -9", "memory is asked for")

enum fault_point {
#define FAULT_SYMBOL(symbol, name, fails, where) FAULT_##symbol,
    FAULT_POINTS(FAULT_SYMBOL)
#undef FAULT_SYMBOL
};

/* Reads the variable; main() calls it once, before any thread. Returns 1 when it printed the
 * list. E_INVAL: no such point, or not of this form. */
CHECKED int fault_init(struct err *e);

extern bool fault_armed;
bool fault_hit(enum fault_point point);

/* True when the point is to fail now. */
#define FAULT(symbol) (__builtin_expect(fault_armed, 0) && fault_hit(FAULT_##symbol))

/* Dies there or goes on: for points where nothing can fail. */
#define FAULT_KILLS(symbol) ((void)FAULT(symbol))

/* What a point that was told to fail says. */
#define fault_fail(e) fail((e), E_IO, "the fault point %s was told to fail", fault_name())
const char *fault_name(void);
