/* The happy path of a command: spawned in its own session, what it writes is read line by line,
 * it exits, nobody of its group is left, this process has adopted no orphan of it, what it
 * wrote last is read, the handles are closed, done().
 *
 *     COMMAND   the shell runs                       → it exited
 *     REST      the rest of its group may end, or must → nobody is left
 *     SWEEP     on the pool: kill escaped ones       → none is left (or there was none)
 *     CLOSE     handles close                        → done(), freed
 *
 * Stopping only sends signals; the end comes by the same road. A descendant that got away all
 * the same cannot keep a task alive by holding its output: after SWEEP, what is there is read,
 * and no more.
 *
 * Whatever outlives its parent becomes a child of this process. So when the shell has exited,
 * all that is left of its family hangs below children of this process that are no shells: who
 * has none needs no look at /proc.
 *
 * What it writes to is two terminals, for stdout and stderr; or two pipes, and not socket
 * pairs: a socket cannot be opened as /dev/stdout, and scripts do that. */
#include "worker/shell.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fault.h"
#include "base/limits.h"
#include "base/list.h"
#include "base/mem.h"
#include "worker/child.h"
#include "worker/environment.h"
#include "worker/farewell.h"
#include "worker/limited.h"
#include "worker/orphan.h"
#include "worker/output_file.h"
#include "worker/plain.h"
#include "worker/pty.h"
#include "worker/splitter.h"

enum {
    REST_GRACE_MS = 250, /* for background processes to end with the shell, as `tee` does */
    REST_CHECK_MS = 20,
    REAP_EVERY_MS = 5000, /* orphans that end while their command runs */
    KILL_WAIT_MS = 1000,  /* for those that got SIGKILL to be gone */
    READ_BYTES = 64 * 1024,
    READS_MAX = 32,            /* of a terminal in a turn: most give 4 KiB, some far more */
    TURN_BYTES = 128 * 1024,   /* at most, then the store is asked whether it keeps up */
    DRAIN_BYTES = 1024 * 1024, /* as much as a pipe can hold */
    KEY_BYTES = 120,
    CHILDREN_MAX = 4096,
    SWEEPS_MAX = 50,
    GRACE_MAX_MS = 60 * 60 * 1000,
};

enum run_phase { RUN_COMMAND, RUN_REST, RUN_SWEEP, RUN_CLOSE };

struct stream {
    struct run *run;
    uv_pipe_t pipe;
    struct splitter splitter;
    bool is_terminal;
    bool ended; /* nothing more will be read */
};

struct run {
    struct list link; /* in `runs` */
    struct worker_task *task;
    enum run_phase phase;
    pid_t group; /* and pid of the shell; 0: there is none */
    uint64_t mark;
    struct child child;
    int status; /* as wait4() tells it */
    bool exited, stopped;
    struct output_file outputs;
    struct stream streams[2];
    uv_timer_t timer;
    uint64_t rest_until_ms, killed_ms; /* uv_now() */
    struct farewell farewell;
    uv_work_t sweep_work;
    struct orphan_sweep sweep;
    bool sweeping; /* on the pool */
    int sweeps;
    struct cost cost;
    int handles; /* not yet closed */
};

static struct list runs = {&runs, &runs}; /* all commands there are */
static uint64_t folder_mark;              /* 0: shell_init() was not called */

static void run_advance(struct run *run);

/* ---- what it writes ---- */

static char bytes[READ_BYTES]; /* read and used up within one callback, on one thread */

/* Takes what is still there, and no more. */
static void stream_end(struct stream *s)
{
    int fd;
    if (s->ended)
        return;
    s->ended = true;
    (void)uv_read_stop((uv_stream_t *)&s->pipe);
    ssize_t n = uv_fileno((uv_handle_t *)&s->pipe, &fd);
    for (size_t all = 0; n >= 0 && all < DRAIN_BYTES; all += (size_t)n) {
        n = read(fd, bytes, sizeof(bytes));
        if (n <= 0)
            break;
        splitter_add(&s->splitter, (struct str){bytes, (size_t)n});
    }
    splitter_end(&s->splitter);
}

static void on_pipe_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
    (void)handle, (void)suggested;
    *buf = uv_buf_init(bytes, sizeof(bytes));
}

