/* hash.h: 128 bits that stand for a text.
 *
 * Seeded at random when the program starts: different in every run, and nobody can write two
 * texts that are taken for one, or many that crowd one place of a table. Thread: any. */
#pragma once

#include "base/text.h"

struct hash {
    uint64_t a, b; /* never both 0: a set may use that for an empty slot */
};

struct hash hash_of(struct str text);
