/* cost.h: what commands have used: time of the processor and memory. Thread: any. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/macro.h"

enum { COST_TEXT_MAX = 96 };

struct cost {
    bool is_known; /* of anything at all */
    int64_t cpu_us;
    int64_t memory_bytes;   /* of the largest process, at its largest */
    bool memory_is_at_most; /* it is not known better than that */
};

/* What is known wins over what is only bounded, then what is larger. */
void cost_add_memory(struct cost *c, int64_t bytes, bool is_at_most);
void cost_add(struct cost *c, const struct cost *more);

/* ", CPU 1.234 s, peak memory 12.3 MB", "... under 24.0 MB" when it is only bounded; "" when
 * nothing is known. Returns `to`. */
const char *cost_text(const struct cost *c, char to[COST_TEXT_MAX]);
