/* routes.h: which requests there are. The table in routes.c is the documentation: GET
 * /api/openapi.json is generated from it, and a query value that it does not list is refused.
 *
 * A handler gets a request that passed all doors: Host and Origin, method, query names, body.
 * It answers with request_reply() and its siblings, now or later, and returns 0; or it returns
 * E_* with a sentence, which becomes the answer. Thread: loop. */
#pragma once

#include "base/err.h"
#include "base/text.h"

struct request;
struct json;

enum route_body {
    BODY_NONE,       /* what comes is not looked at */
    BODY_JSON,       /* an object, or nothing at all */
    BODY_DEFINITION, /* YAML or JSON, see request_definition() */
};

enum {
    ROUTE_PARAMS = 2 /* {id} ... in a path, at most */
};

struct route {
    const char *method;
    const char *path;  /* "/api/jobs/{id}/logs" */
    const char *query; /* names, with a space between them; "*": any */
    enum route_body body;
    int (*handle)(struct request *r, struct err *e);
    const char *doc; /* one line */
};

/* The route of a request. Fills params[] with what stands for {..}. E_NOTFOUND; E_METHOD fills
 * `allow` (for the header). HEAD is served by GET. */
CHECKED int routes_find(const char *method, struct str path, const struct route **ret_route,
                        struct str params[ROUTE_PARAMS], char *allow, size_t allow_size,
                        struct err *e);

/* Is `name` one of the route's query values? */
bool route_has_query(const struct route *route, struct str name);

/* The table as OpenAPI 3.1. */
void routes_write_openapi(struct json *j);

/* ---- the handlers, by file ---- */

/* routes_status.c */
int handle_health(struct request *r, struct err *e);
int handle_version(struct request *r, struct err *e);
int handle_status(struct request *r, struct err *e);
int handle_openapi(struct request *r, struct err *e);

/* routes_definitions.c */
int handle_definitions_list(struct request *r, struct err *e);
int handle_definitions_add(struct request *r, struct err *e);
int handle_definitions_validate(struct request *r, struct err *e);
int handle_definition_get(struct request *r, struct err *e);
int handle_definition_replace(struct request *r, struct err *e);
int handle_definition_delete(struct request *r, struct err *e);
int handle_definition_execute(struct request *r, struct err *e);
int handle_definition_pause(struct request *r, struct err *e);
int handle_definition_resume(struct request *r, struct err *e);
int handle_schedule(struct request *r, struct err *e);

/* routes_metrics.c */
int handle_metrics(struct request *r, struct err *e);

/* routes_jobs.c */
int handle_jobs_list(struct request *r, struct err *e);
int handle_jobs_stats(struct request *r, struct err *e);
int handle_jobs_queue(struct request *r, struct err *e);
int handle_job_get(struct request *r, struct err *e);
int handle_job_tree(struct request *r, struct err *e);
int handle_job_children(struct request *r, struct err *e);
int handle_job_status(struct request *r, struct err *e);

/* routes_job_actions.c */
int handle_job_rerun(struct request *r, struct err *e);
int handle_job_cancel(struct request *r, struct err *e);
int handle_job_delete(struct request *r, struct err *e);

/* routes_errands.c */
int handle_errand_log(struct request *r, struct err *e);
int handle_errand_progress(struct request *r, struct err *e);
int handle_errand_output(struct request *r, struct err *e);
int handle_errand_spawn(struct request *r, struct err *e);

/* routes_logs.c */
int handle_job_logs(struct request *r, struct err *e);
int handle_job_logs_aggregated(struct request *r, struct err *e);

/* routes_logs_text.c */
int handle_job_logs_text(struct request *r, struct err *e);
int handle_job_read(struct request *r, struct err *e);
int handle_job_search(struct request *r, struct err *e);

/* routes_documents.c */
int handle_job_results(struct request *r, struct err *e);
int handle_documents(struct request *r, struct err *e);
int handle_document_get(struct request *r, struct err *e);

/* routes_events.c */
int handle_events(struct request *r, struct err *e);

/* routes_stream.c */
int handle_events_stream(struct request *r, struct err *e);

/* routes_ws.c */
int handle_ws(struct request *r, struct err *e);
