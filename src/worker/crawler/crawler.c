/* The happy path of a page: task_start() puts it into the queue of its host; crawl_advance()
 * takes it out when a transfer is free, robots.txt is known and the delay is over; visit.c
 * fetches and reads it, queues what it links to and ends it.
 *
 * The engine hears of an end only from crawl_visit_done(), and that never runs inside
 * task_start() or task_stop(): ends that come up elsewhere wait in `ended` for the timer, which
 * is due at once.
 *
 * More tasks are taken than requests run at once, so that the network is busy while the pool
 * reads pages: `concurrency` limits the requests.
 *
 * After a restart step_known() brings back all that was queued: the set of seen addresses, how
 * much of max_pages is used, and the hosts that start pages redirected to. */
#include "worker/crawler/crawler.h"

#include <jansson.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/limits.h"
#include "base/mem.h"
#include "worker/crawler/crawl.h"
#include "worker/web/url.h"

enum { READING_MAX = 8 }; /* pages on the pool, beside the requests under way */

static const struct setting_spec settings[] = {
    {.name = "start_urls",
     .kind = SETTING_TEXTS,
     .required = true,
     .help = "addresses to begin with; patterns do not apply to them"},
    {.name = "include_patterns",
     .kind = SETTING_TEXTS,
     .help =
         "follow only links that match one of these: a part of the address, or /an extended "
         "regular expression/ when it has special characters"},
    {.name = "exclude_patterns",
     .kind = SETTING_TEXTS,
     .help = "follow no link that matches one of these; stronger than include_patterns"},
    {.name = "max_depth",
     .kind = SETTING_INT,
     .fallback = "3",
     .help = "links between a start page and the farthest page"},
    {.name = "max_pages",
     .kind = SETTING_INT,
     .fallback = "0",
     .help = "addresses asked for in all; 0 is no limit; targets of redirects are not counted"},
    {.name = "concurrency",
     .kind = SETTING_INT,
     .min = 1,
     .max = 64,
     .fallback = "5",
     .help = "requests at once"},
    {.name = "follow_links",
     .kind = SETTING_BOOL,
     .fallback = "true",
     .help = "false: only the start pages"},
    {.name = "same_host",
     .kind = SETTING_BOOL,
     .fallback = "true",
     .help = "stay on the hosts of the start pages (and where these redirect to)"},
    {.name = "delay",
     .kind = SETTING_DURATION,
     .fallback = "0s",
     .help = "time between two requests to one host"},
    {.name = "max_redirects",
     .kind = SETTING_INT,
     .min = 0,
     .max = 20,
     .fallback = "5",
     .help = "redirects in a row"},
    {.name = "timeout",
     .kind = SETTING_DURATION,
     .min = 1,
     .max = 3600 * 1000,
     .fallback = "30s",
     .help = "time for one request"},
    {.name = "max_size",
     .kind = SETTING_SIZE,
     .min = 1,
     .max = 256 * 1024 * 1024,
     .fallback = "10MiB",
     .help = "bytes of one page"},
    {.name = "user_agent",
     .kind = SETTING_TEXT,
     .fallback = "tailrace/" VERSION,
     .help = "what servers are told; its first word is looked up in robots.txt"},
    {.name = "respect_robots",
     .kind = SETTING_BOOL,
     .fallback = "true",
     .help = "read and obey robots.txt"},
    {0},
};

static const struct worker_schema schema = {
    .type = "crawler",
    .help = "fetches pages, keeps their text, follows their links",
    .settings = settings,
};

/* ---- hosts and turns ---- */

static bool local_is_fine(void *owner, struct str url)
{
    const struct crawl *c = owner;
    return map_get(&c->start_hosts, url_split(url).host) != NULL;
}

static void host_known(struct host *h, enum event_level level, struct str line)
{
    struct crawl *c = h->manners->owner;
    c->step->host->log(c->step, NULL, level, line);
    crawl_wake(c, 0);
}

struct host *crawl_host(struct crawl *c, struct str url)
{
    struct str origin = url_split(url).origin;
    struct host *h = map_get(&c->hosts, origin);
    if (!h) {
        h = host_new(origin, &c->manners);
        map_set(&c->hosts, origin, h);
    }
    return h;
}

static void host_fail_waiting(struct host *h)
{
    LIST_EACH (&h->waiting, struct visit, link, v) {
        list_remove(&v->link);
        visit_fail(v, &h->error);
    }
}

/* Starts the next page of a host, if it may. True: a transfer began. */
static bool host_turn(struct crawl *c, struct host *h, int64_t now_us)
{
    host_refresh(h, now_us);
    if (h->state == HOST_NEW)
        host_ask(h);
    if (h->state == HOST_CLOSED)
        host_fail_waiting(h);
    if (h->state == HOST_OPEN && h->next_us > now_us) {
        crawl_wake(c, (h->next_us - now_us + 999) / 1000);
    } else if (h->state == HOST_OPEN) {
        bool began = false;
        struct visit *v;
        while (!began && (v = LIST_TAKE(&h->waiting, struct visit, link)))
            began = visit_begin(v);
        h->next_us = began && h->delay_ms ? now_us + h->delay_ms * 1000 : h->next_us;
        list_remove(&h->link);
        if (!list_is_empty(&h->waiting))
            list_add(&c->waiting, &h->link); /* behind the others */
        return began;
    }
    if (list_is_empty(&h->waiting))
        list_remove(&h->link);
    return false;
}

