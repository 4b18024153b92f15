/* The happy path of a request: it is sent, the answer comes, its line and the lines of its text
 * are written, the handle closes, done().
 *
 *     task_start() → request_send() → on_answer() → text_say() → request_end() → done()
 *                        ↑   redirect   ↓
 *
 * An answer can have a million lines: so many at a time are written that others have their
 * turn, and none while the store is behind.
 *
 * Every end goes through the closing of the timer, so that done() never runs inside
 * task_start() or task_stop(). */
#include "worker/http.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/fault.h"
#include "base/limits.h"
#include "base/list.h"
#include "base/mem.h"
#include "job/secret.h"
#include "worker/http_output.h"
#include "worker/web/fetch.h"
#include "worker/web/status.h"
#include "worker/web/url.h"

enum { HEADER_MAX_BYTES = 16 * 1024, LINES_PER_TURN = 500, EXPECTED_SHOWN = 8 };

/* Statuses from `first` to `last`. */
struct range {
    int first, last;
};

/* What a task asks. */
struct asked {
    struct buf url; /* normalised; as all that is sent, with secrets filled in */
    struct buf body;
    char **headers; /* "Name: value", NULL at the end */
    struct range *expected;
    size_t expected_count;
};

struct http {
    struct fetcher *fetcher;
    struct list requests; /* struct request.link: those under way */
};

struct request {
    struct list link;
    struct worker_task *task;
    struct asked asked;
    struct fetch fetch;
    struct buf url; /* where it is now: redirects lead on */
    const char *method;
    struct str content;
    int64_t redirects;
    struct str text;  /* of the answer, still to be written */
    uv_timer_t timer; /* for the next turn's lines; its closing ends the task */
    enum job_state outcome;
    struct buf cause;
};

static const char *const methods[] = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", NULL};

/* ---- what is asked ---- */

static bool is_token(const char *name)
{
    for (const char *c = name; *c; c++)
        if (!text_is_alnum(*c) && !strchr("!#$%&'*+-.^_`|~", *c))
            return false;
    return *name != 0;
}

static bool is_field_value(const char *value)
{
    for (const char *c = value; *c; c++)
        if (((unsigned char)*c < 0x20 && *c != '\t') || *c == 0x7f)
            return false;
    return true;
}

static int url_check(const char *key, const char *text, struct err *e)
{
    AUTO_BUF url = BUF_INIT(LIMIT_TASK_KEY_BYTES);
    (void)key;
    if (secret_is_in(text))
        return 0; /* looked at when it is known */
    return url_resolve(str_of(text), STR(""), &url, e);
}

static int header_check(const char *name, const char *value, struct err *e)
{
    static const char *const own[] = {"Connection", "Content-Length", "Transfer-Encoding"};
    if (!is_token(name))
        return fail(e, E_INVAL, "'%s' cannot be the name of a header", name);
    for (size_t i = 0; i < ARRAY_LEN(own); i++)
        if (strcasecmp(name, own[i]) == 0)
            return fail(e, E_INVAL, "%s is set by tailrace itself", own[i]);
    if (!is_field_value(value) || strlen(value) > HEADER_MAX_BYTES)
        return fail(e, E_INVAL, "expected one line without control characters, at most %d KiB",
                    HEADER_MAX_BYTES / 1024);
    return 0;
}

/* "404", "2xx" or "200-299". */
static int range_read(const char *text, struct range *r, struct err *e)
{
    struct str rest = str_trim(str_of(text)), whole = rest;
    if (whole.n == 3 && str_ends(whole, STR("xx")) && *whole.p >= '1' && *whole.p <= '5') {
        *r = (struct range){(*whole.p - '0') * 100, (*whole.p - '0') * 100 + 99};
        return 0;
    }
    int64_t first, last;
    bool fine = str_to_int(str_trim(str_cut(&rest, '-')), 100, 599, &first);
    last = first;
    if (!fine || (rest.p && !str_to_int(str_trim(rest), first, 599, &last)))
        return fail(e, E_INVAL, "expected statuses such as 200, 2xx or 200-299, found '%s'",
                    text);
    *r = (struct range){(int)first, (int)last};
    return 0;
}

static int status_check(const char *key, const char *text, struct err *e)
{
    struct range r;
    (void)key;
    return range_read(text, &r, e);
}

