/* writer.c: group commit.
 *
 * There are two batches: one is being filled by the loop thread, the other is away at the store
 * thread or waits, empty, to be filled next. They change places in writer_turn(); nothing else
 * is shared but the small state under the lock. The happy path of a batch is: filled ->
 * on_closing() -> away -> committed -> back -> on_committed() -> after-commit callbacks ->
 * empty. It stays away for as long as the store cannot take it: that is what makes the log
 * gapless.
 *
 * When a batch leaves. A commit costs an fsync and some tenths of a millisecond of a core,
 * almost the same for one line as for a hundred. While little comes, waiting would only make it
 * late: the batch leaves as soon as the store is idle. While much comes, each commit takes few
 * of the lines of a moment, and a hundred commits do what ten could. So there is a window:
 * batches leave at least so long after each other, up to WINDOW_MAX_US, in proportion to what
 * the batch before gathered (writer_window_us()). With a line every millisecond it is too short
 * to be felt; from some 6,000 lines a second on it feeds itself, since a longer window gathers
 * more, and comes to its full length within a few commits; when lines get rare it shrinks in
 * the same way. A batch of LARGE_BYTES gains nothing by waiting. */
#include "store/writer.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/alarm.h"
#include "base/clock.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/mem.h"

enum {
    RETRY_MS = 250,        /* a failed commit is tried again after this */
    RETRIES_AT_STOP = 8,   /* so many times when the server wants to end */
    COMPACT_IDLE_MS = 500, /* no commit for so long: the store may tidy up */
    WINDOW_MAX_US = 5000,
    WINDOW_FULL_EVENTS = 32, /* a batch of so many events is followed by the whole window */
    LARGE_BYTES = 1024 * 1024,
    FIGURES = 1000,                /* commits whose time is remembered */
    FIGURES_AGE_US = 60 * 1000000, /* older ones tell nothing of how it is now */
};

struct after_commit {
    void (*done)(void *arg);
    void *arg;
};

struct after_list {
    struct after_commit *items;
    size_t count, cap;
};

/* A batch and who waits for it. */
struct load {
    struct batch *batch;
    struct after_list after;
    int64_t since_us; /* mono: the end of the turn that began it; 0: it is empty */
};

struct writer {
    uv_loop_t *loop;
    struct store *store;
    struct writer_hooks hooks;

    /* loop thread only */
    struct load filling;
    struct load spare;  /* to be filled next; it is here when no batch is away */
    int64_t not_before; /* mono time: the end of the window */
    struct alarm window;
    int64_t commits;
    struct {
        int64_t at_us, took_us; /* when by the wall clock, how long */
    } newest[FIGURES];          /* a ring */
    bool told_full;             /* someone waits for on_drained() */
    bool stopped;
    char trouble[ERR_TEXT_MAX];
    uv_async_t wake_loop;
    uv_thread_t thread;

    /* both, under the lock */
    uv_mutex_t lock;
    uv_cond_t wake_store;
    struct load away;      /* batch set while is_away or is_back */
    bool is_away, is_back; /* with the store thread; committed and not yet seen by the loop */
    bool hurry, gave_up;   /* the loop wants to end: try only so often; it was in vain */
    bool stopping;         /* nothing will come any more */
    char store_trouble[ERR_TEXT_MAX];
};

static void load_done(struct load *load)
{
    batch_free(load->batch);
    free(load->after.items);
    *load = (struct load){0};
}

/* Its memory stays, for the next. */
static void load_clear(struct load *load)
{
    batch_clear(load->batch);
    load->after.count = 0;
    load->since_us = 0;
}

static bool batch_is_empty(const struct batch *b)
{
    return b->events.count == 0 && b->change_count == 0;
}

/* ---- the store thread ---- */

static void trouble_set(struct writer *w, const char *text)
{
    uv_mutex_lock(&w->lock);
    bool changed = strcmp(w->store_trouble, text) != 0;
    text_copy(w->store_trouble, sizeof(w->store_trouble), text);
    uv_mutex_unlock(&w->lock);
    if (changed && text[0])
        log_error("cannot commit, trying again: %s", text);
    if (changed && !text[0])
        log_info("commits succeed again");
    if (changed)
        uv_async_send(&w->wake_loop);
}

/* Commits until it succeeds; false when the server wants to end and it still does not. */
static bool commit(struct writer *w, struct batch *b)
{
    struct err e;
    int stop_tries = 0;
    while (store_append(w->store, b, &e) < 0) {
        trouble_set(w, e.text);
        uv_mutex_lock(&w->lock);
        (void)uv_cond_timedwait(&w->wake_store, &w->lock, RETRY_MS * 1000000ull);
        bool hurry = w->hurry;
        uv_mutex_unlock(&w->lock);
        if (hurry && ++stop_tries > RETRIES_AT_STOP)
            return false;
    }
    trouble_set(w, "");
    return true;
}

