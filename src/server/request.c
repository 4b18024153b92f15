/* libmicrohttpd calls request_step() once for the head of a request, once for each piece of its
 * body, once when it is complete, and once after each resume. What the head is already wrong
 * about is kept in `failure` and answered when the body has been read (and thrown away),
 * because many clients only look at an answer after they have sent everything; a body that is
 * far too large is not waited for. */
#include "server/request.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/limits.h"
#include "base/log.h"
#include "base/mem.h"
#include "server/guard.h"
#include "server/http.h"

enum {
    BODY_PATIENCE_BYTES =
        32 * LIMIT_BODY_BYTES, /* of a body that is refused, so much is read */
};

static const char content_security[] =
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; font-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'";

/* ---- life ---- */

struct request *request_new(struct server *server, struct MHD_Connection *connection,
                            const char *method, const char *path)
{
    struct request *r = mem_alloc(sizeof(*r));
    *r = (struct request){
        .server = server,
        .connection = connection,
        .body = BUF_INIT(LIMIT_BODY_BYTES),
        .out = BUF_INIT(LIMIT_REPLY_BYTES),
        .tree = NODE_TREE_OF("request body"),
        .status = MHD_HTTP_OK,
    };
    r->j = JSON_TO(&r->out);
    r->method = arena_strdup(&r->arena, method);
    r->path = arena_strdup(&r->arena, path);
    return r;
}

void request_free(struct request *r)
{
    ASSERT(!r->suspended);
    if (r->response)
        MHD_destroy_response(r->response);
    node_tree_done(&r->tree);
    buf_done(&r->body);
    buf_done(&r->out);
    arena_done(&r->arena);
    free(r);
}

void request_suspend(struct request *r)
{
    if (r->suspended)
        return;
    r->suspended = true;
    http_suspended(r->server->http);
    MHD_suspend_connection(r->connection);
}

void request_resume(struct request *r)
{
    if (!r->suspended)
        return;
    r->suspended = false;
    http_resumed(r->server->http);
    MHD_resume_connection(r->connection);
}

/* ---- what came ---- */

struct str request_header(const struct request *r, const char *name)
{
    return str_of(MHD_lookup_connection_value(r->connection, MHD_HEADER_KIND, name));
}

struct str request_query(const struct request *r, const char *name)
{
    return str_of(MHD_lookup_connection_value(r->connection, MHD_GET_ARGUMENT_KIND, name));
}

int request_query_int(const struct request *r, const char *name, int64_t min, int64_t max,
                      int64_t fallback, int64_t *ret_value, struct err *e)
{
    struct str text = request_query(r, name);
    *ret_value = fallback;
    if (!text.p || str_to_int(text, min, max, ret_value))
        return 0;
    if (max == INT64_MAX)
        return fail_field(e, E_INVAL, name, "%s is a number from %lld, not '%.*s'", name,
                          (long long)min, (int)MIN(text.n, (size_t)64), text.p);
    return fail_field(e, E_INVAL, name, "%s is a number from %lld to %lld, not '%.*s'", name,
                      (long long)min, (long long)max, (int)MIN(text.n, (size_t)64), text.p);
}

int request_query_choice(const struct request *r, const char *name, const char *const *choices,
                         int *ret_index, struct err *e)
{
    AUTO_BUF list = BUF_INIT(256);
    struct str text = request_query(r, name);
    *ret_index = 0;
    if (!text.p)
        return 0;
    for (int i = 0; choices[i]; i++) {
        if (str_eq_c(text, choices[i])) {
            *ret_index = i;
            return 0;
        }
        buf_printf(&list, "%s%s", i ? ", " : "", choices[i]);
    }
    return fail_field(e, E_INVAL, name, "%s is one of %s, not '%.*s'", name, buf_text(&list),
                      (int)MIN(text.n, (size_t)64), text.p);
}

int request_query_bool(const struct request *r, const char *name, bool fallback,
                       bool *ret_value, struct err *e)
{
    static const char *const choices[] = {"false", "true", NULL};
    int index = fallback;
    int code = request_query(r, name).p ? request_query_choice(r, name, choices, &index, e) : 0;
    *ret_value = index;
    return code;
}

int request_page(const struct request *r, int64_t fallback, int64_t *ret_limit,
                 int64_t *ret_offset, struct err *e)
{
    int code = request_query_int(r, "limit", 1, LIMIT_PAGE_ROWS, fallback, ret_limit, e);
    return code < 0 ? code : request_query_int(r, "offset", 0, INT64_MAX, 0, ret_offset, e);
}

int request_id(const struct request *r, const char *noun, struct id *ret_id, struct err *e)
{
    struct str text = r->params[0];
    if (id_parse(text, ret_id) && !id_is_none(*ret_id))
        return 0;
    return fail(e, E_NOTFOUND, "there is no %s '%.*s'", noun, (int)MIN(text.n, (size_t)64),
                text.p);
}

/* ---- the answer ---- */

