/* Gathering. A topic that was quiet flushes at once, so a lonely event is with its viewers as
 * fast as it can be. One with a steady stream flushes as often as its viewers can be written
 * to: a send costs some microseconds however little is in it, so n viewers cost n times that,
 * and flushing more often would only make a queue of it. At a high rate nobody reads along line
 * by line, and gathering for a frame of a screen saves most of the work. */
#include "feed/topic.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "base/mem.h"
#include "feed/reading.h"

enum {
    QUIET_US = 50 * 1000, /* without a flush for so long: it was quiet */
    SEND_US = 6,          /* for each viewer: about what a send costs */
    HIGH_RATE = 2000,     /* events a second */
    HIGH_RATE_US = 16 * 1000,
    GATHER_MAX_US = 100 * 1000,
    WINDOW_US = 100 * 1000, /* the rate is counted over this */
};

struct topic *topic_new(const struct topic_filter *filter, const struct form *form,
                        uint64_t tail)
{
    struct topic *t = mem_alloc(sizeof(*t));
    *t = (struct topic){
        .filter = *filter, .form = *form, .tail = tail, .pending = BUF_INIT(LIMIT_REPLY_BYTES)};
    topic_name(filter, t->name);
    list_init(&t->waiting);
    list_init(&t->readings);
    return t;
}

void topic_free(struct topic *t)
{
    for (size_t i = 0; i < t->count; i++)
        span_unref(t->frames[t->first + i]);
    free(t->frames);
    buf_done(&t->pending);
    history_done(&t->history);
    LIST_EACH (&t->readings, struct feed_read, link, read) {
        list_remove(&read->link);
        read->topic = NULL;
    }
    span_unref(t->end);
    list_remove(&t->link);
    list_remove(&t->due_link);
    free(t);
}

struct span *topic_make_frame(const struct form *form, const char *name, uint64_t from,
                              uint64_t to, struct str events)
{
    enum { FRAME_BYTES = 256 };
    AUTO_BUF text = BUF_INIT(events.n + FRAME_BYTES);
    AUTO_BUF out = BUF_INIT(2 * events.n + 2 * FRAME_BYTES);
    buf_printf(&text,
               "{\"type\":\"events\",\"topic\":\"%s\",\"from\":%llu,\"to\":%llu,\"events\":[",
               name, (unsigned long long)from, (unsigned long long)to);
    buf_add_str(&text, events);
    buf_add(&text, "]}", 2);
    form_add(form, &out, "events", to, buf_str(&text));
    ASSERT(!text.overflow && !out.overflow);
    struct span *frame = span_new(from, to, buf_str(&out));
    frame->weight = text.n;
    return frame;
}

/* The oldest frames go when the ring is over its size; whoever still sends one holds a
 * reference. Not those that are so young that viewers can hardly have taken them: of a fast
 * topic a single late commit brings more than a ring full, and who has to go to the store for
 * what all others just got stays behind for long, since reading back costs more than keeping
 * up. */
void topic_trim(struct topic *t, int64_t now_us)
{
    while (t->count > 1 && t->ring_bytes > LIMIT_RING_BYTES) {
        struct span *oldest = t->frames[t->first];
        if (now_us - oldest->made_at_us < LIMIT_RING_FAST_MS * 1000 &&
            t->ring_bytes <= LIMIT_RING_FAST_BYTES)
            return;
        t->first++;
        t->count--;
        t->ring_bytes -= oldest->size;
        span_unref(oldest);
    }
}

static void ring_add(struct topic *t, struct span *frame, int64_t now_us)
{
    frame->made_at_us = now_us;
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
    topic_trim(t, now_us);
}

bool topic_flush(struct topic *t, int64_t now_us)
{
    list_remove(&t->due_link);
    if (t->pending_count == 0)
        return false;
    ring_add(t,
             t->form.kind == FEED_PLAIN ? span_new(t->tail, t->pending_to, buf_str(&t->pending))
                                        : topic_make_frame(&t->form, t->name, t->tail,
                                                           t->pending_to, buf_str(&t->pending)),
             now_us);
    buf_clear(&t->pending);
    t->pending_count = 0;
    t->flushed_at_us = now_us;
    return true;
}

/* Events a second, as far as the last windows tell. */
static size_t topic_rate(struct topic *t, int64_t now_us)
{
    int64_t age_us = now_us - t->window_at_us;
    if (age_us >= WINDOW_US) {
        t->rate = age_us < 2 * WINDOW_US ? t->window_events * (1000000 / WINDOW_US) : 0;
        t->window_events = 0;
        t->window_at_us = now_us;
    }
    return t->rate;
}

int64_t topic_gather_us(struct topic *t, int64_t now_us)
{
    if (now_us - t->flushed_at_us >= QUIET_US)
        return 0;
    int64_t us = (int64_t)t->cursors * SEND_US;
    if (topic_rate(t, now_us) > HIGH_RATE)
        us = MAX(us, (int64_t)HIGH_RATE_US);
    return MIN(us, (int64_t)GATHER_MAX_US);
}

void topic_add(struct topic *t, uint64_t seq, struct str encoded, int64_t now_us)
{
    t->window_events++;
    if (t->form.kind == FEED_PLAIN) {
        form_add_text_frame(&t->pending, encoded);
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
    static const char *const names[] = {
        [TOPIC_ALL] = "all", [TOPIC_JOBS] = "jobs", [TOPIC_SYSTEM] = "system"};
    if (topic->kind == TOPIC_JOB)
        n = snprintf(to, TOPIC_NAME_MAX, "job:%s", ID_TEXT(topic->job_id));
    else
        n = snprintf(to, TOPIC_NAME_MAX, "%s", names[topic->kind]);
    if (topic->kind == TOPIC_JOB && topic->min_level != LEVEL_DEBUG)
        (void)snprintf(to + n, TOPIC_NAME_MAX - (size_t)n, "?min=%s",
                       topic->min_level == LEVEL_NONE ? "none"
                                                      : event_level_name(topic->min_level));
}

int topic_parse(struct str name, struct topic_filter *ret_topic, struct err *e)
{
    static const char expected[] =
        "expected \"jobs\", \"job:<id>\", \"job:<id>?min=warn\" or \"system\"";
    if (str_eq_c(name, "jobs") || str_eq_c(name, "system")) {
        *ret_topic =
            (struct topic_filter){.kind = name.p[0] == 'j' ? TOPIC_JOBS : TOPIC_SYSTEM};
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
        struct str level = {rest.p + min.n, rest.n - min.n};
        if (str_starts(rest, min) && str_eq_c(level, "none"))
            topic.min_level = LEVEL_NONE;
        else if (!str_starts(rest, min) || !event_level_parse(level, &topic.min_level))
            return fail(e, E_NOTFOUND,
                        "topic \"%.*s\": min is one of debug, info, warn, error, none",
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
