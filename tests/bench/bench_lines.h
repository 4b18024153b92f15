/* bench_lines.h: the lines that the benches of the store write, and where their time goes.
 *
 * A line is one of a crawler's: 170 bytes, alike in its words, and with an address, sizes and
 * times that no other line has; so it compresses as well as real ones, not better. Thread: one.
 */
#pragma once

#include <stdio.h>
#include <stdlib.h>

#include "base/err.h"
#include "base/text.h"

enum { LINE_BYTES = 170 };

static inline void must(int r, const struct err *e)
{
    if (r >= 0)
        return;
    fprintf(stderr, "bench: %s\n", e->text);
    exit(1);
}

static inline uint32_t any(uint32_t below) /* xorshift64* */
{
    static uint64_t state = 20261123;
    state ^= state >> 12;
    state ^= state << 25;
    state ^= state >> 27;
    return (uint32_t)(state * 2685821657736338717u >> 32) % below;
}

/* Valid until the next call. */
static inline struct str bench_line(void)
{
    static const char *const verbs[] = {"fetched", "skipped", "queued", "parsed"};
    static const char *const sections[] = {"news", "sport", "letters", "weather", "archive"};
    static const char *const words[] = {"harbour", "council", "bridge", "school", "market",
                                        "river",   "railway", "garden", "winter", "election",
                                        "strike",  "museum",  "ferry",  "budget", "festival"};
    static char text[2 * LINE_BYTES];
    int n = snprintf(text, sizeof(text),
                     "%s https://www.example.org/%s/%u/%s-%s-%s-%u.html: status %d in %u ms, "
                     "%u bytes, %u links of which %u are new, depth %u, queue %u, etag ",
                     verbs[any(4)], sections[any(5)], 1990 + any(37), words[any(15)],
                     words[any(15)], words[any(15)], any(100000), any(50) ? 200 : 404, any(900),
                     any(90000), any(200), any(40), any(6), any(7000));
    for (; n < LINE_BYTES; n++)
        text[n] = "0123456789abcdef"[any(16)];
    return (struct str){text, LINE_BYTES};
}
