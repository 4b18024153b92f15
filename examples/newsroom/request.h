/* One request as the rest of the program sees it, and the reply to it.
 *
 * `path` is decoded and tidy: it starts with '/', has no percent signs left that meant
 * something, no "." or ".." segments and no empty segments; a trailing slash is kept. Nobody
 * else decodes. */
#pragma once

#include <microhttpd.h>
#include <stdbool.h>
#include <stddef.h>

enum { PATH_MAX_BYTES = 4096, ORIGIN_MAX_BYTES = 300 };

struct request {
    struct MHD_Connection *connection;
    char path[PATH_MAX_BYTES];
    char origin[ORIGIN_MAX_BYTES]; /* "http://host:port", no slash at the end */
};

/* `response` belongs to whoever holds the reply; NULL when memory ran out. */
struct reply {
    unsigned status;
    struct MHD_Response *response;
};

/* Fills `ret_request` from the address as it came on the wire. The origin is what the client
 * asked for in Host, when that is a plausible host, else `fallback_origin`. Returns 0, or the
 * HTTP status that tells the client what is wrong: 400 (bad escape, NUL), 414 (too long). */
unsigned request_read(struct MHD_Connection *connection, const char *raw_path,
                      const char *fallback_origin, struct request *ret_request);

/* The value of a query parameter as it was sent (not decoded), NULL when absent.
 * Lives as long as the request. */
const char *request_query(const struct request *request, const char *name);

/* A reply with a body of its own. `text` (malloc) is taken over, also on failure. */
struct reply reply_text(unsigned status, const char *content_type, char *text, size_t size);

/* A reply whose body is constant and outlives the server. */
struct reply reply_static(unsigned status, const char *content_type, const void *data,
                          size_t size);

/* A redirect to `path`, which is decoded: it is escaped here, so no path can forge a header or
 * point to another host. */
struct reply reply_redirect(unsigned status, const char *path);
