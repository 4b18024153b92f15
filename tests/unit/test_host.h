/* test_host.h: what the engine is to a worker, small enough for a unit test: it runs one step
 * on a loop of its own and remembers everything that the worker said.
 *
 *     struct test_host *h = test_host_new(&shell_worker, "{\"command\":\"echo hello\"}");
 *     test_host_run(h);
 *     CHECK_TEXT(h->lines[0].text, "hello");
 *     test_host_free(h);
 *
 * A mistake against the contract of worker.h (done() twice, or from inside task_start(), a key
 * of no task) fails the test. */
#pragma once

#include "worker/worker.h"

struct test_line {
    int64_t task; /* number; 0: the step itself */
    enum event_level level;
    char *text;
    size_t n;
};

struct test_task {
    struct worker_task task;
    enum job_state outcome; /* JOB_PENDING, JOB_RUNNING while it runs, or how it ended */
    char *key, *cause;
};

struct test_host {
    struct worker_step step;
    uv_loop_t loop;
    struct definition *definition;

    struct test_line *lines;
    size_t line_count, line_cap;
    struct test_task **tasks;
    size_t task_count, task_cap;
    int running, most_running;
    char *progress;
    char *outputs; /* "name=value\n", in the order in which they were said */
    struct cost cost;
    int signs;             /* of life, beside lines */
    int64_t grace_ms;      /* of the task that was asked to end last */
    char start_error[512]; /* of the last task that could not be started */

    /* For a test to set before the run. */
    void (*on_line)(struct test_host *h, const struct test_line *line); /* as each is written */
    void (*on_sign)(struct test_host *h);                               /* of life, as well */
    size_t pause_lines;       /* the store falls behind every so many lines; 0: never */
    size_t burst, most_burst; /* lines since it last caught up, and the most of them */
    int pauses;

    bool in_start;
    uv_timer_t catch_up;
};

/* `config` is the step's config as JSON. A wrong one fails the test. */
struct test_host *test_host_new(const struct worker_type *type, const char *config);
void test_host_free(struct test_host *h);

/* step_open() only: its result, e filled. For settings that are refused. */
int test_host_open(struct test_host *h, struct err *e);

/* Opens, plans, runs all tasks to their end, closes. */
void test_host_run(struct test_host *h);

void test_host_stop(struct test_host *h); /* stops all that run; from on_line() */

/* All lines of one level (LEVEL_COUNT: of all), joined by newlines; the caller frees. */
char *test_host_text(const struct test_host *h, enum event_level level);
