/* graph.h: an order in which everything comes after what it depends on. Thread: any. */
#pragma once

struct graph_node {
    const int *depends; /* indexes of other nodes */
    int depends_count;
};

/* Fills order[count] and returns 0. Nodes keep the order they have as far as `depends` allows.
 *
 * When there is a circle, returns its length, and order[0 ... length - 1] are its members: each
 * depends on the next and the last on the first, and the first has the lowest index of them. */
int graph_order(const struct graph_node *nodes, int count, int *order);
