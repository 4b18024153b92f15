#include "worker/cost.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/text.h"

void cost_add_memory(struct cost *c, int64_t bytes, bool is_at_most)
{
    if (!c->memory_bytes || is_at_most == c->memory_is_at_most)
        c->memory_bytes = MAX(c->memory_bytes, bytes);
    else if (!is_at_most)
        c->memory_bytes = bytes;
    else
        return;
    c->memory_is_at_most = is_at_most;
}

void cost_add(struct cost *c, const struct cost *more)
{
    c->is_known = c->is_known || more->is_known;
    c->cpu_us += more->cpu_us;
    if (more->memory_bytes)
        cost_add_memory(c, more->memory_bytes, more->memory_is_at_most);
}

const char *cost_text(const struct cost *c, char to[COST_TEXT_MAX])
{
    char memory[32];
    to[0] = '\0';
    text_bytes((uint64_t)c->memory_bytes, memory);
    if (c->is_known)
        (void)snprintf(to, COST_TEXT_MAX, ", CPU %" PRId64 ".%03" PRId64 " s, peak memory %s%s",
                       c->cpu_us / 1000000, c->cpu_us / 1000 % 1000,
                       c->memory_is_at_most ? "under " : "", memory);
    return to;
}
