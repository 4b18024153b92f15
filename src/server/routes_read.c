/* The reader: the lines of a step as plain pages, for whoever has no JavaScript or wants none.
 */
#include <string.h>

#include "base/clock.h"
#include "base/limits.h"
#include "server/assets.h"
#include "server/html.h"
#include "server/logs.h"

enum { PAGE_LINES = 500 };

struct reader {
    struct log_place place;
    struct job_row *job;
    struct step_row **steps;
    size_t step_count;
    int64_t page, pages; /* from 1 on */
};

/* Which step, when none was asked for: one that failed, else one that runs, else the first. */
static const struct step_row *step_pick(const struct reader *d)
{
    const struct step_row *running = NULL;
    for (size_t i = 0; i < d->step_count; i++) {
        if (d->steps[i]->status == JOB_FAILED)
            return d->steps[i];
        if (d->steps[i]->status == JOB_RUNNING)
            running = d->steps[i];
    }
    return running ? running : d->step_count ? d->steps[0] : NULL;
}

/* ---- head ---- */

static void write_head(struct reader *d, struct buf *out)
{
    buf_printf(out,
               "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
               "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
               "<meta name=\"color-scheme\" content=\"light dark\">\n"
               "<link rel=\"icon\" href=\"/favicon.svg\" type=\"image/svg+xml\">\n"
               "<link rel=\"stylesheet\" href=\"%s\">\n<title>",
               assets_stylesheet());
    html_text(out, str_of(d->job->name));
    buf_printf(
        out,
        " · tailrace</title>\n</head>\n<body class=\"reader\">\n<main>\n"
        "<p><a href=\"/queue\">All jobs</a> · <a href=\"/jobs/%s\">The live page</a></p>\n"
        "<h1>",
        ID_TEXT(d->job->id));
    html_text(out, str_of(d->job->name));
    buf_printf(out, "</h1>\n<p>%s", job_state_name(d->job->status));
    if (d->job->cause) {
        buf_add_c(out, ": ");
        html_line(out, str_of(d->job->cause));
    }
    buf_add_c(out, "</p>\n");
}

static void write_step_link(struct reader *d, struct buf *out, const struct step_row *step)
{
    const char *now = d->place.step_row == step ? " aria-current=\"page\"" : "";
    buf_printf(out, "<li><a href=\"?step=%s\"%s>", ID_TEXT(step->id), now);
    html_text(out, str_of(step->name));
    buf_printf(out, "</a> %s, lines: %llu</li>\n", job_state_name(step->status),
               (unsigned long long)step->lines);
}

static void write_steps(struct reader *d, struct buf *out)
{
    buf_add_c(out, "<nav aria-label=\"Steps\">\n<ul>\n");
    for (size_t i = 0; i < d->step_count; i++)
        write_step_link(d, out, d->steps[i]);
    buf_add_c(out, "</ul>\n</nav>\n");
}

/* ---- pages and lines ---- */

static void write_page_link(struct reader *d, struct buf *out, const char *word, int64_t page)
{
    if (page < 1 || page > d->pages || page == d->page)
        buf_printf(out, "<span>%s</span>\n", word);
    else
        buf_printf(out, "<a href=\"?step=%s&amp;page=%lld\">%s</a>\n",
                   ID_TEXT(d->place.step_row->id), (long long)page, word);
}

static void write_pages(struct reader *d, struct buf *out, const char *label)
{
    buf_printf(out, "<nav aria-label=\"%s\">\n", label);
    write_page_link(d, out, "First", 1);
    write_page_link(d, out, "Previous", d->page - 1);
    buf_printf(out, "<span>page %lld of %lld</span>\n", (long long)d->page,
               (long long)d->pages);
    write_page_link(d, out, "Next", d->page + 1);
    write_page_link(d, out, "Last", d->pages);
    buf_add_c(out, "</nav>\n");
}

