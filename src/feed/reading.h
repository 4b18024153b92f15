/* reading.h: what the feed asks of the store, on the pool: opening a topic, catching up, the
 * end.
 *
 * A reading owns all its data until it is done on the loop; whoever waited may be gone by then.
 */
#pragma once

#include "feed/topic.h"

enum reading_kind { READ_OPEN, READ_CATCH_UP, READ_END };

struct feed_read {
    uv_work_t work;
    struct feed *feed;
    struct store *store;
    struct feed_cursor *cursor; /* OPEN, CATCH_UP: NULL when it was closed meanwhile */
    enum reading_kind kind;
    struct feed_request request; /* OPEN */
    char epoch[40];              /* OPEN: of the request */
    struct topic_filter filter;
    enum feed_form form;
    uint64_t after, upto; /* CATCH_UP: events in (after, upto] */

    int code;
    struct err err;
    uint64_t as_of;
    const char *reset;   /* OPEN: why the cursor was not taken, or NULL */
    struct buf snapshot; /* OPEN: the state as JSON, or empty */
    struct span *frame;  /* CATCH_UP: what to send; its `to` says how far it goes */
    uint64_t end_seq;    /* OPEN, END: 0 while the job is not final */
    struct buf totals;   /* OPEN, END: lines per step as JSON, when it is */
};

struct feed_read *reading_new(struct feed *f, struct store *store, enum reading_kind kind,
                              const struct topic_filter *filter, enum feed_form form);

/* Starts it; done(read) is called on the loop, and frees it with reading_free(). */
void reading_start(struct feed_read *read, uv_loop_t *loop,
                   void (*done)(struct feed_read *read));
void reading_free(struct feed_read *read);
