/* Runs made-up jobs in the real engine with the real store, and writes after each commit what a
 * viewer was sent and what a reload would show: one line of JSON with the events of each topic
 * in (from, as_of], and the snapshot of each of these topics as of as_of.
 *
 *     build/record-stream FOLDER SEED JOBS
 *
 * FOLDER becomes the data folder. SEED decides what the jobs are and when they are cancelled;
 * how they interleave is the machine's. tests/api/record.test.mjs folds the lines. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "base/mem.h"
#include "engine/engine.h"
#include "feed/encode.h"
#include "feed/feed.h"
#include "feed/tree.h"

enum { STEPS_MAX = 5, PACE_MS = 25, BURST = 30, NEWEST = 50 };

struct recorder {
    uv_loop_t loop;
    uv_prepare_t before_poll;
    uv_check_t after_poll;
    uv_timer_t pace;
    struct store *store;
    struct writer *writer;
    struct engine *engine;
    uint64_t chance, as_of;
    int jobs_left;
    bool small; /* many jobs, of little each: for what a list leaves out */
    struct id newest_job;
};

static void must(int r, const struct err *e)
{
    if (r >= 0)
        return;
    fprintf(stderr, "record-stream: %s\n", e->text);
    exit(1);
}

static unsigned any(struct recorder *r, unsigned below) /* xorshift64* */
{
    r->chance ^= r->chance >> 12;
    r->chance ^= r->chance << 25;
    r->chance ^= r->chance >> 27;
    return (unsigned)(r->chance * UINT64_C(2685821657736338717) >> 32) % below;
}

/* ---- writing ---- */

static void write_events(struct json *j, const char *topic, const struct batch *b,
                         const struct topic_filter *filter)
{
    json_key(j, topic);
    json_begin_array(j);
    for (size_t i = 0; i < b->events.count; i++)
        if (event_matches(&b->events, &b->events.events[i], filter))
            encode_event(j, &b->events, &b->events.events[i]);
    json_end_array(j);
}

/* The jobs that a batch is about; ret_jobs has room for all its sources. */
static size_t jobs_of(const struct batch *b, struct topic_filter *ret_jobs)
{
    size_t n = 0;
    for (size_t i = 0; i < b->events.source_count; i++) {
        struct id id = b->events.sources[i].manager_id;
        size_t k = 0;
        while (k < n && !id_eq(ret_jobs[k].job_id, id))
            k++;
        if (k == n)
            ret_jobs[n++] = (struct topic_filter){.kind = TOPIC_JOB, .job_id = id};
    }
    return n;
}

static void write_states(struct recorder *r, struct json *j, const struct topic_filter *jobs,
                         size_t count)
{
    static const struct tree_options options = {.lines = LIMIT_SNAPSHOT_LINES};
    struct err e;
    AUTO_READER *reader = NULL;
    const char *epoch = store_epoch(r->store);
    must(store_read_begin(r->store, &reader, &e), &e);
    ASSERT(store_read_as_of(reader) == r->as_of);
    json_key(j, "jobs");
    must(tree_write_all(reader, epoch, NEWEST, j, &e), &e);
    for (size_t i = 0; i < count; i++) {
        char topic[TOPIC_NAME_MAX];
        topic_name(&jobs[i], topic);
        json_key(j, topic);
        must(tree_write(reader, epoch, jobs[i].job_id, &options, j, &e), &e);
    }
}

static void on_committed(void *context, const struct batch *b)
{
    static const struct topic_filter all_jobs = {.kind = TOPIC_JOBS};
    struct recorder *r = context;
    AUTO_BUF out = BUF_INIT(LIMIT_REPLY_BYTES);
    struct json j = JSON_TO(&out);
    struct topic_filter *jobs = mem_alloc((b->events.source_count + 1) * sizeof(*jobs));
    size_t count = jobs_of(b, jobs);
    json_begin_object(&j);
    json_key_int(&j, "from", (int64_t)r->as_of);
    r->as_of += b->events.count;
    json_key_int(&j, "as_of", (int64_t)r->as_of);
    json_key(&j, "events");
    json_begin_object(&j);
    write_events(&j, "jobs", b, &all_jobs);
    for (size_t i = 0; i < count; i++) {
        char topic[TOPIC_NAME_MAX];
        topic_name(&jobs[i], topic);
        write_events(&j, topic, b, &jobs[i]);
    }
    json_end_object(&j);
    json_key(&j, "states");
    json_begin_object(&j);
    write_states(r, &j, jobs, count);
    json_end_object(&j);
    json_end_object(&j);
    ASSERT(!out.overflow);
    (void)puts(buf_text(&out));
    free(jobs);
}

/* ---- jobs ---- */

static void add_step(struct recorder *r, struct buf *text, int i)
{
    static const char *const commands[] = {
        "echo one; echo two >&2",
        "echo no; exit 3",
        "kill -9 $$",
        "sleep 0.05; printf 'a\\\\nb'",
        "for n in 1 2 3 4 5 6 7; do echo $n; sleep 0.01; done",
        "sleep 0.3; echo late"};
    buf_printf(text, "  - name: s%d\n    depends: [", i);
    for (int k = 0, n = 0; k < i; k++)
        if (any(r, 2) == 0)
            buf_printf(text, "%ss%d", n++ ? ", " : "", k);
    buf_printf(text, "]\n    on_error: %s\n", any(r, 3) ? "fail" : "continue");
    if (any(r, 2) == 0)
        buf_printf(text, "    type: shell\n    config: { command: \"%s\" }\n",
                   commands[any(r, ARRAY_LEN(commands))]);
    else
        buf_printf(text,
                   "    type: generator\n    config: { worker_count: %u, log_count: %u, "
                   "log_delay_ms: %u, failure_rate: 0.%u, child_count: %u, "
                   "recursion_depth: %u }\n",
                   1 + any(r, r->small ? 1 : 6), any(r, r->small ? 3 : 40), any(r, 3) * 5,
                   any(r, 4), any(r, 2), any(r, 2));
}

