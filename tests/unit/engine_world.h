/* engine_world.h: an engine on a loop, a store and a store thread of a test's own.
 *
 *     struct engine_world w = {0};            engine_world_store(&w);
 *     engine_world_begin(&w);                 loop and writer: rows of before may be put now
 *     engine_world_engine(&w);
 *     engine_world_settle(&w);                all jobs have ended, or else
 *     engine_world_stop(&w);                  they are to go on
 *     engine_world_end(&w, NULL, NULL);       all but the store; it may begin again */
#pragma once

#include "engine/engine.h"
#include "test.h"

struct engine_world {
    uv_loop_t loop;
    struct store *store; /* the test closes it */
    struct writer *writer;
    struct engine *engine;
    bool committed, stopped;
};

void engine_world_store(struct engine_world *w);
void engine_world_begin(struct engine_world *w);
void engine_world_engine(struct engine_world *w);

/* Starts a job of a definition in YAML, which must be right. `priority` may be NULL. */
struct id engine_world_start(struct engine_world *w, const char *text, const int *priority);

/* Waits until all that is in the batch is durable. */
void engine_world_commit(struct engine_world *w);

/* Lets all jobs run to their end, and what starts because of that. */
void engine_world_settle(struct engine_world *w);

/* Lets the engine come to rest: what is due in its next turns has been done. */
void engine_world_turns(struct engine_world *w);

/* Stops the engine in the midst of its jobs. */
void engine_world_stop(struct engine_world *w);

/* before(arg), unless NULL, frees what belongs to the engine once nothing is written any more.
 */
void engine_world_end(struct engine_world *w, void (*before)(void *arg), void *arg);
