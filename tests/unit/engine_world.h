/* engine_world.h: an engine on a loop, a store and a store thread of a test's own.
 *
 *     struct engine_world w = {0};            store_open_memory(&w.store, &e)
 *     engine_world_begin(&w);                 loop and writer: rows of before may be put now
 *     engine_world_engine(&w);
 *     engine_world_settle(&w);                all jobs have ended
 *     engine_world_end(&w, NULL, NULL);       all but the store; it may begin again */
#pragma once

#include "engine/engine.h"
#include "test.h"

struct engine_world {
    uv_loop_t loop;
    struct store *store; /* the test's */
    struct writer *writer;
    struct engine *engine;
    bool committed;
};

void engine_world_begin(struct engine_world *w);
void engine_world_engine(struct engine_world *w);

/* Waits until all that is in the batch is durable. */
void engine_world_commit(struct engine_world *w);

/* Lets all jobs run to their end, and what starts because of that. */
void engine_world_settle(struct engine_world *w);

/* before(arg), unless NULL, frees what belongs to the engine once nothing is written any more.
 */
void engine_world_end(struct engine_world *w, void (*before)(void *arg), void *arg);