static void start_job(struct recorder *r)
{
    static const char *const actions[] = {"continue", "stop_all", "mark_warning"};
    AUTO_BUF text = BUF_INIT(LIMIT_DEFINITION_BYTES);
    struct err e;
    struct definition *d;
    buf_add_c(&text, "id: made-up\nname: Made up\n");
    if (any(r, 2))
        buf_printf(&text, "error_tolerance: { max_child_failures: %u, failure_action: %s }\n",
                   any(r, 3), actions[any(r, ARRAY_LEN(actions))]);
    buf_add_c(&text, "steps:\n");
    for (int i = 0, n = r->small ? 1 : 1 + (int)any(r, STEPS_MAX); i < n; i++)
        add_step(r, &text, i);
    struct definition_input in = {.text = buf_str(&text),
                                  .origin = "made up",
                                  .format = DEFINITION_YAML,
                                  .schemas = worker_schemas()};
    must(definition_parse(&in, &d, &e), &e);
    struct start start = {.by = "API"};
    must(engine_execute(r->engine, d, &start, &r->newest_job, &e), &e);
    definition_free(d);
    r->jobs_left--;
}

static void on_stopped(void *arg)
{
    struct recorder *r = arg;
    uv_stop(&r->loop);
}

static void on_all_durable(void *arg)
{
    struct recorder *r = arg;
    engine_stop(r->engine, on_stopped, r);
}

static void on_pace(uv_timer_t *timer)
{
    struct recorder *r = container_of(timer, struct recorder, pace);
    struct err e;
    if (any(r, 6) == 0 && engine_is_active(r->engine, r->newest_job))
        must(engine_cancel(r->engine, r->newest_job, "the recorder", &e), &e);
    if (r->jobs_left) {
        for (int i = 0; i < (r->small ? BURST : 1) && r->jobs_left; i++)
            start_job(r);
    } else if (engine_active_jobs(r->engine) == 0) {
        uv_timer_stop(timer);
        writer_after_commit(r->writer, on_all_durable, r);
    }
}

/* ---- the loop ---- */

static void on_closing(void *context, struct batch *b)
{
    struct recorder *r = context;
    if (r->engine)
        engine_on_closing(r->engine, b);
}

static void on_drained(void *context)
{
    engine_on_drained(((struct recorder *)context)->engine);
}

static void on_before_poll(uv_prepare_t *handle)
{
    writer_turn(container_of(handle, struct recorder, before_poll)->writer);
}

static void on_after_poll(uv_check_t *handle)
{
    writer_turn(container_of(handle, struct recorder, after_poll)->writer);
}

static void recorder_run(struct recorder *r, const char *folder)
{
    struct err e;
    struct writer_hooks hooks = {r, on_closing, on_committed, on_drained};
    ASSERT(uv_loop_init(&r->loop) == 0);
    must(store_open_sqlite(folder, &r->store, &e), &e);
    must(writer_new(&r->loop, r->store, &hooks, &r->writer, &e), &e);
    must(engine_new(&r->loop, r->store, r->writer, &r->engine, &e), &e);
    (void)uv_prepare_init(&r->loop, &r->before_poll);
    (void)uv_check_init(&r->loop, &r->after_poll);
    (void)uv_timer_init(&r->loop, &r->pace);
    (void)uv_prepare_start(&r->before_poll, on_before_poll);
    (void)uv_check_start(&r->after_poll, on_after_poll);
    (void)uv_timer_start(&r->pace, on_pace, 0, r->small ? 8 * PACE_MS : PACE_MS);
    (void)uv_run(&r->loop, UV_RUN_DEFAULT);
}

static void recorder_done(struct recorder *r)
{
    struct err e;
    must(writer_stop(r->writer, &e), &e);
    uv_close((uv_handle_t *)&r->before_poll, NULL);
    uv_close((uv_handle_t *)&r->after_poll, NULL);
    uv_close((uv_handle_t *)&r->pace, NULL);
    engine_free(r->engine);
    (void)uv_run(&r->loop, UV_RUN_DEFAULT);
    writer_free(r->writer);
    store_close(r->store);
    ASSERT(uv_loop_close(&r->loop) == 0);
}

int main(int argc, char **argv)
{
    struct recorder r = {0};
    if (argc != 4) {
        fprintf(stderr, "usage: record-stream FOLDER SEED JOBS\n");
        return 2;
    }
    r.chance = UINT64_C(20261126) * (1 + strtoull(argv[2], NULL, 10));
    r.jobs_left = (int)strtol(argv[3], NULL, 10);
    r.small = r.jobs_left > NEWEST;
    recorder_run(&r, argv[1]);
    recorder_done(&r);
    return fflush(stdout) == 0 ? 0 : 1;
}
