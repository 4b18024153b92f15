#include "base/deadline.h"

#include "base/clock.h"

static bool deadline_before(struct heap_node *a, struct heap_node *b)
{
    return container_of(a, struct deadline, node)->at_ms <
           container_of(b, struct deadline, node)->at_ms;
}

void deadlines_init(struct deadlines *all, uv_loop_t *loop)
{
    *all = (struct deadlines){.heap.before = deadline_before};
    ASSERT(uv_timer_init(loop, &all->timer) == 0);
}

void deadlines_close(struct deadlines *all, uv_close_cb closed)
{
    uv_close((uv_handle_t *)&all->timer, closed);
    heap_done(&all->heap);
}

static struct deadline *first(const struct deadlines *all)
{
    return HEAP_FIRST(&all->heap, struct deadline, node);
}

int64_t deadlines_now_ms(const struct deadlines *all)
{
    return clock_is_held() ? clock_wall_us() / 1000 : (int64_t)uv_now(all->timer.loop);
}

int64_t deadlines_next_ms(const struct deadlines *all)
{
    const struct deadline *d = first(all);
    return d ? d->at_ms : INT64_MAX;
}

static void on_timer(uv_timer_t *timer);

static void wind(struct deadlines *all)
{
    const struct deadline *d = first(all);
    if (!d) {
        (void)uv_timer_stop(&all->timer);
        return;
    }
    int64_t left = d->at_ms - deadlines_now_ms(all);
    if (left > 0 && clock_is_held()) /* that is not for the loop to wait for */
        (void)uv_timer_stop(&all->timer);
    else
        (void)uv_timer_start(&all->timer, on_timer, (uint64_t)MAX(left, 0), 0);
}

void deadlines_ring(struct deadlines *all)
{
    int64_t now = deadlines_now_ms(all);
    struct deadline *d;
    while ((d = first(all)) && d->at_ms <= now) {
        heap_remove(&all->heap, &d->node);
        d->ring(d);
    }
    wind(all);
}

static void on_timer(uv_timer_t *timer)
{
    deadlines_ring(container_of(timer, struct deadlines, timer));
}

void deadline_set(struct deadlines *all, struct deadline *d, int64_t after_ms,
                  void (*ring)(struct deadline *d))
{
    heap_remove(&all->heap, &d->node);
    uv_update_time(all->timer.loop); /* the turn may have been a long one, as at the start */
    d->at_ms = deadlines_now_ms(all) + MIN(MAX(after_ms, 0), INT64_MAX / 2);
    d->ring = ring;
    heap_add(&all->heap, &d->node);
    wind(all);
}

void deadline_clear(struct deadlines *all, struct deadline *d)
{
    if (!d->node.place)
        return;
    heap_remove(&all->heap, &d->node);
    wind(all);
}
