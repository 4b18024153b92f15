#include "feed/topic.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "base/mem.h"

struct topic *topic_new(const struct topic_filter *filter, enum feed_form form, uint64_t tail)
{
    struct topic *t = mem_alloc(sizeof(*t));
    *t = (struct topic){
        .filter = *filter, .form = form, .tail = tail, .pending = BUF_INIT(LIMIT_REPLY_BYTES)};
    topic_name(filter, t->name);
    list_init(&t->waiting);
    return t;
}

void topic_free(struct topic *t)
{
    for (size_t i = 0; i < t->count; i++)
        span_unref(t->frames[t->first + i]);
    free(t->frames);
    buf_done(&t->pending);
    span_unref(t->end);
    list_remove(&t->link);
    list_remove(&t->due_link);
    free(t);
}

void topic_write_frame(struct buf *out, const char *name, uint64_t from, uint64_t to,
                       struct str events)
{
    AUTO_BUF text = BUF_INIT(events.n + 256);
    buf_printf(&text,
               "{\"type\":\"events\",\"topic\":\"%s\",\"from\":%llu,\"to\":%llu,\"events\":[",
               name, (unsigned long long)from, (unsigned long long)to);
    buf_add_str(&text, events);
    buf_add(&text, "]}", 2);
    span_add_text_frame(out, buf_str(&text));
}

/* The oldest frames go when the ring is over its size; whoever still sends one holds a
 * reference. */
static void ring_trim(struct topic *t)
{
    while (t->count > 1 && t->ring_bytes > LIMIT_RING_BYTES) {
        struct span *oldest = t->frames[t->first++];
        t->count--;
        t->ring_bytes -= oldest->size;
        span_unref(oldest);
    }
}

static void ring_add(struct topic *t, struct span *frame)
{
    if (t->first + t->count == t->cap && t->first > t->count) {
        memmove(t->frames, t->frames + t->first, t->count * sizeof(struct span *));
        t->first = 0;
    }
    size_t end = t->first + t->count;
    MEM_GROW(t->frames, end, t->cap);
    t->frames[end] = frame;
    t->count++;
    t->ring_bytes += frame->size;
    t->tail = frame->to;
    ring_trim(t);
}

bool topic_flush(struct topic *t, int64_t now_us)
{
    list_remove(&t->due_link);
    if (t->pending_count == 0)
        return false;
    if (t->form == FEED_PLAIN) {
        ring_add(t, span_new(t->tail, t->pending_to, buf_str(&t->pending)));
    } else {
        AUTO_BUF out = BUF_INIT(t->pending.n + 512);
        topic_write_frame(&out, t->name, t->tail, t->pending_to, buf_str(&t->pending));
        ASSERT(!out.overflow);
        ring_add(t, span_new(t->tail, t->pending_to, buf_str(&out)));
    }
    buf_clear(&t->pending);
    t->pending_count = 0;
    t->flushed_at_us = now_us;
    return true;
}

void topic_add(struct topic *t, uint64_t seq, struct str encoded, int64_t now_us)
{
    if (t->form == FEED_PLAIN) {
        span_add_text_frame(&t->pending, encoded);
    } else {
        if (t->pending_count)
            buf_add_byte(&t->pending, ',');
        buf_add_str(&t->pending, encoded);
    }
    t->pending_count++;
    t->pending_to = seq;
    if (t->pending.n >= LIMIT_FRAME_BYTES || t->pending_count >= LIMIT_FRAME_EVENTS)
        topic_flush(t, now_us);
}

struct span *topic_frame_after(const struct topic *t, uint64_t seq)
{
    size_t low = 0, high = t->count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (t->frames[t->first + middle]->to > seq)
            high = middle;
        else
            low = middle + 1;
    }
    return low < t->count ? t->frames[t->first + low] : NULL;
}

void topic_name(const struct topic_filter *topic, char to[TOPIC_NAME_MAX])
{
    int n = 0;
    if (topic->kind == TOPIC_JOB)
        n = snprintf(to, TOPIC_NAME_MAX, "job:%s", ID_TEXT(topic->job_id));
    else
        n = snprintf(to, TOPIC_NAME_MAX, "%s", topic->kind == TOPIC_JOBS ? "jobs" : "all");
    if (topic->kind == TOPIC_JOB && topic->min_level != LEVEL_DEBUG)
        (void)snprintf(to + n, TOPIC_NAME_MAX - (size_t)n, "?min=%s",
                       event_level_name(topic->min_level));
}

int topic_parse(struct str name, struct topic_filter *ret_topic, struct err *e)
{
    static const char expected[] = "expected \"jobs\", \"job:<id>\" or \"job:<id>?min=warn\"";
    if (str_eq_c(name, "jobs")) {
        *ret_topic = (struct topic_filter){.kind = TOPIC_JOBS};
        return 0;
    }
    struct str rest = name, prefix = STR("job:"), min = STR("min=");
    struct topic_filter topic = {.kind = TOPIC_JOB};
    if (!str_starts(name, prefix))
        return fail(e, E_NOTFOUND, "unknown topic \"%.*s\": %s", (int)MIN(name.n, (size_t)64),
                    name.p, expected);
    rest.p += prefix.n, rest.n -= prefix.n;
    struct str id = str_cut(&rest, '?');
    if (!id_parse(id, &topic.job_id))
        return fail(e, E_NOTFOUND, "topic \"%.*s\" names no job: %s",
                    (int)MIN(name.n, (size_t)64), name.p, expected);
    if (rest.p) {
        if (!str_starts(rest, min) ||
            !event_level_parse((struct str){rest.p + min.n, rest.n - min.n}, &topic.min_level))
            return fail(e, E_NOTFOUND, "topic \"%.*s\": min is one of debug, info, warn, error",
                        (int)MIN(name.n, (size_t)64), name.p);
    }
    *ret_topic = topic;
    return 0;
}

bool cursor_parse(struct str text, char *epoch, size_t epoch_size, uint64_t *ret_seq)
{
    struct str rest = text, head = str_cut(&rest, ':');
    int64_t seq;
    if (!rest.p || head.n == 0 || head.n >= epoch_size || !str_to_int(rest, 0, INT64_MAX, &seq))
        return false;
    memcpy(epoch, head.p, head.n);
    epoch[head.n] = 0;
    *ret_seq = (uint64_t)seq;
    return true;
}
