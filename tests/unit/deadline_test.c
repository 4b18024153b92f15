/* Deadlines, on a real loop: they ring in the order of their times, whatever is set, moved and
 * cleared in between. */
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/deadline.h"
#include "test.h"

enum { MANY = 500 };

static struct deadlines all;
static struct deadline some[MANY];
static int64_t last_ms;
static int rung;

static void on_ring(struct deadline *d)
{
    CHECK(d->at_ms >= last_ms);
    CHECK_INT(d->node.place, 0);
    last_ms = d->at_ms;
    rung++;
}

static void on_ring_again(struct deadline *d)
{
    if (++rung < 3)
        deadline_set(&all, d, 1, on_ring_again);
}

static void begin(uv_loop_t *loop)
{
    CHECK(uv_loop_init(loop) == 0);
    deadlines_init(&all, loop);
    last_ms = 0;
    rung = 0;
}

static void end(uv_loop_t *loop)
{
    uv_run(loop, UV_RUN_DEFAULT);
    deadlines_close(&all, NULL);
    uv_run(loop, UV_RUN_DEFAULT);
    CHECK(uv_loop_close(loop) == 0);
}

TEST(deadlines_ring_in_order_whatever_was_moved_and_cleared)
{
    uv_loop_t loop;
    begin(&loop);
    int cleared = 0;
    srand(1);
    for (int i = 0; i < MANY; i++)
        deadline_set(&all, &some[i], rand() % 40, on_ring);
    for (int i = 0; i < MANY; i++) {
        struct deadline *d = &some[rand() % MANY];
        cleared += i % 3 == 0 && d->node.place;
        if (i % 3 == 0)
            deadline_clear(&all, d);
        else if (d->node.place)
            deadline_set(&all, d, rand() % 40, on_ring);
    }
    end(&loop);
    CHECK_INT(rung, MANY - cleared);
}

static int64_t rung_us;

static void on_ring_note(struct deadline *d)
{
    (void)d;
    rung_us = clock_mono_us();
}

/* The loop knows the time of its last turn. */
TEST(a_deadline_that_is_set_late_in_a_long_turn_does_not_ring_too_early)
{
    uv_loop_t loop;
    begin(&loop);
    (void)usleep(50 * 1000);
    int64_t set_us = clock_mono_us();
    deadline_set(&all, &some[0], 40, on_ring_note);
    end(&loop);
    CHECK(rung_us - set_us > 39 * 1000); /* whole milliseconds */
}

TEST(a_deadline_may_be_set_again_while_it_rings)
{
    uv_loop_t loop;
    begin(&loop);
    deadline_set(&all, &some[0], 0, on_ring_again);
    end(&loop);
    CHECK_INT(rung, 3);
}
