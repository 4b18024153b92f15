/* The tree is built by gumbo in an arena of its own, which serves two ends: nothing has to be
 * freed node by node (gumbo does that by recursion, which a page with a million open tags turns
 * into a crash), and the allocator can give up on a page that needs more memory or time than a
 * page may: it jumps out of the parser, whose only state is in the arena.
 *
 * Then one walk over the tree, in document order and without recursion, takes the head's facts
 * and all links. The main text is markdown.c's. */
#include "worker/crawler/html.h"

#include <gumbo.h>
#include <setjmp.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/limits.h"
#include "base/mem.h"
#include "worker/crawler/markdown.h"
#include "worker/crawler/tree.h"
#include "worker/web/url.h"

enum {
    TREE_BYTES = 256 * 1024 * 1024,
    TREE_MS = 2000,    /* processor time of this thread; real pages take a few */
    FACT_BYTES = 4096, /* title, description and the like: cut */
    BLOCK_BYTES = 256 * 1024,
};

struct block {
    struct block *next;
    _Alignas(max_align_t) char data[];
};

/* gumbo's memory: blocks that end together. */
struct tree_heap {
    struct block *blocks;
    char *at;
    size_t left, bytes, calls;
    int64_t started_ms;
    jmp_buf give_up;
};

static int64_t thread_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static void *heap_alloc(void *userdata, size_t n)
{
    struct tree_heap *h = userdata;
    n = (n + 15) & ~(size_t)15;
    if (h->left < n) {
        size_t size = MAX(n, (size_t)BLOCK_BYTES);
        struct block *b = h->bytes + size > TREE_BYTES ? NULL : malloc(sizeof(*b) + size);
        if (!b)
            longjmp(h->give_up, 1);
        b->next = h->blocks;
        h->blocks = b;
        h->at = b->data;
        h->left = size;
        h->bytes += size;
    }
    if (++h->calls % 1024 == 0 && thread_ms() - h->started_ms > TREE_MS)
        longjmp(h->give_up, 1);
    void *p = h->at;
    h->at += n;
    h->left -= n;
    return p;
}

static void heap_free(void *userdata, void *p)
{
    (void)userdata, (void)p; /* all of it ends with the heap */
}

static void heap_done(struct tree_heap *h)
{
    while (h->blocks) {
        struct block *b = h->blocks;
        h->blocks = b->next;
        free(b);
    }
}

static const GumboNode *tree_build(struct str text, struct tree_heap *h)
{
    GumboOptions options = kGumboDefaultOptions;
    options.allocator = heap_alloc;
    options.deallocator = heap_free;
    options.userdata = h;
    options.max_errors = 0;
    h->started_ms = thread_ms();
    if (setjmp(h->give_up))
        return NULL;
    return gumbo_parse_with_options(&options, text.p ? text.p : "", text.n)->root;
}

struct reader {
    struct arena *arena;
    struct html_page *page;
    struct str url;
    struct buf base; /* where relative links start */
    bool base_set;
    struct buf room;
    struct keyset seen; /* addresses of this page */
    size_t cap;
    const char *time; /* the first <time datetime> */
};

static const char *fact(struct reader *r, struct str s)
{
    s = str_trim(s);
    s.n = utf8_cut(s, MIN(s.n, (size_t)FACT_BYTES));
    return s.n ? arena_str(r->arena, s) : "";
}

static void base_read(struct reader *r, const GumboNode *node)
{
    const char *href = tree_attribute(node, "href");
    if (!href || r->base_set)
        return;
    r->base_set = true;
    if (url_resolve(str_of(href), r->url, &r->room, NULL) >= 0) {
        buf_clear(&r->base);
        buf_add_str(&r->base, buf_str(&r->room));
    }
}

static void link_read(struct reader *r, const GumboNode *node, const char *attribute)
{
    const char *href = tree_attribute(node, attribute);
    if (!href)
        return;
    if (url_resolve(str_of(href), buf_str(&r->base), &r->room, NULL) < 0) {
        r->page->other_links++;
        return;
    }
    struct html_page *p = r->page;
    struct html_link link = {.url = buf_str(&r->room), .key = hash_of(buf_str(&r->room))};
    if (!keyset_add(&r->seen, link.key))
        return;
    link.url.p = arena_str(r->arena, link.url);
    link.nofollow = tree_has_token(node, "rel", "nofollow");
    MEM_GROW(p->links, p->link_count, r->cap);
    p->links[p->link_count++] = link;
}

static bool name_is(const char *name, const char *const *names)
{
    for (size_t i = 0; names[i]; i++)
        if (strcasecmp(name, names[i]) == 0)
            return true;
    return false;
}

