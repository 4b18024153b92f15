/* The happy path of a task: started, it spawns its children, then a tick of the loop writes a
 * slice of its lines, until all are written; then its handle is closed and done() is called.
 * Without a delay or a rate the ticks are those of an idle handle (every turn of the loop),
 * with one those of a timer. When the store is behind, a task stops ticking until
 * step_resume(). */
#include "worker/generator.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/list.h"
#include "base/mem.h"

enum {
    SLICE_LINES = 64, /* per task and turn: about 10 KB */
    TASKS_MAX = 1000000,
    LINES_PER_SECOND_MAX = 50000, /* a slice in each tick of a millisecond is more than that */
    LINE_MAX_BYTES = 8 * 1024,
};

struct generator {
    struct list makers;
    int64_t log_count, child_count, depth, line_bytes;
    int64_t per_second; /* lines of each task; 0: no rate */
    int64_t tick_ms;    /* 0: every turn of the loop */
    double failure_rate;
    int64_t lines_done, lines_total;
};

struct maker { /* a task that is writing */
    struct list link;
    struct worker_task *task;
    struct generator *generator;
    union {
        uv_handle_t any;
        uv_idle_t idle;
        uv_timer_t timer;
    } tick;
    uint64_t seed;
    int64_t written, begun_us;
    bool stopped, fails;
};

/* splitmix64's last part: spreads the bits of a counter evenly. */
static uint64_t bits_mix(uint64_t x)
{
    x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
    return x ^ (x >> 31);
}

static uint64_t key_seed(const char *key)
{
    uint64_t h = UINT64_C(0x9e3779b97f4a7c15);
    for (; *key; key++)
        h = bits_mix(h + (unsigned char)*key + UINT64_C(0x9e3779b97f4a7c15));
    return h;
}

static enum event_level line_level(const struct maker *m, uint64_t chance)
{
    if (m->fails && m->written + 1 == m->generator->log_count)
        return LEVEL_ERROR;
    uint64_t percent = chance % 100;
    return percent < 3 ? LEVEL_WARN : percent < 12 ? LEVEL_DEBUG : LEVEL_INFO;
}

static void work_add(struct buf *text, uint64_t chance)
{
    static const char *const verbs[] = {"read",   "checked", "merged",
                                        "sorted", "packed",  "sent"};
    static const char *const goods[] = {"a block of records", "the index of a shelf",
                                        "one page of the ledger", "a crate of samples",
                                        "the letters of a day"};
    static const char *const places[] = {
        "from the warehouse by the river", "of the northern branch office",
        "between the two halves of the archive", "in the order in which they had arrived"};
    buf_printf(text, "%s %s %s", verbs[(chance >> 8) % ARRAY_LEN(verbs)],
               goods[(chance >> 16) % ARRAY_LEN(goods)],
               places[(chance >> 24) % ARRAY_LEN(places)]);
}

/* 100 to 170 bytes: as long as lines of real programs are. Or as many as it is told: cut, or
 * with more of the same. */
static void maker_write_line(struct maker *m)
{
    const struct generator *g = m->generator;
    uint64_t chance = bits_mix(m->seed + (uint64_t)m->written);
    enum event_level level = line_level(m, chance);
    AUTO_BUF text = BUF_INIT(LINE_MAX_BYTES);
    buf_add_c(&text, m->task->key);
    if (m->task->attempt > 1)
        buf_printf(&text, " attempt %d", m->task->attempt);
    buf_printf(&text, " line %lld/%lld: %s", (long long)m->written + 1, (long long)g->log_count,
               level == LEVEL_ERROR ? "failed when it had " : "");
    work_add(&text, chance);
    buf_printf(&text, ", %u items in %u.%u ms, batch %08x", (unsigned)(chance >> 32) % 9000,
               (unsigned)(chance >> 40) % 400, (unsigned)(chance >> 50) % 10,
               (unsigned)(chance >> 32));
    while ((int64_t)text.n < g->line_bytes) {
        buf_add_c(&text, ", then ");
        work_add(&text, chance = bits_mix(chance));
    }
    if (g->line_bytes)
        text.n = (size_t)g->line_bytes;
    m->task->step->host->log(m->task->step, m->task, level, buf_str(&text));
    m->written++;
}

static void on_maker_close(uv_handle_t *handle)
{
    struct maker *m = container_of(handle, struct maker, tick.any);
    struct worker_task *task = m->task;
    enum job_state outcome = m->stopped ? JOB_CANCELLED : m->fails ? JOB_FAILED : JOB_COMPLETED;
    list_remove(&m->link);
    task->state = NULL;
    free(m);
    task->step->host->done(task, outcome,
                           outcome == JOB_FAILED      ? "failed on purpose (failure_rate)"
                           : outcome == JOB_CANCELLED ? "the task was stopped"
                                                      : NULL);
}

