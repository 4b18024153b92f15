#include "base/clock.h"

#include <stdatomic.h>
#include <time.h>

#include "base/macro.h"

static _Atomic int64_t held_us; /* 0: it is not held */

static int64_t clock_read(clockid_t which)
{
    struct timespec t;
    clock_gettime(which, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

int64_t clock_wall_us(void)
{
    int64_t us = atomic_load_explicit(&held_us, memory_order_relaxed);
    return us ? us : clock_read(CLOCK_REALTIME);
}

void clock_hold(int64_t wall_us)
{
    ASSERT(wall_us > 0);
    held_us = wall_us;
}

void clock_advance(int64_t us)
{
    ASSERT(held_us && us >= 0);
    held_us += us;
}

bool clock_is_held(void)
{
    return atomic_load_explicit(&held_us, memory_order_relaxed) != 0;
}

int64_t clock_mono_us(void)
{
    return clock_read(CLOCK_MONOTONIC);
}

static void put_digits(char *to, int width, int64_t value)
{
    for (int i = width - 1; i >= 0; i--, value /= 10)
        to[i] = (char)('0' + value % 10);
}

/* The date is kept from one call to the next: lines come many to the second, and splitting a
 * time into a date costs more than all the rest of a line. */
void clock_format(int64_t wall_us, char to[CLOCK_TEXT_LEN + 1])
{
    static _Thread_local int64_t known_second = -1;
    static _Thread_local char known[20]; /* "2026-11-23T10:15:02" */
    int64_t second = wall_us / 1000000, micros = wall_us % 1000000;
    if (micros < 0)
        micros += 1000000, second--;
    if (second != known_second) {
        struct tm tm;
        time_t t = (time_t)second;
        gmtime_r(&t, &tm);
        strftime(known, sizeof(known), "%Y-%m-%dT%H:%M:%S", &tm);
        known_second = second;
    }
    __builtin_memcpy(to, known, 19);
    to[19] = '.';
    put_digits(to + 20, 6, micros);
    to[26] = 'Z';
    to[27] = 0;
}

static bool get_digits(const char *p, int width, int *ret_value)
{
    int value = 0;
    for (int i = 0; i < width; i++) {
        if (p[i] < '0' || p[i] > '9')
            return false;
        value = value * 10 + (p[i] - '0');
    }
    *ret_value = value;
    return true;
}

bool clock_parse(struct str text, int64_t *ret_wall_us)
{
    const char *p = text.p;
    struct tm tm = {0};
    if (text.n < 20 || text.n > 27 || p[4] != '-' || p[7] != '-' || p[10] != 'T' ||
        p[13] != ':' || p[16] != ':' || p[text.n - 1] != 'Z' || (text.n > 20 && p[19] != '.') ||
        text.n == 21)
        return false;
    if (!get_digits(p, 4, &tm.tm_year) || !get_digits(p + 5, 2, &tm.tm_mon) ||
        !get_digits(p + 8, 2, &tm.tm_mday) || !get_digits(p + 11, 2, &tm.tm_hour) ||
        !get_digits(p + 14, 2, &tm.tm_min) || !get_digits(p + 17, 2, &tm.tm_sec))
        return false;
    int micros = 0, digits = text.n > 20 ? (int)text.n - 21 : 0;
    if (digits && !get_digits(p + 20, digits, &micros))
        return false;
    for (int i = digits; i < 6; i++)
        micros *= 10;
    tm.tm_year -= 1900;
    tm.tm_mon -= 1;
    *ret_wall_us = (int64_t)timegm(&tm) * 1000000 + micros;
    return true;
}
