/* crawl.h: the state of one crawler step, shared by crawler.c (the step: queueing, manners, who
 * is next) and visit.c (one page: fetch, read, say, follow). Private to the two. */
#pragma once

#include "base/keyset.h"
#include "base/map.h"
#include "worker/crawler/host.h"
#include "worker/crawler/page.h"
#include "worker/crawler/scope.h"
#include "worker/worker.h"

struct crawl {
    struct worker_step *step;
    struct fetcher *fetcher;
    struct scope scope;
    struct map start_hosts; /* those that the definition names */
    struct keyset seen;     /* every address that is or was a task */
    struct keyset skipped;  /* every address whose skipping was said */
    struct map hosts;       /* by origin */
    struct list waiting;    /* hosts with pages that wait */
    struct list ended;      /* visits whose done() is due */
    struct host_manners manners;
    uv_timer_t timer;
    int transfers, transfers_max;
    int64_t max_pages, max_redirects;
    size_t max_size;
    bool follow_links, paused, closing;
    bool budget_said;
    int64_t pages, pages_ended; /* tasks that are no redirect's target: the budget */
    int64_t tasks, completed, failed, cancelled; /* all tasks so far; ended ones */
};

enum visit_state { VISIT_WAITING, VISIT_FETCHING, VISIT_READING, VISIT_ENDED };

/* One task: one address. */
struct visit {
    struct list link; /* among its host's waiting ones, or the ended ones */
    struct crawl *crawl;
    struct worker_task *task;
    struct host *host;
    enum visit_state state;
    bool stopped;
    int64_t depth, redirects;
    struct json_t *payload; /* "from" and "via" are read from it */
    struct fetch fetch;
    struct page *page;
    enum job_state outcome;
    struct err cause; /* text "" when completed */
};

/* crawler.c */
void crawl_advance(struct crawl *c);                /* starts what may start */
void crawl_wake(struct crawl *c, int64_t after_ms); /* due ends and crawl_advance(), soon */
struct host *crawl_host(struct crawl *c, struct str url);
void crawl_visit_done(struct visit *v); /* tells the engine; v is gone, c perhaps closing */

/* Where a page was found, for its payload. */
struct origin {
    int64_t depth;
    const char *from;   /* the page with the link; NULL: a start page */
    struct json_t *via; /* array of the addresses that redirected to it; NULL: none */
};

/* Queues a page when it is new and the budget allows. True: it is queued now. */
bool crawl_queue(struct crawl *c, struct str url, struct hash key, const struct origin *origin);

/* visit.c */
bool visit_begin(struct visit *v); /* its turn has come; false: it asked for nothing */
void visit_fail(struct visit *v, const struct err *why);
void visit_stop(struct visit *v);
