/* waits.h: requests that wait for the next events of a topic (long-poll). Thread: loop. */
#pragma once

#include <uv.h>

#include "base/list.h"
#include "store/rows.h"

struct waits;

struct wait {
    struct topic_filter topic;
    uint64_t after;                                 /* it has seen everything up to here */
    void (*on_end)(struct wait *w, bool timed_out); /* once; the wait is over by then */
    int64_t until_ms;                               /* of the loop's clock */
    struct list link;
};

struct waits *waits_new(uv_loop_t *loop);

/* Begins a wait of at most `ms`. on_end is never called from inside. After waits_drain(), it
 * ends at the next turn. */
void waits_add(struct waits *all, struct wait *w, int64_t ms);

/* What was published: ends the waits for a topic that has something in it, or whose past has
 * changed because a job was deleted. */
void waits_publish(struct waits *all, const struct batch *batch);

/* Ends all, as timed out, now and from now on. */
void waits_drain(struct waits *all);

/* Closes the handle; no wait may be left. The loop runs once more, then waits_free(). */
void waits_stop(struct waits *all);
void waits_free(struct waits *all); /* NULL is fine */
