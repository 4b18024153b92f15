/* The happy path of a command: spawned in its own session, its two pipes are read line by line,
 * it exits, nobody of its group is left, a look at /proc finds no escaped descendant, both
 * pipes are at their end, the handles are closed, done().
 *
 *     COMMAND   the shell runs                       → it exited
 *     REST      the rest of its group may end        → nobody is left, or the time is over
 *     SWEEP     on the pool: kill escaped ones       → there are none, or it came back
 *     DRAIN     read what is in the pipes            → both have nothing more
 *     CLOSE     handles close                        → done(), freed
 *
 * Stopping only sends signals; the end comes by the same road. A descendant that got away all
 * the same (by clearing its environment) cannot keep a task alive by holding a pipe: DRAIN
 * reads what was in the pipe when it began, no more.
 *
 * The pipes are pipes and not the socket pairs that libuv makes: a socket cannot be opened as
 * /dev/stdout, and scripts do that. */
#include "worker/shell.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/fault.h"
#include "base/limits.h"
#include "base/list.h"
#include "base/mem.h"
#include "worker/child.h"
#include "worker/environment.h"
#include "worker/orphan.h"

enum {
    STOP_GRACE_MS = 5000, /* between SIGTERM and SIGKILL */
    REST_GRACE_MS = 250,  /* for background processes to end with the shell, as `tee` does */
    REST_CHECK_MS = 20,
    READ_BYTES = 64 * 1024,
    GATHER_BYTES = 16 * LIMIT_LINE_BYTES, /* a longer line is handed on in pieces */
    KEY_BYTES = 120,
    PROGRESS_EVERY_MS = 50,
};

enum run_phase { RUN_COMMAND, RUN_REST, RUN_SWEEP, RUN_DRAIN, RUN_CLOSE };

struct stream {
    struct run *run;
    uv_pipe_t pipe;
    enum event_level level;
    struct buf line;      /* what came since the last newline */
    uint64_t progress_ms; /* uv_now() when the newest progress was told */
    bool ended;           /* nothing more will be read */
    int64_t to_drain;     /* bytes still to be read, from DRAIN on */
};

struct run {
    struct list link; /* in `runs` */
    struct worker_task *task;
    enum run_phase phase;
    struct child child;
    pid_t group; /* 0: it could not be started */
    int exit_status, term_signal;
    bool exited, stopped, swept;
    struct stream streams[2];
    uv_timer_t timer;
    uint64_t rest_until_ms; /* uv_now() */
    uv_work_t sweep_work;
    struct orphan_sweep sweep;
    char marker[sizeof("TAILRACE_TASK=") + ID_TEXT_LEN];
    int handles; /* not yet closed */
};

static struct list runs = {&runs, &runs}; /* all commands there are */
static char *data_marker;                 /* "TAILRACE_COMMAND_OF=<folder>", or NULL */

static void run_advance(struct run *run);

/* ---- lines ---- */

static void stream_line(struct stream *s, struct str line)
{
    if (line.n > 0 && line.p[line.n - 1] == '\r')
        line.n--;
    struct worker_task *task = s->run->task;
    task->step->host->log(task->step, task, s->level, line);
}

/* Keeps the beginning of a line until the rest comes. A line that never ends must not fill the
 * memory: it is handed on in pieces, the later ones marked. */
static void stream_gather(struct stream *s, struct str part)
{
    while (part.n > 0) {
        size_t n = MIN(part.n, GATHER_BYTES - s->line.n);
        buf_add(&s->line, part.p, n);
        part.p += n;
        part.n -= n;
        if (s->line.n == GATHER_BYTES) {
            size_t whole = utf8_cut(buf_str(&s->line), GATHER_BYTES - 1);
            stream_line(s, (struct str){s->line.p, whole});
            AUTO_FREE char *rest = mem_copy(s->line.p + whole, s->line.n - whole);
            size_t rest_n = s->line.n - whole;
            buf_clear(&s->line);
            buf_add_c(&s->line, "…");
            buf_add(&s->line, rest, rest_n);
        }
    }
}

