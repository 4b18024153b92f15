/* What the paper looks like: the frame around every page, and the little markup of its
 * articles.
 *
 * Everything is written as UTF-8. Two pages leave the house in Latin-1; they are converted as a
 * whole at the very end, and what Latin-1 cannot say becomes a numeric reference. */
#include "page.h"

#include <ctype.h>
#include <err.h>
#include <stdlib.h>
#include <string.h>

#define PAPER "The Lorn Valley Courier"

FILE *page_open(struct page *page)
{
    *page = (struct page){0};
    page->out = open_memstream(&page->text, &page->size);
    if (!page->out)
        err(1, "building a page");
    return page->out;
}

struct reply page_close(struct page *page, unsigned status, const char *content_type)
{
    if (fclose(page->out) != 0) {
        free(page->text);
        return (struct reply){0};
    }
    return reply_text(status, content_type, page->text, page->size);
}

static void html_run(FILE *out, const char *text, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        switch (text[i]) {
        case '&':
            fputs("&amp;", out);
            break;
        case '<':
            fputs("&lt;", out);
            break;
        case '>':
            fputs("&gt;", out);
            break;
        case '"':
            fputs("&quot;", out);
            break;
        case '\'':
            fputs("&#39;", out);
            break;
        default:
            fputc(text[i], out);
        }
    }
}

void html_text(FILE *out, const char *text)
{
    html_run(out, text, strlen(text));
}

/* Writes `[words](address)` at the start of `text`; returns how much it took, 0 when none. */
static size_t inline_link(FILE *out, const char *text, size_t n)
{
    const char *close = memchr(text, ']', n);
    if (text[0] != '[' || !close || close + 1 == text + n || close[1] != '(')
        return 0;
    const char *address = close + 2;
    const char *end = memchr(address, ')', (size_t)(text + n - address));
    if (!end)
        return 0;
    fputs("<a href=\"", out);
    html_run(out, address, (size_t)(end - address));
    fputs("\">", out);
    html_run(out, text + 1, (size_t)(close - text - 1));
    fputs("</a>", out);
    return (size_t)(end + 1 - text);
}

static void html_inline(FILE *out, const char *text, size_t n)
{
    bool emphasis = false;
    for (size_t i = 0; i < n;) {
        size_t link = inline_link(out, text + i, n - i);
        if (link) {
            i += link;
        } else if (text[i] == '*') {
            fputs(emphasis ? "</em>" : "<em>", out);
            emphasis = !emphasis;
            i++;
        } else {
            html_run(out, text + i, 1);
            i++;
        }
    }
    if (emphasis)
        fputs("</em>", out);
}

static void html_heading(FILE *out, const char *text, size_t n)
{
    fputs("<h2 id=\"", out);
    for (size_t i = 0; i < n; i++)
        fputc(isalnum((unsigned char)text[i]) ? tolower((unsigned char)text[i]) : '-', out);
    fputs("\">", out);
    html_inline(out, text, n);
    fputs("</h2>\n", out);
}

static void html_list(FILE *out, const char *text, size_t n)
{
    fputs("<ul>\n", out);
    for (const char *end = text + n; text < end;) {
        size_t line = strcspn(text, "\n");
        if (line > (size_t)(end - text))
            line = (size_t)(end - text);
        size_t mark = strncmp(text, "- ", 2) == 0 ? 2 : 0;
        fputs("<li>", out);
        html_inline(out, text + mark, line - mark);
        fputs("</li>\n", out);
        text += line + 1;
    }
    fputs("</ul>\n", out);
}

static void html_block(FILE *out, const char *text, size_t n)
{
    if (strncmp(text, "## ", 3) == 0) {
        html_heading(out, text + 3, n - 3);
    } else if (strncmp(text, "- ", 2) == 0) {
        html_list(out, text, n);
    } else if (strncmp(text, "> ", 2) == 0) {
        fputs("<blockquote><p>", out);
        html_inline(out, text + 2, n - 2);
        fputs("</p></blockquote>\n", out);
    } else {
        fputs("<p>", out);
        html_inline(out, text, n);
        fputs("</p>\n", out);
    }
}

void html_body(FILE *out, const char *body)
{
    for (;;) {
        body += strspn(body, "\n");
        if (!*body)
            return;
        const char *end = strstr(body, "\n\n");
        size_t n = end ? (size_t)(end - body) : strlen(body);
        size_t kept = n;
        while (kept > 0 && body[kept - 1] == '\n')
            kept--;
        html_block(out, body, kept);
        body += n;
    }
}

void html_teaser(FILE *out, const struct article *article)
{
    char iso[32], day[32];
    struct tm tm = article_time(article);
    strftime(iso, sizeof iso, "%Y-%m-%dT%H:%M:%SZ", &tm);
    strftime(day, sizeof day, "%d %B %Y", &tm);
    fprintf(out, "<li class=\"teaser\"><time datetime=\"%s\">%s</time>\n", iso, day);
    fprintf(out, "<h3><a href=\"/article/%s\">", article->slug);
    html_text(out, article->title);
    fputs("</a></h3>\n<p>", out);
    html_text(out, article->description);
    fputs("</p></li>\n", out);
}

