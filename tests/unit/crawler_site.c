/* The site that crawler_test.c crawls: what crawlers meet in life, a path each. */
#include <microhttpd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/buf.h"
#include "crawl_world.h"
#include "test.h"

enum { HIT_SLOTS = 512 };

struct hits {
    int count;
    char paths[HIT_SLOTS][120];
};

static struct hits *hits;
static int site_port;

void site_share(void);
_Noreturn void site_serve(int fd, int port);

void site_share(void)
{
    hits = mmap(NULL, sizeof(*hits), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    CHECK(hits != MAP_FAILED);
}

int site_hits(const char *path)
{
    int n = 0;
    for (int i = 0; i < hits->count && i < HIT_SLOTS; i++)
        n += strcmp(hits->paths[i], path) == 0;
    return n;
}

struct answer {
    const char *path, *type, *body, *location;
    int status;
};

#define HTML "text/html; charset=utf-8"
static const struct answer answers[] = {
    {"/robots.txt", "text/plain", "User-agent: *\nDisallow: /private\nSitemap: /s.xml\n", NULL,
     200},
    {"/", HTML,
     "<html lang=en><title>Front</title><main><p>Front page words</p>"
     "<a href=/a>a</a> <a href='/a#x'>a</a> <a href='/b/../a'>a</a> <a "
     "href='HTTP://127.0.0.1:%d/a'>a</a>"
     "<a href=/b>b</a> <a href=/moved>m</a> <a href=/loop1>l</a> <a href=/missing>x</a>"
     "<a href=/broken>x</a> <a href=/private/p>x</a> <a href=/admin/x>x</a> <a "
     "href=/image.png>i</a>"
     "<a href=/latin1>l</a> <a href=/plain>p</a> <a rel=nofollow href=/nofollow>n</a>"
     "<a href=/noindex>n</a> <a href='mailto:x@y'>m</a> <a href='http://localhost:1/'>o</a>"
     "<a href=/big>b</a> <a href=/selfloop>s</a> <a href=/hop/9>h</a></main>",
     NULL, 200},
    {"/a", HTML,
     "<title>A</title><meta name=description content='About A'><meta "
     "property='article:published_time' content='2026-11-20T08:00:00Z'><link rel=canonical "
     "href='/a?x'><article><h1>A</h1><p>Text of <b>A</b>.</p></article><a href=/deep/1>d</a>",
     NULL, 200},
    {"/b", HTML, "<title>B</title><p>Text of B.</p><a href=/>home</a>", NULL, 200},
    {"/moved", HTML, "", "/target", 301},
    {"/target", HTML, "<title>Target</title><p>moved here</p>", NULL, 200},
    {"/loop1", HTML, "", "/loop2", 302},
    {"/loop2", HTML, "", "/loop1", 302},
    {"/selfloop", HTML, "", "/selfloop", 302},
    {"/broken", HTML, "no", NULL, 500},
    {"/image.png", "image/png", "\x89PNG....", NULL, 200},
    {"/latin1", "text/html; charset=iso-8859-1", "<title>Caf\xe9 \x80</title><p>caf\xe9</p>",
     NULL, 200},
    {"/plain", "text/plain", "just text\n", NULL, 200},
    {"/noindex", HTML,
     "<meta name=robots content='noindex, nofollow'><title>N</title><a href=/secret>s</a>",
     NULL, 200},
    {"/deep/1", HTML, "<a href=/deep/2>2</a>", NULL, 200},
    {"/deep/2", HTML, "<a href=/deep/3>3</a>", NULL, 200},
    {"/deep/3", HTML, "<a href=/deep/4>4</a>", NULL, 200},
    {"/deep/4", HTML, "too deep", NULL, 200},
};

static enum MHD_Result reply(struct MHD_Connection *c, int status, const char *type,
                             const char *location, const char *body, size_t n)
{
    union {
        const char *in;
        char *out;
    } text = {body}; /* copied */
    struct MHD_Response *r =
        MHD_create_response_from_buffer(n, text.out, MHD_RESPMEM_MUST_COPY);
    (void)MHD_add_response_header(r, "Content-Type", type);
    if (location)
        (void)MHD_add_response_header(r, "Location", location);
    enum MHD_Result ok = MHD_queue_response(c, (unsigned)status, r);
    MHD_destroy_response(r);
    return ok;
}

static ssize_t endless_read(void *data, uint64_t at, char *to, size_t max)
{
    (void)data, (void)at;
    memset(to, 'x', max);
    return (ssize_t)max;
}

static ssize_t drip_read(void *data, uint64_t at, char *to, size_t max)
{
    (void)data, (void)at, (void)max;
    usleep(20000);
    *to = 'x';
    return 1;
}

static enum MHD_Result stream(struct MHD_Connection *c, MHD_ContentReaderCallback read)
{
    struct MHD_Response *r =
        MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, 4096, read, NULL, NULL);
    (void)MHD_add_response_header(r, "Content-Type", HTML);
    enum MHD_Result ok = MHD_queue_response(c, 200, r);
    MHD_destroy_response(r);
    return ok;
}

