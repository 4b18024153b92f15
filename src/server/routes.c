/* The table, and the two things that read it: finding a route, and telling about all. */
#include "server/routes.h"

#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "server/assets.h"

#define PAGE "limit offset"

static const struct route routes[] = {
    {"GET", "/", "*", BODY_NONE, handle_asset, "The page with all jobs"},
    {"GET", "/queue", "*", BODY_NONE, handle_asset, "The page with all jobs"},
    {"GET", "/jobs/{id}", "*", BODY_NONE, handle_asset, "The page of a job"},
    {"GET", "/jobs/{id}/read", "step page", BODY_NONE, handle_job_read,
     "Lines as plain pages, without scripts"},
    {"GET", "/definitions", "*", BODY_NONE, handle_asset, "The page with all definitions"},
    {"GET", "/definitions/{id}", "*", BODY_NONE, handle_asset, "The page of a definition"},
    {"GET", "/documents", "*", BODY_NONE, handle_asset, "The page with all documents"},
    {"GET", "/documents/{id}", "*", BODY_NONE, handle_asset, "The page of a document"},
    {"GET", "/favicon.svg", "*", BODY_NONE, handle_asset, "The page's sign"},
    {"GET", "/assets/{file}", "*", BODY_NONE, handle_asset, "What a page loads"},
    {"GET", "/ws", "", BODY_NONE, handle_ws, "The live protocol over a WebSocket"},

    {"GET", "/api/health", "", BODY_NONE, handle_health, "Is the server there?"},
    {"GET", "/api/version", "", BODY_NONE, handle_version, "What is running"},
    {"GET", "/api/status", "", BODY_NONE, handle_status, "State, uptime and counts"},
    {"GET", "/metrics", "", BODY_NONE, handle_metrics, "Figures in Prometheus' text format"},
    {"GET", "/api/openapi.json", "", BODY_NONE, handle_openapi, "This table as OpenAPI"},

    {"GET", "/api/job-definitions", "runs " PAGE, BODY_NONE, handle_definitions_list,
     "Job definitions by id; with the newest runs of each"},
    {"POST", "/api/job-definitions", "", BODY_DEFINITION, handle_definitions_add,
     "Adds a job definition"},
    {"POST", "/api/job-definitions/validate", "", BODY_DEFINITION, handle_definitions_validate,
     "Checks a job definition without keeping it"},
    {"GET", "/api/job-definitions/{id}", "", BODY_NONE, handle_definition_get,
     "One job definition"},
    {"PUT", "/api/job-definitions/{id}", "", BODY_DEFINITION, handle_definition_replace,
     "Replaces a job definition"},
    {"DELETE", "/api/job-definitions/{id}", "", BODY_NONE, handle_definition_delete,
     "Removes a job definition"},
    {"POST", "/api/job-definitions/{id}/execute", "", BODY_JSON, handle_definition_execute,
     "Starts a job; the body may hold parameters"},

    {"POST", "/api/job-definitions/{id}/pause", "", BODY_NONE, handle_definition_pause,
     "Its schedule starts nothing until it is resumed"},
    {"POST", "/api/job-definitions/{id}/resume", "", BODY_NONE, handle_definition_resume,
     "Its schedule goes on; what passed meanwhile has no jobs"},
    {"GET", "/api/schedule", "cron timezone from count", BODY_NONE, handle_schedule,
     "When a schedule would be due"},

    {"GET", "/api/jobs", "status definition q parent_id order_by order_dir " PAGE, BODY_NONE,
     handle_jobs_list, "Jobs, the newest first; with parent_id what is below it"},
    {"GET", "/api/jobs/stats", "", BODY_NONE, handle_jobs_stats, "How many jobs in each state"},
    {"GET", "/api/jobs/queue", "", BODY_NONE, handle_jobs_queue, "What waits and what runs"},
    {"GET", "/api/jobs/{id}", "", BODY_NONE, handle_job_get, "A job, a step or a task"},
    {"DELETE", "/api/jobs/{id}", "", BODY_NONE, handle_job_delete,
     "Removes a finished job with all its lines and documents"},
    {"GET", "/api/jobs/{id}/tree", "lines", BODY_NONE, handle_job_tree,
     "A job with its steps and their newest lines"},
    {"GET", "/api/jobs/{id}/children", "status " PAGE, BODY_NONE, handle_job_children,
     "The tasks of a job or a step"},
    {"GET", "/api/jobs/{id}/status", "", BODY_NONE, handle_job_status,
     "Progress of a job in numbers"},
    {"GET", "/api/jobs/{id}/logs", "step order limit level after before epoch", BODY_NONE,
     handle_job_logs, "Lines of a step, or of a whole job in the order of the log"},
    {"GET", "/api/jobs/{id}/logs/aggregated", "limit level after", BODY_NONE,
     handle_job_logs_aggregated, "Lines of a whole job, and who wrote them"},
    {"GET", "/api/jobs/{id}/logs.txt", "step level", BODY_NONE, handle_job_logs_text,
     "All lines as plain text"},
    {"GET", "/api/jobs/{id}/search", "step q regex case level order after before limit texts",
     BODY_NONE, handle_job_search, "Lines of a step that match words or a regular expression"},
    {"POST", "/api/jobs/{id}/cancel", "", BODY_JSON, handle_job_cancel,
     "Asks a job to end; the body may say who asks"},
    {"POST", "/api/jobs/{id}/rerun", "", BODY_JSON, handle_job_rerun,
     "Runs a job's definition again, as it was then; the body may hold parameters"},
    {"POST", "/api/steps/{id}/tasks/{task}/log", "", BODY_JSON, handle_errand_log,
     "Lines of a command that runs, with its token"},
    {"POST", "/api/steps/{id}/tasks/{task}/progress", "", BODY_JSON, handle_errand_progress,
     "How far it is, with its token"},
    {"POST", "/api/steps/{id}/tasks/{task}/output", "", BODY_JSON, handle_errand_output,
     "Outputs of its step, with its token"},
    {"POST", "/api/steps/{id}/tasks/{task}/spawn", "", BODY_JSON, handle_errand_spawn,
     "A further task of its step, with its token"},
    {"GET", "/api/jobs/{id}/results", PAGE, BODY_NONE, handle_job_results,
     "Documents that a job kept, with their text"},
    {"GET", "/api/documents", "q host job_id since facets " PAGE, BODY_NONE, handle_documents,
     "Documents of all jobs, the newest first, without their text"},
    {"GET", "/api/documents/{id}", "", BODY_NONE, handle_document_get, "One document"},

    {"GET", "/api/events", "topic since wait limit", BODY_NONE, handle_events,
     "Events of a topic after a cursor; waits for the next ones"},
    {"GET", "/api/events/stream", "topic since snapshot tail", BODY_NONE, handle_events_stream,
     "Events after a cursor, as an event stream that goes on (Server-Sent Events)"},
};