static void meta_read(struct reader *r, const GumboNode *node)
{
    static const char *const dates[] = {
        "article:published_time", "date",    "dc.date",     "dc.date.issued", "dcterms.date",
        "dcterms.created",        "pubdate", "publishdate", "datepublished",  NULL};
    static const char *const descriptions[] = {"description", "og:description", NULL};
    const char *name = tree_attribute(node, "name"), *content = tree_attribute(node, "content");
    if (!name)
        name = tree_attribute(node, "property");
    if (!name)
        name = tree_attribute(node, "itemprop");
    if (!name || !content)
        return;
    struct html_page *p = r->page;
    if (strcasecmp(name, "robots") == 0 || strcasecmp(name, "tailrace") == 0) {
        bool none = tree_has_token(node, "content", "none");
        p->noindex = p->noindex || none || tree_has_token(node, "content", "noindex");
        p->nofollow = p->nofollow || none || tree_has_token(node, "content", "nofollow");
    } else if (!*p->description && name_is(name, descriptions)) {
        p->description = fact(r, str_of(content));
    } else if (!*p->published && name_is(name, dates)) {
        p->published = fact(r, str_of(content));
    }
}

static void head_link_read(struct reader *r, const GumboNode *node)
{
    const char *href = tree_attribute(node, "href");
    if (href && tree_has_token(node, "rel", "canonical") && !*r->page->canonical &&
        url_resolve(str_of(href), buf_str(&r->base), &r->room, NULL) >= 0)
        r->page->canonical = fact(r, buf_str(&r->room));
}

static const char *text_fact(struct reader *r, const GumboNode *node)
{
    AUTO_BUF text = BUF_INIT(FACT_BYTES);
    tree_text(node, &text);
    return fact(r, buf_str(&text));
}

static void node_read(struct reader *r, const GumboNode *node)
{
    struct html_page *p = r->page;
    switch (node->v.element.tag) {
    case GUMBO_TAG_HTML:
        if (!*p->language)
            p->language = fact(r, str_of(tree_attribute(node, "lang")));
        break;
    case GUMBO_TAG_BASE:
        base_read(r, node);
        break;
    case GUMBO_TAG_META:
        meta_read(r, node);
        break;
    case GUMBO_TAG_LINK:
        head_link_read(r, node);
        break;
    case GUMBO_TAG_TITLE: /* SVG has titles too */
        if (!*p->title && node->v.element.tag_namespace == GUMBO_NAMESPACE_HTML)
            p->title = text_fact(r, node);
        break;
    case GUMBO_TAG_A:
    case GUMBO_TAG_AREA:
        link_read(r, node, "href");
        break;
    case GUMBO_TAG_FRAME:
    case GUMBO_TAG_IFRAME:
        link_read(r, node, "src");
        break;
    case GUMBO_TAG_TIME:
        if (!r->time)
            r->time = tree_attribute(node, "datetime");
        break;
    default:
        break;
    }
}

static void tree_read(struct reader *r, const GumboNode *root, struct buf *markdown)
{
    struct html_page *p = r->page;
    p->title = p->description = p->published = p->language = p->canonical = "";
    for (const GumboNode *n = root; n;) {
        if (n->type == GUMBO_NODE_ELEMENT)
            node_read(r, n);
        n = tree_next(root, n, n->type == GUMBO_NODE_TEMPLATE);
    }
    const GumboNode *heading = *p->title ? NULL : tree_find(root, GUMBO_TAG_H1);
    if (heading)
        p->title = text_fact(r, heading);
    if (!*p->published)
        p->published = fact(r, str_of(r->time));
    p->words = markdown_write(markdown_main(root), buf_str(&r->base), markdown);
    p->truncated = markdown->overflow;
    struct html_link *links = arena_alloc(r->arena, (p->link_count + 1) * sizeof(*links));
    if (p->link_count)
        memcpy(links, p->links, p->link_count * sizeof(*links));
    free(p->links);
    p->links = links;
}

int html_read(struct str text, struct str url, struct arena *arena, struct html_page *page,
              struct buf *markdown, struct err *e)
{
    *page = (struct html_page){0};
    struct tree_heap *heap = mem_alloc(sizeof(*heap));
    const GumboNode *root = tree_build(text, heap);
    int code = 0;
    if (root) {
        struct reader r = {.arena = arena, .page = page, .url = url};
        r.base = r.room = (struct buf)BUF_INIT(LIMIT_TASK_KEY_BYTES);
        buf_add_str(&r.base, url);
        tree_read(&r, root, markdown);
        buf_done(&r.base);
        buf_done(&r.room);
        keyset_done(&r.seen);
    } else {
        code = fail(e, E_TOOBIG, "the page's HTML is too deep or too large to be read");
    }
    heap_done(heap);
    free(heap);
    return code;
}
