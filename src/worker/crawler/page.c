/* The pool also answers everyone who reads from the store, and a page that was made for it
 * takes seconds. So only a part of the pool's threads ever reads pages, of all crawls together;
 * the other pages wait here. */
#include "worker/crawler/page.h"

#include <stdlib.h>

#include "base/limits.h"
#include "base/mem.h"
#include "worker/crawler/charset.h"

enum {
    DECODED_MAX_FACTOR = 3, /* one byte becomes at most three of UTF-8 */
    AT_WORK_MAX = 2,        /* of the four threads that libuv's pool has */
};

static struct list waiting = {&waiting, &waiting};
static int at_work;

struct page *page_new(struct buf *body, const char *url, const char *content_type, bool is_html)
{
    struct page *p = mem_alloc(sizeof(*p));
    p->body = *body;
    *body = (struct buf)BUF_INIT(body->max);
    p->url = arena_strdup(&p->arena, url);
    p->content_type = arena_strdup(&p->arena, content_type);
    p->is_html = is_html;
    p->markdown = (struct buf)BUF_INIT(LIMIT_DOCUMENT_BYTES);
    return p;
}

static size_t words_count(struct str s)
{
    size_t words = 0;
    for (size_t i = 0; i < s.n; i++)
        words += !text_is_space(s.p[i]) && (i == 0 || text_is_space(s.p[i - 1]));
    return words;
}

static void plain_read(struct page *p, struct str text)
{
    struct html_page *h = &p->html;
    h->title = h->description = h->published = h->language = h->canonical = "";
    h->truncated = text.n > LIMIT_DOCUMENT_BYTES;
    text.n = utf8_cut(text, MIN(text.n, (size_t)LIMIT_DOCUMENT_BYTES));
    buf_add_str(&p->markdown, text);
    h->words = words_count(text);
}

static void work_run(uv_work_t *work)
{
    struct page *p = container_of(work, struct page, work);
    AUTO_BUF room = BUF_INIT(p->body.n * DECODED_MAX_FACTOR + 16);
    struct str text;
    p->charset = charset_decode(buf_str(&p->body), str_of(p->content_type), &room, &text);
    if (p->is_html)
        p->error.code =
            html_read(text, str_of(p->url), &p->arena, &p->html, &p->markdown, &p->error);
    else
        plain_read(p, text);
    buf_done(&p->body);
}

static void work_done(uv_work_t *work, int status);

static void start_waiting(void)
{
    struct page *p;
    while (at_work < AT_WORK_MAX && (p = LIST_TAKE(&waiting, struct page, link))) {
        if (p->unwanted) {
            p->done(p);
            continue;
        }
        at_work++;
        ASSERT(uv_queue_work(p->loop, &p->work, work_run, work_done) == 0);
    }
}

static void work_done(uv_work_t *work, int status)
{
    (void)status; /* never cancelled: its owner waits */
    struct page *p = container_of(work, struct page, work);
    at_work--;
    p->done(p);
    start_waiting();
}

void page_start(struct page *p, uv_loop_t *loop)
{
    p->loop = loop;
    list_add(&waiting, &p->link);
    start_waiting();
}

void page_unwanted(struct page *p)
{
    p->unwanted = true;
}

void page_free(struct page *p)
{
    if (!p)
        return;
    buf_done(&p->body);
    buf_done(&p->markdown);
    arena_done(&p->arena);
    free(p);
}