/* Takes the next part of a path, up to the next slash. */
static struct str part_cut(struct str *path)
{
    return str_cut(path, '/');
}

/* Does `path` have the form of `pattern`? Literal parts win over {..} by the order of calls. */
static bool path_matches(const char *pattern, struct str path, struct str params[ROUTE_PARAMS])
{
    struct str want = str_of(pattern);
    int count = 0;
    while (want.p && path.p) {
        struct str a = part_cut(&want), b = part_cut(&path);
        if (a.n && a.p[0] == '{') {
            ASSERT(count < ROUTE_PARAMS);
            if (b.n == 0)
                return false;
            params[count++] = b;
        } else if (!str_eq(a, b)) {
            return false;
        }
    }
    return !want.p && !path.p;
}

static bool method_serves(const char *route_method, const char *method)
{
    return strcmp(route_method, method) == 0 ||
           (strcmp(method, "HEAD") == 0 && strcmp(route_method, "GET") == 0);
}

static bool is_literal(const struct route *route)
{
    return !strchr(route->path, '{');
}

int routes_find(const char *method, struct str path, const struct route **ret_route,
                struct str params[ROUTE_PARAMS], char *allow, size_t allow_size, struct err *e)
{
    AUTO_BUF methods = BUF_INIT(64);
    bool literal = false; /* "/api/jobs/stats" is not a job with the id "stats" */
    for (size_t i = 0; i < ARRAY_LEN(routes); i++) {
        const struct route *route = &routes[i];
        struct str found[ROUTE_PARAMS] = {{0}};
        if (!path_matches(route->path, path, found) || (literal && !is_literal(route)))
            continue;
        if (method_serves(route->method, method)) {
            memcpy(params, found, sizeof(found));
            *ret_route = route;
            return 0;
        }
        literal = literal || is_literal(route);
        buf_printf(&methods, "%s%s%s", methods.n ? ", " : "", route->method,
                   strcmp(route->method, "GET") == 0 ? ", HEAD" : "");
    }
    text_copy(allow, allow_size, buf_text(&methods));
    if (methods.n)
        return fail(e, E_METHOD, "%.20s is not possible on %.*s; possible are %s", method,
                    (int)MIN(path.n, (size_t)200), path.p, allow);
    return fail(e, E_NOTFOUND,
                "there is nothing at %.*s; GET /api/openapi.json tells what there is",
                (int)MIN(path.n, (size_t)200), path.p);
}

