/* Any bytes, in pieces whose lengths the input decides, with or without permessage-deflate: the
 * parser never crashes, reads past a
 * piece or gives more than its limit, and gives the same messages as for the input in one
 * piece. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "server/websocket.h"

enum { LIMIT_BYTES = 1024 };

struct digest {
    uint64_t hash, messages;
    int close_code;
};

static void digest_add(struct digest *d, const struct ws_message *m)
{
    ASSERT(m->data.n <= LIMIT_BYTES);
    d->messages++;
    d->hash = d->hash * 31 + m->opcode + (unsigned)m->close_code;
    for (size_t i = 0; i < m->data.n; i++)
        d->hash = d->hash * 31 + (unsigned char)m->data.p[i];
}

static struct digest run(const uint8_t *bytes, size_t size, unsigned piece, bool deflate)
{
    struct digest d = {0};
    struct ws_parser p;
    struct ws_message m;
    enum ws_result r = WS_MORE;
    struct inflater *inflater = deflate ? inflater_new() : NULL;
    ws_parser_init(&p, LIMIT_BYTES, inflater);
    for (size_t at = 0; at < size && r != WS_ERROR;) {
        size_t n = piece && piece < size - at ? piece : size - at;
        char *copy = malloc(n);
        memcpy(copy, bytes + at, n);
        struct str in = {copy, n};
        while ((r = ws_parser_next(&p, &in, &m)) == WS_MESSAGE)
            digest_add(&d, &m);
        free(copy);
        at += n;
    }
    d.close_code = r == WS_ERROR ? p.close_code : 0;
    ws_parser_done(&p);
    inflater_free(inflater);
    return d;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    if (size < 1)
        return 0;
    bool deflate = bytes[0] & 0x80;
    struct digest whole = run(bytes + 1, size - 1, 0, deflate);
    struct digest pieces = run(bytes + 1, size - 1, 1 + bytes[0] % 16, deflate);
    ASSERT(whole.hash == pieces.hash && whole.messages == pieces.messages &&
           whole.close_code == pieces.close_code);
    return 0;
}
