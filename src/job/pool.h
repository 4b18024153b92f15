/* pool.h: the pools of a server: names of what only so many jobs may use at once, such as a
 * database. Thread: any. */
#pragma once

#include "base/err.h"
#include "base/limits.h"
#include "base/text.h"

enum { POOL_NAME_MAX = 64 };

struct pool_limit {
    char name[POOL_NAME_MAX + 1]; /* a-z, 0-9, '-' */
    int places;                   /* at least 1 */
};

struct pool_limits {
    struct pool_limit pools[LIMIT_POOLS];
    int count;
};

/* E_INVAL: the name or the number is none, or the pool is there already; E_LIMIT. */
CHECKED int pool_add(struct pool_limits *all, struct str name, struct str places,
                     struct err *e);

/* "database=2,network=10" */
CHECKED int pools_read(struct pool_limits *all, struct str text, struct err *e);

const struct pool_limit *pool_find(const struct pool_limits *all, const char *name);

/* "a, b and c", cut to the size; "none" */
const char *pools_list(const struct pool_limits *all, char *to, size_t size);
