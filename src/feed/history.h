/* history.h: frames that were read back from the log, kept for a while.
 *
 * Viewers who are behind are behind together: after a burst, a restart, or when a page is
 * opened by many. The first one who asks for what comes after a seq has it read, with more than
 * it asked for; the others find it here, also when they stand in the middle of a frame: they
 * skip what they have seen, and from there on all go by the same frames. Memory is bounded (LIMIT_HISTORY_BYTES): the oldest
 * reading goes first. Pure memory. Thread: loop. */
#pragma once

#include <stdbool.h>

#include "feed/span.h"

struct history {
    struct span **frames; /* in the order in which they were read */
    size_t count, cap;
    size_t bytes;
};

void history_done(struct history *h); /* empty again, for more use */

/* Adds a frame, and a reference to it. */
void history_add(struct history *h, struct span *frame);

/* The newest frame that begins right after `seq`, or, with `overlap`, before it and goes beyond
 * it; NULL when there is none. */
struct span *history_find(const struct history *h, uint64_t seq, bool overlap);

/* Does the frame serve whoever has seen everything up to `seq`? */
static inline bool span_follows(const struct span *s, uint64_t seq, bool overlap)
{
    return s->from == seq || (overlap && s->from < seq && s->to > seq);
}
