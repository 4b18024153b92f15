/* All lines as plain text, however many: a piece is read on the pool while the connection
 * waits, given to the socket, and the next one is read. What is written while it streams is
 * left out: it ends where the log was when it began. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/limits.h"
#include "server/lines.h"
#include "server/logs.h"

enum { LINES_AT_ONCE = 1000, PIECE_BYTES = LINES_AT_ONCE * (LIMIT_LINE_BYTES + 256) };

struct stream {
    struct log_place place;
    enum event_level level;
    uint64_t after; /* line of the step, or seq */
    uint64_t end_seq;
    size_t sent; /* of r->out */
    bool last;   /* no piece follows the one in r->out */
};

/* "2026-11-23T10:15:02.123456Z info [step] message" */
static void write_line(struct buf *out, const struct event_batch *b, const struct event *event,
                       bool with_step)
{
    char time[CLOCK_TEXT_LEN + 1];
    const char *step = b->sources[event->source].step_name;
    clock_format(event->ts_us, time);
    buf_printf(out, "%s %-5s ", time, event_level_name(event->level));
    if (with_step && step[0])
        buf_printf(out, "[%s] ", step);
    buf_add_str(out, event_message(b, event));
    buf_add_byte(out, '\n');
}

static int read_lines(struct store_reader *reader, struct stream *s, struct event_batch *lines,
                      struct err *e)
{
    if (s->place.step_row) {
        struct line_query q = {.job_id = s->place.job_id,
                               .step_id = s->place.step_row->id,
                               .min_level = s->level,
                               .after = s->after,
                               .limit = LINES_AT_ONCE};
        return store_read_lines(reader, &q, lines, e);
    }
    struct line_range range = {.job_id = s->place.job_id,
                               .min_level = s->level,
                               .after_seq = s->after,
                               .before_seq = s->end_seq + 1,
                               .limit = LINES_AT_ONCE};
    return lines_read_forwards(reader, &range, lines, NULL, e);
}

static int read_piece(struct request *r, struct store_reader *reader, struct err *e)
{
    struct stream *s = r->arg;
    AUTO_EVENT_BATCH lines = EVENT_BATCH_INIT;
    int code = read_lines(reader, s, &lines, e);
    if (code < 0)
        return code;
    s->last = lines.count < LINES_AT_ONCE;
    for (size_t i = 0; i < lines.count; i++) {
        const struct event *event = &lines.events[i];
        s->last = s->last || event->seq > s->end_seq;
        if (event->seq <= s->end_seq)
            write_line(&r->out, &lines, event, !s->place.step_row);
        s->after = s->place.step_row ? event->line : event->seq;
    }
    return r->out.overflow ? fail(e, E_TOOBIG, "a piece of the lines is too large") : 0;
}

static int read_first(struct request *r, struct store_reader *reader, struct err *e)
{
    struct stream *s = r->arg;
    s->end_seq = store_read_as_of(reader);
    int code = logs_find(r, reader, &s->place, e);
    return code < 0 ? code : read_piece(r, reader, e);
}

static int go_on(struct request *r, struct err *e)
{
    (void)e;
    request_resume(r);
    return 0;
}

static int read_next(struct request *r, struct store_reader *reader, struct err *e)
{
    struct stream *s = r->arg;
    buf_clear(&r->out);
    s->sent = 0;
    return read_piece(r, reader, e);
}

static ssize_t on_want(void *arg, uint64_t at, char *to, size_t max)
{
    struct request *r = arg;
    struct stream *s = r->arg;
    (void)at;
    size_t n = MIN(r->out.n - s->sent, max);
    if (r->broken)
        return MHD_CONTENT_READER_END_WITH_ERROR;
    if (n) {
        memcpy(to, r->out.p + s->sent, n);
        s->sent += n;
        return (ssize_t)n;
    }
    if (s->last)
        return MHD_CONTENT_READER_END_OF_STREAM;
    request_read(r, read_next, go_on);
    return 0;
}

static int begin(struct request *r, struct err *e)
{
    enum { BLOCK_BYTES = 64 * 1024 };
    (void)e;
    struct MHD_Response *response =
        MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, BLOCK_BYTES, on_want, r, NULL);
    ASSERT(response);
    (void)MHD_add_response_header(response, "Content-Type", "text/plain; charset=utf-8");
    r->begun = true;
    request_reply_response(r, MHD_HTTP_OK, response);
    return 0;
}

int handle_job_logs_text(struct request *r, struct err *e)
{
    struct stream *s = arena_alloc(&r->arena, sizeof(*s));
    int code = request_id(r, "job", &s->place.id, e);
    if (code >= 0)
        code = logs_query_level(r, &s->level, e);
    if (code < 0)
        return code;
    s->place.step = request_query(r, "step");
    r->arg = s;
    r->out.max = PIECE_BYTES;
    request_read(r, read_first, begin);
    return 0;
}
