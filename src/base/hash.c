#include "base/hash.h"

#include <pthread.h>
#include <string.h>
#include <sys/random.h>

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

/* Multiply and fold, 8 bytes at a time: the construction of wyhash (Wang Yi, public domain), in
 * two lanes with seeds of their own. */
struct hash hash_of(struct str text)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, seeds_init);
    uint64_t a = seeds[0] ^ text.n, b = seeds[1] + text.n;
    for (size_t i = 0; i < text.n; i += 8) {
        uint64_t word = 0;
        memcpy(&word, text.p + i, MIN((size_t)8, text.n - i));
        a = fold(a ^ word, seeds[2] | 1) + word;
        b = fold(b + word, seeds[3] | 1) ^ word;
    }
    struct hash hash = {fold(a, 0x9E3779B97F4A7C15u), fold(b, 0xD1B54A32D192ED03u)};
    if (hash.a == 0 && hash.b == 0)
        hash.b = 1;
    return hash;
}
