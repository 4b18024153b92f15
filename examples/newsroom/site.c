/* Routes.
 *
 * The first entry whose path matches gives the page: an exact path matches itself, one that
 * ends in '/' matches everything below it, too. A page that finds nothing behind the rest of
 * the address returns status 0, and the reader gets the 404 page. */
#include "site.h"

#include "page.h"

#include <string.h>

static struct reply article_page(const struct site *site, const struct request *request,
                                 const char *rest);

static const struct route {
    const char *path;
    site_page *page;
    int wait_ms;
} routes[] = {
    {"/article/", article_page, 0},
    {"/news/", front_news, 0}, /* and /news/SECTION/ */
    {"/archive/", front_archive, 0},
    {"/tag/", front_tags, 0},
    {"/static/", asset_static, 0},
    {"/about", notice_about, 0},
    {"/imprint", notice_imprint, 0},
    {"/subscribe", notice_subscribe, 0},
    {"/service/", notice_service, 0},
    {"/~notices/", notice_public, 0},
    {"/admin/login", notice_login, 0},
    {"/private/", notice_private, 0},
    {"/robots.txt", notice_robots, 0},
    {"/sitemap.xml", front_sitemap, 0},
    {"/old/", oddity_old, 0},
    {"/loop/", oddity_loop, 0},
    {"/classified", oddity_classified, 0},
    {"/error", oddity_error, 0},
    {"/slow", oddity_slow, 1500},
    {"/latin1", oddity_latin1, 0},
    {"/latin1-meta", oddity_latin1_meta, 0},
    {"/large", oddity_large, 0},
    {"/endless", oddity_endless, 0},
    {"/", front_home, 0},
};

bool site_init(struct site *site, const char *articles_dir, struct delay *delay)
{
    site->delay = delay;
    return articles_load(&site->articles, articles_dir);
}

void site_done(struct site *site)
{
    articles_done(&site->articles);
}

static const struct route *route_find(const char *path, const char **ret_rest)
{
    for (size_t i = 0; i < sizeof routes / sizeof *routes; i++) {
        const char *own = routes[i].path;
        size_t n = strlen(own);
        bool prefix = n > 1 && own[n - 1] == '/';
        if (prefix ? strncmp(path, own, n) == 0 : strcmp(path, own) == 0) {
            *ret_rest = path + n;
            return &routes[i];
        }
    }
    return NULL;
}

/* "/news" and "/news/sport" are what people type; the pages live at the address with the slash.
 */
static bool wants_slash(const char *path)
{
    if (strncmp(path, "/news/", 6) == 0 && section_find(path + 6))
        return true;
    size_t n = strlen(path);
    for (size_t i = 0; i < sizeof routes / sizeof *routes; i++) {
        const char *own = routes[i].path;
        if (strlen(own) == n + 1 && own[n] == '/' && strncmp(own, path, n) == 0)
            return true;
    }
    return false;
}

static struct reply missing_page(const struct request *request)
{
    struct page page;
    FILE *out = page_begin(&page, request,
                           &(struct page_head){.title = "Page not found",
                                               .description = "This page does not exist.",
                                               .path = "/",
                                               .noindex = true});
    fputs(
        "<h1>Page not found</h1>\n<p>There is nothing at this address. It may be a slip in the "
        "link, or an article that we withdrew. The <a href=\"/archive/\">archive</a> lists "
        "everything we printed.</p>\n",
        out);
    return page_end(&page, MHD_HTTP_NOT_FOUND);
}

int site_wait_ms(const struct request *request)
{
    const char *rest;
    const struct route *route = route_find(request->path, &rest);
    return route ? route->wait_ms : 0;
}

