/* feed.c: publishing, and the cursors that viewers hold.
 *
 * A cursor is opening (its first reading is under way), catching up (a reading is under way, or
 * its result waits in `ready`), or live (in its topic's list of waiting cursors, or about to
 * be). Everything that it is handed tiles: each frame begins at or before the point where the
 * last one ended. */
#include "feed/feed.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/fault.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/map.h"
#include "base/mem.h"
#include "feed/encode.h"
#include "feed/reading.h"

enum {
    QUIET_US = 50 * 1000,  /* a topic that was quiet for so long flushes at once */
    GATHER_US = 16 * 1000, /* a busy one gathers for so long */
    RETRY_MS = 250,        /* a reading that failed is tried again after this */
};

struct feed {
    uv_loop_t *loop;
    struct store *store;
    uint64_t head;
    struct list global; /* topics ALL and JOBS */
    struct map by_job;  /* job id -> struct list of its topics */
    struct list due;    /* topics with a frame to close later */
    struct list ready;  /* cursors to be told that they can go on */
    struct list failed; /* cursors whose reading failed; told when it is time to try again */
    uv_timer_t timer, retry_timer;
    struct buf scratch; /* one encoded event */
};

int feed_new(uv_loop_t *loop, struct store *store, struct feed **ret_feed, struct err *e)
{
    struct feed *f = mem_alloc(sizeof(*f));
    *f = (struct feed){.loop = loop,
                       .store = store,
                       .head = store_head(store),
                       .scratch = BUF_INIT(LIMIT_REPLY_BYTES)};
    list_init(&f->global);
    list_init(&f->due);
    list_init(&f->ready);
    list_init(&f->failed);
    if (uv_timer_init(loop, &f->timer) != 0 || uv_timer_init(loop, &f->retry_timer) != 0) {
        free(f);
        return fail(e, E_IO, "cannot make a timer");
    }
    *ret_feed = f;
    return 0;
}

void feed_stop(struct feed *f)
{
    uv_close((uv_handle_t *)&f->timer, NULL);
    uv_close((uv_handle_t *)&f->retry_timer, NULL);
}

void feed_free(struct feed *f)
{
    if (!f)
        return;
    ASSERT(list_is_empty(&f->global) && f->by_job.count == 0);
    map_done(&f->by_job);
    buf_done(&f->scratch);
    free(f);
}

uint64_t feed_head(const struct feed *f)
{
    return f->head;
}

const char *feed_epoch(const struct feed *f)
{
    return store_epoch(f->store);
}

/* ---- topics ---- */

static struct list *topics_of(struct feed *f, const struct topic_filter *filter)
{
    return filter->kind == TOPIC_JOB ? map_get(&f->by_job, ID_KEY(filter->job_id)) : &f->global;
}

static struct topic *topic_get(struct feed *f, const struct topic_filter *filter,
                               enum feed_form form)
{
    struct list *topics = topics_of(f, filter);
    if (filter->kind == TOPIC_JOB && !topics) {
        topics = mem_alloc(sizeof(*topics));
        list_init(topics);
        map_set(&f->by_job, ID_KEY(filter->job_id), topics);
    }
    LIST_EACH (topics, struct topic, link, t) {
        if (t->filter.kind == filter->kind && t->filter.min_level == filter->min_level &&
            t->form == form)
            return t;
    }
    struct topic *t = topic_new(filter, form, f->head);
    list_add(topics, &t->link);
    return t;
}

/* A topic nobody looks at is not encoded; the store has it all. */
static void topic_release(struct feed *f, struct topic *t)
{
    if (--t->cursors > 0)
        return;
    struct list *topics = topics_of(f, &t->filter);
    struct topic_filter filter = t->filter;
    topic_free(t);
    if (filter.kind == TOPIC_JOB && list_is_empty(topics)) {
        (void)map_remove(&f->by_job, ID_KEY(filter.job_id));
        free(topics);
    }
}

/* Waiting cursors are told when nothing here walks over topics any more: on_ready() may open
 * and close what it likes. */
static void topic_wake(struct feed *f, struct topic *t)
{
    t->woken = t->tail;
    struct list *link;
    while ((link = list_take(&t->waiting)))
        list_add(&f->ready, link);
}

