/* memory.h: what the two files of the memory store share. Only src/store/ includes it.
 *
 * Rows lie on shelves, in the order in which they came; events in one batch per append. A
 * reader sees one state because nothing is written while a reader is open. */
#pragma once

#include <pthread.h>

#include "base/map.h"
#include "store/row_shape.h"
#include "store/store_ops.h"

struct shelf {
    const struct row_shape *shape;
    struct slot {
        void *row; /* replaced when the row is written again; the slot stays */
    } * *slots;
    size_t count, cap;
    struct map by_key; /* id, or a definition's id → struct slot */
};

struct memory_store {
    struct store base;
    pthread_mutex_t lock; /* of what follows; readers hold `readers`, not the lock */
    pthread_cond_t quiet; /* no reader is open any more */
    int readers;
    uint64_t head;
    struct shelf jobs, steps, tasks, documents, definitions, schedules, deliveries;
    struct map task_keys; /* step id and key → task's slot */
    struct map deleted;   /* job id */
    uint64_t deleted_seq;
    struct event_batch **log;
    size_t log_count, log_cap;
};

static inline struct memory_store *memory_store(struct store_reader *r)
{
    return container_of(r->store, struct memory_store, base);
}

/* memory_read.c: fills in the reading half of the table. */
void memory_read_ops(struct store_ops *ops);