/* A value is checked once more: a secret may be in it. */
static int header_read(const struct worker_step *step, const struct settings *s, size_t i,
                       char **ret_header, struct err *e)
{
    const char *name = settings_key(s, "headers", i);
    AUTO_BUF room = BUF_INIT(LIMIT_DEFINITION_BYTES);
    struct err why;
    worker_fill(step, settings_item(s, "headers", i), &room);
    const char *value = buf_text(&room);
    if (header_check(name, value, &why) < 0)
        return fail(e, E_INVAL, "headers.%s: %s", name, why.text);
    /* libcurl leaves a header out that has no value, unless it ends with a semicolon */
    *ret_header = *value ? mem_printf("%s: %s", name, value) : mem_printf("%s;", name);
    return 0;
}

static int headers_read(struct asked *a, const struct worker_step *step,
                        const struct settings *s, struct err *e)
{
    size_t count = settings_count(s, "headers");
    int r = 0;
    a->headers = mem_alloc((count + 1) * sizeof(*a->headers));
    for (size_t i = 0; i < count && r >= 0; i++)
        r = header_read(step, s, i, &a->headers[i], e);
    return r;
}

static int url_read(struct asked *a, const struct worker_step *step, const struct settings *s,
                    struct err *e)
{
    AUTO_BUF room = BUF_INIT(LIMIT_DEFINITION_BYTES);
    struct err why;
    worker_fill(step, settings_text(s, "url"), &room);
    if (url_resolve(buf_str(&room), STR(""), &a->url, &why) < 0)
        return fail(e, E_INVAL, "url: %s", why.text);
    return 0;
}

static int body_read(struct asked *a, const struct worker_step *step, const struct settings *s,
                     struct err *e)
{
    worker_fill(step, settings_text(s, "body"), &a->body);
    return a->body.overflow ? fail(e, E_TOOBIG, "body: more than %d KiB with its secrets",
                                   (int)(a->body.max / 1024))
                            : 0;
}

static int expected_read(struct asked *a, const struct settings *s, struct err *e)
{
    size_t count = settings_count(s, "expect_status");
    a->expected_count = MAX(count, (size_t)1);
    a->expected = mem_alloc(a->expected_count * sizeof(*a->expected));
    a->expected[0] = (struct range){200, 299};
    for (size_t i = 0; i < count; i++) {
        int r = range_read(settings_item(s, "expect_status", i), &a->expected[i], e);
        if (r < 0)
            return r;
    }
    return 0;
}

static bool is_expected(const struct asked *a, int status)
{
    for (size_t i = 0; i < a->expected_count; i++)
        if (status >= a->expected[i].first && status <= a->expected[i].last)
            return true;
    return false;
}

static int asked_read(struct asked *a, const struct worker_step *step, const struct settings *s,
                      struct err *e)
{
    *a = (struct asked){.url = BUF_INIT(LIMIT_TASK_KEY_BYTES),
                        .body = BUF_INIT(LIMIT_BODY_BYTES)};
    int r = url_read(a, step, s, e);
    if (r == 0)
        r = headers_read(a, step, s, e);
    if (r == 0)
        r = body_read(a, step, s, e);
    return r == 0 ? expected_read(a, s, e) : r;
}

static void asked_done(struct asked *a)
{
    for (char **header = a->headers; header && *header; header++)
        free(*header);
    free(a->headers);
    free(a->expected);
    buf_done(&a->url);
    buf_done(&a->body);
}

/* ---- the end ---- */

static void on_timer_closed(uv_handle_t *handle)
{
    struct request *r = container_of((uv_timer_t *)handle, struct request, timer);
    struct worker_task *task = r->task;
    enum job_state outcome = r->outcome;
    AUTO_BUF cause = r->cause;
    list_remove(&r->link);
    fetch_clear(&r->fetch);
    asked_done(&r->asked);
    buf_done(&r->url);
    free(r);
    task->state = NULL;
    task->step->host->done(task, outcome, outcome == JOB_COMPLETED ? NULL : buf_text(&cause));
}

static void request_end(struct request *r, enum job_state outcome, const char *cause)
{
    r->outcome = outcome;
    buf_add_c(&r->cause, cause);
    uv_close((uv_handle_t *)&r->timer, on_timer_closed);
}

/* ---- the answer ---- */

