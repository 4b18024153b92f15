/* The life of a viewer: added -> (40 ms: some clients lose what is glued to the 101) -> greeted
 * -> closing -> gone. It is closing from the moment a close frame was put behind what is half
 * sent; it is gone when the other side has closed as well, or has not within two seconds.
 *
 * `out` holds only what is on its way: frames that the socket took in part, and what this turn
 * adds to them. As long as something is left there (parked), cursors are not asked. */
#include "server/viewer.h"

#include <errno.h>
#include <malloc.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fault.h"
#include "base/limits.h"
#include "base/mem.h"
#include "server/server.h"
#include "server/subscriber.h"
#include "server/websocket.h"

enum {
    GREET_MS = 40,
    TICK_MS = 500,
    STATUS_MS = 1500, /* plain clients are told at least every 2 s */
    CLOSE_MS = 2000,
    LAG_MS = 1000,                      /* a shorter pause is not worth a word */
    TURN_BYTES = 4 * LIMIT_FRAME_BYTES, /* for one viewer in one call: the call itself costs
                                           as much as 20 KiB of data */
    TURN_SPANS = 64,
    TURN_US = 8000, /* for all viewers; the others are next, after a look at what else came */
    UNSENT_BYTES = 64 * 1024, /* in the socket: it counts as not writable above */
    OUT_BYTES = 1024 * 1024, /* above, the client is not read: it asks for more than it takes */
    OPENING_MAX = 8,         /* the same for subscriptions that are being opened */
    BURST = 100,             /* messages at once; LIMIT_WS_INBOUND_PER_S in the long run */
    DEAD_TIMEOUT_MS = 60000,
    HTTP_SHARE = 8, /* see http.c */
};

struct viewers {
    struct server *server;
    struct list all, dirty, young;
    uv_timer_t tick, greet;
    uv_idle_t busy; /* active while a turn could not reach all: the loop must not sleep */
    size_t count, trimmed_at; /* viewers, now and when memory was given back */
    int64_t trimmed_ms;
    int64_t heartbeat_ms;
    struct inflater *inflater;   /* of whoever sent a compressed message */
    unsigned char in[64 * 1024]; /* of whoever is read now */
};

struct viewer {
    struct viewers *all;
    struct list link, dirty_link, young_link;
    uv_poll_t poll;
    int fd, polled;
    struct ws_parser parser;
    struct subscriber subscriber;
    struct span **out;
    size_t out_count, out_cap;
    size_t out_sent; /* bytes of out[0] that are away */
    size_t out_bytes;
    struct span *pong; /* to the newest ping, between frames */
    bool v1, greeted, parked, closing, gone;
    bool deaf; /* its bytes make no sense any more */
    bool peer_closed, shut;
    int64_t greet_ms, received_ms, accepted_ms, sent_ms, status_ms, ping_ms, closing_ms;
    int64_t behind_ms; /* since when it is not up to date at the end of a turn; 0: it is */
    int tokens;
    int64_t tokens_ms;
};

static int64_t now_ms(const struct viewers *all)
{
    return (int64_t)uv_now(&all->server->loop);
}

static void set_dirty(struct viewer *v)
{
    if (!v->gone && !list_is_linked(&v->dirty_link))
        list_add(&v->all->dirty, &v->dirty_link);
}

/* ---- what goes out ---- */

/* Takes the reference. */
static void out_add(struct viewer *v, struct span *frame)
{
    MEM_GROW(v->out, v->out_count, v->out_cap);
    v->out[v->out_count++] = frame;
    v->out_bytes += frame->size;
    set_dirty(v);
}

static struct span *control_frame(enum ws_opcode opcode, struct str data)
{
    AUTO_BUF frame = BUF_INIT(256);
    ws_add_control(&frame, opcode, data);
    return span_new(0, 0, buf_str(&frame));
}

/* Forgets the first n frames. */
static void out_drop(struct viewer *v, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        v->out_bytes -= v->out[i]->size;
        span_unref(v->out[i]);
    }
    v->out_count -= n;
    if (n)
        memmove(v->out, v->out + n, v->out_count * sizeof(v->out[0]));
}