struct reply site_answer(const struct site *site, const struct request *request)
{
    if (wants_slash(request->path)) {
        char path[PATH_MAX_BYTES + 1];
        snprintf(path, sizeof path, "%s/", request->path);
        return reply_redirect(MHD_HTTP_MOVED_PERMANENTLY, path);
    }
    const char *rest;
    const struct route *route = route_find(request->path, &rest);
    struct reply reply = route ? route->page(site, request, rest) : (struct reply){0};
    return reply.status ? reply : missing_page(request);
}

static void related_write(FILE *out, const struct site *site, const struct article *article)
{
    fputs("<aside id=\"related\" class=\"related\">\n<h2>Related</h2>\n<ul>\n", out);
    for (const char *const *slug = article->related; *slug; slug++) {
        const struct article *other = articles_find(&site->articles, *slug);
        fprintf(out, "<li><a href=\"/article/%s\">", other->slug);
        html_text(out, other->title);
        fputs("</a></li>\n", out);
    }
    fputs("</ul>\n</aside>\n", out);
}

/* The newer and the older article of the same section, and the same page by other addresses: a
 * reader's bookmark and a link into the text. */
static void neighbours_write(FILE *out, const struct site *site, const struct article *article)
{
    const struct article *items = site->articles.items;
    const struct article *newer = NULL, *older = NULL;
    for (size_t i = 0; i < site->articles.count && !older; i++) {
        if (strcmp(items[i].section, article->section) != 0)
            continue;
        if (&items[i] < article)
            newer = &items[i];
        else if (&items[i] > article)
            older = &items[i];
    }
    fputs("<nav class=\"neighbours\" aria-label=\"More from this section\"><ul>\n", out);
    if (newer)
        fprintf(out, "<li><a rel=\"prev\" href=\"/article/%s\">Newer</a></li>\n", newer->slug);
    if (older)
        fprintf(out, "<li><a rel=\"next\" href=\"/article/%s#top\">Older</a></li>\n",
                older->slug);
    fprintf(out, "<li><a href=\"/article/%s#related\">Link to the related articles</a></li>\n",
            article->slug);
    fputs("<li><a href=\"javascript:window.print()\">Print</a></li>\n</ul></nav>\n", out);
}

static void article_write(FILE *out, const struct article *article)
{
    const struct section *section = section_find(article->section);
    char iso[32], day[64];
    struct tm tm = article_time(article);
    strftime(iso, sizeof iso, "%Y-%m-%dT%H:%M:%SZ", &tm);
    strftime(day, sizeof day, "%A, %d %B %Y, %H:%M", &tm);
    fprintf(out,
            "<article>\n<header>\n<p class=\"kicker\"><a href=\"/news/%s/\">%s</a></p>\n<h1>",
            section->name, section->title);
    html_text(out, article->title);
    fputs("</h1>\n<p class=\"lead\">", out);
    html_text(out, article->description);
    fputs("</p>\n<p class=\"byline\">By the <span rel=\"author\">", out);
    html_text(out, article->byline);
    fprintf(out, "</span>, <time datetime=\"%s\">%s</time></p>\n</header>\n", iso, day);
    html_body(out, article->body);
    fputs("<p class=\"tags\">Subjects:", out);
    for (const char *const *tag = article->tags; *tag; tag++)
        fprintf(out, " <a rel=\"tag\" href=\"/tag/%s\">%s</a>", *tag, *tag);
    fputs("</p>\n</article>\n", out);
}

static struct reply article_page(const struct site *site, const struct request *request,
                                 const char *rest)
{
    const struct article *article = articles_find(&site->articles, rest);
    if (!article)
        return (struct reply){0};
    char path[300];
    snprintf(path, sizeof path, "/article/%s", article->slug);
    struct page page;
    FILE *out = page_begin(&page, request,
                           &(struct page_head){.title = article->title,
                                               .description = article->description,
                                               .path = path,
                                               .section = section_find(article->section),
                                               .article = article});
    article_write(out, article);
    related_write(out, site, article);
    neighbours_write(out, site, article);
    return page_end(&page, MHD_HTTP_OK);
}
