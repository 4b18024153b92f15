/* heap.h: what stands first, of very many. A binary heap whose nodes lie inside the elements:
 * adding one and taking one out, wherever it stands, cost the logarithm of how many there are.
 *
 *     struct heap all = {.before = time_before};
 *     heap_add(&all, &element->node);         heap_first(&all)         heap_remove(&all, node)
 *
 * Elements are not owned; heap_done() frees what the heap itself has. Thread: one at a time. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/macro.h"

struct heap_node {
    size_t place; /* from 1; 0: in no heap */
};

struct heap {
    bool (*before)(struct heap_node *a, struct heap_node *b);
    struct heap_node **nodes; /* from [1] on */
    size_t count, cap;
};

void heap_add(struct heap *h, struct heap_node *node);    /* one that is in no heap */
void heap_remove(struct heap *h, struct heap_node *node); /* one that is in none: nothing */
void heap_done(struct heap *h);                           /* empty again */

static inline struct heap_node *heap_first(const struct heap *h) /* NULL: it is empty */
{
    return h->count ? h->nodes[1] : NULL;
}

#define HEAP_FIRST(heap, type, member)                                                         \
    ({                                                                                         \
        struct heap_node *node_ = heap_first(heap);                                            \
        node_ ? container_of(node_, type, member) : NULL;                                      \
    })
