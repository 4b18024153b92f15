/* GET /metrics: figures for a collector, in Prometheus' text format
 * (https://prometheus.io/docs/instrumenting/exposition_formats/). */
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/mem.h"
#include "server/http.h"
#include "server/request.h"
#include "server/viewer.h"

static void head(struct buf *out, const char *name, const char *type, const char *help)
{
    buf_printf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static void gauge(struct buf *out, const char *name, const char *help, double value)
{
    head(out, name, "gauge", help);
    buf_printf(out, "%s %.15g\n", name, value);
}

static void counter(struct buf *out, const char *name, const char *help, double value)
{
    head(out, name, "counter", help);
    buf_printf(out, "%s %.15g\n", name, value);
}

static void write_pools(struct buf *out, const struct engine *g)
{
    struct pool_state pools[LIMIT_POOLS];
    int count = engine_pools(g, pools);
    if (!count)
        return;
    static const char row[] = "%s{pool=\"%s\"} %d\n";
    head(out, "tailrace_pool_places", "gauge", "Jobs of a pool that may run at once.");
    for (int i = 0; i < count; i++)
        buf_printf(out, row, "tailrace_pool_places", pools[i].name, pools[i].places);
    head(out, "tailrace_pool_running", "gauge", "Jobs of a pool that run.");
    for (int i = 0; i < count; i++)
        buf_printf(out, row, "tailrace_pool_running", pools[i].name, pools[i].running);
    head(out, "tailrace_pool_waiting", "gauge", "Jobs of a pool that wait.");
    for (int i = 0; i < count; i++)
        buf_printf(out, row, "tailrace_pool_waiting", pools[i].name, pools[i].waiting);
}

static void write_queue(struct buf *out, struct engine_figures f)
{
    gauge(out, "tailrace_queue_jobs", "Jobs that wait to begin.", (double)f.jobs_pending);
    head(out, "tailrace_tasks", "gauge", "Tasks of jobs that run, by state.");
    buf_printf(out, "tailrace_tasks{status=\"pending\"} %lld\n", (long long)f.tasks_pending);
    buf_printf(out, "tailrace_tasks{status=\"running\"} %lld\n", (long long)f.tasks_running);
}

static void write_commits(struct buf *out, struct writer_figures f)
{
    counter(out, "tailrace_commits_total", "Commits since the start.", (double)f.commits);
    head(out, "tailrace_commit_seconds", "gauge",
         "How long it takes until what was written is durable, of the last minute.");
    buf_printf(out, "tailrace_commit_seconds{quantile=\"0.5\"} %.6f\n", (double)f.p50_us / 1e6);
    buf_printf(out, "tailrace_commit_seconds{quantile=\"0.99\"} %.6f\n",
               (double)f.p99_us / 1e6);
    gauge(out, "tailrace_uncommitted_seconds",
          "How long the oldest has waited that is not durable.", (double)f.oldest_us / 1e6);
    gauge(out, "tailrace_uncommitted_bytes", "What is not durable yet.", (double)f.bytes);
}

/* What only the loop thread may look at. */
static void write_state(struct buf *out, struct server *s)
{
    head(out, "tailrace_build_info", "gauge", "The version that runs.");
    buf_printf(out, "tailrace_build_info{version=\"%s\"} 1\n", VERSION);
    gauge(out, "tailrace_active_jobs", "Jobs that have not ended.",
          (double)engine_active_jobs(s->engine));
    counter(out, "tailrace_jobs_removed_total",
            "Jobs that were deleted because they are kept no longer.",
            (double)retention_removed(s->retention));
    write_pools(out, s->engine);
    gauge(out, "tailrace_webhooks_waiting", "Messages of webhooks that were not taken yet.",
          (double)webhooks_waiting(s->webhooks));
    gauge(out, "tailrace_definitions", "Job definitions.", (double)catalog_count(s->catalog));
    gauge(out, "tailrace_viewers", "Open WebSockets.", (double)viewers_count(s->viewers));
    gauge(out, "tailrace_connections", "Open HTTP connections.",
          (double)http_connections(s->http));
    write_queue(out, engine_figures(s->engine));
    write_commits(out, writer_figures(s->writer));
    gauge(out, "tailrace_store_trouble", "One while nothing can be committed.",
          writer_trouble(s->writer)[0] != 0);
    gauge(out, "tailrace_space_low", "One while new jobs wait because the disk is nearly full.",
          space_is_low(s->space));
    gauge(out, "process_start_time_seconds", "When the server was started, since 1970.",
          (double)s->started_at_us / 1e6);
}

static void write_process(struct buf *out)
{
    struct rusage usage = {0};
    long pages = 0;
    FILE *statm = fopen("/proc/self/statm", "re");
    if (statm && fscanf(statm, "%*s %ld", &pages) != 1)
        pages = 0;
    if (statm)
        (void)fclose(statm);
    (void)getrusage(RUSAGE_SELF, &usage);
    gauge(out, "process_resident_memory_bytes", "Memory of the server.",
          (double)pages * (double)sysconf(_SC_PAGESIZE));
    counter(out, "process_cpu_seconds_total", "CPU time of the server, user and system.",
            (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
                (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6);
}

static void write_disk(struct buf *out, const char *folder)
{
    struct statvfs fs;
    gauge(out, "tailrace_data_bytes", "Size of the files in the data folder.",
          (double)space_folder_bytes(folder));
    if (statvfs(folder, &fs) == 0)
        gauge(out, "tailrace_data_free_bytes", "Space that is left for the data folder.",
              (double)fs.f_bavail * (double)fs.f_frsize);
}

static int read_metrics(struct request *r, struct store_reader *reader, struct err *e)
{
    int64_t counts[JOB_STATE_COUNT];
    int code = store_count_jobs(reader, counts, e);
    if (code < 0)
        return code;
    head(&r->out, "tailrace_jobs", "gauge", "Jobs that are kept, by state.");
    for (int i = 0; i < JOB_STATE_COUNT; i++)
        if (i != JOB_SKIPPED)
            buf_printf(&r->out, "tailrace_jobs{status=\"%s\"} %lld\n",
                       job_state_name((enum job_state)i), (long long)counts[i]);
    counter(&r->out, "tailrace_events_total", "Events in the log, lines among them.",
            (double)store_read_as_of(reader));
    int64_t inside = 0;
    code = store_free_bytes(reader, &inside, e);
    if (code < 0)
        return code;
    gauge(&r->out, "tailrace_data_reusable_bytes",
          "Space inside the database that is free for new data.", (double)inside);
    write_process(&r->out);
    write_disk(&r->out, r->server->options->data);
    return 0;
}

static int reply_metrics(struct request *r, struct err *e)
{
    (void)e;
    struct MHD_Response *response =
        MHD_create_response_from_buffer(r->out.n, r->out.p, MHD_RESPMEM_MUST_COPY);
    (void)MHD_add_response_header(response, "Content-Type",
                                  "text/plain; version=0.0.4; charset=utf-8");
    request_reply_response(r, MHD_HTTP_OK, response);
    return 0;
}

int handle_metrics(struct request *r, struct err *e)
{
    (void)e;
    write_state(&r->out, r->server);
    request_read(r, read_metrics, reply_metrics);
    return 0;
}