static void tell_ready(struct feed *f)
{
    struct feed_cursor *c;
    while ((c = LIST_TAKE(&f->ready, struct feed_cursor, link)))
        c->on_ready(c);
}

/* ---- publishing ---- */

static void add_event(struct feed *f, struct list *topics, const struct batch *b,
                      const struct event *e, int64_t now_us)
{
    enum feed_form encoded = (enum feed_form) - 1;
    LIST_EACH (topics, struct topic, link, t) {
        if (!event_matches(&b->events, e, &t->filter))
            continue;
        if (encoded != t->form) {
            buf_clear(&f->scratch);
            struct json j = JSON_TO(&f->scratch);
            if (t->form == FEED_PLAIN)
                encode_event_plain(&j, &b->events, e);
            else
                encode_event(&j, &b->events, e);
            encoded = t->form;
        }
        topic_add(t, e->seq, buf_str(&f->scratch), now_us);
    }
}

static void on_timer(uv_timer_t *timer);

/* The frame of a quiet topic goes out now, that of a busy one a little later, with more in it.
 */
static void flush_or_gather(struct feed *f, struct topic *t, int64_t now_us, bool urgent)
{
    if (t->pending_count) {
        t->pending_to = f->head;
        if (urgent || now_us - t->flushed_at_us >= QUIET_US) {
            topic_flush(t, now_us);
        } else if (!list_is_linked(&t->due_link)) {
            list_add(&f->due, &t->due_link);
            if (!uv_is_active((uv_handle_t *)&f->timer))
                uv_timer_start(&f->timer, on_timer, GATHER_US / 1000, 0);
        }
    }
    if (t->woken != t->tail)
        topic_wake(f, t);
}

static void on_timer(uv_timer_t *timer)
{
    struct feed *f = container_of(timer, struct feed, timer);
    int64_t now_us = clock_mono_us();
    struct topic *t;
    while ((t = LIST_FIRST(&f->due, struct topic, due_link))) {
        topic_flush(t, now_us);
        topic_wake(f, t);
    }
    tell_ready(f);
}

static void on_end_read(struct feed_read *read);

static void end_read(struct feed *f, const struct topic_filter *job)
{
    reading_start(reading_new(f, f->store, READ_END, job, FEED_V1), f->loop, on_end_read);
}

static void flush_all(struct feed *f, struct list *topics, int64_t now_us, bool urgent)
{
    LIST_EACH (topics, struct topic, link, t)
        flush_or_gather(f, t, now_us, urgent);
}

/* A job has ended: its topics flush at once, and get their "end" when its totals have been
 * read. */
static void publish_end(struct feed *f, const struct job_row *row, int64_t now_us)
{
    struct list *topics = map_get(&f->by_job, ID_KEY(row->id));
    if (!topics)
        return;
    flush_all(f, topics, now_us, true);
    end_read(f, &(struct topic_filter){.kind = TOPIC_JOB, .job_id = row->id});
}

void feed_publish(struct feed *f, const struct batch *b)
{
    int64_t now_us = clock_mono_us();
    const struct event_batch *events = &b->events;
    if (events->count == 0)
        return;
    (void)FAULT("feed.publish.before");
    /* one look-up per source instead of one per event */
    struct list **by_source = mem_alloc(events->source_count * sizeof(struct list *));
    for (size_t i = 0; i < events->source_count; i++)
        by_source[i] = map_get(&f->by_job, ID_KEY(events->sources[i].manager_id));
    f->head = events->events[events->count - 1].seq;
    for (size_t i = 0; i < events->count; i++) {
        const struct event *e = &events->events[i];
        add_event(f, &f->global, b, e, now_us);
        if (by_source[e->source])
            add_event(f, by_source[e->source], b, e, now_us);
    }
    for (size_t i = 0; i < b->change_count; i++)
        if (b->changes[i].kind == CHANGE_JOB && job_state_is_final(b->changes[i].job->status))
            publish_end(f, b->changes[i].job, now_us);
    flush_all(f, &f->global, now_us, false);
    for (size_t i = 0; i < events->source_count; i++)
        if (by_source[i])
            flush_all(f, by_source[i], now_us, false);
    free(by_source);
    tell_ready(f);
}

