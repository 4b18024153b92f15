/* arena.h: many small allocations that end together.
 *
 * Rows that come out of the store, and rows on their way into it, live in one arena each: their
 * strings need no owner of their own. Thread: one at a time. */
#pragma once

#include "base/text.h"

struct arena {
    struct arena_block *blocks;
    size_t bytes; /* handed out so far */
};

#define ARENA_INIT                                                                             \
    {                                                                                          \
        NULL, 0                                                                                \
    }
#define AUTO_ARENA AUTO(arena_done) struct arena

void arena_done(struct arena *a);
void *arena_alloc(struct arena *a, size_t n);             /* zeroed, aligned for any type */
const char *arena_str(struct arena *a, struct str s);     /* a copy with a NUL after it */
const char *arena_strdup(struct arena *a, const char *s); /* NULL gives NULL */
