#include "feed/reading.h"

#include <stdlib.h>
#include <string.h>

#include "base/fault.h"
#include "base/limits.h"
#include "base/mem.h"
#include "feed/encode.h"
#include "feed/feed_state.h"
#include "feed/tree.h"

struct feed_read *reading_new(struct feed *f, enum reading_kind kind,
                              const struct topic_filter *filter, enum feed_form form)
{
    struct feed_read *read = mem_alloc(sizeof(*read));
    *read = (struct feed_read){.feed = f,
                               .store = f->store,
                               .kind = kind,
                               .filter = *filter,
                               .form = {.kind = form, .epoch = feed_epoch(f)},
                               .snapshot = BUF_INIT(LIMIT_REPLY_BYTES),
                               .totals = BUF_INIT(LIMIT_REPLY_BYTES)};
    list_init(&read->waiters);
    return read;
}

void reading_free(struct feed_read *read)
{
    buf_done(&read->snapshot);
    buf_done(&read->totals);
    for (size_t i = 0; i < read->frame_count; i++)
        span_unref(read->frames[i]);
    free(read);
}

static int read_end(struct feed_read *read, struct store_reader *r)
{
    AUTO_ARENA a = ARENA_INIT;
    struct job_row *row;
    if (FAULT(FEED_END))
        return fault_fail(&read->err);
    int code = store_get_job(r, read->filter.job_id, &a, &row, &read->err);
    if (code < 0 || row->end_seq == 0)
        return code;
    read->end_seq = row->end_seq;
    struct json j = JSON_TO(&read->totals);
    return tree_write_totals(r, read->filter.job_id, &j, &read->err);
}

static int read_snapshot(struct feed_read *read, struct store_reader *r)
{
    enum { JOBS_SHOWN = 50, EVENTS_SHOWN = 50 };
    struct json j = JSON_TO(&read->snapshot);
    const char *epoch = store_epoch(read->store);
    if (read->filter.kind == TOPIC_SYSTEM)
        return tree_write_system(r, epoch, EVENTS_SHOWN, &j, &read->err);
    if (read->filter.kind != TOPIC_JOB)
        return tree_write_all(r, epoch, JOBS_SHOWN, &j, &read->err);
    size_t tail = read->request.tail;
    struct tree_options options = {.lines = tail ? MIN(tail, (size_t)LIMIT_TAIL_LINES)
                                                 : LIMIT_SNAPSHOT_LINES};
    if (read->filter.min_level == LEVEL_NONE)
        options.lines = 0;
    return tree_write(r, epoch, read->filter.job_id, &options, &j, &read->err);
}

/* A cursor that this log cannot go on from gets the state instead, and is told why: never a
 * partial replay, never waiting for the future. */
static const char *reset_reason(const struct feed_read *read)
{
    if (read->request.start != FEED_SINCE)
        return NULL;
    /* "nothing seen yet" is true of every log */
    if (read->request.since && strcmp(read->epoch, store_epoch(read->store)) != 0)
        return "epoch";
    if (read->request.since && read->request.since < read->floor)
        return "pruned";
    return read->request.since > read->as_of ? "ahead" : NULL;
}

static int read_open(struct feed_read *read, struct store_reader *r)
{
    int code = read->filter.kind == TOPIC_JOB ? read_end(read, r) : 0;
    if (code < 0)
        return code;
    read->reset = reset_reason(read);
    if (read->reset || read->request.start == FEED_SNAPSHOT)
        code = read_snapshot(read, r);
    if (read->snapshot.overflow || read->totals.overflow)
        return fail(&read->err, E_TOOBIG, "the state of this topic is too large to be sent");
    return code;
}

