/* The happy path of a job: it is asked for and takes its turn among those of its definition ->
 * the first of them waits for a place of the definition, then, as what its pool has ready, for
 * one of the pool, then for one of the server -> it begins -> it ends, and gives back all
 * three.
 *
 * What a job waits for is told when that is decided, once: it is what it would lack if all that
 * were asked for before it had begun. So a place that is freed changes it for the first ones of
 * a line at most, and a thousand jobs that wait tell nothing each time one ends. */
#include "engine/places.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "engine/job.h"

static bool job_before(const struct job *a, const struct job *b)
{
    if (a->row.priority != b->row.priority)
        return a->row.priority > b->row.priority;
    return a->asked < b->asked;
}

static bool turn_before(struct heap_node *a, struct heap_node *b)
{
    return job_before(container_of(a, struct job, turn), container_of(b, struct job, turn));
}

static struct job *load_first(const struct load *load)
{
    return HEAP_FIRST(&load->waiting, struct job, turn);
}

static bool ready_before(struct heap_node *a, struct heap_node *b)
{
    return job_before(load_first(container_of(a, struct load, ready)),
                      load_first(container_of(b, struct load, ready)));
}

/* ---- pools and definitions ---- */

static struct pool *pool_new(struct places *places, const char *name, int count)
{
    struct pool *pool = mem_alloc(sizeof(*pool));
    *pool = (struct pool){.name = mem_strdup(name), .places = count};
    pool->ready.before = ready_before;
    list_add(&places->pools, &pool->link);
    return pool;
}

static struct pool *pool_of(struct places *places, const char *name)
{
    LIST_EACH (&places->pools, struct pool, link, pool)
        if (name ? pool->name && strcmp(pool->name, name) == 0 : !pool->name)
            return pool;
    struct pool *pool = pool_new(places, name, 0);
    pool->is_unknown = true;
    return pool;
}

static struct load *load_of(struct places *places, const char *definition_id)
{
    struct str id = str_of(definition_id);
    struct load *load = map_get(&places->loads, id);
    if (load)
        return load;
    load = mem_alloc(sizeof(*load));
    *load = (struct load){.definition_id = mem_strdup(definition_id)};
    load->waiting.before = turn_before;
    map_set(&places->loads, id, load);
    return load;
}

static void load_free(struct places *places, struct load *load)
{
    (void)map_remove(&places->loads, str_of(load->definition_id));
    list_remove(&load->link_changed);
    heap_done(&load->waiting);
    free(load->definition_id);
    free(load);
}

void places_init(struct places *places)
{
    *places = (struct places){.loads = MAP_INIT};
    list_init(&places->pools);
    list_init(&places->changed);
    list_init(&places->asked);
    (void)pool_new(places, NULL, 0);
}

void places_limit(struct places *places, int most, const struct pool_limits *pools)
{
    places->most = most;
    for (int i = 0; i < pools->count; i++)
        (void)pool_new(places, pools->pools[i].name, pools->pools[i].places);
}

void places_done(struct places *places)
{
    while (!list_is_empty(&places->pools)) {
        struct pool *pool = LIST_TAKE(&places->pools, struct pool, link);
        heap_done(&pool->ready);
        free(pool->name);
        free(pool);
    }
    map_done(&places->loads);
}

int engine_pools(const struct engine *g, struct pool_state to[LIMIT_POOLS])
{
    int count = 0;
    LIST_EACH (&g->places.pools, struct pool, link, pool)
        if (pool->name && !pool->is_unknown)
            to[count++] =
                (struct pool_state){pool->name, pool->places, pool->running, pool->waiting};
    return count;
}

/* ---- who is next ---- */

/* Out of what its pool has ready. The first of a heap must not change while the heap has it. */
static void load_unready(struct load *load)
{
    if (load->ready_in)
        heap_remove(&load->ready_in->ready, &load->ready);
    load->ready_in = NULL;
}

static bool load_is_full(const struct load *load, const struct job *job)
{
    int most = job->definition->max_running;
    return most && load->running >= most;
}

static bool pool_is_full(const struct pool *pool)
{
    return pool->is_unknown || (pool->places && pool->running >= pool->places);
}

static bool server_is_full(const struct places *places)
{
    return places->held || (places->most && places->running >= places->most);
}

/* Who stands first there was changed, or how many run: where it waits now. */
static void load_settle(struct places *places, struct load *load)
{
    struct job *first = load_first(load);
    load_unready(load);
    places->moved = true;
    if (!first) {
        if (!load->running)
            load_free(places, load);
        return;
    }
    if (!list_is_linked(&load->link_changed))
        list_add(&places->changed, &load->link_changed);
    if (load_is_full(load, first))
        return;
    load->ready_in = first->pool;
    heap_add(&first->pool->ready, &load->ready);
}

static void job_leave_line(struct job *job)
{
    load_unready(job->load);
    heap_remove(&job->load->waiting, &job->turn);
    list_remove(&job->link_asked);
    job->pool->waiting--;
    job->place = PLACE_NONE;
}