/* Programs show progress by writing over a line: "41 %\r42 %\r". Such a text is a line that
 * ends with the carriage return, as soon as something else than a newline follows it. They come
 * fast, and only the newest matters: those between are left out. */
static void stream_progress(struct stream *s)
{
    struct str text = buf_str(&s->line);
    const char *last = text.n ? memrchr(text.p, '\r', text.n - 1) : NULL;
    if (!last)
        return;
    const char *before = memrchr(text.p, '\r', (size_t)(last - text.p));
    const char *from = before ? before + 1 : text.p;
    struct worker_task *task = s->run->task;
    uint64_t now_ms = uv_now(task->step->loop);
    if (now_ms - s->progress_ms >= PROGRESS_EVERY_MS) {
        s->progress_ms = now_ms;
        task->step->host->log(task->step, task, s->level,
                              (struct str){from, (size_t)(last + 1 - from)});
    }
    size_t rest_n = text.n - (size_t)(last + 1 - text.p);
    AUTO_FREE char *rest = mem_copy(last + 1, rest_n);
    buf_clear(&s->line);
    buf_add(&s->line, rest, rest_n);
}

static void stream_text(struct stream *s, struct str text)
{
    while (text.n > 0) {
        const char *newline = memchr(text.p, '\n', text.n);
        struct str part = {text.p, newline ? (size_t)(newline - text.p) : text.n};
        text.p += part.n + (newline ? 1 : 0);
        text.n -= part.n + (newline ? 1 : 0);
        if (newline && s->line.n == 0 && part.n < GATHER_BYTES) {
            stream_line(s, part); /* whole in one read, as most are: no copy */
            continue;
        }
        stream_gather(s, part);
        if (newline) {
            stream_line(s, buf_str(&s->line));
            buf_clear(&s->line);
        }
    }
    stream_progress(s);
}

static void stream_end(struct stream *s)
{
    if (s->ended)
        return;
    s->ended = true;
    (void)uv_read_stop((uv_stream_t *)&s->pipe);
    if (s->line.n > 0)
        stream_line(s, buf_str(&s->line));
    buf_done(&s->line);
}

static void on_pipe_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
    static char bytes[READ_BYTES]; /* read and used up within one callback, on one thread */
    (void)handle, (void)suggested;
    *buf = uv_buf_init(bytes, sizeof(bytes));
}

static void on_pipe_read(uv_stream_t *pipe, ssize_t n, const uv_buf_t *buf)
{
    struct stream *s = container_of((uv_pipe_t *)pipe, struct stream, pipe);
    struct run *run = s->run;
    if (n > 0) {
        stream_text(s, (struct str){buf->base, (size_t)n});
        s->to_drain -= n;
    }
    if (n < 0 || (run->phase == RUN_DRAIN && s->to_drain <= 0))
        stream_end(s);
    struct worker_step *step = run->task->step;
    if (run->phase < RUN_DRAIN && !step->host->may_write(step))
        for (int i = 0; i < 2; i++)
            (void)uv_read_stop((uv_stream_t *)&run->streams[i].pipe);
    run_advance(run);
}

static void run_read(struct run *run)
{
    for (int i = 0; i < 2; i++) {
        struct stream *s = &run->streams[i];
        int r =
            s->ended ? 0 : uv_read_start((uv_stream_t *)&s->pipe, on_pipe_alloc, on_pipe_read);
        ASSERT(r == 0 || r == UV_EALREADY);
    }
}

/* ---- the end ---- */

/* Orphans of the group that this process adopted must be reaped, or they count as members. */
static bool run_has_rest(const struct run *run)
{
    while (waitpid(-run->group, NULL, WNOHANG) > 0)
        ;
    return kill(-run->group, 0) == 0 || errno == EPERM;
}

static void on_rest_timer(uv_timer_t *timer)
{
    run_advance(container_of(timer, struct run, timer));
}

static void on_sweep_work(uv_work_t *work)
{
    struct run *run = container_of(work, struct run, sweep_work);
    orphan_sweep(run->marker, &run->sweep);
}

