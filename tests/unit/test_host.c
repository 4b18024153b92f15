#include "test_host.h"

#include <stdlib.h>

#include "base/buf.h"
#include "base/mem.h"
#include "job/definition.h"
#include "test.h"

static struct test_host *host_of(struct worker_step *step)
{
    return container_of(step, struct test_host, step);
}

static void on_log(struct worker_step *step, struct worker_task *task, enum event_level level,
                   struct str message)
{
    struct test_host *h = host_of(step);
    MEM_GROW(h->lines, h->line_count, h->line_cap);
    h->lines[h->line_count++] = (struct test_line){task ? task->number : 0, level,
                                                   mem_copy(message.p, message.n), message.n};
    h->burst++;
    h->most_burst = MAX(h->most_burst, h->burst);
    if (h->on_line)
        h->on_line(h, &h->lines[h->line_count - 1]);
}

static void on_alive(struct worker_step *step, struct worker_task *task)
{
    struct test_host *h = host_of(step);
    (void)task;
    h->signs++;
    if (h->on_sign)
        h->on_sign(h);
}

static void on_companion(struct worker_task *task, enum event_level level, struct str message,
                         struct str members)
{
    (void)task, (void)level, (void)message, (void)members;
}

static int on_spawn(struct worker_step *step, struct str key, struct str payload, struct err *e)
{
    struct test_host *h = host_of(step);
    CHECK(key.n > 0 && payload.n == 0);
    for (size_t i = 0; i < h->task_count; i++)
        if (str_eq_c(key, h->tasks[i]->key))
            return fail(e, E_EXISTS, "there is a task %s already", h->tasks[i]->key);
    struct test_task *t = mem_alloc(sizeof(*t));
    t->key = mem_copy(key.p, key.n);
    t->task = (struct worker_task){.step = step,
                                   .id = id_new(),
                                   .number = (int64_t)h->task_count + 1,
                                   .attempt = 1,
                                   .key = t->key,
                                   .settings = h->step.settings,
                                   .payload = ""};
    MEM_GROW(h->tasks, h->task_count, h->task_cap);
    h->tasks[h->task_count++] = t;
    return 0;
}

static void on_keep(struct worker_task *task, const struct worker_document *document)
{
    (void)task, (void)document;
}

static void on_progress(struct worker_step *step, const char *text)
{
    struct test_host *h = host_of(step);
    free(h->progress);
    h->progress = mem_strdup(text);
}

static void on_stopping(struct worker_task *task, int64_t grace_ms)
{
    host_of(task->step)->grace_ms = grace_ms;
}

static void on_cost(struct worker_task *task, const struct cost *cost)
{
    cost_add(&host_of(task->step)->cost, cost);
}

static void on_done(struct worker_task *task, enum job_state outcome, const char *cause)
{
    struct test_host *h = host_of(task->step);
    struct test_task *t = container_of(task, struct test_task, task);
    CHECK(!h->in_start);
    CHECK_INT(t->outcome, JOB_RUNNING);
    CHECK((outcome == JOB_COMPLETED) == (cause == NULL));
    t->outcome = outcome;
    t->cause = mem_strdup(cause);
    h->running--;
}

static void on_catch_up(uv_timer_t *timer)
{
    struct test_host *h = container_of(timer, struct test_host, catch_up);
    h->burst = 0;
    if (h->running > 0)
        h->step.type->step_resume(&h->step);
}

static bool on_may_write(struct worker_step *step)
{
    struct test_host *h = host_of(step);
    if (h->pause_lines == 0 || h->burst < h->pause_lines)
        return true;
    if (!uv_is_active((uv_handle_t *)&h->catch_up)) {
        h->pauses++;
        CHECK_INT(uv_timer_start(&h->catch_up, on_catch_up, 1, 0), 0);
    }
    return false;
}

static int on_output(struct worker_task *task, struct str name, struct str value, struct err *e)
{
    struct test_host *h = host_of(task->step);
    (void)e;
    AUTO_FREE char *before = h->outputs;
    h->outputs =
        mem_printf("%s%.*s=%.*s\n", before ? before : "", STR_ARG(name), STR_ARG(value));
    return 0;
}

static const struct worker_host test_worker_host = {
    .log = on_log,
    .alive = on_alive,
    .companion = on_companion,
    .spawn = on_spawn,
    .keep = on_keep,
    .progress = on_progress,
    .stopping = on_stopping,
    .cost = on_cost,
    .done = on_done,
    .may_write = on_may_write,
    .output = on_output,
};

