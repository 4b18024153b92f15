/* One page, from its turn to its end:
 *
 *     waiting → fetching → reading (HTML and text) → ended
 *                        → ended (redirects, errors, other types)
 *
 * Whatever happens to it is said in one line that begins with the verb and the address,
 * followed by a companion event with the same facts as numbers. */
#include <jansson.h>
#include <stdarg.h>
#include <stdlib.h>

#include "base/json.h"
#include "base/limits.h"
#include "base/mem.h"
#include "worker/crawler/crawl.h"
#include "worker/web/status.h"
#include "worker/web/url.h"

static struct str visit_url(const struct visit *v)
{
    return str_of(v->task->key);
}

static const char *visit_from(const struct visit *v)
{
    return json_string_value(json_object_get(v->payload, "from"));
}

static long long visit_ms(const struct visit *v)
{
    return (long long)((v->fetch.duration_us + 500) / 1000);
}

/* ---- saying ---- */

static void visit_companion(struct visit *v, enum event_level level, struct str line)
{
    const struct crawl *c = v->crawl;
    AUTO_BUF members = BUF_INIT(LIMIT_TASK_KEY_BYTES * 4);
    struct json j = JSON_TO(&members);
    json_key_text(&j, "url", visit_url(v));
    json_key_int(&j, "depth", v->depth);
    json_key_int(&j, "http_status", v->fetch.status);
    json_key_int(&j, "bytes", (int64_t)v->fetch.bytes);
    json_key_int(&j, "duration_ms", visit_ms(v));
    json_key_int(&j, "queued", c->tasks - c->completed - c->failed - c->cancelled);
    json_key_int(&j, "done", c->completed);
    json_key_int(&j, "failed", c->failed);
    c->step->host->companion(v->task, level, line, buf_str(&members));
}

static void visit_say(struct visit *v, enum event_level level, const char *fmt, ...)
    PRINTF(3, 4);

static void visit_say(struct visit *v, enum event_level level, const char *fmt, ...)
{
    AUTO_BUF line = BUF_INIT(LIMIT_LINE_BYTES);
    va_list ap;
    va_start(ap, fmt);
    buf_vprintf(&line, fmt, ap);
    va_end(ap);
    v->crawl->step->host->log(v->crawl->step, v->task, level, buf_str(&line));
    visit_companion(v, level, buf_str(&line));
}

/* ---- ending ---- */

/* The outcome is known: count it, so that the line about it has the right figures. */
static void visit_settle(struct visit *v, enum job_state outcome)
{
    struct crawl *c = v->crawl;
    ASSERT(v->state != VISIT_ENDED);
    v->state = VISIT_ENDED;
    v->outcome = outcome;
    c->completed += outcome == JOB_COMPLETED;
    c->failed += outcome == JOB_FAILED;
    c->cancelled += outcome == JOB_CANCELLED;
    c->pages_ended += v->redirects == 0;
}

/* The engine hears of it from the timer. */
static void visit_end_soon(struct visit *v)
{
    list_add(&v->crawl->ended, &v->link);
    crawl_wake(v->crawl, 0);
}

void visit_fail(struct visit *v, const struct err *why)
{
    v->cause = *why;
    visit_settle(v, JOB_FAILED);
    const char *from = visit_from(v);
    bool warning = v->fetch.status >= 400 && v->fetch.status < 500;
    visit_say(v, warning ? LEVEL_WARN : LEVEL_ERROR, "failed %s %s, %lld ms%s%s", v->task->key,
              why->text, visit_ms(v), from ? ", linked from " : "", from ? from : "");
    visit_end_soon(v);
}

static void visit_skip(struct visit *v, const char *why)
{
    visit_settle(v, JOB_COMPLETED);
    visit_say(v, v->depth ? LEVEL_INFO : LEVEL_WARN, "skipped %s: %s", v->task->key, why);
    visit_end_soon(v);
}

static void visit_cancel(struct visit *v)
{
    text_copy(v->cause.text, sizeof(v->cause.text), "stopped");
    visit_settle(v, JOB_CANCELLED);
    visit_end_soon(v);
}

void visit_stop(struct visit *v)
{
    if (v->state == VISIT_ENDED)
        return; /* its end is on the way */
    v->stopped = true;
    if (v->state == VISIT_READING) {
        page_unwanted(v->page); /* page_arrived() is on the way */
        return;
    }
    if (v->state == VISIT_FETCHING) {
        fetch_stop(&v->fetch);
        v->crawl->transfers--;
    }
    list_remove(&v->link);
    visit_cancel(v);
}

/* ---- redirects ---- */

