#include "server/guard.h"

#include <arpa/inet.h>
#include <string.h>
#include <strings.h>

#include "base/macro.h"

enum { HOST_SHOWN = 64, HOST_MAX = 255 };

static bool is_numeric(struct str host, unsigned char ret_bytes[16], int *ret_family)
{
    char text[INET6_ADDRSTRLEN + 1];
    if (host.n >= sizeof(text) || host.n == 0)
        return false;
    memcpy(text, host.p, host.n);
    text[host.n] = 0;
    *ret_family = inet_pton(AF_INET, text, ret_bytes) == 1    ? AF_INET
                  : inet_pton(AF_INET6, text, ret_bytes) == 1 ? AF_INET6
                                                              : 0;
    return *ret_family != 0;
}

static bool same_name(struct str a, struct str b)
{
    return a.n == b.n && a.n && strncasecmp(a.p, b.p, a.n) == 0;
}

bool guard_is_loopback(struct str host)
{
    unsigned char bytes[16];
    int family;
    struct str local = STR(".localhost");
    if (is_numeric(host, bytes, &family))
        return family == AF_INET ? bytes[0] == 127
                                 : memcmp(bytes, &in6addr_loopback, sizeof(bytes)) == 0;
    if (same_name(host, STR("localhost")))
        return true;
    return host.n > local.n &&
           same_name((struct str){host.p + host.n - local.n, local.n}, local);
}

static bool is_wildcard(const char *host)
{
    return strcmp(host, "0.0.0.0") == 0 || strcmp(host, "::") == 0;
}

/* The host of "name", "name:port", "[::1]" or "[::1]:port". */
static struct str host_of(struct str value)
{
    if (value.n && value.p[0] == '[') {
        struct str inside = {value.p + 1, value.n - 1};
        return str_cut(&inside, ']');
    }
    return str_cut(&value, ':');
}

int guard_check_host(struct str host, const char *listen_host, struct err *e)
{
    unsigned char bytes[16];
    int family;
    struct str name = host_of(host);
    if (guard_is_loopback(name) || same_name(name, str_of(listen_host)) ||
        (is_wildcard(listen_host) && is_numeric(name, bytes, &family)))
        return 0;
    return fail(e, E_FORBIDDEN,
                "the Host header names '%.*s', which is no address of this server; ask it by "
                "the address it listens on",
                (int)MIN(name.n, (size_t)HOST_SHOWN), name.n ? name.p : "");
}

int guard_check_origin(struct str origin, struct str host, struct err *e)
{
    struct str scheme = STR("http://"), rest = origin;
    if (str_starts(origin, scheme)) {
        rest.p += scheme.n;
        rest.n -= scheme.n;
        if (same_name(rest, host))
            return 0;
    }
    return fail(e, E_FORBIDDEN, "a page of '%.*s' may not use this server: its own pages only",
                (int)MIN(origin.n, (size_t)HOST_SHOWN), origin.n ? origin.p : "");
}

bool guard_split_address(struct str address, struct str *ret_host, struct str *ret_port)
{
    size_t colon = address.n;
    while (colon > 0 && address.p[colon - 1] != ':')
        colon--;
    if (colon < 2 || address.n > HOST_MAX)
        return false;
    struct str host = {address.p, colon - 1}, port = {address.p + colon, address.n - colon};
    int64_t number;
    if (!str_to_int(port, 0, 65535, &number))
        return false;
    if (host.n > 2 && host.p[0] == '[' && host.p[host.n - 1] == ']')
        host = (struct str){host.p + 1, host.n - 2};
    else if (memchr(host.p, ':', host.n))
        return false;
    *ret_host = host;
    *ret_port = port;
    return true;
}
