/* The life of a stream: opening (the feed reads) -> begun (the head of the answer is out) ->
 * frames and pauses -> the end of the job, of the server, or of the connection. It belongs to
 * its response from the moment it has one, and goes with it. */
#include "server/streams.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "server/request.h"

enum {
    TICK_MS = 250,
    RETRY_MS = 1000,
    BLOCK_BYTES = 64 * 1024,
};

struct streams {
    struct server *server;
    struct list all;
    uv_timer_t tick;
    size_t count;
    int64_t silence_ms; /* broken by a comment after this: sooner than proxies cut */
};

struct stream {
    struct streams *all;
    struct request *request;
    struct list link;
    struct feed_cursor cursor;
    struct span *first; /* to be sent before what the cursor has: how it opened, or the state */
    struct span *frame; /* on its way */
    size_t frame_sent;
    int64_t said_ms; /* when something was sent last */
    bool again, begun;
    bool over; /* nothing follows what is on its way */
};

static int64_t now_ms(const struct streams *all)
{
    return (int64_t)uv_now(&all->server->loop);
}

static void stream_free(void *arg)
{
    struct stream *s = arg;
    feed_close(&s->cursor);
    list_remove(&s->link);
    span_unref(s->first);
    span_unref(s->frame);
    s->all->count--;
    free(s);
}

/* ---- what is sent ---- */

static struct span *stream_text(const char *text)
{
    return span_new(0, 0, str_of(text));
}

/* When to come back. */
static struct span *stream_retry(size_t ms)
{
    char text[40];
    (void)snprintf(text, sizeof(text), "retry: %zu\n\n", ms);
    return stream_text(text);
}

/* The next thing to send, or NULL: nothing now, or nothing any more. */
static struct span *stream_next(struct stream *s)
{
    struct span *frame = s->over ? NULL : s->first ? TAKE(s->first) : feed_next(&s->cursor);
    if (!frame && !s->over && s->cursor.end_sent)
        s->over = true;
    if (!frame && !s->over && now_ms(s->all) - s->said_ms >= s->all->silence_ms)
        frame = stream_text(": still here\n\n");
    return frame;
}

static ssize_t on_want(void *arg, uint64_t at, char *to, size_t max)
{
    struct stream *s = arg;
    (void)at;
    if (!s->frame)
        s->frame = stream_next(s);
    if (!s->frame && s->over)
        return MHD_CONTENT_READER_END_OF_STREAM;
    if (!s->frame) {
        request_suspend(s->request);
        return 0;
    }
    size_t n = MIN(s->frame->size - s->frame_sent, max);
    memcpy(to, s->frame->data + s->frame_sent, n);
    s->frame_sent += n;
    s->said_ms = now_ms(s->all);
    if (s->frame_sent == s->frame->size) {
        span_unref(TAKE(s->frame));
        s->frame_sent = 0;
    }
    return (ssize_t)n;
}

/* ---- opening ---- */

static void stream_begin(struct stream *s)
{
    s->frame = stream_retry(RETRY_MS);
    s->begun = true;
    struct MHD_Response *response = MHD_create_response_from_callback(
        MHD_SIZE_UNKNOWN, BLOCK_BYTES, on_want, s, stream_free);
    ASSERT(response);
    (void)MHD_add_response_header(response, "Content-Type", "text/event-stream");
    (void)MHD_add_response_header(response, "X-Accel-Buffering", "no");
    request_reply_response(s->request, MHD_HTTP_OK, response);
}

/* Answers without a stream. */
static void stream_refuse(struct stream *s, const struct err *e)
{
    struct request *r = s->request;
    stream_free(s);
    if (e)
        request_fail(r, e);
    else
        request_reply_response(
            r, MHD_HTTP_NO_CONTENT,
            MHD_create_response_from_buffer(0, NULL, MHD_RESPMEM_PERSISTENT));
}

static void on_opened(struct feed_cursor *c, struct feed_opened *o)
{
    struct stream *s = c->owner;
    s->first = TAKE(o->first);
    if (s->begun) { /* once more: its state comes next, or the job is gone: 404 from now on */
        s->over = s->over || o->code < 0;
        request_resume(s->request);
    } else if (o->code < 0) {
        stream_refuse(s, &o->err);
    } else if (s->again && feed_is_over(c)) {
        stream_refuse(s, NULL);
    } else {
        stream_begin(s);
    }
}

static void on_ready(struct feed_cursor *c)
{
    struct stream *s = c->owner;
    request_resume(s->request);
}

void streams_open(struct streams *all, struct request *r, const struct feed_request *wanted,
                  bool again)
{
    struct stream *s = mem_alloc(sizeof(*s));
    *s = (struct stream){.all = all, .request = r, .again = again, .said_ms = now_ms(all)};
    s->cursor.owner = s;
    s->cursor.on_opened = on_opened;
    s->cursor.on_ready = on_ready;
    list_add(&all->all, &s->link);
    all->count++;
    request_suspend(r);
    feed_open(all->server->feed, &s->cursor, wanted);
}

/* ---- all of them ---- */

static void on_tick(uv_timer_t *timer)
{
    struct streams *all = container_of(timer, struct streams, tick);
    int64_t now = now_ms(all);
    LIST_EACH (&all->all, struct stream, link, s)
        if (s->begun && now - s->said_ms >= all->silence_ms)
            request_resume(s->request);
}

struct streams *streams_new(struct server *server, int64_t heartbeat_ms)
{
    struct streams *all = mem_alloc(sizeof(*all));
    all->server = server;
    all->silence_ms = heartbeat_ms * 3 / 4;
    list_init(&all->all);
    ASSERT(uv_timer_init(&server->loop, &all->tick) == 0);
    ASSERT(uv_timer_start(&all->tick, on_tick, TICK_MS, TICK_MS) == 0);
    return all;
}

/* What is half sent is completed: whoever comes back has a cursor that is true. One that is
 * still opening begins, and ends at once. */
void streams_drain(struct streams *all)
{
    size_t i = 0;
    LIST_EACH (&all->all, struct stream, link, s) {
        s->over = true;
        if (!s->frame && s->begun)
            s->frame = stream_retry(RETRY_MS + ++i * RETRY_MS / all->count);
        if (s->begun)
            request_resume(s->request);
    }
}

void streams_stop(struct streams *all)
{
    ASSERT(list_is_empty(&all->all));
    uv_close((uv_handle_t *)&all->tick, NULL);
}

void streams_free(struct streams *all)
{
    free(all);
}
