/* deadline.h: very many points in time on one timer of the loop, whole milliseconds apart.
 *
 * A deadline is part of what waits for it, and is set and cleared without memory being made or
 * a handle being closed; both cost the logarithm of how many there are. Thread: loop. */
#pragma once

#include <stdint.h>
#include <uv.h>

#include "base/heap.h"

struct deadline {
    struct heap_node node; /* place 0: not set */
    int64_t at_ms;
    void (*ring)(struct deadline *d); /* it is not set any more by then */
};

struct deadlines {
    uv_timer_t timer;
    struct heap heap;
};

void deadlines_init(struct deadlines *all, uv_loop_t *loop);

/* Rings once, `after_ms` from now on; 0: in the next turn of the loop. Set already: moves it.
 */
void deadline_set(struct deadlines *all, struct deadline *d, int64_t after_ms,
                  void (*ring)(struct deadline *d));

/* Nothing when it is not set. Needed before the memory of `d` goes. */
void deadline_clear(struct deadlines *all, struct deadline *d);

/* The milliseconds that they go by: no system call, good for comparing only. */
int64_t deadlines_now_ms(const struct deadlines *all);

/* When the earliest rings, INT64_MAX: there is none; a time that was held (clock_hold()) is
 * looked at by deadlines_ring(), which rings what is due by now. */
int64_t deadlines_next_ms(const struct deadlines *all);
void deadlines_ring(struct deadlines *all);

/* Nothing rings any more; closed() is called with the timer when the loop has let go of it. */
void deadlines_close(struct deadlines *all, uv_close_cb closed);