struct test_host *test_host_new(const struct worker_type *type, const char *config)
{
    const struct worker_schema *schemas[] = {type->schema, NULL};
    AUTO_FREE char *text = mem_printf("{\"id\":\"test\",\"name\":\"Test\",\"steps\":[{\"name\":"
                                      "\"one\",\"type\":\"%s\",\"config\":%s}]}",
                                      type->schema->type, config);
    struct definition_input in = {.text = str_of(text),
                                  .origin = "test",
                                  .format = DEFINITION_JSON,
                                  .schemas = schemas,
                                  .for_run = true};
    struct test_host *h = mem_alloc(sizeof(*h));
    struct err e;
    if (definition_parse(&in, &h->definition, &e) < 0)
        test_fail(__FILE__, __LINE__, "%s", e.text);
    CHECK_INT(uv_loop_init(&h->loop), 0);
    CHECK_INT(uv_timer_init(&h->loop, &h->catch_up), 0);
    h->step = (struct worker_step){
        .type = type,
        .host = &test_worker_host,
        .loop = &h->loop,
        .settings = h->definition->steps[0].settings,
        .name = "one",
        .job_id_text = "job-1",
        .step_id_text = "step-1",
        .concurrency = 1,
    };
    return h;
}

void test_host_free(struct test_host *h)
{
    uv_close((uv_handle_t *)&h->catch_up, NULL);
    CHECK_INT(uv_run(&h->loop, UV_RUN_DEFAULT), 0);
    CHECK_INT(uv_loop_close(&h->loop), 0); /* a handle that was forgotten is an error here */
    for (size_t i = 0; i < h->line_count; i++)
        free(h->lines[i].text);
    for (size_t i = 0; i < h->task_count; i++) {
        free(h->tasks[i]->key);
        free(h->tasks[i]->cause);
        free(h->tasks[i]);
    }
    free(h->lines);
    free(h->tasks);
    free(h->progress);
    free(h->outputs);
    definition_free(h->definition);
    free(h);
}

int test_host_open(struct test_host *h, struct err *e)
{
    return h->step.type->step_open ? h->step.type->step_open(&h->step, e) : 0;
}

static void tasks_start(struct test_host *h)
{
    for (size_t i = 0; i < h->task_count && h->running < h->step.concurrency; i++) {
        struct test_task *t = h->tasks[i];
        struct err e;
        if (t->outcome != JOB_PENDING)
            continue;
        t->outcome = JOB_RUNNING;
        h->running++;
        h->in_start = true;
        int r = h->step.type->task_start(&t->task, &e);
        h->in_start = false;
        if (r < 0) {
            h->running--;
            t->outcome = JOB_FAILED;
            text_copy(h->start_error, sizeof(h->start_error), e.text);
        }
    }
    h->most_running = MAX(h->most_running, h->running);
}

void test_host_run(struct test_host *h)
{
    struct err e;
    if (test_host_open(h, &e) < 0)
        test_fail(__FILE__, __LINE__, "%s", e.text);
    h->step.type->step_plan(&h->step);
    for (tasks_start(h); h->running > 0; tasks_start(h))
        if (!uv_run(&h->loop, UV_RUN_ONCE) && h->running > 0)
            test_fail(__FILE__, __LINE__, "a task has not ended, and nothing is under way");
    if (h->step.type->step_close)
        h->step.type->step_close(&h->step);
}

void test_host_stop(struct test_host *h)
{
    h->in_start = true; /* done() may not be called from inside task_stop() either */
    for (size_t i = 0; i < h->task_count; i++)
        if (h->tasks[i]->outcome == JOB_RUNNING)
            h->step.type->task_stop(&h->tasks[i]->task);
    h->in_start = false;
}

char *test_host_text(const struct test_host *h, enum event_level level)
{
    struct buf text = BUF_INIT(SIZE_MAX / 2);
    for (size_t i = 0; i < h->line_count; i++) {
        if (level != LEVEL_COUNT && h->lines[i].level != level)
            continue;
        if (text.n > 0)
            buf_add_byte(&text, '\n');
        buf_add(&text, h->lines[i].text, h->lines[i].n);
    }
    (void)buf_text(&text);
    return buf_take(&text);
}
