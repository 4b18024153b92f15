/* histogram.h: counts of durations in buckets that are less than 1 % wide, for percentiles.
 * One microsecond to over an hour. Thread: one at a time. */
#pragma once

#include <stdint.h>

enum { HISTOGRAM_STEPS = 128, HISTOGRAM_OCTAVES = 26 };

struct histogram {
    uint64_t counts[HISTOGRAM_OCTAVES * HISTOGRAM_STEPS];
    uint64_t total;
    int64_t max_us;
};

void histogram_add(struct histogram *h, int64_t us); /* below 0 counts as 0 */

/* What `share` (0 to 1) of all durations do not exceed; 0 when there are none. */
int64_t histogram_at(const struct histogram *h, double share);
