/* cursor.c: the cursors that viewers hold.
 *
 * A cursor is opening (its first reading is under way), behind (it takes frames that were read
 * back, or waits for a reading that it may share with others), or live (in its topic's list of
 * waiting cursors, or about to be). Everything that it is handed tiles: each frame begins at or
 * before the point where the last one ended. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/mem.h"
#include "feed/feed_state.h"

enum { RETRY_MS = 250 }; /* a reading that failed is tried again after this */

/* ---- what is said besides events ---- */

static void text_add(const struct topic *t, struct buf *out, const char *type, uint64_t to,
                     const char *members)
{
    AUTO_BUF text = BUF_INIT(4096);
    buf_printf(&text, "{\"type\":\"%s\",\"topic\":\"%s\",%s}", type, t->name, members);
    form_add(&t->form, out, type, to, buf_str(&text));
}

static void topic_set_end(struct topic *t, uint64_t end_seq, struct str totals)
{
    if (t->end || end_seq == 0 || t->form.kind == FEED_PLAIN)
        return;
    AUTO_BUF text = BUF_INIT(totals.n + 256);
    AUTO_BUF out = BUF_INIT(2 * totals.n + 1024);
    buf_printf(&text, "{\"type\":\"end\",\"topic\":\"%s\",\"to\":%llu,\"lines\":", t->name,
               (unsigned long long)end_seq);
    buf_add_str(&text, totals);
    buf_add_byte(&text, '}');
    form_add(&t->form, &out, "end", end_seq, buf_str(&text));
    t->end = span_new(end_seq, end_seq, buf_str(&out));
    t->end_seq = end_seq;
}

static void on_end_read(struct feed_read *read)
{
    struct feed *f = read->feed;
    struct list *topics = feed_topics(f, &read->filter);
    if (topics && read->code >= 0) {
        LIST_EACH (topics, struct topic, link, t) {
            topic_set_end(t, read->end_seq, buf_str(&read->totals));
            feed_wake(f, t);
        }
        feed_tell_ready(f);
    } else if (topics &&
               read->code != E_NOTFOUND) { /* who follows this job waits for its end */
        log_warn("cannot read the end of %s, trying again: %s", ID_TEXT(read->filter.job_id),
                 read->err.text);
        feed_read_end(f, &read->filter);
    }
    reading_free(read);
}

void feed_read_end(struct feed *f, const struct topic_filter *job)
{
    reading_start(reading_new(f, READ_END, job, FEED_V1), on_end_read);
}

/* ---- opening ---- */

static void snapshot_add(const struct topic *t, struct buf *out, const struct feed_read *read)
{
    AUTO_BUF text = BUF_INIT(LIMIT_REPLY_BYTES);
    buf_printf(&text,
               "{\"type\":\"snapshot\",\"topic\":\"%s\",\"as_of\":%llu,\"state\":", t->name,
               (unsigned long long)read->as_of);
    buf_add_str(&text, buf_str(&read->snapshot));
    buf_add_byte(&text, '}');
    form_add(&t->form, out, "snapshot", read->as_of, buf_str(&text));
    out->overflow = out->overflow || text.overflow;
}

/* What comes before the first events: of a viewer that opens, and of one whose cursor is of no
 * use any more. NULL when it is too large. */
static struct span *first_frames(struct feed_cursor *c, const struct feed_read *read)
{
    AUTO_BUF out = BUF_INIT(LIMIT_REPLY_BYTES);
    const struct topic *t = c->topic;
    char members[160];
    (void)snprintf(members, sizeof(members), "\"from\":%llu,\"head\":%llu,\"floor\":%llu",
                   (unsigned long long)c->seq,
                   (unsigned long long)MAX(read->feed->head, c->seq),
                   (unsigned long long)read->floor);
    if (!c->opened)
        text_add(t, &out, "subscribed", c->seq, members);
    if (read->reset) {
        (void)snprintf(members, sizeof(members), "\"reason\":\"%s\"", read->reset);
        text_add(t, &out, "reset", c->seq, members);
    }
    if (read->snapshot.n)
        snapshot_add(t, &out, read);
    return out.overflow ? NULL : span_new(c->seq, c->seq, buf_str(&out));
}

