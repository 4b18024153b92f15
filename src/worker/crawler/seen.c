#include "worker/crawler/seen.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/mem.h"

static uint64_t seeds[4];

static void seeds_init(void)
{
    ASSERT(getrandom(seeds, sizeof(seeds), 0) == (ssize_t)sizeof(seeds));
}

static uint64_t fold(uint64_t a, uint64_t b)
{
    unsigned __int128 product = (unsigned __int128)a * b;
    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

/* Two lanes with seeds of their own, 8 bytes at a time, each multiplied by an odd secret. */
struct seen_key seen_hash(struct str url)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, seeds_init);
    uint64_t a = seeds[0] ^ url.n, b = seeds[1] + url.n;
    for (size_t i = 0; i < url.n; i += 8) {
        uint64_t word = 0;
        memcpy(&word, url.p + i, MIN((size_t)8, url.n - i));
        a = fold(a ^ word, seeds[2] | 1) + word;
        b = fold(b + word, seeds[3] | 1) ^ word;
    }
    struct seen_key key = {fold(a, 0x9E3779B97F4A7C15u), fold(b, 0xD1B54A32D192ED03u)};
    if (key.a == 0 && key.b == 0)
        key.b = 1;
    return key;
}

static size_t seen_slot(const struct seen *s, struct seen_key key)
{
    size_t i = key.a & (s->cap - 1);
    while ((s->slots[i].a || s->slots[i].b) &&
           (s->slots[i].a != key.a || s->slots[i].b != key.b))
        i = (i + 1) & (s->cap - 1);
    return i;
}

bool seen_has(const struct seen *s, struct seen_key key)
{
    if (!s->cap)
        return false;
    const struct seen_key *slot = &s->slots[seen_slot(s, key)];
    return slot->a || slot->b;
}

static void seen_grow(struct seen *s)
{
    struct seen larger = {NULL, s->count, s->cap ? s->cap * 2 : 1024};
    larger.slots = mem_alloc(larger.cap * sizeof(*larger.slots));
    for (size_t i = 0; i < s->cap; i++)
        if (s->slots[i].a || s->slots[i].b)
            larger.slots[seen_slot(&larger, s->slots[i])] = s->slots[i];
    free(s->slots);
    *s = larger;
}

bool seen_add(struct seen *s, struct seen_key key)
{
    if (s->count * 4 >= s->cap * 3)
        seen_grow(s);
    struct seen_key *slot = &s->slots[seen_slot(s, key)];
    if (slot->a || slot->b)
        return false;
    *slot = key;
    s->count++;
    return true;
}

void seen_done(struct seen *s)
{
    free(s->slots);
    *s = (struct seen)SEEN_INIT;
}
