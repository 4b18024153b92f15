/* A seeded random walk: the same batches go to both implementations, which must answer every
 * query alike at random moments, between the steps of the compactor, and after a restart. */
#include <stdlib.h>

#include "base/limits.h"
#include "store_case.h"

enum { WALK_JOBS = 6, WALK_STEPS = 3, WALK_TASKS = 40, WALK_BATCHES = 700 };

struct walk_step {
    struct step_row row;
    struct id tasks[WALK_TASKS];
    int task_count;
};

struct walk_job {
    struct job_row row;
    struct walk_step steps[WALK_STEPS];
    int step_count;
    bool there;
};

struct walk {
    struct rng rng;
    struct walk_job jobs[WALK_JOBS];
    int64_t now;
    char texts[8][32]; /* strings of rows live here until they are copied */
};

static const char *words[] = {"fetched",          "http://a/ü", "",
                              "refused\tby peer", "\"quoted\"", "done in 84 ms"};

static const char *any_word(struct walk *w)
{
    uint64_t i = rng_below(&w->rng, 7);
    return i == 6 ? NULL : words[i];
}

static void walk_line(struct walk *w, struct batch *b, struct walk_job *job,
                      struct walk_step *step)
{
    struct event_source source =
        step ? case_step_source(job->row.id, step->row.id) : case_job_source(job->row.id);
    uint64_t *lines = step ? &step->row.lines : &job->row.lines;
    struct event e = {.type = (uint8_t)rng_below(&w->rng, EVENT_TYPE_COUNT),
                      .level = (uint8_t)rng_below(&w->rng, LEVEL_COUNT),
                      .originator = (uint8_t)rng_below(&w->rng, 3),
                      .ts_us = w->now += (int64_t)rng_below(&w->rng, 3000) - 100};
    if (rng_below(&w->rng, 2))
        e.type = EVENT_JOB_LOG;
    if (e.type == EVENT_JOB_LOG)
        e.line = ++*lines;
    if (e.type == EVENT_JOB_STATUS_CHANGE)
        e.kind = (uint8_t)rng_below(&w->rng, 3);
    if (step && step->task_count && rng_below(&w->rng, 2))
        e.task_id = step->tasks[rng_below(&w->rng, (uint64_t)step->task_count)];
    event_batch_add(&b->events, &e, &source, str_of(any_word(w)), str_of(any_word(w)));
}

static void walk_task(struct walk *w, struct batch *b, struct walk_step *step)
{
    char key[32];
    if (step->task_count == WALK_TASKS)
        return;
    snprintf(key, sizeof(key), "http://a/%d", step->task_count);
    struct task_row task = case_task(id_new(), &step->row, step->task_count + 1, key);
    step->tasks[step->task_count++] = task.id;
    task.payload = any_word(w);
    batch_put_task(b, &task);
}

static void walk_task_state(struct walk *w, struct batch *b, struct walk_step *step)
{
    if (step->task_count == 0)
        return;
    struct task_row task = {.id = step->tasks[rng_below(&w->rng, (uint64_t)step->task_count)],
                            .status = (enum job_state)rng_below(&w->rng, JOB_SKIPPED),
                            .attempt = (int)rng_below(&w->rng, 4),
                            .started_at_us = w->now,
                            .due_at_us = (int64_t)rng_below(&w->rng, 3),
                            .cause = any_word(w)};
    batch_put_task_state(b, &task);
    if (rng_below(&w->rng, 2))
        return;
    struct document_row document = {.id = task.id,
                                    .job_id = step->row.job_id,
                                    .step_id = step->row.id,
                                    .url = "http://a/",
                                    .title = any_word(w),
                                    .markdown = any_word(w),
                                    .metadata = "{}",
                                    .created_at_us = w->now};
    batch_put_document(b, &document);
}