static bool is_text(const char *content_type)
{
    char room[64];
    struct str type = fetch_media_type(content_type, room);
    return type.n == 0 || str_starts(type, STR("text/")) || str_ends(type, STR("json")) ||
           str_ends(type, STR("xml")) || str_ends(type, STR("yaml")) ||
           str_ends(type, STR("javascript")) ||
           str_eq_c(type, "application/x-www-form-urlencoded");
}

/* What happened, in one line: "GET http://… 200 OK, application/json, 1.2 KB, 12 ms". */
static void answer_say(struct request *r, enum event_level level, const char *more)
{
    const struct fetch *f = &r->fetch;
    char room[64], size[32];
    struct str type = fetch_media_type(f->content_type, room);
    const char *reason = http_status_reason(f->status);
    text_bytes(f->bytes, size);
    worker_log(r->task->step, r->task, level, "%s %s %d%s%s, %.*s%s%s, %lld ms%s", r->method,
               buf_text(&r->url), f->status, *reason ? " " : "", reason, STR_ARG(type),
               type.n ? ", " : "", size, (long long)((f->duration_us + 500) / 1000), more);
}

/* "2xx", or what `expect_status` says: "200, 202 or 409". */
static void expected_say(const struct settings *s, struct buf *out)
{
    size_t count = settings_count(s, "expect_status"),
           shown = MIN(count, (size_t)EXPECTED_SHOWN);
    for (size_t i = 0; i < shown; i++)
        buf_printf(out, "%s%s",
                   i == 0           ? ""
                   : i + 1 == count ? " or "
                                    : ", ",
                   settings_item(s, "expect_status", i));
    buf_add_c(out, count == 0 ? "2xx" : shown < count ? " …" : "");
}

static void answer_end(struct request *r)
{
    int status = r->fetch.status;
    const char *reason = http_status_reason(status);
    AUTO_BUF cause = BUF_INIT(LIMIT_LINE_BYTES);
    buf_printf(&cause, "HTTP %d%s%s, expected ", status, *reason ? " " : "", reason);
    expected_say(r->task->step->settings, &cause);
    bool good = is_expected(&r->asked, status);
    struct err e;
    if (good && http_outputs_say(r->task, status, buf_str(&r->fetch.body), &e) < 0) {
        worker_log(r->task->step, r->task, LEVEL_ERROR, "%s", e.text);
        request_end(r, JOB_FAILED, e.text);
        return;
    }
    request_end(r, good ? JOB_COMPLETED : JOB_FAILED, buf_text(&cause));
}

static void on_turn(uv_timer_t *timer);

/* Writes lines of the answer until it is enough for now, and ends the request after the last.
 */
static void text_say(struct request *r)
{
    struct worker_step *step = r->task->step;
    enum event_level level = is_expected(&r->asked, r->fetch.status) ? LEVEL_INFO : LEVEL_WARN;
    for (int i = 0; i < LINES_PER_TURN && r->text.n > 0; i++) {
        if (!step->host->may_write(step))
            return; /* http_step_resume() goes on */
        struct str line = str_cut(&r->text, '\n');
        if (line.n > 0 && line.p[line.n - 1] == '\r')
            line.n--;
        step->host->log(step, r->task, level, line);
    }
    if (r->text.n > 0)
        ASSERT(uv_timer_start(&r->timer, on_turn, 0, 0) == 0);
    else
        answer_end(r);
}

static void on_turn(uv_timer_t *timer)
{
    text_say(container_of(timer, struct request, timer));
}

static void answer_take(struct request *r)
{
    const struct fetch *f = &r->fetch;
    bool good = is_expected(&r->asked, f->status);
    bool shown = settings_bool(r->task->settings, "log_answer") && f->body.n > 0;
    bool text = shown && is_text(f->content_type);
    AUTO_BUF more = BUF_INIT(128);
    buf_add_c(&more, shown && !text ? ", no text" : "");
    buf_add_c(&more, f->too_large ? ", cut at max_size" : "");
    answer_say(r, good ? LEVEL_INFO : LEVEL_ERROR, buf_text(&more));
    r->text = text ? buf_str(&f->body) : (struct str){0};
    text_say(r);
}

static void request_fail(struct request *r, const char *why)
{
    worker_log(r->task->step, r->task, LEVEL_ERROR, "%s %s: %s", r->method, buf_text(&r->url),
               why);
    request_end(r, JOB_FAILED, why);
}

static void request_send(struct request *r);

