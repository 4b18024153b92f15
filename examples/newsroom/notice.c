/* Pages of the house itself: who we are, what readers can do, and what robots may.
 *
 * The reader service page is where a crawler finds everything of oddity.c: each link there is
 * one thing that real sites do to those who follow links. */
#include "page.h"
#include "site.h"

#include <ctype.h>
#include <string.h>

static struct reply plain_page(const struct request *request, const struct page_head *head,
                               const char *html)
{
    struct page page;
    FILE *out = page_begin(&page, request, head);
    fprintf(out, "<h1>%s</h1>\n", head->title);
    fputs(html, out);
    return page_end(&page, MHD_HTTP_OK);
}

struct reply notice_about(const struct site *site, const struct request *request,
                          const char *rest)
{
    (void)site;
    (void)rest;
    return plain_page(
        request,
        &(struct page_head){.title = "About us",
                            .description = "Who writes the Courier, and for whom.",
                            .path = "/about"},
        "<p>The Courier reports from the valley of the Lorn, from the moor above Alder Cross "
        "down "
        "to the harbour of Sallow Point. We are five desks in two rooms above the old corn "
        "exchange, with a view of the weir and of everyone who comes to complain.</p>\n"
        "<p>Our articles carry the name of a desk, not of a person, because they are checked "
        "by "
        "all of it. When we get something wrong we say so at the same place.</p>\n"
        "<p>Neither the paper nor the valley exists. The site is an example to try a crawler "
        "on; "
        "the <a href=\"/imprint\">imprint</a> says more.</p>\n");
}

struct reply notice_imprint(const struct site *site, const struct request *request,
                            const char *rest)
{
    (void)site;
    (void)rest;
    return plain_page(
        request,
        &(struct page_head){.title = "Imprint",
                            .description =
                                "Responsible for these pages, and what they are for.",
                            .path = "/imprint"},
        "<p>The Lorn Valley Courier, Exchange Yard, Weirbridge. An invented newspaper with "
        "invented places, made to be read by crawlers on the machine it runs on.</p>\n"
        "<p>No article is about anyone or anything that exists. All of it may be used as the "
        "program itself may.</p>\n");
}

struct reply notice_subscribe(const struct site *site, const struct request *request,
                              const char *rest)
{
    (void)site;
    (void)rest;
    return plain_page(
        request,
        &(struct page_head){.title = "Subscribe",
                            .description = "The paper at your door, six days a week.",
                            .path = "/subscribe"},
        "<p>The paper comes to your door six days a week, by bicycle where the road is flat. "
        "Bring the form to the counter in Exchange Yard.</p>\n");
}

struct reply notice_public(const struct site *site, const struct request *request,
                           const char *rest)
{
    (void)site;
    if (*rest)
        return (struct reply){0};
    return plain_page(
        request,
        &(struct page_head){.title = "Public notices",
                            .description = "Road closures, planning and water levels.",
                            .path = "/~notices/"},
        "<p>Mill Lane is closed on market days from seven to two. The bridge at Penny Marsh "
        "opens "
        "for boats at every full hour. Comments on the plan for the lower meadow can be left "
        "in "
        "the town hall until the end of the month.</p>\n");
}

struct reply notice_login(const struct site *site, const struct request *request,
                          const char *rest)
{
    (void)site;
    (void)rest;
    return plain_page(request,
                      &(struct page_head){.title = "Staff",
                                          .description = "Robots are asked not to come here.",
                                          .path = "/admin/login",
                                          .noindex = true},
                      "<p>Staff only. A robot that reads this did not read robots.txt.</p>\n");
}

struct reply notice_private(const struct site *site, const struct request *request,
                            const char *rest)
{
    (void)site;
    if (strcmp(rest, "drafts") != 0)
        return (struct reply){0};
    return plain_page(
        request,
        &(struct page_head){.title = "Drafts",
                            .description = "Robots are asked not to come here.",
                            .path = "/private/drafts",
                            .noindex = true},
        "<p>Unfinished articles. A robot that reads this did not read robots.txt.</p>\n");
}

