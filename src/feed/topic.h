/* topic.h: one topic's events as frames: a ring of shared spans, and the frame that is being
 * filled.
 *
 *     ring: (a, b] (b, c] ... (x, tail]     pending: events after tail, not a frame yet
 *
 * Frames tile: each begins where the one before ends. Pure memory, no I/O. Thread: loop. */
#pragma once

#include "base/list.h"
#include "feed/feed.h"
#include "feed/history.h"

struct topic {
    struct topic_filter filter;
    struct form form;
    char name[TOPIC_NAME_MAX];
    struct list link;     /* in the feed's list of topics of its kind, or of its job */
    struct list due_link; /* in the feed's list of topics to flush later */
    struct list waiting;  /* cursors at the tail */
    int cursors, behind;  /* all of them; those that catch up */

    struct span **frames; /* oldest first: frames[first .. first + count) */
    size_t first, count, cap;
    size_t ring_bytes;
    uint64_t tail;  /* the ring covers everything up to here */
    uint64_t woken; /* the tail that waiting cursors were told of */

    struct buf pending; /* encoded events */
    size_t pending_count;
    uint64_t pending_to;
    int64_t flushed_at_us; /* monotonic, as all times here */
    int64_t due_us;        /* when it flushes, while it is in the list of those due */
    int64_t window_at_us;  /* the rate: events since then, and in the window before */
    size_t window_events, rate;

    struct list readings;   /* of the log, under way */
    struct history history; /* what they found */
    uint64_t floor;         /* cursors before this need the state again */
    bool gone;              /* the job was deleted */

    uint64_t end_seq; /* of a finished job: its last event; else 0 */
    struct span *end; /* the "end" frame, when it has been made */
};

struct topic *topic_new(const struct topic_filter *filter, const struct form *form,
                        uint64_t tail);
void topic_free(struct topic *t);

/* Adds an encoded event, a JSON object (in the plain form it becomes a text frame of its own).
 * Closes the frame when it is full. */
void topic_add(struct topic *t, uint64_t seq, struct str encoded, int64_t now_us);

/* Closes the frame that is being filled, when it holds anything. True when there is a new
 * frame. */
bool topic_flush(struct topic *t, int64_t now_us);

/* Lets go of frames that are too many, or were kept for their youth. Flushing does it, too. */
void topic_trim(struct topic *t, int64_t now_us);

/* How long after its last flush the topic should flush again: 0 when it was quiet. */
int64_t topic_gather_us(struct topic *t, int64_t now_us);

/* The oldest frame with to > seq, or NULL. */
struct span *topic_frame_after(const struct topic *t, uint64_t seq);

/* An events frame around `events` (objects with commas between them) as bytes to send. */
struct span *topic_make_frame(const struct form *form, const char *name, uint64_t from,
                              uint64_t to, struct str events);
