/* monitor.c: tells how far each step is: absolute counts, at most ten times a second per step,
 * and the last value always. How many lines it has is told along, and once a second when that
 * is all there is to tell. */
#include "base/clock.h"
#include "engine/job.h"

enum { TELL_EVERY_MS = 100, COUNT_EVERY_MS = 1000 };

static void on_timer(uv_timer_t *timer)
{
    struct engine *g = container_of(timer, struct engine, monitor_timer);
    LIST_EACH (&g->monitored, struct step, link_monitored, step)
        monitor_tell(step);
}

static void on_count_timer(uv_timer_t *timer)
{
    struct engine *g = container_of(timer, struct engine, count_timer);
    LIST_EACH (&g->counted, struct step, link_counted, step)
        monitor_tell(step);
}

void monitor_init(struct engine *g)
{
    list_init(&g->counted);
    uv_timer_init(g->loop, &g->count_timer);
    list_init(&g->monitored);
    uv_timer_init(g->loop, &g->monitor_timer);
}

void monitor_changed(struct step *step)
{
    struct engine *g = step->job->engine;
    if (list_is_linked(&step->link_monitored))
        return;
    list_add(&g->monitored, &step->link_monitored);
    if (!uv_is_active((uv_handle_t *)&g->monitor_timer))
        uv_timer_start(&g->monitor_timer, on_timer, TELL_EVERY_MS, 0);
}

void monitor_counted(struct step *step)
{
    struct engine *g = step->job->engine;
    if (list_is_linked(&step->link_counted))
        return;
    list_add(&g->counted, &step->link_counted);
    if (!uv_is_active((uv_handle_t *)&g->count_timer))
        uv_timer_start(&g->count_timer, on_count_timer, COUNT_EVERY_MS, 0);
}

void monitor_tell(struct step *step)
{
    if (!list_is_linked(&step->link_monitored) && !list_is_linked(&step->link_counted))
        return;
    list_remove(&step->link_monitored);
    list_remove(&step->link_counted);
    record_progress(step);
}