static void write_line(struct buf *out, const struct event_batch *b, const struct event *event)
{
    char time[CLOCK_TEXT_LEN + 1];
    clock_format(event->ts_us, time);
    const char *level = event_level_name(event->level);
    buf_printf(out, "<li id=\"L%llu\" value=\"%llu\" data-level=\"%s\"><time>%.12s</time> %s ",
               (unsigned long long)event->line, (unsigned long long)event->line, level,
               time + strlen("2026-11-23T"), level);
    html_line(out, event_message(b, event));
    buf_add_c(out, "</li>\n");
}

static int write_lines(struct reader *d, struct store_reader *reader, struct buf *out,
                       struct err *e)
{
    AUTO_EVENT_BATCH lines = EVENT_BATCH_INIT;
    const struct step_row *step = d->place.step_row;
    struct line_query q = {.job_id = d->place.job_id,
                           .step_id = step->id,
                           .after = (uint64_t)(d->page - 1) * PAGE_LINES,
                           .limit = PAGE_LINES};
    int code = store_read_lines(reader, &q, &lines, e);
    if (code < 0)
        return code;
    buf_add_c(out, "<h2>");
    html_text(out, str_of(step->name ? step->name : "The job itself"));
    buf_printf(out, "</h2>\n<p>Lines: %llu. Times are UTC.</p>\n",
               (unsigned long long)step->lines);
    write_pages(d, out, "Pages");
    buf_add_c(out, "<ol class=\"reader-lines\">\n");
    for (size_t i = 0; i < lines.count; i++)
        write_line(out, &lines, &lines.events[i]);
    buf_add_c(out, "</ol>\n");
    write_pages(d, out, "Pages, again");
    return 0;
}

/* ---- the route ---- */

static int find(struct request *r, struct store_reader *reader, struct reader *d, struct err *e)
{
    int code = store_get_job(reader, d->place.id, &r->arena, &d->job, e);
    if (code == E_NOTFOUND)
        return fail(e, E_NOTFOUND, "there is no job '%s'", ID_TEXT(d->place.id));
    if (code >= 0)
        code = store_list_steps(reader, d->job->id, &r->arena, &d->steps, &d->step_count, e);
    if (code < 0)
        return code;
    const struct step_row *picked = step_pick(d);
    if (!d->place.step.p)
        d->place.step = picked ? str_of(arena_strdup(&r->arena, ID_TEXT(picked->id))) : STR("");
    code = logs_find(r, reader, &d->place, e);
    for (size_t i = 0; code >= 0 && i < d->step_count; i++)
        if (id_eq(d->steps[i]->id, d->place.step_row->id))
            d->place.step_row = d->steps[i];
    return code;
}

static int read_page(struct request *r, struct store_reader *reader, struct err *e)
{
    struct reader *d = r->arg;
    int code = find(r, reader, d, e);
    if (code < 0)
        return code;
    d->pages =
        MAX((int64_t)1, (int64_t)(d->place.step_row->lines + PAGE_LINES - 1) / PAGE_LINES);
    d->page = MIN(d->page, d->pages);
    write_head(d, &r->out);
    write_steps(d, &r->out);
    code = write_lines(d, reader, &r->out, e);
    buf_add_c(&r->out, "</main>\n</body>\n</html>\n");
    if (code >= 0 && r->out.overflow)
        code = fail(e, E_TOOBIG, "this page is too large; logs.txt has all lines");
    return code;
}

static int reply(struct request *r, struct err *e)
{
    (void)e;
    size_t n = r->out.n;
    struct MHD_Response *response =
        MHD_create_response_from_buffer(n, buf_take(&r->out), MHD_RESPMEM_MUST_FREE);
    ASSERT(response);
    (void)MHD_add_response_header(response, "Content-Type", "text/html; charset=utf-8");
    request_reply_response(r, MHD_HTTP_OK, response);
    return 0;
}

int handle_job_read(struct request *r, struct err *e)
{
    struct reader *d = arena_alloc(&r->arena, sizeof(*d));
    int code = request_id(r, "job", &d->place.id, e);
    if (code >= 0)
        code = request_query_int(r, "page", 1, INT32_MAX, 1, &d->page, e);
    if (code < 0)
        return code;
    d->place.step = request_query(r, "step");
    r->arg = d;
    request_read(r, read_page, reply);
    return 0;
}
