/* http.h: libmicrohttpd on the libuv loop.
 *
 * It has no thread of its own: its epoll descriptor is polled by the loop and its timeouts are
 * one timer. What a request is and how it is answered: request.h; which there are: routes.h.
 *
 * Thread: loop. */
#pragma once

#include <uv.h>

#include "base/err.h"
#include "base/text.h"

struct http;
struct server;

/* Binds and listens. `address` is HOST:PORT, [IPV6]:PORT or a name with a port. E_INVAL;
 * E_BUSY: the port is in use; E_FORBIDDEN; E_NET. Writes the address as a URL, with the port
 * that it got. The descriptor is the caller's until http_new(). */
CHECKED int http_listen(const char *address, int *ret_fd, char *url, size_t url_size,
                        struct err *e);

/* Takes listen_fd over in any case. */
CHECKED int http_new(struct server *server, const char *address, int listen_fd,
                     struct http **ret_http, struct err *e);

/* Takes up requests that were resumed or taken over in this turn; the server calls it at the
 * end of one. */
void http_turn(struct http *h);

/* No new connections from now on; those there are go on. */
void http_quiesce(struct http *h);

size_t http_pending(const struct http *h);     /* requests that wait for something of ours */
size_t http_connections(const struct http *h); /* without viewers */

/* Ends all connections and closes its handles; nothing may be pending. The loop runs once more,
 * then http_free(). */
void http_stop(struct http *h);
void http_free(struct http *h); /* NULL is fine */

/* For request.c: a request was suspended, or goes on. */
void http_suspended(struct http *h);
void http_resumed(struct http *h);

/* A connection was taken over: what is left of it can be cleaned up. */
void http_upgraded(struct http *h);

const char *http_host(const struct http *h); /* the host part of the address it listens on */
