/* The happy path: a job has ended, or the minute is over -> retention_run() copies what the
 * definitions say -> on the pool, all jobs that have ended are passed by, the newest first,
 * each is counted, and the oldest of those that are too many are noted -> back on the loop they
 * are put into the batch -> when that is committed, the next few follow, or the timer is set.
 *
 * One pass is enough: a job that its definition does not keep is not counted for the server's
 * limits, and all that is older than the first one beyond a limit is beyond it, too. */
#include "engine/retention.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/fault.h"
#include "base/log.h"
#include "base/map.h"
#include "base/mem.h"
#include "engine/job.h"
#include "job/quantity.h"

enum {
    REMOVE_AT_ONCE = 20, /* in a batch */
    NOTED_MAX = 200,     /* the oldest, of which some may have to stay */
    LOOK_EVERY_MS = 60 * 1000,
    PAUSE_MS = 1000,
    PAUSE_REMOVED_MS = 5000,
    PAUSE_TIMES = 20, /* a look takes at most that part of the time */
    TEXT_MAX = 400,
};

/* Whose limit it was, and which. */
enum verdict { KEPT, BEYOND_AGE, BEYOND_JOBS, BEYOND_BYTES };

struct rule {
    struct keep keep;
    int64_t jobs, bytes; /* counted so far */
    enum verdict beyond; /* the bytes: all that is older */
    bool of_server;
};

struct doomed {
    struct id id;
    const struct rule *rule;
    enum verdict verdict;
    const char *name; /* NULL: it stays for now */
};

struct look {
    uv_work_t work;
    struct retention *retention;
    struct store *store; /* for the pool: there may be no engine any more */
    struct arena arena;
    struct rule server;
    struct map rules; /* definition id → struct rule */
    int64_t now_us, took_us;
    struct doomed doomed[NOTED_MAX]; /* a ring: the oldest so far */
    size_t count, to_remove;
    int code;
    struct err err;
};

struct retention {
    struct engine *engine;
    struct catalog *catalog;
    struct keep keep;
    retention_told *told;
    void *arg;
    struct deadline deadline;
    int64_t not_before_ms; /* mono */
    int64_t removed;
    bool looking, removing, stopped;
    bool more; /* than the batch at hand takes */
};

static void on_deadline(struct deadline *d)
{
    (void)retention_run(container_of(d, struct retention, deadline), clock_wall_us());
}

static void look_after(struct retention *r, int64_t ms)
{
    if (!r->stopped)
        deadline_set(&r->engine->deadlines, &r->deadline, ms, on_deadline);
}

struct retention *retention_new(struct engine *g, struct catalog *catalog,
                                const struct keep *keep, retention_told *told, void *arg)
{
    struct retention *r = mem_alloc(sizeof(*r));
    *r = (struct retention){
        .engine = g, .catalog = catalog, .keep = *keep, .told = told, .arg = arg};
    look_after(r, 0);
    return r;
}

void retention_stop(struct retention *r)
{
    if (!r)
        return;
    r->stopped = true;
    deadline_clear(&r->engine->deadlines, &r->deadline);
}

void retention_free(struct retention *r)
{
    ASSERT(!r || !r->looking);
    free(r);
}

int64_t retention_removed(const struct retention *r)
{
    return r->removed;
}

bool retention_is_busy(const struct retention *r)
{
    return r->looking || r->removing;
}

void retention_committed(struct retention *r, const struct batch *b)
{
    for (size_t i = 0; i < b->change_count; i++) {
        const struct change *c = &b->changes[i];
        if (c->kind != CHANGE_JOB || !job_state_is_final(c->job->status))
            continue;
        look_after(r, MAX(r->not_before_ms - clock_mono_us() / 1000, 0));
        return;
    }
}

/* ---- on the pool ---- */

static enum verdict rule_check(struct rule *rule, const struct ended_job *job, int64_t now_us)
{
    const struct keep *keep = &rule->keep;
    if (rule->beyond)
        return rule->beyond;
    if (keep->age_ms && (now_us - job->completed_at_us) / 1000 > keep->age_ms)
        return BEYOND_AGE;
    if (keep->jobs && rule->jobs >= keep->jobs)
        return BEYOND_JOBS;
    if (keep->bytes && rule->jobs && rule->bytes + job->bytes > keep->bytes)
        return rule->beyond = BEYOND_BYTES;
    rule->jobs++;
    rule->bytes += job->bytes;
    return KEPT;
}

static void on_ended_job(void *arg, const struct ended_job *job)
{
    struct look *look = arg;
    struct rule *rule = map_get(&look->rules, job->definition_id);
    enum verdict verdict = rule ? rule_check(rule, job, look->now_us) : KEPT;
    if (!verdict) {
        rule = &look->server;
        verdict = rule_check(rule, job, look->now_us);
    }
    if (verdict)
        look->doomed[look->count++ % NOTED_MAX] = (struct doomed){job->id, rule, verdict, NULL};
}

/* The i-th oldest of those that are noted; NULL behind the last. */
static struct doomed *look_oldest(struct look *look, size_t i)
{
    size_t noted = MIN(look->count, (size_t)NOTED_MAX);
    return i < noted ? &look->doomed[(look->count - 1 - i) % NOTED_MAX] : NULL;
}

