#include "feed/deflate.h"

#include <string.h>
#include <zlib.h>

#include "base/mem.h"

enum {
    LEVEL = 1, /* events are so alike that more effort gains little */
    MEMORY = 8,
};

/* What a sync flush ends with: an empty stored block. It is not sent. */
static const char tail[] = {0, 0, (char)0xff, (char)0xff};

struct deflater {
    z_stream z;
};

struct inflater {
    z_stream z;
};

/* zlib asks for non-const input, and only reads it. */
static void input_set(z_stream *z, struct str bytes)
{
    z->next_in = (Bytef *)(uintptr_t)bytes.p;
    z->avail_in = (uInt)bytes.n;
}

struct deflater *deflater_new(void)
{
    struct deflater *d = mem_alloc(sizeof(*d));
    ASSERT(deflateInit2(&d->z, LEVEL, Z_DEFLATED, -MAX_WBITS, MEMORY, Z_DEFAULT_STRATEGY) ==
           Z_OK);
    return d;
}

void deflater_free(struct deflater *d)
{
    if (!d)
        return;
    (void)deflateEnd(&d->z);
    mem_clear(&d);
}

void deflater_add(struct deflater *d, struct buf *out, struct str text)
{
    size_t bound = deflateBound(&d->z, text.n) + sizeof(tail);
    char *room = buf_room(out, bound);
    if (!room)
        return;
    input_set(&d->z, text);
    d->z.next_out = (Bytef *)room;
    d->z.avail_out = (uInt)bound;
    ASSERT(deflate(&d->z, Z_SYNC_FLUSH) == Z_OK && d->z.avail_in == 0 && d->z.avail_out > 0);
    out->n += bound - d->z.avail_out - sizeof(tail);
    ASSERT(deflateReset(&d->z) == Z_OK);
}

struct inflater *inflater_new(void)
{
    struct inflater *d = mem_alloc(sizeof(*d));
    ASSERT(inflateInit2(&d->z, -MAX_WBITS) == Z_OK);
    return d;
}

void inflater_free(struct inflater *d)
{
    if (!d)
        return;
    (void)inflateEnd(&d->z);
    mem_clear(&d);
}

/* Unpacks what is in the stream's input. Z_OK: all of it; Z_STREAM_END: up to a last block. */
static int unpack(struct inflater *d, struct buf *out)
{
    enum { PIECE_BYTES = 4096 };
    int r;
    do {
        size_t room_n = MIN((size_t)PIECE_BYTES, out->max - out->n) + 1;
        char piece[PIECE_BYTES + 1]; /* one byte more than fits, to notice what is too long */
        d->z.next_out = (Bytef *)piece;
        d->z.avail_out = (uInt)room_n;
        r = inflate(&d->z, Z_SYNC_FLUSH);
        buf_add(out, piece, room_n - d->z.avail_out);
    } while (r == Z_OK && d->z.avail_out == 0 && !out->overflow);
    return r == Z_BUF_ERROR ? Z_OK : r; /* nothing was left to do */
}

bool inflater_run(struct inflater *d, struct str packed, struct buf *out)
{
    buf_clear(out);
    input_set(&d->z, packed);
    int r = unpack(d, out);
    if (r == Z_OK && !out->overflow) {
        input_set(&d->z, (struct str){tail, sizeof(tail)});
        r = unpack(d, out);
    }
    ASSERT(inflateReset(&d->z) == Z_OK);
    return (r == Z_OK || r == Z_STREAM_END) && !out->overflow;
}