/* Was `url` one of those that redirected to this page, or this page itself? */
static bool visit_came_by(const struct visit *v, struct str url)
{
    const json_t *via = json_object_get(v->payload, "via");
    for (size_t i = 0; i < json_array_size(via); i++)
        if (str_eq_c(url, json_string_value(json_array_get(via, i))))
            return true;
    return str_eq(url, visit_url(v));
}

static void redirect_fail(struct visit *v, int code, const char *fmt, const char *text)
{
    struct err e;
    (void)fail(&e, code, "HTTP %d, %s%s", v->fetch.status, fmt, text);
    visit_fail(v, &e);
}

/* Why the target of a redirect is not queued, or NULL after it was. */
static const char *redirect_queue(struct visit *v, struct str target, struct buf *why)
{
    struct crawl *c = v->crawl;
    struct hash key = hash_of(target);
    if (keyset_has(&c->seen, key))
        return "known already";
    if (v->depth == 0)
        scope_add_host(&c->scope, target); /* "example.com" means "www.example.com" too */
    else if (!scope_admits(&c->scope, target, v->depth, why))
        return buf_text(why);
    json_t *old = json_object_get(v->payload, "via");
    json_t *via = old ? json_copy(old) : json_array();
    json_array_append_new(via, json_string(v->task->key));
    struct origin origin = {v->depth, visit_from(v), via};
    bool queued = crawl_queue(c, target, key, &origin);
    json_decref(via);
    return queued ? NULL : "known already";
}

static void visit_redirected(struct visit *v)
{
    AUTO_BUF target = BUF_INIT(LIMIT_TASK_KEY_BYTES), why = BUF_INIT(LIMIT_LINE_BYTES);
    struct err e;
    if (!v->fetch.location) {
        redirect_fail(v, E_NET, "a redirect that does not say where to", "");
    } else if (url_resolve(str_of(v->fetch.location), visit_url(v), &target, &e) < 0) {
        redirect_fail(v, E_NET, "a redirect that cannot be followed: ", e.text);
    } else if (visit_came_by(v, buf_str(&target))) {
        redirect_fail(v, E_NET, "a redirect loop: back to ", buf_text(&target));
    } else if (v->redirects >= v->crawl->max_redirects) {
        redirect_fail(v, E_LIMIT, "more redirects in a row than max_redirects", "");
    } else {
        const char *not_queued = redirect_queue(v, buf_str(&target), &why);
        visit_settle(v, JOB_COMPLETED);
        visit_say(v, LEVEL_INFO, "redirected to %s: %d from %s %lld ms%s%s", buf_text(&target),
                  v->fetch.status, v->task->key, visit_ms(v),
                  not_queued ? ", not queued: " : "", not_queued ? not_queued : "");
        visit_end_soon(v);
    }
}

/* ---- links ---- */

static void link_skipped(struct visit *v, const struct html_link *link, enum event_level level,
                         const char *why)
{
    if (keyset_add(&v->crawl->skipped, link->key))
        worker_log(v->crawl->step, v->task, level, "skipped %s: %s", link->url.p, why);
}

/* True: it is new and queued now. */
static bool link_follow(struct visit *v, const struct html_link *link, struct buf *why)
{
    struct crawl *c = v->crawl;
    if (keyset_has(&c->seen, link->key))
        return false;
    if (link->nofollow) {
        link_skipped(v, link, LEVEL_DEBUG, "the link says nofollow");
    } else if (!scope_admits(&c->scope, link->url, v->depth + 1, why)) {
        link_skipped(v, link, LEVEL_DEBUG, buf_text(why));
    } else if (!host_allows(crawl_host(c, link->url), link->url)) {
        link_skipped(v, link, LEVEL_INFO, "robots.txt disallows it");
    } else {
        struct origin origin = {v->depth + 1, v->task->key, NULL};
        return crawl_queue(c, link->url, link->key, &origin);
    }
    return false;
}

static size_t links_follow(struct visit *v, const struct html_page *h)
{
    AUTO_BUF why = BUF_INIT(LIMIT_LINE_BYTES);
    size_t queued = 0;
    if (!v->crawl->follow_links || h->nofollow)
        return 0;
    for (size_t i = 0; i < h->link_count; i++)
        queued += link_follow(v, &h->links[i], &why);
    return queued;
}

/* ---- the page ---- */

static void metadata_write(const struct visit *v, const struct page *p, struct buf *out)
{
    char room[64];
    struct json j = JSON_TO(out);
    json_begin_object(&j);
    json_key_int(&j, "depth", v->depth);
    json_key_int(&j, "http_status", v->fetch.status);
    json_key_text(&j, "content_type", fetch_media_type(v->fetch.content_type, room));
    json_key_c(&j, "charset", p->charset);
    json_key_c(&j, "language", p->html.language);
    json_key_int(&j, "bytes", (int64_t)v->fetch.bytes);
    json_key_int(&j, "words", (int64_t)p->html.words);
    json_key_c(&j, "canonical", p->html.canonical);
    if (p->html.truncated)
        json_key_bool(&j, "truncated", true);
    json_end_object(&j);
}