/* A job that a task has started stays until that has ended: it may ask how the job has. */
static int doomed_read(struct look *look, struct store_reader *reader, struct doomed *d)
{
    struct job_row *row;
    struct task_row *parent;
    int code = store_get_job(reader, d->id, &look->arena, &row, &look->err);
    if (code < 0)
        return code;
    code = id_is_none(row->parent_id)
               ? E_NOTFOUND
               : store_get_task(reader, row->parent_id, &look->arena, &parent, &look->err);
    if (code == E_NOTFOUND || (code >= 0 && job_state_is_final(parent->status)))
        d->name = row->name ? row->name : "";
    return code == E_NOTFOUND ? 0 : code;
}

static void on_pool(uv_work_t *work)
{
    struct look *look = container_of(work, struct look, work);
    AUTO_READER *reader = NULL;
    int64_t begin_us = clock_mono_us();
    look->code = store_read_begin(look->store, &reader, &look->err);
    if (look->code >= 0)
        look->code = store_walk_ended(reader, on_ended_job, look, &look->err);
    struct doomed *d;
    for (size_t i = 0;
         look->code >= 0 && look->to_remove < REMOVE_AT_ONCE && (d = look_oldest(look, i));
         i++) {
        look->code = doomed_read(look, reader, d);
        look->to_remove += d->name != NULL;
    }
    look->took_us = clock_mono_us() - begin_us;
}

/* ---- on the loop ---- */

static void why_write(const struct doomed *d, char to[TEXT_MAX])
{
    const struct keep *keep = &d->rule->keep;
    const char *whose = d->rule->of_server ? "the server" : "its definition";
    char text[QUANTITY_TEXT_MAX];
    if (d->verdict == BEYOND_AGE)
        (void)snprintf(to, TEXT_MAX, "%s was deleted: %s keeps jobs for %s", d->name, whose,
                       quantity_format_duration(keep->age_ms, text));
    else if (d->verdict == BEYOND_JOBS)
        (void)snprintf(to, TEXT_MAX, "%s was deleted: %s keeps %lld job%s", d->name, whose,
                       (long long)keep->jobs, keep->jobs == 1 ? "" : "s");
    else
        (void)snprintf(to, TEXT_MAX, "%s was deleted: %s keeps %s of jobs", d->name, whose,
                       quantity_format_size(keep->bytes, text));
}

static void on_removed(void *arg)
{
    struct retention *r = arg;
    r->removing = false;
    look_after(r, r->more ? 0 : PAUSE_REMOVED_MS);
}

static void remove_doomed(struct retention *r, struct look *look)
{
    const struct doomed *d;
    for (size_t i = 0; (d = look_oldest(look, i)); i++) {
        char text[TEXT_MAX];
        if (!d->name || !engine_delete(r->engine, d->id))
            continue;
        why_write(d, text);
        FAULT_KILLS(ENGINE_RETENTION);
        r->told(r->arg, d->id, text);
        r->removed++;
    }
    r->removing = true;
    r->more = look->count > look->to_remove && look->to_remove == REMOVE_AT_ONCE;
    r->not_before_ms = clock_mono_us() / 1000 + PAUSE_REMOVED_MS;
    writer_after_commit(r->engine->writer, on_removed, r);
}

static void look_free(struct look *look)
{
    map_done(&look->rules);
    arena_done(&look->arena);
    free(look);
}

static void on_looked(uv_work_t *work, int status)
{
    struct look *look = container_of(work, struct look, work);
    struct retention *r = look->retention;
    int64_t pause_ms = MAX(PAUSE_MS, look->took_us / 1000 * PAUSE_TIMES);
    (void)status;
    r->looking = false;
    r->not_before_ms = clock_mono_us() / 1000 + pause_ms;
    if (look->code < 0)
        log_warn("cannot look for jobs to delete: %s", look->err.text);
    else if (look->to_remove && !r->stopped)
        remove_doomed(r, look);
    look_free(look);
    if (!r->removing)
        look_after(r, MAX(LOOK_EVERY_MS, pause_ms));
}

static struct look *look_new(struct retention *r, int64_t now_us)
{
    struct look *look = mem_alloc(sizeof(*look));
    *look = (struct look){.retention = r, .store = r->engine->store, .now_us = now_us};
    look->server = (struct rule){.keep = r->keep, .of_server = true};
    for (size_t i = 0; i < catalog_count(r->catalog); i++) {
        const struct definition *d = catalog_at(r->catalog, i)->definition;
        if (!keep_is_limited(&d->keep))
            continue;
        struct rule *rule = arena_alloc(&look->arena, sizeof(*rule));
        *rule = (struct rule){.keep = d->keep};
        map_set(&look->rules, str_of(d->id), rule);
    }
    return look;
}

bool retention_run(struct retention *r, int64_t now_us)
{
    if (r->stopped || retention_is_busy(r))
        return false;
    struct look *look = look_new(r, now_us);
    if (look->rules.count == 0 && !keep_is_limited(&look->server.keep)) {
        look_free(look);
        look_after(r, LOOK_EVERY_MS);
        return true;
    }
    r->looking = true;
    ASSERT(uv_queue_work(r->engine->loop, &look->work, on_pool, on_looked) == 0);
    return true;
}
