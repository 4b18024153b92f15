/* What producers are told: who was told that the writer is full is told when it no longer is,
 * at whatever moment of a turn they asked. */
#include <string.h>

#include "base/limits.h"
#include "base/mem.h"
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

static void add_lines(struct world *w, size_t bytes)
{
    struct event_source source = {id_new(), ID_NONE, "", "job"};
    static char text[LIMIT_LINE_BYTES];
    memset(text, 'x', sizeof(text));
    for (size_t n = 0; n < bytes; n += sizeof(text)) {
        struct event event = {.type = EVENT_JOB_LOG, .ts_us = 1, .line = n + 1};
        event_batch_add(&writer_batch(w->writer)->events, &event, &source,
                        (struct str){text, sizeof(text)}, str_of(""));
    }
}

TEST(a_producer_that_was_told_to_wait_is_told_when_it_may_go_on)
{
    struct world w = {0};
    struct err e;
    struct writer_hooks hooks = {&w, on_closing, on_committed, on_drained};
    CHECK(uv_loop_init(&w.loop) == 0);
    CHECK(store_open_memory(&w.store, &e) >= 0);
    CHECK(writer_new(&w.loop, w.store, &hooks, &w.writer, &e) >= 0);
    add_lines(&w, LIMIT_IN_FLIGHT_BYTES * 3 / 4);
    writer_turn(w.writer);
    /* the rest of the turn: someone writes, asks, and waits before the turn has ended */
    add_lines(&w, LIMIT_IN_FLIGHT_BYTES / 2);
    CHECK(writer_is_full(w.writer));
    while (w.committed == 0)
        uv_run(&w.loop, UV_RUN_ONCE);
    CHECK(!writer_is_full(w.writer));
    CHECK_INT(w.drained, 1);
    CHECK(writer_stop(w.writer, &e) >= 0);
    uv_run(&w.loop, UV_RUN_DEFAULT);
    writer_free(w.writer);
    store_close(w.store);
    CHECK(uv_loop_close(&w.loop) == 0);
}
