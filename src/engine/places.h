/* places.h: how many jobs may run at once: of the server, of a pool, of a definition.
 *
 * A job takes a place of each while it runs. One that finds none stays pending; of those that
 * may start the first is always the one with the highest priority, then the one that was asked
 * for first. Jobs of one definition never overtake each other in that order, so only the first
 * of them is ever looked at: giving a place costs the logarithm of how many wait.
 *
 * Jobs that ran when the last server ended go on, whatever the limits are now. A job whose pool
 * this server does not have waits until one has it. Thread: loop. */
#pragma once

#include "base/heap.h"
#include "base/list.h"
#include "base/map.h"
#include "job/pool.h"

struct engine;
struct job;

/* Of those that take places of one limit. */
struct pool {
    char *name;      /* NULL: the one of all jobs that have none */
    int places;      /* 0: no limit */
    bool is_unknown; /* no job of it starts */
    int running, waiting;
    struct heap ready; /* struct load.ready: by the first job that waits */
    struct list link;
};

/* The jobs of one definition. */
struct load {
    char *definition_id;
    int running;
    struct heap waiting; /* struct job.turn */
    struct heap_node ready;
    struct pool *ready_in; /* its first job lacks no place of the definition */
    struct list link_changed;
};

struct places {
    bool held;           /* no job begins: the disk is nearly full */
    int most, running;   /* of the server; most 0: no limit */
    struct list pools;   /* the one without a name first */
    struct map loads;    /* definition id → struct load */
    struct list changed; /* loads whose first job may wait for something else now */
    struct list asked;   /* jobs that were not told yet what they wait for */
    int64_t count_asked;
    bool moved; /* since places were given last */
};

enum place_state { PLACE_NONE, PLACE_WAITS, PLACE_TAKEN };

void places_init(struct places *places);
void places_limit(struct places *places, int most, const struct pool_limits *pools);
void places_done(struct places *places); /* no job is left */

void places_ask(struct job *job);  /* for a pending one; places_give() says when it begins */
void places_take(struct job *job); /* for one that runs already */
void places_leave(
    struct job *job); /* gives back, or waits no more; nothing, when it has none */

/* While they are held no job begins, and all that wait say so. */
void places_hold(struct engine *g, bool held);

/* Begins those that may, and tells the others what they wait for. Once in each turn. */
void places_give(struct engine *g);
