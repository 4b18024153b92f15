#include "job/pool.h"

#include <stdio.h>
#include <string.h>

static bool name_is_good(struct str name)
{
    for (size_t i = 0; i < name.n; i++)
        if (!strchr("abcdefghijklmnopqrstuvwxyz0123456789-", name.p[i]))
            return false;
    return name.n > 0 && name.n <= POOL_NAME_MAX && name.p[0] != '-';
}

int pool_add(struct pool_limits *all, struct str name, struct str places, struct err *e)
{
    int shown = (int)MIN(name.n, (size_t)POOL_NAME_MAX);
    int64_t number;
    if (!name_is_good(name))
        return fail_field(e, E_INVAL, "pools",
                          "a pool's name is 1 to %d of a-z, 0-9 and '-', not '%.*s'",
                          POOL_NAME_MAX, shown, name.p ? name.p : "");
    if (!str_to_int(places, 1, INT32_MAX, &number))
        return fail_field(
            e, E_INVAL, "pools", "pool %.*s has a number of places, at least 1, not '%.*s'",
            shown, name.p, (int)MIN(places.n, (size_t)POOL_NAME_MAX), places.p ? places.p : "");
    if (all->count == LIMIT_POOLS)
        return fail_field(e, E_LIMIT, "pools", "there may be at most %d pools", LIMIT_POOLS);
    struct pool_limit pool = {.places = (int)number};
    memcpy(pool.name, name.p, name.n);
    if (pool_find(all, pool.name))
        return fail_field(e, E_INVAL, "pools", "pool %s is there twice", pool.name);
    all->pools[all->count++] = pool;
    return 0;
}

int pools_read(struct pool_limits *all, struct str text, struct err *e)
{
    while (text.p) {
        struct str places = str_cut(&text, ',');
        struct str name = str_cut(&places, '=');
        int r = pool_add(all, name, places, e);
        if (r < 0)
            return r;
    }
    return 0;
}

const struct pool_limit *pool_find(const struct pool_limits *all, const char *name)
{
    for (int i = 0; i < all->count; i++)
        if (strcmp(all->pools[i].name, name) == 0)
            return &all->pools[i];
    return NULL;
}

const char *pools_list(const struct pool_limits *all, char *to, size_t size)
{
    text_copy(to, size, all->count ? "" : "none");
    for (int i = 0; i < all->count; i++) {
        size_t n = strlen(to);
        (void)snprintf(to + n, size - n, "%s%s",
                       i == 0                ? ""
                       : i == all->count - 1 ? " and "
                                             : ", ",
                       all->pools[i].name);
    }
    return to;
}
