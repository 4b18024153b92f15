#include "crawl_world.h"

#include <arpa/inet.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/list.h"
#include "base/map.h"
#include "base/mem.h"
#include "job/definition.h"
#include "test.h"
#include "worker/crawler/crawler.h"

bool (*world_turn)(struct world *w);

struct queued {
    struct list link;
    struct worker_task task;
    bool stopped;
};

struct world {
    struct definition *definition;
    uv_loop_t loop;
    struct worker_step step;
    struct list queue, running;
    struct map keys;
    struct buf log, documents, companions, ends, progress;
    int tasks, running_count, running_most;
    bool known, stopping, hold, inside;
};

static struct world *world_of(struct worker_step *s)
{
    return container_of(s, struct world, step);
}

static void on_log(struct worker_step *s, struct worker_task *task, enum event_level level,
                   struct str message)
{
    (void)task;
    CHECK(!memchr(message.p, '\n', message.n));
    buf_printf(&world_of(s)->log, "%s: %.*s\n", event_level_name(level), STR_ARG(message));
}

static void on_alive(struct worker_step *step, struct worker_task *task)
{
    (void)step, (void)task;
}

static void on_companion(struct worker_task *task, enum event_level level, struct str message,
                         struct str members)
{
    (void)level;
    buf_printf(&world_of(task->step)->companions, "{%.*s} %.*s\n", STR_ARG(members),
               STR_ARG(message));
}

static int on_spawn(struct worker_step *s, struct str key, struct str payload, struct err *e)
{
    struct world *w = world_of(s);
    if (map_get(&w->keys, key))
        return fail(e, E_EXISTS, "there is a task '%.*s' already", STR_ARG(key));
    struct queued *q = mem_alloc(sizeof(*q));
    map_set(&w->keys, key, q);
    q->task = (struct worker_task){.step = s, .number = ++w->tasks, .attempt = 1};
    q->task.key = mem_copy(key.p, key.n);
    q->task.payload = mem_copy(payload.p, payload.n);
    list_add(&w->queue, &q->link);
    return 0;
}

static void on_keep(struct worker_task *task, const struct worker_document *d)
{
    buf_printf(&world_of(task->step)->documents, "%s|%s|%s|%s|%.*s\n", d->url, d->title,
               d->published, d->markdown, STR_ARG(d->metadata));
}

static void on_progress(struct worker_step *s, const char *text)
{
    buf_clear(&world_of(s)->progress);
    buf_add_c(&world_of(s)->progress, text);
}

static void on_done(struct worker_task *task, enum job_state outcome, const char *cause)
{
    struct queued *q = container_of(task, struct queued, task);
    struct world *w = world_of(task->step);
    CHECK(!w->inside); /* never inside task_start() or task_stop() */
    CHECK((outcome == JOB_COMPLETED) == (cause == NULL));
    buf_printf(&w->ends, "%s %s%s%s\n", job_state_name(outcome), task->key, cause ? " " : "",
               cause ? cause : "");
    list_remove(&q->link);
    w->running_count--;
    memset((char *)(uintptr_t)task->key, '!',
           strlen(task->key)); /* whoever reads it is wrong */
    free((char *)(uintptr_t)task->key);
    free((char *)(uintptr_t)task->payload);
    free(q);
}

static bool on_may_write(struct worker_step *s)
{
    return !world_of(s)->hold;
}

static const struct worker_host host = {
    .log = on_log,
    .alive = on_alive,
    .companion = on_companion,
    .spawn = on_spawn,
    .keep = on_keep,
    .progress = on_progress,
    .done = on_done,
    .may_write = on_may_write,
};

struct world *world_new(const char *config)
{
    AUTO_BUF text = BUF_INIT(1 << 16);
    buf_printf(&text,
               "id: t\nname: t\nsteps:\n  - name: s\n    type: crawler\n    config:\n%s\n",
               config);
    static const struct worker_schema *schemas[2];
    schemas[0] = crawler_worker.schema;
    struct definition_input in = {.text = buf_str(&text),
                                  .origin = "test",
                                  .format = DEFINITION_YAML,
                                  .schemas = schemas,
                                  .for_run = true};
    struct world *w = mem_alloc(sizeof(*w));
    struct err e = {0};
    if (definition_parse(&in, &w->definition, &e) < 0)
        test_fail(__FILE__, __LINE__, "%s", e.text);
    w->log = w->documents = w->companions = w->ends = w->progress =
        (struct buf)BUF_INIT(64 << 20);
    list_init(&w->queue);
    list_init(&w->running);
    CHECK(uv_loop_init(&w->loop) == 0);
    w->step = (struct worker_step){.type = &crawler_worker,
                                   .host = &host,
                                   .loop = &w->loop,
                                   .settings = w->definition->steps[0].settings,
                                   .name = "s",
                                   .concurrency = 1};
    return w;
}

