/* What the server says about itself. */
#include "base/clock.h"
#include "feed/encode.h"
#include "feed/tree.h"
#include "server/http.h"
#include "server/request.h"
#include "server/viewer.h"

int handle_health(struct request *r, struct err *e)
{
    (void)e;
    json_begin_object(&r->j);
    json_key_c(&r->j, "status", "ok");
    json_end_object(&r->j);
    request_reply(r);
    return 0;
}

int handle_version(struct request *r, struct err *e)
{
    (void)e;
    json_begin_object(&r->j);
    json_key_c(&r->j, "name", "tailrace");
    json_key_c(&r->j, "version", VERSION);
#ifdef COMMIT
    json_key_c(&r->j, "commit", COMMIT);
#endif
    json_key_c(&r->j, "build", __VERSION__);
    json_end_object(&r->j);
    request_reply(r);
    return 0;
}

static void write_pools(struct json *j, const struct engine *g)
{
    struct pool_state pools[LIMIT_POOLS];
    int count = engine_pools(g, pools);
    json_key(j, "pools");
    json_begin_array(j);
    for (int i = 0; i < count; i++) {
        json_begin_object(j);
        json_key_c(j, "name", pools[i].name);
        json_key_int(j, "places", pools[i].places);
        json_key_int(j, "running", pools[i].running);
        json_key_int(j, "waiting", pools[i].waiting);
        json_end_object(j);
    }
    json_end_array(j);
}

static void write_queue(struct json *j, struct engine_figures f)
{
    json_key(j, "queue");
    json_begin_object(j);
    json_key_int(j, "pending_jobs", f.jobs_pending);
    json_key_int(j, "running_jobs", f.jobs_running);
    json_key_int(j, "pending_tasks", f.tasks_pending);
    json_key_int(j, "running_tasks", f.tasks_running);
    json_end_object(j);
}

/* How far what is durable lies behind what was written. */
static void write_lag(struct json *j, struct writer_figures f)
{
    json_key(j, "lag");
    json_begin_object(j);
    json_key_int(j, "oldest_uncommitted_us", f.oldest_us);
    json_key_int(j, "uncommitted_bytes", (int64_t)f.bytes);
    json_key_int(j, "commits", f.commits);
    json_key_int(j, "last_commit_us", f.last_us);
    json_key_int(j, "p50_commit_us", f.p50_us);
    json_key_int(j, "p99_commit_us", f.p99_us);
    json_end_object(j);
}

/* What only the loop thread may look at is written before the store is asked. */
static void write_state(struct json *j, struct server *s)
{
    const char *trouble = writer_trouble(s->writer);
    json_key_c(j, "state", s->draining ? "draining" : "running");
    json_key_c(j, "version", VERSION);
    json_key_c(j, "instance", s->instance);
    json_key_time(j, "started_at", s->started_at_us);
    json_key_int(j, "uptime_s", (clock_wall_us() - s->started_at_us) / 1000000);
    json_key_c(j, "trouble", trouble);
    space_json(s->space, j);
    json_key_int(j, "active_jobs", (int64_t)engine_active_jobs(s->engine));
    json_key_int(j, "jobs_removed", retention_removed(s->retention));
    json_key_int(j, "webhooks_waiting", (int64_t)webhooks_waiting(s->webhooks));
    json_key_int(j, "max_jobs", s->options->max_jobs);
    json_key_int(j, "max_family", s->options->max_family);
    write_pools(j, s->engine);
    json_key_int(j, "job_definitions", (int64_t)catalog_count(s->catalog));
    json_key_int(j, "viewers", (int64_t)viewers_count(s->viewers));
    json_key_int(j, "connections", (int64_t)http_connections(s->http));
    write_queue(j, engine_figures(s->engine));
    write_lag(j, writer_figures(s->writer));
}

static int write_store(struct json *j, struct store_reader *reader, const char *folder,
                       struct err *e)
{
    int64_t reusable = 0;
    int code = store_free_bytes(reader, &reusable, e);
    json_key(j, "store");
    json_begin_object(j);
    json_key_int(j, "events", (int64_t)store_read_as_of(reader));
    json_key_int(j, "data_bytes", space_folder_bytes(folder));
    json_key_int(j, "reusable_bytes", reusable);
    json_end_object(j);
    return code;
}

static int read_status(struct request *r, struct store_reader *reader, struct err *e)
{
    json_key(&r->j, "jobs");
    int code = tree_write_stats(reader, &r->j, e);
    if (code >= 0)
        code = write_store(&r->j, reader, r->server->options->data, e);
    encode_cursor(&r->j, "cursor", store_epoch(r->server->store), store_read_as_of(reader));
    json_end_object(&r->j);
    return code;
}

int handle_status(struct request *r, struct err *e)
{
    (void)e;
    json_begin_object(&r->j);
    write_state(&r->j, r->server);
    request_read(r, read_status, NULL);
    return 0;
}

int handle_openapi(struct request *r, struct err *e)
{
    (void)e;
    routes_write_openapi(&r->j);
    request_reply(r);
    return 0;
}
