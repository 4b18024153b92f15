/* guard.h: which requests a browser may be tricked into, and are refused.
 *
 * The server listens on a loopback address and trusts who can reach it; a browser on the same
 * machine can reach it for any web page. Two checks keep such pages out: the Host header must
 * be a name that no stranger can point here (DNS rebinding), and where an Origin is given it
 * must be the server's own. Pure; thread: any. */
#pragma once

#include <stdbool.h>

#include "base/err.h"
#include "base/text.h"

/* `host` is the header's value, "name:port"; `listen_host` the host part of the address that
 * the server listens on. Loopback names and the listen address are fine; when that is a
 * wildcard (0.0.0.0, ::), all numeric addresses are: they cannot be rebound. E_FORBIDDEN. */
CHECKED int guard_check_host(struct str host, const char *listen_host, struct err *e);

/* `origin` is "http://" and the very Host of the request. E_FORBIDDEN. */
CHECKED int guard_check_origin(struct str origin, struct str host, struct err *e);

/* "127.0.0.1:8085", "[::1]:0" or "name:80" -> the two parts, without brackets. False when it
 * has another form. */
bool guard_split_address(struct str address, struct str *ret_host, struct str *ret_port);

/* Does an address of this host stay on this machine? */
bool guard_is_loopback(struct str host);
