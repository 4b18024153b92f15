/* Pages that list articles: the home page, section fronts, the archive by month, subjects, and
 * the sitemap for machines. A list longer than a page is cut; `?page=2` shows the rest, and
 * page 1 has only one address, the one without a query. */
#include "page.h"
#include "site.h"

#include <stdlib.h>
#include <string.h>

enum { PER_PAGE = 10, ON_HOME = 10, ON_NEWS = 3 };

static void teasers_of_section(FILE *out, const struct articles *articles,
                               const struct section *section, int max)
{
    fputs("<ul class=\"teasers\">\n", out);
    for (size_t i = 0; i < articles->count && max > 0; i++) {
        if (strcmp(articles->items[i].section, section->name) != 0)
            continue;
        html_teaser(out, &articles->items[i]);
        max--;
    }
    fputs("</ul>\n", out);
}

struct reply front_home(const struct site *site, const struct request *request,
                        const char *rest)
{
    (void)rest;
    struct page page;
    FILE *out = page_begin(
        &page, request,
        &(struct page_head){.title = "Front page",
                            .description =
                                "News from Weirbridge, Alder Cross, Penny Marsh and the coast.",
                            .path = "/"});
    fputs(
        "<h1>Today in the valley</h1>\n<figure><img src=\"/static/weir.png\" alt=\"The weir, "
        "drawn in six lines\" width=\"320\" height=\"80\"></figure>\n<ul class=\"teasers\">\n",
        out);
    for (size_t i = 0; i < site->articles.count && i < ON_HOME; i++)
        html_teaser(out, &site->articles.items[i]);
    fputs("</ul>\n<p><a href=\"/news/\">All sections</a>, <a href=\"/archive/\">everything by "
          "month</a>, <a href=\"/tag/\">by subject</a>.</p>\n",
          out);
    return page_end(&page, MHD_HTTP_OK);
}

/* Writes one page of a section, and links to the others. Returns false when there is no such.
 */
static bool section_write(FILE *out, const struct site *site, const struct section *section,
                          unsigned long number)
{
    size_t total = 0, skip = (number - 1) * PER_PAGE;
    fprintf(out, "<h1>%s</h1>\n<p>%s.</p>\n<ul class=\"teasers\">\n", section->title,
            section->motto);
    for (size_t i = 0; i < site->articles.count; i++) {
        if (strcmp(site->articles.items[i].section, section->name) != 0)
            continue;
        if (total >= skip && total < skip + PER_PAGE)
            html_teaser(out, &site->articles.items[i]);
        total++;
    }
    fputs("</ul>\n<nav class=\"pages\" aria-label=\"Pages\"><ul>\n", out);
    size_t pages = (total + PER_PAGE - 1) / PER_PAGE;
    for (size_t i = 1; i <= pages; i++) {
        if (i == number)
            fprintf(out, "<li aria-current=\"page\">%zu</li>\n", i);
        else if (i == 1)
            fprintf(out, "<li><a href=\"/news/%s/\">1</a></li>\n", section->name);
        else
            fprintf(out, "<li><a href=\"/news/%s/?page=%zu\">%zu</a></li>\n", section->name, i,
                    i);
    }
    fputs("</ul></nav>\n", out);
    return number == 1 || number <= pages;
}

struct reply front_section(const struct site *site, const struct request *request,
                           const char *rest)
{
    size_t n = strlen(rest);
    char name[32];
    if (n < 2 || n >= sizeof name || rest[n - 1] != '/')
        return (struct reply){0};
    snprintf(name, sizeof name, "%.*s", (int)n - 1, rest);
    const struct section *section = section_find(name);
    if (!section)
        return (struct reply){0};

    const char *query = request_query(request, "page");
    unsigned long number = 1;
    if (query) {
        size_t digits = strspn(query, "0123456789");
        number = digits > 0 && digits <= 4 && !query[digits] ? strtoul(query, NULL, 10) : 0;
        if (number == 1)
            return reply_redirect(MHD_HTTP_MOVED_PERMANENTLY, request->path);
        if (number == 0)
            return (struct reply){0};
    }
    char title[64], path[64];
    snprintf(title, sizeof title, number > 1 ? "%s, page %lu" : "%s", section->title, number);
    snprintf(path, sizeof path, number > 1 ? "/news/%s/?page=%lu" : "/news/%s/", name, number);
    struct page page;
    FILE *out = page_begin(
        &page, request,
        &(struct page_head){
            .title = title, .description = section->motto, .path = path, .section = section});
    bool found = section_write(out, site, section, number);
    return page_end(&page, found ? MHD_HTTP_OK : MHD_HTTP_NOT_FOUND);
}

struct reply front_news(const struct site *site, const struct request *request,
                        const char *rest)
{
    if (*rest)
        return front_section(site, request, rest);
    struct page page;
    FILE *out = page_begin(&page, request,
                           &(struct page_head){.title = "News",
                                               .description = "The newest of every section.",
                                               .path = "/news/"});
    fputs("<h1>News</h1>\n", out);
    for (size_t i = 0; i < SECTION_COUNT; i++) {
        fprintf(out, "<h2><a href=\"/news/%s/\">%s</a></h2>\n", sections[i].name,
                sections[i].title);
        teasers_of_section(out, &site->articles, &sections[i], ON_NEWS);
    }
    return page_end(&page, MHD_HTTP_OK);
}