static struct span *status_frame(struct viewer *v)
{
    enum { MAX_FRAME_BYTES = 2 * LIMIT_FRAME_BYTES };
    struct server *s = v->all->server;
    AUTO_BUF text = BUF_INIT(2048);
    struct json j = JSON_TO(&text);
    json_begin_object(&j);
    json_key_c(&j, "type", "status");
    if (!v->v1)
        json_key_int(&j, "seq", (int64_t)feed_head(s->feed));
    json_key(&j, "payload");
    json_begin_object(&j);
    json_key_int(&j, "protocol", v->v1 ? 1 : 0);
    json_key_c(&j, "server", VERSION);
    json_key_c(&j, "instance", s->instance);
    json_key_c(&j, "epoch", feed_epoch(s->feed));
    json_key_int(&j, "head", (int64_t)feed_head(s->feed));
    json_key(&j, "ping_s");
    json_double(&j, (double)v->all->heartbeat_ms / 1000);
    json_key_int(&j, "max_frame", MAX_FRAME_BYTES);
    json_key_c(&j, "status", s->draining ? "draining" : "running");
    json_key_int(&j, "active_jobs", (int64_t)engine_active_jobs(s->engine));
    json_end_object(&j);
    json_end_object(&j);
    ASSERT(!text.overflow);
    return span_text(feed_head(s->feed), buf_str(&text));
}

/* Begins to close: what is half sent is completed, the rest is forgotten. */
static void viewer_close(struct viewer *v, int code, const char *reason)
{
    if (v->closing || v->gone)
        return;
    size_t keep = v->out_sent > 0;
    while (v->out_count > keep) {
        struct span *frame = v->out[--v->out_count];
        v->out_bytes -= frame->size;
        span_unref(frame);
    }
    AUTO_BUF frame = BUF_INIT(256);
    ws_add_close(&frame, code, reason);
    out_add(v, span_new(0, 0, buf_str(&frame)));
    v->closing = true;
    v->closing_ms = now_ms(v->all);
}

static void on_handle_closed(uv_handle_t *handle)
{
    struct viewer *v = container_of((uv_poll_t *)(void *)handle, struct viewer, poll);
    (void)close(v->fd);
    v->all->count--;
    free(v);
}

static void viewer_end(struct viewer *v)
{
    if (v->gone)
        return;
    v->gone = true;
    list_remove(&v->link);
    list_remove(&v->dirty_link);
    list_remove(&v->young_link);
    subscriber_done(&v->subscriber);
    out_drop(v, v->out_count);
    mem_clear(&v->out);
    span_unref(TAKE(v->pong));
    ws_parser_done(&v->parser);
    uv_close((uv_handle_t *)&v->poll, on_handle_closed);
}

/* ---- writing ---- */

static void viewer_fill(struct viewer *v)
{
    size_t bytes = 0;
    struct span *frame;
    while (!v->closing && v->out_count < TURN_SPANS && bytes < TURN_BYTES &&
           (frame = subscriber_next(&v->subscriber))) {
        bytes += frame->size;
        out_add(v, frame);
    }
    if (v->pong && !v->closing)
        out_add(v, TAKE(v->pong));
}

