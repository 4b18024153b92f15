#include "worker/generator.h"

#include <stdlib.h>

#include "base/mem.h"
#include "test.h"
#include "test_host.h"

static struct test_host *generator_run(const char *config)
{
    struct test_host *h = test_host_new(&generator_worker, config);
    test_host_run(h);
    return h;
}

static size_t outcome_count(const struct test_host *h, enum job_state outcome)
{
    size_t n = 0;
    for (size_t i = 0; i < h->task_count; i++)
        n += h->tasks[i]->outcome == outcome;
    return n;
}

TEST(a_generator_writes_every_line_of_every_task_once_and_in_order)
{
    struct test_host *h = generator_run("{\"worker_count\":3,\"log_count\":500}");
    long long next[3] = {1, 1, 1};
    CHECK_INT(h->task_count, 3);
    CHECK_INT(h->line_count, 1500);
    for (size_t i = 0; i < h->line_count; i++) {
        const struct test_line *line = &h->lines[i];
        AUTO_FREE char *start = mem_printf("worker-%lld line %lld/500: ", (long long)line->task,
                                           next[line->task - 1]++);
        CHECK(strncmp(line->text, start, strlen(start)) == 0);
        CHECK(line->n >= 90 && line->n <= 190);
    }
    CHECK_TEXT(h->progress, "1500/1500 lines");
    CHECK_INT(outcome_count(h, JOB_COMPLETED), 3);
    test_host_free(h);
}

TEST(a_generator_runs_as_many_tasks_at_once_as_it_is_told)
{
    struct test_host *h = generator_run(
        "{\"worker_count\":7,\"log_count\":3,\"log_delay_ms\":1,\"concurrency\":3}");
    CHECK_INT(h->most_running, 3);
    CHECK_INT(h->line_count, 21);
    test_host_free(h);
}

TEST(generated_tasks_have_children_down_to_the_depth_asked_for)
{
    struct test_host *h = generator_run(
        "{\"worker_count\":2,\"log_count\":1,\"child_count\":3,\"recursion_depth\":2}");
    CHECK_INT(h->task_count, 2 * (1 + 3 + 9));
    CHECK_INT(h->line_count, h->task_count);
    CHECK_TEXT(h->progress, "26/26 lines");
    bool found = false;
    for (size_t i = 0; i < h->task_count; i++)
        found = found || strcmp(h->tasks[i]->key, "worker-2.3.1") == 0;
    CHECK(found);
    test_host_free(h);
}

TEST(the_same_tasks_fail_in_every_run)
{
    const char *config = "{\"worker_count\":400,\"log_count\":2,\"failure_rate\":0.25}";
    struct test_host *a = generator_run(config), *b = generator_run(config);
    size_t failed = outcome_count(a, JOB_FAILED);
    CHECK(failed > 60 && failed < 140);
    for (size_t i = 0; i < a->task_count; i++) {
        CHECK_INT(a->tasks[i]->outcome, b->tasks[i]->outcome);
        if (a->tasks[i]->outcome == JOB_FAILED)
            CHECK_TEXT(a->tasks[i]->cause, "failed on purpose (failure_rate)");
    }
    AUTO_FREE char *text_a = test_host_text(a, LEVEL_ERROR);
    AUTO_FREE char *text_b = test_host_text(b, LEVEL_ERROR);
    CHECK_TEXT(text_a, text_b);
    size_t errors = 0;
    for (size_t i = 0; i < a->line_count; i++)
        errors += a->lines[i].level == LEVEL_ERROR;
    CHECK_INT(errors, failed); /* each failure is announced by the task's last line */
    test_host_free(a);
    test_host_free(b);
}

TEST(all_or_none_fail_at_the_ends_of_the_rate)
{
    struct test_host *all = generator_run("{\"worker_count\":50,\"failure_rate\":1}");
    struct test_host *none = generator_run("{\"worker_count\":50,\"failure_rate\":0}");
    CHECK_INT(outcome_count(all, JOB_FAILED), 50);
    CHECK_INT(outcome_count(none, JOB_COMPLETED), 50);
    test_host_free(all);
    test_host_free(none);
}

