/* Lines that come at a fixed rate, through the writer and its group commit: how long after a
 * line was stamped it is durable and published, and how much of a core that costs; beside the
 * floor, a plain file that gets the same bytes and an fdatasync() every 5 ms.
 *
 *     commit_bench FOLDER [SECONDS [STEPS RATE]]
 *     commit_bench FOLDER delete [LINES]      beside that load, jobs of 1 and of LINES lines
 * are deleted: what that does to the others' commits
 *
 * FOLDER is made and must not exist yet: its disk is what is measured. The lines come from the
 * loop, as in the server, every quarter of a millisecond those that are due. Compaction and
 * checkpoints run meanwhile, as in the server. */
#include <dirent.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "bench_lines.h"
#include "store/store_ops.h"
#include "store/writer.h"

enum {
    STEPS_MAX = 50,
    TICK_US = 250,
    FLOOR_WINDOW_US = 5000,
    BUCKET_US = 10, /* of the histogram */
    BUCKETS = 200000,
};

struct histogram {
    uint64_t counts[BUCKETS], total;
};

static void histogram_add(struct histogram *h, int64_t us)
{
    h->counts[MIN(MAX(us, 0) / BUCKET_US, BUCKETS - 1)]++;
    h->total++;
}

static double histogram_ms(const struct histogram *h, double share)
{
    uint64_t below = 0, wanted = (uint64_t)((double)h->total * share);
    int i = 0;
    while (i < BUCKETS - 1 && (below += h->counts[i]) < wanted)
        i++;
    return (double)(i + 1) * BUCKET_US / 1e3;
}

/* ---- the store, with a stopwatch on it ---- */

static struct store timed; /* what the writer is given */
static struct store *real;
static int64_t commits, compact_us, hold_us, hold_cpu_us, delete_us;

static int64_t thread_cpu_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static int timed_append(struct store *s, struct batch *b, struct err *e)
{
    (void)s;
    commits++;
    bool deletes = false;
    for (size_t i = 0; i < b->change_count; i++)
        deletes |= b->changes[i].kind == CHANGE_JOB_DELETE;
    int64_t begin_us = clock_mono_us();
    int r = store_append(real, b, e);
    if (deletes)
        delete_us = clock_mono_us() - begin_us;
    return r;
}

static int timed_compact(struct store *s, bool idle, struct err *e)
{
    (void)s;
    int64_t begin_us = clock_mono_us(), begin_cpu_us = thread_cpu_us();
    int r = store_compact(real, idle, e);
    int64_t cpu_us = thread_cpu_us() - begin_cpu_us;
    hold_us = MAX(hold_us, clock_mono_us() - begin_us);
    hold_cpu_us = MAX(hold_cpu_us, cpu_us);
    compact_us += cpu_us;
    return r;
}

static const struct store_ops timed_ops = {.append = timed_append, .compact = timed_compact};

/* Milliseconds of CPU that threads of this name have had. */
static double cpu_ms(const char *name)
{
    double ms = 0;
    DIR *dir = opendir("/proc/self/task");
    for (struct dirent *entry; dir && (entry = readdir(dir));) {
        char text[1024] = "";
        AUTO_FREE char *path = mem_printf("/proc/self/task/%s/stat", entry->d_name);
        FILE *f = fopen(path, "r");
        size_t n = f ? fread(text, 1, sizeof(text) - 1, f) : 0;
        if (f)
            (void)fclose(f);
        char *begin = strchr(text, '('), *end = strrchr(text, ')');
        unsigned long user = 0, sys = 0;
        if (n == 0 || !begin || !end)
            continue;
        *end = 0;
        if (strcmp(begin + 1, name) == 0 &&
            sscanf(end + 2, "%*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user,
                   &sys) == 2)
            ms += (double)(user + sys) * 1e3 / (double)sysconf(_SC_CLK_TCK);
    }
    if (dir)
        (void)closedir(dir);
    return ms;
}

/* ---- lines through the writer ---- */

