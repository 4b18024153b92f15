/* host.h: one server (scheme, host and port) and the manners towards it: its robots.txt is read
 * before its first page, and its pages are asked for no faster than the delay allows.
 *
 * RFC 9309: no robots.txt (4xx) allows everything; one that cannot be had (5xx, 429, no
 * connection) forbids everything. The second verdict is asked for again after a minute. Thread:
 * the loop's. */
#pragma once

#include "base/list.h"
#include "job/event.h"
#include "worker/crawler/robots.h"
#include "worker/web/fetch.h"

enum host_state {
    HOST_NEW,
    HOST_ASKING, /* for its robots.txt */
    HOST_OPEN,
    HOST_CLOSED, /* `error` says why */
};

struct host {
    struct list link;    /* for its crawl: among the hosts that have pages waiting */
    struct list waiting; /* pages */
    enum host_state state;
    char *origin;          /* "http://host:port" */
    struct robots *robots; /* HOST_OPEN; NULL: everything is allowed */
    struct err error;
    int64_t delay_ms;
    int64_t next_us;   /* monotonic: no page before */
    int64_t closed_us; /* when it was closed */

    const struct host_manners *manners;
    struct fetch fetch;
    char *robots_url;
    int hops;
};

/* What all hosts of a crawl share. */
struct host_manners {
    struct fetcher *fetcher;
    const char *user_agent;
    bool respect_robots;
    int64_t delay_ms;
    void *owner;
    bool (*local_is_fine)(void *owner, struct str url); /* see fetch.h */
    void (*known)(struct host *h, enum event_level level,
                  struct str line); /* no longer ASKING */
};

struct host *host_new(struct str origin, const struct host_manners *manners);
void host_free(struct host *h);

/* Asks for robots.txt; known() comes later, with a line that says what was found. */
void host_ask(struct host *h);

/* A closed host whose time is over is new again. */
void host_refresh(struct host *h, int64_t now_us);

bool host_allows(const struct host *h, struct str url); /* true while robots.txt is not known */
