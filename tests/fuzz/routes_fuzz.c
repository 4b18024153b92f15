/* Any request line, Host and Origin (three lines): a route's parameters are parts of its path,
 * what is not possible names what is, and no stranger's name gets through the doors. */
#include <ctype.h>
#include <stdint.h>
#include <string.h>
#include <strings.h>

#include "server/guard.h"
#include "server/routes.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_query(const struct route *route, struct str query)
{
    while (query.p) {
        struct str pair = str_cut(&query, '&');
        struct str name = str_cut(&pair, '=');
        bool known = route_has_query(route, name);
        ASSERT(!known || strcmp(route->query, "*") == 0 ||
               str_find(str_of(route->query), name) >= 0);
    }
}

static void check_route(struct str line)
{
    char method[24], allow[64] = "";
    struct str target = line, verb = str_cut(&target, ' ');
    struct str query = target, path = str_cut(&query, '?');
    struct str params[ROUTE_PARAMS] = {{0}};
    const struct route *route = NULL;
    struct err e = {0};
    if (verb.n >= sizeof(method) || !target.p)
        return;
    text_copy(method, verb.n + 1, verb.p);
    int code = routes_find(method, path, &route, params, allow, sizeof(allow), &e);
    ASSERT((code == 0) == (route != NULL) && (code == 0 || e.text[0]));
    ASSERT(code == 0 || code == E_NOTFOUND || (code == E_METHOD && allow[0]));
    for (int i = 0; i < ROUTE_PARAMS; i++)
        ASSERT(!params[i].p || (params[i].n > 0 && params[i].p >= path.p &&
                                params[i].p + params[i].n <= path.p + path.n &&
                                !memchr(params[i].p, '/', params[i].n)));
    if (code == 0)
        check_query(route, query);
}

/* Does it end in "localhost", or is it made of what addresses are made of? */
static bool may_be_ours(struct str host)
{
    struct str local = STR("localhost");
    bool bracket = host.n && host.p[0] == '[';
    struct str rest = {host.p + bracket, host.n - bracket};
    struct str name = str_cut(&rest, bracket ? ']' : ':');
    if (name.n >= local.n && strncasecmp(name.p + name.n - local.n, local.p, local.n) == 0)
        return true;
    for (size_t i = 0; i < name.n; i++)
        if (!isxdigit((unsigned char)name.p[i]) && !strchr(":.", name.p[i]))
            return false;
    return name.n > 0;
}

static void check_doors(struct str host, struct str origin)
{
    static const char *const listens[] = {"127.0.0.1", "::1", "0.0.0.0", "::"};
    struct err e;
    struct str part, port;
    for (size_t i = 0; i < ARRAY_LEN(listens); i++)
        ASSERT(guard_check_host(host, listens[i], &e) < 0 || may_be_ours(host));
    if (guard_check_origin(origin, host, &e) >= 0)
        ASSERT(host.n > 0 && origin.n == strlen("http://") + host.n &&
               strncasecmp(origin.p + strlen("http://"), host.p, host.n) == 0);
    if (guard_split_address(host, &part, &port))
        ASSERT(part.n > 0 && part.p >= host.p && port.n > 0 &&
               port.p + port.n == host.p + host.n);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str rest = {(const char *)data, size};
    rest.n = strnlen(rest.p, size); /* what comes from libmicrohttpd are C strings */
    struct str line = str_cut(&rest, '\n');
    struct str host = str_cut(&rest, '\n');
    check_route(line);
    check_doors(host, rest);
    return 0;
}
