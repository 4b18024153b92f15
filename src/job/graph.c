/* Depth first: a node is put into the order when all that it depends on is there. A node that
 * is met again while it is still open closes a circle, and the open nodes from it on are that
 * circle. */
#include "job/graph.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

enum mark { MARK_NEW, MARK_OPEN, MARK_DONE };

struct walk {
    const struct graph_node *nodes;
    char *marks;
    int *order, ordered;
    int *open, open_count;
};

/* Copies open[from ...] to `order`, turned so that the lowest index is first. */
static int circle_found(struct walk *w, int from)
{
    int length = w->open_count - from, lowest = from;
    for (int i = from; i < w->open_count; i++)
        if (w->open[i] < w->open[lowest])
            lowest = i;
    for (int i = 0; i < length; i++)
        w->order[i] = w->open[from + (lowest - from + i) % length];
    return length;
}

/* As deep as the longest chain, which LIMIT_DEFINITION_STEPS bounds. */
static int node_visit(struct walk *w, int node)
{
    if (w->marks[node] == MARK_DONE)
        return 0;
    if (w->marks[node] == MARK_OPEN) {
        int from = 0;
        while (w->open[from] != node)
            from++;
        return circle_found(w, from);
    }
    w->marks[node] = MARK_OPEN;
    w->open[w->open_count++] = node;
    for (int i = 0; i < w->nodes[node].depends_count; i++) {
        int length = node_visit(w, w->nodes[node].depends[i]);
        if (length)
            return length;
    }
    w->open_count--;
    w->marks[node] = MARK_DONE;
    w->order[w->ordered++] = node;
    return 0;
}

int graph_order(const struct graph_node *nodes, int count, int *order)
{
    AUTO_FREE char *marks = mem_alloc((size_t)count);
    AUTO_FREE int *open = mem_alloc((size_t)count * sizeof(*open));
    struct walk w = {.nodes = nodes, .marks = marks, .order = order, .open = open};
    int length = 0;
    for (int i = 0; i < count && length == 0; i++)
        length = node_visit(&w, i);
    return length;
}
