/* Below 2 * STEPS microseconds every bucket is one wide; above, each octave has STEPS of them:
 * the index is the octave and the top bits of the value. */
#include "histogram.h"

#include "base/macro.h"

static unsigned bucket_of(uint64_t us)
{
    unsigned octave = us < HISTOGRAM_STEPS ? 0 : (unsigned)(63 - __builtin_clzll(us)) - 6;
    unsigned shift = octave ? octave - 1 : 0;
    unsigned index = octave * HISTOGRAM_STEPS + (unsigned)(us >> shift) % HISTOGRAM_STEPS;
    return MIN(index, HISTOGRAM_OCTAVES * HISTOGRAM_STEPS - 1u);
}

/* The greatest value that falls into it. */
static int64_t bucket_top(unsigned index)
{
    unsigned octave = index / HISTOGRAM_STEPS, step = index % HISTOGRAM_STEPS;
    if (octave == 0)
        return step;
    return (((int64_t)HISTOGRAM_STEPS + step + 1) << (octave - 1)) - 1;
}

void histogram_add(struct histogram *h, int64_t us)
{
    us = MAX(us, 0);
    h->counts[bucket_of((uint64_t)us)]++;
    h->total++;
    h->max_us = MAX(h->max_us, us);
}

int64_t histogram_at(const struct histogram *h, double share)
{
    uint64_t wanted = (uint64_t)(share * (double)h->total), seen = 0;
    for (unsigned i = 0; i < HISTOGRAM_OCTAVES * HISTOGRAM_STEPS && h->total; i++)
        if ((seen += h->counts[i]) > wanted || seen == h->total)
            return MIN(bucket_top(i), h->max_us);
    return 0;
}
