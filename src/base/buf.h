/* buf.h: a growing buffer that is born with its maximum.
 *
 * Append without checks; when an append would pass `max`, nothing of it is added and `overflow`
 * sticks, to be tested once at the end:
 *
 *     AUTO_BUF out = BUF_INIT(LIMIT_REPLY_BYTES);
 *     buf_printf(&out, "%d lines", n);
 *     if (out.overflow) ...
 *
 * There is always a NUL after the last byte once something was appended, or after buf_text().
 * Ownership: the struct owns p. Thread: one at a time. */
#pragma once

#include <stdarg.h>
#include <stdbool.h>

#include "base/macro.h"
#include "base/text.h"

struct buf {
    char *p;
    size_t n;      /* bytes in use */
    size_t cap;    /* bytes allocated, NUL included */
    size_t max;    /* n never passes this */
    bool overflow; /* an append did not fit */
};

#define BUF_INIT(max_bytes)                                                                    \
    {                                                                                          \
        NULL, 0, 0, (max_bytes), false                                                         \
    }
#define AUTO_BUF AUTO(buf_done) struct buf

void buf_done(struct buf *b);  /* frees; *b may be used again, empty */
void buf_wipe(struct buf *b);  /* the same, of what nobody may find in memory */
void buf_clear(struct buf *b); /* n = 0, overflow = false, memory kept */
void buf_add(struct buf *b, const void *p, size_t n);
void buf_add_str(struct buf *b, struct str s);
void buf_add_c(struct buf *b, const char *s);
void buf_add_byte(struct buf *b, char c);
void buf_printf(struct buf *b, const char *fmt, ...) PRINTF(2, 3);
void buf_vprintf(struct buf *b, const char *fmt, va_list ap) PRINTF(2, 0);

/* Makes room for n more bytes and returns where they go; NULL (and overflow) past the maximum.
 * The caller writes up to n bytes there and adds what it wrote to b->n. */
char *buf_room(struct buf *b, size_t n);

/* Removes the first n bytes. */
void buf_drop(struct buf *b, size_t n);

const char *
buf_text(struct buf *b); /* NUL-terminated, "" when empty; valid until the next change */
struct str buf_str(const struct buf *b);
char *buf_take(struct buf *b); /* NUL-terminated, the caller frees it; *b is empty afterwards */