static void walk_job_row(struct walk *w, struct batch *b, struct walk_job *job)
{
    if (!job->there) {
        *job = (struct walk_job){.there = true};
        job->row = case_job(id_new(), JOB_PENDING);
        job->row.created_at_us = 1000 + (int64_t)rng_below(&w->rng, 3);
    }
    job->row.status = (enum job_state)rng_below(&w->rng, JOB_SKIPPED);
    job->row.name = any_word(w);
    job->row.definition_id = rng_below(&w->rng, 2) ? "news" : "other";
    job->row.started_at_us = (int64_t)rng_below(&w->rng, 3);
    job->row.completed_at_us = (int64_t)rng_below(&w->rng, 3);
    job->row.bytes = (int64_t)rng_below(&w->rng, 1000);
    job->row.cause = any_word(w);
    job->row.started_by = any_word(w);
    job->row.parent_id = rng_below(&w->rng, 2) ? job->row.id : ID_NONE;
    job->row.priority = (int)rng_below(&w->rng, 3) - 1;
    job->row.family = (int)rng_below(&w->rng, 3);
    job->row.pool = any_word(w);
    job->row.waits_for = any_word(w);
    batch_put_job(b, &job->row);
}

static void walk_step_row(struct walk *w, struct batch *b, struct walk_job *job)
{
    struct walk_step *step;
    bool is_new = false;
    if (job->step_count == 0 || (job->step_count < WALK_STEPS && rng_below(&w->rng, 3) == 0)) {
        step = &job->steps[job->step_count++];
        step->row = case_step(id_new(), job->row.id, WALK_STEPS - job->step_count);
        is_new = true;
    } else {
        step = &job->steps[rng_below(&w->rng, (uint64_t)job->step_count)];
    }
    step->row.status = (enum job_state)rng_below(&w->rng, JOB_STATE_COUNT);
    step->row.tasks[rng_below(&w->rng, TASK_COUNTS)]++;
    step->row.progress_text = any_word(w);
    step->row.bytes = (int64_t)rng_below(&w->rng, 1000);
    step->row.lines_by_level[rng_below(&w->rng, LEVEL_COUNT)]++;
    step->row.last_error++;
    step->row.told_lines = any_word(w);
    step->row.outputs = any_word(w);
    step->row.documents++;
    step->row.kill_at_us = (int64_t)rng_below(&w->rng, 3);
    if (is_new || rng_below(&w->rng, 3) == 0)
        batch_put_step(b, &step->row);
    else
        batch_put_step_state(b, &step->row);
}

static void walk_definition(struct walk *w, struct batch *b)
{
    char id[] = {(char)('a' + rng_below(&w->rng, 4)), 0};
    struct definition_row row = {id, any_word(w), rng_below(&w->rng, 2), 1, w->now};
    struct schedule_row schedule = {id, any_word(w), w->now, (int64_t)rng_below(&w->rng, 9),
                                    rng_below(&w->rng, 2)};
    if (rng_below(&w->rng, 3) == 0)
        batch_put_schedule(b, &schedule);
    else if (rng_below(&w->rng, 2))
        batch_put_definition(b, &row);
    else
        batch_delete_definition(b, id);
}

static void walk_delivery(struct walk *w, struct batch *b)
{
    struct id id = {{(uint8_t)(1 + rng_below(&w->rng, 4))}};
    struct delivery_row row = {.id = id,
                               .job_id = {{7}},
                               .definition_id = any_word(w),
                               .target = any_word(w),
                               .body = any_word(w),
                               .attempts = (int)rng_below(&w->rng, 5),
                               .created_at_us = w->now,
                               .due_at_us = w->now + 1};
    if (rng_below(&w->rng, 3))
        batch_put_delivery(b, &row);
    else
        batch_delete_delivery(b, id);
}

static void walk_change(struct walk *w, struct batch *b)
{
    struct walk_job *job = &w->jobs[rng_below(&w->rng, WALK_JOBS)];
    uint64_t what = rng_below(&w->rng, 40);
    if (!job->there || what == 0) {
        walk_job_row(w, b, job);
        return;
    }
    struct walk_step *step =
        job->step_count ? &job->steps[rng_below(&w->rng, (uint64_t)job->step_count)] : NULL;
    if (what == 1)
        walk_definition(w, b);
    else if (what == 39)
        walk_delivery(w, b);
    else if (what < 5 || !step)
        walk_step_row(w, b, job);
    else if (what < 9)
        walk_task(w, b, step);
    else if (what < 14)
        walk_task_state(w, b, step);
    else
        walk_line(w, b, job, what < 18 ? NULL : step);
}

