/* talk.c: a command that writes lines to its output, for what is measured and tested on the
 * page.
 *
 *     build/talk COUNT RATE [STOP]
 *
 * COUNT lines as fast as they are read, then RATE a second by the clock: for ever, or until
 * there is a file named STOP; with a rate of 0 it ends. Line N begins with N; every 9,973rd has
 * the word "needle". Lines are alike and no two are the same, as those of a crawler are. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

enum { TICK_MS = 5, NEEDLE = 9973 };

static uint32_t any(uint32_t below) /* xorshift64* */
{
    static uint64_t state = 20261126;
    state ^= state >> 12;
    state ^= state << 25;
    state ^= state >> 27;
    return (uint32_t)(state * UINT64_C(2685821657736338717) >> 32) % below;
}

static void line_write(uint64_t n)
{
    static const char *const verbs[] = {"fetched", "skipped", "queued", "parsed"};
    printf("%lu %s http://127.0.0.1/articles/%u/%08x.html status %d in %u ms, %u bytes%s\n", n,
           verbs[any(4)], any(5000), any(UINT32_MAX), any(50) ? 200 : 404, any(900), any(90000),
           n % NEEDLE == 0 ? ", needle" : "");
}

static uint64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void flush(void)
{
    if (fflush(stdout) != 0)
        exit(1); /* nobody reads any more */
}

int main(int argc, char **argv)
{
    if (argc < 3 || argc > 4) {
        fprintf(stderr, "usage: talk COUNT RATE [STOP]\n");
        return 2;
    }
    uint64_t count = strtoull(argv[1], NULL, 10), rate = strtoull(argv[2], NULL, 10);
    const char *stop = argc == 4 ? argv[3] : NULL;
    static char buffer[65536];
    setvbuf(stdout, buffer, _IOFBF, sizeof(buffer));
    uint64_t n = 0;
    while (n < count)
        line_write(++n);
    flush();
    uint64_t begun = now_ns();
    while (rate > 0 && !(stop && access(stop, F_OK) == 0)) {
        uint64_t due = count + (uint64_t)((double)(now_ns() - begun) / 1e9 * (double)rate);
        while (n < due)
            line_write(++n);
        flush();
        nanosleep(&(struct timespec){.tv_nsec = TICK_MS * 1000000}, NULL);
    }
    return 0;
}