struct reply notice_robots(const struct site *site, const struct request *request,
                           const char *rest)
{
    (void)site;
    (void)rest;
    struct page page;
    FILE *out = page_open(&page);
    fprintf(
        out,
        "User-agent: *\nDisallow: /admin/\nDisallow: /private/\n\nSitemap: %s/sitemap.xml\n",
        request->origin);
    return page_close(&page, MHD_HTTP_OK, "text/plain; charset=utf-8");
}

/* The same article by other addresses. An origin with its host in capitals is the same host; a
 * port that may be left out, or that has a zero in front, is the same port. */
static void spellings_write(FILE *out, const char *origin, const char *slug)
{
    fputs("<h2>One article, many spellings</h2>\n<ul>\n", out);
    static const struct {
        const char *before, *after;
    } forms[] = {
        {"/article/", ""},   {"/./article/./", ""}, {"/news/sport/../../article/", ""},
        {"/%61rticle/", ""}, {"/article/", "#top"}, {"/article/", "#"},
    };
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++)
        fprintf(out, "<li><a href=\"%s%s%s\">spelling %zu</a></li>\n", forms[i].before, slug,
                forms[i].after, i + 1);
    fputs("<li><a href=\"HTTP://", out);
    const char *host = origin + strlen("http://");
    for (const char *p = host; *p; p++)
        fputc(toupper((unsigned char)*p), out);
    fprintf(out, "/article/%s\">in capitals</a></li>\n", slug);
    const char *port = strrchr(host, ':');
    if (port && !strchr(port, ']'))
        fprintf(out, "<li><a href=\"http://%.*s:0%s/article/%s\">with a long port</a></li>\n",
                (int)(port - host), host, port + 1, slug);
    else
        fprintf(out, "<li><a href=\"%s:80/article/%s\">with the port</a></li>\n", origin, slug);
    fputs("<li><a href=\"/~notices/\">notices</a>, <a href=\"/%7Enotices/\">notices</a>, "
          "<a href=\"/%7enotices/\">notices</a></li>\n"
          "<li><a href=\"/classified?a=1&amp;b=2\">small ads</a>, "
          "<a href=\"/classified?b=2&amp;a=1\">small ads</a></li>\n</ul>\n",
          out);
}

struct reply notice_service(const struct site *site, const struct request *request,
                            const char *rest)
{
    if (*rest)
        return (struct reply){0};
    struct page page;
    FILE *out = page_begin(
        &page, request,
        &(struct page_head){.title = "Reader service",
                            .description =
                                "Everything else on this site, and what it does to a crawler.",
                            .path = "/service/"});
    const char *slug = site->articles.items[0].slug;
    fprintf(
        out,
        "<h1>Reader service</h1>\n<ul>\n"
        "<li><a href=\"/old/news/%s.html\">An address from before the new site</a></li>\n"
        "<li><a href=\"/loop/a\">A form that sends you in circles</a></li>\n"
        "<li><a href=\"/article/withdrawn\">An article that we withdrew</a></li>\n"
        "<li><a href=\"/error\">The lottery numbers</a>, out of order</li>\n"
        "<li><a href=\"/slow\">Tide tables</a>, slow to compute</li>\n"
        "<li><a href=\"/latin1\">Menus of the week</a> and <a href=\"/latin1-meta\">of the next"
        "</a>, in an old encoding</li>\n"
        "<li><a href=\"/large\">Every hour at the weir</a>, a large page</li>\n"
        "<li><a href=\"/endless\">The gauge, live</a>, a page without end</li>\n"
        "<li><a href=\"/static/timetable.pdf\">Bus timetable</a> (PDF)</li>\n"
        "<li><a href=\"/static/weir.png\">The weir</a> (picture)</li>\n"
        "<li><a href=\"/subscribe\" rel=\"nofollow\">Subscribe</a></li>\n"
        "<li><a href=\"/private/drafts\">Drafts</a> and <a href=\"/admin/login\">staff</a>: "
        "not "
        "for robots</li>\n"
        "<li><a href=\"http://example.com/weather\">Weather</a>, on another site</li>\n"
        "<li><a href=\"mailto:desk@example.com\">Mail</a>, <a "
        "href=\"tel:+15550100\">telephone</a>, "
        "<a href=\"javascript:void(0)\">nothing</a></li>\n</ul>\n",
        slug);
    spellings_write(out, request->origin, slug);
    return page_end(&page, MHD_HTTP_OK);
}