struct known {
    char *key, *payload;
    enum job_state status;
};
static struct known knowns[64];
static int known_count;

void world_known(struct world *w, const char *key, const char *payload, enum job_state status)
{
    w->known = true;
    knowns[known_count++] = (struct known){mem_strdup(key), mem_strdup(payload), status};
}

static void knowns_tell(struct world *w)
{
    for (int i = 0; i < known_count; i++) {
        struct known *k = &knowns[i];
        crawler_worker.step_known(&w->step, k->key, k->payload, k->status);
        if (job_state_is_final(k->status))
            map_set(&w->keys, str_of(k->key), w);
        else
            CHECK_INT(on_spawn(&w->step, str_of(k->key), str_of(k->payload), NULL), 0);
        free(k->key);
        free(k->payload);
    }
}

static void queue_start(struct world *w)
{
    while (!w->stopping && w->running_count < w->step.concurrency &&
           !list_is_empty(&w->queue)) {
        struct queued *q = LIST_FIRST(&w->queue, struct queued, link);
        struct err e = {0};
        list_remove(&q->link);
        list_add(&w->running, &q->link);
        w->running_count++;
        w->running_most = MAX(w->running_most, w->running_count);
        w->inside = true;
        CHECK_INT(crawler_worker.task_start(&q->task, &e), 0);
        w->inside = false;
    }
}

int world_run(struct world *w)
{
    struct err e = {0};
    int r = crawler_worker.step_open(&w->step, &e);
    if (r < 0) {
        buf_add_c(&w->log, e.text);
        uv_run(&w->loop, UV_RUN_DEFAULT);
        return r;
    }
    knowns_tell(w);
    if (!w->known)
        crawler_worker.step_plan(&w->step);
    for (queue_start(w); w->running_count; queue_start(w)) {
        if (world_turn && !world_turn(w))
            world_turn = NULL;
        uv_run(&w->loop, UV_RUN_ONCE);
    }
    crawler_worker.step_close(&w->step);
    uv_run(&w->loop, UV_RUN_DEFAULT);
    return 0;
}

void world_stop_all(struct world *w)
{
    w->stopping = true;
    w->inside = true;
    LIST_EACH (&w->running, struct queued, link, q) {
        crawler_worker.task_stop(&q->task);
    }
    w->inside = false;
}

void world_hold(struct world *w, bool hold)
{
    w->hold = hold;
    if (!hold)
        crawler_worker.step_resume(&w->step);
}

const char *world_log(struct world *w)
{
    return buf_text(&w->log);
}

const char *world_documents(struct world *w)
{
    return buf_text(&w->documents);
}

const char *world_companions(struct world *w)
{
    return buf_text(&w->companions);
}

const char *world_ends(struct world *w)
{
    return buf_text(&w->ends);
}

const char *world_progress(struct world *w)
{
    return buf_text(&w->progress);
}

int world_count(struct world *w, const char *part)
{
    int n = 0;
    for (const char *p = buf_text(&w->log); (p = strstr(p, part)); p++)
        n++;
    return n;
}

uv_loop_t *world_loop(struct world *w)
{
    return &w->loop;
}

int world_tasks(struct world *w)
{
    return w->tasks;
}

int world_running_most(struct world *w)
{
    return w->running_most;
}

void world_free(struct world *w)
{
    LIST_EACH (&w->queue, struct queued, link, q) {
        free((char *)(uintptr_t)q->task.key);
        free((char *)(uintptr_t)q->task.payload);
        free(q);
    }
    CHECK_INT(uv_loop_close(&w->loop), 0); /* no handle was left open */
    definition_free(w->definition);
    map_done(&w->keys);
    buf_done(&w->log);
    buf_done(&w->documents);
    buf_done(&w->companions);
    buf_done(&w->ends);
    buf_done(&w->progress);
    free(w);
}

static int listen_any(int *ret_port)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t n = sizeof(a);
    CHECK(fd >= 0 && bind(fd, (struct sockaddr *)&a, n) == 0 && listen(fd, 64) == 0);
    CHECK(getsockname(fd, (struct sockaddr *)&a, &n) == 0);
    *ret_port = ntohs(a.sin_port);
    return fd;
}

_Noreturn void site_serve(int fd, int port); /* crawler_site.c */
void site_share(void);

static bool child_begin(void)
{
    if (fork() != 0)
        return false;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    return true;
}

int site_start(void)
{
    int port, fd = listen_any(&port);
    site_share();
    if (child_begin())
        site_serve(fd, port);
    close(fd);
    return port;
}

int garbage_start(const char *answer, bool then_close)
{
    int port, fd = listen_any(&port);
    if (!child_begin()) {
        close(fd);
        return port;
    }
    for (;;) {
        char request[4096];
        int client = accept(fd, NULL, NULL);
        (void)!read(client, request, sizeof(request));
        (void)!write(client, answer, strlen(answer));
        if (then_close)
            close(client);
    }
}