static bool pid_is_run(pid_t pid)
{
    LIST_EACH (&runs, struct run, link, run)
        if (run->group == pid)
            return true;
    return false;
}

static void on_sweep_after(uv_work_t *work, int status)
{
    struct run *run = container_of(work, struct run, sweep_work);
    (void)status;
    for (int i = 0; i < run->sweep.zombie_count; i++)
        if (!pid_is_run(run->sweep.zombies[i])) /* those are libuv's to reap */
            (void)waitpid(run->sweep.zombies[i], NULL, WNOHANG);
    if (run->sweep.stubborn)
        worker_log(run->task->step, run->task, LEVEL_WARN,
                   "process %ld of this command does not end, not even by SIGKILL",
                   (long)run->sweep.stubborn);
    orphan_sweep_done(&run->sweep);
    run->swept = true;
    run_advance(run);
}

/* From here on only what is in the pipes already counts. That is little, so it is read even
 * when the store is behind: a server that stops does not wait for the disk. */
static void run_drain(struct run *run)
{
    for (int i = 0; i < 2; i++) {
        struct stream *s = &run->streams[i];
        int fd, waiting = 0;
        if (s->ended)
            continue;
        if (uv_fileno((uv_handle_t *)&s->pipe, &fd) < 0 || ioctl(fd, FIONREAD, &waiting) < 0)
            waiting = 0;
        s->to_drain = waiting;
        if (waiting == 0)
            stream_end(s);
    }
    run_read(run);
}

static void run_done(struct run *run)
{
    struct worker_task *task = run->task;
    const struct worker_host *host = task->step->host;
    char cause[96] = "";
    enum job_state outcome = JOB_FAILED;
    if (run->stopped) {
        outcome = JOB_CANCELLED;
        (void)snprintf(cause, sizeof(cause), "the command was stopped");
    } else if (run->term_signal) {
        (void)snprintf(cause, sizeof(cause), "killed by signal %d (%s)", run->term_signal,
                       strsignal(run->term_signal));
    } else if (run->exit_status != 0) {
        (void)snprintf(cause, sizeof(cause), "exit code %d", run->exit_status);
    } else {
        outcome = JOB_COMPLETED;
    }
    task->state = task->step->state = NULL;
    free(run);
    host->done(task, outcome, cause[0] ? cause : NULL);
}

static void run_closed(struct run *run)
{
    if (--run->handles > 0)
        return;
    list_remove(&run->link);
    if (run->phase == RUN_CLOSE)
        run_done(run);
    else
        free(run); /* it never started; the engine knows from task_start() */
}

static void on_run_close(uv_handle_t *handle)
{
    run_closed(handle->data);
}

static void on_child_close(struct child *child)
{
    run_closed(container_of(child, struct run, child));
}

static void run_close(struct run *run)
{
    uv_handle_t *handles[] = {(uv_handle_t *)&run->timer, (uv_handle_t *)&run->streams[0].pipe,
                              (uv_handle_t *)&run->streams[1].pipe};
    run->handles = (int)ARRAY_LEN(handles);
    for (size_t i = 0; i < ARRAY_LEN(handles); i++) {
        handles[i]->data = run;
        uv_close(handles[i], on_run_close);
    }
    if (run->group) {
        run->handles++;
        child_close(&run->child, on_child_close);
    }
}