/* "/tree/N" links to its two children, down to N = 255. */
static enum MHD_Result tree_page(struct MHD_Connection *c, int n)
{
    AUTO_BUF body = BUF_INIT(4096);
    buf_printf(&body, "<title>%d</title><p>page %d</p>", n, n);
    if (n < 128)
        buf_printf(&body, "<a href='%d'>l</a><a href='./%d#x'>r</a><a href='/tree/1'>up</a>",
                   2 * n, 2 * n + 1);
    return reply(c, 200, HTML, NULL, body.p, body.n);
}

static enum MHD_Result on_request(void *data, struct MHD_Connection *c, const char *url,
                                  const char *method, const char *version, const char *upload,
                                  size_t *upload_size, void **state)
{
    (void)data, (void)method, (void)version, (void)upload, (void)upload_size, (void)state;
    int slot = __atomic_fetch_add(&hits->count, 1, __ATOMIC_SEQ_CST);
    if (slot < HIT_SLOTS)
        text_copy(hits->paths[slot], sizeof(hits->paths[slot]), url);
    for (size_t i = 0; i < ARRAY_LEN(answers); i++) {
        const struct answer *a = &answers[i];
        if (strcmp(a->path, url) != 0)
            continue;
        char body[4096];
        const char *port = strstr(a->body, "%d");
        int n = port ? snprintf(body, sizeof(body), "%.*s%d%s", (int)(port - a->body), a->body,
                                site_port, port + 2)
                     : snprintf(body, sizeof(body), "%s", a->body);
        return reply(c, a->status, a->type, a->location, body, (size_t)n);
    }
    if (strncmp(url, "/tree/", 6) == 0)
        return tree_page(c, (int)strtol(url + 6, NULL, 10));
    if (strncmp(url, "/hop/", 5) == 0) {
        char to[32];
        snprintf(to, sizeof(to), "/hop/%ld", strtol(url + 5, NULL, 10) - 1);
        return reply(c, 302, HTML, to, "", 0);
    }
    if (strcmp(url, "/big") == 0 || strcmp(url, "/endless") == 0)
        return stream(c, endless_read);
    if (strcmp(url, "/drip") == 0)
        return stream(c, drip_read);
    return reply(c, 404, HTML, NULL, "no", 2);
}

_Noreturn void site_serve(int fd, int port)
{
    site_port = port;
    struct MHD_Daemon *d = MHD_start_daemon(
        MHD_USE_THREAD_PER_CONNECTION | MHD_USE_INTERNAL_POLLING_THREAD, 0, NULL, NULL,
        on_request, NULL, MHD_OPTION_LISTEN_SOCKET, fd, MHD_OPTION_END);
    if (!d)
        _exit(1);
    for (;;)
        pause();
}
