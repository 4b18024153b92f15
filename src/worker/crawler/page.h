/* page.h: a page's bytes to a document and links, on the pool.
 *
 * The page owns all it works on, so it outlives whoever asked, if need be. */
#pragma once

#include <uv.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/list.h"
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
    struct list link;
    uv_loop_t *loop;
    bool unwanted;
    uv_work_t work;
    struct arena arena;
};

/* Takes *body (empty afterwards) and copies the texts. */
struct page *page_new(struct buf *body, const char *url, const char *content_type,
                      bool is_html);
void page_start(struct page *p, uv_loop_t *loop); /* it may have to wait for other pages */

/* Nobody wants to know any more: done() is called all the same, sooner when its turn had not
 * come yet; nothing was found then. */
void page_unwanted(struct page *p);
void page_free(struct page *p);