/* Gives the socket what there is. False: the connection is broken. */
static bool viewer_send(struct viewer *v)
{
    struct iovec parts[TURN_SPANS];
    size_t n = MIN(v->out_count, (size_t)TURN_SPANS), whole = 0;
    for (size_t i = 0; i < n; i++)
        parts[i] = (struct iovec){v->out[i]->data, v->out[i]->size};
    parts[0].iov_base = v->out[0]->data + v->out_sent;
    parts[0].iov_len -= v->out_sent;
    struct msghdr message = {.msg_iov = parts, .msg_iovlen = n};
    ssize_t taken = sendmsg(v->fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (taken < 0 && errno != EAGAIN && errno != EINTR)
        return false;
    size_t left = taken > 0 ? (size_t)taken : 0;
    if (left)
        v->accepted_ms = v->sent_ms = now_ms(v->all);
    while (whole < n && left >= parts[whole].iov_len)
        left -= parts[whole++].iov_len;
    v->out_sent = whole ? left : v->out_sent + left;
    out_drop(v, whole);
    return left == 0 || !FAULT(VIEWER_SEND_PARTIAL);
}

static void on_poll(uv_poll_t *poll, int status, int events);

static void viewer_poll(struct viewer *v, bool writable)
{
    bool readable = v->out_bytes < OUT_BYTES && v->subscriber.opening <= OPENING_MAX;
    int events = (readable ? UV_READABLE : 0) | (writable ? UV_WRITABLE : 0) | UV_DISCONNECT;
    if (events == v->polled)
        return;
    v->polled = events;
    ASSERT(uv_poll_start(&v->poll, events, on_poll) == 0);
}

static void park(struct viewer *v, bool parked)
{
    if (parked && !v->parked)
        v->accepted_ms = now_ms(v->all);
    v->parked = parked;
}

/* Tells a viewer that has been behind for a while how far, once in that while. */
static void viewer_lag(struct viewer *v)
{
    int64_t now = now_ms(v->all);
    if (!v->v1 || v->closing || !v->behind_ms || now - v->behind_ms < LAG_MS)
        return;
    v->behind_ms = now;
    subscriber_lag(&v->subscriber);
}

static void viewer_mark_behind(struct viewer *v)
{
    bool live = !v->parked && subscriber_is_live(&v->subscriber);
    if (live)
        v->behind_ms = 0;
    else if (!v->behind_ms)
        v->behind_ms = now_ms(v->all);
}

/* Its whole turn: fill, send, and say what to wait for. */
static void viewer_turn(struct viewer *v)
{
    if (!v->greeted && !v->closing)
        return;
    if (!v->parked) {
        viewer_lag(v);
        viewer_fill(v);
    }
    if (v->out_count && !v->parked && !viewer_send(v)) {
        viewer_end(v);
        return;
    }
    park(v, v->out_count > 0);
    viewer_mark_behind(v);
    if (v->closing && !v->parked && v->peer_closed) {
        viewer_end(v);
        return;
    }
    if (v->closing && !v->parked && !v->shut) {
        v->shut = true;
        (void)shutdown(v->fd, SHUT_WR);
    }
    if (!v->parked && !v->closing && subscriber_has_next(&v->subscriber))
        set_dirty(v); /* the socket took all: it is its turn again, behind the others */
    viewer_poll(v, v->parked);
}

static void on_busy(uv_idle_t *idle)
{
    (void)idle; /* the turn of the loop goes on with viewers_turn() by itself */
}

/* Looking at the clock for each would cost more than some of them do. */
void viewers_turn(struct viewers *all)
{
    enum { BETWEEN_LOOKS = 16 };
    struct viewer *v;
    int64_t until_us = clock_mono_us() + TURN_US;
    for (int n = 1; (v = LIST_TAKE(&all->dirty, struct viewer, dirty_link)); n++) {
        viewer_turn(v);
        if (n % BETWEEN_LOOKS == 0 && clock_mono_us() >= until_us)
            break;
    }
    if (list_is_empty(&all->dirty))
        (void)uv_idle_stop(&all->busy);
    else
        (void)uv_idle_start(&all->busy, on_busy);
}

/* ---- reading ---- */

/* True when it may say one more message now. */
static bool take_token(struct viewer *v)
{
    int64_t now = now_ms(v->all), refill = (now - v->tokens_ms) * LIMIT_WS_INBOUND_PER_S / 1000;
    if (refill > 0) {
        v->tokens = (int)MIN(BURST, v->tokens + refill);
        v->tokens_ms = now;
    }
    return v->tokens-- > 0;
}

static void on_message(struct viewer *v, const struct ws_message *m)
{
    switch (m->opcode) {
    case WS_PING:
        span_unref(v->pong);
        v->pong = control_frame(WS_PONG, m->data);
        set_dirty(v);
        break;
    case WS_CLOSE:
        v->peer_closed = true;
        viewer_close(v, m->close_code == WS_CLOSE_NONE ? WS_CLOSE_NORMAL : m->close_code, "");
        set_dirty(v);
        break;
    case WS_BINARY:
        if (v->v1)
            viewer_close(v, WS_CLOSE_TYPE, "messages are text");
        break;
    case WS_TEXT:
        if (v->v1 && !take_token(v))
            viewer_close(v, WS_CLOSE_BAD_REQUEST, "more than 20 messages a second");
        else if (v->v1 && !v->closing)
            subscriber_receive(&v->subscriber, m->data);
        break;
    case WS_CONTINUATION:
    case WS_PONG:
        break;
    }
}

static void viewer_receive(struct viewer *v, struct str in)
{
    struct ws_message m;
    enum ws_result r = WS_MORE;
    v->received_ms = now_ms(v->all);
    while (!v->deaf && (r = ws_parser_next(&v->parser, &in, &m)) == WS_MESSAGE)
        on_message(v, &m);
    if (!v->deaf && r == WS_ERROR) {
        v->deaf = true;
        viewer_close(v, v->parser.close_code, v->parser.reason);
    }
}

static void viewer_read(struct viewer *v)
{
    struct viewers *all = v->all;
    ssize_t n = recv(v->fd, all->in, sizeof(all->in), MSG_DONTWAIT);
    if (n > 0)
        viewer_receive(v, (struct str){(const char *)all->in, (size_t)n});
    else if (n == 0 || (errno != EAGAIN && errno != EINTR))
        viewer_end(v);
}

static void on_poll(uv_poll_t *poll, int status, int events)
{
    struct viewer *v = container_of(poll, struct viewer, poll);
    if (status < 0) {
        viewer_end(v);
        return;
    }
    if (events & UV_WRITABLE) {
        park(v, false);
        set_dirty(v);
    }
    if (events & (UV_READABLE | UV_DISCONNECT))
        viewer_read(v);
    if (!v->gone)
        viewer_poll(v, v->polled & UV_WRITABLE);
}

/* ---- the subscriber's calls ---- */

static void on_wake(struct subscriber *s)
{
    set_dirty(container_of(s, struct viewer, subscriber));
}

static void on_say(struct subscriber *s, struct span *frame)
{
    struct viewer *v = container_of(s, struct viewer, subscriber);
    if (v->closing)
        span_unref(frame);
    else
        out_add(v, frame);
}

/* What was said before (an error frame) is still to be sent. */
static void on_refuse(struct subscriber *s, const char *reason)
{
    struct viewer *v = container_of(s, struct viewer, subscriber);
    if (v->closing)
        return;
    AUTO_BUF frame = BUF_INIT(256);
    ws_add_close(&frame, WS_CLOSE_BAD_REQUEST, reason);
    out_add(v, span_new(0, 0, buf_str(&frame)));
    v->closing = true;
    v->closing_ms = now_ms(v->all);
}

/* ---- time ---- */

/* Thousands of viewers come at once, after a restart for instance. So that their heartbeats do
 * not, each has a rhythm of its own: from half of the heartbeat up to all of it. */
static int64_t rhythm_ms(const struct viewer *v)
{
    enum { SCATTER = 2654435761u }; /* Knuth's multiplicative hash */
    int64_t half = v->all->heartbeat_ms / 2;
    return v->all->heartbeat_ms - (int64_t)((unsigned)v->fd * SCATTER >> 8) % half;
}

static void heartbeat(struct viewer *v, int64_t now)
{
    int64_t beat = rhythm_ms(v);
    bool silent = now - v->sent_ms >= beat;
    if (now - v->received_ms >= 3 * v->all->heartbeat_ms) {
        viewer_close(v, WS_CLOSE_SILENT, "no answer to pings");
        return;
    }
    if (silent) {
        v->sent_ms = now;
        subscriber_bookmark(&v->subscriber);
    }
    if ((silent || now - v->received_ms >= beat) && now - v->ping_ms >= beat) {
        v->ping_ms = now;
        out_add(v, control_frame(WS_PING, STR("tailrace")));
    }
}

static void viewer_tick(struct viewer *v, int64_t now)
{
    if (v->closing && now - v->closing_ms >= CLOSE_MS) {
        viewer_end(v);
        return;
    }
    if (v->closing || !v->greeted)
        return;
    if (!v->out_count) { /* most viewers are idle, and need none */
        mem_clear(&v->out);
        v->out_cap = 0;
    }
    if (v->parked && now - v->accepted_ms >= v->all->heartbeat_ms * 3 / 2) {
        viewer_close(v, WS_CLOSE_STALLED, "nothing was taken");
    } else if (!v->parked && !v->v1 && now - v->status_ms >= STATUS_MS) {
        v->status_ms = now;
        out_add(v, status_frame(v));
    } else if (!v->parked && v->v1) {
        heartbeat(v, now);
    }
}

/* Memory of a moment (many handshakes at once, a burst of lines) lies between what stays, and
 * the C library gives it back only when it is told to. That takes about a millisecond: so now
 * and then, and at once when many viewers came or went. */
static void give_memory_back(struct viewers *all, int64_t now)
{
    enum { MANY = 1000, TRIM_MS = 30000 };
    bool changed = all->count > all->trimmed_at + MANY || all->count + MANY < all->trimmed_at;
    if ((!changed && now - all->trimmed_ms < TRIM_MS) || !list_is_empty(&all->young))
        return;
    all->trimmed_at = all->count;
    all->trimmed_ms = now;
    (void)malloc_trim(0);
}

static void on_tick(uv_timer_t *timer)
{
    struct viewers *all = container_of(timer, struct viewers, tick);
    int64_t now = now_ms(all);
    give_memory_back(all, now);
    LIST_EACH (&all->all, struct viewer, link, v)
        viewer_tick(v, now);
}

static void viewer_greet(struct viewer *v)
{
    struct span *status = status_frame(v);
    list_remove(&v->young_link);
    if (v->closing) {
        span_unref(status);
        return;
    }
    out_add(v, status);
    memmove(v->out + 1, v->out, (v->out_count - 1) * sizeof(v->out[0]));
    v->out[0] = status; /* before what was answered meanwhile */
    v->greeted = true;
    v->status_ms = now_ms(v->all);
}

/* The greeting names the head that all events follow: it waits until it is known from where on
 * a plain client gets them. */
static bool may_greet(const struct viewer *v)
{
    return v->v1 || v->subscriber.opening == 0;
}

static void on_greet(uv_timer_t *timer)
{
    struct viewers *all = container_of(timer, struct viewers, greet);
    struct viewer *v;
    while ((v = LIST_FIRST(&all->young, struct viewer, young_link))) {
        int64_t left = v->greet_ms - now_ms(all);
        if (left > 0) {
            (void)uv_timer_start(timer, on_greet, (uint64_t)left, 0);
            return;
        }
        if (may_greet(v)) {
            viewer_greet(v);
            continue;
        }
        list_remove(&v->young_link);
        v->greet_ms = now_ms(all) + GREET_MS;
        list_add(&all->young, &v->young_link);
    }
}

/* ---- coming and going ---- */

static void socket_prepare(int fd)
{
    int on = 1, off = 0, unsent = UNSENT_BYTES, dead = DEAD_TIMEOUT_MS;
    (void)setsockopt(fd, IPPROTO_TCP, TCP_CORK, &off, sizeof(off));
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &unsent, sizeof(unsent));
    (void)setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &dead, sizeof(dead));
    (void)setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
}

