/* streams.h: event streams (Server-Sent Events): answers that go on for as long as their topic
 * does. The same cursors and the same frames as over a WebSocket, in the form FEED_SSE.
 *
 * The connection pulls: when it takes more, the next frame is asked for, and when there is none
 * it is suspended until the feed has one. So a slow reader is a cursor here as well. Silence is
 * broken by a comment, which also finds out who has gone away. Thread: loop. */
#pragma once

#include "feed/feed.h"

struct server;
struct request;
struct streams;

/* Silence is broken after three quarters of the heartbeat. */
struct streams *streams_new(struct server *server, int64_t heartbeat_ms);

/* Answers `r` with what its topic has. `again`: the client was here before; a job that has
 * ended, and of which it has all, is 204 for it: come back no more. */
void streams_open(struct streams *all, struct request *r, const struct feed_request *wanted,
                  bool again);

/* Ends all, each with a time after which to come back. */
void streams_drain(struct streams *all);

/* Closes the handle; no stream may be left. The loop runs once more, then streams_free(). */
void streams_stop(struct streams *all);
void streams_free(struct streams *all); /* NULL is fine */