static void run_advance(struct run *run)
{
    uv_loop_t *loop = run->timer.loop;
    switch (run->phase) {
    case RUN_COMMAND:
        if (!run->exited)
            return;
        if (!run->stopped)
            run->rest_until_ms = uv_now(loop) + REST_GRACE_MS;
        run->phase = RUN_REST;
        __attribute__((fallthrough));
    case RUN_REST:
        if (run_has_rest(run)) {
            if (uv_now(loop) < run->rest_until_ms) {
                (void)uv_timer_start(&run->timer, on_rest_timer, REST_CHECK_MS, 0);
                return;
            }
            (void)kill(-run->group, SIGKILL);
        }
        (void)uv_timer_stop(&run->timer);
        run->phase = RUN_SWEEP;
        run->swept = !child_strangers();
        if (!run->swept)
            ASSERT(uv_queue_work(loop, &run->sweep_work, on_sweep_work, on_sweep_after) == 0);
        __attribute__((fallthrough));
    case RUN_SWEEP:
        if (!run->swept)
            return;
        FAULT_KILLS(WORKER_SHELL_SWEPT);
        (void)run_has_rest(run); /* reaps */
        run->phase = RUN_DRAIN;
        run_drain(run);
        __attribute__((fallthrough));
    case RUN_DRAIN:
        if (!run->streams[0].ended || !run->streams[1].ended)
            return;
        run->phase = RUN_CLOSE;
        run_close(run);
        return;
    case RUN_CLOSE:
        return;
    }
}

/* ---- the beginning ---- */

static void on_child_exit(struct child *child, int status, const struct rusage *used)
{
    struct run *run = container_of(child, struct run, child);
    (void)used;
    FAULT_KILLS(WORKER_SHELL_EXITED);
    run->exit_status = WIFEXITED(status) ? WEXITSTATUS(status) : 0;
    run->term_signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
    run->exited = true;
    run_advance(run);
}

/* -1 as write end when the system has no pipe left. */
static uv_file stream_open(struct stream *s, struct run *run, enum event_level level)
{
    uv_file ends[2];
    s->run = run;
    s->level = level;
    s->line = (struct buf)BUF_INIT(GATHER_BYTES + 16);
    ASSERT(uv_pipe_init(run->task->step->loop, &s->pipe, 0) == 0);
    if (uv_pipe(ends, UV_NONBLOCK_PIPE, 0) < 0)
        return -1;
    ASSERT(uv_pipe_open(&s->pipe, ends[0]) == 0);
    return ends[1];
}

static int run_spawn(struct run *run, const uv_file write_ends[2])
{
    if (write_ends[0] < 0 || write_ends[1] < 0)
        return UV_EMFILE;
    const struct settings *settings = run->task->step->settings;
    AUTO_ENVIRONMENT env;
    environment_init(&env, run->task->step);
    environment_set(&env, "TAILRACE_TASK", strchr(run->marker, '=') + 1);
    if (data_marker)
        environment_set(&env, "TAILRACE_COMMAND_OF", strchr(data_marker, '=') + 1);
    char *argv[4] = {NULL};
    const char *const texts[] = {"/bin/sh", "-c", settings_text(settings, "command")};
    for (size_t i = 0; i < ARRAY_LEN(texts); i++)
        argv[i] = (char *)(uintptr_t)arena_strdup(&env.arena, texts[i]);
    const char *cwd = settings_text(settings, "cwd");
    struct child_options options = {
        .file = argv[0],
        .argv = argv,
        .env = env.entries,
        .cwd = *cwd ? cwd : NULL,
        .files = {-1, write_ends[0], write_ends[1]},
    };
    if (FAULT(WORKER_SHELL_SPAWN))
        return UV_EAGAIN;
    int r = child_start(&run->child, run->task->step->loop, &options, on_child_exit);
    run->group = r < 0 ? 0 : run->child.pid;
    if (r >= 0)
        FAULT_KILLS(WORKER_SHELL_SPAWNED);
    return r;
}

static int shell_task_start(struct worker_task *task, struct err *e)
{
    const char *cwd = settings_text(task->step->settings, "cwd");
    struct stat st;
    if (*cwd && (stat(cwd, &st) < 0 || !S_ISDIR(st.st_mode)))
        return fail(e, E_INVAL, "cwd: there is no folder %s", cwd);

    struct run *run = mem_alloc(sizeof(*run));
    run->task = task;
    (void)snprintf(run->marker, sizeof(run->marker), "TAILRACE_TASK=%s", ID_TEXT(task->id));
    ASSERT(uv_timer_init(task->step->loop, &run->timer) == 0);
    uv_file write_ends[2] = {stream_open(&run->streams[0], run, LEVEL_INFO),
                             stream_open(&run->streams[1], run, LEVEL_WARN)};
    int r = run_spawn(run, write_ends);
    for (int i = 0; i < 2; i++)
        if (write_ends[i] >= 0)
            (void)close(write_ends[i]);
    list_add(&runs, &run->link);
    if (r < 0) {
        run_close(run);
        return fail(e, E_IO, "the command cannot be started: %s", uv_strerror(r));
    }
    task->state = task->step->state = run;
    run_read(run);
    return 0;
}