static void page_keep(struct visit *v, struct page *p)
{
    AUTO_BUF metadata = BUF_INIT(LIMIT_TASK_KEY_BYTES * 4);
    metadata_write(v, p, &metadata);
    struct worker_document document = {
        .url = v->task->key,
        .title = p->html.title,
        .description = p->html.description,
        .published = p->html.published,
        .markdown = buf_text(&p->markdown),
        .metadata = buf_str(&metadata),
    };
    v->crawl->step->host->keep(v->task, &document);
    worker_log(v->crawl->step, v->task, LEVEL_INFO, "kept \"%s\", %zu words",
               document.title && document.title[0] ? document.title : v->task->key,
               p->html.words);
}

static void visit_fetched_say(struct visit *v, const char *more)
{
    char type[64], size[32];
    struct str media = fetch_media_type(v->fetch.content_type, type);
    text_bytes(v->fetch.bytes, size);
    visit_say(v, LEVEL_INFO, "fetched %s %d %.*s %s %lld ms%s", v->task->key, v->fetch.status,
              STR_ARG(media.n ? media : STR("-")), size, visit_ms(v), more);
}

static void page_take(struct visit *v, struct page *p)
{
    const struct html_page *h = &p->html;
    visit_settle(v, JOB_COMPLETED);
    size_t queued = links_follow(v, h);
    AUTO_BUF more = BUF_INIT(256);
    if (p->is_html)
        buf_printf(&more, ", %zu links, %zu new%s%s%s", h->link_count, queued,
                   h->nofollow ? ", none followed (nofollow)" : "",
                   h->noindex ? ", not kept (noindex)" : "", h->truncated ? ", text cut" : "");
    visit_fetched_say(v, buf_text(&more));
    if (!h->noindex)
        page_keep(v, p);
}

static void page_arrived(struct page *p)
{
    struct visit *v = p->owner;
    if (v->stopped) {
        visit_cancel(v);
    } else if (p->error.code < 0) {
        visit_fail(v, &p->error);
    } else {
        page_take(v, p);
        crawl_visit_done(v); /* at once: the document goes with the outcome */
    }
    page_free(p);
}

static void visit_read(struct visit *v, bool is_html)
{
    v->page = page_new(&v->fetch.body, v->task->key, v->fetch.content_type, is_html);
    v->page->owner = v;
    v->page->done = page_arrived;
    v->state = VISIT_READING;
    page_start(v->page, v->crawl->step->loop);
}

static bool body_is_html(const struct fetch *f, struct str media)
{
    if (media.n == 0) /* the server does not say: look */
        return str_starts(str_trim(buf_str(&f->body)), STR("<"));
    return str_eq(media, STR("text/html")) || str_eq(media, STR("application/xhtml+xml"));
}

static void visit_answered(struct visit *v)
{
    const struct fetch *f = &v->fetch;
    char room[64];
    struct str media = fetch_media_type(f->content_type, room);
    struct err e;
    if (f->error.code < 0) {
        visit_fail(v, &f->error);
    } else if (f->status >= 300 && f->status < 400) {
        visit_redirected(v);
    } else if (f->status < 200 || f->status >= 400) {
        (void)fail(&e, E_NET, "HTTP %d%s%s", f->status,
                   *http_status_reason(f->status) ? " " : "", http_status_reason(f->status));
        visit_fail(v, &e);
    } else if (body_is_html(f, media)) {
        visit_read(v, true);
    } else if (str_eq(media, STR("text/plain"))) {
        visit_read(v, false);
    } else {
        visit_settle(v, JOB_COMPLETED);
        visit_fetched_say(v, ", not kept: neither HTML nor plain text");
        visit_end_soon(v);
    }
}

static void on_fetched(struct fetch *f)
{
    struct visit *v = container_of(f, struct visit, fetch);
    struct crawl *c = v->crawl;
    c->transfers--;
    visit_answered(v);
    crawl_advance(c);
}

bool visit_begin(struct visit *v)
{
    if (!host_allows(v->host, visit_url(v))) {
        visit_skip(v, "robots.txt disallows it");
        return false;
    }
    v->state = VISIT_FETCHING;
    v->crawl->transfers++;
    v->fetch.url = v->task->key;
    v->fetch.max_size = v->crawl->max_size;
    v->fetch.local_is_fine =
        map_get(&v->crawl->start_hosts, url_split(visit_url(v)).host) != NULL;
    v->fetch.done = on_fetched;
    fetch_start(v->crawl->fetcher, &v->fetch);
    return true;
}