/* Goes where an answer leads. As browsers do, another method than HEAD becomes GET, without a
 * body, after 301, 302 and 303. The headers and the body may hold secrets that are meant for
 * the server of `url` alone: they are not sent to any other. */
static void redirect_follow(struct request *r)
{
    struct fetch *f = &r->fetch;
    AUTO_BUF target = BUF_INIT(LIMIT_TASK_KEY_BYTES);
    struct err e;
    if (url_resolve(str_of(f->location), buf_str(&r->url), &target, &e) < 0) {
        AUTO_FREE char *why = mem_printf("a redirect that cannot be followed: %s", e.text);
        request_fail(r, why);
        return;
    }
    if (r->redirects++ >= settings_int(r->task->settings, "max_redirects")) {
        request_fail(r, "more redirects in a row than max_redirects");
        return;
    }
    AUTO_BUF more = BUF_INIT(LIMIT_TASK_KEY_BYTES + 16);
    buf_printf(&more, ", leads to %s", buf_text(&target));
    answer_say(r, LEVEL_INFO, buf_text(&more));
    if (f->status < 307 && strcmp(r->method, "HEAD") != 0) {
        r->method = "GET";
        r->content = (struct str){0};
    }
    struct url_parts from = url_split(buf_str(&r->asked.url)), to = url_split(buf_str(&target));
    if (!str_eq(from.origin, to.origin) && r->content.n > 0) {
        request_fail(r, "a redirect to another server, which the body is not meant for");
        return;
    }
    buf_clear(&r->url);
    buf_add_str(&r->url, buf_str(&target));
    request_send(r);
}

static void on_answer(struct fetch *f)
{
    struct request *r = container_of(f, struct request, fetch);
    int status = f->status;
    bool leads_on = f->location && (status == 301 || status == 302 || status == 303 ||
                                    status == 307 || status == 308);
    if (f->error.code >= 0 && FAULT(WORKER_HTTP_ANSWERED))
        f->error.code = fault_fail(&f->error);
    if (f->error.code < 0)
        request_fail(r, f->error.text);
    else if (leads_on && !is_expected(&r->asked, status))
        redirect_follow(r);
    else
        answer_take(r);
}

/* ---- the request ---- */

static void on_heard(struct fetch *f)
{
    struct request *r = container_of(f, struct request, fetch);
    r->task->step->host->alive(r->task->step, r->task);
}

static void request_send(struct request *r)
{
    static const char *const none[] = {NULL};
    const struct http *h = r->task->step->state;
    struct url_parts asked = url_split(buf_str(&r->asked.url)),
                     now = url_split(buf_str(&r->url));
    struct fetch *f = &r->fetch;
    fetch_clear(f);
    f->url = buf_text(&r->url);
    f->method = r->method;
    f->headers =
        str_eq(asked.origin, now.origin) ? (const char *const *)r->asked.headers : none;
    f->content = r->content;
    f->timeout_ms = settings_int(r->task->settings, "timeout");
    f->max_size = (size_t)settings_int(r->task->settings, "max_size");
    f->cut_body = true;
    f->any_type = true;
    f->local_is_fine =
        str_eq(asked.host, now.host); /* a redirect opens no door to our network */
    f->done = on_answer;
    f->heard = on_heard;
    fetch_start(h->fetcher, f);
}

static int http_task_start(struct worker_task *task, struct err *e)
{
    struct http *h = task->step->state;
    struct request *r = mem_alloc(sizeof(*r));
    if (asked_read(&r->asked, task->step, task->settings, e) < 0) {
        asked_done(&r->asked);
        free(r);
        return E_INVAL;
    }
    r->task = task;
    r->method = settings_text(task->settings, "method");
    r->content = buf_str(&r->asked.body);
    r->url = (struct buf)BUF_INIT(LIMIT_TASK_KEY_BYTES);
    r->cause = (struct buf)BUF_INIT(LIMIT_LINE_BYTES);
    buf_add_str(&r->url, buf_str(&r->asked.url));
    ASSERT(uv_timer_init(task->step->loop, &r->timer) == 0);
    list_add(&h->requests, &r->link);
    task->state = r;
    request_send(r);
    return 0;
}

static void http_task_stop(struct worker_task *task)
{
    struct request *r = task->state;
    if (uv_is_closing((uv_handle_t *)&r->timer))
        return; /* its end is on the way */
    fetch_stop(&r->fetch);
    request_end(r, JOB_CANCELLED, "the request was stopped");
}

