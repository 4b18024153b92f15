#include "server/waits.h"

#include <stdlib.h>

#include "base/mem.h"

struct waits {
    uv_loop_t *loop;
    struct list list; /* by until_ms */
    uv_timer_t timer;
    bool draining;
};

static void on_timer(uv_timer_t *timer);

static void arm(struct waits *all)
{
    struct wait *first = LIST_FIRST(&all->list, struct wait, link);
    int64_t now = (int64_t)uv_now(all->loop);
    if (first)
        (void)uv_timer_start(&all->timer, on_timer,
                             (uint64_t)(first->until_ms > now ? first->until_ms - now : 0), 0);
    else
        (void)uv_timer_stop(&all->timer);
}

static void end(struct wait *w, bool timed_out)
{
    list_remove(&w->link);
    w->on_end(w, timed_out);
}

static void on_timer(uv_timer_t *timer)
{
    struct waits *all = container_of(timer, struct waits, timer);
    int64_t now = (int64_t)uv_now(all->loop);
    struct wait *w;
    while ((w = LIST_FIRST(&all->list, struct wait, link)) && w->until_ms <= now)
        end(w, true);
    arm(all);
}

struct waits *waits_new(uv_loop_t *loop)
{
    struct waits *all = mem_alloc(sizeof(*all));
    all->loop = loop;
    list_init(&all->list);
    ASSERT(uv_timer_init(loop, &all->timer) == 0);
    return all;
}

/* Keeps the list in order: from the end, where most waits belong. */
void waits_add(struct waits *all, struct wait *w, int64_t ms)
{
    w->until_ms = (int64_t)uv_now(all->loop) + (all->draining ? 0 : ms);
    struct list *at = &all->list;
    while (at->prev != &all->list &&
           container_of(at->prev, struct wait, link)->until_ms > w->until_ms)
        at = at->prev;
    list_add(at, &w->link);
    arm(all);
}

static bool concerns(const struct wait *w, const struct batch *batch)
{
    const struct event_batch *events = &batch->events;
    for (size_t i = 0; i < batch->change_count; i++)
        if (batch->changes[i].kind == CHANGE_JOB_DELETE &&
            (w->topic.kind == TOPIC_JOBS || id_eq(w->topic.job_id, batch->changes[i].job_id)))
            return true;
    for (size_t i = 0; i < events->count; i++)
        if (events->events[i].seq > w->after &&
            event_matches(events, &events->events[i], &w->topic))
            return true;
    return false;
}

void waits_publish(struct waits *all, const struct batch *batch)
{
    LIST_EACH (&all->list, struct wait, link, w)
        if (concerns(w, batch))
            end(w, false);
    arm(all);
}

void waits_drain(struct waits *all)
{
    struct wait *w;
    all->draining = true;
    while ((w = LIST_FIRST(&all->list, struct wait, link)))
        end(w, true);
    arm(all);
}

void waits_stop(struct waits *all)
{
    ASSERT(list_is_empty(&all->list));
    uv_close((uv_handle_t *)&all->timer, NULL);
}

void waits_free(struct waits *all)
{
    free(all);
}
