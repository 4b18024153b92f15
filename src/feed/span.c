#include "feed/span.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

struct span *span_new(uint64_t from, uint64_t to, struct str bytes)
{
    struct span *s = mem_alloc(sizeof(*s) + bytes.n);
    *s = (struct span){.refs = 1, .from = from, .to = to, .size = bytes.n};
    if (bytes.n)
        memcpy(s->data, bytes.p, bytes.n);
    return s;
}

struct span *span_ref(struct span *s)
{
    s->refs++;
    return s;
}

void span_unref(struct span *s)
{
    if (s && --s->refs == 0)
        free(s);
}

void span_add_text_frame(struct buf *out, struct str text)
{
    enum { FIN_TEXT = 0x81 };
    unsigned char head[10] = {FIN_TEXT};
    size_t n = 2;
    if (text.n < 126) {
        head[1] = (unsigned char)text.n;
    } else {
        int width = text.n < 65536 ? 2 : 8;
        head[1] = width == 2 ? 126 : 127;
        for (int i = 0; i < width; i++)
            head[2 + i] = (unsigned char)(text.n >> (8 * (width - 1 - i)));
        n += (size_t)width;
    }
    buf_add(out, head, n);
    buf_add_str(out, text);
}

struct span *span_text(uint64_t at, struct str text)
{
    AUTO_BUF out = BUF_INIT(text.n + 16);
    span_add_text_frame(&out, text);
    return span_new(at, at, buf_str(&out));
}
