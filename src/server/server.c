/* The happy path is: open everything -> ready -> run -> a signal -> drain -> close everything.
 *
 * Draining goes from the outside inwards: no new connections, viewers are told to come back,
 * waiting requests are answered, the engine stops its workers; when all that is done (or after
 * DRAIN_MS) the loop stops, the last batch is committed, and what is left is closed. */
#include "server/server.h"

#include <linux/close_range.h>
#include <malloc.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/mem.h"
#include "server/chronicle.h"
#include "server/guard.h"
#include "server/http.h"
#include "server/streams.h"
#include "server/viewer.h"
#include "server/waits.h"
#include "worker/environment.h"
#include "worker/shell.h"

enum {
    DRAIN_MS = 10000,
    DRAIN_LOOK_MS = 100,  /* are there still commands? */
    FILES_WANTED = 65536, /* open at once */
    OWN_FILES = 32,       /* of the store and the loop */
    LEAST_CONNECTIONS = 64,
    FEW_CONNECTIONS = 10000, /* fewer is worth a word */
};

/* ---- the turn of the loop ---- */

static void end_of_turn(struct server *s)
{
    chronicle_turn(s);
    writer_turn(s->writer);
    http_turn(s->http);
    viewers_turn(s->viewers);
    bool done =
        s->engine_stopped && http_pending(s->http) == 0 && viewers_count(s->viewers) == 0;
    if (s->draining && (done || s->impatient))
        uv_stop(&s->loop);
}

static void on_before_poll(uv_prepare_t *handle)
{
    end_of_turn(container_of(handle, struct server, before_poll));
}

static void on_after_poll(uv_check_t *handle)
{
    end_of_turn(container_of(handle, struct server, after_poll));
}

/* The hooks may run while the server could not be opened completely. */
static void on_closing(void *context, struct batch *b)
{
    struct server *s = context;
    if (s->engine)
        engine_on_closing(s->engine, b);
}

static void on_committed(void *context, const struct batch *b)
{
    struct server *s = context;
    if (s->feed)
        feed_publish(s->feed, b);
    if (s->waits)
        waits_publish(s->waits, b);
    if (s->retention)
        retention_committed(s->retention, b);
}

static void on_drained(void *context)
{
    struct server *s = context;
    if (s->engine)
        engine_on_drained(s->engine);
}

/* ---- draining ---- */

static void on_engine_stopped(void *arg)
{
    struct server *s = arg;
    s->engine_stopped = true;
}

static void on_patience(uv_timer_t *timer)
{
    struct server *s = container_of(timer, struct server, patience);
    if (shell_is_busy()) { /* each has its own time for that */
        (void)uv_timer_start(&s->patience, on_patience, DRAIN_LOOK_MS, 0);
        return;
    }
    log_warn("stopping without waiting any longer");
    s->impatient = true;
}

static void drain(struct server *s)
{
    supervisor_tell(&s->supervisor, "STOPPING=1");
    s->draining = true;
    chronicle_add(s, LEVEL_INFO, "stopping", s->instance, "the server is stopping");
    http_quiesce(s->http);
    waits_drain(s->waits);
    streams_drain(s->streams);
    retention_stop(s->retention);
    viewers_drain(s->viewers);
    webhooks_stop(s->webhooks);
    engine_stop(s->engine, on_engine_stopped, s);
    (void)uv_timer_start(&s->patience, on_patience, DRAIN_MS, 0);
}

static void on_signal(uv_signal_t *handle, int number)
{
    struct server *s = handle->data;
    if (s->draining) {
        shell_abandon();
        _exit(128 + number);
    }
    drain(s);
}

/* ---- opening ---- */

static void tell_ready(const struct server *s)
{
    AUTO_FREE char *state = mem_printf("READY=1\nSTATUS=%s", s->address);
    supervisor_tell(&s->supervisor, state);
}

/* Connections are files, and so are what commands write to. Commands have this limit, too, and
 * some programs close all files that there may be: where a process may have a thousand million,
 * they would be at it for minutes. Of few files one in three is for tasks. */
static void raise_file_limit(struct server *s)
{
    struct rlimit limit = {0};
    s->connections_max = LIMIT_CONNECTIONS; /* and task_files 0: no limit */
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return;
    limit.rlim_cur = MIN(limit.rlim_max, MAX(limit.rlim_cur, (rlim_t)FILES_WANTED));
    (void)setrlimit(RLIMIT_NOFILE, &limit);
    int files = (int)MIN(limit.rlim_cur, (rlim_t)INT32_MAX) - OWN_FILES;
    int connections = MIN(MAX(files - files / 3, LEAST_CONNECTIONS), LIMIT_CONNECTIONS);
    s->connections_max = (unsigned)connections;
    s->task_files = MAX(files - connections, MAX(files / 3, 1));
    if (connections < FEW_CONNECTIONS)
        log_warn("only %d connections and %d commands at once are possible: the limit of open "
                 "files is %llu",
                 connections, MAX(s->task_files / shell_worker.files, 1),
                 (unsigned long long)limit.rlim_cur);
}

