/* seen.h: which addresses were met already: a set of 128-bit hashes, 16 bytes a slot.
 *
 * The hash is seeded at random when the program starts, so nobody can write two addresses that
 * are taken for one. Thread: a set belongs to one; seen_hash() any. */
#pragma once

#include "base/text.h"

struct seen_key {
    uint64_t a, b; /* never both 0 */
};

struct seen {
    struct seen_key *slots;
    size_t count, cap;
};

#define SEEN_INIT                                                                              \
    {                                                                                          \
        NULL, 0, 0                                                                             \
    }

struct seen_key seen_hash(struct str url);
bool seen_has(const struct seen *s, struct seen_key key);
bool seen_add(struct seen *s, struct seen_key key); /* false: it was there already */
void seen_done(struct seen *s);