/* ---- cursors ---- */

static struct span *text_span(struct topic *t, const char *type, const char *members)
{
    AUTO_BUF text = BUF_INIT(4096);
    buf_printf(&text, "{\"type\":\"%s\",\"topic\":\"%s\",%s}", type, t->name, members);
    return span_text(t->tail, buf_str(&text));
}

static void topic_set_end(struct topic *t, uint64_t end_seq, struct str totals)
{
    if (t->end || end_seq == 0 || t->form != FEED_V1)
        return;
    AUTO_BUF text = BUF_INIT(totals.n + 256);
    buf_printf(&text, "{\"type\":\"end\",\"topic\":\"%s\",\"to\":%llu,\"lines\":", t->name,
               (unsigned long long)end_seq);
    buf_add_str(&text, totals);
    buf_add_byte(&text, '}');
    t->end = span_text(end_seq, buf_str(&text));
    t->end_seq = end_seq;
}

static void on_end_read(struct feed_read *read)
{
    struct list *topics = topics_of(read->feed, &read->filter);
    if (topics && read->code >= 0) {
        LIST_EACH (topics, struct topic, link, t) {
            topic_set_end(t, read->end_seq, buf_str(&read->totals));
            topic_wake(read->feed, t);
        }
        tell_ready(read->feed);
    } else if (topics &&
               read->code != E_NOTFOUND) { /* who follows this job waits for its end */
        log_warn("cannot read the end of %s, trying again: %s", ID_TEXT(read->filter.job_id),
                 read->err.text);
        end_read(read->feed, &read->filter);
    }
    reading_free(read);
}

static void add_frame(struct buf *out, struct span *s)
{
    buf_add(out, s->data, s->size);
    span_unref(s);
}

/* The frames a v1 viewer gets before all others. */
static struct span *first_frames(struct feed_cursor *c, const struct feed_read *read)
{
    AUTO_BUF out = BUF_INIT(LIMIT_REPLY_BYTES);
    struct topic *t = c->topic;
    char members[160];
    (void)snprintf(members, sizeof(members), "\"from\":%llu,\"head\":%llu,\"floor\":0",
                   (unsigned long long)c->seq,
                   (unsigned long long)MAX(read->feed->head, c->seq));
    add_frame(&out, text_span(t, "subscribed", members));
    if (read->reset) {
        (void)snprintf(members, sizeof(members), "\"reason\":\"%s\"", read->reset);
        add_frame(&out, text_span(t, "reset", members));
    }
    if (read->snapshot.n) {
        AUTO_BUF text = BUF_INIT(LIMIT_REPLY_BYTES);
        buf_printf(&text,
                   "{\"type\":\"snapshot\",\"topic\":\"%s\",\"as_of\":%llu,\"state\":", t->name,
                   (unsigned long long)read->as_of);
        buf_add_str(&text, buf_str(&read->snapshot));
        buf_add_byte(&text, '}');
        span_add_text_frame(&out, buf_str(&text));
    }
    return out.overflow ? NULL : span_new(c->seq, c->seq, buf_str(&out));
}

static void on_open_read(struct feed_read *read)
{
    struct feed_cursor *c = read->cursor;
    if (c) {
        struct feed_opened o = {.code = read->code, .err = read->err};
        c->read = NULL;
        if (read->code >= 0) {
            bool state = read->reset || read->request.start == FEED_SNAPSHOT;
            c->opened = true;
            c->seq = state                               ? read->as_of
                     : read->request.start == FEED_SINCE ? read->request.since
                                                         : c->topic->tail;
            topic_set_end(c->topic, read->end_seq, buf_str(&read->totals));
            o.first = c->topic->form == FEED_V1 ? first_frames(c, read) : NULL;
            o.from = c->seq;
        }
        c->on_opened(c, &o);
    }
    reading_free(read);
}

void feed_open(struct feed *f, struct feed_cursor *c, const struct feed_request *request)
{
    ASSERT(!c->topic);
    c->topic = topic_get(f, &request->topic, request->form);
    c->topic->cursors++;
    c->read = reading_new(f, f->store, READ_OPEN, &request->topic, request->form);
    c->read->cursor = c;
    c->read->request = *request;
    text_copy(c->read->epoch, sizeof(c->read->epoch), request->epoch);
    reading_start(c->read, f->loop, on_open_read);
    c->feed = f;
}

