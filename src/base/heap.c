#include "base/heap.h"

#include <stdlib.h>

#include "base/mem.h"

enum { FIRST_CAP = 16 };

static void put(struct heap *h, size_t place, struct heap_node *node)
{
    h->nodes[place] = node;
    node->place = place;
}

/* Moves what stands at `place` to where it belongs. */
static void settle(struct heap *h, size_t place)
{
    struct heap_node *node = h->nodes[place];
    for (; place > 1 && h->before(node, h->nodes[place / 2]); place /= 2)
        put(h, place, h->nodes[place / 2]);
    for (size_t child; (child = 2 * place) <= h->count; place = child) {
        if (child < h->count && h->before(h->nodes[child + 1], h->nodes[child]))
            child++;
        if (!h->before(h->nodes[child], node))
            break;
        put(h, place, h->nodes[child]);
    }
    put(h, place, node);
}

void heap_add(struct heap *h, struct heap_node *node)
{
    ASSERT(!node->place);
    if (h->count + 2 > h->cap) {
        h->cap = h->cap ? 2 * h->cap : FIRST_CAP;
        h->nodes = mem_resize(h->nodes, h->cap * sizeof(h->nodes[0]));
    }
    put(h, ++h->count, node);
    settle(h, h->count);
}

void heap_remove(struct heap *h, struct heap_node *node)
{
    size_t place = node->place;
    if (!place)
        return;
    ASSERT(place <= h->count && h->nodes[place] == node);
    struct heap_node *last = h->nodes[h->count--];
    node->place = 0;
    if (last == node)
        return;
    put(h, place, last);
    settle(h, place);
}

void heap_done(struct heap *h)
{
    free(h->nodes);
    h->nodes = NULL;
    h->count = h->cap = 0;
}