void crawl_advance(struct crawl *c)
{
    int64_t now_us = clock_mono_us();
    for (bool began = true; began;) {
        began = false;
        LIST_EACH (&c->waiting, struct host, link, h) {
            if (c->closing || c->transfers >= c->transfers_max)
                return;
            c->paused = !c->step->host->may_write(c->step);
            if (c->paused)
                return; /* step_resume() */
            began = host_turn(c, h, now_us) || began;
        }
    }
}

static void timer_fired(uv_timer_t *timer)
{
    struct crawl *c = container_of(timer, struct crawl, timer);
    struct visit *v;
    while (!c->closing && (v = LIST_TAKE(&c->ended, struct visit, link)))
        crawl_visit_done(v);
    if (!c->closing)
        crawl_advance(c);
}

void crawl_wake(struct crawl *c, int64_t after_ms)
{
    uint64_t ms = (uint64_t)after_ms;
    if (!uv_is_active((uv_handle_t *)&c->timer) || uv_timer_get_due_in(&c->timer) > ms)
        uv_timer_start(&c->timer, timer_fired, ms, 0);
}

/* ---- queueing ---- */

static void payload_write(const struct origin *o, struct buf *out)
{
    struct json j = JSON_TO(out);
    json_begin_object(&j);
    json_key_int(&j, "depth", o->depth);
    json_key_int(&j, "redirects", o->via ? (int64_t)json_array_size(o->via) : 0);
    if (o->from)
        json_key_c(&j, "from", o->from);
    if (o->via) {
        AUTO_FREE char *text = json_dumps(o->via, JSON_COMPACT);
        json_key_raw(&j, "via", str_of(text));
    }
    json_end_object(&j);
}

static bool budget_left(struct crawl *c)
{
    if (!c->max_pages || c->pages < c->max_pages)
        return true;
    if (!c->budget_said)
        worker_log(c->step, NULL, LEVEL_INFO,
                   "max_pages of %lld is reached: no further links are followed",
                   (long long)c->max_pages);
    c->budget_said = true;
    return false;
}

bool crawl_queue(struct crawl *c, struct str url, struct hash key, const struct origin *origin)
{
    if (!origin->via && !budget_left(c))
        return false;
    if (!keyset_add(&c->seen, key))
        return false;
    struct err e = {0};
    AUTO_BUF payload = BUF_INIT(LIMIT_LINE_BYTES * 4);
    payload_write(origin, &payload);
    int r = c->step->host->spawn(c->step, url, buf_str(&payload), &e);
    if (r < 0 && r != E_EXISTS)
        worker_log(c->step, NULL, LEVEL_ERROR, "%.*s cannot be queued: %s", STR_ARG(url),
                   e.text);
    if (r < 0)
        return false;
    c->tasks++;
    c->pages += !origin->via;
    return true;
}

static void crawl_progress(struct crawl *c)
{
    AUTO_BUF text = BUF_INIT(256);
    buf_printf(&text, "%lld/%lld pages", (long long)c->pages_ended, (long long)c->pages);
    c->step->host->progress(c->step, buf_text(&text));
    c->step->host->alive(c->step, NULL);
}

/* ---- the worker type ---- */

/* Calls `use` with each start address, normalised. */
static int starts_each(struct crawl *c, void (*use)(struct crawl *c, struct str url),
                       struct err *e)
{
    const struct settings *s = c->step->settings;
    AUTO_BUF url = BUF_INIT(LIMIT_TASK_KEY_BYTES);
    for (size_t i = 0; i < settings_count(s, "start_urls"); i++) {
        const char *text = settings_item(s, "start_urls", i);
        struct err why = {0};
        int r = url_resolve(str_of(text), STR(""), &url, &why);
        if (r < 0)
            return fail_field(e, E_INVAL, "start_urls", "start_urls[%zu]: '%.200s': %s", i,
                              text, why.text);
        use(c, buf_str(&url));
    }
    return 0;
}

static void start_host_add(struct crawl *c, struct str url)
{
    scope_add_host(&c->scope, url);
    map_set(&c->start_hosts, url_split(url).host, c);
}

static void start_queue(struct crawl *c, struct str url)
{
    struct origin origin = {.depth = 0};
    (void)crawl_queue(c, url, hash_of(url), &origin);
}

static void on_timer_closed(uv_handle_t *handle)
{
    free(container_of((uv_timer_t *)handle, struct crawl, timer));
}

