/* viewer.h: WebSocket connections: sockets that were taken over from HTTP, each with its
 * subscriptions (feed.h).
 *
 * A viewer is what lies between cursors and a socket: at the end of a turn it takes the next
 * frames from its cursors, hands as many as fit to the socket in one call, and when the socket
 * does not take more it is parked: nothing is queued for it, its cursors stay where they are.
 * Pong, close, errors and status are written between frames only.
 *
 * Thread: loop. */
#pragma once

#include <uv.h>

#include "feed/form.h"

struct server;
struct viewers;

struct viewers *viewers_new(struct server *server, int64_t heartbeat_ms);

/* Takes over a connected socket; `extra` is what the client sent behind its handshake. `form`:
 * FEED_V1 or FEED_DEFLATED when it asked for tailrace.v1; else FEED_PLAIN, and it gets every
 * event as a message of its own. */
void viewers_add(struct viewers *all, int fd, enum feed_form form, struct str extra);

/* End of a turn: writes to whoever has something to get. */
void viewers_turn(struct viewers *all);

size_t viewers_count(const struct viewers *all);
bool viewers_is_full(const struct viewers *all);

/* Asks all to come back later (4001), each after a time of its own; they are gone when
 * viewers_count() is 0. */
void viewers_drain(struct viewers *all);

/* Ends those that are left and closes the handles; the loop runs once more, then
 * viewers_free(). */
void viewers_stop(struct viewers *all);
void viewers_free(struct viewers *all); /* NULL is fine */