static void add_header(struct MHD_Response *response, const char *name, const char *value)
{
    ASSERT(MHD_add_response_header(response, name, value) == MHD_YES);
}

void request_reply_response(struct request *r, int status, struct MHD_Response *response)
{
    ASSERT(response && !r->response);
    add_header(response, "Content-Security-Policy", content_security);
    add_header(response, "X-Content-Type-Options", "nosniff");
    add_header(response, "Referrer-Policy", "no-referrer");
    if (r->etag)
        add_header(response, "ETag", r->etag);
    if (r->immutable && status == MHD_HTTP_OK)
        add_header(response, "Cache-Control", "private, max-age=31536000, immutable");
    if (!MHD_get_response_header(response, "Cache-Control"))
        add_header(response, "Cache-Control", "no-store");
    r->status = status;
    r->response = response;
    request_resume(r);
}

static struct MHD_Response *take_json(struct request *r)
{
    size_t n = r->out.n;
    struct MHD_Response *response =
        MHD_create_response_from_buffer(n, buf_take(&r->out), MHD_RESPMEM_MUST_FREE);
    ASSERT(response);
    add_header(response, "Content-Type", "application/json; charset=utf-8");
    return response;
}

void request_write_error(struct json *j, const struct err *e)
{
    json_key_c(j, "error", e->text);
    json_key_c(j, "code", err_code_name(e->code));
    if (e->field[0])
        json_key_c(j, "field", e->field);
    if (e->line)
        json_key_int(j, "line", e->line);
    if (e->column)
        json_key_int(j, "column", e->column);
}

void request_fail(struct request *r, const struct err *e)
{
    int status = err_http_status(e->code);
    if (status >= 500 || r->begun)
        log_warn("%s %s: %s", r->method, r->path, e->text);
    if (r->begun) { /* all there is left to say is that it is not complete */
        r->broken = true;
        request_resume(r);
        return;
    }
    buf_clear(&r->out);
    r->j = JSON_TO(&r->out);
    json_begin_object(&r->j);
    request_write_error(&r->j, e);
    json_end_object(&r->j);
    struct MHD_Response *response = take_json(r);
    if (e->code == E_METHOD)
        add_header(response, "Allow", r->allow);
    if (r->server->draining)
        add_header(response, "Connection", "close");
    if (e->code == E_UPGRADE) {
        add_header(response, "Upgrade", "websocket");
        add_header(response, "Sec-WebSocket-Version", "13");
    }
    request_reply_response(r, status, response);
}

/* The answer that was written, or what became of it. */
static bool written(struct request *r)
{
    struct err e;
    if (!r->out.overflow)
        return true;
    (void)fail_field(&e, E_INVAL, "limit",
                     "the answer would be larger than %d MiB; ask for less with limit",
                     LIMIT_REPLY_BYTES >> 20);
    request_fail(r, &e);
    return false;
}

void request_reply(struct request *r)
{
    if (written(r))
        request_reply_response(r, r->status, take_json(r));
}

static void on_commit(void *arg)
{
    request_reply(arg);
}

void request_reply_committed(struct request *r)
{
    request_suspend(r);
    writer_after_commit(r->server->writer, on_commit, r);
}

/* ---- asking the store ---- */

static void on_work(uv_work_t *work)
{
    struct request *r = container_of(work, struct request, work);
    struct store_reader *reader;
    r->code = store_read_begin(r->server->store, &reader, &r->err);
    if (r->code < 0)
        return;
    r->code = r->read(r, reader, &r->err);
    store_read_end(reader);
}

static void on_work_done(uv_work_t *work, int status)
{
    struct request *r = container_of(work, struct request, work);
    ASSERT(status == 0);
    int code = r->code; /* r->code is the pool's again when then() asks the store once more */
    if (code >= 0 && !r->then)
        request_reply(r);
    else if (code >= 0)
        code = r->then(r, &r->err);
    if (code < 0)
        request_fail(r, &r->err);
}

void request_read(struct request *r,
                  int (*read)(struct request *r, struct store_reader *reader, struct err *e),
                  int (*then)(struct request *r, struct err *e))
{
    request_suspend(r);
    r->read = read;
    r->then = then;
    ASSERT(uv_queue_work(&r->server->loop, &r->work, on_work, on_work_done) == 0);
}

/* ---- the doors ---- */

static bool is_read(const struct request *r)
{
    return strcmp(r->method, "GET") == 0 || strcmp(r->method, "HEAD") == 0;
}

static int check_origin(struct request *r, struct err *e)
{
    r->host = request_header(r, "Host");
    struct str origin = request_header(r, "Origin");
    int code = r->host.p ? guard_check_host(r->host, http_host(r->server->http), e) : 0;
    if (code < 0 || !origin.p || (is_read(r) && strcmp(r->path, "/ws") != 0))
        return code;
    return guard_check_origin(origin, r->host, e);
}

struct query_check {
    const struct request *request;
    struct err *e;
    int code;
};