static void http_step_resume(struct worker_step *step)
{
    struct http *h = step->state;
    LIST_EACH (&h->requests, struct request, link, r)
        if (r->text.n > 0 && !uv_is_active((uv_handle_t *)&r->timer) &&
            !uv_is_closing((uv_handle_t *)&r->timer))
            text_say(r);
}

/* ---- the step ---- */

static void http_step_close(struct worker_step *step)
{
    struct http *h = step->state;
    if (!h)
        return;
    fetcher_free(h->fetcher);
    free(h);
    step->state = NULL;
}

/* What is wrong with all that is asked is not found out by each task. */
static int asked_check(const struct worker_step *step, struct err *e)
{
    struct asked a;
    if (settings_are_open(step->settings))
        return 0;
    int r = asked_read(&a, step, step->settings, e);
    asked_done(&a);
    return r;
}

static int http_step_open(struct worker_step *step, struct err *e)
{
    struct fetcher_options options = {
        .user_agent = "tailrace/" VERSION,
        .connections = step->concurrency,
        .patient = true, /* a deployment may take its time; `timeout` says how long */
    };
    int r = asked_check(step, e);
    if (r < 0)
        return r;
    struct http *h = mem_alloc(sizeof(*h));
    list_init(&h->requests);
    step->state = h;
    h->fetcher = fetcher_new(step->loop, &options, e);
    if (h->fetcher)
        return 0;
    http_step_close(step);
    return E_IO;
}

static void http_step_plan(struct worker_step *step)
{
    AUTO_BUF url = BUF_INIT(LIMIT_TASK_KEY_BYTES);
    struct str key = str_of(settings_text(step->settings, "url"));
    /* a key is stored: with a secret it is the text as written */
    if (!secret_is_in(key.p) && url_resolve(key, STR(""), &url, NULL) == 0)
        key = buf_str(&url);
    if (step->host->spawn(step, key, STR(""), NULL) == E_INVAL) /* or without a name */
        (void)step->host->spawn(step, STR("request"), STR(""), NULL);
}

static const struct setting_spec http_settings[] = {
    {.name = "url",
     .kind = SETTING_TEXT,
     .required = true,
     .secrets = true,
     .check = url_check,
     .help = "http or https"},
    {.name = "method",
     .kind = SETTING_TEXT,
     .fallback = "GET",
     .choices = methods,
     .help = "GET, HEAD, POST, PUT, PATCH or DELETE"},
    {.name = "headers",
     .kind = SETTING_PAIRS,
     .secrets = true,
     .check = header_check,
     .help = "of the request"},
    {.name = "body", .kind = SETTING_TEXT, .secrets = true, .help = "of the request"},
    {.name = "expect_status",
     .kind = SETTING_TEXTS,
     .check = status_check,
     .help = "statuses that mean success, as 200, 2xx or 200-299; default: 2xx"},
    {.name = "timeout",
     .kind = SETTING_DURATION,
     .min = 1,
     .max = 3600 * 1000,
     .fallback = "30s",
     .help = "time for one request"},
    {.name = "max_size",
     .kind = SETTING_SIZE,
     .min = 1,
     .max = 16 * 1024 * 1024,
     .fallback = "1MiB",
     .help = "bytes of the answer that are taken; what is longer is cut"},
    {.name = "max_redirects",
     .kind = SETTING_INT,
     .min = 0,
     .max = 20,
     .fallback = "5",
     .help = "redirects in a row that are followed"},
    {.name = "log_answer",
     .kind = SETTING_BOOL,
     .fallback = "true",
     .help = "the text of the answer becomes lines"},
    {.name = "outputs",
     .kind = SETTING_PAIRS,
     .check = http_output_check,
     .help = "of the step: status, body or a path in the answer's JSON"},
    {0},
};

static const struct worker_schema http_schema = {
    .type = "http",
    .help =
        "asks a server over HTTP; the answer's status is the outcome, its text becomes lines",
    .settings = http_settings,
    .one_task = true,
};

const struct worker_type http_worker = {
    .schema = &http_schema,
    .files = 2, /* the connection, and one that is kept for the next request */
    .step_open = http_step_open,
    .step_plan = http_step_plan,
    .task_start = http_task_start,
    .task_stop = http_task_stop,
    .step_resume = http_step_resume,
    .step_close = http_step_close,
};