/* How many lines this tick may write. One that is late makes up for it. */
static int64_t maker_slice(const struct maker *m)
{
    const struct generator *g = m->generator;
    if (!g->per_second)
        return g->tick_ms > 0 ? 1 : SLICE_LINES;
    int64_t due = (clock_mono_us() - m->begun_us) * g->per_second / 1000000;
    return MIN(due - m->written, SLICE_LINES);
}

/* The only place that decides how a task goes on. */
static void maker_tick(struct maker *m)
{
    struct worker_step *step = m->task->step;
    struct generator *g = m->generator;
    int64_t slice = maker_slice(m);
    for (int64_t i = 0; i < slice && !m->stopped && m->written < g->log_count; i++) {
        maker_write_line(m);
        g->lines_done++;
    }
    char text[64];
    (void)snprintf(text, sizeof(text), "%lld/%lld lines", (long long)g->lines_done,
                   (long long)g->lines_total);
    step->host->progress(step, text);
    if (m->stopped) /* task_stop() closes */
        return;
    if (m->written == g->log_count) {
        uv_close(&m->tick.any, on_maker_close);
    } else if (!step->host->may_write(step)) {
        (void)(g->tick_ms > 0 ? uv_timer_stop(&m->tick.timer) : uv_idle_stop(&m->tick.idle));
    }
}

static void on_idle(uv_idle_t *idle)
{
    maker_tick(container_of(idle, struct maker, tick.idle));
}

static void on_timer(uv_timer_t *timer)
{
    maker_tick(container_of(timer, struct maker, tick.timer));
}

static void maker_go(struct maker *m)
{
    if (uv_is_closing(&m->tick.any) || uv_is_active(&m->tick.any))
        return;
    uint64_t ms = (uint64_t)m->generator->tick_ms;
    (void)(ms > 0 ? uv_timer_start(&m->tick.timer, on_timer, ms, ms)
                  : uv_idle_start(&m->tick.idle, on_idle));
}

static int generation_of(const char *key)
{
    int dots = 0;
    for (; *key; key++)
        dots += *key == '.';
    return dots;
}

static int children_spawn(struct worker_task *task, struct err *e)
{
    const struct generator *g = task->step->state;
    if (generation_of(task->key) >= g->depth)
        return 0;
    for (int64_t i = 1; i <= g->child_count; i++) {
        AUTO_FREE char *key = mem_printf("%s.%lld", task->key, (long long)i);
        int r = task->step->host->spawn(task->step, str_of(key), STR(""), e);
        if (r < 0 && r != E_EXISTS) /* there already: this is a further attempt */
            return r;
    }
    return 0;
}

static int generator_task_start(struct worker_task *task, struct err *e)
{
    struct generator *g = task->step->state;
    int r = children_spawn(task, e);
    if (r < 0)
        return r;
    struct maker *m = mem_alloc(sizeof(*m));
    m->task = task;
    m->generator = g;
    m->seed = key_seed(task->key);
    m->fails = (double)(bits_mix(m->seed) >> 11) < g->failure_rate * 0x1p53;
    m->begun_us = clock_mono_us();
    ASSERT((g->tick_ms > 0 ? uv_timer_init(task->step->loop, &m->tick.timer)
                           : uv_idle_init(task->step->loop, &m->tick.idle)) == 0);
    list_add(&g->makers, &m->link);
    task->state = m;
    maker_go(m);
    return 0;
}

static void generator_task_stop(struct worker_task *task)
{
    struct maker *m = task->state;
    if (m->stopped || uv_is_closing(&m->tick.any))
        return;
    m->stopped = true;
    uv_close(&m->tick.any, on_maker_close);
}

static void generator_step_resume(struct worker_step *step)
{
    struct generator *g = step->state;
    LIST_EACH (&g->makers, struct maker, link, m)
        maker_go(m);
}

/* How many tasks there will be with all generations; TASKS_MAX + 1 when more than allowed. */
static int64_t tasks_total(int64_t workers, int64_t children, int64_t depth)
{
    int64_t total = 0, generation = workers;
    for (int64_t i = 0; i <= depth && generation > 0; i++) {
        total += generation;
        if (total > TASKS_MAX)
            return TASKS_MAX + 1;
        generation *= children;
    }
    return total;
}