static enum MHD_Result on_query(void *arg, enum MHD_ValueKind kind, const char *name,
                                const char *value)
{
    struct query_check *check = arg;
    (void)kind;
    if (!route_has_query(check->request->route, str_of(name)))
        check->code =
            fail_field(check->e, E_INVAL, name, "there is no query value '%.64s' here%s%s",
                       name, check->request->route->query[0] ? "; there are: " : "",
                       check->request->route->query);
    else if (!value)
        check->code = fail_field(check->e, E_INVAL, name, "%s has no value", name);
    return check->code < 0 ? MHD_NO : MHD_YES;
}

static int check_query(const struct request *r, struct err *e)
{
    struct query_check check = {.request = r, .e = e};
    (void)MHD_get_connection_values(r->connection, MHD_GET_ARGUMENT_KIND, on_query, &check);
    return check.code;
}

static bool media_is(struct str type, const char *name)
{
    struct str media = str_trim(str_cut(&type, ';'));
    return media.n == strlen(name) && strncasecmp(media.p, name, media.n) == 0;
}

/* Only asked when there is a body. */
static int check_type(struct request *r, struct err *e)
{
    struct str type = request_header(r, "Content-Type");
    bool json = type.p && media_is(type, "application/json");
    bool yaml = type.p && (media_is(type, "application/yaml") || media_is(type, "text/yaml") ||
                           media_is(type, "application/x-yaml"));
    r->body_is_json = json;
    if (json || (yaml && r->route->body == BODY_DEFINITION))
        return 0;
    return fail(e, E_TYPE, "the body needs the header Content-Type: application/json%s",
                r->route->body == BODY_DEFINITION ? " or application/yaml" : "");
}

static int fail_body(struct err *e)
{
    return fail(e, E_TOOBIG, "the body is larger than %d KiB", LIMIT_BODY_BYTES >> 10);
}

/* What the head says, up to whether a body may come. */
static int request_route(struct request *r, struct err *e)
{
    int code = check_origin(r, e);
    if (code < 0)
        return code;
    code = routes_find(r->method, str_of(r->path), &r->route, r->params, r->allow,
                       sizeof(r->allow), e);
    return code < 0 ? code : check_query(r, e);
}

/* True when the answer need not wait for the body. */
static bool body_is_hopeless(struct request *r)
{
    struct str length = request_header(r, "Content-Length");
    int64_t n = 0;
    if (!length.p)
        return false;
    if (!str_to_int(length, 0, INT64_MAX, &n) || n > BODY_PATIENCE_BYTES)
        return true;
    return n > LIMIT_BODY_BYTES && request_header(r, "Expect").p;
}

static bool body_take(struct request *r, const char *bytes, size_t n)
{
    bool first = r->body_bytes == 0;
    r->body_bytes += n;
    if (!r->failure.code && r->route->body != BODY_NONE && first)
        (void)check_type(r, &r->failure);
    if (!r->failure.code && r->body_bytes > LIMIT_BODY_BYTES)
        (void)fail_body(&r->failure);
    if (!r->failure.code && r->route->body != BODY_NONE)
        buf_add(&r->body, bytes, n);
    return r->body_bytes <= BODY_PATIENCE_BYTES;
}

static int parse_body(struct request *r, struct err *e)
{
    if (r->route->body == BODY_DEFINITION && r->body_bytes == 0)
        return fail(e, E_INVAL, "the body is empty; a definition was expected");
    if (r->route->body != BODY_JSON || r->body_bytes == 0)
        return 0;
    int code = node_read_json(&r->tree, buf_str(&r->body), e);
    if (code < 0)
        return code;
    if (!r->tree.root || r->tree.root->kind != NODE_MAP)
        return fail(e, E_INVAL, "the body is not a JSON object");
    r->json = r->tree.root;
    return 0;
}

static void request_handle(struct request *r)
{
    struct err e = r->failure;
    int code = e.code ? e.code : parse_body(r, &e);
    if (code >= 0 && r->server->draining) /* on a connection that was kept alive */
        code = fail(&e, E_BUSY, "the server is stopping");
    if (code >= 0)
        code = r->route->handle(r, &e);
    if (code < 0)
        request_fail(r, &e);
    ASSERT(r->response || r->suspended);
}

static enum MHD_Result request_send(struct request *r)
{
    enum MHD_Result result =
        MHD_queue_response(r->connection, (unsigned)r->status, r->response);
    MHD_destroy_response(r->response);
    r->response = NULL;
    return result;
}

enum MHD_Result request_step(struct request *r, const char *upload, size_t *upload_n)
{
    if (!r->routed) {
        r->routed = true;
        (void)request_route(r, &r->failure);
        if (!body_is_hopeless(r))
            return MHD_YES;
        if (!r->failure.code)
            (void)fail_body(&r->failure);
    } else if (*upload_n) {
        size_t n = *upload_n;
        *upload_n = 0;
        return body_take(r, upload, n) ? MHD_YES : MHD_NO;
    }
    if (!r->handled) {
        r->handled = true;
        request_handle(r);
    }
    return r->response && !r->suspended ? request_send(r) : MHD_YES;
}