struct run {
    uv_loop_t loop;
    struct writer *writer;
    uv_prepare_t before_poll;
    uv_poll_t tick;
    int tick_fd;
    struct event_source sources[STEPS_MAX];
    struct step_row rows[STEPS_MAX];
    bool dirty[STEPS_MAX];
    int steps;
    int64_t rate, total, made, begin_us;
    struct id doomed; /* is deleted after a tenth of the time; none: nothing is */
    struct histogram latency;
};

static void on_closing(void *context, struct batch *b)
{
    struct run *run = context;
    for (int i = 0; i < run->steps; i++) {
        if (TAKE(run->dirty[i]))
            batch_put_step_state(b, &run->rows[i]);
    }
}

static void on_committed(void *context, const struct batch *b)
{
    struct run *run = context;
    int64_t now_us = clock_wall_us();
    for (size_t i = 0; i < b->events.count; i++)
        histogram_add(&run->latency, now_us - b->events.events[i].ts_us);
}

static void on_drained(void *context)
{
    (void)context; /* the next tick looks for itself */
}

static void on_closed(void *arg)
{
    struct run *run = arg;
    uv_close((uv_handle_t *)&run->before_poll, NULL);
}

static void run_add_line(struct run *run)
{
    int i = (int)(run->made++ % run->steps);
    struct event event = {.type = EVENT_JOB_LOG,
                          .level = any(50) ? LEVEL_INFO : LEVEL_WARN,
                          .originator = ORIGINATOR_WORKER,
                          .line = ++run->rows[i].lines,
                          .ts_us = clock_wall_us()};
    run->rows[i].lines_by_level[event.level]++;
    run->rows[i].updated_at_us = event.ts_us;
    run->dirty[i] = true;
    event_batch_add(&writer_batch(run->writer)->events, &event, &run->sources[i], bench_line(),
                    (struct str){NULL, 0});
}

static void on_tick(uv_poll_t *poll, int status, int events)
{
    struct run *run = container_of(poll, struct run, tick);
    uint64_t ticks;
    (void)status, (void)events;
    if (read(run->tick_fd, &ticks, sizeof(ticks)) < 0)
        return;
    int64_t due = MIN((clock_mono_us() - run->begin_us) * run->rate / 1000000, run->total);
    while (run->made < due && !writer_is_full(run->writer))
        run_add_line(run);
    if (!id_is_none(run->doomed) && run->made > run->total / 10) {
        batch_delete_job(writer_batch(run->writer), run->doomed);
        run->doomed = ID_NONE;
    }
    if (run->made == run->total) {
        uv_close((uv_handle_t *)poll, NULL);
        writer_after_commit(run->writer, on_closed, run);
    }
}

static void on_before_poll(uv_prepare_t *prepare)
{
    writer_turn(container_of(prepare, struct run, before_poll)->writer);
}

static void run_put_rows(struct run *run)
{
    struct batch *b = writer_batch(run->writer);
    struct job_row job = {.id = id_new(), .name = "bench", .status = JOB_RUNNING};
    batch_put_job(b, &job);
    for (int i = 0; i < run->steps; i++) {
        run->rows[i] = (struct step_row){.id = id_new(),
                                         .job_id = job.id,
                                         .number = i + 1,
                                         .name = "crawl the section of the news",
                                         .type = "crawler",
                                         .depends = "[]",
                                         .status = JOB_RUNNING,
                                         .progress_text = "1234 of 5678 pages"};
        run->sources[i] =
            (struct event_source){job.id, run->rows[i].id, run->rows[i].name, "crawler"};
        batch_put_step(b, &run->rows[i]);
    }
}

static void run_start(struct run *run)
{
    struct itimerspec every = {{0, TICK_US * 1000}, {0, TICK_US * 1000}};
    run->tick_fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    timerfd_settime(run->tick_fd, 0, &every, NULL);
    uv_prepare_init(&run->loop, &run->before_poll);
    uv_prepare_start(&run->before_poll, on_before_poll);
    uv_poll_init(&run->loop, &run->tick, run->tick_fd);
    uv_poll_start(&run->tick, UV_READABLE, on_tick);
    run->begin_us = clock_mono_us();
}

