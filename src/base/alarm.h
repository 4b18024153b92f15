/* alarm.h: a timer of the loop that is exact to some microseconds. libuv's own count whole
 * milliseconds from the loop's idea of now, which is too coarse for gathering events for one or
 * two of them. Thread: loop. */
#pragma once

#include <stdint.h>
#include <uv.h>

#include "base/err.h"

struct alarm {
    uv_poll_t poll; /* of a timerfd */
    int fd;
    int64_t due_us; /* of clock_mono_us(); 0: not set */
    void (*ring)(struct alarm *a);
};

CHECKED int alarm_init(struct alarm *a, uv_loop_t *loop, void (*ring)(struct alarm *a),
                       struct err *e);

/* Rings once at `due_us`, or when it rings before that already, then. */
void alarm_set(struct alarm *a, int64_t due_us);

void alarm_stop(struct alarm *a); /* closes it; the loop must run once more */
