/* span.h: bytes that are ready to be sent, shared by everyone who gets them.
 *
 * A span is one frame (or, in the plain form, several) for one topic, in one form (form.h). It
 * tells which part of the log it covers: all events of its topic in (from, to]. Immutable once
 * made. Reference counts are not atomic: a span is made on any thread and shared on the loop
 * thread only. */
#pragma once

#include <stdint.h>

#include "base/buf.h"

struct span {
    int refs;
    uint64_t from, to;
    size_t size;
    size_t weight;      /* bytes that the client has of it: unpacked, when it is compressed */
    int64_t made_at_us; /* of a frame in a ring, monotonic */
    unsigned char data[];
};

struct span *span_new(uint64_t from, uint64_t to, struct str bytes); /* one reference, a copy */
struct span *span_ref(struct span *s);
void span_unref(struct span *s); /* NULL is fine */

/* A WebSocket text frame of its own: for control messages. */
struct span *span_text(uint64_t at, struct str text);