static void change_copy(struct batch *to, const struct change *c)
{
    switch (c->kind) {
    case CHANGE_JOB:
        batch_put_job(to, c->job);
        break;
    case CHANGE_STEP:
        batch_put_step(to, c->step);
        break;
    case CHANGE_STEP_STATE:
        batch_put_step_state(to, c->step);
        break;
    case CHANGE_TASK:
        batch_put_task(to, c->task);
        break;
    case CHANGE_TASK_STATE:
        batch_put_task_state(to, c->task);
        break;
    case CHANGE_DOCUMENT:
        batch_put_document(to, c->document);
        break;
    case CHANGE_DEFINITION:
        batch_put_definition(to, c->definition);
        break;
    case CHANGE_DEFINITION_DELETE:
        batch_delete_definition(to, c->definition_id);
        break;
    case CHANGE_SCHEDULE:
        batch_put_schedule(to, c->schedule);
        break;
    case CHANGE_DELIVERY:
        batch_put_delivery(to, c->delivery);
        break;
    case CHANGE_DELIVERY_DELETE:
        batch_delete_delivery(to, c->delivery_id);
        break;
    case CHANGE_JOB_DELETE:
        batch_delete_job(to, c->job_id);
        break;
    }
}

static struct batch *batch_clone(const struct batch *from)
{
    struct batch *b = batch_new();
    for (size_t i = 0; i < from->events.count; i++)
        event_batch_copy(&b->events, &from->events, i);
    for (size_t i = 0; i < from->change_count; i++)
        change_copy(b, &from->changes[i]);
    return b;
}

static struct batch *walk_batch(struct walk *w)
{
    struct batch *b = batch_new();
    struct walk_job *job = &w->jobs[rng_below(&w->rng, WALK_JOBS)];
    if (job->there && rng_below(&w->rng, 100) == 0) {
        batch_delete_job(b, job->row.id);
        job->there = false;
        return b;
    }
    for (uint64_t n = 1 + rng_below(&w->rng, 8); n > 0; n--)
        walk_change(w, b);
    return b;
}

static void compare(struct store *sqlite, struct store *memory, uint64_t seed, const char *when)
{
    AUTO_BUF got = BUF_INIT(LIMIT_REPLY_BYTES);
    AUTO_BUF want = BUF_INIT(LIMIT_REPLY_BYTES);
    dump_store(sqlite, seed, &got);
    dump_store(memory, seed, &want);
    check_same(when, &got, &want);
}

static void walk(uint64_t seed)
{
    struct store *sqlite = case_open(BACKEND_SQLITE), *memory = case_open(BACKEND_MEMORY);
    struct walk *w = calloc(1, sizeof(*w));
    struct err e;
    w->rng.state = seed;
    w->now = 1700000000000000;
    for (int i = 0; i < WALK_BATCHES; i++) {
        struct batch *b = walk_batch(w);
        commit(memory, batch_clone(b));
        CHECK_INT(commit(sqlite, b), store_head(memory));
        uint64_t luck = rng_below(&w->rng, 60);
        if (luck == 0)
            compare(sqlite, memory, (uint64_t)i, "after an append");
        int r = store_compact(sqlite, false, &e);
        CHECK(r >= 0);
        if (r > 0 && luck < 10)
            compare(sqlite, memory, (uint64_t)i, "between the steps of the compactor");
        if (luck == 59 && i % 5 == 0) {
            store_close(sqlite);
            sqlite = case_open(BACKEND_SQLITE);
            compare(sqlite, memory, (uint64_t)i, "after a restart");
        }
    }
    compare(sqlite, memory, seed, "at the end");
    store_close(sqlite);
    store_close(memory);
    free(w);
}

TEST(a_random_walk_leaves_both_stores_with_the_same_answers)
{
    walk(1);
}

TEST(another_random_walk_leaves_both_stores_with_the_same_answers)
{
    walk(20261123);
}