static struct reply archive_index(const struct site *site, const struct request *request)
{
    struct page page;
    FILE *out = page_begin(
        &page, request,
        &(struct page_head){.title = "Archive",
                            .description = "Every article by the month it was printed in.",
                            .path = "/archive/"});
    fputs("<h1>Archive</h1>\n<ul>\n", out);
    char last[16] = "";
    for (size_t i = 0; i < site->articles.count; i++) {
        char month[16], name[32];
        struct tm tm = article_time(&site->articles.items[i]);
        strftime(month, sizeof month, "%Y-%m", &tm);
        if (strcmp(month, last) == 0)
            continue;
        strftime(name, sizeof name, "%B %Y", &tm);
        fprintf(out, "<li><a href=\"/archive/%s\">%s</a></li>\n", month, name);
        snprintf(last, sizeof last, "%s", month);
    }
    fputs("</ul>\n", out);
    return page_end(&page, MHD_HTTP_OK);
}

/* The page of all articles that `month` or `tag` (one of them is NULL) picks. */
static struct reply list_page(const struct site *site, const struct request *request,
                              const char *month, const char *tag, const char *title)
{
    char path[128], description[128];
    snprintf(path, sizeof path, "%s%s", month ? "/archive/" : "/tag/", month ? month : tag);
    snprintf(description, sizeof description,
             month ? "All articles of %s." : "All articles about the subject %s.", title);
    struct page page;
    FILE *out = page_begin(
        &page, request,
        &(struct page_head){.title = title, .description = description, .path = path});
    fprintf(out, "<h1>%s</h1>\n<ul class=\"teasers\">\n", title);
    for (size_t i = 0; i < site->articles.count; i++) {
        const struct article *article = &site->articles.items[i];
        char of[16];
        struct tm tm = article_time(article);
        strftime(of, sizeof of, "%Y-%m", &tm);
        if (month ? strcmp(of, month) == 0 : article_has_tag(article, tag))
            html_teaser(out, article);
    }
    fputs("</ul>\n", out);
    return page_end(&page, MHD_HTTP_OK);
}

struct reply front_archive(const struct site *site, const struct request *request,
                           const char *rest)
{
    if (!*rest)
        return archive_index(site, request);
    for (size_t i = 0; i < site->articles.count; i++) {
        char month[16], title[32];
        struct tm tm = article_time(&site->articles.items[i]);
        strftime(month, sizeof month, "%Y-%m", &tm);
        strftime(title, sizeof title, "%B %Y", &tm);
        if (strcmp(month, rest) == 0)
            return list_page(site, request, month, NULL, title);
    }
    return (struct reply){0};
}

struct reply front_tags(const struct site *site, const struct request *request,
                        const char *rest)
{
    for (size_t i = 0; *rest && i < site->articles.tag_count; i++)
        if (strcmp(site->articles.tags[i], rest) == 0)
            return list_page(site, request, NULL, rest, site->articles.tags[i]);
    if (*rest)
        return (struct reply){0};
    struct page page;
    FILE *out = page_begin(&page, request,
                           &(struct page_head){.title = "Subjects",
                                               .description = "Articles by subject.",
                                               .path = "/tag/"});
    fputs("<h1>Subjects</h1>\n<ul>\n", out);
    for (size_t i = 0; i < site->articles.tag_count; i++)
        fprintf(out, "<li><a href=\"/tag/%s\">%s</a></li>\n", site->articles.tags[i],
                site->articles.tags[i]);
    fputs("</ul>\n", out);
    return page_end(&page, MHD_HTTP_OK);
}

struct reply front_sitemap(const struct site *site, const struct request *request,
                           const char *rest)
{
    (void)rest;
    struct page page;
    FILE *out = page_open(&page);
    const char *origin = request->origin;
    fputs("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
          "<urlset xmlns=\"http://www.sitemaps.org/schemas/sitemap/0.9\">\n",
          out);
    static const char *const fixed[] = {"/",     "/news/", "/archive/",
                                        "/tag/", "/about", "/imprint"};
    for (size_t i = 0; i < sizeof fixed / sizeof *fixed; i++)
        fprintf(out, "<url><loc>%s%s</loc></url>\n", origin, fixed[i]);
    for (size_t i = 0; i < SECTION_COUNT; i++)
        fprintf(out, "<url><loc>%s/news/%s/</loc></url>\n", origin, sections[i].name);
    for (size_t i = 0; i < site->articles.count; i++) {
        char day[16];
        struct tm tm = article_time(&site->articles.items[i]);
        strftime(day, sizeof day, "%Y-%m-%d", &tm);
        fprintf(out, "<url><loc>%s/article/%s</loc><lastmod>%s</lastmod></url>\n", origin,
                site->articles.items[i].slug, day);
    }
    fputs("</urlset>\n", out);
    return page_close(&page, MHD_HTTP_OK, "application/xml");
}
