#include "engine_world.h"

#include "job/definition.h"

enum { TURNS = 6 }; /* as many as the longest way needs, from a time that is due to its job */

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

void engine_world_store(struct engine_world *w)
{
    struct err e;
    CHECK(store_open_memory(&w->store, &e) >= 0);
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

struct id engine_world_start(struct engine_world *w, const char *text, const int *priority)
{
    struct definition_input in = {.text = str_of(text),
                                  .origin = "test",
                                  .format = DEFINITION_YAML,
                                  .schemas = worker_schemas()};
    struct start start = {.by = "test", .priority = priority};
    struct definition *d;
    struct id id;
    struct err e = {0};
    if (definition_parse(&in, &d, &e) < 0 || engine_execute(w->engine, d, &start, &id, &e) < 0)
        CHECK_TEXT(e.text, "");
    definition_free(d);
    return id;
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

void engine_world_turns(struct engine_world *w)
{
    for (int i = 0; i < TURNS; i++) {
        uv_run(&w->loop, UV_RUN_NOWAIT);
        engine_world_commit(w);
    }
}

static void on_stopped(void *arg)
{
    ((struct engine_world *)arg)->stopped = true;
}

void engine_world_stop(struct engine_world *w)
{
    w->stopped = false;
    engine_stop(w->engine, on_stopped, w);
    while (!w->stopped) {
        writer_turn(w->writer);
        uv_run(&w->loop, UV_RUN_NOWAIT); /* what told it may have been the last to come */
    }
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
