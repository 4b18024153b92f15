/* Random walks through the states of an engine: jobs of random definitions are started,
 * cancelled, run again from what failed and interrupted by a stop and a new start, their tasks
 * fail, are tried again, take too long and start jobs, one for each item. After every step all
 * that is durable is looked at; what must hold, whatever happened:
 *
 *     a move is one of the table (job/state.h); what is final stays as it is
 *     nothing of a job comes after its end, and it ends once
 *     a task completes at most once
 *     the counts of a step that has ended are those of its tasks, before never more
 *     what is final has only final parts; what did not succeed has a cause
 *     no more runs at once than may, of a definition, of a pool, of the server
 *     no job begins while the engine is held
 *     lines are numbered without gaps, also those of a step that writes too many
 *     a step runs only when all that it depends on has ended as it asks for
 *     a step that completed without running was taken over
 *     a task has at most one job that it waits for, and it completes as that one does
 *
 * WALKS=n goes n walks (five a second), SEED=n begins with that one. */
#include <stdlib.h>

#include "base/map.h"
#include "base/mem.h"
#include "engine/job.h"
#include "engine_world.h"
#include "job/definition.h"

enum { STEPS_MAX = 4, DEFINITIONS = 4, MOVES = 80, JOBS_MAX = 6, AT_ONCE = 2, WALKS = 25 };
enum { OF_POOL = 2, OF_SERVER = 3, KID = DEFINITIONS }; /* KID: what steps start */

static const struct pool_limits pools = {{{"p", OF_POOL}}, 1};

/* What a walk knows of a definition that it made. */
struct plan {
    struct definition *definition;
    unsigned depends[STEPS_MAX];           /* bits: earlier steps */
    unsigned wanted[STEPS_MAX][STEPS_MAX]; /* how that one must have ended; 0: well */
    bool tolerates[STEPS_MAX];             /* on_error: continue */
    bool always[STEPS_MAX];
    bool one_at_a_time;
};

struct seen {
    enum job_state state;
    bool completed, ended, held;
    uint64_t lines;
};

struct walk {
    struct engine_world base;
    unsigned long long seed, dice;
    struct plan plans[DEFINITIONS + 1];
    struct catalog *catalog;
    struct map seen; /* by id: struct seen */
    struct id jobs[MOVES];
    int job_count;
    uint64_t looked_to;
    bool held;
};

static int throw(struct walk * w, int sides)
{
    w->dice = w->dice * 6364136223846793005ULL + 1442695040888963407ULL;
    return (int)((w->dice >> 33) % (unsigned)sides);
}

/* ---- definitions ---- */

static void when_write(struct walk *w, struct plan *p, int i, struct buf *out)
{
    static const char *const words[] = {"completed", "failed", "skipped"};
    static const enum job_state states[] = {JOB_COMPLETED, JOB_FAILED, JOB_SKIPPED};
    buf_add_c(out, "    when: {");
    const char *comma = "";
    for (int d = 0; d < i; d++) {
        if (throw(w, 4))
            continue;
        int a = throw(w, 3), b = throw(w, 3);
        p->depends[i] |= 1u << d;
        p->wanted[i][d] = 1u << states[a] | 1u << states[b];
        buf_printf(out, "%s s%d: [%s, %s]", comma, d, words[a], words[b]);
        comma = ",";
    }
    buf_add_c(out, " }\n");
}

/* A generator, or a job for each item. */
static void work_write(struct walk *w, bool is_kid, struct buf *out)
{
    static const char *const rates[] = {"0", "0", "0.5", "1"};
    if (!is_kid && throw(w, 4) == 0) {
        buf_printf(out,
                   "    type: job\n    for_each: [a, b, a]\n    parallel: %d\n"
                   "    config: { definition: d%d }\n",
                   1 + throw(w, AT_ONCE), KID);
        return;
    }
    buf_printf(out,
               "    type: generator\n    config: { worker_count: %d, log_count: %d, "
               "log_delay_ms: %d, failure_rate: "
               "%s, child_count: %d, recursion_depth: %d, concurrency: %d }\n",
               1 + throw(w, 4), throw(w, 4), throw(w, 2), rates[throw(w, 4)], throw(w, 3),
               throw(w, 2), AT_ONCE);
}