static void cursor_opened(struct feed_cursor *c, struct feed_read *read)
{
    struct feed_opened o = {.code = read->code, .err = read->err};
    if (read->code >= 0) {
        bool state = read->reset || read->request.start == FEED_SNAPSHOT;
        c->seq = state                               ? read->as_of
                 : read->request.start == FEED_SINCE ? read->request.since
                                                     : c->topic->tail;
        topic_set_end(c->topic, read->end_seq, buf_str(&read->totals));
        bool plain = c->topic->form.kind == FEED_PLAIN;
        o.first = plain ? NULL : first_frames(c, read);
        o.from = c->seq;
        c->opened = true;
        if (!plain && !o.first)
            o.code =
                fail(&o.err, E_TOOBIG,
                     "the state of %s is too large to be sent; ask for fewer lines with tail",
                     c->topic->name);
    }
    c->on_opened(c, &o);
}

static void on_open_read(struct feed_read *read)
{
    if (read->cursor) {
        read->cursor->read = NULL;
        cursor_opened(read->cursor, read);
    }
    reading_free(read);
}

static void cursor_open(struct feed_cursor *c, const struct feed_request *request)
{
    c->read = reading_new(c->feed, READ_OPEN, &request->topic, request->form);
    c->read->cursor = c;
    c->read->request = *request;
    text_copy(c->read->epoch, sizeof(c->read->epoch), request->epoch);
    reading_start(c->read, on_open_read);
}

void feed_open(struct feed *f, struct feed_cursor *c, const struct feed_request *request)
{
    ASSERT(!c->topic);
    c->feed = f;
    c->topic = feed_topic(f, &request->topic, request->form);
    c->topic->cursors++;
    cursor_open(c, request);
}

/* ---- behind ---- */

static void on_retry(uv_timer_t *timer)
{
    struct feed *f = container_of(timer, struct feed, retry_timer);
    struct list *link;
    while ((link = list_take(&f->failed)))
        list_add(&f->ready, link);
    feed_tell_ready(f);
}

static void try_later(struct feed *f, struct feed_cursor *c, const struct err *why)
{
    list_add(&f->failed, &c->link);
    if (uv_is_active((uv_handle_t *)&f->retry_timer))
        return;
    log_warn("cannot read the log for %s, trying again: %s", c->topic->name, why->text);
    uv_timer_start(&f->retry_timer, on_retry, RETRY_MS, 0);
}

/* What the reading found for one of its waiters; NULL: it did not reach that far. */
static struct span *reading_frame(const struct feed_read *read, const struct feed_cursor *c)
{
    for (size_t i = 0; i < read->frame_count; i++)
        if (read->frames[i]->from == c->seq)
            return span_ref(read->frames[i]);
    return NULL;
}

/* Each waiter is given its frame, even when the history is too small for all of them. */
static void on_catch_up_read(struct feed_read *read)
{
    struct feed *f = read->feed;
    struct feed_cursor *c;
    list_remove(&read->link);
    for (size_t i = 0; read->topic && i < read->frame_count; i++)
        history_add(&read->topic->history, read->frames[i]);
    while ((c = LIST_TAKE(&read->waiters, struct feed_cursor, link))) {
        c->read = NULL;
        if (read->code < 0) {
            try_later(f, c, &read->err);
            continue;
        }
        c->ready = reading_frame(read, c);
        c->missed = !c->ready;
        list_add(&f->ready, &c->link);
    }
    feed_tell_ready(f);
    reading_free(read);
}

/* A reading under way that will most likely bring what comes after the cursor. One that it has
 * waited for in vain is enough: then it has its own. */
static struct feed_read *reading_find(const struct feed_cursor *c)
{
    enum { REACH_EVENTS = 4096 };
    LIST_EACH (&c->topic->readings, struct feed_read, link, read)
        if (read->after == c->seq ||
            (!c->missed && c->seq % HISTORY_STRIDE == 0 && read->after < c->seq &&
             c->seq < read->upto && c->seq - read->after < REACH_EVENTS))
            return read;
    return NULL;
}

/* Waits for a reading of what comes after it, that of another one if there is one. */
static void catch_up(struct feed_cursor *c, uint64_t upto)
{
    struct topic *t = c->topic;
    struct feed_read *read = reading_find(c);
    if (!read) {
        read = reading_new(c->feed, READ_CATCH_UP, &t->filter, t->form.kind);
        read->topic = t;
        read->after = c->seq;
        read->upto = upto;
        if (c->seq % HISTORY_STRIDE) /* up to where others may have read on already */
            read->upto = MIN(upto, (c->seq / HISTORY_STRIDE + 1) * HISTORY_STRIDE);
        list_add(&t->readings, &read->link);
        reading_start(read, on_catch_up_read);
    }
    list_remove(&c->link);
    list_add(&read->waiters, &c->link);
    c->read = read;
}

static void set_behind(struct feed_cursor *c, bool behind)
{
    struct topic *t = c->topic;
    if (c->behind == behind)
        return;
    c->behind = behind;
    t->behind += behind ? 1 : -1;
    if (t->behind == 0) /* nobody needs it any more */
        history_done(&t->history);
}

