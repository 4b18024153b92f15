/* keep.h: how long, how many and how large the jobs that have ended may be that are kept: what
 * a definition says of its own (`keep: { age: 30d, jobs: 100, bytes: 1GiB }`), and what the
 * server says of all. Thread: any. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/macro.h"

/* 0: no limit. */
struct keep {
    int64_t age_ms; /* since it has ended */
    int64_t jobs;
    int64_t bytes; /* job_row.bytes, of all of them; the newest job stays whatever its size */
};

static inline bool keep_is_limited(const struct keep *k)
{
    return k->age_ms || k->jobs || k->bytes;
}

struct err;
struct json;
struct node;

/* A map with at least one of the three. E_INVAL. */
CHECKED int keep_read(const struct node *n, struct keep *ret_keep, struct err *e);

/* The map again; null without limits. */
void keep_json(const struct keep *k, struct json *j);