void viewers_add(struct viewers *all, int fd, enum feed_form form, struct str extra)
{
    struct viewer *v = mem_alloc(sizeof(*v));
    int64_t now = now_ms(all);
    *v = (struct viewer){
        .all = all,
        .fd = fd,
        .v1 = form != FEED_PLAIN,
        .subscriber = {.server = all->server,
                       .form = form,
                       .wake = on_wake,
                       .say = on_say,
                       .refuse = on_refuse},
        .greet_ms = now + GREET_MS,
        .received_ms = now,
        .accepted_ms = now,
        .sent_ms = now,
        .ping_ms = now,
        .tokens = BURST,
        .tokens_ms = now,
    };
    socket_prepare(fd);
    ASSERT(uv_poll_init(&all->server->loop, &v->poll, fd) == 0);
    ws_parser_init(&v->parser, LIMIT_WS_INBOUND_BYTES,
                   form == FEED_DEFLATED ? all->inflater : NULL);
    subscriber_init(&v->subscriber);
    list_add(&all->all, &v->link);
    list_add(&all->young, &v->young_link);
    all->count++;
    if (!uv_is_active((uv_handle_t *)&all->greet))
        (void)uv_timer_start(&all->greet, on_greet, GREET_MS, 0);
    viewer_poll(v, false);
    if (!v->v1)
        subscriber_open_plain(&v->subscriber);
    if (extra.n)
        viewer_receive(v, extra);
}

