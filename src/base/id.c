#include "base/id.h"

#include <pthread.h>
#include <string.h>
#include <sys/random.h>

#include "base/clock.h"

static pthread_mutex_t id_lock = PTHREAD_MUTEX_INITIALIZER;
static uint64_t id_last; /* milliseconds << 12 | counter of the newest id */

/* Milliseconds and a 12 bit counter in one number, which never repeats and never goes back:
 * when the counter overflows, or the clock jumps back, it simply runs on. */
static uint64_t id_tick(void)
{
    uint64_t now = (uint64_t)(clock_wall_us() / 1000) << 12;
    pthread_mutex_lock(&id_lock);
    id_last = now > id_last ? now : id_last + 1;
    now = id_last;
    pthread_mutex_unlock(&id_lock);
    return now;
}

struct id id_new(void)
{
    static _Thread_local uint8_t pool[256];
    static _Thread_local size_t used = sizeof(pool);
    if (used + 8 > sizeof(pool)) {
        ASSERT(getrandom(pool, sizeof(pool), 0) == (ssize_t)sizeof(pool));
        used = 0;
    }
    struct id id;
    uint64_t tick = id_tick(), ms = tick >> 12, counter = tick & 0xFFF;
    for (int i = 5; i >= 0; i--, ms >>= 8)
        id.b[i] = (uint8_t)ms;
    id.b[6] = (uint8_t)(0x70 | (counter >> 8));
    id.b[7] = (uint8_t)counter;
    memcpy(id.b + 8, pool + used, 8);
    used += 8;
    id.b[8] = (uint8_t)(0x80 | (id.b[8] & 0x3F));
    return id;
}

bool id_is_none(struct id id)
{
    return id_eq(id, ID_NONE);
}

bool id_eq(struct id a, struct id b)
{
    return memcmp(a.b, b.b, sizeof(a.b)) == 0;
}

int id_compare(struct id a, struct id b)
{
    return memcmp(a.b, b.b, sizeof(a.b));
}

char *id_format(struct id id, char to[ID_TEXT_LEN + 1])
{
    static const char hex[] = "0123456789abcdef";
    char *p = to;
    int n = id_is_none(id) ? 0 : 16;
    for (int i = 0; i < n; i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10)
            *p++ = '-';
        *p++ = hex[id.b[i] >> 4];
        *p++ = hex[id.b[i] & 15];
    }
    *p = 0;
    return to;
}

bool id_parse(struct str text, struct id *ret_id)
{
    struct id id;
    if (text.n != ID_TEXT_LEN)
        return false;
    const char *p = text.p;
    for (int i = 0; i < 16; i++) {
        if ((i == 4 || i == 6 || i == 8 || i == 10) && *p++ != '-')
            return false;
        int high = text_hex(p[0]), low = high < 0 ? -1 : text_hex(p[1]);
        if (low < 0)
            return false;
        id.b[i] = (uint8_t)(high << 4 | low);
        p += 2;
    }
    *ret_id = id;
    return true;
}