static void meta(FILE *out, const char *kind, const char *name, const char *value)
{
    fprintf(out, "<meta %s=\"%s\" content=\"", kind, name);
    html_text(out, value);
    fputs("\">\n", out);
}

static void head_write(FILE *out, const struct request *request, const struct page_head *head)
{
    fputs("<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n", out);
    if (!head->charset)
        fputs("<meta charset=\"utf-8\">\n", out);
    else if (!head->charset_in_header)
        fprintf(out, "<meta charset=\"%s\">\n", head->charset);
    fputs("<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>",
          out);
    html_text(out, head->title);
    fputs(" | " PAPER "</title>\n", out);
    meta(out, "name", "description", head->description);
    if (head->noindex)
        meta(out, "name", "robots", "noindex");
    fprintf(out, "<link rel=\"canonical\" href=\"%s", request->origin);
    html_text(out, head->path);
    fputs("\">\n", out);
    meta(out, "property", "og:site_name", PAPER);
    meta(out, "property", "og:title", head->title);
    meta(out, "property", "og:description", head->description);
    meta(out, "property", "og:type", head->article ? "article" : "website");
    fprintf(out, "<meta property=\"og:url\" content=\"%s", request->origin);
    html_text(out, head->path);
    fprintf(out, "\">\n<meta property=\"og:image\" content=\"%s/static/weir.png\">\n",
            request->origin);
    if (head->article) {
        char iso[32];
        struct tm tm = article_time(head->article);
        strftime(iso, sizeof iso, "%Y-%m-%dT%H:%M:%SZ", &tm);
        meta(out, "property", "article:published_time", iso);
        meta(out, "property", "article:section", section_find(head->article->section)->title);
        for (const char *const *tag = head->article->tags; *tag; tag++)
            meta(out, "property", "article:tag", *tag);
    }
    fputs("<link rel=\"stylesheet\" href=\"/static/site.css\">\n"
          "<link rel=\"icon\" href=\"/static/weir.svg\" type=\"image/svg+xml\">\n</head>\n",
          out);
}

FILE *page_begin(struct page *page, const struct request *request, const struct page_head *head)
{
    FILE *out = page_open(page);
    page->charset = head->charset;
    page->charset_in_header = head->charset_in_header;
    head_write(out, request, head);
    fputs("<body id=\"top\">\n<header class=\"masthead\">\n"
          "<a class=\"logo\" href=\"/\"><img src=\"/static/weir.svg\" alt=\"\" width=\"40\" "
          "height=\"40\"> " PAPER "</a>\n"
          "<p class=\"motto\">Weirbridge, Alder Cross, Penny Marsh and the coast</p>\n"
          "<nav aria-label=\"Sections\"><ul>\n<li><a href=\"/news/\">News</a></li>\n",
          out);
    for (size_t i = 0; i < SECTION_COUNT; i++)
        fprintf(out, "<li><a href=\"/news/%s/\"%s>%s</a></li>\n", sections[i].name,
                head->section == &sections[i] ? " aria-current=\"page\"" : "",
                sections[i].title);
    fputs("<li><a href=\"/archive/\">Archive</a></li>\n</ul></nav>\n</header>\n<main>\n", out);
    return out;
}

/* UTF-8 to Latin-1. The text is our own, so it is well-formed. */
static void latin1_write(FILE *out, const char *text, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        unsigned char c = (unsigned char)text[i];
        unsigned more = c >= 0xf0 ? 3 : c >= 0xe0 ? 2 : c >= 0xc0 ? 1 : 0;
        unsigned long code = more == 3 ? c & 0x07 : more == 2 ? c & 0x0f : more ? c & 0x1f : c;
        for (; more > 0 && i + 1 < size; more--)
            code = code << 6 | ((unsigned char)text[++i] & 0x3f);
        if (code < 256)
            fputc((int)code, out);
        else
            fprintf(out, "&#%lu;", code);
    }
}

struct reply page_end(struct page *page, unsigned status)
{
    fputs(
        "</main>\n<footer>\n<p>" PAPER ", printed and served in Weirbridge.</p>\n<ul>\n"
        "<li><a href=\"/about\">About us</a></li>\n<li><a href=\"/imprint\">Imprint</a></li>\n"
        "<li><a href=\"/service/\">Reader service</a></li>\n"
        "<li><a href=\"/tag/\">Subjects</a></li>\n"
        "<li><a href=\"/subscribe\" rel=\"nofollow\">Subscribe</a></li>\n"
        "<li><a href=\"/admin/login\">Staff</a></li>\n"
        "<li><a href=\"mailto:desk@example.com\">Write to the desk</a></li>\n"
        "<li><a href=\"tel:+15550100\">Call the desk</a></li>\n"
        "<li><a href=\"#top\">To the top</a></li>\n</ul>\n</footer>\n</body>\n</html>\n",
        page->out);
    if (!page->charset)
        return page_close(page, status, "text/html; charset=utf-8");

    bool in_header = page->charset_in_header;
    struct page latin1;
    FILE *out = page_open(&latin1);
    if (fclose(page->out) == 0)
        latin1_write(out, page->text, page->size);
    free(page->text);
    return page_close(&latin1, status,
                      in_header ? "text/html; charset=ISO-8859-1" : "text/html");
}
