/* request.h: one HTTP request, from its head to its answer.
 *
 * The happy path: routed -> body collected -> handled -> answered. A handler that needs the
 * store asks with request_read(), which suspends the connection, runs a function on the pool
 * with a reader, and answers what that wrote. Whoever changes something answers with
 * request_reply_committed(), so that an answer is as durable as an event.
 *
 * A client that goes away while an answer is pending is noticed when the request is resumed: a
 * suspended request is never freed. Thread: loop, but for `read` functions. */
#pragma once

#include <microhttpd.h>
#include <uv.h>

#include "base/arena.h"
#include "base/json.h"
#include "job/node.h"
#include "server/routes.h"
#include "server/server.h"

struct request {
    struct server *server;
    struct MHD_Connection *connection;
    const struct route *route;
    const char *method, *path;       /* in the arena */
    struct str params[ROUTE_PARAMS]; /* in the path */
    struct str host;
    const struct node *json; /* BODY_JSON: a map, or NULL when there was no body */
    struct buf body;         /* BODY_DEFINITION */
    bool body_is_json;       /* BODY_DEFINITION */
    struct arena arena;      /* what lives as long as the request */
    void *arg;               /* the handler's, mostly in the arena */

    struct buf out; /* the answer as it is written, through j */
    struct json j;
    int status;       /* of the answer, 200 */
    const char *etag; /* of the answer, with its quotes; NULL: none */
    bool immutable;   /* the answer is the same for ever: browsers may keep it */

    /* request.c's own */
    struct MHD_Response *response;
    struct node_tree tree;
    struct err failure; /* found before the body was read; answered after it */
    char allow[64];
    size_t body_bytes;
    bool routed, handled, suspended;
    bool begun, broken; /* a streamed answer has begun; and cannot be completed */
    uv_work_t work;
    int (*read)(struct request *r, struct store_reader *reader, struct err *e);
    int (*then)(struct request *r, struct err *e);
    int code;
    struct err err;
};

/* For http.c. `path` is decoded. */
struct request *request_new(struct server *server, struct MHD_Connection *connection,
                            const char *method, const char *path);
void request_free(struct request *r);

/* One step: what libmicrohttpd's handler is called for. MHD_NO ends the connection. */
enum MHD_Result request_step(struct request *r, const char *upload, size_t *upload_n);

/* ---- what came ---- */

struct str request_header(const struct request *r, const char *name); /* p NULL: none */
struct str request_query(const struct request *r, const char *name);  /* p NULL: none */

/* A number; `fallback` when it is not there. E_INVAL names the field. */
CHECKED int request_query_int(const struct request *r, const char *name, int64_t min,
                              int64_t max, int64_t fallback, int64_t *ret_value, struct err *e);
CHECKED int request_query_bool(const struct request *r, const char *name, bool fallback,
                               bool *ret_value, struct err *e);

/* Index in `choices` (NULL-terminated); 0 when it is not there. */
CHECKED int request_query_choice(const struct request *r, const char *name,
                                 const char *const *choices, int *ret_index, struct err *e);

/* limit (up to LIMIT_PAGE_ROWS) and offset. */
CHECKED int request_page(const struct request *r, int64_t fallback, int64_t *ret_limit,
                         int64_t *ret_offset, struct err *e);

/* params[0] as an id; E_NOTFOUND when it is none ("there is no job 'x'"). */
CHECKED int request_id(const struct request *r, const char *noun, struct id *ret_id,
                       struct err *e);

/* ---- the answer ---- */

/* Answers what was written to r->j, with r->status. */
void request_reply(struct request *r);

/* The same when everything that is in the current batch is durable. */
void request_reply_committed(struct request *r);

/* {"error":…,"code":…,"field"?,"line"?,"column"?} */
void request_fail(struct request *r, const struct err *e);

/* Writes those members (without braces). */
void request_write_error(struct json *j, const struct err *e);

/* Any other answer; takes the response. */
void request_reply_response(struct request *r, int status, struct MHD_Response *response);

/* Runs `read` on the pool; it may look at and write to everything of *r but call no request_*()
 * function that answers. Then, on the loop, `then` when it is not NULL (it answers, or asks
 * again), else request_reply(). A negative result becomes the answer. */
void request_read(struct request *r,
                  int (*read)(struct request *r, struct store_reader *reader, struct err *e),
                  int (*then)(struct request *r, struct err *e));

/* The connection waits until request_resume(). Both may be called twice. */
void request_suspend(struct request *r);
void request_resume(struct request *r);