static void on_retry(uv_timer_t *timer)
{
    struct feed *f = container_of(timer, struct feed, retry_timer);
    struct list *link;
    while ((link = list_take(&f->failed)))
        list_add(&f->ready, link);
    tell_ready(f);
}

static void try_later(struct feed_cursor *c, const struct err *why)
{
    struct feed *f = c->feed;
    list_remove(&c->link);
    list_add(&f->failed, &c->link);
    if (uv_is_active((uv_handle_t *)&f->retry_timer))
        return;
    log_warn("cannot read the log for %s, trying again: %s", c->topic->name, why->text);
    uv_timer_start(&f->retry_timer, on_retry, RETRY_MS, 0);
}

static void on_catch_up_read(struct feed_read *read)
{
    struct feed_cursor *c = read->cursor;
    if (c)
        c->read = NULL;
    if (c && read->code < 0) {
        try_later(c, &read->err);
    } else if (c) {
        if (read->frame->size)
            c->ready = TAKE(read->frame);
        else
            c->seq = read->frame->to; /* plain form, and none of these events was for it */
        c->on_ready(c);
    }
    reading_free(read);
}

static void catch_up(struct feed_cursor *c, uint64_t upto)
{
    struct topic *t = c->topic;
    c->read = reading_new(c->feed, c->feed->store, READ_CATCH_UP, &t->filter, t->form);
    c->read->cursor = c;
    c->read->after = c->seq;
    c->read->upto = upto;
    reading_start(c->read, c->feed->loop, on_catch_up_read);
}

static struct span *next_at_tail(struct feed_cursor *c)
{
    struct topic *t = c->topic;
    char members[40];
    if (t->form == FEED_V1 && !c->caught_up) {
        c->caught_up = true;
        (void)snprintf(members, sizeof(members), "\"at\":%llu", (unsigned long long)c->seq);
        return text_span(t, "caught_up", members);
    }
    if (t->end && !c->end_sent && c->seq >= t->end_seq) {
        c->end_sent = true;
        return span_ref(t->end);
    }
    if (!list_is_linked(&c->link))
        list_add(&t->waiting, &c->link);
    return NULL;
}

struct span *feed_next(struct feed_cursor *c)
{
    struct topic *t = c->topic;
    if (!c->opened || c->read)
        return NULL;
    if (c->ready) {
        c->seq = c->ready->to;
        return TAKE(c->ready);
    }
    if (c->seq >= t->tail)
        return next_at_tail(c);
    struct span *frame = topic_frame_after(t, c->seq);
    /* A v1 viewer skips by itself what it has seen; a plain one must be given exact frames. */
    if (frame && (t->form == FEED_V1 ? frame->from <= c->seq : frame->from == c->seq)) {
        c->seq = frame->to;
        return span_ref(frame);
    }
    catch_up(c, !frame ? t->tail : frame->from > c->seq ? frame->from : frame->to);
    return NULL;
}

struct span *feed_bookmark(struct feed_cursor *c)
{
    struct topic *t = c->topic;
    if (!feed_is_live(c) || t->form != FEED_V1)
        return NULL;
    uint64_t to = t->pending_count ? c->seq : MAX(c->feed->head, c->seq);
    AUTO_BUF out = BUF_INIT(1024);
    topic_write_frame(&out, t->name, c->seq, to, (struct str){NULL, 0});
    struct span *s = span_new(c->seq, to, buf_str(&out));
    c->seq = to;
    return s;
}

bool feed_is_live(const struct feed_cursor *c)
{
    return c->opened && !c->read && !c->ready && c->seq >= c->topic->tail;
}

uint64_t feed_lag(const struct feed_cursor *c)
{
    return c->opened && c->feed->head > c->seq ? c->feed->head - c->seq : 0;
}

void feed_close(struct feed_cursor *c)
{
    if (!c->topic)
        return;
    if (c->read)
        c->read->cursor = NULL;
    list_remove(&c->link);
    span_unref(TAKE(c->ready));
    c->read = NULL;
    c->opened = false;
    topic_release(c->feed, TAKE(c->topic));
}