/* Large blocks are mappings of their own, which go back whole when they are freed. By default
 * the C library moves the limit up to what was freed last, and blocks of a moment end between
 * those that stay: the heap of a busy server then grows for hours. */
static void heap_prepare(void)
{
    enum { LARGE = 128 * 1024 };
    (void)mallopt(M_MMAP_THRESHOLD, LARGE);
}

static void process_prepare(struct server *s)
{
    log_set_json(s->options->log_json);
    heap_prepare();
    (void)signal(SIGPIPE, SIG_IGN);
    (void)signal(SIGXFSZ, SIG_IGN); /* a limit of file size is a full disk like any other */
    raise_file_limit(s);
    /* what this process was started with is none of its commands' business */
    (void)close_range(STDERR_FILENO + 1, ~0u, CLOSE_RANGE_CLOEXEC);
}

static void warn_if_open(const char *address)
{
    struct str host = {0}, port;
    if (guard_split_address(str_of(address), &host, &port) && !guard_is_loopback(host))
        log_warn("listening on %s: everyone who can reach it can run commands as this user; "
                 "there is no sign-in yet",
                 address);
}

/* Commands whose server died in the middle of them: their tasks run again. */
static void kill_leftovers(const char *data)
{
    int count = shell_init(data);
    if (count)
        log_warn("killed %d process%s that commands of an earlier server had left behind",
                 count, count == 1 ? "" : "es");
}

static int open_definitions(struct server *s, struct err *e)
{
    AUTO_READER *reader = NULL;
    int r = store_read_begin(s->store, &reader, e);
    if (r >= 0)
        r = catalog_load_store(s->catalog, reader, e);
    if (r >= 0 && s->options->definitions)
        r = catalog_load_folder(s->catalog, s->options->definitions, e);
    return r;
}

static void on_schedule_told(void *arg, enum event_level level, const char *event,
                             const char *definition_id, const char *text)
{
    chronicle_add(arg, level, event, definition_id, "%s", text);
}

static void on_retention_told(void *arg, struct id job_id, const char *text)
{
    chronicle_add(arg, LEVEL_INFO, "job_deleted", ID_TEXT(job_id), "%s", text);
}

static void on_webhook_told(void *arg, enum event_level level, const char *event,
                            struct id job_id, const char *text)
{
    chronicle_add(arg, level, event, ID_TEXT(job_id), "%s", text);
}

/* What an earlier server decided comes before what the jobs that go on may add. */
static int open_webhooks(struct server *s, struct err *e)
{
    AUTO_READER *reader = NULL;
    s->webhooks = webhooks_new(s->engine, on_webhook_told, s);
    int r = store_read_begin(s->store, &reader, e);
    return r < 0 ? r : webhooks_load(s->webhooks, reader, e);
}

/* After the jobs that go on are known. */
static int open_schedules(struct server *s, struct err *e)
{
    AUTO_READER *reader = NULL;
    s->schedules = schedules_new(s->engine, s->catalog, s->writer, on_schedule_told, s);
    int r = store_read_begin(s->store, &reader, e);
    return r < 0 ? r : schedules_load(s->schedules, reader, e);
}

static void open_handles(struct server *s)
{
    ASSERT(uv_prepare_init(&s->loop, &s->before_poll) == 0);
    ASSERT(uv_check_init(&s->loop, &s->after_poll) == 0);
    ASSERT(uv_signal_init(&s->loop, &s->on_term) == 0);
    ASSERT(uv_signal_init(&s->loop, &s->on_int) == 0);
    ASSERT(uv_timer_init(&s->loop, &s->patience) == 0);
    supervisor_open(&s->supervisor, &s->loop);
    s->on_term.data = s->on_int.data = s;
    ASSERT(uv_prepare_start(&s->before_poll, on_before_poll) == 0);
    ASSERT(uv_check_start(&s->after_poll, on_after_poll) == 0);
    ASSERT(uv_signal_start(&s->on_term, on_signal, SIGTERM) == 0);
    ASSERT(uv_signal_start(&s->on_int, on_signal, SIGINT) == 0);
}

