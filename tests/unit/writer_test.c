/* What producers are told: who was told that the writer is full is told when it no longer is,
 * at whatever moment of a turn they asked. And when batches leave. */
#include "base/clock.h"
#include "base/limits.h"
#include "store/writer.h"
#include "test.h"

struct world {
    uv_loop_t loop;
    struct store *store;
    struct writer *writer;
    int committed, drained;
};

static void on_closing(void *context, struct batch *b)
{
    (void)context, (void)b;
}

static void on_committed(void *context, const struct batch *b)
{
    struct world *w = context;
    (void)b;
    w->committed++;
}

static void on_drained(void *context)
{
    struct world *w = context;
    w->drained++;
}

static void add_line(struct world *w, size_t n)
{
    static const struct event_source source = {ID_NONE, ID_NONE, "", "job"};
    static char text[LIMIT_LINE_BYTES];
    struct event event = {.type = EVENT_JOB_LOG, .ts_us = 1};
    event_batch_add(&writer_batch(w->writer)->events, &event, &source, (struct str){text, n},
                    str_of(""));
}

static void add_bytes(struct world *w, size_t bytes)
{
    for (size_t n = 0; n < bytes; n += LIMIT_LINE_BYTES)
        add_line(w, LIMIT_LINE_BYTES);
}

/* So many that the whole window follows. */
static void add_many(struct world *w)
{
    for (int i = 0; i < 100; i++)
        add_line(w, 10);
}

static void world_open(struct world *w)
{
    struct err e;
    struct writer_hooks hooks = {w, on_closing, on_committed, on_drained};
    *w = (struct world){0};
    CHECK(uv_loop_init(&w->loop) == 0);
    CHECK(store_open_memory(&w->store, &e) >= 0);
    CHECK(writer_new(&w->loop, w->store, &hooks, &w->writer, &e) >= 0);
}

static void world_run(struct world *w, int commits)
{
    while (w->committed < commits)
        uv_run(&w->loop, UV_RUN_ONCE);
}

static void world_close(struct world *w)
{
    struct err e;
    CHECK(writer_stop(w->writer, &e) >= 0);
    uv_run(&w->loop, UV_RUN_DEFAULT);
    writer_free(w->writer);
    store_close(w->store);
    CHECK(uv_loop_close(&w->loop) == 0);
}

TEST(a_producer_that_was_told_to_wait_is_told_when_it_may_go_on)
{
    struct world w;
    world_open(&w);
    add_bytes(&w, LIMIT_IN_FLIGHT_BYTES * 3 / 4);
    writer_turn(w.writer);
    /* the rest of the turn: someone writes, asks, and waits before the turn has ended */
    add_bytes(&w, LIMIT_IN_FLIGHT_BYTES / 2);
    CHECK(writer_is_full(w.writer));
    world_run(&w, 1);
    CHECK(!writer_is_full(w.writer));
    CHECK_INT(w.drained, 1);
    world_close(&w);
}

TEST(the_window_is_too_short_to_be_felt_while_little_comes)
{
    CHECK_INT(writer_window_us(0), 0);
    CHECK(writer_window_us(1) < 200);
    CHECK(writer_window_us(2) < 400);
}

TEST(the_window_is_never_longer_than_five_milliseconds)
{
    for (size_t events = 1; events < 1000000; events *= 3)
        CHECK(writer_window_us(events) <= 5000 &&
              writer_window_us(events) >= writer_window_us(events - 1));
    CHECK_INT(writer_window_us(SIZE_MAX), 5000);
}

/* At a steady rate, how long the window becomes: each gathers what comes during the one before,
 * or during the commit when that takes longer. */
static int64_t steady_window_us(int64_t lines_per_s, int64_t commit_us)
{
    int64_t window_us = 0;
    for (int i = 0; i < 100; i++)
        window_us =
            writer_window_us((size_t)(lines_per_s * MAX(window_us, commit_us) / 1000000));
    return window_us;
}

TEST(a_steady_rate_finds_its_window)
{
    CHECK_INT(steady_window_us(20000, 500), 5000);
    CHECK_INT(steady_window_us(200000, 500), 5000);
    CHECK(steady_window_us(1000, 500) < 200);
    CHECK(steady_window_us(3000, 500) < 500); /* shorter than the commit: no wait at all */
}

TEST(what_waits_for_the_end_of_the_window_leaves_by_itself)
{
    struct world w;
    world_open(&w);
    add_many(&w);
    writer_turn(w.writer);
    for (int i = 0; i < 5; i++) {
        world_run(&w, i + 1);
        add_many(&w);
        writer_turn(w.writer); /* the only time that anybody asks */
    }
    world_run(&w, 6);
    world_close(&w);
}

TEST(what_waits_for_the_end_of_the_window_is_committed_by_a_stop)
{
    struct world w;
    world_open(&w);
    add_many(&w);
    writer_turn(w.writer);
    add_line(&w, 10);
    writer_turn(w.writer);
    struct err e;
    CHECK(writer_stop(w.writer, &e) >= 0);
    CHECK_INT(store_head(w.store), 101);
    uv_run(&w.loop, UV_RUN_DEFAULT);
    writer_free(w.writer);
    store_close(w.store);
    CHECK(uv_loop_close(&w.loop) == 0);
}

TEST(the_figures_say_what_waits_and_how_long_commits_took)
{
    struct world w;
    clock_hold(1000000);
    world_open(&w);
    struct writer_figures none = writer_figures(w.writer);
    CHECK(none.commits == 0 && none.oldest_us == 0 && none.bytes == 0 && none.p99_us == 0);
    add_bytes(&w, 100000);
    writer_turn(w.writer);
    add_line(&w, 10);
    struct writer_figures waits = writer_figures(w.writer);
    CHECK(waits.oldest_us > 0);
    CHECK(waits.bytes >= 100000);
    world_run(&w, 1);
    writer_turn(w.writer);
    world_run(&w, 2);
    struct writer_figures done = writer_figures(w.writer);
    CHECK_INT(done.commits, 2);
    CHECK(done.oldest_us == 0 && done.bytes == 0);
    CHECK(done.last_us > 0 && done.p50_us > 0 && done.p99_us >= done.p50_us);
    CHECK(done.p99_us < 60 * 1000000); /* from the turn that wrote, not from the beginning */
    clock_advance(60 * 1000000);
    struct writer_figures later = writer_figures(w.writer);
    CHECK(later.commits == 2 && later.last_us == done.last_us);
    CHECK(later.p50_us == 0 && later.p99_us == 0); /* a slow minute is over in the next */
    world_close(&w);
}
