/* deflate.h: raw DEFLATE (RFC 1951) for permessage-deflate (RFC 7692), each message by itself:
 * neither side keeps a window from one message to the next, so a message is compressed once
 * and the same bytes go to every viewer. Pure; thread: one at a time. */
#pragma once

#include "base/buf.h"

struct deflater; /* about 260 KB */

struct deflater *deflater_new(void);
void deflater_free(struct deflater *d); /* NULL is fine */

/* Appends `text` as one compressed message: what a sync flush gives, without its last four
 * bytes (RFC 7692, 7.2.1). */
void deflater_add(struct deflater *d, struct buf *out, struct str text);

struct inflater; /* about 10 KB, and 32 KB from its first use on */

struct inflater *inflater_new(void);
void inflater_free(struct inflater *d); /* NULL is fine */

/* Unpacks one message into `out`, which is cleared first. False when the bytes are not DEFLATE
 * or unpack to more than out->max (then out->overflow is set). */
bool inflater_run(struct inflater *d, struct str packed, struct buf *out);
