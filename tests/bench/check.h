/* check.h: what one viewer must have seen, for many viewers of the same stream.
 *
 * The first one to get a message has it parsed; the parsed one is kept, and the others' bytes
 * are compared with it as they come, without being copied or parsed. A message is found by the
 * place where the viewer is, so this finds gaps, doubles and changed bytes all the same: what
 * is not equal is parsed, and judged by itself.
 *
 *     check_message(c, v, length, deflated);        a text message begins
 *     check_bytes(v, bytes, n)   ;                  ... some of it
 *     kind = check_end(c, v, now_us);               it is complete
 *
 * Two streams are known: frames of the protocol tailrace.v1 (docs/protocol.md), and "peers'
 * events": each message one or more events, joined by newlines, numbered by seq from 1.
 * Thread: one at a time. */
#pragma once

#include <zlib.h>

#include "base/buf.h"
#include "base/text.h"
#include "histogram.h"

struct check_frame; /* a message that was parsed */

enum check_kind {
    CHECK_EVENTS,
    CHECK_STATUS, /* v1's greeting: `epoch` of the check is known now */
    CHECK_SUBSCRIBED,
    CHECK_CAUGHT_UP,
    CHECK_FINISHED, /* v1's end of the topic; of peers: all events are here */
    CHECK_OTHER,
};

struct check_viewer {
    uint64_t cursor; /* the last seq that is accounted for */
    uint64_t events, lines;
    bool counted; /* its events count for speed and latency */
    /* the check's own: */
    const struct check_frame *like; /* all bytes so far were equal to this one's */
    size_t length, have;
    bool deflated;
    struct buf held; /* the bytes of a message that is like none */
};

struct check {
    bool v1;
    uint64_t wanted;       /* peers: that many events, then it is finished */
    int64_t skip_until_us; /* what comes earlier does not count for latency */
    bool counting;         /* false: nothing counts for speed and latency yet */
    char epoch[64];
    /* what was found: */
    uint64_t delivered, bytes, messages; /* while counting; bytes as on the wire */
    int64_t first_us, last_us;
    struct histogram latency;
    uint64_t gaps, doubled, disordered, incomplete, malformed;
    char first_violation[256];
    /* the check's own: */
    struct check_frame **frames;
    z_stream inflater;
};

void check_init(struct check *c);
void check_done(struct check *c);

void check_message(struct check *c, struct check_viewer *v, size_t length, bool deflated);
void check_bytes(struct check_viewer *v, const char *bytes, size_t n);
enum check_kind check_end(struct check *c, struct check_viewer *v, int64_t now_us);