static void compact(struct writer *w, bool idle, bool *ret_more)
{
    struct err e;
    int r = store_compact(w->store, idle, &e);
    if (r < 0)
        log_warn("cannot compact the log: %s", e.text);
    *ret_more = r > 0;
}

/* Waits for a batch under the lock. False when it is time to tidy up instead, or to end. */
static bool wait_for_batch(struct writer *w, bool more, bool *ret_idle)
{
    *ret_idle = false;
    while (!w->is_away && !w->stopping) {
        if (more)
            return false;
        if (uv_cond_timedwait(&w->wake_store, &w->lock, COMPACT_IDLE_MS * 1000000ull) ==
            UV_ETIMEDOUT) {
            *ret_idle = true;
            return false;
        }
    }
    return w->is_away;
}

/* A commit is short, and all wait for it; the loop may be busy for long. So where both share a
 * core, this thread asks to be let in at once when it is woken: by short turns (a request slice
 * of EEVDF, Linux 6.12; sched(7)). An older kernel does not know that and does about the same
 * by itself. */
static void ask_for_short_turns(void)
{
    enum { TURN_NS = 100 * 1000 };
    struct {
        uint32_t size, policy;
        uint64_t flags;
        int32_t nice;
        uint32_t priority;
        uint64_t runtime, deadline, period;
    } attr = {.size = sizeof(attr)};
    if (syscall(SYS_sched_getattr, 0, &attr, sizeof(attr), 0) != 0)
        return;
    attr.runtime = TURN_NS;
    (void)syscall(SYS_sched_setattr, 0, &attr, 0);
}

static void on_thread(void *arg)
{
    struct writer *w = arg;
    bool more = false, idle;
    (void)pthread_setname_np(pthread_self(), "store");
    ask_for_short_turns();
    uv_mutex_lock(&w->lock);
    for (;;) {
        bool has_batch = wait_for_batch(w, more, &idle);
        if (!has_batch && w->stopping)
            break;
        uv_mutex_unlock(&w->lock);
        bool ok = !has_batch || batch_is_empty(w->away.batch) || commit(w, w->away.batch);
        if (ok && !has_batch)
            compact(w, idle, &more);
        uv_mutex_lock(&w->lock);
        if (has_batch) {
            more = true; /* look once after each commit whether there is something to tidy up */
            w->is_away = false;
            w->is_back = ok;
            w->gave_up = !ok;
            uv_cond_broadcast(&w->wake_store);
            uv_async_send(&w->wake_loop);
        }
        if (!ok)
            break;
    }
    uv_mutex_unlock(&w->lock);
}

/* ---- the loop thread ---- */

static bool is_full(const struct writer *w)
{
    size_t bytes = batch_bytes(w->filling.batch);
    if (w->away.batch)
        bytes += batch_bytes(w->away.batch);
    return bytes > LIMIT_IN_FLIGHT_BYTES;
}

/* Publishes the batch that came back and makes room for the next. */
static void take_back(struct writer *w)
{
    uv_mutex_lock(&w->lock);
    bool back = w->is_back;
    w->is_back = false;
    text_copy(w->trouble, sizeof(w->trouble), w->store_trouble);
    uv_mutex_unlock(&w->lock);
    if (!back)
        return;
    struct load load =
        w->away; /* the store thread does not look at it until it is_away again */
    w->away = (struct load){0};
    w->hooks.on_committed(w->hooks.context, load.batch);
    w->newest[w->commits % FIGURES].at_us = clock_wall_us();
    w->newest[w->commits++ % FIGURES].took_us = clock_mono_us() - load.since_us;
    for (size_t i = 0; i < load.after.count; i++)
        load.after.items[i].done(load.after.items[i].arg);
    load_clear(&load);
    w->spare = load;
    if (w->told_full && !is_full(w)) {
        w->told_full = false;
        w->hooks.on_drained(w->hooks.context);
    }
}

static void on_wake(uv_async_t *async)
{
    struct writer *w = container_of(async, struct writer, wake_loop);
    take_back(w);
    writer_turn(w);
}

int64_t writer_window_us(size_t events)
{
    return (int64_t)MIN(events, (size_t)WINDOW_FULL_EVENTS) * WINDOW_MAX_US /
           WINDOW_FULL_EVENTS;
}

static void on_window(struct alarm *a)
{
    writer_turn(container_of(a, struct writer, window));
}

static void send_away(struct writer *w)
{
    int64_t now_us = clock_mono_us();
    w->hooks.on_closing(w->hooks.context, w->filling.batch);
    if (!w->filling.since_us)
        w->filling.since_us = now_us;
    w->not_before = now_us + writer_window_us(w->filling.batch->events.count);
    uv_mutex_lock(&w->lock);
    w->away = w->filling;
    w->is_away = true;
    uv_cond_broadcast(&w->wake_store);
    uv_mutex_unlock(&w->lock);
    w->filling = w->spare;
    w->spare = (struct load){0};
}

