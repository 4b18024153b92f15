/* What a crawler meets in life: moved pages, circles, errors, old encodings, too much, no end.
 *
 * The page without end is a stream that writes a little and then rests, so that it costs the
 * server next to nothing; it does end, by size or time, for a client that never hangs up. */
#include "page.h"
#include "site.h"

#include <stdlib.h>
#include <string.h>

enum {
    LARGE_ROWS = 366 * 24,
    STREAM_MAX_BYTES = 64 * 1024 * 1024,
    STREAM_MAX_MS = 10 * 60 * 1000,
    STREAM_CHUNK_BYTES = 8 * 1024,
    STREAM_REST_MS = 40,
};

/* /old/news/SLUG.html, from the site before this one. */
struct reply oddity_old(const struct site *site, const struct request *request,
                        const char *rest)
{
    (void)request;
    size_t n = strlen(rest);
    if (n < 10 || strncmp(rest, "news/", 5) != 0 || strcmp(rest + n - 5, ".html") != 0)
        return (struct reply){0};
    char path[PATH_MAX_BYTES];
    int end = snprintf(path, sizeof path, "/article/%.*s", (int)(n - 10), rest + 5);
    if (end < 0 || !articles_find(&site->articles, path + strlen("/article/")))
        return (struct reply){0};
    return reply_redirect(MHD_HTTP_MOVED_PERMANENTLY, path);
}

struct reply oddity_loop(const struct site *site, const struct request *request,
                         const char *rest)
{
    (void)site;
    (void)request;
    if (strcmp(rest, "a") == 0)
        return reply_redirect(MHD_HTTP_FOUND, "/loop/b");
    if (strcmp(rest, "b") == 0)
        return reply_redirect(MHD_HTTP_FOUND, "/loop/a");
    return (struct reply){0};
}

struct reply oddity_error(const struct site *site, const struct request *request,
                          const char *rest)
{
    (void)site;
    (void)rest;
    struct page page;
    FILE *out = page_begin(&page, request,
                           &(struct page_head){.title = "Something broke",
                                               .description = "This page always fails.",
                                               .path = "/error",
                                               .noindex = true});
    fputs("<h1>Something broke</h1>\n<p>The machine that draws the numbers is stuck again. "
          "Please try tomorrow.</p>\n",
          out);
    return page_end(&page, MHD_HTTP_INTERNAL_SERVER_ERROR);
}

struct reply oddity_slow(const struct site *site, const struct request *request,
                         const char *rest)
{
    (void)site;
    (void)rest;
    struct page page;
    FILE *out =
        page_begin(&page, request,
                   &(struct page_head){
                       .title = "Tide tables",
                       .description = "High water at Sallow Point; takes a moment to compute.",
                       .path = "/slow"});
    fputs(
        "<h1>Tide tables</h1>\n<p>High water at Sallow Point today at 04:12 and 16:38, at the "
        "Penny Marsh bridge forty minutes later. The tables are computed afresh for every "
        "visitor, by a machine of some age.</p>\n",
        out);
    return page_end(&page, MHD_HTTP_OK);
}

static struct reply latin1_page(const struct request *request, const char *title,
                                const char *path, bool in_header)
{
    struct page page;
    FILE *out = page_begin(
        &page, request,
        &(struct page_head){.title = title,
                            .description =
                                "Café, crème brûlée and jalapeños: the menu, in ISO-8859-1.",
                            .path = path,
                            .charset = "iso-8859-1",
                            .charset_in_header = in_header});
    fprintf(
        out,
        "<h1>%s</h1>\n<p>At the Café Müller: pâté maison, rösti with smørrebrød, crème brûlée. "
        "Half a litre of cider is £3, ¼ litre £1.80. On Friday piñata for the children, "
        "25 °C in the garden permitting.</p>\n"
        "<p>The price of a coupon is still 5 €, a sign this encoding does not have.</p>\n",
        title);
    return page_end(&page, MHD_HTTP_OK);
}

struct reply oddity_latin1(const struct site *site, const struct request *request,
                           const char *rest)
{
    (void)site;
    (void)rest;
    return latin1_page(request, "Menü à la carte", "/latin1", true);
}

struct reply oddity_latin1_meta(const struct site *site, const struct request *request,
                                const char *rest)
{
    (void)site;
    (void)rest;
    return latin1_page(request, "Déjeuner élégant", "/latin1-meta", false);
}

/* One row for every hour of a leap year, about 600 KB. The level rises and falls twice a day.
 */
