#include "feed/span.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "feed/form.h"

struct span *span_new(uint64_t from, uint64_t to, struct str bytes)
{
    struct span *s = mem_alloc(sizeof(*s) + bytes.n);
    *s = (struct span){.refs = 1, .from = from, .to = to, .size = bytes.n, .weight = bytes.n};
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

struct span *span_text(uint64_t at, struct str text)
{
    AUTO_BUF out = BUF_INIT(text.n + 16);
    form_add_text_frame(&out, text);
    return span_new(at, at, buf_str(&out));
}
