/* splitter.h: what a command writes, cut into the lines of its task.
 *
 * Any bytes are taken: a NUL or what is no UTF-8 is for whoever stores the line. The carriage
 * return before a newline is dropped. A line without an end is told in pieces of a MiB, the
 * later ones marked by an ellipsis. Progress that is written over itself ("41 %\r42 %\r") is
 * told as it comes, of what comes faster than twenty times a second the newest: such a line
 * ends with the carriage return. Thread: loop. */
#pragma once

#include "base/buf.h"
#include "worker/worker.h"

struct splitter {
    struct worker_task *task;
    enum event_level level;
    struct buf line;      /* what came since the last newline */
    uint64_t progress_ms; /* uv_now() when the newest progress was told */
};

void splitter_init(struct splitter *s, struct worker_task *task, enum event_level level);
void splitter_add(struct splitter *s, struct str text);

/* There is no more: what has no newline is a line too. Frees what it holds. */
void splitter_end(struct splitter *s);
