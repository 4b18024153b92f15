/* feed.c: topics, and publishing into them what was committed. The cursors that viewers hold
 * are in cursor.c. */
#include "feed/feed.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/fault.h"
#include "base/limits.h"
#include "base/mem.h"
#include "feed/encode.h"
#include "feed/feed_state.h"

static void on_flush_alarm(struct alarm *a);

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
    f->deflater = deflater_new();
    int r = alarm_init(&f->flush_alarm, loop, on_flush_alarm, e);
    if (r < 0) {
        deflater_free(f->deflater);
        free(f);
        return r;
    }
    ASSERT(uv_timer_init(loop, &f->retry_timer) == 0);
    *ret_feed = f;
    return 0;
}

void feed_stop(struct feed *f)
{
    alarm_stop(&f->flush_alarm);
    uv_close((uv_handle_t *)&f->retry_timer, NULL);
}

void feed_free(struct feed *f)
{
    if (!f)
        return;
    ASSERT(list_is_empty(&f->global) && f->by_job.count == 0);
    map_done(&f->by_job);
    deflater_free(f->deflater);
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

struct list *feed_topics(struct feed *f, const struct topic_filter *filter)
{
    return filter->kind == TOPIC_JOB ? map_get(&f->by_job, ID_KEY(filter->job_id)) : &f->global;
}

struct topic *feed_topic(struct feed *f, const struct topic_filter *filter, enum feed_form form)
{
    struct list *topics = feed_topics(f, filter);
    if (filter->kind == TOPIC_JOB && !topics) {
        topics = mem_alloc(sizeof(*topics));
        list_init(topics);
        map_set(&f->by_job, ID_KEY(filter->job_id), topics);
    }
    LIST_EACH (topics, struct topic, link, t) {
        if (t->filter.kind == filter->kind && t->filter.min_level == filter->min_level &&
            t->form.kind == form)
            return t;
    }
    struct form own = {.kind = form, .epoch = feed_epoch(f), .deflater = f->deflater};
    struct topic *t = topic_new(filter, &own, f->head);
    list_add(topics, &t->link);
    return t;
}

/* A topic nobody looks at is not encoded; the store has it all. */
void feed_release(struct feed *f, struct topic *t)
{
    if (--t->cursors > 0)
        return;
    struct list *topics = feed_topics(f, &t->filter);
    struct topic_filter filter = t->filter;
    topic_free(t);
    if (filter.kind == TOPIC_JOB && list_is_empty(topics)) {
        (void)map_remove(&f->by_job, ID_KEY(filter.job_id));
        free(topics);
    }
}

/* Waiting cursors are told when nothing here walks over topics any more: on_ready() may open
 * and close what it likes. */
void feed_wake(struct feed *f, struct topic *t)
{
    t->woken = t->tail;
    struct list *link;
    while ((link = list_take(&t->waiting)))
        list_add(&f->ready, link);
}

void feed_tell_ready(struct feed *f)
{
    struct feed_cursor *c;
    while ((c = LIST_TAKE(&f->ready, struct feed_cursor, link)))
        c->on_ready(c);
}

/* ---- publishing ---- */

static void add_event(struct feed *f, struct list *topics, const struct batch *b,
                      const struct event *e, int64_t now_us)
{
    enum { NOT_YET, AS_PLAIN, AS_EVENT } encoded = NOT_YET;
    LIST_EACH (topics, struct topic, link, t) {
        bool plain = t->form.kind == FEED_PLAIN;
        if (!event_matches(&b->events, e, &t->filter))
            continue;
        if (encoded != (plain ? AS_PLAIN : AS_EVENT)) {
            buf_clear(&f->scratch);
            struct json j = JSON_TO(&f->scratch);
            if (plain)
                encode_event_plain(&j, &b->events, e);
            else
                encode_event(&j, &b->events, e);
            encoded = plain ? AS_PLAIN : AS_EVENT;
        }
        topic_add(t, e->seq, buf_str(&f->scratch), now_us);
    }
}

/* The frame of a quiet topic goes out now, that of a busy one a little later, with more in it.
 */
static void flush_or_gather(struct feed *f, struct topic *t, int64_t now_us, bool urgent)
{
    if (t->pending_count) {
        t->pending_to = f->head;
        int64_t due_us = urgent ? 0 : t->flushed_at_us + topic_gather_us(t, now_us);
        if (due_us <= now_us) {
            topic_flush(t, now_us);
        } else if (!list_is_linked(&t->due_link)) {
            t->due_us = due_us;
            list_add(&f->due, &t->due_link);
            alarm_set(&f->flush_alarm, due_us);
        }
    }
    if (t->woken != t->tail)
        feed_wake(f, t);
}

static void on_flush_alarm(struct alarm *a)
{
    struct feed *f = container_of(a, struct feed, flush_alarm);
    int64_t now_us = clock_mono_us();
    LIST_EACH (&f->due, struct topic, due_link, t) {
        if (t->due_us > now_us) {
            alarm_set(a, t->due_us);
            continue;
        }
        topic_flush(t, now_us);
        feed_wake(f, t);
    }
    feed_tell_ready(f);
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
    feed_read_end(f, &(struct topic_filter){.kind = TOPIC_JOB, .job_id = row->id});
}

/* A job is no more: its viewers are told so, and those of `jobs` need the state again. What
 * lies before is not replayed, for it does not tell that the job is gone. */
static void publish_delete(struct feed *f, struct id job_id)
{
    struct list *topics = map_get(&f->by_job, ID_KEY(job_id));
    LIST_EACH (&f->global, struct topic, link, t) {
        if (t->filter.kind != TOPIC_JOBS)
            continue;
        t->floor = f->head;
        feed_wake(f, t);
    }
    if (!topics)
        return;
    LIST_EACH (topics, struct topic, link, of_job) {
        of_job->gone = true;
        feed_wake(f, of_job);
    }
}

static void publish_change(struct feed *f, const struct change *change, int64_t now_us)
{
    if (change->kind == CHANGE_JOB && job_state_is_final(change->job->status))
        publish_end(f, change->job, now_us);
    if (change->kind == CHANGE_JOB_DELETE)
        publish_delete(f, change->job_id);
}

void feed_publish(struct feed *f, const struct batch *b)
{
    int64_t now_us = clock_mono_us();
    const struct event_batch *events = &b->events;
    if (events->count == 0)
        return;
    FAULT_KILLS(FEED_PUBLISH_BEFORE);
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
        publish_change(f, &b->changes[i], now_us);
    flush_all(f, &f->global, now_us, false);
    for (size_t i = 0; i < events->source_count; i++)
        if (by_source[i])
            flush_all(f, by_source[i], now_us, false);
    free(by_source);
    feed_tell_ready(f);
}
