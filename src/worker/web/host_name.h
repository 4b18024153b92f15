/* host_name.h: the host of an address in its one form: lower case, or IPv4 in four decimal
 * numbers, or IPv6 as short as RFC 5952 has it, in brackets. Pure; thread: any. */
#pragma once

#include "base/buf.h"
#include "base/err.h"

/* Appends the normalised form of `raw` (as it stands in an address). E_INVAL. */
CHECKED int host_name_normalise(struct str raw, struct buf *out, struct err *e);

/* Does it name this machine: "localhost", 127.0.0.0/8, [::1]? `host` is normalised. */
bool host_name_is_loopback(struct str host);
