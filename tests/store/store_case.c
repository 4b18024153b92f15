#include "store_case.h"

#include "base/limits.h"

struct store *case_open(enum backend backend)
{
    struct store *s;
    struct err e;
    int r = backend == BACKEND_MEMORY ? store_open_memory(&s, &e)
                                      : store_open_sqlite(test_folder(), &s, &e);
    if (r < 0)
        test_fail(__FILE__, __LINE__, "cannot open the store: %s", e.text);
    return s;
}

uint64_t rng_below(struct rng *rng, uint64_t n) /* splitmix64 */
{
    uint64_t z = rng->state += 0x9E3779B97F4A7C15u;
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9u;
    z = (z ^ z >> 27) * 0x94D049BB133111EBu;
    return (z ^ z >> 31) % n;
}

struct event_source case_job_source(struct id job_id)
{
    return (struct event_source){job_id, ID_NONE, "", "job"};
}

struct event_source case_step_source(struct id job_id, struct id step_id)
{
    return (struct event_source){job_id, step_id, "crawl", "crawler"};
}

struct job_row case_job(struct id id, enum job_state status)
{
    return (struct job_row){.id = id,
                            .definition_id = "news",
                            .name = "News",
                            .source = "id: news\n",
                            .parameters = "{}",
                            .status = status,
                            .created_at_us = 1000};
}

struct step_row case_step(struct id id, struct id job_id, int number)
{
    return (struct step_row){.id = id,
                             .job_id = job_id,
                             .number = number,
                             .name = "crawl",
                             .type = "crawler",
                             .depends = "[]",
                             .status = JOB_RUNNING};
}

struct task_row case_task(struct id id, const struct step_row *step, int number,
                          const char *key)
{
    return (struct task_row){.id = id,
                             .job_id = step->job_id,
                             .step_id = step->id,
                             .number = number,
                             .key = key,
                             .payload = "{\"depth\":1}",
                             .status = JOB_PENDING,
                             .created_at_us = 2000 + number};
}

void put_line(struct batch *b, const struct event_source *source, uint64_t line,
              enum event_level level, const char *message)
{
    struct event e = {.type = EVENT_JOB_LOG,
                      .level = (uint8_t)level,
                      .originator = ORIGINATOR_WORKER,
                      .line = line,
                      .ts_us = 1700000000000000 + (int64_t)line * 37};
    event_batch_add(&b->events, &e, source, str_of(message), str_of(NULL));
}

void put_state(struct batch *b, const struct event_source *source, enum job_kind kind)
{
    struct event e = {.type = EVENT_JOB_STATUS_CHANGE,
                      .level = LEVEL_INFO,
                      .kind = (uint8_t)kind,
                      .ts_us = 1700000000000000};
    event_batch_add(&b->events, &e, source, str_of(NULL), STR("\"status\":\"running\""));
}

uint64_t commit(struct store *s, struct batch *b)
{
    struct err e;
    if (store_append(s, b, &e) < 0)
        test_fail(__FILE__, __LINE__, "store_append: %s", e.text);
    batch_free(b);
    return store_head(s);
}

struct log_case case_fill(struct store *s, int rows, int lines)
{
    struct log_case c = {id_new(), id_new(), 0};
    struct event_source source = case_step_source(c.job_id, c.step_id);
    struct job_row job = case_job(c.job_id, JOB_RUNNING);
    for (int i = 0; i < rows; i++) {
        struct batch *b = batch_new();
        struct step_row step = case_step(c.step_id, c.job_id, 1);
        if (i == 0)
            batch_put_job(b, &job);
        for (int k = 0; k < lines; k++) {
            char text[64];
            snprintf(text, sizeof(text), "line %d of commit %d", k, i);
            c.lines++;
            put_line(b, &source, c.lines, (enum event_level)(c.lines % LEVEL_COUNT), text);
        }
        put_state(b, &source, KIND_STEP);
        step.lines = c.lines;
        batch_put_step(b, &step);
        commit(s, b);
    }
    return c;
}

