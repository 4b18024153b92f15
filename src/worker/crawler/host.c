#include "worker/crawler/host.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/limits.h"
#include "base/mem.h"
#include "worker/web/url.h"

enum {
    ROBOTS_HOPS = 5,            /* redirects; RFC 9309 wants at least five */
    CRAWL_DELAY_MAX_MS = 30000, /* what a robots.txt may ask for */
    CLOSED_US = 60 * 1000000,
};

struct host *host_new(struct str origin, const struct host_manners *manners)
{
    struct host *h = mem_alloc(sizeof(*h));
    h->origin = mem_copy(origin.p, origin.n);
    h->manners = manners;
    h->delay_ms = manners->delay_ms;
    h->state = manners->respect_robots ? HOST_NEW : HOST_OPEN;
    list_init(&h->waiting);
    return h;
}

void host_free(struct host *h)
{
    fetch_stop(&h->fetch);
    fetch_clear(&h->fetch);
    robots_free(h->robots);
    free(h->robots_url);
    free(h->origin);
    free(h);
}

static void host_decide(struct host *h, enum host_state state, enum event_level level,
                        struct buf *line)
{
    h->state = state;
    h->closed_us = clock_mono_us();
    h->manners->known(h, level, buf_str(line));
}

static void host_close(struct host *h)
{
    AUTO_BUF line = BUF_INIT(LIMIT_LINE_BYTES);
    buf_printf(&line, "nothing of %s is fetched: %s", h->origin, h->error.text);
    host_decide(h, HOST_CLOSED, LEVEL_ERROR, &line);
}

static void robots_take(struct host *h)
{
    h->robots = robots_parse(buf_str(&h->fetch.body), h->manners->user_agent);
    int64_t asked = robots_crawl_delay_ms(h->robots);
    int64_t delay = MIN(asked, (int64_t)CRAWL_DELAY_MAX_MS);
    AUTO_BUF line = BUF_INIT(LIMIT_LINE_BYTES);
    size_t rules = robots_rule_count(h->robots), sitemaps = robots_sitemap_count(h->robots);
    buf_printf(&line, "robots.txt of %s: %zu rule%s for us, %zu sitemap%s", h->origin, rules,
               rules == 1 ? "" : "s", sitemaps, sitemaps == 1 ? "" : "s");
    if (h->fetch.too_large)
        buf_printf(&line, ", only its first %d KiB read", ROBOTS_BYTES / 1024);
    if (asked > delay)
        buf_printf(&line, ", crawl-delay %.4g s cut to %.4g s", (double)asked / 1000,
                   (double)delay / 1000);
    else if (asked)
        buf_printf(&line, ", crawl-delay %.4g s", (double)asked / 1000);
    h->delay_ms = MAX(h->manners->delay_ms, delay);
    host_decide(h, HOST_OPEN, LEVEL_INFO, &line);
}

static void robots_absent(struct host *h, const char *why, int status)
{
    AUTO_BUF line = BUF_INIT(LIMIT_LINE_BYTES);
    buf_printf(&line, "robots.txt of %s: %s (%d), everything is allowed", h->origin, why,
               status);
    host_decide(h, HOST_OPEN, LEVEL_INFO, &line);
}

static void on_robots(struct fetch *f);

static void robots_fetch(struct host *h)
{
    h->fetch.url = h->robots_url;
    h->fetch.max_size = ROBOTS_BYTES;
    h->fetch.cut_body = h->fetch.any_type = true;
    h->fetch.local_is_fine =
        h->manners->local_is_fine(h->manners->owner, str_of(h->robots_url));
    h->fetch.done = on_robots;
    fetch_start(h->manners->fetcher, &h->fetch);
}

/* Follows a redirect; false: there is nothing to follow. */
static bool robots_redirect(struct host *h)
{
    AUTO_BUF target = BUF_INIT(LIMIT_TASK_KEY_BYTES);
    if (!h->fetch.location || ++h->hops > ROBOTS_HOPS ||
        url_resolve(str_of(h->fetch.location), str_of(h->robots_url), &target, NULL) < 0)
        return false;
    free(h->robots_url);
    h->robots_url = buf_take(&target);
    robots_fetch(h);
    return true;
}

static void on_robots(struct fetch *f)
{
    struct host *h = container_of(f, struct host, fetch);
    if (f->error.code < 0) {
        h->error = f->error;
        host_close(h);
    } else if (f->status >= 500 || f->status == 429) {
        (void)fail(
            &h->error, E_FORBIDDEN,
            "its robots.txt answers HTTP %d, which forbids everything until it can be read",
            f->status);
        host_close(h);
    } else if (f->status >= 200 && f->status < 300) {
        robots_take(h);
    } else if (f->status >= 300 && f->status < 400) {
        if (!robots_redirect(h))
            robots_absent(h, "its redirects lead nowhere", f->status);
    } else {
        robots_absent(h, "none", f->status);
    }
}

void host_ask(struct host *h)
{
    ASSERT(h->state == HOST_NEW);
    h->state = HOST_ASKING;
    h->hops = 0;
    free(h->robots_url);
    h->robots_url = mem_printf("%s/robots.txt", h->origin);
    robots_fetch(h);
}

void host_refresh(struct host *h, int64_t now_us)
{
    if (h->state == HOST_CLOSED && now_us - h->closed_us > CLOSED_US)
        h->state = HOST_NEW;
}

bool host_allows(const struct host *h, struct str url)
{
    return !h->robots || robots_allow(h->robots, url_split(url).target);
}
