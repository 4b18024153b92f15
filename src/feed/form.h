/* form.h: how what is said to a viewer becomes the bytes that its connection carries.
 *
 * Everything that is said is one JSON text, the same in all forms but the plain one:
 *
 *     FEED_V1         a WebSocket text frame
 *     FEED_DEFLATED   the same, compressed by itself (permessage-deflate) when that pays
 *     FEED_SSE        an event of an event stream, with the cursor as its id
 *     FEED_PLAIN      a WebSocket text frame for each event: clients without sub-protocol
 *
 * Thread: one at a time. */
#pragma once

#include "feed/deflate.h"

enum feed_form { FEED_V1, FEED_DEFLATED, FEED_SSE, FEED_PLAIN };

struct form {
    enum feed_form kind;
    const char *epoch;         /* of the cursors; lives longer */
    struct deflater *deflater; /* FEED_DEFLATED; borrowed */
};

/* Appends a text. `type` is its "type", `to` the seq up to which all was said with it. */
void form_add(const struct form *f, struct buf *out, const char *type, uint64_t to,
              struct str text);

/* Appends `text` as one unmasked WebSocket text frame (RFC 6455, 5.2). */
void form_add_text_frame(struct buf *out, struct str text);
