#include "base/arena.h"

#include <stdalign.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

struct arena_block {
    struct arena_block *next;
    size_t used, size;
    alignas(max_align_t) char data[];
};

enum { ARENA_BLOCK_BYTES = 8 * 1024 };

void arena_done(struct arena *a)
{
    while (a->blocks) {
        struct arena_block *block = a->blocks;
        a->blocks = block->next;
        free(block);
    }
    a->bytes = 0;
}

void *arena_alloc(struct arena *a, size_t n)
{
    n = (n + alignof(max_align_t) - 1) & ~(alignof(max_align_t) - 1);
    struct arena_block *block = a->blocks;
    if (!block || block->size - block->used < n) {
        size_t size = MAX(n, (size_t)ARENA_BLOCK_BYTES);
        block = mem_alloc(sizeof(*block) + size);
        block->size = size;
        block->next = a->blocks;
        a->blocks = block;
    }
    void *p = block->data + block->used;
    block->used += n;
    a->bytes += n;
    return p;
}

const char *arena_str(struct arena *a, struct str s)
{
    char *copy = arena_alloc(a, s.n + 1);
    if (s.n)
        memcpy(copy, s.p, s.n);
    return copy;
}

const char *arena_strdup(struct arena *a, const char *s)
{
    return s ? arena_str(a, str_of(s)) : NULL;
}