static void print_row(const char *what, const struct histogram *h, double cpu, double seconds)
{
    printf("%-34s p50 %6.2f  p90 %6.2f  p99 %6.2f  max %7.2f ms   %5.1f %% of a core", what,
           histogram_ms(h, 0.5), histogram_ms(h, 0.9), histogram_ms(h, 0.99),
           histogram_ms(h, 1), cpu / seconds / 10);
}

/* Returns the p99. */
static double run_lines(int steps, int64_t rate, int64_t seconds, struct id doomed)
{
    struct err e;
    struct run *run = mem_alloc(sizeof(*run));
    struct writer_hooks hooks = {run, on_closing, on_committed, on_drained};
    *run =
        (struct run){.steps = steps, .rate = rate, .total = rate * seconds, .doomed = doomed};
    uv_loop_init(&run->loop);
    must(writer_new(&run->loop, &timed, &hooks, &run->writer, &e), &e);
    run_put_rows(run);
    commits = hold_us = hold_cpu_us = compact_us = 0;
    double store_ms = cpu_ms("store"), checkpoint_ms = cpu_ms("checkpoint");
    run_start(run);
    while (!uv_is_closing((uv_handle_t *)&run->before_poll))
        uv_run(&run->loop, UV_RUN_ONCE);
    double took_s = (double)(clock_mono_us() - run->begin_us) / 1e6;
    store_ms = cpu_ms("store") - store_ms;
    checkpoint_ms = cpu_ms("checkpoint") - checkpoint_ms;
    AUTO_FREE char *what =
        mem_printf("%2d step%s, %6lld lines/s", steps, steps == 1 ? " " : "s", (long long)rate);
    print_row(what, &run->latency, store_ms + checkpoint_ms, took_s);
    printf(" (checkpoints %.1f, compaction %.1f of it)  %4.0f commits/s  longest hold by "
           "compaction %.1f ms, %.1f of it busy\n",
           checkpoint_ms / took_s / 10, (double)compact_us / took_s / 1e4,
           (double)commits / took_s, (double)hold_us / 1e3, (double)hold_cpu_us / 1e3);
    must(writer_stop(run->writer, &e), &e);
    uv_run(&run->loop, UV_RUN_DEFAULT);
    writer_free(run->writer);
    (void)close(run->tick_fd);
    uv_loop_close(&run->loop);
    double p99_ms = histogram_ms(&run->latency, 0.99);
    free(run);
    return p99_ms;
}

/* ---- the floor ---- */

/* Writes what is due every window; each line is as old as it would be. */
static void floor_lines(const char *path, int64_t rate, int64_t seconds)
{
    struct histogram *latency = mem_alloc(sizeof(*latency));
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    AUTO_BUF text = BUF_INIT(64u << 20);
    int64_t begin_us = clock_mono_us(), made = 0, total = rate * seconds;
    int64_t begin_cpu_us = thread_cpu_us();
    for (int64_t turn = 1; made < total; turn++) {
        int64_t wait_us = begin_us + turn * FLOOR_WINDOW_US - clock_mono_us();
        if (wait_us > 0)
            (void)usleep((useconds_t)wait_us);
        int64_t first = made;
        int64_t due = MIN((clock_mono_us() - begin_us) * rate / 1000000, total);
        buf_clear(&text);
        for (; made < due; made++)
            buf_add_str(&text, bench_line());
        if (write(fd, text.p, text.n) < 0 || fdatasync(fd) < 0)
            perror("bench");
        int64_t now_us = clock_mono_us();
        for (int64_t i = first; i < made; i++)
            histogram_add(latency, now_us - begin_us - i * 1000000 / rate);
    }
    double cpu = (double)(thread_cpu_us() - begin_cpu_us) / 1e3;
    AUTO_FREE char *what = mem_printf("plain file, %6lld lines/s", (long long)rate);
    print_row(what, latency, cpu, (double)(clock_mono_us() - begin_us) / 1e6);
    printf(" (with the making of the lines)\n");
    (void)close(fd);
    (void)unlink(path);
    free(latency);
}

/* ---- deleting beside a load ---- */