struct viewers *viewers_new(struct server *server, int64_t heartbeat_ms)
{
    struct viewers *all = mem_alloc(sizeof(*all));
    all->server = server;
    all->heartbeat_ms = heartbeat_ms;
    all->inflater = inflater_new();
    list_init(&all->all);
    list_init(&all->dirty);
    list_init(&all->young);
    ASSERT(uv_timer_init(&server->loop, &all->tick) == 0);
    ASSERT(uv_timer_init(&server->loop, &all->greet) == 0);
    ASSERT(uv_idle_init(&server->loop, &all->busy) == 0);
    ASSERT(uv_timer_start(&all->tick, on_tick, TICK_MS, TICK_MS) == 0);
    return all;
}

size_t viewers_count(const struct viewers *all)
{
    return all->count;
}

bool viewers_is_full(const struct viewers *all)
{
    size_t max = all->server->connections_max;
    return all->count >= max - max / HTTP_SHARE;
}

/* Not all at once: the more there are, the longer the time over which they come back. */
void viewers_drain(struct viewers *all)
{
    enum { SPREAD_MS = 1000, RETURNS_PER_MS = 2 };
    size_t spread_ms = SPREAD_MS + all->count / RETURNS_PER_MS, i = 0;
    LIST_EACH (&all->all, struct viewer, link, v) {
        char reason[64];
        (void)snprintf(reason, sizeof(reason), "restart; retry_ms=%zu",
                       ++i * spread_ms / all->count);
        viewer_close(v, WS_CLOSE_RESTART, reason);
    }
}

void viewers_stop(struct viewers *all)
{
    LIST_EACH (&all->all, struct viewer, link, v)
        viewer_end(v);
    uv_close((uv_handle_t *)&all->tick, NULL);
    uv_close((uv_handle_t *)&all->greet, NULL);
    uv_close((uv_handle_t *)&all->busy, NULL);
}

void viewers_free(struct viewers *all)
{
    if (all)
        inflater_free(all->inflater);
    free(all);
}
