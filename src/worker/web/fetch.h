/* fetch.h: requests over HTTP, many at a time, on the loop. Knows libcurl, and nobody else
 * does.
 *
 * A fetcher holds the connections of one step (kept alive, HTTP/2 where offered). A fetch is
 * one request: redirects are not followed, bodies are taken in gzip, br and zstd and limited in
 * their decoded size. Only http and https, and never to an address that the rule below forbids.
 *
 *     f->url = ...; f->done = on_done;
 *     fetch_start(fetcher, f);              done(f) comes later, unless fetch_stop(f)
 *
 * done() may start and stop fetches; it must not free the fetcher.
 *
 * Thread: the loop's. */
#pragma once

#include <uv.h>

#include "base/buf.h"
#include "base/err.h"

struct curl_slist;
struct fetcher;

struct fetcher_options {
    const char *user_agent;
    int64_t timeout_ms; /* as of a fetch that says none */
    int connections;    /* kept open at most, and at most to one host */
    bool patient; /* silence of any length is fine; else an answer that stalls is given up */
};

/* NULL and *e when libcurl has no memory or no TLS. */
struct fetcher *fetcher_new(uv_loop_t *loop, const struct fetcher_options *options,
                            struct err *e);
void fetcher_free(struct fetcher *f); /* stops what is under way, without done() */

struct fetch {
    /* asked */
    const char *url;    /* normalised; the caller's until done(), as all that is asked */
    const char *method; /* NULL: GET */
    const char *const *headers; /* "Name: value", NULL at the end; NULL: those of a crawler */
    struct str content;         /* the request's body */
    int64_t timeout_ms; /* for all of it; connecting has at most 10 s; 0: the fetcher's */
    size_t max_size;    /* of the body, in bytes */
    bool cut_body;      /* a larger body is cut instead of failing */
    bool any_type;      /* keep the body whatever it is; else only text and HTML */
    bool local_is_fine; /* loopback and private addresses may be asked, see fetch.c */
    void (*done)(struct fetch *f);
    void (*heard)(struct fetch *f); /* something of the answer has come; NULL: never mind */

    /* answered */
    struct err error; /* code < 0: there is no answer, and why */
    int status;       /* HTTP */
    char content_type[160];
    char *location;  /* of a redirect, else NULL */
    struct buf body; /* decoded; empty when the type is not of interest */
    uint64_t bytes;  /* of the body, also when it was not kept */
    int64_t duration_us;

    /* fetch.c's */
    struct fetcher *fetcher;
    void *easy;
    struct curl_slist *header_list;
    char detail[256]; /* what libcurl says about an error */
    size_t header_bytes;
    bool refused, too_large, type_known, is_text;
};

void fetch_start(struct fetcher *fetcher, struct fetch *f);
void fetch_stop(struct fetch *f);  /* nothing happens when it is not under way */
void fetch_clear(struct fetch *f); /* frees what the answer holds */

/* "text/html" of "text/html; charset=x", in lower case; "" for none. */
struct str fetch_media_type(const char *content_type, char room[64]);
