/* Taking events for a query, alike for every implementation. */
#include "store/sink.h"

#include <stdlib.h>

#include "base/mem.h"

bool event_sink_offer(struct event_sink *sink, const struct event_batch *from, size_t i)
{
    const struct event *e = &from->events[i];
    if (!event_matches(from, e, &sink->query->topic)) {
        sink->to = e->seq;
        return true;
    }
    if (sink->events >= sink->query->max_events ||
        (sink->events > 0 && sink->bytes >= sink->query->max_bytes)) {
        sink->full = true;
        sink->to = e->seq - 1;
        return false;
    }
    event_batch_copy(sink->into, from, i);
    sink->events++;
    sink->bytes += e->message_n + e->members_n;
    sink->to = e->seq;
    return true;
}

static bool line_is_wanted(const struct line_query *q, const struct event *e)
{
    return e->type == EVENT_JOB_LOG && e->level >= q->min_level && e->line > q->after &&
           (q->before == 0 || e->line < q->before);
}

static bool line_of_query(const struct line_query *q, const struct event_batch *from,
                          const struct event *e)
{
    const struct event_source *s = &from->sources[e->source];
    return line_is_wanted(q, e) && id_eq(s->step_id, q->step_id) &&
           id_eq(s->manager_id, q->job_id);
}

/* The first `left` lines that are wanted, or the last with from_end; ascending in both cases.
 */
static size_t lines_copy(const struct line_query *q, const struct event_batch *from,
                         size_t left, struct event_batch *into)
{
    size_t begin = 0, copied = 0;
    if (q->from_end) { /* go back to where the last `left` of them begin */
        size_t found = 0;
        for (begin = from->count; begin > 0 && found < left; begin--)
            found += line_of_query(q, from, &from->events[begin - 1]);
    }
    for (size_t i = begin; i < from->count && copied < left; i++) {
        if (!line_of_query(q, from, &from->events[i]))
            continue;
        event_batch_copy(into, from, i);
        copied++;
    }
    return copied;
}

void line_sink_offer(struct line_sink *sink, const struct event_batch *from)
{
    if (!sink->query->from_end) {
        sink->left -= lines_copy(sink->query, from, sink->left, sink->into);
        return;
    }
    struct event_batch piece = EVENT_BATCH_INIT;
    sink->left -= lines_copy(sink->query, from, sink->left, &piece);
    if (piece.count == 0) {
        event_batch_done(&piece);
        return;
    }
    MEM_GROW(sink->pieces, sink->piece_count, sink->piece_cap);
    sink->pieces[sink->piece_count++] = piece;
}

void line_sink_finish(struct line_sink *sink)
{
    while (sink->piece_count > 0) {
        struct event_batch *piece = &sink->pieces[--sink->piece_count];
        for (size_t i = 0; i < piece->count; i++)
            event_batch_copy(sink->into, piece, i);
        event_batch_done(piece);
    }
    free(sink->pieces);
}
