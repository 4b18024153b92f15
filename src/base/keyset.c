#include "base/keyset.h"

#include <stdlib.h>

#include "base/mem.h"

static bool slot_is_used(const struct hash *slot)
{
    return slot->a || slot->b;
}

/* Where the key is, or where it would be. */
static struct hash *keyset_slot(const struct keyset *s, struct hash key)
{
    size_t i = key.a & (s->cap - 1);
    while (slot_is_used(&s->slots[i]) && (s->slots[i].a != key.a || s->slots[i].b != key.b))
        i = (i + 1) & (s->cap - 1);
    return &s->slots[i];
}

bool keyset_has(const struct keyset *s, struct hash key)
{
    return s->cap && slot_is_used(keyset_slot(s, key));
}

static void keyset_grow(struct keyset *s)
{
    struct keyset larger = {NULL, s->count, s->cap ? s->cap * 2 : 64};
    larger.slots = mem_alloc(larger.cap * sizeof(*larger.slots));
    for (size_t i = 0; i < s->cap; i++)
        if (slot_is_used(&s->slots[i]))
            *keyset_slot(&larger, s->slots[i]) = s->slots[i];
    free(s->slots);
    *s = larger;
}

bool keyset_add(struct keyset *s, struct hash key)
{
    if (s->count * 4 >= s->cap * 3)
        keyset_grow(s);
    struct hash *slot = keyset_slot(s, key);
    if (slot_is_used(slot))
        return false;
    *slot = key;
    s->count++;
    return true;
}

void keyset_done(struct keyset *s)
{
    free(s->slots);
    *s = (struct keyset)KEYSET_INIT;
}
