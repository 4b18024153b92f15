#include "base/alarm.h"

#include <errno.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "base/macro.h"

static void on_poll(uv_poll_t *poll, int status, int events)
{
    struct alarm *a = container_of(poll, struct alarm, poll);
    uint64_t times;
    (void)status, (void)events;
    if (read(a->fd, &times, sizeof(times)) < 0) /* it was set anew meanwhile */
        return;
    a->due_us = 0;
    a->ring(a);
}

int alarm_init(struct alarm *a, uv_loop_t *loop, void (*ring)(struct alarm *a), struct err *e)
{
    *a = (struct alarm){.ring = ring};
    a->fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    if (a->fd < 0)
        return fail_errno(e, errno, "cannot make a timer");
    ASSERT(uv_poll_init(loop, &a->poll, a->fd) == 0);
    ASSERT(uv_poll_start(&a->poll, UV_READABLE, on_poll) == 0);
    return 0;
}

void alarm_set(struct alarm *a, int64_t due_us)
{
    if (a->due_us && a->due_us <= due_us)
        return;
    a->due_us = MAX(due_us, 1); /* 0 would mean never */
    struct itimerspec at = {
        .it_value = {a->due_us / 1000000, a->due_us % 1000000 * 1000},
    };
    ASSERT(timerfd_settime(a->fd, TFD_TIMER_ABSTIME, &at, NULL) == 0);
}

static void on_closed(uv_handle_t *handle)
{
    struct alarm *a = container_of((uv_poll_t *)(void *)handle, struct alarm, poll);
    (void)close(a->fd);
}

void alarm_stop(struct alarm *a)
{
    uv_close((uv_handle_t *)&a->poll, on_closed);
}