static void crawl_close(struct crawl *c)
{
    void *host;
    struct str key;
    c->closing = true;
    for (size_t it = 0; map_next(&c->hosts, &it, &key, &host);)
        host_free(host);
    map_done(&c->hosts);
    map_done(&c->start_hosts);
    fetcher_free(c->fetcher);
    scope_close(&c->scope);
    keyset_done(&c->seen);
    keyset_done(&c->skipped);
    uv_close((uv_handle_t *)&c->timer, on_timer_closed);
}

static void crawl_read(struct crawl *c, const struct settings *s)
{
    c->max_pages = settings_int(s, "max_pages");
    c->max_redirects = settings_int(s, "max_redirects");
    c->max_size = (size_t)settings_int(s, "max_size");
    c->follow_links = settings_bool(s, "follow_links");
    c->transfers_max = (int)settings_int(s, "concurrency");
    c->manners = (struct host_manners){
        .user_agent = settings_text(s, "user_agent"),
        .respect_robots = settings_bool(s, "respect_robots"),
        .delay_ms = settings_int(s, "delay"),
        .owner = c,
        .local_is_fine = local_is_fine,
        .known = host_known,
    };
}

static int step_open(struct worker_step *step, struct err *e)
{
    struct crawl *c = mem_alloc(sizeof(*c));
    c->step = step;
    list_init(&c->waiting);
    list_init(&c->ended);
    ASSERT(uv_timer_init(step->loop, &c->timer) == 0);
    crawl_read(c, step->settings);
    struct fetcher_options options = {
        .user_agent = c->manners.user_agent,
        .timeout_ms = settings_int(step->settings, "timeout"),
        .connections = c->transfers_max,
    };
    int r = scope_open(&c->scope, step->settings, e);
    if (r >= 0)
        r = starts_each(c, start_host_add, e);
    if (r >= 0) {
        c->fetcher = fetcher_new(step->loop, &options, e);
        r = c->fetcher ? 0 : E_IO;
    }
    if (r < 0) {
        crawl_close(c);
        return r;
    }
    c->manners.fetcher = c->fetcher;
    step->concurrency = c->transfers_max + MIN(c->transfers_max, (int)READING_MAX);
    step->state = c;
    return 0;
}

static json_t *payload_read(const char *payload, int64_t *ret_depth, int64_t *ret_redirects)
{
    json_t *o = json_loads(payload, 0, NULL);
    *ret_depth = json_integer_value(json_object_get(o, "depth"));
    *ret_redirects = json_integer_value(json_object_get(o, "redirects"));
    return o;
}

static void step_known(struct worker_step *step, const char *key, const char *payload,
                       enum job_state status)
{
    struct crawl *c = step->state;
    int64_t depth, redirects;
    json_decref(payload_read(payload, &depth, &redirects));
    if (!keyset_add(&c->seen, hash_of(str_of(key))))
        return;
    if (depth == 0)
        scope_add_host(&c->scope, str_of(key));
    c->tasks++;
    c->pages += redirects == 0;
    c->pages_ended += redirects == 0 && job_state_is_final(status);
    c->completed += status == JOB_COMPLETED;
    c->failed += status == JOB_FAILED;
    c->cancelled += status == JOB_CANCELLED;
}

static void step_plan(struct worker_step *step)
{
    struct crawl *c = step->state;
    if (!c->manners.respect_robots)
        worker_log(step, NULL, LEVEL_WARN, "robots.txt is not read: respect_robots is false");
    (void)starts_each(c, start_queue, NULL); /* step_open() has checked them */
    crawl_progress(c);
}

static int task_start(struct worker_task *t, struct err *e)
{
    (void)e;
    struct crawl *c = t->step->state;
    struct visit *v = mem_alloc(sizeof(*v));
    v->crawl = c;
    v->task = t;
    v->payload = payload_read(t->payload, &v->depth, &v->redirects);
    v->host = crawl_host(c, str_of(t->key));
    t->state = v;
    list_add(&v->host->waiting, &v->link);
    if (!list_is_linked(&v->host->link))
        list_add(&c->waiting, &v->host->link);
    crawl_advance(c);
    return 0;
}

static void task_stop(struct worker_task *t)
{
    visit_stop(t->state);
}

void crawl_visit_done(struct visit *v)
{
    struct crawl *c = v->crawl;
    struct worker_task *t = v->task;
    crawl_progress(c);
    c->step->host->done(t, v->outcome, v->outcome == JOB_COMPLETED ? NULL : v->cause.text);
    fetch_clear(&v->fetch);
    json_decref(v->payload);
    free(v);
}

static void step_resume(struct worker_step *step)
{
    struct crawl *c = step->state;
    if (c->paused)
        crawl_advance(c);
}

static void step_close(struct worker_step *step)
{
    crawl_close(TAKE(step->state));
}

const struct worker_type crawler_worker = {
    .schema = &schema,
    .files = 2, /* the connection, and one that is kept for the next page */
    .step_open = step_open,
    .step_known = step_known,
    .step_plan = step_plan,
    .task_start = task_start,
    .task_stop = task_stop,
    .step_resume = step_resume,
    .step_close = step_close,
};