/* A job of so many lines that has ended, in chunks. */
static struct id fill(int64_t lines)
{
    enum { LINES_A_BATCH = 20000 };
    struct err e;
    struct job_row job = {.id = id_new(), .name = "large", .status = JOB_COMPLETED};
    struct step_row step = {.id = id_new(), .job_id = job.id, .number = 1, .name = "s"};
    struct event_source source = {job.id, step.id, "s", "shell"};
    for (int64_t made = 0; made < lines;) {
        struct batch *b = batch_new();
        for (int i = 0; i < LINES_A_BATCH && made < lines; i++) {
            struct event event = {.type = EVENT_JOB_LOG,
                                  .level = LEVEL_INFO,
                                  .line = (uint64_t)++made,
                                  .ts_us = clock_wall_us()};
            event_batch_add(&b->events, &event, &source, bench_line(), (struct str){NULL, 0});
        }
        step.lines = (uint64_t)made;
        batch_put_job(b, &job);
        batch_put_step(b, &step);
        must(store_append(real, b, &e), &e);
        batch_free(b);
        while (store_compact(real, false, &e) > 0)
            continue;
    }
    return job.id;
}

static double delete_beside_load(int64_t lines, int64_t seconds)
{
    enum { RATE = 20000 };
    struct id doomed = lines ? fill(lines) : ID_NONE;
    struct err e;
    while (store_compact(real, true, &e) > 0)
        continue;
    sync(); /* what the filling has left to be written is not what is measured */
    delete_us = 0;
    double p99_ms = run_lines(STEPS_MAX, RATE, seconds, doomed);
    if (lines)
        printf("    a job of %lld line%s was deleted meanwhile, with a commit of %.1f ms\n",
               (long long)lines, lines == 1 ? "" : "s", (double)delete_us / 1e3);
    return p99_ms;
}

static void delete_print(int64_t lines)
{
    enum { SECONDS = 15 };
    double nothing = delete_beside_load(0, SECONDS), one = delete_beside_load(1, SECONDS),
           many = delete_beside_load(lines, SECONDS), after = delete_beside_load(0, SECONDS);
    double base = (nothing + after) / 2;
    printf("others' p99 while a job of one line is deleted       %.2f of that without\n"
           "others' p99 while a job of %9lld lines is deleted %.2f of that without\n",
           one / base, (long long)lines, many / base);
}

int main(int argc, char **argv)
{
    struct err e;
    if (argc < 2) {
        fprintf(stderr, "usage: commit_bench FOLDER [SECONDS [STEPS RATE]]\n");
        return 2;
    }
    int64_t seconds = argc > 2 ? strtoll(argv[2], NULL, 10) : 8;
    must(store_open_sqlite(argv[1], &real, &e), &e);
    timed.ops = &timed_ops;
    if (argc > 2 && strcmp(argv[2], "delete") == 0) {
        delete_print(argc > 3 ? strtoll(argv[3], NULL, 10) : 10000000);
        store_close(real);
        return 0;
    }
    if (argc > 4) { /* one row, for a profiler */
        (void)run_lines((int)strtol(argv[3], NULL, 10), strtoll(argv[4], NULL, 10), seconds,
                        ID_NONE);
        store_close(real);
        return 0;
    }
    (void)run_lines(1, 100, seconds, ID_NONE);
    (void)run_lines(1, 1000, seconds, ID_NONE);
    (void)run_lines(STEPS_MAX, 20000, seconds, ID_NONE);
    (void)run_lines(STEPS_MAX, 200000, seconds, ID_NONE);
    int r;
    while ((r = store_compact(real, true, &e)) > 0)
        continue;
    must(r, &e);
    store_close(real); /* folds the WAL into the file */
    AUTO_FREE char *db = mem_printf("%s/tailrace.db", argv[1]);
    struct stat st = {0};
    (void)stat(db, &st);
    printf("after compaction %.1f bytes a line, with what is free for the next\n",
           (double)st.st_size / (double)(221100 * seconds));
    AUTO_FREE char *plain = mem_printf("%s/plain", argv[1]);
    floor_lines(plain, 20000, seconds);
    floor_lines(plain, 200000, seconds);
    return 0;
}