int case_compact(struct store *s)
{
    struct err e;
    for (int steps = 1;; steps++) {
        int r = store_compact(s, true, &e);
        if (r < 0)
            test_fail(__FILE__, __LINE__, "store_compact: %s", e.text);
        if (r == 0)
            return steps;
    }
}

/* ---- dumping ---- */

static const char *shown(const char *s)
{
    return s ? s : "";
}

#define MUST(call)                                                                             \
    do {                                                                                       \
        if ((call) < 0)                                                                        \
            test_fail(__FILE__, __LINE__, "%s: %s", #call, e.text);                            \
    } while (0)

static void dump_job(const struct job_row *j, struct buf *out)
{
    buf_printf(
        out, "job %s %s '%s' '%s' '%s' %d '%s' %d %lld %lld %lld %lld '%s' '%s' %llu %llu %s\n",
        ID_TEXT(j->id), shown(j->definition_id), shown(j->name), shown(j->started_by),
        shown(j->source), j->source_is_json, shown(j->parameters), j->status,
        (long long)j->created_at_us, (long long)j->started_at_us, (long long)j->completed_at_us,
        (long long)j->updated_at_us, shown(j->error), shown(j->cause),
        (unsigned long long)j->lines, (unsigned long long)j->end_seq, ID_TEXT(j->parent_id));
    buf_printf(out, "bytes %lld priority %d '%s' '%s' family %d\n", (long long)j->bytes,
               j->priority, shown(j->pool), shown(j->waits_for), j->family);
}

static void dump_ended(void *arg, const struct ended_job *job)
{
    buf_printf(arg, "ended %s '%.*s' %lld %lld\n", ID_TEXT(job->id),
               STR_ARG(job->definition_id), (long long)job->completed_at_us,
               (long long)job->bytes);
}

static void dump_step(const struct step_row *s, struct buf *out)
{
    buf_printf(out, "step %s %s %d '%s' '%s' '%s' %d %lld %lld %lld '%s' '%s' '%s' %llu %lld",
               ID_TEXT(s->id), ID_TEXT(s->job_id), s->number, shown(s->name), shown(s->type),
               shown(s->depends), s->status, (long long)s->started_at_us,
               (long long)s->completed_at_us, (long long)s->updated_at_us, shown(s->error),
               shown(s->cause), shown(s->progress_text), (unsigned long long)s->lines,
               (long long)s->documents);
    for (int i = 0; i < TASK_COUNTS; i++)
        buf_printf(out, " %lld", (long long)s->tasks[i]);
    for (int i = 0; i < LEVEL_COUNT; i++)
        buf_printf(out, " %llu", (unsigned long long)s->lines_by_level[i]);
    buf_printf(out, " %llu %llu '%s' '%s'\n", (unsigned long long)s->first_error,
               (unsigned long long)s->last_error, shown(s->told_lines), shown(s->outputs));
    buf_printf(out, "bytes %lld, kill at %lld\n", (long long)s->bytes,
               (long long)s->kill_at_us);
}

static void dump_task(const struct task_row *t, struct buf *out)
{
    buf_printf(out, "task %s %s %s %lld '%s' '%s' %d %d %lld %lld %lld %lld '%s'\n",
               ID_TEXT(t->id), ID_TEXT(t->job_id), ID_TEXT(t->step_id), (long long)t->number,
               shown(t->key), shown(t->payload), t->status, t->attempt,
               (long long)t->created_at_us, (long long)t->started_at_us,
               (long long)t->completed_at_us, (long long)t->due_at_us, shown(t->cause));
}

static void dump_document(const struct document_row *d, struct buf *out)
{
    buf_printf(out, "document %s %s %s '%s' '%s' '%s' '%s' '%s' '%s' %lld\n", ID_TEXT(d->id),
               ID_TEXT(d->job_id), ID_TEXT(d->step_id), shown(d->url), shown(d->title),
               shown(d->description), shown(d->published), shown(d->markdown),
               shown(d->metadata), (long long)d->created_at_us);
}

static void dump_events(const struct event_batch *b, struct buf *out)
{
    for (size_t i = 0; i < b->count; i++) {
        const struct event *e = &b->events[i];
        const struct event_source *s = &b->sources[e->source];
        struct str message = event_message(b, e), members = event_members(b, e);
        buf_printf(out, "event %llu %d %d %d %d line %llu ts %lld %s %s %s '%s' '%s' ",
                   (unsigned long long)e->seq, e->type, e->level, e->originator, e->kind,
                   (unsigned long long)e->line, (long long)e->ts_us, ID_TEXT(s->manager_id),
                   ID_TEXT(s->step_id), ID_TEXT(e->task_id), s->step_name, s->source_type);
        buf_printf(out, "'%.*s' '%.*s'\n", STR_ARG(message), STR_ARG(members));
    }
}

/* Reads the topic in pieces of random size, which must fit together. */
static void dump_topic(struct store_reader *r, struct topic_filter topic, struct rng *rng,
                       struct buf *out)
{
    struct err e;
    uint64_t as_of = store_read_as_of(r),
             at = rng_below(rng, 4) ? 0 : rng_below(rng, as_of + 1);
    buf_printf(out, "topic %d %s min %d after %llu\n", topic.kind, ID_TEXT(topic.job_id),
               topic.min_level, (unsigned long long)at);
    size_t max_events = 1 + rng_below(rng, 300), max_bytes = 100 + rng_below(rng, 20000);
    while (at < as_of) {
        AUTO_EVENT_BATCH into = EVENT_BATCH_INIT;
        struct event_query q = {topic, at, max_events, max_bytes};
        uint64_t to;
        MUST(store_read_events(r, &q, &into, &to, &e));
        CHECK(to > at && to <= as_of && into.count <= max_events);
        for (size_t i = 0; i < into.count; i++)
            CHECK(into.events[i].seq > at && into.events[i].seq <= to &&
                  (i == 0 || into.events[i].seq > into.events[i - 1].seq));
        dump_events(&into, out);
        at = to;
    }
}

static void dump_lines(struct store_reader *r, struct id job_id, struct id step_id,
                       struct rng *rng, struct buf *out)
{
    struct err e;
    for (int i = 0; i < 6; i++) {
        struct line_query q = {.job_id = job_id, .step_id = step_id, .limit = 1000000};
        q.min_level = i == 0 ? LEVEL_DEBUG : (enum event_level)rng_below(rng, LEVEL_COUNT);
        q.after = i == 0 ? 0 : rng_below(rng, 40);
        q.before = i < 2 ? 0 : rng_below(rng, 200);
        q.limit = i == 0 ? 1000000 : rng_below(rng, 60);
        q.from_end = rng_below(rng, 2);
        AUTO_EVENT_BATCH into = EVENT_BATCH_INIT;
        MUST(store_read_lines(r, &q, &into, &e));
        buf_printf(out, "lines after %llu before %llu level %d limit %zu%s\n",
                   (unsigned long long)q.after, (unsigned long long)q.before, q.min_level,
                   q.limit, q.from_end ? " from the end" : "");
        dump_events(&into, out);
    }
}

static void dump_tasks(struct store_reader *r, struct id job_id, struct id step_id,
                       struct rng *rng, struct buf *out)
{
    struct err e;
    for (int i = 0; i < 3; i++) {
        AUTO_ARENA a = ARENA_INIT;
        struct task_query q = {.job_id = job_id, .step_id = step_id, .limit = -1};
        q.states = i == 0 ? 0 : (unsigned)rng_below(rng, 32);
        q.after_number = i && !id_is_none(step_id) ? (int64_t)rng_below(rng, 10) : 0;
        q.limit = i == 0 ? -1 : (int64_t)rng_below(rng, 10);
        q.offset = i == 0 ? 0 : (int64_t)rng_below(rng, 5);
        q.newest_first = rng_below(rng, 2);
        struct task_row **rows;
        size_t count;
        int64_t total;
        MUST(store_list_tasks(r, &q, &a, &rows, &count, &total, &e));
        buf_printf(out, "tasks %zu of %lld\n", count, (long long)total);
        for (size_t k = 0; k < count; k++)
            dump_task(rows[k], out);
        for (size_t k = 0; k < count && i == 0; k++) {
            struct task_row *one;
            MUST(store_get_task(r, rows[k]->id, &a, &one, &e));
            dump_task(one, out);
        }
    }
}

static void dump_documents(struct store_reader *r, struct id job_id, struct rng *rng,
                           struct buf *out)
{
    struct err e;
    AUTO_ARENA a = ARENA_INIT;
    struct document_query q = {.job_id = job_id,
                               .with_markdown = rng_below(rng, 2),
                               .limit = (int64_t)rng_below(rng, 12) - 1,
                               .offset = (int64_t)rng_below(rng, 3)};
    if (rng_below(rng, 3) == 0)
        q.words[0] = "A";
    if (rng_below(rng, 3) == 0)
        q.host = "a";
    if (rng_below(rng, 3) == 0)
        q.since_us = 1700000000000000 + (int64_t)rng_below(rng, 100000);
    struct document_row **rows;
    size_t count;
    int64_t total;
    MUST(store_list_documents(r, &q, &a, &rows, &count, &total, &e));
    buf_printf(out, "documents %zu of %lld\n", count, (long long)total);
    for (size_t i = 0; i < count; i++) {
        struct document_row *one;
        dump_document(rows[i], out);
        MUST(store_get_document(r, rows[i]->id, &a, &one, &e));
        dump_document(one, out);
    }
}

static void dump_job_tree(struct store_reader *r, struct id job_id, struct rng *rng,
                          struct buf *out)
{
    struct err e;
    AUTO_ARENA a = ARENA_INIT;
    struct job_row *job;
    MUST(store_get_job(r, job_id, &a, &job, &e));
    dump_job(job, out);
    dump_lines(r, job_id, ID_NONE, rng, out);
    dump_tasks(r, job_id, ID_NONE, rng, out);
    dump_documents(r, job_id, rng, out);
    dump_topic(r, (struct topic_filter){TOPIC_JOB, job_id, LEVEL_DEBUG}, rng, out);
    dump_topic(r, (struct topic_filter){TOPIC_JOB, job_id, LEVEL_WARN}, rng, out);
    struct step_row **steps;
    size_t count;
    MUST(store_list_steps(r, job_id, &a, &steps, &count, &e));
    for (size_t i = 0; i < count; i++) {
        struct step_row *one;
        MUST(store_get_step(r, steps[i]->id, &a, &one, &e));
        dump_step(one, out);
        dump_lines(r, job_id, one->id, rng, out);
        dump_tasks(r, job_id, one->id, rng, out);
        struct error_group *groups;
        size_t group_count;
        MUST(store_group_errors(r, one->id, (int64_t)rng_below(rng, 4), &a, &groups,
                                &group_count, &e));
        for (size_t k = 0; k < group_count; k++)
            buf_printf(out, "error '%s' %lld\n", groups[k].message, (long long)groups[k].count);
    }
}

static void dump_jobs(struct store_reader *r, struct rng *rng, struct buf *out)
{
    struct err e;
    for (int i = 0; i < 8; i++) {
        AUTO_ARENA a = ARENA_INIT;
        struct job_query q = {.limit = (int64_t)rng_below(rng, 6) - 1,
                              .offset = (int64_t)rng_below(rng, 3)};
        if (rng_below(rng, 3) == 0)
            q.word = "E";
        q.states = rng_below(rng, 2) ? (unsigned)rng_below(rng, 64) : 0;
        q.definition_id = rng_below(rng, 3) ? NULL : "news";
        q.order = (enum job_order)rng_below(rng, 6);
        q.descending = rng_below(rng, 2);
        struct job_row **rows;
        size_t count;
        int64_t total;
        MUST(store_list_jobs(r, &q, &a, &rows, &count, &total, &e));
        buf_printf(out, "jobs %zu of %lld by %d\n", count, (long long)total, q.order);
        for (size_t k = 0; k < count; k++) {
            dump_job(rows[k], out);
            struct job_query before = {.before = rows[k]};
            struct job_row **none;
            size_t no;
            if (!rows[k]->waits_for || !*rows[k]->waits_for)
                continue;
            MUST(store_list_jobs(r, &before, &a, &none, &no, &total, &e));
            buf_printf(out, "%lld before it\n", (long long)total);
        }
    }
    int64_t counts[JOB_STATE_COUNT];
    MUST(store_count_jobs(r, counts, &e));
    for (int i = 0; i < JOB_STATE_COUNT; i++)
        buf_printf(out, "count %d %lld\n", i, (long long)counts[i]);
    MUST(store_walk_ended(r, dump_ended, out, &e));
}

void dump_reader(struct store_reader *r, uint64_t seed, struct buf *out)
{
    struct rng rng = {seed};
    struct err e;
    AUTO_ARENA a = ARENA_INIT;
    buf_printf(out, "as of %llu\n", (unsigned long long)store_read_as_of(r));
    dump_jobs(r, &rng, out);
    dump_documents(r, ID_NONE, &rng, out);
    dump_topic(r, (struct topic_filter){.kind = TOPIC_ALL}, &rng, out);
    dump_topic(r, (struct topic_filter){.kind = TOPIC_JOBS}, &rng, out);
    struct definition_row **definitions;
    struct job_row **jobs;
    size_t count;
    int64_t total;
    MUST(store_list_definitions(r, &a, &definitions, &count, &e));
    for (size_t i = 0; i < count; i++)
        buf_printf(out, "definition '%s' '%s' %d %lld %lld\n", definitions[i]->id,
                   shown(definitions[i]->source), definitions[i]->is_json,
                   (long long)definitions[i]->created_at_us,
                   (long long)definitions[i]->updated_at_us);
    struct schedule_row **schedules;
    MUST(store_list_schedules(r, &a, &schedules, &count, &e));
    for (size_t i = 0; i < count; i++)
        buf_printf(out, "schedule '%s' '%s' %lld %lld %d\n", schedules[i]->definition_id,
                   shown(schedules[i]->key), (long long)schedules[i]->decided_at_us,
                   (long long)schedules[i]->queued_at_us, schedules[i]->paused);
    struct delivery_row **deliveries;
    MUST(store_list_deliveries(r, &a, &deliveries, &count, &e));
    for (size_t i = 0; i < count; i++)
        buf_printf(
            out, "delivery %s of %s '%s' '%s' '%s' %d %lld %lld\n", ID_TEXT(deliveries[i]->id),
            ID_TEXT(deliveries[i]->job_id), shown(deliveries[i]->definition_id),
            shown(deliveries[i]->target), shown(deliveries[i]->body), deliveries[i]->attempts,
            (long long)deliveries[i]->created_at_us, (long long)deliveries[i]->due_at_us);
    struct job_query all = {.limit = -1};
    MUST(store_list_jobs(r, &all, &a, &jobs, &count, &total, &e));
    CHECK_INT(total, count);
    for (size_t i = 0; i < count; i++)
        dump_job_tree(r, jobs[i]->id, &rng, out);
}

void dump_store(struct store *s, uint64_t seed, struct buf *out)
{
    struct err e;
    AUTO_READER *r = NULL;
    MUST(store_read_begin(s, &r, &e));
    buf_clear(out);
    dump_reader(r, seed, out);
    CHECK(!out->overflow);
}

void check_same(const char *what, struct buf *got, struct buf *want)
{
    struct str a = buf_str(got), b = buf_str(want);
    while (a.p || b.p) {
        struct str line_a = str_cut(&a, '\n'), line_b = str_cut(&b, '\n');
        if (!str_eq(line_a, line_b))
            test_fail(__FILE__, __LINE__, "%s:\n      %.*s\n    instead of\n      %.*s", what,
                      STR_ARG(line_a), STR_ARG(line_b));
    }
}
