/* places.c: how many jobs may run at once, of the server and of a definition.
 *
 * A job that finds no place stays pending, with a line that says why, and starts when one is
 * free: always the one that was asked for first, of those that may. Jobs that ran when the last
 * server ended go on, whatever the limits are now. */
#include "base/arena.h"
#include "base/map.h"
#include "engine/job.h"

/* Jobs that run, of each definition. */
struct load {
    struct arena arena;
    struct map by_definition; /* id → int */
    int total;
};

static int *load_of(struct load *load, const struct job *job)
{
    struct str id = str_of(job->row.definition_id);
    int *count = map_get(&load->by_definition, id);
    if (!count) {
        count = arena_alloc(&load->arena, sizeof(*count));
        *count = 0;
        map_set(&load->by_definition, id, count);
    }
    return count;
}

static void wait_tell(struct job *job, const char *whose, int limit)
{
    if (!job->waits)
        record_linef(job, NULL, LEVEL_INFO, "waits for a place: %d job%s of %s at once", limit,
                     limit == 1 ? "" : "s", whose);
    job->waits = true;
}

static bool has_place(struct job *job, int total, int count)
{
    int most = job->engine->max_jobs, of_definition = job->definition->max_running;
    if (most && total >= most)
        wait_tell(job, "the server", most);
    else if (of_definition && count >= of_definition)
        wait_tell(job, "this definition", of_definition);
    else
        return true;
    return false;
}

void places_give(struct engine *g)
{
    struct load load = {.arena = ARENA_INIT, .by_definition = MAP_INIT};
    LIST_EACH (&g->jobs, struct job, link, job) {
        if (job->row.status != JOB_RUNNING)
            continue;
        load.total++;
        ++*load_of(&load, job);
    }
    LIST_EACH (&g->jobs, struct job, link, job) {
        int *count = load_of(&load, job);
        if (job->row.status != JOB_PENDING || job->cancelling ||
            !has_place(job, load.total, *count))
            continue;
        job_begin(job);
        load.total++;
        ++*count;
    }
    map_done(&load.by_definition);
    arena_done(&load.arena);
}

void places_freed(struct engine *g)
{
    LIST_EACH (&g->jobs, struct job, link, job) {
        if (!job->waits || job->row.status != JOB_PENDING)
            continue;
        places_give(g);
        return;
    }
}
