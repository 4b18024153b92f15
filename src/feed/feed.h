/* feed.h: from committed events to bytes that viewers are sent.
 *
 * A viewer is a cursor into the log, not a queue. Events are encoded once per topic, into
 * frames that lie in the topic's ring; "the next frame after the cursor" comes from the ring
 * when it is there, else it is read from the store on the pool, at most LIMIT_FRAME_BYTES at a
 * time. Live viewing, a slow link, a reconnect and a late join are all that one question, so
 * there is no gap between "history" and "live" to fall into, and a viewer that is behind costs
 * no memory.
 *
 * The happy path: feed_open() -> on_opened(), then feed_next() until it gives NULL, then
 * on_ready(), then feed_next() again ...
 *
 * Flushing: a topic that was quiet for a while flushes at once; else it gathers for as long as
 * sending to all its viewers takes, longer at a high rate (topic.c), or until its frame is
 * full; the final state of a job flushes at once with all before it.
 *
 * Viewers that are behind in one topic share what is read back for one of them (history.h).
 *
 * When a job is deleted, viewers of topic `jobs` whose cursor lies before the deletion, live
 * ones too, are given a `reset` with reason "pruned" and the state; viewers of the job itself
 * are told that it is gone: on_opened() once more, with E_NOTFOUND.
 *
 * A log that cannot be read is tried again four times a second; its viewers wait.
 *
 * Thread: all functions on the loop thread. The feed never logs through the job log. */
#pragma once

#include <uv.h>

#include "base/list.h"
#include "feed/form.h"
#include "feed/span.h"
#include "store/store.h"

struct feed;

CHECKED int feed_new(uv_loop_t *loop, struct store *store, struct feed **ret_feed,
                     struct err *e);
void feed_stop(
    struct feed *f); /* closes its handles; the loop runs once more, then feed_free() */
void feed_free(struct feed *f); /* no cursor may be open */

/* Takes in what was committed. Cursors that can go on are told by on_ready(). */
void feed_publish(struct feed *f, const struct batch *b);

uint64_t feed_head(const struct feed *f); /* newest published seq */
const char *feed_epoch(const struct feed *f);

/* Where a viewer starts. */
enum feed_start {
    FEED_NOW,   /* what is published from now on */
    FEED_SINCE, /* after seq `since` of epoch `epoch`; see on_opened for what becomes of a wrong
                   one */
    FEED_SNAPSHOT, /* the state, then what follows */
};

struct feed_request {
    struct topic_filter topic;
    enum feed_form form;
    enum feed_start start;
    uint64_t since;
    const char *epoch; /* of `since`; copied */
    size_t tail;       /* FEED_SNAPSHOT: newest lines per step; 0: LIMIT_SNAPSHOT_LINES */
};

/* What a viewer is at the start of its road. In all forms but FEED_PLAIN, `first` holds the
 * frames to send first: "subscribed", a "reset" with its reason when the cursor was of another
 * epoch, pruned or ahead, and the "snapshot" after a reset or when it was asked for. */
struct feed_opened {
    int code;       /* 0, or E_NOTFOUND (no such job), E_IO ... */
    struct err err; /* the sentence */
    struct span
        *first; /* frames to send before all others, or NULL; the viewer takes the reference */
    uint64_t from; /* the cursor starts here */
};

struct feed_cursor {
    void *owner; /* the viewer's own */
    /* Once, never inside feed_open; and once more when the job was deleted. */
    void (*on_opened)(struct feed_cursor *c, struct feed_opened *o);
    void (*on_ready)(struct feed_cursor *c); /* feed_next() has something again */
    uint64_t seq;                            /* everything up to here was handed out */
    /* the feed's own from here on */
    struct feed *feed;
    struct topic *topic;
    struct list link;
    struct feed_read *read;
    struct span *ready; /* to be handed out next */
    bool opened, caught_up, behind, missed, end_sent;
};

/* Opens a cursor in memory of the caller's (zeroed but for owner and callbacks). */
void feed_open(struct feed *f, struct feed_cursor *c, const struct feed_request *request);

/* The next frame after the cursor, which moves behind it; the caller has a reference. NULL:
 * nothing now, on_ready() will be called, once. A finished job's topic gives an "end" frame as
 * its last (not in the plain form). */
struct span *feed_next(struct feed_cursor *c);

/* A frame that says "everything up to here was sent" ({"type":"events", … "events":[]}), or
 * NULL when the cursor is not at the tail (what it waits for says more), or the form has none
 * (FEED_PLAIN). The caller has a reference. */
struct span *feed_bookmark(struct feed_cursor *c);

/* The job has ended, and the cursor is behind all of its events. */
bool feed_is_over(const struct feed_cursor *c);
bool feed_is_live(const struct feed_cursor *c); /* opened, and at the topic's tail */
uint64_t
feed_lag(const struct feed_cursor *c); /* how many events of the log it is behind the head */

void feed_close(struct feed_cursor *c); /* at any time, also twice */

/* Topic names: "jobs", "job:<id>", "job:<id>?min=warn", "system". E_NOTFOUND names what is
 * wrong. */
CHECKED int topic_parse(struct str name, struct topic_filter *ret_topic, struct err *e);
#define TOPIC_NAME_MAX 64
void topic_name(const struct topic_filter *topic, char to[TOPIC_NAME_MAX]);

/* "epoch:seq" -> parts. False when it has another form. */
bool cursor_parse(struct str text, char *epoch, size_t epoch_size, uint64_t *ret_seq);
