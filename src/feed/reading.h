/* reading.h: what the feed asks of the store, on the pool: opening a topic, catching up, the
 * end.
 *
 * A reading owns all its data until it is done on the loop; whoever waited may be gone by then.
 */
#pragma once

#include "feed/topic.h"

enum reading_kind { READ_OPEN, READ_CATCH_UP, READ_END };

/* A reading of the log goes further than one frame: unpacking what is stored costs more than
 * putting it into frames, and whoever is behind asks for the next one at once. */
enum { READ_FRAMES = 64, READ_BYTES = 1024 * 1024 };

struct feed_read {
    uv_work_t work;
    struct feed *feed;
    struct store *store;
    enum reading_kind kind;
    struct topic_filter filter;
    struct form form;

    struct feed_cursor *cursor;  /* OPEN: NULL when it was closed meanwhile */
    struct feed_request request; /* OPEN */
    char epoch[40];              /* OPEN: of the request */

    struct topic *topic;  /* CATCH_UP: NULL when it is gone */
    struct list link;     /* CATCH_UP: in the topic's readings */
    struct list waiters;  /* CATCH_UP: cursors */
    uint64_t after, upto; /* CATCH_UP: events in (after, upto] */

    int code;
    struct err err;
    uint64_t as_of, floor;
    const char *reset;                /* OPEN: why the cursor was not taken, or NULL */
    struct buf snapshot;              /* OPEN: the state as JSON, or empty */
    struct span *frames[READ_FRAMES]; /* CATCH_UP: they tile, from `after` on; at least one */
    size_t frame_count;
    uint64_t end_seq;  /* OPEN, END: 0 while the job is not final */
    struct buf totals; /* OPEN, END: lines per step as JSON, when it is */
};

struct feed_read *reading_new(struct feed *f, enum reading_kind kind,
                              const struct topic_filter *filter, enum feed_form form);

/* Starts it; done(read) is called on the loop, and frees it with reading_free(). */
void reading_start(struct feed_read *read, void (*done)(struct feed_read *read));
void reading_free(struct feed_read *read);
