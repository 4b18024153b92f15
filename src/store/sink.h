/* sink.h: where events go that answer a query; every implementation reads through these, so
 * that they stop at the same place. Only src/store/ includes it. Thread: one at a time. */
#pragma once

#include "store/store.h"

/* Collects the events of a topic until it is full. */
struct event_sink {
    struct event_batch *into;
    const struct event_query *query;
    size_t events, bytes; /* taken so far */
    uint64_t to;          /* all events of the topic up to here were taken */
    bool full;
};

/* Takes event i of `from` when it belongs to the topic. False: it was not taken because the
 * sink is full, and `to` stops before it. Events are to be offered in the order of seq. */
bool event_sink_offer(struct event_sink *sink, const struct event_batch *from, size_t i);

/* Collects lines: straight into `into`, or (from_end) into pieces that are turned around at the
 * end. */
struct line_sink {
    const struct line_query *query;
    struct event_batch *into;
    size_t left; /* starts as the limit; nothing more is wanted when it is 0 */
    struct event_batch *pieces;
    size_t piece_count, piece_cap;
};

/* Takes the lines of `from` that the query asks for. Batches are to be offered oldest first,
 * or newest first with from_end. */
void line_sink_offer(struct line_sink *sink, const struct event_batch *from);
void line_sink_finish(struct line_sink *sink); /* puts the pieces in order and frees */
