#include "feed/history.h"

#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "base/mem.h"

void history_done(struct history *h)
{
    for (size_t i = 0; i < h->count; i++)
        span_unref(h->frames[i]);
    free(h->frames);
    *h = (struct history){0};
}

static void history_trim(struct history *h)
{
    size_t n = 0;
    while (h->count - n > 1 && h->bytes > LIMIT_HISTORY_BYTES) {
        h->bytes -= h->frames[n]->size;
        span_unref(h->frames[n++]);
    }
    if (!n)
        return;
    h->count -= n;
    memmove(h->frames, h->frames + n, h->count * sizeof(struct span *));
}

void history_add(struct history *h, struct span *frame)
{
    MEM_GROW(h->frames, h->count, h->cap);
    h->frames[h->count++] = span_ref(frame);
    h->bytes += frame->size;
    history_trim(h);
}

struct span *history_find(const struct history *h, uint64_t seq)
{
    for (size_t i = h->count; i-- > 0;)
        if (h->frames[i]->from == seq)
            return h->frames[i];
    return NULL;
}