static void take(struct places *places, struct job *job)
{
    places->running++;
    job->pool->running++;
    job->load->running++;
    job->place = PLACE_TAKEN;
}

void places_take(struct job *job)
{
    struct places *places = &job->engine->places;
    job->load = load_of(places, job->row.definition_id);
    job->pool = pool_of(places, job->definition->pool);
    take(places, job);
}

static struct job *next_job(const struct places *places)
{
    struct job *next = NULL;
    if (server_is_full(places))
        return NULL;
    LIST_EACH (&places->pools, struct pool, link, pool) {
        struct load *load = HEAP_FIRST(&pool->ready, struct load, ready);
        if (load && !pool_is_full(pool) && (!next || job_before(load_first(load), next)))
            next = load_first(load);
    }
    return next;
}

/* ---- what it waits for ---- */

static void tell_limit(struct job *job, const char *what, const char *name, int most)
{
    AUTO_FREE char *text =
        mem_printf("a place of %s%s%s (%d at once)", what, *name ? " " : "", name, most);
    record_job_waits(job, text);
}

static void tell_unknown(struct job *job)
{
    AUTO_FREE char *text =
        mem_printf("pool %s, which this server does not have", job->pool->name);
    record_job_waits(job, text);
}

/* Those that run stand before the first of a line, before another one those that did so when it
 * was asked for. */
static void tell(struct job *job)
{
    const struct pool *pool = job->pool;
    const struct load *load = job->load;
    bool is_first = load_first(load) == job;
    bool is_first_of_pool = heap_first(&pool->ready) == &load->ready;
    int ahead = is_first ? load->running : job->ahead;
    int ahead_in_pool = is_first_of_pool && is_first ? pool->running : job->ahead_in_pool;
    int most = job->definition->max_running, most_jobs = job->engine->places.most;
    if (job->engine->places.held)
        record_job_waits(job, "more room on the disk");
    else if (most && ahead >= most)
        tell_limit(job, "definition", job->row.definition_id, most);
    else if (pool->is_unknown)
        tell_unknown(job);
    else if (pool->places && ahead_in_pool >= pool->places)
        tell_limit(job, "pool", pool->name, pool->places);
    else if (most_jobs)
        tell_limit(job, "the server", "", most_jobs);
    else
        record_job_waits(job, "the jobs of its definition that are before it");
}

static void tell_first(struct load *load)
{
    if (load_first(load))
        tell(load_first(load));
}

/* Those that were asked for and found no place, and those that are the first of their line now:
 * of a definition, and of what is ready in a pool. */
static void tell_changes(struct places *places)
{
    struct job *job;
    struct load *load;
    while ((job = LIST_TAKE(&places->asked, struct job, link_asked)))
        tell(job);
    while ((load = LIST_TAKE(&places->changed, struct load, link_changed)))
        tell_first(load);
    LIST_EACH (&places->pools, struct pool, link, pool) {
        load = HEAP_FIRST(&pool->ready, struct load, ready);
        if (load)
            tell_first(load);
    }
}

/* ---- the life of a job here ---- */

void places_ask(struct job *job)
{
    struct places *places = &job->engine->places;
    if (job->place != PLACE_NONE)
        return;
    job->place = PLACE_WAITS;
    job->asked = ++places->count_asked;
    job->load = load_of(places, job->row.definition_id);
    job->pool = pool_of(places, job->definition->pool);
    job->ahead = job->load->running + (int)job->load->waiting.count;
    job->ahead_in_pool = job->pool->running + job->pool->waiting;
    load_unready(job->load);
    heap_add(&job->load->waiting, &job->turn);
    list_add(&places->asked, &job->link_asked);
    job->pool->waiting++;
    load_settle(places, job->load);
}

void places_leave(struct job *job)
{
    struct places *places = &job->engine->places;
    if (job->place == PLACE_NONE)
        return;
    if (job->place == PLACE_TAKEN) {
        places->running--;
        job->pool->running--;
        job->load->running--;
        job->place = PLACE_NONE;
    } else {
        job_leave_line(job);
    }
    load_settle(places, TAKE(job->load));
}

void places_hold(struct engine *g, bool held)
{
    struct places *places = &g->places;
    if (places->held == held)
        return;
    places->held = held;
    places->moved = true;
    LIST_EACH (&g->jobs, struct job, link, job) {
        if (job->place == PLACE_WAITS && !list_is_linked(&job->link_asked))
            list_add(&places->asked, &job->link_asked);
        else if (!id_is_none(job->row.parent_id) && job->row.status == JOB_PENDING)
            job_is_due(job); /* it waits for that alone */
    }
    places_give(g);
}

void places_give(struct engine *g)
{
    struct places *places = &g->places;
    struct job *job;
    if (!places->moved)
        return;
    while ((job = next_job(places))) {
        job_leave_line(job);
        take(places, job);
        load_settle(places, job->load);
        job_begin(job);
    }
    tell_changes(places);
    places->moved = false; /* by what was given just now */
}
