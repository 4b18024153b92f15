/* cursor.h: the client's rule of docs/protocol.md, for the command line: of frames that say
 * `from` and `to` and hold all events in (from, to], each event once, in order, without a gap.
 * Held to tests/vectors/client-rule.json, as ui/cursor.js is. Pure; thread: any. */
#pragma once

#include <jansson.h>
#include <stdint.h>

#include "base/err.h"

struct cursor {
    char epoch[40];
    uint64_t seq; /* everything up to here was taken */
};

/* "epoch:seq"; E_INVAL when it has another form. */
CHECKED int cursor_read(const char *text, struct cursor *ret_cursor, struct err *e);

#define CURSOR_TEXT_MAX 64
void cursor_text(const struct cursor *c, char to[CURSOR_TEXT_MAX]);

enum cursor_verdict {
    CURSOR_APPLIED,
    CURSOR_STALE, /* nothing in it is new */
    CURSOR_GAP, /* it does not go on from the cursor, or is no such frame; nothing was taken */
};

/* Takes a frame: calls on_event for each event behind the cursor, which moves with them and to
 * the end of the frame. */
enum cursor_verdict cursor_take(struct cursor *c, const json_t *frame,
                                void (*on_event)(void *user, const json_t *event), void *user);
