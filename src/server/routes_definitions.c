/* Job definitions. The catalog lives on the loop thread, so only their runs are asked of the
 * store; what changes something answers when the change is durable. */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/mem.h"
#include "feed/encode.h"
#include "server/answer.h"
#include "server/chronicle.h"
#include "server/given.h"
#include "server/request.h"
#include "worker/worker.h"

static enum definition_format body_format(const struct request *r)
{
    return r->body_is_json ? DEFINITION_JSON : DEFINITION_YAML;
}

enum { NEXT_RUNS = 5 };

/* Without the braces. */
static void write_members(struct request *r, const struct catalog_entry *entry)
{
    const struct definition *d = entry->definition;
    struct schedule_state schedule = schedules_state(r->server->schedules, d->id);
    struct json *j = &r->j;
    definition_json_members(d, j);
    definition_json_next_runs(d, clock_wall_us(),
                              schedule.paused || !d->enabled ? 0 : NEXT_RUNS, j);
    json_key_bool(j, "paused", schedule.paused);
    json_key_time(j, "queued_run", schedule.queued_at_us);
    json_key_c(j, "file", entry->file ? entry->file : "");
    json_key_time(j, "created_at", entry->created_at_us);
    json_key_time(j, "updated_at", entry->updated_at_us);
}

static void write_entry(struct request *r, const struct catalog_entry *entry)
{
    json_begin_object(&r->j);
    write_members(r, entry);
    json_end_object(&r->j);
}

/* params[0] as text with a NUL. */
static const char *param_text(struct request *r)
{
    return arena_str(&r->arena, r->params[0]);
}

static int find_entry(struct request *r, struct catalog_entry **ret_entry, struct err *e)
{
    const char *id = param_text(r);
    *ret_entry = catalog_find(r->server->catalog, id);
    return *ret_entry ? 0 : fail(e, E_NOTFOUND, "there is no job definition '%.64s'", id);
}

/* ---- the list ---- */

enum { RUNS_MAX = 20 };

/* A page of the catalog. The newest runs are in the store, so they are read on the pool; the
 * catalog is looked at on the loop, before for the ids and after it for the rest. */
struct catalog_page {
    int64_t limit, offset, runs;
    const char **ids;
    struct job_row ***jobs; /* of each id, the newest first; NULL: runs were not asked for */
    size_t *job_counts, count;
};

static void page_take_ids(struct request *r, struct catalog_page *page)
{
    const struct catalog *catalog = r->server->catalog;
    int64_t total = (int64_t)catalog_count(catalog);
    int64_t rest = page->offset < total ? total - page->offset : 0;
    page->count = (size_t)MIN(rest, page->limit);
    page->ids = arena_alloc(&r->arena, page->count * sizeof(*page->ids));
    for (size_t i = 0; i < page->count; i++) {
        struct catalog_entry *entry = catalog_at(catalog, (size_t)page->offset + i);
        page->ids[i] = arena_strdup(&r->arena, entry->definition->id);
    }
}

static int read_runs(struct request *r, struct store_reader *reader, struct err *e)
{
    struct catalog_page *page = r->arg;
    page->jobs = arena_alloc(&r->arena, page->count * sizeof(*page->jobs));
    page->job_counts = arena_alloc(&r->arena, page->count * sizeof(*page->job_counts));
    int code = 0;
    for (size_t i = 0; i < page->count && code >= 0; i++) {
        struct job_query q = {
            .definition_id = page->ids[i], .descending = true, .limit = page->runs};
        int64_t total;
        code = store_list_jobs(reader, &q, &r->arena, &page->jobs[i], &page->job_counts[i],
                               &total, e);
    }
    return code;
}

static void write_runs(struct job_row *const *jobs, size_t count, struct json *j)
{
    json_key(j, "runs");
    json_begin_array(j);
    for (size_t i = 0; i < count; i++) {
        json_begin_object(j);
        json_key_id(j, "job_id", jobs[i]->id);
        json_key_c(j, "status", job_state_name(jobs[i]->status));
        json_key_time(j, "created_at", jobs[i]->created_at_us);
        encode_times(j, jobs[i]->started_at_us, jobs[i]->completed_at_us);
        json_end_object(j);
    }
    json_end_array(j);
}

static int reply_list(struct request *r, struct err *e)
{
    const struct catalog_page *page = r->arg;
    const struct catalog *catalog = r->server->catalog;
    (void)e;
    json_begin_object(&r->j);
    json_key(&r->j, "job_definitions");
    json_begin_array(&r->j);
    for (size_t i = 0; i < page->count; i++) {
        struct catalog_entry *entry = catalog_find(catalog, page->ids[i]);
        if (!entry) /* removed while the runs were read */
            continue;
        json_begin_object(&r->j);
        write_members(r, entry);
        if (page->jobs)
            write_runs(page->jobs[i], page->job_counts[i], &r->j);
        json_end_object(&r->j);
    }
    json_end_array(&r->j);
    answer_write_page(&r->j, (int64_t)catalog_count(catalog), page->limit, page->offset);
    json_end_object(&r->j);
    request_reply(r);
    return 0;
}

int handle_definitions_list(struct request *r, struct err *e)
{
    struct catalog_page *page = arena_alloc(&r->arena, sizeof(*page));
    r->arg = page;
    int code = request_page(r, LIMIT_PAGE_ROWS, &page->limit, &page->offset, e);
    if (code >= 0)
        code = request_query_int(r, "runs", 0, RUNS_MAX, 0, &page->runs, e);
    if (code < 0)
        return code;
    page_take_ids(r, page);
    if (page->runs == 0)
        return reply_list(r, e);
    request_read(r, read_runs, reply_list);
    return 0;
}

