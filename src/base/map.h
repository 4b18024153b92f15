/* map.h: a hash map from bytes to a pointer. Open addressing, linear probing, keys copied.
 *
 * Keys may come from outside: nobody can choose ones that collide (hash.h).
 *
 * Ownership: the map owns its keys, never the values. Thread: one at a time. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/id.h"
#include "base/text.h"

struct map {
    struct map_slot *slots;
    size_t count, cap, used; /* used counts slots of deleted keys too */
};

#define MAP_INIT                                                                               \
    {                                                                                          \
        NULL, 0, 0, 0                                                                          \
    }

void map_done(struct map *m);
void *map_get(const struct map *m, struct str key);       /* NULL when it is not there */
void map_set(struct map *m, struct str key, void *value); /* value is not NULL; replaces */
void *map_remove(struct map *m, struct str key);          /* the value it had, or NULL */

/* Visits all in no order: start with *it = 0. False at the end. The map must not change
 * meanwhile. */
bool map_next(const struct map *m, size_t *it, struct str *ret_key, void **ret_value);

/* The same with an id as key. */
#define ID_KEY(id) ((struct str){(const char *)(id).b, sizeof((id).b)})