static bool has_load(const struct load *load)
{
    return !batch_is_empty(load->batch) || load->after.count > 0;
}

/* Is there a batch to send, and is the store there to take it? */
static bool may_send(const struct writer *w)
{
    return w->spare.batch && !w->stopped && has_load(&w->filling);
}

void writer_turn(struct writer *w)
{
    int64_t now_us = clock_mono_us();
    if (!w->filling.since_us && has_load(&w->filling))
        w->filling.since_us = now_us;
    if (!may_send(w))
        return;
    if (w->not_before <= now_us || batch_bytes(w->filling.batch) >= LARGE_BYTES)
        send_away(w);
    else
        alarm_set(&w->window, w->not_before);
}

int writer_new(uv_loop_t *loop, struct store *store, const struct writer_hooks *hooks,
               struct writer **ret_writer, struct err *e)
{
    struct writer *w = mem_alloc(sizeof(*w));
    *w = (struct writer){.loop = loop, .store = store, .hooks = *hooks};
    w->filling.batch = batch_new();
    w->spare.batch = batch_new();
    int r = alarm_init(&w->window, loop, on_window, e);
    if (r < 0)
        return r;
    ASSERT(uv_mutex_init(&w->lock) == 0 && uv_cond_init(&w->wake_store) == 0);
    ASSERT(uv_async_init(loop, &w->wake_loop, on_wake) == 0);
    if (uv_thread_create(&w->thread, on_thread, w) != 0)
        return fail(e, E_IO, "cannot start the store thread");
    *ret_writer = w;
    return 0;
}

struct batch *writer_batch(struct writer *w)
{
    ASSERT(!w->stopped);
    return w->filling.batch;
}

void writer_after_commit(struct writer *w, void (*done)(void *arg), void *arg)
{
    struct after_list *after = &w->filling.after;
    MEM_GROW(after->items, after->count, after->cap);
    after->items[after->count++] = (struct after_commit){done, arg};
}

bool writer_is_full(struct writer *w)
{
    bool full = is_full(w);
    w->told_full = w->told_full || full;
    return full;
}

const char *writer_trouble(const struct writer *w)
{
    return w->trouble;
}

static int compare_us(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

struct writer_figures writer_figures(const struct writer *w)
{
    int64_t sorted[FIGURES], now_us = clock_wall_us();
    size_t known = (size_t)MIN(w->commits, (int64_t)FIGURES), count = 0;
    int64_t since_us = w->away.since_us ? w->away.since_us : w->filling.since_us;
    struct writer_figures f = {.commits = w->commits, .bytes = batch_bytes(w->filling.batch)};
    if (since_us)
        f.oldest_us = clock_mono_us() - since_us;
    if (w->away.batch)
        f.bytes += batch_bytes(w->away.batch);
    if (known)
        f.last_us = w->newest[(w->commits - 1) % FIGURES].took_us;
    for (size_t i = 0; i < known; i++)
        if (now_us - w->newest[i].at_us < FIGURES_AGE_US)
            sorted[count++] = w->newest[i].took_us;
    if (count == 0)
        return f;
    qsort(sorted, count, sizeof(sorted[0]), compare_us);
    f.p50_us = sorted[count / 2];
    f.p99_us = sorted[count * 99 / 100];
    return f;
}

/* Waits until the batch that is away has come back, and publishes it. */
static bool wait_back(struct writer *w)
{
    uv_mutex_lock(&w->lock);
    while (w->is_away)
        uv_cond_wait(&w->wake_store, &w->lock);
    bool ok = !w->gave_up;
    uv_mutex_unlock(&w->lock);
    take_back(w);
    return ok;
}

int writer_stop(struct writer *w, struct err *e)
{
    uv_mutex_lock(&w->lock);
    w->hurry = true;
    uv_cond_broadcast(&w->wake_store);
    uv_mutex_unlock(&w->lock);
    bool ok = wait_back(w);
    while (ok && may_send(w)) {
        send_away(w);
        ok = wait_back(w);
    }
    uv_mutex_lock(&w->lock);
    w->stopping = true;
    uv_cond_broadcast(&w->wake_store);
    uv_mutex_unlock(&w->lock);
    uv_thread_join(&w->thread);
    w->stopped = true;
    uv_close((uv_handle_t *)&w->wake_loop, NULL);
    alarm_stop(&w->window);
    return ok ? 0 : fail(e, E_IO, "the last batch could not be committed: %s", w->trouble);
}

void writer_free(struct writer *w)
{
    if (!w)
        return;
    load_done(&w->filling);
    load_done(&w->away);
    load_done(&w->spare);
    uv_cond_destroy(&w->wake_store);
    uv_mutex_destroy(&w->lock);
    free(w);
}
