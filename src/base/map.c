#include "base/map.h"

#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/mem.h"

struct map_slot {
    char *key; /* NULL: never used */
    size_t key_n;
    uint64_t hash;
    void *value; /* NULL with a key: deleted */
};

void map_done(struct map *m)
{
    for (size_t i = 0; i < m->cap; i++)
        free(m->slots[i].key);
    free(m->slots);
    *m = (struct map)MAP_INIT;
}

static struct map_slot *map_find(const struct map *m, struct str key, uint64_t hash)
{
    for (size_t i = hash & (m->cap - 1); m->cap && m->slots[i].key;
         i = (i + 1) & (m->cap - 1)) {
        struct map_slot *s = &m->slots[i];
        if (s->hash == hash && str_eq((struct str){s->key, s->key_n}, key))
            return s;
    }
    return NULL;
}

void *map_get(const struct map *m, struct str key)
{
    struct map_slot *s = map_find(m, key, hash_of(key).a);
    return s ? s->value : NULL;
}

static void map_put_slot(struct map *m, struct map_slot slot)
{
    size_t i = slot.hash & (m->cap - 1);
    while (m->slots[i].key)
        i = (i + 1) & (m->cap - 1);
    m->slots[i] = slot;
    m->used++;
}

static void map_rehash(struct map *m)
{
    struct map old = *m;
    m->cap = 16;
    while (m->cap < (old.count + 1) * 2)
        m->cap *= 2;
    m->used = 0;
    m->slots = mem_alloc(m->cap * sizeof(*m->slots));
    for (size_t i = 0; i < old.cap; i++) {
        if (old.slots[i].value)
            map_put_slot(m, old.slots[i]);
        else
            free(old.slots[i].key);
    }
    free(old.slots);
}

void map_set(struct map *m, struct str key, void *value)
{
    ASSERT(value);
    uint64_t hash = hash_of(key).a;
    struct map_slot *s = map_find(m, key, hash);
    if (s) {
        m->count += s->value == NULL;
        s->value = value;
        return;
    }
    if ((m->used + 1) * 4 > m->cap * 3)
        map_rehash(m);
    map_put_slot(m, (struct map_slot){mem_copy(key.p, key.n), key.n, hash, value});
    m->count++;
}

void *map_remove(struct map *m, struct str key)
{
    struct map_slot *s = map_find(m, key, hash_of(key).a);
    if (!s || !s->value)
        return NULL;
    m->count--;
    return TAKE(s->value);
}

bool map_next(const struct map *m, size_t *it, struct str *ret_key, void **ret_value)
{
    for (; *it < m->cap; (*it)++) {
        struct map_slot *s = &m->slots[*it];
        if (!s->value)
            continue;
        if (ret_key)
            *ret_key = (struct str){s->key, s->key_n};
        if (ret_value)
            *ret_value = s->value;
        (*it)++;
        return true;
    }
    return false;
}
