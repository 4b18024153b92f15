/* monitor.c: tells how far each step is: absolute counts, at most ten times a second per step,
 * and the last value always. */
#include "base/clock.h"
#include "engine/job.h"

enum { TELL_EVERY_US = 100 * 1000 };

static void on_timer(uv_timer_t *timer)
{
    struct engine *g = container_of(timer, struct engine, monitor_timer);
    LIST_EACH (&g->monitored, struct step, link_monitored, step)
        monitor_tell(step);
}

void monitor_init(struct engine *g)
{
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
        uv_timer_start(&g->monitor_timer, on_timer, TELL_EVERY_US / 1000, 0);
}

void monitor_tell(struct step *step)
{
    if (!list_is_linked(&step->link_monitored))
        return;
    list_remove(&step->link_monitored);
    record_progress(step);
}
