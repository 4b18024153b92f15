/* feed_state.h: what feed.c (publishing) and cursor.c (viewers' cursors) share. Only src/feed/
 * includes it. */
#pragma once

#include "base/alarm.h"
#include "base/map.h"
#include "feed/reading.h"

struct feed {
    uv_loop_t *loop;
    struct store *store;
    uint64_t head;
    struct list global; /* topics ALL, JOBS and SYSTEM */
    struct map by_job;  /* job id -> struct list of its topics */
    struct list due;    /* topics with a frame to close later */
    struct list ready;  /* cursors to be told that they can go on */
    struct list failed; /* cursors whose reading failed; told when it is time to try again */
    struct alarm flush_alarm;
    uv_timer_t retry_timer;
    struct deflater *deflater; /* of all frames that are made on the loop */
    struct buf scratch;        /* one encoded event */
};

/* feed.c */
struct topic *feed_topic(struct feed *f, const struct topic_filter *filter,
                         enum feed_form form);                               /* found or made */
struct list *feed_topics(struct feed *f, const struct topic_filter *filter); /* NULL: none */
void feed_release(struct feed *f, struct topic *t); /* one cursor less: it may be gone */
void feed_wake(struct feed *f, struct topic *t);    /* its waiting cursors are ready */
void feed_tell_ready(struct feed *f);

/* cursor.c */
void feed_read_end(struct feed *f, const struct topic_filter *job);