static void on_stop_timer(uv_timer_t *timer)
{
    (void)kill(-container_of(timer, struct run, timer)->group, SIGKILL);
}

static void shell_task_stop(struct worker_task *task)
{
    struct run *run = task->state;
    if (run->stopped)
        return;
    run->stopped = true;
    if (run->phase > RUN_REST)
        return;
    run->rest_until_ms = uv_now(run->timer.loop) + STOP_GRACE_MS;
    (void)kill(-run->group, SIGTERM);
    (void)kill(-run->group, SIGCONT); /* one that is halted could not end */
    if (run->phase == RUN_COMMAND)
        (void)uv_timer_start(&run->timer, on_stop_timer, STOP_GRACE_MS, 0);
}

static void shell_step_resume(struct worker_step *step)
{
    struct run *run = step->state;
    if (run && run->phase < RUN_CLOSE)
        run_read(run);
}

static int shell_step_open(struct worker_step *step, struct err *e)
{
    for (size_t i = 0; i < settings_count(step->settings, "env"); i++) {
        const char *name = settings_key(step->settings, "env", i);
        if (!*name || strchr(name, '='))
            return fail(e, E_INVAL, "env: '%s' cannot be the name of a variable", name);
        if (strncmp(name, "TAILRACE_", 9) == 0)
            return fail(e, E_INVAL, "env: %s is set by tailrace itself", name);
    }
    return 0;
}

static void shell_step_plan(struct worker_step *step)
{
    /* The key is only for people to see: the beginning of the command. */
    struct str rest = str_trim(str_of(settings_text(step->settings, "command")));
    struct str key = str_cut(&rest, '\n');
    key.n = utf8_cut(key, KEY_BYTES);
    (void)step->host->spawn(step, key.n ? key : STR("command"), STR(""), NULL);
}

static void shell_step_close(struct worker_step *step)
{
    ASSERT(!step->state);
}

/* The marker is no variable that people set, as TAILRACE_DATA is: their shell must not be
 * found. */
int shell_init(const char *data_folder)
{
    char path[PATH_MAX];
    mem_clear(&data_marker);
    data_marker =
        mem_printf("TAILRACE_COMMAND_OF=%s", realpath(data_folder, path) ? path : data_folder);
    (void)prctl(PR_SET_CHILD_SUBREAPER, 1);
    struct orphan_sweep sweep;
    orphan_sweep(data_marker, &sweep);
    FAULT_KILLS(WORKER_SHELL_LEFTOVERS);
    int killed = sweep.killed;
    orphan_sweep_done(&sweep);
    return killed;
}

static const struct setting_spec shell_settings[] = {
    {.name = "command",
     .kind = SETTING_TEXT,
     .required = true,
     .verbatim = true,
     .help = "what /bin/sh runs; parameters come as PARAM_<NAME>"},
    {.name = "env",
     .kind = SETTING_PAIRS,
     .secrets = true,
     .help = "further environment variables"},
    {.name = "cwd", .kind = SETTING_TEXT, .help = "folder to run in; default: the server's"},
    {0},
};

static const struct worker_schema shell_schema = {
    .type = "shell",
    .help = "runs a command; its output becomes lines, its exit code the outcome",
    .settings = shell_settings,
};

const struct worker_type shell_worker = {
    .schema = &shell_schema,
    .step_open = shell_step_open,
    .step_plan = shell_step_plan,
    .task_start = shell_task_start,
    .task_stop = shell_task_stop,
    .step_resume = shell_step_resume,
    .step_close = shell_step_close,
};
