/* history.h: frames that were read back from the log, kept for a while.
 *
 * Viewers who are behind are behind together: after a burst, a restart, or when a page is
 * opened by many. The first one who asks for what comes after a seq has it read, with more than
 * it asked for; the others find it here. They stand at different places when they fall behind,
 * but frames that are read back end where seq is a multiple of HISTORY_STRIDE, so after a first
 * short frame of its own everyone goes by the same ones. Memory is bounded
 * (LIMIT_HISTORY_BYTES): the oldest reading goes first. Pure memory. Thread: loop. */
#pragma once

#include "feed/span.h"

enum { HISTORY_STRIDE = 64 };

struct history {
    struct span **frames; /* in the order in which they were read */
    size_t count, cap;
    size_t bytes;
};

void history_done(struct history *h); /* empty again, for more use */

/* Adds a frame, and a reference to it. */
void history_add(struct history *h, struct span *frame);

/* The frame that begins right after `seq`, or NULL. */
struct span *history_find(const struct history *h, uint64_t seq);