struct reply oddity_large(const struct site *site, const struct request *request,
                          const char *rest)
{
    (void)site;
    (void)rest;
    struct page page;
    FILE *out = page_begin(
        &page, request,
        &(struct page_head){
            .title = "Every hour at the weir",
            .description = "Water level and temperature at Weirbridge, every hour of a year.",
            .path = "/large"});
    fputs("<h1>Every hour at the weir</h1>\n<table>\n<tr><th>Hour</th><th>Level</th>"
          "<th>Water</th></tr>\n",
          out);
    const time_t start = 1704067200; /* 2024-01-01 00:00 UTC */
    for (int i = 0; i < LARGE_ROWS; i++) {
        time_t at = start + i * 3600;
        struct tm tm;
        char hour[32];
        gmtime_r(&at, &tm);
        strftime(hour, sizeof hour, "%Y-%m-%d %H:%M", &tm);
        int level_cm = 120 + abs(i % 12 - 6) * 4 + i * 7919 % 11;
        int tenths = 180 - abs(tm.tm_yday - 200) * 140 / 200;
        fprintf(out, "<tr><td>%s</td><td>%d.%02d m</td><td>%d.%d °C</td></tr>\n", hour,
                level_cm / 100, level_cm % 100, tenths / 10, tenths % 10);
    }
    fputs("</table>\n", out);
    return page_end(&page, MHD_HTTP_OK);
}

struct stream {
    struct delay *delay;
    struct MHD_Connection *connection;
    int64_t start_ms;
    size_t sent;
    unsigned line;
    bool rested; /* since the last piece */
};

/* Called by the server thread whenever the connection can take more. */
static ssize_t stream_read(void *cls, uint64_t position, char *out, size_t max)
{
    (void)position;
    struct stream *stream = cls;
    if (stream->sent >= STREAM_MAX_BYTES || delay_now_ms() - stream->start_ms >= STREAM_MAX_MS)
        return MHD_CONTENT_READER_END_OF_STREAM;
    if (stream->sent > 0 && !stream->rested) {
        stream->rested = true;
        if (delay_connection(stream->delay, stream->connection, STREAM_REST_MS))
            return 0;
    }
    stream->rested = false;

    size_t n = 0;
    if (stream->sent == 0)
        n = (size_t)snprintf(
            out, max,
            "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">"
            "<title>The gauge, live</title></head>\n<body><h1>The gauge, live</h1>\n");
    while (n + 100 < max && n < STREAM_CHUNK_BYTES) {
        unsigned level = 120 + stream->line * 7919 % 31;
        n += (size_t)snprintf(out + n, max - n, "<p>Reading %u: %u.%02u m at the weir.</p>\n",
                              stream->line, level / 100, level % 100);
        stream->line++;
    }
    stream->sent += n;
    return (ssize_t)n;
}

struct reply oddity_endless(const struct site *site, const struct request *request,
                            const char *rest)
{
    (void)rest;
    struct stream *stream = malloc(sizeof *stream);
    if (!stream)
        return (struct reply){MHD_HTTP_INTERNAL_SERVER_ERROR, NULL};
    *stream = (struct stream){
        .delay = site->delay, .connection = request->connection, .start_ms = delay_now_ms()};
    struct MHD_Response *response = MHD_create_response_from_callback(
        MHD_SIZE_UNKNOWN, 2 * STREAM_CHUNK_BYTES, stream_read, stream, free);
    if (!response)
        free(stream);
    else
        (void)MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE,
                                      "text/html; charset=utf-8");
    return (struct reply){MHD_HTTP_OK, response};
}

/* Small ads: the order of the parameters makes no difference to the page. */
struct reply oddity_classified(const struct site *site, const struct request *request,
                               const char *rest)
{
    (void)site;
    (void)rest;
    const char *a = request_query(request, "a"), *b = request_query(request, "b");
    struct page page;
    FILE *out = page_begin(&page, request,
                           &(struct page_head){.title = "Small ads",
                                               .description = "Bicycles, boats and a piano.",
                                               .path = "/classified?a=1&b=2"});
    fputs("<h1>Small ads</h1>\n<p>Column ", out);
    html_text(out, a ? a : "1");
    fputs(", page ", out);
    html_text(out, b ? b : "2");
    fputs(": rowing boat, dry for years, to someone who can swim. Piano, two keys silent. "
          "Bicycle "
          "for a tall person, with a bell.</p>\n",
          out);
    return page_end(&page, MHD_HTTP_OK);
}
