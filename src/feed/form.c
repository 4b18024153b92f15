#include "feed/form.h"

#include <string.h>

enum {
    FIN_TEXT = 0x81,
    PACKED = 0x40,           /* RSV1 */
    HEAD_MAX_BYTES = 10,     /* of a frame that a server sends */
    DEFLATE_MIN_BYTES = 256, /* less is sent as it is */
};

/* Returns how long the head is. */
static size_t head_write(unsigned char head[HEAD_MAX_BYTES], unsigned char first, size_t length)
{
    head[0] = first;
    if (length < 126) {
        head[1] = (unsigned char)length;
        return 2;
    }
    size_t width = length < 65536 ? 2 : 8;
    head[1] = width == 2 ? 126 : 127;
    for (size_t i = 0; i < width; i++)
        head[2 + i] = (unsigned char)(length >> (8 * (width - 1 - i)));
    return 2 + width;
}

void form_add_text_frame(struct buf *out, struct str text)
{
    unsigned char head[HEAD_MAX_BYTES];
    buf_add(out, head, head_write(head, FIN_TEXT, text.n));
    buf_add_str(out, text);
}

/* The length is known when it is packed; so it is packed behind the longest head there is, and
 * moved if that was too long. */
static void add_packed_frame(struct deflater *deflater, struct buf *out, struct str text)
{
    size_t at = out->n;
    unsigned char head[HEAD_MAX_BYTES] = {0};
    buf_add(out, head, sizeof(head));
    deflater_add(deflater, out, text);
    if (out->overflow)
        return;
    size_t packed_n = out->n - at - sizeof(head);
    size_t head_n = head_write(head, FIN_TEXT | PACKED, packed_n);
    memcpy(out->p + at, head, head_n);
    memmove(out->p + at + head_n, out->p + at + sizeof(head), packed_n);
    out->n -= sizeof(head) - head_n;
}

static void add_stream_event(const struct form *f, struct buf *out, const char *type,
                             uint64_t to, struct str text)
{
    bool is_events = strcmp(type, "events") == 0;
    if (!is_events) /* what has no name is what onmessage gets */
        buf_printf(out, "event: %s\n", type);
    /* only what moves the cursor: who is cut off behind a `reset` has not got the state yet */
    if (is_events || strcmp(type, "snapshot") == 0 || strcmp(type, "end") == 0)
        buf_printf(out, "id: %s:%llu\n", f->epoch, (unsigned long long)to);
    buf_add_c(out, "data: ");
    buf_add_str(out, text); /* JSON has no line breaks */
    buf_add(out, "\n\n", 2);
}

void form_add(const struct form *f, struct buf *out, const char *type, uint64_t to,
              struct str text)
{
    if (f->kind == FEED_SSE)
        add_stream_event(f, out, type, to, text);
    else if (f->kind == FEED_DEFLATED && text.n >= DEFLATE_MIN_BYTES)
        add_packed_frame(f->deflater, out, text);
    else
        form_add_text_frame(out, text);
}