/* A frame of events [from, until) of a batch; all of the topic's in (after, to]. */
static struct span *make_frame(const struct form *form, const struct topic_filter *filter,
                               const struct event_batch *b, size_t from, size_t until,
                               uint64_t after, uint64_t to)
{
    AUTO_BUF events = BUF_INIT(LIMIT_REPLY_BYTES);
    AUTO_BUF scratch = BUF_INIT(LIMIT_REPLY_BYTES);
    char name[TOPIC_NAME_MAX];
    for (size_t i = from; i < until; i++) {
        struct json j = JSON_TO(form->kind == FEED_PLAIN ? &scratch : &events);
        j.comma = form->kind != FEED_PLAIN && i > from;
        if (form->kind != FEED_PLAIN) {
            encode_event(&j, b, &b->events[i]);
            continue;
        }
        buf_clear(&scratch);
        encode_event_plain(&j, b, &b->events[i]);
        form_add_text_frame(&events, buf_str(&scratch));
    }
    if (form->kind == FEED_PLAIN)
        return span_new(after, to, buf_str(&events));
    topic_name(filter, name);
    return topic_make_frame(form, name, after, to, buf_str(&events));
}

/* Where a frame that begins at event `from` ends: at a place that it shares with others, or
 * when it is full. Encoded, an event is its text and its ids. */
static size_t frame_end(const struct event_batch *b, size_t from, size_t count)
{
    enum { IDS_BYTES = 400 };
    size_t bytes = 0, i = from;
    for (; i < count && i - from < LIMIT_FRAME_EVENTS && bytes < LIMIT_FRAME_BYTES; i++) {
        bytes += b->events[i].message_n + b->events[i].members_n + IDS_BYTES;
        if (b->events[i].seq % HISTORY_STRIDE == 0)
            return i + 1;
    }
    return i;
}

static void make_frames(struct feed_read *read, const struct event_batch *b, uint64_t to)
{
    size_t count = b->count, at = 0;
    uint64_t after = read->after;
    while (count && b->events[count - 1].seq > read->upto)
        count--;
    bool all =
        to >= MIN(read->upto, read->as_of); /* else there was more than a reading holds */
    to = MIN(to, read->upto);
    while (read->frame_count < READ_FRAMES) {
        size_t end = frame_end(b, at, count);
        bool last = end == count;
        if (last && !all && read->frame_count > 0)
            return; /* it would end anywhere; whoever comes so far has it read anew */
        uint64_t frame_to = last ? to : b->events[end - 1].seq;
        read->frames[read->frame_count++] =
            make_frame(&read->form, &read->filter, b, at, end, after, frame_to);
        after = frame_to;
        at = end;
        if (last)
            return;
    }
}

static int read_catch_up(struct feed_read *read, struct store_reader *r)
{
    AUTO_EVENT_BATCH batch = EVENT_BATCH_INIT;
    struct event_query q = {.topic = read->filter,
                            .after_seq = read->after,
                            .max_events = READ_FRAMES * LIMIT_FRAME_EVENTS,
                            .max_bytes = READ_BYTES};
    uint64_t to;
    if (FAULT(FEED_CATCH_UP))
        return fault_fail(&read->err);
    int code = store_read_events(r, &q, &batch, &to, &read->err);
    if (code < 0)
        return code;
    if (read->form.kind == FEED_DEFLATED)
        read->form.deflater = deflater_new();
    make_frames(read, &batch, to);
    deflater_free(TAKE(read->form.deflater));
    return 0;
}

static int read_from_store(struct feed_read *read)
{
    AUTO_READER *r = NULL;
    int code = store_read_begin(read->store, &r, &read->err);
    if (code < 0)
        return code;
    read->as_of = store_read_as_of(r);
    read->floor = store_read_floor(r, &read->filter);
    return read->kind == READ_OPEN       ? read_open(read, r)
           : read->kind == READ_CATCH_UP ? read_catch_up(read, r)
                                         : read_end(read, r);
}

static void on_pool(uv_work_t *work)
{
    enum { RETRY_MS = 250 };
    struct feed_read *read = container_of(work, struct feed_read, work);
    read->code = read_from_store(read);
    if (read->code < 0 && read->kind == READ_END)
        uv_sleep(RETRY_MS); /* it is tried again, but not without a pause; the pool can wait */
}

static void on_done(uv_work_t *work, int status)
{
    (void)status;
    struct feed_read *read = container_of(work, struct feed_read, work);
    void (*done)(struct feed_read *) = (void (*)(struct feed_read *))work->data;
    done(read);
}

void reading_start(struct feed_read *read, void (*done)(struct feed_read *read))
{
    read->work.data = (void *)done;
    ASSERT(uv_queue_work(read->feed->loop, &read->work, on_pool, on_done) == 0);
}
