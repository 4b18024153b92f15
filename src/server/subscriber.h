/* subscriber.h: what a WebSocket client listens to: its subscriptions, what it says about them,
 * and the window of what it has not acknowledged. No socket: viewer.h has that.
 *
 * A subscription is a cursor (feed.h) and the frames that open it. Its owner asks for one frame
 * after the other with subscriber_next() and is told by wake() when there is one again.
 * Thread: loop. */
#pragma once

#include "feed/feed.h"

struct server;

struct subscriber {
    struct server *server;
    enum feed_form form;
    void (*wake)(struct subscriber *s); /* subscriber_next() may have something */
    void (*say)(struct subscriber *s, struct span *frame);    /* answers; takes the reference */
    void (*refuse)(struct subscriber *s, const char *reason); /* close with 4500 */
    /* its own from here on */
    struct list all, ready;
    size_t count, opening;
    bool counts;    /* an ack was seen: from then on there is a window */
    size_t unacked; /* bytes */
};

/* `s` has its owner's members set. */
void subscriber_init(struct subscriber *s);
void subscriber_done(struct subscriber *s);

/* Subscribes to every event of every job from now on, for a client without sub-protocol. */
void subscriber_open_plain(struct subscriber *s);

/* Takes in a message of a v1 client. Wrong ones are answered with an error frame; what is no
 * JSON object is refused. */
void subscriber_receive(struct subscriber *s, struct str message);

/* The next frame of any subscription, in turn; the caller has a reference. NULL: nothing now.
 */
struct span *subscriber_next(struct subscriber *s);
bool subscriber_has_next(const struct subscriber *s); /* as far as is known without asking */

/* Says for each subscription that is at its tail that nothing came (v1). */
void subscriber_bookmark(struct subscriber *s);

bool subscriber_is_live(const struct subscriber *s); /* all are at their tail */

/* Says for those that are not how far they are behind, and `caught_up` when they are (v1). */
void subscriber_lag(struct subscriber *s);
