#include "base/deadline.h"

#include <stdlib.h>

#include "base/mem.h"

void deadlines_init(struct deadlines *all, uv_loop_t *loop)
{
    *all = (struct deadlines){0};
    ASSERT(uv_timer_init(loop, &all->timer) == 0);
}

void deadlines_close(struct deadlines *all, uv_close_cb closed)
{
    uv_close((uv_handle_t *)&all->timer, closed);
    free(all->heap);
    all->heap = NULL;
    all->count = all->cap = 0;
}

static void put(struct deadlines *all, size_t place, struct deadline *d)
{
    all->heap[place] = d;
    d->place = place;
}

/* Moves what stands at `place` to where it belongs. */
static void settle(struct deadlines *all, size_t place)
{
    struct deadline *d = all->heap[place];
    for (; place > 1 && d->at_ms < all->heap[place / 2]->at_ms; place /= 2)
        put(all, place, all->heap[place / 2]);
    for (size_t child; (child = 2 * place) <= all->count; place = child) {
        if (child < all->count && all->heap[child + 1]->at_ms < all->heap[child]->at_ms)
            child++;
        if (d->at_ms <= all->heap[child]->at_ms)
            break;
        put(all, place, all->heap[child]);
    }
    put(all, place, d);
}

static void on_timer(uv_timer_t *timer);

static void wind(struct deadlines *all)
{
    if (!all->count) {
        (void)uv_timer_stop(&all->timer);
        return;
    }
    int64_t left = all->heap[1]->at_ms - (int64_t)uv_now(all->timer.loop);
    (void)uv_timer_start(&all->timer, on_timer, (uint64_t)MAX(left, 0), 0);
}

static void take_out(struct deadlines *all, struct deadline *d)
{
    size_t place = d->place;
    struct deadline *last = all->heap[all->count--];
    d->place = 0;
    if (last == d)
        return;
    put(all, place, last);
    settle(all, place);
}

static void on_timer(uv_timer_t *timer)
{
    struct deadlines *all = container_of(timer, struct deadlines, timer);
    int64_t now = (int64_t)uv_now(timer->loop);
    while (all->count && all->heap[1]->at_ms <= now) {
        struct deadline *d = all->heap[1];
        take_out(all, d);
        d->ring(d);
    }
    wind(all);
}

void deadline_set(struct deadlines *all, struct deadline *d, int64_t after_ms,
                  void (*ring)(struct deadline *d))
{
    if (d->place)
        take_out(all, d);
    d->at_ms = (int64_t)uv_now(all->timer.loop) + MIN(MAX(after_ms, 0), INT64_MAX / 2);
    d->ring = ring;
    if (all->count + 2 > all->cap) {
        all->cap = all->cap ? 2 * all->cap : 16;
        all->heap = mem_resize(all->heap, all->cap * sizeof(struct deadline *));
    }
    put(all, ++all->count, d);
    settle(all, all->count);
    wind(all);
}

void deadline_clear(struct deadlines *all, struct deadline *d)
{
    if (!d->place)
        return;
    take_out(all, d);
    wind(all);
}
