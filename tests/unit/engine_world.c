#include "engine_world.h"

static void on_closing(void *context, struct batch *b)
{
    struct engine_world *w = context;
    if (w->engine)
        engine_on_closing(w->engine, b);
}

static void on_committed(void *context, const struct batch *b)
{
    (void)context, (void)b;
}

static void on_drained(void *context)
{
    struct engine_world *w = context;
    if (w->engine)
        engine_on_drained(w->engine);
}

static void on_durable(void *arg)
{
    ((struct engine_world *)arg)->committed = true;
}

void engine_world_begin(struct engine_world *w)
{
    struct err e;
    struct writer_hooks hooks = {w, on_closing, on_committed, on_drained};
    CHECK(uv_loop_init(&w->loop) == 0);
    CHECK(writer_new(&w->loop, w->store, &hooks, &w->writer, &e) >= 0);
}

void engine_world_engine(struct engine_world *w)
{
    struct err e;
    CHECK(engine_new(&w->loop, w->store, w->writer, &w->engine, &e) >= 0);
}

void engine_world_commit(struct engine_world *w)
{
    w->committed = false;
    writer_after_commit(w->writer, on_durable, w);
    writer_turn(w->writer);
    while (!w->committed)
        uv_run(&w->loop, UV_RUN_ONCE);
}

void engine_world_settle(struct engine_world *w)
{
    do {
        engine_world_commit(w);
        uv_run(&w->loop, UV_RUN_NOWAIT);
    } while (engine_active_jobs(w->engine));
    engine_world_commit(w);
}

void engine_world_end(struct engine_world *w, void (*before)(void *arg), void *arg)
{
    struct err e;
    CHECK(writer_stop(w->writer, &e) >= 0);
    if (before)
        before(arg);
    engine_free(w->engine);
    w->engine = NULL;
    while (uv_run(&w->loop, UV_RUN_DEFAULT))
        ;
    writer_free(w->writer);
    CHECK(uv_loop_close(&w->loop) == 0);
}
