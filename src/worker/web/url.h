/* url.h: addresses of pages: parsed, resolved and normalised by one function.
 *
 * It follows the URL standard that browsers follow (url.spec.whatwg.org) for http and https,
 * and then goes on to the one spelling per page that RFC 3986 calls syntax-based normalisation:
 *
 *   - white space at the ends, tabs and newlines inside are dropped, backslashes are slashes
 *   - scheme and host in lower case, IPv4 and IPv6 hosts in their one form, default port
 * dropped
 *   - "." and ".." segments resolved, an empty path is "/"
 *   - what may not stand in a path or query is percent-encoded, what need not be is decoded
 *     ("%7E" is "~"), hex digits in upper case
 *   - the fragment and user:password@ are dropped
 *
 * Query parameters keep their order and an empty query its "?": servers may tell them apart.
 * The query is encoded as UTF-8 whatever the page's encoding was. International host names are
 * taken in their xn-- form only. Pure; thread: any. */
#pragma once

#include "base/buf.h"
#include "base/err.h"

/* Resolves `reference` against `base`, a result of this function (or empty: the reference must
 * be absolute), and writes the normalised address to *out, which is emptied first. E_TYPE:
 * another scheme than http and https; E_INVAL: no address; E_TOOBIG: longer than
 * LIMIT_TASK_KEY_BYTES. */
CHECKED int url_resolve(struct str reference, struct str base, struct buf *out, struct err *e);

/* The pieces of a normalised address. */
struct url_parts {
    struct str scheme; /* "http" or "https" */
    struct str host;   /* with the brackets of IPv6 */
    struct str port;   /* "" for the default */
    struct str origin; /* "http://host:port" */
    struct str path;   /* from "/" */
    struct str target; /* path and query */
};

struct url_parts url_split(struct str url);

/* Appends path or query octets in the form that url_resolve() gives them: for comparing with
 * what others write, as robots.txt. */
void url_normalise_octets(struct str s, bool in_query, struct buf *out);