static int generator_step_open(struct worker_step *step, struct err *e)
{
    const struct settings *s = step->settings;
    double rate = settings_number(s, "failure_rate");
    if (!(rate >= 0 && rate <= 1))
        return fail_field(e, E_INVAL, "failure_rate",
                          "failure_rate is %g, expected a share from 0 to 1", rate);
    int64_t tasks = tasks_total(settings_int(s, "worker_count"), settings_int(s, "child_count"),
                                settings_int(s, "recursion_depth"));
    if (tasks > TASKS_MAX)
        return fail_field(e, E_INVAL, "recursion_depth",
                          "worker_count, child_count and recursion_depth ask for more than %d "
                          "tasks",
                          TASKS_MAX);
    int64_t per_second = settings_int(s, "lines_per_second");
    int64_t delay_ms = settings_int(s, "log_delay_ms");
    if (per_second && delay_ms)
        return fail_field(e, E_INVAL, "lines_per_second",
                          "lines_per_second and log_delay_ms cannot both be given");
    struct generator *g = mem_alloc(sizeof(*g));
    list_init(&g->makers);
    g->log_count = settings_int(s, "log_count");
    g->line_bytes = settings_int(s, "line_bytes");
    g->per_second = per_second;
    g->tick_ms = per_second ? MAX(1000 / per_second, 1) : delay_ms;
    g->child_count = settings_int(s, "child_count");
    g->depth = settings_int(s, "recursion_depth");
    g->failure_rate = rate;
    g->lines_total = tasks * g->log_count;
    step->concurrency = (int)settings_int(s, "concurrency");
    step->state = g;
    return 0;
}

static void generator_step_known(struct worker_step *step, const char *key, const char *payload,
                                 enum job_state status)
{
    struct generator *g = step->state;
    (void)key, (void)payload;
    if (status == JOB_COMPLETED || status == JOB_FAILED)
        g->lines_done += g->log_count;
}

static void generator_step_plan(struct worker_step *step)
{
    for (int64_t i = 1; i <= settings_int(step->settings, "worker_count"); i++) {
        AUTO_FREE char *key = mem_printf("worker-%lld", (long long)i);
        (void)step->host->spawn(step, str_of(key), STR(""), NULL);
    }
}

static void generator_step_close(struct worker_step *step)
{
    struct generator *g = step->state;
    ASSERT(list_is_empty(&g->makers));
    free(g);
    step->state = NULL;
}

static const struct setting_spec generator_settings[] = {
    {.name = "worker_count",
     .kind = SETTING_INT,
     .min = 1,
     .max = 100000,
     .fallback = "1",
     .help = "tasks at the beginning"},
    {.name = "log_count",
     .kind = SETTING_INT,
     .min = 0,
     .max = 10000000,
     .fallback = "10",
     .help = "lines of each task"},
    {.name = "log_delay_ms",
     .kind = SETTING_INT,
     .min = 0,
     .max = 3600000,
     .fallback = "0",
     .help = "milliseconds before each line; 0: as fast as they can be stored"},
    {.name = "lines_per_second",
     .kind = SETTING_INT,
     .min = 0,
     .max = LINES_PER_SECOND_MAX,
     .fallback = "0",
     .help = "a steady rate for each task instead; 0: none"},
    {.name = "line_bytes",
     .kind = SETTING_INT,
     .min = 0,
     .max = LINE_MAX_BYTES / 2,
     .fallback = "0",
     .help = "length of each line; 0: as they come, 100 to 170"},
    {.name = "failure_rate",
     .kind = SETTING_NUMBER,
     .fallback = "0",
     .help = "share of the tasks that fail, 0 to 1"},
    {.name = "child_count",
     .kind = SETTING_INT,
     .min = 0,
     .max = 1000,
     .fallback = "0",
     .help = "tasks that each task adds"},
    {.name = "recursion_depth",
     .kind = SETTING_INT,
     .min = 0,
     .max = 16,
     .fallback = "0",
     .help = "generations of added tasks"},
    {.name = "concurrency",
     .kind = SETTING_INT,
     .min = 1,
     .max = 1000,
     .fallback = "4",
     .help = "tasks that run at once"},
    {0},
};

static const struct worker_schema generator_schema = {
    .type = "generator",
    .help = "makes lines, for demos, tests and load",
    .settings = generator_settings,
};

const struct worker_type generator_worker = {
    .schema = &generator_schema,
    .step_open = generator_step_open,
    .step_known = generator_step_known,
    .step_plan = generator_step_plan,
    .task_start = generator_task_start,
    .task_stop = generator_task_stop,
    .step_resume = generator_step_resume,
    .step_close = generator_step_close,
};