bool route_has_query(const struct route *route, struct str name)
{
    struct str names = str_of(route->query);
    if (str_eq_c(names, "*"))
        return true;
    while (names.p) {
        struct str next = str_cut(&names, ' ');
        if (next.n && str_eq(next, name))
            return true;
    }
    return false;
}

/* ---- telling about them ---- */

static void write_parameter(struct json *j, const char *in, struct str name)
{
    json_begin_object(j);
    json_key_text(j, "name", name);
    json_key_c(j, "in", in);
    json_key_bool(j, "required", strcmp(in, "path") == 0);
    json_key_raw(j, "schema", STR("{\"type\":\"string\"}"));
    json_end_object(j);
}

static void write_parameters(struct json *j, const struct route *route)
{
    struct str path = str_of(route->path), names = str_of(route->query);
    json_key(j, "parameters");
    json_begin_array(j);
    while (path.p) {
        struct str part = part_cut(&path);
        if (part.n && part.p[0] == '{')
            write_parameter(j, "path", (struct str){part.p + 1, part.n - 2});
    }
    while (names.p) {
        struct str name = str_cut(&names, ' ');
        if (name.n && !str_eq_c(name, "*"))
            write_parameter(j, "query", name);
    }
    json_end_array(j);
}

static void write_body(struct json *j, enum route_body body)
{
    if (body == BODY_NONE)
        return;
    json_key_raw(j, "requestBody",
                 body == BODY_JSON
                     ? STR("{\"content\":{\"application/json\":{}}}")
                     : STR("{\"required\":true,\"content\":{\"application/yaml\":{},"
                           "\"application/json\":{}}}"));
}

static void write_operation(struct json *j, const struct route *route)
{
    char method[8] = "";
    for (size_t i = 0; route->method[i] && i + 1 < sizeof(method); i++)
        method[i] = text_lower(route->method[i]);
    json_key(j, method);
    json_begin_object(j);
    json_key_c(j, "summary", route->doc);
    write_parameters(j, route);
    write_body(j, route->body);
    json_key_raw(j, "responses", STR("{\"default\":{\"description\":\"see docs/api.md\"}}"));
    json_end_object(j);
}

void routes_write_openapi(struct json *j)
{
    json_begin_object(j);
    json_key_c(j, "openapi", "3.1.0");
    json_key(j, "info");
    json_begin_object(j);
    json_key_c(j, "title", "tailrace");
    json_key_c(j, "version", VERSION);
    json_end_object(j);
    json_key(j, "paths");
    json_begin_object(j);
    for (size_t i = 0; i < ARRAY_LEN(routes); i++) {
        if (i == 0 || strcmp(routes[i - 1].path, routes[i].path) != 0) {
            json_key(j, routes[i].path);
            json_begin_object(j);
        }
        write_operation(j, &routes[i]);
        if (i + 1 == ARRAY_LEN(routes) || strcmp(routes[i + 1].path, routes[i].path) != 0)
            json_end_object(j);
    }
    json_end_object(j);
    json_end_object(j);
}