/* What fails here leaves the rest NULL; server_close() takes that. */
static int server_open(struct server *s, struct err *e)
{
    struct writer_hooks hooks = {s, on_closing, on_committed, on_drained};
    int r = http_listen(s->options->listen, &s->listen_fd, s->address, sizeof(s->address), e);
    if (r >= 0)
        r = store_open_sqlite(s->options->data, &s->store, e);
    if (r >= 0)
        r = writer_new(&s->loop, s->store, &hooks, &s->writer, e);
    if (r >= 0)
        r = feed_new(&s->loop, s->store, &s->feed, e);
    if (r < 0)
        return r;
    environment_set_server(s->address);
    s->waits = waits_new(&s->loop);
    s->streams = streams_new(s, s->options->heartbeat_ms);
    s->viewers = viewers_new(s, s->options->heartbeat_ms);
    s->catalog = catalog_new(s->writer);
    catalog_limit_pools(s->catalog, &s->options->pools);
    r = engine_new(&s->loop, s->store, s->writer, &s->engine, e);
    if (r < 0)
        return r;
    engine_catalog(s->engine, s->catalog, s->options->max_family);
    engine_limit(s->engine, s->options->max_jobs, &s->options->pools);
    engine_limit_files(s->engine, s->task_files);
    r = open_definitions(s, e);
    if (r >= 0)
        kill_leftovers(s->options->data);
    if (r >= 0)
        r = open_webhooks(s, e);
    if (r >= 0)
        r = space_new(s, s->options->min_free_bytes, &s->space, e);
    if (r >= 0)
        r = engine_recover(s->engine, e);
    if (r >= 0)
        r = open_schedules(s, e);
    if (r < 0)
        return r;
    s->retention =
        retention_new(s->engine, s->catalog, &s->options->keep, on_retention_told, s);
    int fd = s->listen_fd;
    s->listen_fd = -1;
    r = http_new(s, s->options->listen, fd, &s->http, e);
    if (r >= 0)
        open_handles(s);
    return r;
}

/* ---- closing ---- */

static void close_handles(struct server *s)
{
    uv_close((uv_handle_t *)&s->before_poll, NULL);
    uv_close((uv_handle_t *)&s->after_poll, NULL);
    uv_close((uv_handle_t *)&s->on_term, NULL);
    uv_close((uv_handle_t *)&s->on_int, NULL);
    uv_close((uv_handle_t *)&s->patience, NULL);
    supervisor_close(&s->supervisor);
}

/* What is durable is safe; what is still busy here cannot be closed, so the process just ends.
 */
static _Noreturn void give_up(const char *why)
{
    log_error("%s", why);
    shell_abandon();
    _exit(err_exit_status(E_IO));
}

/* Closes what was opened, also when not all of it was. Returns what became of the last batch.
 */
static int server_close(struct server *s, struct err *e)
{
    retention_stop(s->retention);
    int r = s->writer ? writer_stop(s->writer, e) : 0;
    if (s->draining && !s->engine_stopped)
        give_up("some tasks did not end; they run again with the next start");
    if (s->http && http_pending(s->http) > 0)
        give_up("some requests could not be answered"); /* their commit never came */
    if (s->http)
        http_stop(s->http);
    if (s->viewers)
        viewers_stop(s->viewers);
    if (s->waits)
        waits_stop(s->waits);
    if (s->streams)
        streams_stop(s->streams);
    if (s->feed)
        feed_stop(s->feed);
    if (s->before_poll.loop)
        close_handles(s);
    space_stop(s->space);
    schedules_free(s->schedules);
    webhooks_close(s->webhooks);
    engine_free(s->engine);
    (void)uv_run(&s->loop, UV_RUN_DEFAULT);
    retention_free(s->retention);
    space_free(s->space);
    catalog_free(s->catalog);
    http_free(s->http);
    viewers_free(s->viewers);
    waits_free(s->waits);
    streams_free(s->streams);
    feed_free(s->feed);
    writer_free(s->writer);
    store_close(s->store);
    if (s->listen_fd >= 0)
        (void)close(s->listen_fd);
    if (uv_loop_close(&s->loop) != 0)
        log_warn("something was still open at the end");
    return r;
}

int server_run(const struct server_options *options, void (*ready)(const char *address),
               struct err *e)
{
    struct server s = {.options = options, .listen_fd = -1, .started_at_us = clock_wall_us()};
    struct err close_err;
    process_prepare(&s);
    id_format(id_new(), s.instance);
    ASSERT(uv_loop_init(&s.loop) == 0);
    int r = server_open(&s, e);
    if (r >= 0) {
        warn_if_open(options->listen);
        chronicle_add(&s, LEVEL_INFO, "started", s.instance, "tailrace %s was started",
                      VERSION);
        ready(s.address);
        tell_ready(&s);
        (void)uv_run(&s.loop, UV_RUN_DEFAULT);
    }
    int closed = server_close(&s, r < 0 ? &close_err : e);
    return r < 0 ? r : closed;
}