/* Does what comes after it not tell all that happened? */
static bool cursor_is_void(const struct feed_cursor *c)
{
    return c->topic->gone || c->seq < c->topic->floor;
}

/* The state again, because what comes after the cursor is not all there any more. */
static void start_over(struct feed_cursor *c)
{
    const struct topic *t = c->topic;
    list_remove(&c->link);
    cursor_open(c, &(struct feed_request){.topic = t->filter,
                                          .form = t->form.kind,
                                          .start = FEED_SINCE,
                                          .since = c->seq,
                                          .epoch = feed_epoch(c->feed)});
}

/* ---- next ---- */

static struct span *next_at_tail(struct feed_cursor *c)
{
    struct topic *t = c->topic;
    set_behind(c, false);
    if (t->form.kind != FEED_PLAIN && !c->caught_up) {
        AUTO_BUF out = BUF_INIT(1024);
        char members[40];
        c->caught_up = true;
        (void)snprintf(members, sizeof(members), "\"at\":%llu", (unsigned long long)c->seq);
        text_add(t, &out, "caught_up", c->seq, members);
        return span_new(c->seq, c->seq, buf_str(&out));
    }
    if (t->end && !c->end_sent && c->seq >= t->end_seq) {
        c->end_sent = true;
        return span_ref(t->end);
    }
    if (!list_is_linked(&c->link))
        list_add(&t->waiting, &c->link);
    return NULL;
}

/* Where it goes on, from what is in memory: a frame of the ring or one that was read back. A
 * viewer skips by itself what it has seen, but not in the plain form: there, frames fit. */
static struct span *frame_in_memory(const struct feed_cursor *c, struct span *of_ring)
{
    const struct topic *t = c->topic;
    bool skips = t->form.kind != FEED_PLAIN;
    if (of_ring && (skips ? of_ring->from <= c->seq : of_ring->from == c->seq))
        return span_ref(of_ring);
    struct span *read = history_find(&t->history, c->seq);
    return read ? span_ref(read) : NULL;
}

/* The next frame, which may be empty in the plain form; NULL: nothing now. */
static struct span *next_frame(struct feed_cursor *c)
{
    struct topic *t = c->topic;
    if (c->ready)
        return TAKE(c->ready);
    if (cursor_is_void(c)) {
        start_over(c);
        return NULL;
    }
    if (c->seq >= t->tail)
        return next_at_tail(c);
    struct span *of_ring = topic_frame_after(t, c->seq);
    struct span *frame = frame_in_memory(c, of_ring);
    if (frame && frame != of_ring)
        set_behind(c, true);
    if (frame)
        return frame;
    set_behind(c, true);
    catch_up(c, !of_ring ? t->tail : of_ring->from > c->seq ? of_ring->from : of_ring->to);
    return NULL;
}

struct span *feed_next(struct feed_cursor *c)
{
    struct span *frame = NULL;
    while (c->opened && !c->read && (frame = next_frame(c))) {
        c->seq = frame->to;
        if (frame->size)
            return frame;
        span_unref(frame); /* none of these events was for this viewer */
    }
    return NULL;
}

struct span *feed_bookmark(struct feed_cursor *c)
{
    struct topic *t = c->topic;
    topic_trim(t, clock_mono_us()); /* no flush comes any more that would */
    if (!feed_is_live(c) || t->form.kind == FEED_PLAIN)
        return NULL;
    uint64_t to = t->pending_count ? c->seq : MAX(c->feed->head, c->seq);
    struct span *s = topic_make_frame(&t->form, t->name, c->seq, to, (struct str){NULL, 0});
    c->seq = to;
    return s;
}

bool feed_is_over(const struct feed_cursor *c)
{
    return c->topic->end && c->seq >= c->topic->end_seq;
}

bool feed_is_live(const struct feed_cursor *c)
{
    return c->opened && !c->read && !c->ready && c->seq >= c->topic->tail && !cursor_is_void(c);
}

uint64_t feed_lag(const struct feed_cursor *c)
{
    return c->opened && c->feed->head > c->seq ? c->feed->head - c->seq : 0;
}

void feed_close(struct feed_cursor *c)
{
    if (!c->topic)
        return;
    if (c->read && c->read->kind == READ_OPEN)
        c->read->cursor = NULL;
    list_remove(&c->link); /* of the topic, of a reading's waiters, of those that are ready */
    span_unref(TAKE(c->ready));
    set_behind(c, false);
    c->read = NULL;
    c->opened = false;
    feed_release(c->feed, TAKE(c->topic));
}