static void step_write(struct walk *w, struct plan *p, int i, struct buf *out)
{
    buf_printf(out, "  - name: s%d\n    depends: [", i);
    const char *comma = "";
    for (int d = 0; d < i; d++)
        if (throw(w, 2)) {
            p->depends[i] |= 1u << d;
            buf_printf(out, "%ss%d", comma, d);
            comma = ", ";
        }
    p->tolerates[i] = throw(w, 3) == 0;
    p->always[i] = throw(w, 4) == 0;
    buf_printf(out, "]\n    on_error: %s\n    always_run: %s\n",
               p->tolerates[i] ? "continue" : "fail", p->always[i] ? "true" : "false");
    when_write(w, p, i, out);
    if (throw(w, 2))
        buf_printf(out, "    retry: { attempts: %d, backoff: 1ms }\n", 1 + throw(w, 3));
    if (throw(w, 4) == 0)
        buf_printf(out, "    task_timeout: %dms\n", 1 + throw(w, 5));
    if (throw(w, 6) == 0)
        buf_printf(out, "    heartbeat: %dms\n", 1 + throw(w, 9));
    if (throw(w, 6) == 0)
        buf_printf(out, "    timeout: %dms\n", 1 + throw(w, 20));
    if (throw(w, 2))
        buf_printf(out, "    max_lines: { lines: 10, then: %s }\n",
                   throw(w, 4) ? "cut" : "fail");
    work_write(w, p == &w->plans[KID], out);
}

static void plan_make(struct walk *w, int i)
{
    struct plan *p = &w->plans[i];
    AUTO_BUF text = BUF_INIT(16384);
    struct err e = {0};
    p->one_at_a_time = i == 0;
    buf_printf(&text, "id: d%d\nname: D%d\n", i, i);
    if (p->one_at_a_time)
        buf_add_c(&text, "max_running: 1\n");
    else if (i < 3)
        buf_printf(&text, "pool: p\npriority: %d\n", throw(w, 3));
    if (throw(w, 3) == 0)
        buf_printf(&text,
                   "error_tolerance: { max_child_failures: %d, failure_action: stop_all }\n",
                   throw(w, 3));
    if (throw(w, 5) == 0)
        buf_printf(&text, "timeout: %dms\n", 1 + throw(w, 30));
    buf_add_c(&text, "steps:\n");
    for (int n = 1 + throw(w, STEPS_MAX), s = 0; s < n; s++)
        step_write(w, p, s, &text);
    struct definition_input in = {.text = buf_str(&text),
                                  .origin = "walk",
                                  .format = DEFINITION_YAML,
                                  .schemas = worker_schemas()};
    if (definition_parse(&in, &p->definition, &e) < 0)
        test_fail(__FILE__, __LINE__, "%s", e.text);
}

/* ---- what is said ---- */