static void on_pipe_read(uv_stream_t *pipe, ssize_t n, const uv_buf_t *buf)
{
    struct stream *s = container_of((uv_pipe_t *)pipe, struct stream, pipe);
    struct run *run = s->run;
    bool ended = n < 0;
    struct worker_step *step = run->task->step;
    if (n > 0) {
        step->host->alive(step, run->task);
        splitter_add(&s->splitter, (struct str){buf->base, (size_t)n});
    }
    size_t left = TURN_BYTES - (n > 0 ? (size_t)n : 0);
    for (int i = 0, fd; s->is_terminal && n > 0 && left > 0 && i < READS_MAX; i++) {
        bool is_open = uv_fileno((uv_handle_t *)pipe, &fd) == 0;
        n = is_open ? read(fd, bytes, MIN(sizeof(bytes), left)) : 0;
        if (n > 0) {
            splitter_add(&s->splitter, (struct str){bytes, (size_t)n});
            left -= (size_t)n;
        }
    }
    if (ended) /* libuv takes a terminal that nobody writes to any more for one that is empty */
        stream_end(s);
    if (run->phase < RUN_CLOSE && !step->host->may_write(step))
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

/* What is told of a process includes those that it has waited for. Linux counts as memory of a
 * process also what the server has, whose memory it had until it executed: it is known only
 * when it is more than that. */
static void run_add_cost(struct run *run, const struct rusage *used)
{
    struct rusage own;
    (void)getrusage(RUSAGE_SELF, &own);
    run->cost.is_known = true;
    run->cost.cpu_us += (used->ru_utime.tv_sec + used->ru_stime.tv_sec) * INT64_C(1000000) +
                        used->ru_utime.tv_usec + used->ru_stime.tv_usec;
    cost_add_memory(&run->cost, used->ru_maxrss * INT64_C(1024),
                    used->ru_maxrss <= own.ru_maxrss);
}

static struct run *run_of_pid(pid_t pid)
{
    LIST_EACH (&runs, struct run, link, run)
        if (run->group == pid && !run->exited)
            return run;
    return NULL;
}

static struct run *run_of_mark(uint64_t mark)
{
    LIST_EACH (&runs, struct run, link, run)
        if (run->mark == mark)
            return run;
    return NULL;
}

/* Reaps the orphans that have ended, of all commands. True: one of this command lives, or
 * nobody can tell. One that belongs to no command is of one that is over, if not of another
 * that runs: with the last command it goes. (The first process of a container adopts anyone's.)
 */
static bool run_has_orphans(struct run *run)
{
    static pid_t pids[CHILDREN_MAX];
    bool has = false;
    if (!child_strangers())
        return false;
    int count = orphan_children(pids, CHILDREN_MAX);
    for (int i = 0; i < count; i++) {
        struct rusage used;
        if (run_of_pid(pids[i]))
            continue;
        struct run *owner = run_of_mark(orphan_mark_of(pids[i]));
        if (wait4(pids[i], NULL, WNOHANG, &used) == pids[i]) {
            if (owner)
                run_add_cost(owner, &used);
        } else if (!owner && run->exited && run->link.next == run->link.prev && getpid() != 1) {
            has = kill(pids[i], SIGKILL) == 0 || has;
        } else
            has = owner == run || has;
    }
    return has || (count < 0 && (run->sweeps == 0 || run->sweep.killed));
}

/* Orphans of the group that this process adopted must be reaped, or they count as members. */
static bool run_has_rest(struct run *run)
{
    struct rusage used;
    while (wait4(-run->group, NULL, WNOHANG, &used) > 0)
        run_add_cost(run, &used);
    return kill(-run->group, 0) == 0 || errno == EPERM;
}

static void on_rest_timer(uv_timer_t *timer)
{
    struct run *run = container_of(timer, struct run, timer);
    if (!run->exited)
        (void)run_has_orphans(run); /* reaps, so that a long command's do not pile up */
    output_file_bound(&run->outputs);
    run_advance(run);
}

static void on_sweep_work(uv_work_t *work)
{
    struct run *run = container_of(work, struct run, sweep_work);
    orphan_sweep(run->mark, false, &run->sweep);
}

static void on_sweep_after(uv_work_t *work, int status)
{
    struct run *run = container_of(work, struct run, sweep_work);
    (void)status;
    if (run->sweep.stubborn)
        worker_log(run->task->step, run->task, LEVEL_WARN,
                   "process %ld of this command does not end, not even by SIGKILL",
                   (long)run->sweep.stubborn);
    run->sweeping = false;
    if (run->sweep.killed)
        run_advance(run);
    else /* somebody without the mark has SIGKILL, and is given time to end */
        (void)uv_timer_start(&run->timer, on_rest_timer, REST_CHECK_MS, 0);
}

/* True when there is nobody to be looked for any more. */
static bool run_sweep(struct run *run)
{
    if (run->sweeping || uv_is_active((uv_handle_t *)&run->timer))
        return false;
    if (!run_has_orphans(run) || run->sweep.stubborn || run->sweeps == SWEEPS_MAX)
        return true;
    run->sweeping = true;
    run->sweeps++;
    ASSERT(uv_queue_work(run->timer.loop, &run->sweep_work, on_sweep_work, on_sweep_after) ==
           0);
    return false;
}

static void run_done(struct run *run)
{
    struct worker_task *task = run->task;
    const struct worker_host *host = task->step->host;
    char cause[3 * ERR_TEXT_MAX] = "", limit[2 * ERR_TEXT_MAX];
    struct err e;
    int said = output_file_take(&run->outputs, task, &e);
    if (said < 0)
        worker_log(task->step, task, LEVEL_ERROR, "%s", e.text);
    limited_cause(task->settings, run->status, limit);
    if (said == E_TOOBIG && !*limit)
        (void)snprintf(limit, sizeof(limit), ", %s", e.text);
    enum job_state outcome = JOB_FAILED;
    if (run->stopped) {
        outcome = JOB_CANCELLED;
        (void)snprintf(cause, sizeof(cause), "the command was stopped");
    } else if (WIFSIGNALED(run->status)) {
        (void)snprintf(cause, sizeof(cause), "killed by signal %d (%s)%s",
                       WTERMSIG(run->status), strsignal(WTERMSIG(run->status)), limit);
    } else if (WEXITSTATUS(run->status) != 0) {
        (void)snprintf(cause, sizeof(cause), "exit code %d%s", WEXITSTATUS(run->status), limit);
    } else if (said < 0) {
        text_copy(cause, sizeof(cause), e.text);
    } else {
        outcome = JOB_COMPLETED;
    }
    host->cost(task, &run->cost);
    task->state = NULL;
    free(run);
    host->done(task, outcome, cause[0] ? cause : NULL);
}

static void run_forget(struct run *run)
{
    output_file_close(&run->outputs);
    free(run);
}

static void run_closed(struct run *run)
{
    if (--run->handles > 0)
        return;
    list_remove(&run->link);
    if (run->phase == RUN_CLOSE)
        run_done(run);
    else
        run_forget(run); /* it never started; the engine knows from task_start() */
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
    uv_handle_t *handles[] = {(uv_handle_t *)&run->timer, (uv_handle_t *)&run->farewell.timer,
                              (uv_handle_t *)&run->outputs.watch,
                              (uv_handle_t *)&run->streams[0].pipe,
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

/* True when it has had its rest: nobody is left of its group (of its family, when it was
 * stopped), or the time for that is over and SIGKILL did not help. */
static bool run_rests(struct run *run)
{
    uint64_t now_ms = uv_now(run->timer.loop);
    bool stops = run->stopped && !run->farewell.over;
    bool kills = run->stopped ? run->farewell.over : now_ms >= run->rest_until_ms;
    bool has_rest = run_has_rest(run);
    if (stops)
        has_rest = run_has_orphans(run) || has_rest;
    if (!has_rest)
        return true;
    if (kills) {
        (void)kill(-run->group, SIGKILL);
        run->killed_ms = run->killed_ms ? run->killed_ms : now_ms;
        if (now_ms >= run->killed_ms + KILL_WAIT_MS)
            return true;
    }
    (void)uv_timer_start(&run->timer, on_rest_timer, kills ? 1 : REST_CHECK_MS, 0);
    return false;
}

static void run_advance(struct run *run)
{
    uv_loop_t *loop = run->timer.loop;
    switch (run->phase) {
    case RUN_COMMAND:
        if (!run->exited)
            return;
        run->rest_until_ms = uv_now(loop) + REST_GRACE_MS;
        run->phase = RUN_REST;
        __attribute__((fallthrough));
    case RUN_REST:
        if (!run_rests(run))
            return;
        (void)uv_timer_stop(&run->timer);
        (void)uv_timer_stop(&run->farewell.timer);
        run->phase = RUN_SWEEP;
        __attribute__((fallthrough));
    case RUN_SWEEP:
        if (!run_sweep(run) || run->farewell.looking)
            return;
        FAULT_KILLS(WORKER_SHELL_SWEPT);
        (void)run_has_rest(run); /* reaps */
        /* A server that stops does not wait for the disk: it is read even when the store is
         * behind. */
        for (int i = 0; i < 2; i++)
            stream_end(&run->streams[i]);
        run->phase = RUN_CLOSE;
        if (run->farewell.task && !run->sweep.stubborn)
            farewell_end(&run->farewell);
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
    FAULT_KILLS(WORKER_SHELL_EXITED);
    run->status = status;
    run->exited = true;
    run_add_cost(run, used);
    run_advance(run);
}

/* -1 as write end when the system has no pipe left. */
static uv_file stream_open(struct stream *s, struct run *run, enum event_level level)
{
    uv_file ends[2];
    s->run = run;
    splitter_init(&s->splitter, run->task, level);
    ASSERT(uv_pipe_init(run->task->step->loop, &s->pipe, 0) == 0);
    s->is_terminal = settings_bool(run->task->settings, "pty") && pty_open(ends) == 0;
    if (!s->is_terminal && uv_pipe(ends, UV_NONBLOCK_PIPE, 0) < 0)
        return -1;
    ASSERT(uv_pipe_open(&s->pipe, ends[0]) == 0);
    return ends[1];
}

static uint64_t mark_new(void)
{
    static uint64_t last;
    if (!folder_mark) /* nobody else's either */
        folder_mark = orphan_mark(str_of(ID_TEXT(id_new())));
    do
        last = folder_mark | ((last + 1) & ((UINT64_C(1) << ORPHAN_TASK_BITS) - 1));
    while (run_of_mark(last));
    return last;
}

static int program_start(struct run *run, struct environment *env, struct child_options *o,
                         char **argv)
{
    o->file = argv[0];
    o->argv = argv;
    o->env = env->entries;
    return child_start(&run->child, run->task->step->loop, o, on_child_exit);
}

/* A program that cannot be started has a shell say why. */
static int command_start(struct run *run, struct environment *env, struct child_options *o)
{
    const char *command = settings_text(run->task->settings, "command");
    char *argv[LIMITED_WORDS_MAX + 4] = {NULL};
    int count = limited_words(run->task->settings, &env->arena, argv);
    char **words = count ? NULL : plain_words(&env->arena, command);
    char folder[PATH_MAX];
    if (words && realpath(o->cwd ? o->cwd : ".", folder)) {
        environment_set(env, "PWD", folder); /* as a shell does */
        if (program_start(run, env, o, words) == 0)
            return 0;
    }
    const char *const texts[] = {"/bin/sh", "-c", command};
    for (size_t i = 0; i < ARRAY_LEN(texts); i++)
        argv[count++] = (char *)(uintptr_t)arena_strdup(&env->arena, texts[i]);
    return program_start(run, env, o, argv);
}

static int run_spawn(struct run *run, const uv_file write_ends[2])
{
    if (write_ends[0] < 0 || write_ends[1] < 0)
        return UV_EMFILE;
    const struct settings *settings = run->task->settings;
    const char *cwd = settings_text(settings, "cwd");
    AUTO_ENVIRONMENT env;
    environment_init(&env, run->task);
    int r = output_file_open(&run->outputs);
    if (r < 0)
        return r;
    environment_set(&env, "TAILRACE_OUTPUT", run->outputs.path);
    struct child_options options = {
        .cwd = *cwd ? cwd : NULL,
        .files = {-1, write_ends[0], write_ends[1]},
    };
    if (FAULT(WORKER_SHELL_SPAWN))
        return UV_EAGAIN;
    orphan_mark_set(run->mark);
    r = command_start(run, &env, &options);
    orphan_mark_set(0);
    run->group = r < 0 ? 0 : run->child.pid;
    if (r >= 0)
        FAULT_KILLS(WORKER_SHELL_SPAWNED);
    return r;
}

static int shell_task_start(struct worker_task *task, struct err *e)
{
    const char *cwd = settings_text(task->settings, "cwd");
    struct stat st;
    if (*cwd && (stat(cwd, &st) < 0 || !S_ISDIR(st.st_mode)))
        return fail(e, E_INVAL, "cwd: there is no folder %s", cwd);

    struct run *run = mem_alloc(sizeof(*run));
    run->task = task;
    output_file_init(&run->outputs, task->step->loop);
    run->mark = mark_new();
    ASSERT(uv_timer_init(task->step->loop, &run->timer) == 0);
    farewell_init(&run->farewell, task->step->loop);
    uv_file write_ends[2] = {stream_open(&run->streams[0], run, LEVEL_INFO),
                             stream_open(&run->streams[1], run, LEVEL_WARN)};
    int r = run_spawn(run, write_ends);
    for (int i = 0; i < 2; i++)
        if (write_ends[i] >= 0)
            (void)close(write_ends[i]);
    if (r < 0) {
        run_close(run);
        return fail(e, E_IO, "the command cannot be started: %s", uv_strerror(r));
    }
    task->state = run;
    list_add(&runs, &run->link);
    (void)uv_timer_start(&run->timer, on_rest_timer, REAP_EVERY_MS, REAP_EVERY_MS);
    run_read(run);
    return 0;
}

static void on_farewell_news(struct farewell *f)
{
    run_advance(container_of(f, struct run, farewell));
}

static void shell_task_stop(struct worker_task *task)
{
    struct run *run = task->state;
    if (run->stopped)
        return;
    run->stopped = true;
    if (run->phase <= RUN_REST)
        farewell_begin(&run->farewell, task, run->group, run->mark,
                       settings_int(task->settings, "grace"), on_farewell_news);
}

static void shell_step_resume(struct worker_step *step)
{
    LIST_EACH (&runs, struct run, link, run)
        if (run->task->step == step && run->group && run->phase < RUN_CLOSE)
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
    if (key.n == 0 || step->host->spawn(step, key, STR(""), NULL) == E_INVAL) /* a secret? */
        (void)step->host->spawn(step, STR("command"), STR(""), NULL);
}

static void shell_step_close(struct worker_step *step)
{
    LIST_EACH (&runs, struct run, link, run)
        ASSERT(run->task->step != step);
}

int shell_init(const char *data_folder)
{
    char path[PATH_MAX];
    folder_mark = orphan_mark(str_of(realpath(data_folder, path) ? path : data_folder));
    (void)prctl(PR_SET_CHILD_SUBREAPER, 1);
    struct orphan_sweep sweep;
    orphan_sweep(folder_mark, true, &sweep);
    FAULT_KILLS(WORKER_SHELL_LEFTOVERS);
    return sweep.killed;
}

bool shell_is_busy(void)
{
    return !list_is_empty(&runs);
}

void shell_abandon(void)
{
    struct orphan_sweep sweep;
    if (shell_is_busy())
        orphan_sweep(folder_mark, true, &sweep);
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
    {.name = "pty",
     .kind = SETTING_BOOL,
     .fallback = "true",
     .help = "false: its output goes to pipes, not to a terminal"},
    {.name = "grace",
     .kind = SETTING_DURATION,
     .fallback = "5s",
     .max = GRACE_MAX_MS,
     .help = "between SIGTERM and SIGKILL, when it is stopped"},
    LIMITED_SETTINGS,
    {0},
};

static const struct worker_schema shell_schema = {
    .type = "shell",
    .help = "runs a command; its output becomes lines, its exit code the outcome",
    .settings = shell_settings,
    .one_task = true,
};

const struct worker_type shell_worker = {
    .schema = &shell_schema,
    .files = 4, /* two terminals, the outputs, the process */
    .step_open = shell_step_open,
    .step_plan = shell_step_plan,
    .task_start = shell_task_start,
    .task_stop = shell_task_stop,
    .step_resume = shell_step_resume,
    .step_close = shell_step_close,
};