/* ---- one ---- */

/* The version of a definition, as an ETag: when it was changed last, to the microsecond. */
static const char *entry_tag(struct request *r, const struct catalog_entry *entry)
{
    char tag[24];
    (void)snprintf(tag, sizeof(tag), "\"%llx\"", (unsigned long long)entry->updated_at_us);
    return arena_strdup(&r->arena, tag);
}

int handle_definition_get(struct request *r, struct err *e)
{
    struct catalog_entry *entry;
    int code = find_entry(r, &entry, e);
    if (code < 0)
        return code;
    r->etag = entry_tag(r, entry);
    write_entry(r, entry);
    request_reply(r);
    return 0;
}

/* Is the definition the one that the request means to change (If-Match)? If not, this answers,
 * with the one that is there, and returns false. */
static bool is_meant(struct request *r)
{
    struct str meant = request_header(r, "If-Match");
    const struct catalog_entry *entry = catalog_find(r->server->catalog, param_text(r));
    if (!meant.p || !entry || str_eq_c(meant, "*") || str_eq_c(meant, entry_tag(r, entry)))
        return true; /* what is not there at all is told by whoever looks for it */
    r->status = err_http_status(E_CONFLICT);
    r->etag = entry_tag(r, entry);
    json_begin_object(&r->j);
    json_key_c(&r->j, "error", "the definition was changed by somebody else meanwhile");
    json_key_c(&r->j, "code", err_code_name(E_CONFLICT));
    json_key(&r->j, "definition");
    write_entry(r, entry);
    json_end_object(&r->j);
    request_reply(r);
    return false;
}

static void reply_changed(struct request *r, struct catalog_entry *entry, const char *event)
{
    const struct definition *d = entry->definition;
    chronicle_add(r->server, LEVEL_INFO, event, d->id, "definition '%s' is kept", d->name);
    schedules_changed(r->server->schedules);
    r->etag = entry_tag(r, entry);
    write_entry(r, entry);
    request_reply_committed(r);
}

int handle_definitions_add(struct request *r, struct err *e)
{
    struct catalog_entry *entry;
    int code = catalog_add(r->server->catalog, buf_str(&r->body), body_format(r), &entry, e);
    if (code < 0)
        return code;
    r->status = MHD_HTTP_CREATED;
    reply_changed(r, entry, "definition_added");
    return 0;
}

int handle_definition_replace(struct request *r, struct err *e)
{
    struct catalog_entry *entry;
    if (!is_meant(r))
        return 0;
    int code = catalog_replace(r->server->catalog, param_text(r), buf_str(&r->body),
                               body_format(r), &entry, e);
    if (code < 0)
        return code;
    reply_changed(r, entry, "definition_replaced");
    return 0;
}

int handle_definition_delete(struct request *r, struct err *e)
{
    if (!is_meant(r))
        return 0;
    int code = catalog_remove(r->server->catalog, param_text(r), e);
    if (code < 0)
        return code;
    r->status = MHD_HTTP_NO_CONTENT;
    schedules_forget(r->server->schedules, param_text(r));
    chronicle_add(r->server, LEVEL_INFO, "definition_removed", param_text(r),
                  "the definition was removed");
    request_reply_committed(r);
    return 0;
}

int handle_definitions_validate(struct request *r, struct err *e)
{
    struct definition_input in = {
        .text = buf_str(&r->body),
        .origin = "request body",
        .format = body_format(r),
        .schemas = worker_schemas(),
        .pools = &r->server->options->pools,
    };
    struct definition *d = NULL;
    int code = definition_parse(&in, &d, e);
    json_begin_object(&r->j);
    json_key_bool(&r->j, "valid", code >= 0);
    if (code < 0) {
        r->status = err_http_status(code);
        request_write_error(&r->j, e);
    } else {
        definition_json_members(d, &r->j);
        definition_json_next_runs(d, clock_wall_us(), NEXT_RUNS, &r->j);
    }
    json_end_object(&r->j);
    definition_free(d);
    request_reply(r);
    return 0;
}

/* ---- its schedule ---- */

static int pause_set(struct request *r, bool paused, struct err *e)
{
    struct catalog_entry *entry;
    int code = find_entry(r, &entry, e);
    if (code >= 0)
        code = schedules_pause(r->server->schedules, entry->definition, paused, e);
    if (code < 0)
        return code;
    chronicle_add(r->server, LEVEL_INFO, paused ? "schedule_paused" : "schedule_resumed",
                  entry->definition->id, "the schedule of '%s' %s", entry->definition->name,
                  paused ? "is paused" : "goes on");
    write_entry(r, entry);
    request_reply_committed(r);
    return 0;
}

int handle_definition_pause(struct request *r, struct err *e)
{
    return pause_set(r, true, e);
}

int handle_definition_resume(struct request *r, struct err *e)
{
    return pause_set(r, false, e);
}

int handle_definition_execute(struct request *r, struct err *e)
{
    struct catalog_entry *entry;
    struct given given = {0};
    struct id job_id;
    int code = find_entry(r, &entry, e);
    if (code >= 0)
        code = given_read(r, false, &given, e);
    if (code >= 0 && !entry->definition->enabled)
        return fail(e, E_INVAL, "job definition '%s' is not enabled", entry->definition->id);
    if (code >= 0)
        code = engine_execute(r->server->engine, entry->definition, &given.start, &job_id, e);
    if (code < 0)
        return code;
    given_reply_started(r, job_id, entry->definition->name);
    return 0;
}
