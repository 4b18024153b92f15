/* page.h: a page's bytes to a document and links, on the pool.
 *
 * The page owns all it works on, so it outlives whoever asked, if need be. */
#pragma once

#include <uv.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "worker/crawler/html.h"

struct page {
    /* given */
    struct buf body; /* taken over from the fetch */
    const char *url;
    const char *content_type;
    bool is_html; /* else plain text */
    void *owner;
    void (*done)(struct page *p); /* on the loop, exactly once; frees with page_free() */

    /* found */
    struct err error; /* code < 0: nothing was found, and why */
    const char *charset;
    struct html_page html;
    struct buf markdown; /* at most LIMIT_DOCUMENT_BYTES */

    /* page.c's */
    uv_work_t work;
    struct arena arena;
};

/* Takes *body (empty afterwards) and copies the texts. */
struct page *page_new(struct buf *body, const char *url, const char *content_type,
                      bool is_html);
void page_start(struct page *p, uv_loop_t *loop);
void page_free(struct page *p);
