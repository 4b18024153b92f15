/* The happy path: SIGTERM, everybody ends, farewell_end(). Otherwise the timer looks now and
 * then who is left, the last time by name, before SIGKILL. */
#include "worker/farewell.h"

#include <inttypes.h>
#include <signal.h>

#include "base/buf.h"
#include "job/quantity.h"

enum { TELL_EVERY_MS = 1000, TELL_AT_MOST = 10, NAMES_BYTES = 1024 };

static uint64_t gone_ms(const struct farewell *f)
{
    return uv_now(f->timer.loop) - f->begun_ms;
}

static void survivors_tell(const struct farewell *f)
{
    const struct orphan_look *look = &f->look;
    AUTO_BUF names = BUF_INIT(NAMES_BYTES);
    for (int i = 0; i < look->named; i++)
        buf_printf(&names, "%s%ld (%s)", i ? ", " : "", (long)look->who[i].pid,
                   look->who[i].name);
    if (look->count > look->named)
        buf_printf(&names, " and %d more", look->count - look->named);
    if (look->count > 0)
        worker_log(f->task->step, f->task, LEVEL_WARN, "survived SIGTERM: %s; SIGKILL sent",
                   buf_text(&names));
}

static void left_tell(const struct farewell *f)
{
    char text[QUANTITY_TEXT_MAX];
    uint64_t every = f->told_every_ms, told = (gone_ms(f) + every / 2) / every * every;
    if (f->look.count > 0 && told < f->grace_ms)
        worker_log(f->task->step, f->task, LEVEL_INFO, "SIGKILL in %s: %d process%s left",
                   quantity_format_duration((int64_t)(f->grace_ms - told), text), f->look.count,
                   f->look.count == 1 ? " is" : "es are");
}

static void farewell_look(struct farewell *f);

static void on_look(uv_work_t *work)
{
    struct farewell *f = container_of(work, struct farewell, work);
    orphan_look(f->mark, &f->look);
}

static void on_looked(uv_work_t *work, int status)
{
    struct farewell *f = container_of(work, struct farewell, work);
    (void)status;
    f->looking = false;
    if (!uv_is_active((uv_handle_t *)&f->timer)) {
        /* everybody ended meanwhile */
    } else if (f->look.signal) {
        f->look.signal = 0;
    } else if (gone_ms(f) < f->grace_ms) {
        left_tell(f);
    } else {
        survivors_tell(f);
        (void)kill(-f->group, SIGKILL);
        (void)uv_timer_stop(&f->timer);
        f->over = true;
    }
    f->on_news(f);
}

static void farewell_look(struct farewell *f)
{
    if (f->looking)
        return; /* the next one is soon enough */
    f->looking = true;
    ASSERT(uv_queue_work(f->timer.loop, &f->work, on_look, on_looked) == 0);
}

static void on_timer(uv_timer_t *timer)
{
    struct farewell *f = container_of(timer, struct farewell, timer);
    uint64_t gone = gone_ms(f), left = gone < f->grace_ms ? f->grace_ms - gone : 1;
    (void)uv_timer_start(timer, on_timer, MIN(f->told_every_ms, left), 0);
    farewell_look(f);
}

void farewell_init(struct farewell *f, uv_loop_t *loop)
{
    *f = (struct farewell){0};
    ASSERT(uv_timer_init(loop, &f->timer) == 0);
}

void farewell_begin(struct farewell *f, struct worker_task *task, pid_t group, uint64_t mark,
                    int64_t grace_ms, void (*on_news)(struct farewell *f))
{
    char text[QUANTITY_TEXT_MAX];
    f->task = task;
    f->group = group;
    f->mark = mark;
    f->on_news = on_news;
    f->begun_ms = uv_now(f->timer.loop);
    f->grace_ms = (uint64_t)grace_ms;
    f->told_every_ms = MAX(TELL_EVERY_MS, f->grace_ms / TELL_AT_MOST);
    task->step->host->stopping(task, grace_ms);
    if (!f->grace_ms) {
        worker_log(task->step, task, LEVEL_WARN, "stopping: SIGKILL sent");
        f->over = true;
        (void)kill(-group, SIGKILL);
        return;
    }
    worker_log(task->step, task, LEVEL_WARN, "stopping: SIGTERM sent, SIGKILL in %s",
               quantity_format_duration(grace_ms, text));
    (void)kill(-group, SIGTERM);
    (void)kill(-group, SIGCONT); /* one that is halted could not end */
    f->look.signal = SIGTERM;    /* to those that are not in the group */
    f->look.but = group;
    (void)uv_timer_start(&f->timer, on_timer, MIN(f->told_every_ms, f->grace_ms), 0);
    farewell_look(f);
}

void farewell_end(struct farewell *f)
{
    (void)uv_timer_stop(&f->timer);
    if (f->task)
        worker_log(f->task->step, f->task, LEVEL_INFO,
                   "stopped after %" PRIu64 ".%" PRIu64 " s: all processes are gone",
                   gone_ms(f) / 1000, gone_ms(f) % 1000 / 100);
}
