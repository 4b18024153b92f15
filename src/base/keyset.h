/* keyset.h: which texts were met already: a set of their hashes, 16 bytes a slot.
 *
 * The texts themselves are not kept, so a key of any length costs 21 to 43 bytes; two different
 * texts with the same 128 bits will not be met. For keys with values, or to be listed: map.h.
 * Thread: one at a time. */
#pragma once

#include "base/hash.h"

struct keyset {
    struct hash *slots;
    size_t count, cap;
};

#define KEYSET_INIT                                                                            \
    {                                                                                          \
        NULL, 0, 0                                                                             \
    }

bool keyset_has(const struct keyset *s, struct hash key);
bool keyset_add(struct keyset *s, struct hash key); /* false: it was there already */
void keyset_done(struct keyset *s);