TEST(the_levels_are_mixed_and_mostly_info)
{
    struct test_host *h = generator_run("{\"log_count\":2000}");
    size_t n[LEVEL_COUNT] = {0};
    for (size_t i = 0; i < h->line_count; i++)
        n[h->lines[i].level]++;
    CHECK(n[LEVEL_INFO] > 1500 && n[LEVEL_DEBUG] > 80 && n[LEVEL_WARN] > 20);
    CHECK(n[LEVEL_WARN] < n[LEVEL_DEBUG]);
    CHECK_INT(n[LEVEL_ERROR], 0);
    test_host_free(h);
}

TEST(a_generator_pauses_when_the_store_is_behind)
{
    struct test_host *h =
        test_host_new(&generator_worker, "{\"worker_count\":4,\"log_count\":5000}");
    h->pause_lines = 1000;
    test_host_run(h);
    CHECK_INT(h->line_count, 20000);
    CHECK(h->pauses >= 10);
    CHECK(h->most_burst <= 1000 + 4 * 64);
    test_host_free(h);
}

static void stop_at_line_100(struct test_host *h, const struct test_line *line)
{
    (void)line;
    if (h->line_count == 100)
        test_host_stop(h);
}

TEST(a_stopped_generator_writes_no_further_line)
{
    struct test_host *h =
        test_host_new(&generator_worker, "{\"worker_count\":2,\"log_count\":1000000,"
                                         "\"concurrency\":2}");
    h->on_line = stop_at_line_100;
    test_host_run(h);
    CHECK_INT(h->line_count, 100);
    CHECK_INT(outcome_count(h, JOB_CANCELLED), 2);
    test_host_free(h);
}

static void on_stop_timer(uv_timer_t *timer)
{
    test_host_stop(timer->data);
    uv_close((uv_handle_t *)timer, NULL);
}

TEST(a_stopped_generator_does_not_wait_for_its_delay)
{
    struct test_host *h = test_host_new(
        &generator_worker,
        "{\"worker_count\":2,\"log_count\":2,\"log_delay_ms\":3600000,\"concurrency\":2}");
    uv_timer_t timer = {.data = h};
    CHECK_INT(uv_timer_init(&h->loop, &timer), 0);
    CHECK_INT(uv_timer_start(&timer, on_stop_timer, 0, 0), 0);
    test_host_run(h);
    CHECK_INT(h->line_count, 0);
    CHECK_INT(outcome_count(h, JOB_CANCELLED), 2);
    test_host_free(h);
}

static uint64_t paced_began;

static void check_not_ahead(struct test_host *h, const struct test_line *line)
{
    (void)line;
    CHECK((double)h->line_count <= (double)(uv_hrtime() - paced_began) * 500 / 1e9);
}

TEST(a_generator_with_a_rate_is_never_ahead_of_it_and_makes_up_for_pauses)
{
    struct test_host *h =
        test_host_new(&generator_worker, "{\"log_count\":100,\"lines_per_second\":500}");
    h->on_line = check_not_ahead;
    h->pause_lines = 10;
    paced_began = uv_hrtime();
    test_host_run(h);
    CHECK_INT(h->line_count, 100);
    test_host_free(h);
}

TEST(generated_lines_have_the_length_that_is_asked_for)
{
    static const size_t lengths[] = {20, 170, 4096};
    for (size_t k = 0; k < ARRAY_LEN(lengths); k++) {
        AUTO_FREE char *config =
            mem_printf("{\"log_count\":50,\"line_bytes\":%zu}", lengths[k]);
        struct test_host *h = generator_run(config);
        CHECK_INT(h->line_count, 50);
        for (size_t i = 0; i < h->line_count; i++)
            CHECK_INT(h->lines[i].n, lengths[k]);
        test_host_free(h);
    }
}

TEST(a_rate_above_one_two_paces_and_too_many_tasks_are_refused)
{
    struct err e;
    struct test_host *h = test_host_new(&generator_worker, "{\"failure_rate\":1.5}");
    CHECK_INT(test_host_open(h, &e), E_INVAL);
    CHECK_HAS(e.text, "failure_rate is 1.5");
    test_host_free(h);
    h = test_host_new(&generator_worker, "{\"lines_per_second\":5,\"log_delay_ms\":5}");
    CHECK_INT(test_host_open(h, &e), E_INVAL);
    CHECK_HAS(e.text, "cannot both be given");
    test_host_free(h);
    h = test_host_new(&generator_worker, "{\"child_count\":1000,\"recursion_depth\":16}");
    CHECK_INT(test_host_open(h, &e), E_INVAL);
    CHECK_HAS(e.text, "more than 1000000 tasks");
    test_host_free(h);
}