#define HOLDS(w, cond)                                                                         \
    ((cond) ? (void)0 : test_fail(__FILE__, __LINE__, "SEED=%llu: %s", (w)->seed, #cond))

static struct seen *seen_of(struct walk *w, struct id id)
{
    struct seen *s = map_get(&w->seen, ID_KEY(id));
    if (!s) {
        s = mem_alloc(sizeof(*s)); /* pending, as everything begins */
        map_set(&w->seen, ID_KEY(id), s);
    }
    return s;
}

static enum job_state state_said(struct walk *w, struct str members)
{
    enum job_state state = JOB_STATE_COUNT;
    ptrdiff_t at = str_find(members, STR("\"status\":\""));
    HOLDS(w, at >= 0);
    struct str rest = {members.p + at + 10, members.n - (size_t)at - 10};
    HOLDS(w, job_state_parse(str_cut(&rest, '"'), &state));
    return state;
}

static void event_look(struct walk *w, const struct event_batch *b, const struct event *e)
{
    const struct event_source *source = &b->sources[e->source];
    struct seen *job = seen_of(w, source->manager_id);
    if (job->ended)
        test_fail(__FILE__, __LINE__, "SEED=%llu: after the job's end: %s of %s: %.*s", w->seed,
                  event_type_name((enum event_type)e->type), source->step_name,
                  STR_ARG(event_message(b, e)));
    if (e->type == EVENT_JOB_LOG) {
        bool of_job = id_is_none(source->step_id);
        struct seen *writer = of_job ? job : seen_of(w, source->step_id);
        HOLDS(w, e->line == ++writer->lines);
    }
    if (e->type != EVENT_JOB_STATUS_CHANGE)
        return;
    struct id id = e->kind == KIND_TASK   ? e->task_id
                   : e->kind == KIND_STEP ? source->step_id
                                          : source->manager_id;
    struct seen *s = seen_of(w, id);
    enum job_state to = state_said(w, event_members(b, e));
    HOLDS(w, to == s->state || job_state_can_move((enum job_kind)e->kind, s->state, to));
    HOLDS(w, !(s->completed && to == JOB_COMPLETED));
    HOLDS(w, !(s->held && to == JOB_RUNNING));
    s->state = to;
    s->completed = s->completed || to == JOB_COMPLETED;
    s->ended = e->kind == KIND_JOB && job_state_is_final(to);
}

static void events_look(struct walk *w, struct store_reader *r)
{
    struct err e;
    while (w->looked_to < store_read_as_of(r)) {
        AUTO_EVENT_BATCH b = EVENT_BATCH_INIT;
        struct event_query q = {.topic = {.kind = TOPIC_ALL},
                                .after_seq = w->looked_to,
                                .max_events = 1000,
                                .max_bytes = 1 << 20};
        HOLDS(w, store_read_events(r, &q, &b, &w->looked_to, &e) >= 0);
        for (size_t i = 0; i < b.count; i++)
            event_look(w, &b, &b.events[i]);
    }
}

/* ---- what is kept ---- */

static bool has_cause(enum job_state state, const char *cause)
{
    bool needs = state == JOB_FAILED || state == JOB_CANCELLED || state == JOB_SKIPPED;
    return !needs || (cause && *cause);
}

static void tasks_look(struct walk *w, struct store_reader *r, const struct step_row *step,
                       struct arena *a)
{
    int64_t counts[TASK_COUNTS] = {0}, total;
    struct task_row **tasks;
    size_t count;
    struct err e;
    struct task_query q = {.job_id = step->job_id, .step_id = step->id, .limit = -1};
    HOLDS(w, store_list_tasks(r, &q, a, &tasks, &count, &total, &e) >= 0);
    for (size_t i = 0; i < count; i++) {
        counts[tasks[i]->status]++;
        HOLDS(w, tasks[i]->status == seen_of(w, tasks[i]->id)->state);
        HOLDS(w, has_cause(tasks[i]->status, tasks[i]->cause));
        HOLDS(w, !job_state_is_final(step->status) || job_state_is_final(tasks[i]->status));
    }
    int64_t told = 0;
    for (int i = 0; i < TASK_COUNTS; i++) { /* those of the newest step_progress */
        told += step->tasks[i];
        HOLDS(w, !job_state_is_final(step->status) || counts[i] == step->tasks[i]);
    }
    HOLDS(w, told <= total);
    HOLDS(w, counts[JOB_RUNNING] <= AT_ONCE);
}

/* May the step have begun, as the steps before it are? */
static bool may_have_begun(const struct plan *p, struct step_row **steps, int i)
{
    for (int d = 0; d < i; d++) {
        if (!(p->depends[i] & 1u << d))
            continue;
        enum job_state state = steps[d]->status;
        if (p->wanted[i][d] && !(p->wanted[i][d] & 1u << state))
            return false;
        bool fine = p->wanted[i][d] || state == JOB_COMPLETED ||
                    (state == JOB_FAILED && p->tolerates[d]) ||
                    (p->always[i] && job_state_is_final(state));
        if (!fine)
            return false;
    }
    return true;
}

static void job_look(struct walk *w, struct store_reader *r, const struct job_row *job)
{
    AUTO_ARENA a = ARENA_INIT;
    struct step_row **steps;
    size_t count;
    struct err e;
    bool final = job_state_is_final(job->status);
    const struct plan *p = &w->plans[job->definition_id[1] - '0'];
    HOLDS(w, job->status == seen_of(w, job->id)->state);
    HOLDS(w, has_cause(job->status, job->cause));
    HOLDS(w, final == (job->end_seq > 0));
    HOLDS(w, store_list_steps(r, job->id, &a, &steps, &count, &e) >= 0);
    for (int i = 0; i < (int)count; i++) {
        HOLDS(w, steps[i]->status == seen_of(w, steps[i]->id)->state);
        HOLDS(w, steps[i]->lines == seen_of(w, steps[i]->id)->lines);
        HOLDS(w, has_cause(steps[i]->status, steps[i]->cause));
        HOLDS(w, !final || job_state_is_final(steps[i]->status));
        HOLDS(w, !steps[i]->started_at_us || may_have_begun(p, steps, i));
        HOLDS(w, steps[i]->status != JOB_RUNNING || job->status == JOB_RUNNING);
        HOLDS(w, steps[i]->status != JOB_COMPLETED || steps[i]->started_at_us ||
                     str_starts(str_of(steps[i]->cause), STR("taken over from job ")));
        tasks_look(w, r, steps[i], &a);
    }
}

/* Jobs that tasks started, and their tasks. */
static void kids_look(struct walk *w, struct store_reader *r, struct job_row **jobs,
                      size_t count)
{
    AUTO_ARENA a = ARENA_INIT;
    struct map active = MAP_INIT, completed = MAP_INIT;
    struct task_row *task;
    struct err e;
    for (size_t i = 0; i < count; i++) {
        const struct job_row *job = jobs[i];
        if (id_is_none(job->parent_id))
            continue;
        HOLDS(w, store_get_task(r, job->parent_id, &a, &task, &e) >= 0);
        if (!job_state_is_final(job->status)) {
            HOLDS(w, !map_get(&active, ID_KEY(task->id)));
            map_set(&active, ID_KEY(task->id), task);
            HOLDS(w,
                  !job_state_is_final(task->status) || job->cause); /* it is being cancelled */
        } else if (job->status == JOB_COMPLETED) {
            HOLDS(w, !map_get(&completed, ID_KEY(task->id)));
            map_set(&completed, ID_KEY(task->id), task);
            HOLDS(w, job_state_is_final(task->status));
        }
    }
    map_done(&active);
    map_done(&completed);
}

static void look(struct walk *w)
{
    AUTO_ARENA a = ARENA_INIT;
    AUTO_READER *r = NULL;
    struct err e;
    struct job_row **jobs;
    size_t count;
    int64_t total, running[DEFINITIONS + 1] = {0};
    int asked = 0;
    struct job_query q = {.limit = -1};
    engine_world_commit(&w->base);
    HOLDS(w, store_read_begin(w->base.store, &r, &e) >= 0);
    events_look(w, r);
    HOLDS(w, store_list_jobs(r, &q, &a, &jobs, &count, &total, &e) >= 0);
    kids_look(w, r, jobs, count);
    for (size_t i = 0; i < count; i++) {
        job_look(w, r, jobs[i]);
        asked += id_is_none(jobs[i]->parent_id);
        running[jobs[i]->definition_id[1] - '0'] += jobs[i]->status == JOB_RUNNING;
    }
    HOLDS(w, asked == w->job_count);
    HOLDS(w, running[0] <= 1);
    HOLDS(w, running[1] + running[2] <= OF_POOL);
    HOLDS(w, running[0] + running[1] + running[2] + running[3] <= OF_SERVER);
}

/* Which jobs may not begin: those that had not when the engine was held. */
static void held_note(struct walk *w)
{
    struct str key;
    void *seen;
    for (size_t it = 0; map_next(&w->seen, &it, &key, &seen);)
        ((struct seen *)seen)->held = false;
    LIST_EACH (&w->base.engine->jobs, struct job, link, job)
        seen_of(w, job->row.id)->held = w->held && job->row.status == JOB_PENDING;
}

/* ---- moves ---- */

static void begin_one(struct walk *w)
{
    struct err e;
    struct plan *p = &w->plans[throw(w, DEFINITIONS)];
    if (engine_active_jobs(w->base.engine) >= JOBS_MAX)
        return;
    int priority = throw(w, 3) - 1;
    struct start start = {.by = "the walk", .priority = throw(w, 2) ? &priority : NULL};
    HOLDS(w, engine_execute(w->base.engine, p->definition, &start, &w->jobs[w->job_count],
                            &e) >= 0);
    seen_of(w, w->jobs[w->job_count])->held = w->held;
    w->job_count++;
}

/* With the steps that completed taken over, when there are others. */
static void again_one(struct walk *w)
{
    AUTO_ARENA a = ARENA_INIT;
    AUTO_READER *r = NULL;
    struct job_row *row;
    struct step_row **steps;
    struct err e;
    struct start start = {.by = "the walk"};
    if (!w->job_count || engine_active_jobs(w->base.engine) >= JOBS_MAX)
        return;
    struct id id = w->jobs[throw(w, w->job_count)];
    HOLDS(w, store_read_begin(w->base.store, &r, &e) >= 0);
    HOLDS(w, store_get_job(r, id, &a, &row, &e) >= 0);
    HOLDS(w, store_list_steps(r, id, &a, &steps, &start.step_count, &e) >= 0);
    start.steps = steps;
    int code = engine_rerun(w->base.engine, row, &start, &w->jobs[w->job_count], &e);
    HOLDS(w, code == 0 || code == E_STATE);
    if (code < 0)
        return;
    seen_of(w, w->jobs[w->job_count])->held = w->held;
    w->job_count++;
}

static void cancel_one(struct walk *w)
{
    struct err e;
    if (!w->job_count)
        return;
    struct id id = w->jobs[throw(w, w->job_count)];
    bool active = engine_is_active(w->base.engine, id);
    int r = engine_cancel(w->base.engine, id, "the walk", &e);
    HOLDS(w, active ? r == 0 || r == E_STATE : r == E_NOTFOUND);
}

static void engine_begin(struct walk *w)
{
    engine_world_begin(&w->base);
    engine_world_engine(&w->base);
    engine_limit(w->base.engine, OF_SERVER, &pools);
    w->catalog = catalog_new(w->base.writer);
    engine_catalog(w->base.engine, w->catalog, 0);
}

/* The catalog is of the writer, and so begins anew with it. */
static void kid_know(struct walk *w)
{
    struct catalog_entry *entry;
    struct err e;
    HOLDS(w, catalog_add(w->catalog, str_of(w->plans[KID].definition->source), DEFINITION_YAML,
                         &entry, &e) >= 0);
}

static void engine_end(struct walk *w)
{
    engine_world_end(&w->base, NULL, NULL);
    catalog_free(w->catalog);
}

static void server_again(struct walk *w)
{
    struct err e;
    engine_world_stop(&w->base);
    engine_end(w);
    engine_begin(w);
    kid_know(w);
    HOLDS(w, engine_recover(w->base.engine, &e) >= 0);
    w->held = false;
    held_note(w);
}

static void engine_hold_or_not(struct walk *w)
{
    w->held = !w->held;
    engine_hold(w->base.engine, w->held);
    held_note(w);
}

static void move(struct walk *w)
{
    int which = throw(w, 10);
    if (which < 3)
        begin_one(w);
    else if (which == 3)
        cancel_one(w);
    else if (which == 4 && throw(w, 3) == 0)
        server_again(w);
    else if (which == 5 && throw(w, 3) == 0)
        engine_hold_or_not(w);
    else if (which == 6 && throw(w, 2))
        again_one(w);
    else
        for (int turns = 1 + throw(w, 8); turns > 0; turns--) {
            writer_turn(w->base.writer);
            uv_run(&w->base.loop, UV_RUN_NOWAIT);
        }
}

static void walk_free(struct walk *w)
{
    struct str key;
    void *seen;
    engine_end(w);
    store_close(w->base.store);
    for (int i = 0; i <= DEFINITIONS; i++)
        definition_free(w->plans[i].definition);
    for (size_t it = 0; map_next(&w->seen, &it, &key, &seen);)
        free(seen);
    map_done(&w->seen);
}

static void walk_go(unsigned long long seed)
{
    struct walk *w = mem_alloc(sizeof(*w));
    struct err e;
    w->seed = w->dice = seed;
    HOLDS(w, store_open_memory(&w->base.store, &e) >= 0);
    engine_begin(w);
    for (int i = 0; i <= DEFINITIONS; i++)
        plan_make(w, i);
    kid_know(w);
    for (int i = 0; i < MOVES; i++) {
        move(w);
        look(w);
    }
    engine_hold(w->base.engine, w->held = false);
    held_note(w);
    engine_world_settle(&w->base);
    look(w);
    for (int i = 0; i < w->job_count; i++)
        HOLDS(w, seen_of(w, w->jobs[i])->ended);
    walk_free(w);
    free(w);
}

TEST(whatever_is_done_to_jobs_their_states_and_counts_hold)
{
    const char *seed = getenv("SEED"), *walks = getenv("WALKS");
    unsigned long long first = seed ? strtoull(seed, NULL, 10) : 1;
    unsigned long long count = walks ? strtoull(walks, NULL, 10) : WALKS;
    for (unsigned long long i = 0; i < count; i++)
        walk_go(first + i);
}
